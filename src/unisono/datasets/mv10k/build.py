"""From TFRecord shards, real or simulated, to Parquet shards of accepted videos, within bounded disk space.

**Conventions.** Shards are worked on in groups. A shard is fetched (or drawn), filtered and deleted; what
passed waits in ``compute.scratch``, a few small files per group, until the wanted number is reached. Then
videos are gathered into output shards of equal size, in order of the source. A run that was killed goes on
at the shard where it stopped, and ends with the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.mv10k import Mv10k, Published, ReadyMade, Simulated, YouTube8M
from unisono.config.sources import Source
from unisono.datasets.mv10k import filtering, ready, simulated, youtube8m
from unisono.datasets.mv10k.rules import REASONS, Rule, read_vocabulary
from unisono.errors import DataError, DownloadError
from unisono.io import parquet, tfrecord
from unisono.io.files import replacing
from unisono.io.text_tables import write_csv
from unisono.store.code import code_version
from unisono.store.shards import Shard, map_shards

#: Simulated videos of one TFRecord shard.
VIDEOS_PER_SHARD = 64
#: Columns of the table of shards; surplus: accepted, but more than `max_videos`.
COLUMNS = ("shard", "seen", "accepted", *REASONS, "surplus")


class _Filtered(NamedTuple):
    """A shard after the filter: the file of its accepted videos, their ids, and the counts."""

    name: str
    path: Path
    ids: list[str]
    counts: dict[str, int]


def build(config: Mv10k, compute: Compute, *, out: Path, table: Path) -> None:
    """Build the videos of the configured source; see `from_records` and `ready`.

    Parameters
    ----------
    config, compute, out, table
        As for `from_records`.
    """
    _fill(config.chosen, config, compute, out, table)


@functools.singledispatch
def _fill(source: Source, config: Mv10k, compute: Compute, out: Path, table: Path) -> None:
    """Write the videos of a source; what does so is registered for its class."""
    raise source.unreadable()


@_fill.register(Simulated)
@_fill.register(YouTube8M)
def _records(source: Source, config: Mv10k, compute: Compute, out: Path, table: Path) -> None:
    del source
    from_records(config, compute, out=out, table=table)


@_fill.register
def _published(source: Published, config: Mv10k, compute: Compute, out: Path, table: Path) -> None:
    del compute
    count = ready.from_published(source.location, sha256=source.sha256, out=out, shard_size=config.videos.shard_size)
    write_table(table, [{"shard": "published", "seen": count, "accepted": count}])


@_fill.register
def _ready_made(source: ReadyMade, config: Mv10k, compute: Compute, out: Path, table: Path) -> None:
    del config
    count = ready.from_parquet(source.location, compute, out=out)
    write_table(table, [{"shard": "ready-made", "seen": count, "accepted": count}])


def from_records(config: Mv10k, compute: Compute, *, out: Path, table: Path) -> None:
    """Build the videos of the sources ``simulated`` and ``youtube8m``.

    Parameters
    ----------
    config : Mv10k
    compute : Compute
    out : Path
        Folder of ``part-*.parquet``: id, n_frames, audio, rgb (8-bit), and for simulated videos tag, the
        true mood.
    table : Path
        CSV of the shards that were read, with the number of videos per reason.

    Raises
    ------
    DataError
        A plan or shard is damaged or incomplete (`unisono.io.tfrecord`), or no video passes.
    DownloadError
        A plan or shard cannot be fetched.
    """
    scratch = compute.scratch.absolute() / f"mv10k-{_digest(str(out.resolve()))}"
    params = {
        "source": config.source,
        "rule": _rule(config, scratch),
        "scratch": str(scratch / "shards"),
        "seed": config.videos.simulated.seed,
    }
    if isinstance(config.chosen, YouTube8M):
        shards, limit = _public_shards(config, scratch), config.chosen.max_videos
        group_size = config.chosen.shards_per_group
    else:
        shards, limit = _simulated_shards(config), None
        group_size = max(len(shards), 1)
    rows: list[tuple[Path, int]] = []
    read: list[_Filtered] = []
    known: set[str] = set()
    for start in range(0, len(shards), group_size):
        folder = scratch / f"group-{start // group_size:05d}"
        for filtered in _filter_group(shards[start : start + group_size], folder, params, compute):
            if limit is not None and len(rows) >= limit:
                break
            rows += _take(filtered, known, limit)
            read.append(filtered)
        if limit is not None and len(rows) >= limit:
            break
    if not rows:
        seen = sum(shard.counts.get("seen", 0) for shard in read)
        raise DataError(f"mv10k: none of {seen} videos passes; loosen mv10k.videos.rule, min_frames or max_frames")
    counts = {column: sum(shard.counts.get(column, 0) for shard in read) for column in COLUMNS[1:]}
    metadata = {
        "dataset": "mv10k",
        "source": config.source,
        "rule": config.videos.rule,
        "frames": [config.videos.min_frames, config.videos.max_frames],
        "n_shards": len(read),
        "counts": counts,
    }
    _gather(rows, out, metadata, config.videos.shard_size, compute)
    write_table(table, [{"shard": shard.name, **shard.counts} for shard in read])
    shutil.rmtree(scratch, ignore_errors=True)


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the CSV of shards: the columns of `COLUMNS`, 0 where a row has no count."""
    write_csv(path, COLUMNS, ([row.get(name, 0) for name in COLUMNS] for row in rows))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _rule(config: Mv10k, scratch: Path) -> dict[str, Any]:
    """Arguments of `Rule` as JSON, with the verticals only where the rule asks for them."""
    videos = config.videos
    verticals: Mapping[int, Sequence[str]] = {}
    if videos.rule == "no_other_vertical" and config.source == "simulated":
        verticals = simulated.VERTICALS
    elif videos.rule == "no_other_vertical":
        from unisono.io import download

        path = download.fetch(
            videos.vocabulary,
            scratch / "vocabulary.csv",
            sha256=videos.vocabulary_sha256,
            description="vocabulary",
            max_bytes=2**28,
        )
        text = path.read_bytes().decode("utf-8", errors="replace")
        verticals = read_vocabulary(text, name=videos.vocabulary)
    return {
        "kind": videos.rule,
        "min_frames": videos.min_frames,
        "max_frames": videos.max_frames,
        "verticals": {str(label): list(names) for label, names in verticals.items()},
    }


