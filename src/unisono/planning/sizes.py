"""Settings that own data are too few for, found by counting files and rows before the first stage.

**Conventions.** Nothing is decoded or fetched, so that a count is an upper bound: what is named here cannot hold, what
is not named may still fail where clips or songs turn out to be unreadable. What a stage adapts by itself (components of
a fitted whitening and of methods, batches and steps of the audio-sheet encoder, rare tokens) is none of it.
"""

from __future__ import annotations

import csv
import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unisono.config import image2song, mtm, mv10k, songs, vegas
from unisono.config.sources import Source
from unisono.datasets.folds import PARTS
from unisono.datasets.mtm import musicxml
from unisono.datasets.mv10k.moods import SEEDS_PER_MOOD
from unisono.datasets.vegas import archive
from unisono.errors import ConfigError, UnisonoError
from unisono.io import archive as archives
from unisono.io import download, parquet
from unisono.media import excerpt

#: Classes of the handwritten digits.
DIGITS = "0123456789"
#: Songs that can be dealt: two to train and two to test on.
FEWEST_SONGS = 4
#: The same where an experiment is tuned: two to train, one for every other part.
TUNABLE = {"mtm": 4, "songs": FEWEST_SONGS, "image2song": 3}
#: Places whose names are listed without reading all of it.
LISTED = (".zip", ".tar")


def refuse(sections: Mapping[str, Any]) -> None:
    """Stop where settings cannot hold.

    Parameters
    ----------
    sections : mapping of str to Section
        params.yaml, validated.

    Raises
    ------
    ConfigError
        Names each such setting, and the values that would do.
    """
    found = [f"{key}: {text}" for key, text in problems(sections)]
    if found:
        raise ConfigError(f"too few data for {len(found)} of the settings: {'; '.join(found)}")


