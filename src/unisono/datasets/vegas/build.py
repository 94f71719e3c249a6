"""Clips of VEGAS from any source: decoded once, selected and stored (D 3.1.2).

**Conventions.** A clip is kept when its pictures and its sound can be decoded and both last longer than
``min_duration_s``; every other one is listed with its reason. Clips are first written as they are to shards of
unfinished work, where all that follows works on them in parallel.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.sources import Source
from unisono.config.vegas import Archive, Digits, Published, ReadyMade, Vegas, YouTube
from unisono.datasets import items
from unisono.datasets.vegas import Clip, Rejected, archive, drawing, published, ready, youtube
from unisono.errors import DataError
from unisono.io import download, files, parquet
from unisono.io.skipped import write as write_skipped
from unisono.io.text_tables import write_csv
from unisono.media import video
from unisono.media.streams import Limits
from unisono.store.shards import Shard, map_shards

#: Shards of unfinished work end at this size, for bounded memory.
STAGED_BYTES = 128 * 2**20
STAGED = {"id": pa.string(), "label": pa.string(), "video": parquet.MEDIA, "piece": parquet.vector(2)}
#: `piece` of a clip that is a whole file.
WHOLE = (-1.0, -1.0)
#: Longest video that a piece is cut from, in seconds, and the longest time for it.
LONG_S = 2 * 3600.0
LONG_TIME_S = 600.0
TYPES = drawing.TYPES | {"fold": pa.int32()}
STATUS = ("id", "youtube_id", "start_s", "end_s", "label", "status", "reason")


def build(
    config: Vegas, compute: Compute, *, raw: Path, out: Path, skipped: Path, summary: Path, status: Path
) -> dict[str, Any]:
    """Build ``data/vegas/samples`` from the configured source.

    Parameters
    ----------
    config : Vegas
    compute : Compute
    raw : Path
        Folder of the user's own files, where a source's location is empty.
    out : Path
        Folder of shards: id, label, duration_s (the shorter of pictures and sound), video; with ``source: digits``
        also group, and fold where ready-made shards bring it. With ``source: features`` instead id, label, fold or
        split where published, audio, visual.
    skipped : Path
        CSV of what was left out, with reasons.
    summary : Path
        JSON of what is returned.
    status : Path
        CSV of what became of every piece of ``source: youtube``; the header alone otherwise.

    Returns
    -------
    dict
        Counts of clips and classes, lengths, and what was left out.

    Raises
    ------
    DataError
        The source is damaged, too little of it is available, an id occurs twice, or no clip is left.
    ConfigError, DownloadError, ProgramError
        As the sources raise them.
    """
    made = _Building(config, compute, raw, out, status)
    facts = {"source": config.source, **_fill(config.chosen, made)}
    if "duration_s" in items.columns_of(out):
        lengths = sorted(parquet.to_numpy(parquet.read(out, ["duration_s"])["duration_s"]).tolist())
        facts["duration_s"] = {
            "min": round(lengths[0], 3),
            "mean": round(sum(lengths) / len(lengths), 3),
            "max": round(lengths[-1], 3),
        }
    facts["n_skipped"] = len(made.rejected)
    write_status(status, made.statuses)
    write_skipped(skipped, made.rejected)
    with files.replacing(summary) as temporary:
        temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return facts


def _facts(labels: Sequence[str]) -> dict[str, Any]:
    """Count clips, by class."""
    return {"n_clips": len(labels), "classes": dict(sorted(Counter(labels).items()))}


def write_status(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write what became of every piece: the columns of `STATUS`."""
    write_csv(path, STATUS, ([row[name] for name in STATUS] for row in rows))