def _simulated_shards(config: Mv10k) -> list[Shard]:
    """Shards to draw, named as files of the training partition are."""
    settings = config.videos.simulated
    order = simulated.plan(settings.videos, settings.rejected, settings.seed)
    parts = [order[start : start + VIDEOS_PER_SHARD] for start in range(0, len(order), VIDEOS_PER_SHARD)]
    return [
        Shard(f"simulated{index:04d}.tfrecord", n_items=len(part), extra={"videos": part})
        for index, part in enumerate(parts)
    ]


def _public_shards(config: Mv10k, scratch: Path) -> list[Shard]:
    """Shards of the download plans, partition after partition."""
    from unisono.io import download

    settings = config.videos.youtube8m
    shards = []
    for partition in settings.partitions:
        location = settings.plan.replace("{partition}", partition)
        plan = scratch / f"plan_{partition}.json"
        path = download.fetch(location, plan, description=f"plan of {partition}", max_bytes=2**28)
        for shard in youtube8m.read_plan(path, partition=partition, mirrors=settings.mirrors):
            extra = {"locations": list(shard.locations), "md5": shard.md5}
            shards.append(Shard(f"{partition}-{shard.name}", extra=extra))
    return shards


def _filter_group(
    shards: Sequence[Shard], folder: Path, params: Mapping[str, Any], compute: Compute
) -> list[_Filtered]:
    """Filter a group of shards, or take what an earlier, interrupted run left of the same group."""
    facts = json.dumps([params, [(shard.name, shard.extra) for shard in shards]], sort_keys=True)
    folder = folder.with_name(f"{folder.name}-{_digest(facts, code_version(Path(__file__)))}")
    done = folder.with_suffix(".json")
    if done.is_file() and folder.is_dir():
        values = json.loads(done.read_text(encoding="utf-8"))
    else:
        values = map_shards(filter_shard, shards, folder, params=params, compute=compute, description="filter videos")
        with replacing(done) as temporary:
            temporary.write_text(json.dumps(values), encoding="utf-8")
    return [
        _Filtered(shard.name, folder / shard.name, value["ids"], value["counts"])
        for shard, value in zip(shards, values, strict=True)
    ]


