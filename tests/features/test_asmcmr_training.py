"""Training ASMCMR: the CCA layer and the hinge are what their formulas say, and runs repeat and resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unisono.errors import DataError, MachineError, ProgramError
from unisono.features import asmcmr
from unisono.features.asmcmr import training as asmcmr_training
from unisono.features.asmcmr.pairs import Pairs

SETTINGS = {"steps": 4, "batch_size": 8, "learning_rate": 2e-3, "margin": 0.7, "seed": 0}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asmcmr_training, "THREADS", 1)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Eight samples: a dark bar in the strip is as high as the band that sounds."""
    strips, spectrograms = [], []
    for sample in range(8):
        strip = np.full((160, 260), 255, np.uint8)
        strip[50 + 8 * sample : 54 + 8 * sample] = 0
        spectrogram = np.zeros((92, 80), np.float32)
        spectrogram[80 - 10 * sample : 84 - 10 * sample] = 1
        strips.append([strip])
        spectrograms.append(spectrogram)
    return Pairs(strips, [[np.array([60.0, 250.0])]] * 8, spectrograms, [np.array([0.0, 70.0])] * 8)


def test_hinge_equals_a_plain_loop() -> None:
    import torch

    rng = np.random.default_rng(0)
    sheet, audio = (asmcmr.unit_rows(rng.normal(size=(6, 5))) for _ in range(2))
    terms = []
    for i in range(6):
        for j in range(6):
            if i != j:
                terms.append(max(0.0, 0.7 - sheet[i] @ audio[i] + sheet[i] @ audio[j]))
                terms.append(max(0.0, 0.7 - sheet[i] @ audio[i] + sheet[j] @ audio[i]))
    loss = asmcmr_training.hinge(torch.from_numpy(sheet), torch.from_numpy(audio), 0.7)
    assert loss.item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_hinge_of_perfect_and_of_swapped_pairs() -> None:
    import torch

    eye = torch.eye(4)
    assert asmcmr_training.hinge(eye, eye, 0.7).item() == 0
    assert asmcmr_training.hinge(eye, eye.roll(1, 0), 0.7).item() == pytest.approx((2 * 0.7 + 1.7) / 3)


def test_canonical_projections_whiten_and_diagonalise() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(500, 4))
    rows = np.hstack([shared @ rng.normal(size=(4, 6)), shared @ rng.normal(size=(4, 6))])
    covariance = np.cov((rows + 0.3 * rng.normal(size=rows.shape)).T)
    U, V = asmcmr_training.canonical_projections(covariance)
    for own, projection in ((covariance[:6, :6], U), (covariance[6:, 6:], V)):
        ridged = own + asmcmr_training.RIDGE * np.trace(own) / 6 * np.eye(6)
        np.testing.assert_allclose(projection.T @ ridged @ projection, np.eye(6), atol=1e-9)
    cross = U.T @ covariance[:6, 6:] @ V
    correlations = np.diag(cross)
    np.testing.assert_allclose(cross, np.diag(correlations), atol=1e-9)
    assert (np.diff(correlations) <= 0).all()
    assert 0.5 < correlations[3] < 1
    assert abs(correlations[4]) < 0.3


def test_cca_layer_gives_finite_gradients_at_equal_singular_values() -> None:
    """Two equal branches: every canonical correlation is one."""
    import torch

    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(20, 32)).astype(np.float32))
    sheet, audio = rows.clone().requires_grad_(), rows.clone().requires_grad_()
    projected = asmcmr_training.CCALayer()(sheet, audio)
    asmcmr_training.hinge(*projected, 0.7).backward()
    for branch in (sheet, audio):
        assert branch.grad is not None
        assert torch.isfinite(branch.grad).all()
    torch.testing.assert_close(projected[0], projected[1])
    torch.testing.assert_close(projected[0].norm(dim=1), torch.ones(20, dtype=torch.float64))


def test_cca_layer_averages_over_batches() -> None:
    """After two batches the projections are those of the weighted moments of both."""
    import torch

    rng = np.random.default_rng(0)
    batches = [rng.normal(size=(40, 64)) for _ in range(2)]
    layer = asmcmr_training.CCALayer()
    for batch in batches:
        projected, _ = layer(*(torch.from_numpy(half) for half in np.split(batch, 2, axis=1)))
    weights = np.repeat([1 - asmcmr_training.NEWEST, 1], 40)
    rows = np.vstack(batches)
    covariance = np.cov(rows.T, aweights=weights, ddof=0)
    U, _ = asmcmr_training.canonical_projections(covariance)
    expected = (batches[1] - np.average(rows, axis=0, weights=weights))[:, :32] @ U
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(projected.numpy(), expected, atol=1e-6)


