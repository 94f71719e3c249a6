"""VGGish features of a data set: one vector per note.

**Conventions.** A note is heard in patches of 0.96 s, the first of which starts at the note's onset. A note
of length d has ``max(1, floor(d / hop))`` of them, `hop_s` apart; its vector is their mean. What lies beyond
the end of the sound is silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.mtm import VGGish
from unisono.errors import DataError
from unisono.features import logmel, vggish
from unisono.io import parquet
from unisono.io.download import fetch
from unisono.media import audio
from unisono.store.shards import Shard, map_shards

#: Notes of a sample.
NOTES = 20
# Samples worked on at a time: bounds the memory (20 notes of 2 patches of 24 kB each, 1 MB a sample).
ROWS = 64
# Onsets and offsets are float32 seconds: a note of exactly two patches must not lose one to rounding.
TOLERANCE = 1e-3


def note_starts(onsets: np.ndarray, offsets: np.ndarray, *, hop_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Place the patches of a sample's notes.

    Parameters
    ----------
    onsets, offsets : np.ndarray [shape=(n,)]
        Start and end of each note, in seconds.
    hop_s : float
        Step between the patches of a note in seconds, rounded to frames of 10 ms.

    Returns
    -------
    starts : np.ndarray [shape=(m,), dtype=int64]
        First sample of each patch, at 16,000 Hz, note by note.
    counts : np.ndarray [shape=(n,), dtype=int64]
        Patches of each note, at least 1; they sum to m.
    """
    hop = logmel.hop_frames(hop_s) * logmel.STEP
    onsets = np.asarray(onsets, dtype=np.float64)
    lengths = (np.asarray(offsets, dtype=np.float64) - onsets) * logmel.SAMPLE_RATE
    counts = np.maximum(1, np.floor(lengths / hop + TOLERANCE)).astype(np.int64)
    first = np.rint(onsets * logmel.SAMPLE_RATE).astype(np.int64)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(first, counts) + within * hop, counts


