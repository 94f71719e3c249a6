"""Clips of VEGAS from any source: decoded once, selected, dealt into folds and stored (D 3.1.2).

**Conventions.** A clip is kept when its pictures and its sound can be decoded and both last longer than
``min_duration_s``; every other one is listed with its reason. Clips are first written as they are to shards of
unfinished work, where all that follows works on them in parallel.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.vegas import Vegas
from unisono.datasets.vegas import Clip, Rejected, archive, published, ready, youtube
from unisono.datasets.vegas.folding import check_ids, deal
from unisono.errors import DataError
from unisono.io import download, files, parquet
from unisono.io.skipped import write as write_skipped
from unisono.media import digits, video
from unisono.media.digits import TYPES
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
        Folder of shards: id, label, fold (-1 = outside every fold), duration_s (the shorter of pictures and sound),
        video. With ``source: features`` instead id, label, fold or split, audio, visual.
    skipped : Path
        CSV of what was left out, with reasons.
    summary : Path
        JSON of what is returned.
    status : Path
        CSV of what became of every piece of ``source: youtube``; the header alone otherwise.

    Returns
    -------
    dict
        Counts of clips, folds and classes, lengths, and what was left out.

    Raises
    ------
    DataError
        The source is damaged, too little of it is available, an id occurs twice, a class has fewer clips than
        there are folds.
    ConfigError, DownloadError, ProgramError
        As the sources raise them.
    """
    rejected: list[Rejected] = []
    statuses: list[Mapping[str, Any]] = []
    facts: dict[str, Any] = {"source": config.source}
    if config.source == "digits":
        planned = digits.build(config, compute, out=out)
        facts |= _facts([clip.label for clip in planned], [clip.fold for clip in planned])
    elif config.source == "features":
        data = published.build(config, config.clips.features.location or str(raw), out=out)
        facts |= {"layout": data["layout"], "scales": data["scales"]}
        facts |= {"split": dict(sorted(Counter(data["split"]).items()))} if data["split"] else {}
        facts |= _facts(data["labels"], data["folds"])
    else:
        facts |= _Selection(config, compute, out).run(raw, rejected, statuses, status)
    if config.source != "features":
        lengths = sorted(parquet.to_numpy(parquet.read(out, ["duration_s"])["duration_s"]).tolist())
        facts["duration_s"] = {
            "min": round(lengths[0], 3),
            "mean": round(sum(lengths) / len(lengths), 3),
            "max": round(lengths[-1], 3),
        }
    facts["n_skipped"] = len(rejected)
    write_status(status, statuses)
    write_skipped(skipped, rejected)
    with files.replacing(summary) as temporary:
        temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return facts


def _facts(labels: Sequence[str], folds: Sequence[int] | None) -> dict[str, Any]:
    """Count clips, by class and fold."""
    inside = [True] * len(labels) if folds is None else [fold >= 0 for fold in folds]
    facts: dict[str, Any] = {
        "n_clips": sum(inside),
        "n_outside": len(labels) - sum(inside),
        "classes": dict(sorted(Counter(label for label, kept in zip(labels, inside, strict=True) if kept).items())),
    }
    if folds is not None:
        facts["folds"] = {str(fold): n for fold, n in sorted(Counter(folds).items()) if fold >= 0}
    return facts