def filter_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """Fetch or draw one TFRecord shard, keep what passes, and delete it; run by `map_shards`."""
    settings = dict(params["rule"])
    settings["verticals"] = {int(label): names for label, names in settings["verticals"].items()}
    rule = Rule(**settings)
    temporary = Path(params["scratch"]) / shard.name
    try:
        path = _obtain(shard, temporary, params["source"], params["seed"], rule)
        accepted, counts = filtering.accept(tfrecord.read(path), rule, name=shard.name)
    except DownloadError:
        raise  # what has arrived stays: the next run goes on from there
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    filtering.write(destination, accepted, metadata={"dataset": "mv10k", "shard": shard.name})
    temporary.unlink(missing_ok=True)
    return {"ids": [video.id for video in accepted], "counts": dict(counts)}


def _obtain(shard: Shard, temporary: Path, source: str, seed: int, rule: Rule) -> Path:
    """Give the path of a TFRecord shard: `temporary`, or the user's own file."""
    if source == "simulated":
        world = simulated.World(seed, min_frames=rule.min_frames, max_frames=rule.max_frames)
        tfrecord.write(temporary, simulated.encode_all(world, shard.extra["videos"]))
        return temporary
    from unisono.io import download

    first, *others = shard.extra["locations"]
    return download.fetch(
        first, temporary, md5=shard.extra["md5"], mirrors=others, description=shard.name, max_bytes=4 * 2**30
    )


def _take(shard: _Filtered, known: set[str], limit: int | None) -> list[tuple[Path, int]]:
    """Rows of a shard that are new and still wanted; the others are counted as what they are."""
    rows: list[tuple[Path, int]] = []
    for row, identifier in enumerate(shard.ids):
        reason = ""
        if identifier in known:
            reason = "duplicate_id"
        elif limit is not None and len(known) >= limit:
            reason = "surplus"
        if reason:
            shard.counts["accepted"] -= 1
            shard.counts[reason] = shard.counts.get(reason, 0) + 1
        else:
            known.add(identifier)
            rows.append((shard.path, row))
    return rows


def _gather(
    rows: Sequence[tuple[Path, int]], out: Path, metadata: Mapping[str, Any], size: int, compute: Compute
) -> None:
    """Write rows of many small files as output shards of `size` videos."""
    shards = []
    for index, start in enumerate(range(0, len(rows), size)):
        part = rows[start : start + size]
        files = tuple(dict.fromkeys(path for path, _ in part))
        extra = {"rows": [[files.index(path), row] for path, row in part]}
        shards.append(Shard(parquet.shard_name(index), files, len(part), extra))
    params = {"metadata": dict(metadata)}
    map_shards(gather_shard, shards, out, params=params, compute=compute, description="gather videos")


def gather_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Write one output shard; run by `map_shards`."""
    tables = [parquet.read(path) for path in shard.inputs]
    table = pa.concat_tables(tables[index].slice(row, 1) for index, row in shard.extra["rows"])
    columns: dict[str, Any] = {name: table[name] for name in filtering.TYPES}
    types = dict(filtering.TYPES)
    if params["metadata"]["source"] == "simulated":
        columns["tag"] = [simulated.mood_of(identifier) for identifier in table["id"].to_pylist()]
        types["tag"] = pa.string()
    parquet.write(destination, columns, types=types, metadata=params["metadata"])
    return table.num_rows
