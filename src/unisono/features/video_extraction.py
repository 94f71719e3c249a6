"""Features of clips: one vector a second, in shards.

**Conventions.** Samples hold ``id`` and ``video`` (a whole video file); a list of ids says which are outside all folds.
Features hold ``id``, the view (N, d) zero-padded, and ``n_frames``, the number of real rows; N is 10 for extractors
that work by the second. While the network works on some clips a second thread decodes the next.

Samples of published features hold no ``video`` but the views themselves, (L, d) of L real rows: these are passed on.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.extractors import Extractors
from unisono.datasets.dealing import read_outside
from unisono.errors import ConfigError, DataError
from unisono.features import clips, whitening
from unisono.features.whitening import Whitening
from unisono.io import parquet
from unisono.store.code import code_version
from unisono.store.shards import Shard, map_shards

# Clips decoded ahead of the network, and read at a time: bounds the memory (10 frames of 0.27 MB a clip).
_AHEAD = 4


class _Clip(NamedTuple):
    """A decoded clip: its rows, or why it has none."""

    id: str
    rows: np.ndarray | None
    reason: str = ""


def _stored(source: Path, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Ids and video files of the wanted clips."""
    ids = frozenset(wanted)
    for batch in parquet.iterate(source, ["id", "video"], batch_size=_AHEAD):
        for row, identifier in enumerate(batch.column("id").to_pylist()):
            if identifier in ids:
                yield identifier, batch.column("video")[row]["bytes"].as_py()


def _decoded(decode: Callable[[bytes], np.ndarray], stored: Iterator[tuple[str, bytes]]) -> Iterator[_Clip]:
    """Decode clips in a thread of their own, a few ahead of what is taken."""

    def one(item: tuple[str, bytes]) -> _Clip:
        try:
            return _Clip(item[0], decode(item[1]))
        except DataError as error:
            return _Clip(item[0], None, str(error))

    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[_Clip]] = deque()
        for item in stored:
            waiting.append(pool.submit(one, item))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def embed_clips(
    extractor: clips.ClipExtractor, stored: Iterator[tuple[str, bytes]]
) -> tuple[list[str], list[np.ndarray], list[tuple[str, str]]]:
    """Decode and embed clips, the network in full batches across clips.

    Parameters
    ----------
    extractor : ClipExtractor
    stored : iterator of (str, bytes)
        Ids and video files.

    Returns
    -------
    ids : list of str
        Of the clips that could be decoded.
    vectors : list of np.ndarray [shape=(n_i, d), dtype=float32]
    skipped : list of (str, str)
        Ids of the others, with the reason.
    """
    ids, counts, skipped = [], [], []
    waiting: list[np.ndarray] = []
    done = [np.empty((0, extractor.dimensions), dtype=np.float32)]
    for clip in _decoded(extractor.rows, stored):
        if clip.rows is None:
            skipped.append((clip.id, clip.reason))
            continue
        ids.append(clip.id)
        counts.append(len(clip.rows))
        waiting.append(clip.rows)
        if sum(map(len, waiting)) >= extractor.batch_size:
            rows = np.concatenate(waiting)
            full = len(rows) // extractor.batch_size * extractor.batch_size
            done.append(extractor.embed(rows[:full]))
            waiting = [rows[full:]] if full < len(rows) else []
    if waiting:
        done.append(extractor.embed(np.concatenate(waiting)))
    vectors = np.concatenate(done)
    return ids, np.split(vectors, np.cumsum(counts)[:-1]) if ids else [], skipped