def write_status(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write what became of every piece: the columns of `STATUS`."""
    with files.replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, STATUS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


class _Selection:
    """Sources of video files: stage, check, deal, gather."""

    def __init__(self, config: Vegas, compute: Compute, out: Path) -> None:
        self.config, self.compute, self.out = config, compute, out
        digest = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:12]
        self.scratch = compute.scratch.absolute() / f"vegas-{digest}"

    def run(
        self, raw: Path, rejected: list[Rejected], statuses: list[Mapping[str, Any]], status: Path
    ) -> dict[str, Any]:
        clips, source = self.config.clips, self.config.source
        folds: dict[str, int] | None = None
        if source == "parquet":
            found = ready.look(Path(clips.parquet.location or raw))
            folds = found.folds
            staged = [
                Shard(parquet.shard_name(i), (path,), n)
                for i, (path, n) in enumerate(zip(found.files, found.sizes, strict=True))
            ]
        elif source == "archive":
            settings = clips.archive
            location = settings.location or str(raw)
            if download.local_path(location) is None:
                kept = self.compute.scratch.absolute() / "vegas-downloads" / location.rsplit("/", 1)[-1]
                location = str(download.fetch(location, kept, sha256=settings.sha256, description="clips"))
            offered = archive.clips(location, sha256=settings.sha256, classes=settings.classes)
            staged = self._stage(offered, rejected)
        else:
            staged = self._stage(self._pieces(raw, statuses, status), rejected)
        return self._select(staged, folds, rejected)

    def _pieces(self, raw: Path, statuses: list[Mapping[str, Any]], status: Path) -> Iterator[Clip | Rejected]:
        """Fetch YouTube's videos and note what became of each; too few of them are an error."""
        settings = self.config.clips.youtube
        pieces = youtube.read_list(Path(settings.list) if settings.list else raw / "clips.csv")
        folder = self.compute.scratch.absolute() / f"vegas-youtube-{settings.max_height}"
        found = youtube.fetch(pieces, settings, folder)
        for piece in pieces:
            state = found[piece.youtube_id]
            values = (piece.id, *piece, state.status, state.reason)
            statuses.append(dict(zip(STATUS, values, strict=True)))
        available = sum(row["status"] == "available" for row in statuses)
        if available < settings.min_available * len(pieces):
            write_status(status, statuses)
            raise DataError(
                f"vegas: {available} of {len(pieces)} pieces are available, fewer than "
                f"vegas.clips.youtube.min_available = {settings.min_available:g} of them; {status} says why: run "
                "again later, or lower it"
            )
        for piece in pieces:
            state = found[piece.youtube_id]
            if state.path is None:
                yield Rejected(piece.id, f"{state.status}: {state.reason}")
            else:
                part = (piece.start_s, piece.end_s)
                yield Clip(piece.id, piece.label, f"{piece.id}.mp4", state.path.read_bytes(), part)

    def _stage(self, offered: Iterable[Clip | Rejected], rejected: list[Rejected]) -> list[Shard]:
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
                rejected.append(clip)
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

    def _select(
        self, staged: Sequence[Shard], folds: dict[str, int] | None, rejected: list[Rejected]
    ) -> dict[str, Any]:
        """Decode all clips, and store those that pass with their folds."""
        clips = self.config.clips
        limits = {"min_duration_s": clips.min_duration_s, "max_duration_s": clips.max_duration_s}
        checked = self.scratch / "checked"
        answers = map_shards(
            check_shard, staged, checked, params=limits, compute=self.compute, description="check clips"
        )
        rejected += [Rejected(*row) for answer in answers for row in answer["rejected"]]
        rows = [row for answer in answers for row in answer["accepted"]]
        ids, labels = [row[0] for row in rows], [row[1] for row in rows]
        if folds is None:
            check_ids(ids)
            folds = dict(zip(ids, deal(ids, labels, self.config.folds), strict=True))
        facts = _facts(labels, [folds[identifier] for identifier in ids])
        check_ids([identifier for identifier in ids if folds[identifier] >= 0])
        kept = [
            (shard, answer["accepted"]) for shard, answer in zip(staged, answers, strict=True) if answer["accepted"]
        ]
        shards = [
            Shard(
                parquet.shard_name(index),
                (checked / shard.name,),
                len(accepted),
                {"folds": [folds[identifier] for identifier, _ in accepted]},
            )
            for index, (shard, accepted) in enumerate(kept)
        ]
        metadata = {"dataset": "vegas", "source": self.config.source, "n_samples": len(rows)}
        params = {"metadata": metadata}
        map_shards(deal_shard, shards, self.out, params=params, compute=self.compute, description="store clips")
        shutil.rmtree(self.scratch, ignore_errors=True)
        return facts


def check_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """Decode the clips of a staged or ready-made shard and write those that pass; run by `map_shards`."""
    columns: dict[str, list[Any]] = {name: [] for name in TYPES if name != "fold"}
    rejected = []
    for batch in parquet.iterate(shard.inputs[0], batch_size=4):
        for row in batch.to_pylist():
            identifier = str(row["id"])
            try:
                data, length_s = _checked(row, params["min_duration_s"], params["max_duration_s"])
            except DataError as error:
                rejected.append([identifier, str(error)])
                continue
            name = (row["video"]["path"] or identifier).rsplit("/", 1)[-1]
            for column, value in zip(columns, (identifier, str(row["label"]), length_s, (data, name)), strict=True):
                columns[column].append(value)
    parquet.write(destination, columns, types={name: TYPES[name] for name in columns})
    return {"accepted": list(zip(columns["id"], columns["label"], strict=True)), "rejected": rejected}


def _checked(row: Mapping[str, Any], min_s: float, max_s: float) -> tuple[bytes, float]:
    """Cut a clip out where it is a piece, decode it, and give its file and length; a `DataError` says what is wrong."""
    data, piece = (row["video"] or {}).get("bytes") or b"", tuple(row.get("piece") or WHOLE)
    if row["label"] is None or not data:
        raise DataError("it has no label" if row["label"] is None else "its file is empty")
    if piece != WHOLE:
        data = video.cut(data, *piece, limits=Limits(duration_s=LONG_S, time_s=LONG_TIME_S))
    limits = Limits(duration_s=max_s)
    video.frames(data, limits=limits)
    rate = 16_000
    length_s = min(video.duration(data, limits=limits), len(video.sound(data, rate, limits=limits)) / rate)
    if length_s <= min_s:
        raise DataError(f"pictures and sound together last {length_s:.3f} s, expected more than {min_s:g} s")
    return data, length_s


def deal_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Write one shard of samples: the checked clips with their folds; run by `map_shards`."""
    table = parquet.read(shard.inputs[0])
    columns: dict[str, Any] = {name: table[name] for name in table.column_names} | {"fold": shard.extra["folds"]}
    parquet.write(destination, columns, types=TYPES, metadata=params["metadata"])
    return table.num_rows
