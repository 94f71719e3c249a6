"""The audio-sheet-music encoder: the authors' parameters give the authors' answer, files are checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unisono.errors import DataError
from unisono.features import asmcmr


def _random_encoder(seed: int = 0) -> asmcmr.Encoder:
    """An untrained encoder whose normalisation and projections do something."""
    rng = np.random.default_rng(seed)
    arrays = dict(asmcmr.untrained(seed).arrays)
    for name, array in arrays.items():
        if not name.endswith("weight"):
            arrays[name] = (array + 0.3 * rng.uniform(-1, 1, array.shape)).astype(np.float32)
    return asmcmr.Encoder(arrays, {"weights": "untrained"})


@pytest.mark.parametrize("branch", asmcmr.BRANCHES)
def test_network_equals_the_blocks_as_published(branch: asmcmr.Branch) -> None:
    """Convolution, (x - mean) * gamma * inv_std + beta, ELU, pooling, one after the other, in float64."""
    import torch
    from torch.nn import functional

    encoder = _random_encoder()
    shape = (80, 100) if branch == "sheet" else (92, 42)
    inputs = np.random.default_rng(1).random((3, *shape), dtype=np.float32)
    x = torch.from_numpy(inputs[:, None].astype(np.float64))
    for block in range(9):
        weight, beta, gamma, mean, inv_std = (
            torch.from_numpy(encoder.arrays[f"{branch}.{block}.{name}"].astype(np.float64))
            for name in ("weight", "beta", "gamma", "mean", "inv_std")
        )
        x = functional.conv2d(x, weight, padding=1 if block < 8 else 0)
        scale, shift = (gamma * inv_std)[:, None, None], beta[:, None, None]
        x = (x - mean[:, None, None]) * scale + shift
        x = functional.elu(x) if block < 8 else x
        x = functional.max_pool2d(x, 2) if block % 2 else x
    hidden = x.mean(dim=(2, 3)).numpy()
    np.testing.assert_allclose(asmcmr.hidden_states(encoder, branch)(inputs), hidden, rtol=1e-3, atol=1e-5)
    projected = (hidden - encoder.arrays[f"{branch}.centre"]) @ encoder.arrays[f"{branch}.projection"]
    expected = projected / np.linalg.norm(projected, axis=1, keepdims=True)
    np.testing.assert_allclose(asmcmr.embedder(encoder, branch)(inputs), expected, atol=1e-3)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    embed = asmcmr.embedder(_random_encoder(), "sheet")
    snippets = np.random.default_rng(0).random((asmcmr.BATCH_SIZE + 5, 80, 100), dtype=np.float32)
    vectors = embed(snippets)
    assert vectors.shape == (len(snippets), 32)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert np.array_equal(embed(snippets[3:4]), vectors[3:4])
    assert np.array_equal(embed(snippets[-4:]), vectors[-4:])
    assert embed(snippets[:0]).shape == (0, 32)


def test_a_row_of_zeros_stays_zero() -> None:
    assert not asmcmr.unit_rows(np.zeros((2, 32))).any()


def test_untrained_encoders_differ_by_seed_alone() -> None:
    first, again, other = asmcmr.untrained(3), asmcmr.untrained(3), asmcmr.untrained(4)
    assert all(np.array_equal(first.arrays[name], again.arrays[name]) for name in asmcmr.SHAPES)
    assert not np.array_equal(first.arrays["sheet.0.weight"], other.arrays["sheet.0.weight"])
    assert first.metadata == {"weights": "untrained", "seed": 3}


def test_an_encoder_is_written_with_the_same_bytes_and_read_back(tmp_path: Path) -> None:
    encoder = _random_encoder()
    encoder.save(tmp_path / "a.safetensors")
    asmcmr.Encoder.load(tmp_path / "a.safetensors").save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    back = asmcmr.Encoder.load(tmp_path / "b.safetensors")
    assert back.metadata == encoder.metadata
    assert all(np.array_equal(back.arrays[name], encoder.arrays[name]) for name in asmcmr.SHAPES)


def test_a_missing_or_damaged_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.safetensors: no such file; run the stage train_asmcmr"):
        asmcmr.Encoder.load(tmp_path / "none.safetensors")
    asmcmr.untrained(0).save(tmp_path / "x.safetensors")
    data = (tmp_path / "x.safetensors").read_bytes()
    for damaged in (b"", data[:-100], b"garbage" * 20):
        (tmp_path / "x.safetensors").write_bytes(damaged)
        with pytest.raises(DataError, match=r"x\.safetensors: not an ASMCMR encoder"):
            asmcmr.Encoder.load(tmp_path / "x.safetensors")


def test_arrays_that_do_not_fit_are_named() -> None:
    good = asmcmr.untrained(0).arrays
    with pytest.raises(DataError, match=r"array 'audio\.3\.gamma' is missing"):
        asmcmr.Encoder({name: good[name] for name in good if name != "audio.3.gamma"}, {})
    with pytest.raises(DataError, match=r"sheet\.centre is float32 \(31,\), expected float32 \(32,\)"):
        asmcmr.Encoder({**good, "sheet.centre": np.zeros(31, np.float32)}, {})
    with pytest.raises(DataError, match=r"sheet\.centre holds NaN"):
        asmcmr.Encoder({**good, "sheet.centre": np.full(32, np.nan, np.float32)}, {})


def test_a_foreign_pickle_is_refused(tmp_path: Path) -> None:
    import pickle

    (tmp_path / "evil.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(DataError, match=r"evil\.pkl"):
        asmcmr.from_published(tmp_path / "evil.pkl")
    (tmp_path / "other.pkl").write_bytes(pickle.dumps([1, 2, 3], protocol=2))
    with pytest.raises(DataError, match=r"other\.pkl: expected a list of 97 arrays"):
        asmcmr.from_published(tmp_path / "other.pkl")
