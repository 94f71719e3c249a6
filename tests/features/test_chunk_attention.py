"""Chunk attention: the formula, the choice of chunks, training, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unisono.errors import DataError
from unisono.features import chunk_attention as attention

SMALL = {"units": 4, "attention_units": 5, "features": 6, "batch_size": 8}


@pytest.fixture(scope="module")
def songs() -> tuple[list[np.ndarray], list[str]]:
    """48 songs of three moods; the mood shows in one section of each, the rest is noise."""
    rng = np.random.default_rng(0)
    centres = 3 * rng.standard_normal((3, 8))
    audios, tags = [], []
    for i in range(48):
        audio = rng.standard_normal((int(rng.integers(36, 43)), 8))
        start = int(rng.integers(0, 24))
        audio[start : start + 12] += centres[i % 3]
        audios.append(audio.astype(np.float32))
        tags.append(("calm", "fun", "angry")[i % 3])
    return audios, tags


@pytest.fixture(scope="module")
def model(songs: tuple[list[np.ndarray], list[str]]) -> attention.Model:
    return attention.train(*songs, **SMALL, epochs=20, learning_rate=0.02)


def test_pooling_takes_the_maximum_and_leaves_no_frame_out() -> None:
    audio = np.arange(16, dtype=np.float32).reshape(8, 2)
    np.testing.assert_array_equal(attention.pool_chunks(audio, 3), [[4, 5], [14, 15]])
    np.testing.assert_array_equal(attention.pool_chunks(audio[:2], 3), [[2, 3]])


def test_selection_by_the_maximum_of_each_part() -> None:
    scores = np.array([0.1, 0.0, 0.3, 0.0, 0.2, 0.2, 0.0, 0.0, 0.2])
    assert attention.select_chunks(scores, keep=1, chunks=3) == [0]
    assert attention.select_chunks(scores, keep=2, chunks=3) == [0, 1]  # of equal parts the earlier
    assert attention.select_chunks(scores, keep=3, chunks=9) == [2, 4, 5]
    assert attention.select_chunks(scores, keep=3, chunks=3) == [0, 1, 2]


def test_frames_of_the_parts_are_all_frames_once() -> None:
    for n_frames in range(213, 220):
        for chunks in (3, 6, 9):
            parts = [attention.chunk_frames(n_frames, [part], chunks=chunks, chunk_s=3) for part in range(chunks)]
            np.testing.assert_array_equal(np.concatenate(parts), np.arange(n_frames))
            assert max(map(len, parts)) - min(map(len, parts)) <= 5
    np.testing.assert_array_equal(
        attention.chunk_frames(216, [1], chunks=3, chunk_s=3), np.arange(72, 144)
    )  # 72 chunks of 3 s


def test_a_song_too_short_for_its_parts() -> None:
    with pytest.raises(DataError, match="2 scored chunks cannot be cut into 3"):
        attention.select_chunks(np.ones(2), keep=1, chunks=3)


def test_scores_follow_the_formula(model: attention.Model, songs: tuple[list[np.ndarray], list[str]]) -> None:
    """The same by a plain numpy LSTM, step by step."""
    a = {name: value.astype(np.float64) for name, value in model.arrays.items()}
    chunks = (attention.pool_chunks(songs[0][0], 3) - a["mean"]) / a["deviation"]

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    def direction(inputs: np.ndarray, end: str) -> np.ndarray:
        h = c = np.zeros(SMALL["units"])
        states = []
        for x in inputs:
            gates = a[f"lstm.weight_ih_l0{end}"] @ x + a[f"lstm.bias_ih_l0{end}"]
            gates = gates + a[f"lstm.weight_hh_l0{end}"] @ h + a[f"lstm.bias_hh_l0{end}"]
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            states.append(h)
        return np.array(states)

    forward, backward = direction(chunks, ""), direction(chunks[::-1], "_reverse")[::-1]
    w_f, w_b = np.split(a["hidden.weight"], 2, axis=1)
    u = np.tanh(forward @ w_f.T + backward @ w_b.T + a["hidden.bias"]) @ a["score.weight"][0]
    theta = np.exp(u) / np.exp(u).sum()
    context = theta @ np.hstack([forward, backward])
    features = np.tanh(a["features.weight"] @ context + a["features.bias"])
    logits = a["moods.weight"] @ features + a["moods.bias"]
    (output,) = model.apply([songs[0][0]])
    np.testing.assert_allclose(output.scores, theta, atol=1e-5)
    np.testing.assert_allclose(output.features, features, atol=1e-5)
    np.testing.assert_allclose(output.moods, np.exp(logits) / np.exp(logits).sum(), atol=1e-5)


def test_padding_does_not_change_a_song(model: attention.Model, songs: tuple[list[np.ndarray], list[str]]) -> None:
    audios = songs[0][:5]
    together = model.apply(audios)
    for audio, output in zip(audios, together, strict=True):
        (alone,) = model.apply([audio])
        assert len(output.scores) == len(audio) // 3
        np.testing.assert_allclose(output.scores, alone.scores, atol=1e-6)
        np.testing.assert_allclose(output.features, alone.features, atol=1e-6)


def test_training_learns_the_moods(model: attention.Model, songs: tuple[list[np.ndarray], list[str]]) -> None:
    audios, tags = songs
    outputs = model.apply(audios)
    guesses = [model.facts["tags"][output.moods.argmax()] for output in outputs]
    assert np.mean([guess == tag for guess, tag in zip(guesses, tags, strict=True)]) > 0.9
    assert model.facts["weights"] == "trained"
    for output in outputs:
        assert abs(output.scores.sum() - 1) < 1e-5


def test_the_same_data_give_the_same_bytes(tmp_path: Path, songs: tuple[list[np.ndarray], list[str]]) -> None:
    import torch

    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    for name in ("a", "b"):
        attention.train(*songs, **SMALL, epochs=2).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert torch.equal(torch.random.get_rng_state(), state)
    attention.train(*songs, **SMALL, epochs=2, seed=1).save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_save_and_load(tmp_path: Path, model: attention.Model, songs: tuple[list[np.ndarray], list[str]]) -> None:
    model.save(tmp_path / "model.safetensors")
    loaded = attention.Model.load(tmp_path / "model.safetensors")
    assert loaded.facts == model.facts
    np.testing.assert_array_equal(loaded.apply(songs[0][:2])[1].scores, model.apply(songs[0][:2])[1].scores)


def test_damaged_models(tmp_path: Path, model: attention.Model) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(DataError, match="no such file"):
        attention.Model.load(path)
    model.save(path)
    data = path.read_bytes()
    for content in (b"", b"text", data[: len(data) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a chunk-attention model"):
            attention.Model.load(path)
    arrays = dict(model.arrays)
    del arrays["score.weight"]
    attention.Model(arrays, model.facts).save(path)
    with pytest.raises(DataError, match=r"'score\.weight' is missing"):
        attention.Model.load(path)
    arrays["score.weight"] = np.full_like(model.arrays["score.weight"], np.nan)
    attention.Model(arrays, model.facts).save(path)
    with pytest.raises(DataError, match="holds NaN"):
        attention.Model.load(path)


def test_what_cannot_be_trained_on_or_scored(model: attention.Model) -> None:
    with pytest.raises(DataError, match="0 audios with 0 moods"):
        attention.train([], [])
    with pytest.raises(DataError, match="1 moods; two"):
        attention.train([np.ones((9, 8), np.float32)], ["calm"])
    with pytest.raises(DataError, match=r"audio of shape \(9, 7\), expected \(frames, 8\)"):
        model.apply([np.ones((9, 7), np.float32)])
