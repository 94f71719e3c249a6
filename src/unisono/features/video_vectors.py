"""From a video's frames to a vector, and a short sequence, per view (D 3.1.1, 4.2.1, 4.2.4).

**Conventions.** ``audio`` is the mean over the whole sound; ``audio_1_3`` the mean over the one of three chunks that
chunk attention chose, ``audio_2_6`` and ``audio_3_9`` likewise; ``random_1_3`` and so on the same from as many chunks
chosen at random, the control; ``visual`` the maximum (or mean) over the whole picture. ``audio_sequence`` and
``visual_sequence`` are the means over equal parts of the video, in order. 8-bit frames are dequantised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.mv10k import Features
from unisono.datasets.mv10k.quantisation import dequantise
from unisono.errors import DataError
from unisono.features import chunk_attention
from unisono.io import parquet
from unisono.store.shards import Shard, map_shards

#: Columns of videos that go through unchanged.
FACTS = {"label": pa.string(), "tag": pa.string(), "split": pa.string(), "fold": pa.int32()}


def real(frames: np.ndarray) -> np.ndarray:
    """Dequantise 8-bit frames; pass real ones through as float32 [shape=(n_frames, d)]."""
    return dequantise(frames) if frames.dtype == np.uint8 else frames.astype(np.float32)


def audio_vectors(
    audio: np.ndarray, scores: np.ndarray, *, selections: Sequence[tuple[int, int]], chunk_s: int, seed: Sequence[int]
) -> dict[str, np.ndarray]:
    """Average a sound over all of it, over its selected chunks, and over random ones.

    Parameters
    ----------
    audio : np.ndarray [shape=(n_frames, d), dtype=float32]
    scores : np.ndarray [shape=(n_chunks,)]
        Chunk attention.
    selections : sequence of (int, int)
        Chunks kept and chunks in all (k, c).
    chunk_s : int
        Frames of a scored chunk.
    seed : sequence of int
        Of the random choice.

    Returns
    -------
    dict of str to np.ndarray [shape=(d,), dtype=float32]
        ``audio``, and ``audio_<k>_<c>`` and ``random_<k>_<c>`` for each selection.
    """
    rng = np.random.default_rng(seed)
    vectors = {"audio": _mean(audio)}
    for keep, chunks in selections:
        chosen = {
            "audio": chunk_attention.select_chunks(scores, keep=keep, chunks=chunks),
            "random": sorted(rng.choice(chunks, keep, replace=False).tolist()),
        }
        for name, parts in chosen.items():
            frames = chunk_attention.chunk_frames(len(audio), parts, chunks=chunks, chunk_s=chunk_s)
            vectors[f"{name}_{keep}_{chunks}"] = _mean(audio[frames])
    return vectors


def visual_vector(rgb: np.ndarray, pooling: str) -> np.ndarray:
    """Pool a picture over time.

    Parameters
    ----------
    rgb : np.ndarray [shape=(n_frames, d), dtype=float32]
    pooling : {"max", "mean"}

    Returns
    -------
    np.ndarray [shape=(d,), dtype=float32]
    """
    return rgb.max(0) if pooling == "max" else _mean(rgb)


def sequence(frames: np.ndarray, parts: int) -> np.ndarray:
    """Cut a video into parts of equal length and average each.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, d), dtype=float32]
    parts : int
        Where they do not divide the frames, the first parts are one frame longer.

    Returns
    -------
    np.ndarray [shape=(parts, d), dtype=float32]

    Raises
    ------
    DataError
        Fewer frames than parts.
    """
    if len(frames) < parts:
        raise DataError(f"{len(frames)} frames cannot be cut into {parts} parts")
    return np.stack([_mean(part) for part in np.array_split(frames, parts)])


def _mean(frames: np.ndarray) -> np.ndarray:
    return frames.mean(0, dtype=np.float64).astype(np.float32)


def extract_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Extract one shard of videos; run by `unisono.store.shards.map_shards`.

    Videos of one frame (published vectors) have no chunks: they get ``audio`` and ``visual`` alone, and sequences of
    that one frame.

    Parameters
    ----------
    shard : Shard
        Inputs: a shard of videos, the model.
    destination : Path
        Columns: id, those of `FACTS` that exist, one vector per view, the sequences, emotion, moods, scores (of the
        3-s chunks).
    params : mapping
        ``selections``, ``visual``, ``sequence``, ``seed``.

    Returns
    -------
    int
        Rows written.
    """
    source, model_path = shard.inputs
    model = chunk_attention.Model.load(model_path)
    table = parquet.read(source)
    ids = table["id"].to_pylist()
    audios = [real(frames) for frames in parquet.to_numpy(table["audio"])]
    pictures = parquet.to_numpy(table["rgb"])
    sequences = not all(len(audio) == 1 for audio in audios)
    selections = [tuple(pair) for pair in params["selections"]] if sequences else []
    parts = params["sequence"] if sequences else 1
    columns: dict[str, list[Any]] = {}
    if sequences:
        outputs = model.apply(audios)
        columns |= {
            "emotion": [output.features for output in outputs],
            "moods": [output.moods for output in outputs],
            "scores": [output.scores for output in outputs],
        }
    for row, (identifier, audio, rgb) in enumerate(zip(ids, audios, map(real, pictures), strict=True)):
        seed = [params["seed"], int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8], "little")]
        scores = columns["scores"][row] if sequences else np.ones(1, np.float32)
        try:
            views = audio_vectors(audio, scores, selections=selections, chunk_s=model.facts["chunk_s"], seed=seed)
            views["visual"] = visual_vector(rgb, params["visual"])
            views |= {"audio_sequence": sequence(audio, parts), "visual_sequence": sequence(rgb, parts)}
        except DataError as error:
            raise DataError(f"{source}: {identifier}: {error}; leave it out or change mv10k.features") from None
        for name, values in views.items():
            columns.setdefault(name, []).append(values)
    types = {name: _type(name, rows[0]) for name, rows in columns.items()}
    facts = {name: kind for name, kind in FACTS.items() if name in table.column_names}
    metadata = parquet.metadata(source) | {
        "extractor": "chunk attention",
        "weights": model.facts["weights"],
        "model": dict(model.facts),
        "visual": params["visual"],
        "sequence": parts,
    }
    parquet.write(
        destination,
        {"id": ids, **{name: table[name] for name in facts}, **columns},
        types={"id": pa.string(), **facts, **types},
        metadata=metadata,
    )
    return len(ids)


def _type(name: str, row: np.ndarray) -> pa.DataType:
    """Type of a column, by its first row; videos differ in the number of scores alone."""
    if name == "scores":
        return pa.list_(pa.float32())
    return parquet.vector(len(row)) if row.ndim == 1 else parquet.matrix(*row.shape)


def extract(params: Features, compute: Compute, *, videos: Path, model: Path, out: Path) -> int:
    """Extract all videos, in parallel over shards; see `extract_shard`.

    Parameters
    ----------
    params : Features
    compute : Compute
    videos : Path
        Folder of shards.
    model : Path
        Chunk attention.
    out : Path
        Folder of as many shards.

    Returns
    -------
    int
        Number of videos.
    """
    shards = [Shard(path.name, (path, model)) for path in parquet.shards(videos)]
    settings = {
        "selections": [[selection.keep, selection.chunks] for selection in params.selections],
        "visual": params.visual,
        "sequence": params.sequence,
        "seed": params.seed,
    }
    return sum(map_shards(extract_shard, shards, out, params=settings, compute=compute, description="extract videos"))