def test_trainable_branch_equals_the_network_of_its_settled_encoder(pairs: Pairs) -> None:
    """In evaluation mode both compute the same ``h``: normalisation is carried over as it was learnt."""
    import torch

    branches = {b: asmcmr_training.trainable(asmcmr.untrained(0), b).train() for b in asmcmr.BRANCHES}
    snippets, excerpts = pairs.draw(np.random.default_rng(0), 16)
    encoder = asmcmr_training.settle(branches, snippets, excerpts, batch_size=8, device="cpu")
    for branch, inputs in (("sheet", snippets), ("audio", excerpts)):
        with torch.no_grad():
            hidden = branches[branch].eval()(torch.from_numpy(inputs[:, None])).numpy()
        np.testing.assert_allclose(asmcmr.hidden_states(encoder, branch)(inputs), hidden, rtol=1e-3, atol=1e-4)


def test_training_repeats_and_resumes_with_the_same_result(
    pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asmcmr_training, "CHECKPOINT_STEPS", 2)
    monkeypatch.setattr(asmcmr_training, "AVERAGED", 1.0)
    whole, history = asmcmr_training.train(pairs, **SETTINGS)
    assert [step["step"] for step in history] == [1, 2, 3, 4]

    checkpoint = tmp_path / "scratch" / "work.pt"
    draw = Pairs.draw
    calls = []

    def interrupted(self: Pairs, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        calls.append(n)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return draw(self, rng, n)

    with monkeypatch.context() as patch:
        patch.setattr(Pairs, "draw", interrupted)
        with pytest.raises(KeyboardInterrupt):
            asmcmr_training.train(pairs, **SETTINGS, checkpoint=checkpoint)
    resumed, resumed_history = asmcmr_training.train(pairs, **SETTINGS, checkpoint=checkpoint)
    assert resumed_history == history
    assert all(np.array_equal(whole.arrays[name], resumed.arrays[name]) for name in asmcmr.SHAPES)


def test_weights_are_the_mean_of_those_after_the_last_steps(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    def weights(steps: int, share: float) -> np.ndarray:
        monkeypatch.setattr(asmcmr_training, "AVERAGED", share)
        encoder, _ = asmcmr_training.train(pairs, **{**SETTINGS, "steps": steps})
        return encoder.arrays["sheet.0.weight"]

    third, fourth = weights(3, 0.1), weights(4, 0.25)
    np.testing.assert_allclose(weights(4, 0.5), (third + fourth) / 2, rtol=1e-6, atol=1e-8)
    assert not np.allclose(third, fourth, atol=1e-4)


def test_training_makes_pairs_similar(pairs: Pairs) -> None:
    encoder, _ = asmcmr_training.train(pairs, **{**SETTINGS, "steps": 15})
    assert encoder.metadata == {"weights": "trained"}
    snippets, excerpts = pairs.draw(np.random.default_rng(99), 8)
    similarities = asmcmr.embedder(encoder, "sheet")(snippets) @ asmcmr.embedder(encoder, "audio")(excerpts).T
    assert (similarities.argmax(axis=1) == np.arange(8)).mean() >= 0.75


def test_training_that_diverges_stops_with_a_message(pairs: Pairs) -> None:
    message = r"training diverged \(.*lower mtm\.features\.asmcmr\.learning_rate"
    with pytest.raises(ProgramError, match=message):
        asmcmr_training.train(pairs, **{**SETTINGS, "learning_rate": 1e30})
    silent = replace(pairs, spectrograms=[np.full((92, 80), np.nan, np.float32)] * 8)
    with pytest.raises(ProgramError, match=r"diverged \(loss nan at step 1\)"):
        asmcmr_training.train(silent, **SETTINGS)


def test_a_full_disk_ends_a_training_with_one_line(
    pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(asmcmr_training, "CHECKPOINT_STEPS", 1)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MachineError, match="No space left on device"):
        asmcmr_training.train(pairs, **SETTINGS, checkpoint=tmp_path / "work.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_named(pairs: Pairs, tmp_path: Path) -> None:
    (tmp_path / "work.pt").write_bytes(b"garbage")
    with pytest.raises(DataError, match=r"work\.pt: unfinished training cannot be read"):
        asmcmr_training.train(pairs, **SETTINGS, checkpoint=tmp_path / "work.pt")
