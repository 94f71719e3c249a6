"""From a source of songs to ``data/songs/samples``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.songs import CATEGORIES, Songs
from unisono.datasets import words
from unisono.datasets.mtm import samples
from unisono.datasets.mtm.song import Skipped
from unisono.datasets.songs import categories, groups, sources, vectors
from unisono.datasets.songs.song import MORE, TYPES, Found, Piece
from unisono.errors import DataError
from unisono.io import files, parquet
from unisono.io.text_tables import write_csv

#: Columns in which a source may bring its own division.
DIVIDED: Mapping[str, pa.DataType] = {"fold": pa.int32(), "split": pa.string()}


def build(params: Songs, *, out: Path, skipped: Path, summary: Path) -> dict[str, Any]:
    """Build ``data/songs/samples`` from the configured source.

    Parameters
    ----------
    params : Songs
        Section ``songs`` of params.yaml.
    out : Path
        Folder of the shards; those of an earlier run are replaced. Columns are those of
        `unisono.datasets.songs.song.TYPES` and ``midi`` or ``location``; of ``source: features`` instead ``audio`` and
        ``lyrics``, a vector each.
    skipped : Path
        CSV of the files that give no song: file, kind, reason.
    summary : Path
        JSON of what is returned.

    Returns
    -------
    dict
        Counts of files, songs, words and categories, the licences, whether the lyrics may be shown in full
        (``free_text``), and what a reader of the card is told (``left_out``).

    Raises
    ------
    DataError
        The source cannot be read, more than `max_skipped_fraction` of its files are broken, an id occurs twice, or no
        song is left.
    DownloadError
        The source cannot be fetched.
    """
    source = params.chosen
    found = sources.read(source, params.audio)
    n_files = len(found.pieces) + len(found.skipped)
    least = 0 if source.has_features else params.pieces.min_words
    pieces, skips, divided = _long_enough(found, least)
    _write_skipped(skips, skipped)
    _check(pieces, skips, n_files, params, skipped)
    rows = _rows(pieces, params, named=found.named)
    for column, values in divided.items():
        for row, value in zip(rows, values, strict=True):
            row[column] = value
    facts = _facts(rows, params, found, skips, n_files)
    kept = ("dataset", "source", "n_samples", "n_songs", "largest_song", "n_classes", "licences")
    metadata = {**{key: facts[key] for key in (*kept, "free_text", "left_out")}, "categories": list(CATEGORIES)}
    _write(rows, pieces, out, shard_size=params.pieces.shard_size, metadata=metadata)
    with files.replacing(summary) as temporary:
        temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return facts


def _long_enough(found: Found, least: int) -> tuple[list[Piece], list[Skipped], dict[str, list[Any]]]:
    """Leave out what has too few words."""
    counts = [len(words.split(piece.text)) for piece in found.pieces]
    skips = list(found.skipped)
    for piece, n in zip(found.pieces, counts, strict=True):
        if n == 0 < least:
            skips.append(Skipped(piece.file, "no lyrics", "no words"))
        elif n < least:
            skips.append(Skipped(piece.file, "too short", f"{n} words, {least} are needed"))
    inside = [index for index, n in enumerate(counts) if n >= least]
    divided = {column: [values[index] for index in inside] for column, values in found.divided.items()}
    return [found.pieces[index] for index in inside], skips, divided


def _check(pieces: Sequence[Piece], skips: Sequence[Skipped], n_files: int, params: Songs, skipped: Path) -> None:
    """Fail when the source is empty, too much of it is broken, or nothing is left."""
    where = f"songs.source {params.source}"
    if n_files == 0:
        raise DataError(f"{where}: no file of that kind there; correct its location or folder")
    broken = sorted(skip for skip in skips if skip.kind == "broken")
    allowed = params.pieces.max_skipped_fraction
    if len(broken) > allowed * n_files:
        first = "; ".join(f"{skip.file}: {skip.reason}" for skip in broken[:2])
        raise DataError(
            f"{where}: {len(broken)} of {n_files} files are broken, more than songs.pieces.max_skipped_fraction "
            f"{allowed} allows ({first}); {skipped} lists all: repair them"
        )
    if not pieces:
        raise DataError(f"{where}: no song is left ({skipped} says why); relax songs.pieces.min_words")
    repeated, count = Counter(piece.file for piece in pieces).most_common(1)[0]
    if count > 1:
        raise DataError(f"{where}: id {repeated!r} occurs {count} times; ids are unique")


def _rows(pieces: Sequence[Piece], params: Songs, *, named: bool) -> list[dict[str, Any]]:
    """Lay songs out as rows of `TYPES` and `MORE`."""
    ids = {piece.file: piece.file for piece in pieces} if named else samples.names(piece.file for piece in pieces)
    first = groups.group(pieces, share=params.pieces.shingle_share, n_words=params.pieces.shingle_words)
    rows = []
    for piece, leader in zip(pieces, first.tolist(), strict=True):
        row = {name: getattr(piece, name, "") for name in (*TYPES, *MORE)}
        language = piece.language or categories.language(piece.text)
        row |= {"id": ids[piece.file], "song": pieces[leader].song or ids[pieces[leader].file]}
        row |= {"n_words": len(words.split(piece.text)), "language": language}
        row["kind"] = piece.kind or "/".join(filter(None, (piece.collection, language)))
        row["label"] = piece.label or row[params.label]
        row["start_s"] = params.audio.start_s if piece.start_s is None else piece.start_s
        rows.append(row)
    return rows


def _facts(
    rows: Sequence[Mapping[str, Any]], params: Songs, found: Found, skips: Sequence[Skipped], n_files: int
) -> dict[str, Any]:
    """Count what there is."""
    sizes = Counter(row["song"] for row in rows)
    classes = Counter(row["label"] for row in rows)
    kinds = Counter(skip.kind for skip in skips)
    n_words = np.array([row["n_words"] for row in rows])
    short = sum(count for kind, count in kinds.items() if kind in ("too short", "no lyrics"))
    return {
        "dataset": "songs",
        "source": params.source,
        "n_samples": len(rows),
        "n_songs": len(sizes),
        "largest_song": max(sizes.values()),
        "n_classes": len(classes),
        "classes": dict(sorted(classes.items())),
        "categories": {name: dict(sorted(Counter(row[name] for row in rows).items())) for name in CATEGORIES},
        "words": {"min": int(n_words.min()), "median": float(np.median(n_words)), "max": int(n_words.max())},
        "files": {"n_files": n_files, "n_skipped": dict(sorted(kinds.items()))},
        "free_text": bool(getattr(params.chosen, "free_text", False)),
        "licences": dict(found.licences),
        "left_out": list(_told(params, short, n_files, len(classes), list(sizes.values()))),
    }


def _told(params: Songs, short: int, n_files: int, n_classes: int, sizes: Sequence[int]) -> Iterator[str]:
    """Say what a reader of the card is to know."""
    if short:
        yield f"{short} of {n_files} files have fewer than {params.pieces.min_words} words (`songs.pieces.min_words`)"
    if max(sizes) > 1:
        yield (
            f"{sum(sizes)} files are {len(sizes)} songs, the largest of {max(sizes)} files "
            f"({max(sizes) / sum(sizes):.1%}): each is dealt as one, and one file of it is tested on"
        )
    if params.source in ("music21", "musicxml", "lmd"):
        yield f"a song shorter than {params.audio.clip_s:g} s is repeated (`songs.audio.clip_s`)"
    if n_classes == 1:
        yield f"all songs are of one class of `{params.label}`: finding songs of the same class is no task here"


def _write(
    rows: Sequence[dict[str, Any]], pieces: Sequence[Piece], out: Path, *, shard_size: int, metadata: Mapping[str, Any]
) -> None:
    """Write rows as shards, with the columns that they have."""
    types = {**TYPES, **{name: kind for name, kind in MORE.items() if any(row[name] for row in rows)}}
    types |= vectors.types(pieces[0])
    types |= {name: kind for name, kind in DIVIDED.items() if name in rows[0]}
    with files.replacing_folder(out) as fresh:
        for index, start in enumerate(range(0, len(rows), shard_size)):
            part = slice(start, start + shard_size)
            columns = {name: [row[name] for row in rows[part]] for name in types if name in rows[0]}
            columns |= {view: [piece.vectors[view] for piece in pieces[part]] for view in pieces[0].vectors}
            parquet.write(fresh / parquet.shard_name(index), columns, types=types, metadata=metadata)


def _write_skipped(skips: Sequence[Skipped], path: Path) -> None:
    """List the files that give no song."""
    rows = ((skip.file, skip.kind, " ".join(skip.reason.split())) for skip in sorted(skips))
    write_csv(path, Skipped._fields, rows)