def problems(sections: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each setting that cannot hold, with what was found and what would do."""
    yield from _mtm(sections["mtm"])
    yield from _vegas(sections["vegas"])
    yield from _mv10k(sections["mv10k"])
    yield from _songs(sections["songs"])
    yield from _image2song(sections["image2song"])
    yield from _tuned(sections)


def _vegas(section: vegas.Vegas) -> Iterator[tuple[str, str]]:
    counts = _counts(section.chosen)
    if counts is None:
        return
    used = sorted(set(section.features.sets.values()))
    names = [name for name in used if getattr(section.features, name).whitening.method == "fitted"]
    methods = " and ".join(f"vegas.features.{name}.whitening.method" for name in names)
    if isinstance(section.chosen, vegas.Digits):
        if names and not section.chosen.outside_per_class:
            yield "vegas.clips.digits.outside_per_class", f"0, but whitening is fitted; 1 or more, or {methods}: none"
        yield from _folds("vegas", section.folds.n, counts)
        return
    divided = _divided(section.chosen)
    share, outside = section.folds.outside, divided["-1"] if divided else 0
    if not divided:
        outside = sum(round(share * n) for n in counts.values())
    if names and not outside:
        if divided:
            yield "vegas.source", f"no clip has fold -1, but whitening is fitted on such; add some, or {methods}: none"
        else:
            # The least that leaves a clip of the smallest class outside, in hundredths.
            share = next((s / 100 for s in range(1, 100) if round(s / 100 * min(counts.values())) >= 1), 0.5)
            yield (
                "vegas.folds.outside",
                f"{section.folds.outside:g} of {sum(counts.values())} clips leaves none outside the folds, on which "
                f"whitening is fitted; at least {share:g} (a clip of each class), or {methods}: none",
            )
    if not divided:
        yield from _folds("vegas", section.folds.n, {label: n - round(share * n) for label, n in counts.items()})


def _tuned(sections: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Hold experiments that are tuned against the songs that are left for training."""
    for key, entry in sections.get("experiments", {}).items():
        needed = TUNABLE.get(entry.dataset)
        if entry.tune is False or needed is None:
            continue
        source = sections[entry.dataset].chosen
        counts = _counts(source)
        if counts is not None and not _divided(source) and len(counts) < needed:
            yield (
                f"experiments.{key}.tune",
                f"{len(counts)} songs of {entry.dataset}; {needed} are needed, two of them to train, of which one is "
                "held out; leave tune out, or add songs",
            )


def _folds(name: str, n: int, inside: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Hold the folds against the items of the smallest class."""
    if len(inside) < 2:
        yield f"{name}.source", f"{len(inside)} classes ({', '.join(inside)}); two or more are needed"
        return
    label, fewest = min(inside.items(), key=lambda item: item[1])
    if fewest < 2:
        yield f"{name}.source", f"class {label!r} has {fewest} items for the folds; add items, or leave the class out"
    elif fewest < n:
        yield f"{name}.folds.n", f"{n}, but class {label!r} has {fewest} items for the folds; at most {fewest}"


def _mtm(section: mtm.Mtm) -> Iterator[tuple[str, str]]:
    counts, divided = _counts(section.chosen), _divided(section.chosen)
    if divided:
        for part in ("train", "test"):
            if divided[part] < 2:
                yield "mtm.source", f"{divided[part]} samples have split {part}; two or more are needed"
    elif counts is not None and len(counts) < len(PARTS):
        yield "mtm.split", f"{len(counts)} songs for the {len(PARTS)} parts; at least {len(PARTS)} songs are needed"


def _mv10k(section: mv10k.Mv10k) -> Iterator[tuple[str, str]]:
    counts, divided = _counts(section.chosen), _divided(section.chosen)
    if counts is None:
        return
    if divided is None and any(counts):
        yield from _folds("mv10k", section.folds.n, counts)
    if any(counts):
        return
    n_videos, wanted = sum(counts.values()), section.moods.clusters
    each = max(SEEDS_PER_MOOD, section.folds.n if section.moods.small_cluster == "balance" else 0)
    if n_videos < wanted * each:
        most = n_videos // each
        remedy = f"at most {most}, or more videos" if most > 1 else f"{2 * each} videos or more are needed for two"
        yield "mv10k.moods.clusters", f"{wanted} moods of {each} videos or more, but there are {n_videos}; {remedy}"


def _songs(section: songs.Songs) -> Iterator[tuple[str, str]]:
    counts, divided = _counts(section.chosen), _divided(section.chosen)
    if divided or counts is None:
        return
    n_songs = len(counts)
    n_tested = round(section.split.test * n_songs)
    if n_songs < FEWEST_SONGS:
        yield "songs.source", f"{n_songs} songs; {FEWEST_SONGS} are needed, two to train and two to test on"
    elif not 2 <= n_tested <= n_songs - 2:
        least = next(s / 100 for s in range(1, 100) if 2 <= round(s / 100 * n_songs) <= n_songs - 2)
        most = next(s / 100 for s in range(99, 0, -1) if 2 <= round(s / 100 * n_songs) <= n_songs - 2)
        yield (
            "songs.split.test",
            f"{section.split.test:g} of {n_songs} songs are {n_tested} to test on; {least:g} to {most:g}, so that two "
            "are there for each part",
        )


def _image2song(section: image2song.Image2song) -> Iterator[tuple[str, str]]:
    counts, divided = _counts(section.chosen), _divided(section.chosen)
    if divided or counts is None:
        return
    n_songs = len(counts)
    n_tested = round(section.split.test_songs * n_songs)
    if n_songs < 2:
        yield "image2song.source", f"{n_songs} songs with pictures; two are needed, one to train and one to test on"
    elif not 1 <= n_tested < n_songs:
        least = next(s / 100 for s in range(1, 100) if 1 <= round(s / 100 * n_songs) < n_songs)
        most = next(s / 100 for s in range(99, 0, -1) if 1 <= round(s / 100 * n_songs) < n_songs)
        yield (
            "image2song.split.test_songs",
            f"{section.split.test_songs:g} of {n_songs} songs are {n_tested} to test on; {least:g} to {most:g}, so "
            "that one is there for each part",
        )


@functools.singledispatch
def _counts(source: Source) -> dict[str, int] | None:
    """Count the items of a source by class or song, by the empty text where they have none; None: not known."""
    del source
    return None


@_counts.register
def _digits(source: vegas.Digits) -> dict[str, int] | None:
    return dict.fromkeys(DIGITS, source.clips_per_class)


@_counts.register
def _archive(source: vegas.Archive) -> dict[str, int] | None:
    return _known(lambda: archive.count(source.place, classes=source.classes)) if _here(source.place) else None


@_counts.register
def _pieces(source: vegas.YouTube) -> dict[str, int] | None:
    try:
        with Path(source.place).open(encoding="utf-8", newline="") as file:
            rows = [row[-1].strip() for row in csv.reader(file) if len(row) == 4]
    except (OSError, ValueError, csv.Error):
        return None
    return dict(Counter(label for label in rows if label != "class")) or None


@_counts.register
def _scores(source: mtm.MusicXML) -> dict[str, int] | None:
    found: dict[str, int] = {}

    def note(place: str, name: str) -> bool:
        found[f"{place}/{name}"] = 1
        return False

    def look() -> dict[str, int]:
        for place in source.places:
            for _ in archives.members(place, suffixes=musicxml.SUFFIXES, only=functools.partial(note, place)):
                pass
        return found

    return _known(look) if all(map(_here, source.places)) else None


@_counts.register
def _simulated(source: mv10k.Simulated) -> dict[str, int] | None:
    return {"": source.videos}


@_counts.register
def _sounds(source: songs.Folder) -> dict[str, int] | None:
    if not Path(source.place).is_dir():
        return None
    names = (path for path in Path(source.place).rglob("*") if path.suffix.lower() in excerpt.SUFFIXES)
    return dict(Counter(str(path.with_suffix("")) for path in names)) or None


@_counts.register
def _listed(source: songs.Manifest) -> dict[str, int] | None:
    try:
        with Path(source.place).open(encoding="utf-8-sig", newline="") as file:
            return dict(Counter(str(row.get("id")) for row in csv.DictReader(file))) or None
    except (OSError, ValueError, csv.Error):
        return None


@_counts.register
def _pictures(source: image2song.Manifest) -> dict[str, int] | None:
    try:
        with Path(source.place).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return None
    return dict(Counter(str(row.get("song") or row.get("lyric")) for row in rows)) or None


@_counts.register(songs.ReadyMade)
@_counts.register(vegas.ReadyMade)
@_counts.register(mtm.ReadyMade)
@_counts.register(mv10k.ReadyMade)
def _rows(source: Source) -> dict[str, int] | None:
    if isinstance(source, songs.ReadyMade):
        return dict(Counter(map(str, _column(source, "song") or _column(source, "id")))) or None
    values = _column(source, "song" if isinstance(source, mtm.ReadyMade) else "label")
    return dict(Counter(map(str, values or [""] * len(_column(source, "id"))))) or None


def _divided(source: Source) -> Counter[str] | None:
    """Count the items by fold or part, where ready-made shards bring those."""
    if not isinstance(source, (vegas.ReadyMade, mtm.ReadyMade, mv10k.ReadyMade, songs.ReadyMade)):
        return None
    for column in ("fold", "split"):
        values = _column(source, column)
        if values:
            return Counter(map(str, values))
    return None


def _column(source: Source, name: str) -> list[Any]:
    """Read a column of ready-made shards; nothing where it, or they, are not there or damaged."""
    try:
        values: list[Any] = parquet.read(parquet.given(Path(source.place)), [name])[name].to_pylist()
    except UnisonoError:
        return []
    return values


def _here(place: str) -> bool:
    """Say whether the names of a source can be listed without fetching or unpacking it."""
    path = download.local_path(place)
    return path is not None and (path.is_dir() or (path.is_file() and path.name.lower().endswith(LISTED)))


def _known(look: Any) -> dict[str, int] | None:
    """Count, or leave what is wrong, or not there yet, to the stage that builds the data set."""
    try:
        found: dict[str, int] = look()
    except UnisonoError:
        return None
    return found or None
