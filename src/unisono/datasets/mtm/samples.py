"""Songs -> samples of 20 notes, and their Parquet shards.

**Conventions.** Window w of a song is its notes 20 w + 1 to 20 w + 20. Lengths are put on the grid before
limits are compared: each duration and each rest goes to the nearest multiple of the grid (halves up), a duration
to at least one step. Samples come in the order of their files' names, then windows.
"""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from unisono.datasets.mtm.song import N_NOTES, Note, Skipped, Song, has_letter
from unisono.io import parquet
from unisono.io.files import replacing_folder

#: Longest short name of a file, in characters.
MAX_NAME = 60

#: Columns that some samples have, too: their part of a split, the collection of their song, all its words.
OPTIONAL = ("split", "kind", "text")
#: Columns of ``data/mtm/samples``.
TYPES: Mapping[str, pa.DataType] = {
    "id": pa.string(),
    "song": pa.string(),
    "title": pa.string(),
    "file": pa.string(),
    "part": pa.string(),
    "window": pa.int32(),
    "notes": parquet.matrix(N_NOTES, 3),
    "syllables": parquet.strings(N_NOTES),
    "words": parquet.strings(N_NOTES),
    "word_index": pa.list_(pa.int32(), N_NOTES),
}


class Rule(NamedTuple):
    """Which windows of a song become samples.

    Attributes
    ----------
    windows : {"all", "first_two"}
    max_duration, max_rest : float or None
        In beats; a window with a longer note or rest is dropped. None = no limit.
    grid : float
        In beats.
    """

    windows: Literal["all", "first_two"]
    max_duration: float | None
    max_rest: float | None
    grid: float


class Sample(NamedTuple):
    """Twenty notes of a song, on the grid."""

    song: Song
    window: int
    notes: tuple[Note, ...]


def sung_line(lines: Sequence[tuple[str, Sequence[Note]]], file: str, title: str) -> Song | Skipped:
    """Choose the sung line of a score: the first with at least 20 syllables.

    Parameters
    ----------
    lines : sequence of (part name, notes)
        The voices with lyrics. One with fewer than half of its syllables containing a letter holds labels
        (figured bass, analysis) and is passed over.
    file, title : str

    Returns
    -------
    Song or Skipped
    """
    texted = [(part, notes) for part, notes in lines if 2 * sum(has_letter(n.syllable) for n in notes) >= len(notes)]
    for part, notes in texted:
        if len(notes) >= N_NOTES:
            return Song(file, title, part, notes)
    if not lines:
        return Skipped(file, "no lyrics", "no note has a syllable")
    if not texted:
        return Skipped(file, "labels", "the lyrics are labels: fewer than half of the syllables contain a letter")
    longest = max(len(notes) for _, notes in texted)
    return Skipped(file, "too short", f"{longest} syllables in the longest part, {N_NOTES} are needed")


def snap(length: float, grid: float, *, least: int = 0) -> float:
    """Put a length on the grid: the nearest multiple, halves up, `least` steps or more.

    Examples
    --------
    >>> snap(1 / 3, 0.125), snap(0.01, 0.125, least=1)
    (0.375, 0.125)
    """
    return max(math.floor(length / grid + 0.5), least) * grid


def windows(song: Song, rule: Rule) -> Sequence[int]:
    """List the windows of a song that may become samples, before limits are compared; see `cut`."""
    if song.windows is not None:
        return song.windows
    n_windows = len(song.notes) // N_NOTES
    return range(n_windows if rule.windows == "all" else min(n_windows, 2))


def cut(song: Song, rule: Rule) -> list[Sample]:
    """Cut a song into its samples.

    Parameters
    ----------
    song : Song
        `Song.windows`, when given, is the choice already made; limits are then not compared.
    rule : Rule

    Returns
    -------
    list of Sample
        Notes on the grid. Empty when every window is over a limit.
    """
    samples = []
    for window in windows(song, rule):
        notes = tuple(
            note._replace(duration=snap(note.duration, rule.grid, least=1), rest=snap(note.rest, rule.grid))
            for note in song.notes[N_NOTES * window : N_NOTES * (window + 1)]
        )
        if song.windows is not None or _within(notes, rule):
            samples.append(Sample(song, window, notes))
    return samples


