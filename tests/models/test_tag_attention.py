"""Tag attention: against a plain numpy network, padding, planted relations, checkpoints, speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit

from tests.models.small import resume_after_kill
from unisono import models
from unisono.errors import ConfigError, DataError
from unisono.metrics import relevance
from unisono.models import tag_attention
from unisono.models.parts import attention

SMALL: dict[str, Any] = {"units": 3, "hidden": 5, "batch_size": 8, "extra": 4, "epochs": 3, "min_steps": 0}
N, M, LONGEST, WIDTH = 14, 11, 7, 4


def data(seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Random pictures, lyrics of several lengths and a relation."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, LONGEST + 1, size=M)
    lyrics = generator.standard_normal((M, LONGEST, WIDTH)) * (np.arange(LONGEST) < lengths[:, None])[:, :, None]
    return {"image": generator.standard_normal((N, 5)), "lyrics": lyrics}, lengths, generator.random((N, M)) < 0.3


def fitted(seed: int = 0, **params: Any) -> Any:
    views, lengths, relation = data()
    model = models.create("tag_attention", seed=seed, **{**SMALL, **params})
    model.progress = False
    return model.fit(views, relevance=relation, lengths={"lyrics": lengths})


def planted(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Pictures are one of twelve words, lyrics one of these among nine others; relevant is what has the word.

    All words are equally frequent, so that no item is more popular than another.
    """
    generator = np.random.default_rng(seed)
    words = np.random.default_rng(99).standard_normal((60, 12))
    picture, lyric = generator.permutation(144) % 12, generator.integers(12, 60, size=(120, 10))
    lyric[np.arange(120), generator.integers(10, size=120)] = generator.permutation(120) % 12
    return {"image": words[picture], "lyrics": words[lyric]}, (lyric == picture[:, None, None]).any(axis=2)


def by_hand(model: Any, image: np.ndarray, words: np.ndarray) -> tuple[float, np.ndarray]:
    """Score one picture and one lyric without padding, and weigh the words, as the formula has it."""
    arrays = {key.removeprefix("network."): a.astype(float) for key, a in model.arrays_.items()}

    def read(name: str, sequence: np.ndarray) -> np.ndarray:
        state = cell = np.zeros(model.units)
        states = []
        for frame in sequence:
            gates = arrays[f"{name}.weight_ih_l0"] @ frame + arrays[f"{name}.bias_ih_l0"]
            gates += arrays[f"{name}.weight_hh_l0"] @ state + arrays[f"{name}.bias_hh_l0"]
            enter, forget, new, out = np.split(gates, 4)
            cell = expit(forget) * cell + expit(enter) * np.tanh(new)
            state = expit(out) * np.tanh(cell)
            states.append(state)
        return np.array(states)

    h = np.hstack([read("forth", words), read("back", words[::-1])[::-1]])
    logits = h @ (arrays["weights.weight"] @ image) if model.attention == "tags" else np.zeros(len(h))
    weights = np.exp(logits) / np.exp(logits).sum()
    z = weights @ h
    q = np.tanh(arrays["gaze.0.weight"] @ image + arrays["gaze.0.bias"])
    inner = np.maximum(arrays["first.weight"] @ np.concatenate([q, z, q * z]) + arrays["first.bias"], 0)
    return float((arrays["last.weight"] @ inner + arrays["last.bias"])[0]), weights


@pytest.mark.parametrize("kind", ["tags", "mean"])
def test_scores_and_weights_are_those_of_a_plain_network(kind: str) -> None:
    views, lengths, _ = data()
    model = fitted(attention=kind)
    scores = model.score({"image": views["image"]}, {"lyrics": views["lyrics"]}, gallery_lengths={"lyrics": lengths})
    weights = model.attend(views["image"][:M], views["lyrics"], lengths)
    assert weights.shape == (M, LONGEST)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    assert not weights[np.arange(LONGEST) >= lengths[:, None]].any()
    for column, length in enumerate(lengths):
        words = views["lyrics"][column, :length]
        for row, image in enumerate(views["image"]):
            expected, its = by_hand(model, image, words)
            assert scores[row, column] == pytest.approx(expected, abs=1e-5)
            if row == column:
                np.testing.assert_allclose(weights[row, :length], its, atol=1e-6)
    back = model.score({"lyrics": views["lyrics"]}, {"image": views["image"]}, lengths={"lyrics": lengths})
    np.testing.assert_array_equal(back, scores.T)