class _Building:
    """Clips on their way from a source to the samples: staged, checked, stored."""

    def __init__(self, config: Vegas, compute: Compute, raw: Path, out: Path, status: Path) -> None:
        self.config, self.compute, self.raw, self.out, self.status = config, compute, raw, out, status
        self.rejected: list[Rejected] = []
        self.statuses: list[Mapping[str, Any]] = []
        digest = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:12]
        self.scratch = compute.scratch.absolute() / f"vegas-{digest}"

    def stage(self, offered: Iterable[Clip | Rejected]) -> list[Shard]:
        """Write clips as they are to shards of unfinished work."""
        folder = self.scratch / "staged"
        shutil.rmtree(folder, ignore_errors=True)
        shards: list[Shard] = []
        names: dict[str, str] = {}
        rows: list[Clip] = []

        def flush() -> None:
            if not rows:
                return
            path = folder / parquet.shard_name(len(shards))
            columns = {
                "id": [clip.id for clip in rows],
                "label": [clip.label for clip in rows],
                "video": [(clip.video, clip.name) for clip in rows],
                "piece": [clip.piece or WHOLE for clip in rows],
            }
            parquet.write(path, columns, types=STAGED)
            shards.append(Shard(path.name, (path,), len(rows)))
            rows.clear()

        for clip in offered:
            if isinstance(clip, Rejected):
                self.rejected.append(clip)
                continue
            if clip.id in names:
                raise DataError(f"vegas: {names[clip.id]} and {clip.name} both have the id {clip.id!r}; rename one")
            names[clip.id] = clip.name
            rows.append(clip)
            size = sum(len(row.video) for row in rows)
            if len(rows) == self.config.clips.shard_size or size > STAGED_BYTES:
                flush()
        flush()
        return shards

    def select(self, staged: Sequence[Shard], more: Sequence[str] = ()) -> dict[str, Any]:
        """Decode all clips, and store those that pass, with the columns `more` that they bring."""
        params = {
            "min_duration_s": self.config.clips.min_duration_s,
            "max_duration_s": self.config.clips.max_duration_s,
            "columns": ["id", "label", "duration_s", "video", *more],
            "metadata": {"dataset": "vegas", "source": self.config.source},
        }
        answers = map_shards(
            check_shard, staged, self.out, params=params, compute=self.compute, description="check clips"
        )
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.rejected += [Rejected(*row) for answer in answers for row in answer["rejected"]]
        labels = [label for answer in answers for label in answer["labels"]]
        if not labels:
            shutil.rmtree(self.out, ignore_errors=True)
            raise DataError("vegas: no clip is left; see the list of what was left out")
        index = 0
        for shard, answer in zip(staged, answers, strict=True):
            path = self.out / shard.name
            if answer["labels"]:
                path.rename(self.out / parquet.shard_name(index))
                index += 1
            else:
                path.unlink()
        # Their loudest channel is heard.
        return {**_facts(labels), "n_cancelling_channels": sum(answer["cancelling"] for answer in answers)}


@functools.singledispatch
def _fill(source: Source, made: _Building) -> dict[str, Any]:
    """Write the samples of a source and count them; what does so is registered for its class."""
    raise source.unreadable()


@_fill.register
def _digits(source: Digits, made: _Building) -> dict[str, Any]:
    del source
    return _facts([clip.label for clip in drawing.build(made.config, made.compute, out=made.out)])


@_fill.register
def _published(source: Published, made: _Building) -> dict[str, Any]:
    data = published.build(made.config, source.location or str(made.raw), out=made.out)
    return {"layout": data["layout"], "scales": data["scales"], **_facts(data["labels"])}


@_fill.register
def _ready_made(source: ReadyMade, made: _Building) -> dict[str, Any]:
    found = ready.look(Path(source.location or made.raw))
    files_and_sizes = zip(found.files, found.sizes, strict=True)
    staged = [Shard(parquet.shard_name(i), (path,), n) for i, (path, n) in enumerate(files_and_sizes)]
    return made.select(staged, ["fold"] if found.folds else [])