def embed_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Write the network's output for some clips of a shard; for `map_shards`.

    Parameters
    ----------
    shard : Shard
        Its input holds ``id, video``; ``extra["ids"]`` are wanted.
    destination : Path
        Parquet file with ``id`` and ``rows`` (L, d).
    params : mapping
        ``name`` of the extractor, its ``settings`` as JSON with local paths.

    Returns
    -------
    int
        Clips written.
    """
    extractor = _extractor(params["name"], params["settings"])
    ids, vectors, _ = embed_clips(extractor, _stored(shard.inputs[0], shard.extra["ids"]))
    parquet.write(
        destination,
        {"id": ids, "rows": vectors},
        types={"id": pa.string(), "rows": parquet.matrix(None, extractor.dimensions)},
    )
    return len(ids)


def extract(shard: Shard, destination: Path, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write the features of some clips of a shard; for `map_shards`.

    Parameters
    ----------
    shard : Shard
        Its inputs are a file with ``id, video`` and the whitening; ``extra["ids"]`` are wanted.
    destination : Path
        Parquet file with ``id``, the view (N, d) and ``n_frames``.
    params : mapping
        ``name`` of the extractor, its ``settings`` as JSON with local paths, the ``view``, the ``metadata``.

    Returns
    -------
    list of (str, str)
        Clips that were left out, with the reason.
    """
    name, view = params["name"], params["view"]
    extractor = _extractor(name, params["settings"])
    limits = _settings(name, params["settings"]).whitening.limits
    source, fitted = shard.inputs
    after = Whitening.load(fitted)
    ids, vectors, skipped = embed_clips(extractor, _stored(source, shard.extra["ids"]))
    n_rows = clips.module(name).N_ROWS
    features = np.zeros((len(ids), n_rows, after.components), dtype=np.float32)
    for target, rows in zip(features, vectors, strict=True):
        target[: len(rows)] = after.apply(rows, limits=limits)
    parquet.write(
        destination,
        {"id": ids, view: features, "n_frames": [len(rows) for rows in vectors]},
        types={"id": pa.string(), view: parquet.matrix(n_rows, after.components), "n_frames": pa.int32()},
        metadata=params["metadata"],
    )
    return skipped


