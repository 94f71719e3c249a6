"""From a source of songs to ``data/mtm/samples``, and the split of these (D 3.1.3)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from unisono.config.mtm import Mtm, Music21, ReadyMade
from unisono.datasets.mtm import groups, ready, samples
from unisono.datasets.mtm.samples import Rule
from unisono.datasets.mtm.song import N_NOTES, Skipped
from unisono.datasets.mtm.sources import open_source, read_songs
from unisono.errors import DataError
from unisono.io import files
from unisono.io.text_tables import write_csv


def build(params: Mtm, *, out: Path, skipped: Path, summary: Path) -> dict[str, Any]:
    """Build ``data/mtm/samples`` from the configured source.

    Parameters
    ----------
    params : Mtm
        Section ``mtm`` of params.yaml.
    out : Path
        Folder of the shards; those of an earlier run are replaced.
    skipped : Path
        CSV of the files that give no sample: file, kind, reason.
    summary : Path
        JSON of what is returned.

    Returns
    -------
    dict
        Counts of files, songs, windows, samples, repeated samples and changes by the grid, the licences, and what a
        reader of the card is told of windows over a limit (``left_out``).

    Raises
    ------
    DataError
        The source cannot be read, more than `max_skipped_fraction` of its files are broken, or no sample is
        left.
    DownloadError
        The source cannot be fetched.
    """
    if isinstance(params.chosen, ReadyMade):
        rows, facts = _ready_made(params)
        _write_skipped([], skipped)
    else:
        rows, facts = _from_songs(params, skipped)
    if not rows:
        raise DataError(f"mtm.source {params.source}: no sample is left ({skipped} says why); relax mtm.songs' limits")
    facts = {
        "dataset": "mtm",
        "source": params.source,
        "n_samples": len(rows),
        "n_songs": len({row["song"] for row in rows}),
        "n_repeated": groups.duplicates(rows)["n_repeated"],
        **facts,
    }
    kept = ("dataset", "source", "n_samples", "n_songs", "licences", "left_out")
    metadata = {key: facts[key] for key in kept if key in facts}
    samples.write(rows, out, shard_size=params.songs.shard_size, metadata=metadata)
    with files.replacing(summary) as temporary:
        temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return facts


def _from_songs(params: Mtm, skipped: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Read songs, cut and group them."""
    source = open_source(params.chosen)
    songs, skips = read_songs(source)
    n_files = len(songs) + len(skips)
    rule = Rule(params.songs.windows, params.songs.max_duration, params.songs.max_rest, params.songs.grid)
    cuts = {song.file: samples.cut(song, rule) for song in songs}
    skips += [Skipped(file, "limits", "every window is over a limit") for file, cut in cuts.items() if not cut]
    _write_skipped(skips, skipped)
    kinds = Counter(skip.kind for skip in skips)
    _check_broken([skip for skip in skips if skip.kind == "broken"], n_files, params, skipped)

    short = samples.names(cuts)
    song_of = dict(zip(cuts, (short[songs[first].file] for first in groups.group(songs)), strict=True))
    chosen = [sample for cut in cuts.values() for sample in cut]
    rows = [samples.row(sample, name=short[sample.song.file], song=song_of[sample.song.file]) for sample in chosen]
    collections = [source.collection(row["file"]) for row in rows]
    if len(set(collections)) > 1:
        for row, collection in zip(rows, collections, strict=True):
            row["kind"] = collection
    n_windows = sum(len(samples.windows(song, rule)) for song in songs)
    facts: dict[str, Any] = {
        "left_out": list(_over_limits(rule, len(rows), n_windows)),
        "windows": {"n_windows": n_windows, "n_over_limits": n_windows - len(rows)},
        "files": {
            "n_files": n_files,
            "n_with_song": len(songs),
            "n_songs": len(set(song_of.values())),
            "n_with_samples": sum(map(bool, cuts.values())),
            "n_skipped": dict(sorted(kinds.items())),
        },
        "off_grid": samples.off_grid(chosen),
    }
    if isinstance(params.chosen, Music21):
        facts["collections"] = dict(sorted(Counter(collections).items()))
    return rows, {**facts, "licences": dict(source.licences)}


def _over_limits(rule: Rule, n_kept: int, n_windows: int) -> Iterator[str]:
    """Say how many windows the limits drop."""
    limits = {"note": ("max_duration", rule.max_duration), "rest": ("max_rest", rule.max_rest)}
    told = [
        f"a {what} longer than {most:g} beats (`{key}`)" for what, (key, most) in limits.items() if most is not None
    ]
    if n_kept < n_windows:
        share = (n_windows - n_kept) / n_windows
        yield f"{n_windows - n_kept} of {n_windows} windows of {N_NOTES} notes ({share:.0%}) hold {' or '.join(told)}"


def _ready_made(params: Mtm) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Read ready-made samples."""
    location = params.songs.parquet.location
    rows = ready.read(location)
    return rows, {"licences": {str(location): "as its maker states"}}


def _check_broken(broken: Sequence[Skipped], n_files: int, params: Mtm, skipped: Path) -> None:
    """Fail when the source is empty or too much of it is broken."""
    if n_files == 0:
        raise DataError(f"mtm.source {params.source}: no file of that kind there; correct its location or folder")
    allowed = params.songs.max_skipped_fraction
    if len(broken) > allowed * n_files:
        first = "; ".join(f"{skip.file}: {skip.reason}" for skip in broken[:2])
        raise DataError(
            f"mtm.source {params.source}: {len(broken)} of {n_files} files are broken, more than "
            f"mtm.songs.max_skipped_fraction {allowed} allows ({first}); {skipped} lists all: repair them"
        )


def _write_skipped(skips: Sequence[Skipped], path: Path) -> None:
    """List the files that give no sample."""
    rows = ((skip.file, skip.kind, " ".join(skip.reason.split())) for skip in sorted(skips))
    write_csv(path, Skipped._fields, rows)