@_fill.register
def _archive(source: Archive, made: _Building) -> dict[str, Any]:
    location = source.location or str(made.raw)
    if download.local_path(location) is None:
        kept = made.compute.scratch.absolute() / "vegas-downloads" / location.rsplit("/", 1)[-1]
        location = str(download.fetch(location, kept, sha256=source.sha256, description="clips"))
    return made.select(made.stage(archive.clips(location, sha256=source.sha256, classes=source.classes)))


@_fill.register
def _youtube(source: YouTube, made: _Building) -> dict[str, Any]:
    return made.select(made.stage(_pieces(source, made)))


def _pieces(source: YouTube, made: _Building) -> Iterator[Clip | Rejected]:
    """Fetch YouTube's videos and note what became of each; too few of them are an error."""
    pieces = youtube.read_list(Path(source.list) if source.list else made.raw / "clips.csv")
    folder = made.compute.scratch.absolute() / f"vegas-youtube-{source.max_height}"
    found = youtube.fetch(pieces, source, folder)
    for piece in pieces:
        state = found[piece.youtube_id]
        values = (piece.id, *piece, state.status, state.reason)
        made.statuses.append(dict(zip(STATUS, values, strict=True)))
    available = sum(row["status"] == "available" for row in made.statuses)
    if available < source.min_available * len(pieces):
        write_status(made.status, made.statuses)
        raise DataError(
            f"vegas: {available} of {len(pieces)} pieces are available, fewer than "
            f"vegas.clips.youtube.min_available = {source.min_available:g} of them; {made.status} says why: run "
            "again later, or lower it"
        )
    for piece in pieces:
        state = found[piece.youtube_id]
        if state.path is None:
            yield Rejected(piece.id, f"{state.status}: {state.reason}")
        else:
            part = (piece.start_s, piece.end_s)
            yield Clip(piece.id, piece.label, f"{piece.id}.mp4", state.path.read_bytes(), part)


def check_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """Decode the clips of a staged or ready-made shard and write those that pass; run by `map_shards`."""
    columns: dict[str, list[Any]] = {name: [] for name in params["columns"]}
    rejected, cancelling = [], 0
    for batch in parquet.iterate(shard.inputs[0], batch_size=4):
        for row in batch.to_pylist():
            identifier = str(row["id"])
            try:
                data, length_s, cancels = _checked(row, params["min_duration_s"], params["max_duration_s"])
            except DataError as error:
                rejected.append([identifier, str(error)])
                continue
            cancelling += cancels
            name = (row["video"]["path"] or identifier).rsplit("/", 1)[-1]
            made = {"id": identifier, "label": str(row["label"]), "duration_s": length_s, "video": (data, name)}
            for column, values in columns.items():
                values.append(made[column] if column in made else row[column])
    types = {name: TYPES[name] for name in columns}
    parquet.write(destination, columns, types=types, metadata=params["metadata"])
    return {"labels": columns["label"], "rejected": rejected, "cancelling": cancelling}


def _checked(row: Mapping[str, Any], min_s: float, max_s: float) -> tuple[bytes, float, bool]:
    """Cut a clip out where it is a piece and decode it; a `DataError` says what is wrong.

    Its file, its length in seconds, and whether the channels of its sound cancel each other.
    """
    data, piece = (row["video"] or {}).get("bytes") or b"", tuple(row.get("piece") or WHOLE)
    if row["label"] is None or not data:
        raise DataError("it has no label" if row["label"] is None else "its file is empty")
    if piece != WHOLE:
        data = video.cut(data, *piece, limits=Limits(duration_s=LONG_S, time_s=LONG_TIME_S))
    limits = Limits(duration_s=max_s)
    video.frames(data, limits=limits)
    rate = 16_000
    samples, cancels = video.listen(data, rate, limits=limits)
    length_s = min(video.duration(data, limits=limits), len(samples) / rate)
    if length_s <= min_s:
        raise DataError(f"pictures and sound together last {length_s:.3f} s, expected more than {min_s:g} s")
    return data, length_s, cancels