def _within(notes: Iterable[Note], rule: Rule) -> bool:
    """Compare a window with the limits."""
    return all(
        (rule.max_duration is None or note.duration <= rule.max_duration)
        and (rule.max_rest is None or note.rest <= rule.max_rest)
        for note in notes
    )


def off_grid(samples: Iterable[Sample]) -> dict[str, float]:
    """Count what the grid changed.

    Returns
    -------
    dict
        ``n_notes``: notes whose duration or rest is not what the source says; ``largest_change_beats``.
    """
    changes = [
        max(abs(new.duration - old.duration), abs(new.rest - old.rest))
        for song, window, notes in samples
        for old, new in zip(song.notes[N_NOTES * window : N_NOTES * (window + 1)], notes, strict=True)
    ]
    changed = [change for change in changes if change > 1e-6]
    return {"n_notes": len(changed), "largest_change_beats": round(max(changed, default=0.0), 6)}


def names(files: Iterable[str]) -> dict[str, str]:
    """Give every file a short name of its own: lower-case ASCII letters, digits and hyphens.

    Parameters
    ----------
    files : iterable of str
        Paths inside the source.

    Returns
    -------
    dict of str to str
        The path without the folders that all share and without its suffix, or its end when it is long; ``-2``,
        ``-3`` ... where two would be the same.

    Examples
    --------
    >>> names(["bach/bwv1.6.mxl", "luca/gloria.xml"])
    {'bach/bwv1.6.mxl': 'bach-bwv1-6', 'luca/gloria.xml': 'luca-gloria'}
    """
    paths = {file: PurePosixPath(file) for file in files}
    common = os.path.commonpath([path.parent for path in paths.values()]) if paths else ""
    given: dict[str, str] = {}
    taken: set[str] = set()
    for file, path in sorted(paths.items()):
        stem = str(path.relative_to(common).with_suffix(""))
        ascii_only = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
        base = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-") or "song"
        if len(base) > MAX_NAME:
            base = base[-MAX_NAME:].partition("-")[2] or base[-MAX_NAME:]
        name, i = base, 1
        while name in taken:
            i += 1
            name = f"{base}-{i}"
        taken.add(name)
        given[file] = name
    return given


def row(sample: Sample, *, name: str, song: str) -> dict[str, Any]:
    """Lay a sample out as a row of `TYPES`.

    Parameters
    ----------
    sample : Sample
    name : str
        Of its file; the row's id is ``<name>-w<window>``.
    song : str
        Name of its group of files.

    Returns
    -------
    dict
        With ``text``, all words of the song, where files may be one song by them (`Song.text`).
    """
    first = sample.notes[0].word_index
    return {
        **({"text": sample.song.text} if sample.song.text else {}),
        "id": f"{name}-w{sample.window:02d}",
        "song": song,
        "title": sample.song.title,
        "file": sample.song.file,
        "part": sample.song.part,
        "window": sample.window,
        "notes": [note[:3] for note in sample.notes],
        "syllables": [note.syllable for note in sample.notes],
        "words": [note.word for note in sample.notes],
        "word_index": [note.word_index - first for note in sample.notes],
    }


def write(rows: Sequence[Mapping[str, Any]], out: Path, *, shard_size: int, metadata: Mapping[str, Any]) -> None:
    """Write rows as a folder of shards ``part-00000.parquet`` ... of `shard_size` rows each; it appears complete."""
    types = {**TYPES, **{name: pa.string() for name in OPTIONAL if name in rows[0]}}
    with replacing_folder(out) as fresh:
        for index, start in enumerate(range(0, len(rows), shard_size)):
            chunk = rows[start : start + shard_size]
            columns = {column: [each[column] for each in chunk] for column in types}
            parquet.write(fresh / parquet.shard_name(index), columns, types=types, metadata=metadata)