def pass_on(shard: Shard, destination: Path, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write the view that a shard of samples holds already; for `map_shards`.

    Parameters
    ----------
    shard : Shard
        Its input holds ``id`` and the view (L, d).
    destination : Path
        Parquet file with ``id``, the view (L, d) and ``n_frames``.
    params : mapping
        The ``view``, the ``metadata``.

    Returns
    -------
    list of (str, str)
        Empty: nothing is left out.
    """
    view = params["view"]
    table = parquet.read(shard.inputs[0], ["id", view])
    n_frames = [len(rows) for rows in parquet.to_numpy(table.column(view))]
    parquet.write(
        destination,
        {"id": table.column("id"), view: table.column(view), "n_frames": n_frames},
        types={"id": pa.string(), view: table.schema.field(view).type, "n_frames": pa.int32()},
        metadata=params["metadata"],
    )
    return []


def _has_videos(samples: Path, view: str = "") -> bool:
    """Say whether samples are clips; if they are not, they must hold the view."""
    names = next(iter(parquet.iterate(samples, batch_size=1)), pa.record_batch([], names=[])).schema.names
    if "video" not in names and view and view not in names:
        raise DataError(f"{samples}: has neither videos nor a column {view!r}; its columns: {', '.join(names)}")
    return "video" in names


def _settings(name: str, text: str) -> Any:
    """Read an extractor's settings from JSON."""
    return Extractors.model_fields[name].annotation.model_validate_json(text)  # type: ignore[union-attr]


@lru_cache(maxsize=1)
def _extractor(name: str, settings: str) -> clips.ClipExtractor:
    """Build the network, once per process."""
    made: clips.ClipExtractor = clips.module(name).create(_settings(name, settings))
    return made


def _params(name: str, settings: Any) -> dict[str, Any]:
    """Parameters of both shard functions; the extractor is imported by name, so its code counts by its version."""
    code = code_version(clips.module(name).__name__)
    return {"name": name, "settings": settings.model_dump_json(), "code": code}


def fit_whitening(
    samples: Path, out: Path, *, outside: Path, name: str, settings: Any, compute: Compute, downloads: Path
) -> Whitening:
    """Write the whitening of an extractor: fitted on the clips outside every fold, published, or none.

    For samples without videos, whose features are published, it is empty.

    Parameters
    ----------
    samples : Path
        Folder of shards with ``id, video``.
    out : Path
        Safetensors file.
    outside : Path
        Parquet file of the ids outside every fold (`unisono.datasets.dealing`).
    name : str
        Of the extractor.
    settings : Extractor
        Its section of ``params.yaml``.
    compute : Compute
    downloads : Path
        Folder for published files.

    Returns
    -------
    Whitening

    Raises
    ------
    ConfigError
        Too few clips lie outside the folds.
    DataError, DownloadError
        Bad input.
    """
    made = clips.module(name)
    if not _has_videos(samples):
        found = whitening.identity(0)
    elif settings.whitening.method == "published":
        found = made.published(settings, downloads)
    else:
        settings = made.fetch(settings, downloads)
        if settings.whitening.method == "none":
            found = whitening.identity(made.create(settings).dimensions)
        else:
            vectors, ids = _outside(samples, read_outside(outside), name, settings, compute)
            wanted = settings.whitening
            # As many as so few vectors have; more than the network has outputs stay an error.
            components = min(wanted.components, max(len(vectors) - 1, 1))
            found = whitening.fit(vectors, components=components, epsilon=wanted.epsilon)
            found.facts["n_clips"] = len(ids)
            if components < wanted.components:
                found.facts["adapted"] = (
                    f"vegas.features.{name}.whitening.components: {components} in place of {wanted.components}, since "
                    f"{len(vectors)} vectors lie outside the folds"
                )
    found.save(out)
    return found


def _shards(
    samples: Path, outside: frozenset[str], inputs: tuple[Path, ...] = (), *, inside: bool = False
) -> list[Shard]:
    """Shards that hold clips outside every fold, or inside, with the ids of these."""
    shards = []
    for path in parquet.shards(samples):
        ids = [each for each in parquet.read(path, ["id"])["id"].to_pylist() if (each in outside) != inside]
        if ids or inside:
            shards.append(Shard(path.name, (path, *inputs), len(ids), {"ids": ids}))
    return shards


def _outside(
    samples: Path, outside: frozenset[str], name: str, settings: Any, compute: Compute
) -> tuple[np.ndarray, Sequence[str]]:
    """Embed the clips outside every fold: all their vectors (n, D), and their ids."""
    shards = _shards(samples, outside)
    folder = compute.scratch / f"outside-{name}"
    params = _params(name, settings)
    map_shards(embed_shard, shards, folder, params=params, compute=compute, description=f"{name}, for whitening")
    table = parquet.read(folder) if shards else None
    if not table:
        raise ConfigError(
            f"{samples}: no clip that can be decoded lies outside the folds, so that no whitening can be "
            f"fitted; keep some outside by vegas.folds.outside, or set vegas.features.{name}.whitening.method to "
            "published or none"
        )
    vectors = np.concatenate(parquet.to_numpy(table.column("rows")))
    shutil.rmtree(folder)
    return vectors, table.column("id").to_pylist()


def extract_folder(
    samples: Path,
    out: Path,
    *,
    outside: Path | None,
    view: str,
    name: str,
    settings: Any,
    fitted: Path,
    compute: Compute,
    downloads: Path,
) -> list[tuple[str, str]]:
    """Write one view of a folder of clips.

    Parameters
    ----------
    samples : Path
        Folder of shards with ``id, video``.
    out : Path
        Folder of shards with ``id``, `view` and ``n_frames``, under the same names.
    outside : Path or None
        Parquet file of the ids that are left out, since they lie outside every fold.
    view : str
        Name of the column.
    name : str
        Of the extractor.
    settings : Extractor
        Its section of ``params.yaml``.
    fitted : Path
        The whitening, from `fit_whitening`.
    compute : Compute
    downloads : Path
        Folder for published files.

    Returns
    -------
    list of (str, str)
        Clips that were left out, with the reason.

    Raises
    ------
    DataError, DownloadError, ConfigError
        Bad input, or no clip that can be decoded.
    """
    facts = parquet.metadata(samples)
    metadata: dict[str, Any] = {key: facts[key] for key in ("dataset", "source") if key in facts}
    if _has_videos(samples, view):
        made = clips.module(name)
        settings = made.fetch(settings, downloads)
        after = Whitening.load(fitted)
        metadata |= made.describe(settings) | after.facts
        metadata |= {"components": after.components, "limits": settings.whitening.limits}
        function, params = extract, _params(name, settings)
    else:
        layout, scale = facts.get("layout", "unknown"), facts.get("scales", {}).get(view, "unknown scale")
        metadata |= {"extractor": name, "variant": f"as published, layout {layout}, {scale}", "weights": "pretrained"}
        function, params = pass_on, {}
    shards = _shards(samples, read_outside(outside) if outside else frozenset(), (fitted,), inside=True)
    values = map_shards(
        function,
        shards,
        out,
        params=params | {"view": view, "metadata": metadata},
        compute=compute,
        description=f"{view} ({name})",
    )
    return [(item, reason) for skipped in values for item, reason in skipped]