def note_patches(
    samples: np.ndarray, sample_rate: int, onsets: np.ndarray, offsets: np.ndarray, *, hop_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the patches of a sample's notes.

    Parameters
    ----------
    samples : np.ndarray [shape=(s,), dtype=float32]
        Mono, in -1 ... 1.
    sample_rate : int
        In Hz.
    onsets, offsets : np.ndarray [shape=(n,)]
        Start and end of each note, in seconds.
    hop_s : float
        Step between the patches of a note, in seconds.

    Returns
    -------
    patches : np.ndarray [shape=(m, 96, 64), dtype=float32]
        Note by note.
    counts : np.ndarray [shape=(n,), dtype=int64]
        Patches of each note.

    Raises
    ------
    DataError
        A note does not start within the sound, or ends before it starts.
    """
    length_s = len(samples) / sample_rate
    bad = ~((onsets >= 0) & (onsets < length_s) & (offsets >= onsets) & np.isfinite(offsets))
    if bad.any():
        note = int(np.argmax(bad))
        raise DataError(
            f"note {note} lasts from {onsets[note]:.3f} to {offsets[note]:.3f} s, "
            f"in a sound of {length_s:.3f} s; render the audio again"
        )
    starts, counts = note_starts(onsets, offsets, hop_s=hop_s)
    return logmel.patches_at(logmel.resample(samples, sample_rate), starts), counts


def note_features(extractor: vggish.Extractor, patches: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Embed patches and average them by note.

    Parameters
    ----------
    extractor : vggish.Extractor
    patches : np.ndarray [shape=(m, 96, 64), dtype=float32]
    counts : np.ndarray [shape=(n,), dtype=int]
        Patches of each note, at least 1; they sum to m.

    Returns
    -------
    np.ndarray [shape=(n, 128), dtype=float32]
    """
    embedded = extractor.embed(patches).astype(np.float64)
    sums = np.add.reduceat(embedded, np.cumsum(counts) - counts, axis=0)
    return (sums / counts[:, None]).astype(np.float32)


def extract(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Write the features of one audio shard; a function for `unisono.store.shards.map_shards`.

    Parameters
    ----------
    shard : Shard
        Its one input holds ``id, audio, onsets, offsets``.
    destination : Path
        Parquet file with ``id`` and ``audio`` (20, 128).
    params : mapping
        ``settings``: a `VGGish` section as JSON, with local paths. ``metadata``: of the file to write.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    DataError
        A row is no readable sound, or its notes lie outside it.
    """
    extractor = _extractor(params["settings"])
    hop_s = VGGish.model_validate_json(params["settings"]).hop_s
    source = shard.inputs[0]
    ids: list[str] = []
    features = [np.empty((0, NOTES, vggish.DIMENSIONS), dtype=np.float32)]
    for batch in parquet.iterate(source, ["id", "audio", "onsets", "offsets"], batch_size=ROWS):
        rows = _rows(batch, source, hop_s)
        vectors = note_features(extractor, *map(np.concatenate, zip(*rows, strict=True)))
        features.append(vectors.reshape(len(rows), NOTES, vggish.DIMENSIONS))
        ids += batch.column("id").to_pylist()
    parquet.write(
        destination,
        {"id": ids, "audio": np.concatenate(features)},
        types={"id": pa.string(), "audio": parquet.matrix(NOTES, vggish.DIMENSIONS)},
        metadata=params["metadata"],
    )
    return len(ids)


def _rows(batch: pa.RecordBatch, source: Path, hop_s: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Patches and counts of each row; an error names the file and the row."""
    onsets, offsets = (parquet.to_numpy(batch.column(name)) for name in ("onsets", "offsets"))
    if onsets.shape[1:] != (NOTES,) or offsets.shape[1:] != (NOTES,):
        raise DataError(f"{source}: onsets and offsets must be {NOTES} numbers a row; see data/README.md")
    rows = []
    for i, (name, sound) in enumerate(zip(batch.column("id"), batch.column("audio"), strict=True)):
        try:
            samples, rate = audio.decode(sound["bytes"].as_py())
            rows.append(note_patches(samples, rate, onsets[i], offsets[i], hop_s=hop_s))
        except DataError as error:
            raise DataError(f"{source}: sample {name.as_py()}: {error}") from None
    return rows


@lru_cache(maxsize=1)
def _extractor(settings: str) -> vggish.Extractor:
    """Build the network, once per process."""
    return create(VGGish.model_validate_json(settings))


def create(settings: VGGish) -> vggish.Extractor:
    """Build the network.

    Parameters
    ----------
    settings : VGGish
        From `fetch_weights`.

    Returns
    -------
    vggish.Extractor

    Raises
    ------
    DataError
        A published file is damaged, or another.
    """
    if settings.weights == "pretrained":
        weights = vggish.load_checkpoint(Path(settings.checkpoint))
    else:
        weights = vggish.untrained(settings.seed)
    return vggish.Extractor(
        weights,
        pca=None if settings.postprocess == "none" else vggish.load_pca(Path(settings.pca)),
        eight_bit=settings.postprocess == "pca_8bit",
        batch_size=settings.batch_size,
    )


def fetch_weights(settings: VGGish, downloads: Path) -> VGGish:
    """Bring the published files that the settings need onto this machine.

    Parameters
    ----------
    settings : VGGish
    downloads : Path
        Folder for them.

    Returns
    -------
    VGGish
        The same settings with local paths, and the checksums of the files.

    Raises
    ------
    DownloadError
        A file cannot be had, or is not the one that was promised.
    """
    wanted = {}
    if settings.weights == "pretrained":
        wanted["checkpoint"] = "vggish_model.ckpt"
    if settings.postprocess != "none":
        wanted["pca"] = "vggish_pca_params.npz"
    update = {}
    for key, name in wanted.items():
        path = fetch(
            getattr(settings, key),
            downloads / name,
            sha256=getattr(settings, f"{key}_sha256"),
            description=f"VGGish {key}",
        )
        update[key] = str(path)
        with path.open("rb") as file:
            update[f"{key}_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return settings.model_copy(update=update)


def describe(settings: VGGish) -> dict[str, Any]:
    """Name the extractor, its variant and its weights, for the metadata of the features.

    Parameters
    ----------
    settings : VGGish
        From `fetch_weights`.

    Returns
    -------
    dict
        JSON-able.
    """
    after = {"none": "no PCA", "pca": "PCA", "pca_8bit": "PCA, 8 bits"}[settings.postprocess]
    origin: dict[str, Any] = {"seed": settings.seed}
    if settings.weights == "pretrained":
        origin = {"checkpoint_sha256": settings.checkpoint_sha256}
    return {
        "extractor": "vggish",
        "variant": f"before activation, {after}, hop {settings.hop_s} s",
        "weights": settings.weights,
        **origin,
    }


def extract_folder(source: Path, out: Path, *, settings: VGGish, compute: Compute, downloads: Path) -> list[int]:
    """Write the features of a folder of audio shards.

    Parameters
    ----------
    source : Path
        Folder of shards with ``id, audio, onsets, offsets``.
    out : Path
        Folder of shards with ``id, audio``, under the same names.
    settings : VGGish
    compute : Compute
    downloads : Path
        Folder for the published network, where it is asked for.

    Returns
    -------
    list of int
        Rows of each shard.

    Raises
    ------
    DataError, DownloadError
        As `extract` and `fetch_weights`.
    """
    paths = parquet.shards(source)
    settings = fetch_weights(settings, downloads)
    facts = parquet.metadata(source)
    metadata = {key: facts[key] for key in ("dataset", "source") if key in facts} | describe(settings)
    shards = [Shard(path.name, (path,), parquet.read(path, ["id"]).num_rows) for path in paths]
    return map_shards(
        extract,
        shards,
        out,
        params={"settings": settings.model_dump_json(), "metadata": metadata},
        compute=compute,
        description="VGGish",
    )