def test_the_gradient_is_that_of_the_loss() -> None:
    import torch

    network = attention.attentive(5, WIDTH, units=2, hidden=3, dropout=0.0, tags=True).double()
    views, lengths, _ = data()
    image, lyrics = (torch.as_tensor(views[view][:3]) for view in views)
    counts = torch.as_tensor(lengths[:3])

    def loss(*weights: Any) -> Any:
        return torch.func.functional_call(
            _Scored(network), dict(zip(names, weights, strict=True)), (image, lyrics, counts)
        ).square()

    class _Scored(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, image: Any, lyrics: Any, counts: Any) -> Any:
            return self.inner.score(image, self.inner.read(lyrics, counts), counts)  # type: ignore[operator]

    names = [name for name, _ in _Scored(network).named_parameters()]
    torch.manual_seed(0)
    weights = tuple(0.5 * torch.randn(p.shape, dtype=torch.float64) for p in network.parameters())
    assert torch.autograd.gradcheck(loss, tuple(w.requires_grad_() for w in weights))


def test_padding_and_the_other_rows_are_not_read() -> None:
    views, lengths, _ = data()
    model = fitted()
    image, lyrics = {"image": views["image"]}, views["lyrics"]
    plain = model.score(image, {"lyrics": lyrics}, gallery_lengths={"lyrics": lengths})
    noisy = np.concatenate([lyrics, np.full((M, 3, WIDTH), 1e3)], axis=1)
    noisy[np.arange(LONGEST + 3) >= lengths[:, None]] = -7
    found = model.score(image, {"lyrics": noisy}, gallery_lengths={"lyrics": lengths})
    np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-6)
    for row in (0, 3):
        alone = model.score(
            image, {"lyrics": lyrics[row : row + 1, : lengths[row]]}, gallery_lengths={"lyrics": lengths[row : row + 1]}
        )
        np.testing.assert_allclose(alone[:, 0], plain[:, row], rtol=1e-5, atol=1e-6)
    weights = model.attend(views["image"][:M], noisy, lengths)
    assert weights.shape == (M, LONGEST + 3)
    np.testing.assert_allclose(weights[:, :LONGEST], model.attend(views["image"][:M], lyrics, lengths), atol=1e-6)


def test_equal_items_tie_in_any_block(monkeypatch: pytest.MonkeyPatch) -> None:
    views, lengths, _ = data()
    generator = np.random.default_rng(1)
    rows, columns = generator.integers(N, size=50), generator.integers(M, size=40)
    model = fitted()
    given = {"image": views["image"][rows]}, {"lyrics": views["lyrics"][columns]}
    counts = {"lyrics": lengths[columns]}
    whole = model.score(*given, gallery_lengths=counts)
    for found in (whole, whole.T):
        kinds = rows if found is whole else columns
        first = np.array([np.argmax(kinds == kind) for kind in kinds])
        np.testing.assert_array_equal(found, found[first])
    monkeypatch.setattr(tag_attention, "BLOCK", 1)
    monkeypatch.setattr(attention, "READ", 2)
    np.testing.assert_allclose(model.score(*given, gallery_lengths=counts), whole, rtol=1e-5, atol=1e-6)


def test_attention_finds_the_word_and_beats_the_mean() -> None:
    found = {}
    for kind in ("tags", "mean"):
        model = models.create("tag_attention", attention=kind, units=16, hidden=32, epochs=40)
        model.progress = False
        views, relation = planted(0)
        model.fit(views, relevance=relation)
        tested, relevant = planted(1)
        scores = model.score({"image": tested["image"]}, {"lyrics": tested["lyrics"]})
        found[kind] = [
            relevance.measure(*each).mean_average_precision for each in ((scores, relevant), (scores.T, relevant.T))
        ]
        if kind == "tags":
            rows, columns = np.nonzero(relevant)
            weights = model.attend(tested["image"][rows], tested["lyrics"][columns])
            own = (tested["lyrics"][columns] == tested["image"][rows][:, None]).all(axis=2)
            assert (weights * own).sum(axis=1).mean() > 0.5
    chance = relevance.chance(relevant).mean_average_precision
    assert min(found["tags"]) > max(found["mean"]) + 0.1
    assert min(found["mean"]) > chance


def test_a_shuffled_relation_is_at_chance() -> None:
    values = []
    for seed in range(4):
        model = models.create("tag_attention", seed=seed, units=16, hidden=32, epochs=10)
        model.progress = False
        views, relation = planted(seed)
        order = np.random.default_rng(seed).permutation(len(relation))
        model.fit(views, relevance=relation[order])
        tested, relevant = planted(seed + 10)
        scores = model.score({"image": tested["image"]}, {"lyrics": tested["lyrics"]})
        found = relevance.measure(scores, relevant).average_precisions
        values.append(np.nanmean(found) - np.nanmean(relevance.chance(relevant).average_precisions))
    assert abs(np.mean(values)) < 0.05


def test_the_names_of_views_do_not_matter() -> None:
    views, lengths, relation = data()
    model = models.create("tag_attention", **SMALL)
    model.progress = False
    model.fit({"z": views["image"], "a": views["lyrics"]}, relevance=relation.T, lengths={"a": lengths})
    for key, array in fitted().arrays_.items():
        if key != "lyric":
            np.testing.assert_array_equal(model.arrays_[key], array)
    np.testing.assert_array_equal(
        model.score({"z": views["image"]}, {"a": views["lyrics"]}),
        fitted().score({"image": views["image"]}, {"lyrics": views["lyrics"]}),
    )


def test_batches_have_a_relevant_vector_for_every_sequence() -> None:
    import torch

    _, _, relation = data()
    relation[:, 4] = False
    torch.manual_seed(0)
    batches = attention.Batches(sparse.csr_array(relation.T), 3, 2)
    assert len(batches) == 10 // 3
    seen: set[int] = set()
    drawn: set[tuple[int, int]] = set()
    for _ in range(60):
        for sequences, vectors, relevant in batches:
            assert (len(sequences), len(vectors)) == (3, 5)
            np.testing.assert_array_equal(relevant.numpy(), relation[np.ix_(vectors, sequences)])
            assert relevant[range(3), range(3)].all()
            seen |= set(sequences.tolist())
            drawn |= set(zip(vectors[:3].tolist(), sequences.tolist(), strict=True))
    assert seen == set(range(M)) - {4}
    assert drawn == set(zip(*map(np.ndarray.tolist, np.nonzero(relation)), strict=True))


def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    views, lengths, relation = data()

    def train(checkpoint: Path | None) -> models.Aligner:
        model = models.create("tag_attention", **{**SMALL, "epochs": 8})
        model.progress = False
        return model.fit(views, relevance=relation, lengths={"lyrics": lengths}, checkpoint=checkpoint)

    ran = resume_after_kill(train, tmp_path / "checkpoint", monkeypatch)
    assert min(ran) == 4
    assert all(np.isfinite(epoch["loss"]) for epoch in train(None).history_)


def test_saved_and_loaded_it_scores_the_same(tmp_path: Path) -> None:
    views, lengths, _ = data()
    model = fitted(standardise="columns")
    model.save(tmp_path)
    given = {"image": views["image"]}, {"lyrics": views["lyrics"]}
    counts = {"lyrics": lengths}
    loaded = models.load(tmp_path)
    np.testing.assert_array_equal(
        loaded.score(*given, gallery_lengths=counts), model.score(*given, gallery_lengths=counts)
    )
    assert isinstance(loaded, tag_attention.TagAttention)
    np.testing.assert_array_equal(
        loaded.attend(views["image"][:M], views["lyrics"]), model.attend(views["image"][:M], views["lyrics"])
    )


def test_steps_are_raised_on_few_lyrics() -> None:
    assert len(fitted(min_steps=20).history_) == 20
    assert len(fitted(batch_size=2, min_steps=20).history_) == 4


def test_wrong_views_say_what_is_expected() -> None:
    views, _, relation = data()
    model = models.create("tag_attention", **SMALL)
    flat = views["lyrics"].mean(axis=1)
    for lyrics, image in ((flat, views["image"]), (views["lyrics"], views["image"][:, None])):
        with pytest.raises(DataError, match=r"one view of vectors \(n, d\), the picture, and one of sequences .* got"):
            model.fit({"image": image, "lyrics": lyrics}, relevance=relation)
    with pytest.raises(ConfigError, match="aligns exactly 2 views"):
        model.fit({**views, "audio": views["image"]})
    model = fitted()
    with pytest.raises(DataError, match="scores a row of view 'image' with one of 'lyrics', got 'image' and 'image'"):
        model.score({"image": views["image"]}, {"image": views["image"]})
    with pytest.raises(DataError, match="rows of the views do not pair"):
        model.attend(views["image"], views["lyrics"])
    with pytest.raises(ConfigError, match=r"models\.tag_attention\.attention"):
        models.create("tag_attention", attention="sum")
