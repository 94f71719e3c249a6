"""From sources of pictures and songs to ``data/image2song/samples``."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.image2song import Image2song
from unisono.datasets import words
from unisono.datasets.image2song import sources
from unisono.datasets.image2song.item import IMAGE, LYRICS, TYPES, Found, Left, Picture, Song
from unisono.datasets.image2song.lemmas import Lemmas, stop_words
from unisono.errors import DataError
from unisono.io import files, parquet
from unisono.io.text_tables import write_csv
from unisono.media import plain


def build(section: Image2song, *, out: Path, audio: Path, skipped: Path, summary: Path) -> dict[str, Any]:
    """Build ``data/image2song/samples`` from the configured sources.

    Parameters
    ----------
    section : Image2song
        Section ``image2song`` of params.yaml.
    out : Path
        Folder of the shards; those of an earlier run are replaced. Columns are those of
        `unisono.datasets.image2song.item.TYPES`, and ``split`` where the source brings one.
    audio : Path
        Folder of the sounds of songs (``id``, ``audio``), of which there may be none.
    skipped : Path
        CSV of what gives no item: item, kind, reason.
    summary : Path
        JSON of what is returned.

    Returns
    -------
    dict
        Counts of pictures, songs and groups, versions of what was read, licences, whether the lyrics may be shown in
        full (``free_text``), and what a reader of the card is told (``told``, ``left_out``).

    Raises
    ------
    DataError
        A source cannot be read, more than `max_skipped_fraction` of it is broken, an id occurs twice, or no picture or
        song is left.
    ConfigError
        There are no lemmas of the language.
    """
    lemmas = Lemmas(section.language)
    found = _read(section)
    n_read = len(found.pictures) + len(found.songs) + len(found.left)
    left = list(found.left)
    songs = _long_enough(found.songs, section, lemmas, left)
    pictures = _plain(_with_song(found.pictures, songs, section, left), section, left)
    songs = _with_picture(songs, pictures, left)
    write_csv(skipped, Left._fields, ((*each[:2], " ".join(each.reason.split())) for each in sorted(left)))
    _check(pictures, songs, left, n_read, section, skipped)
    rows = _rows(pictures, songs, section, lemmas)
    facts = _facts(rows, section, found, left)
    kept = ("dataset", "source", "n_pictures", "n_songs", "licences", "free_text", "told", "left_out", "language")
    metadata = {**{key: facts[key] for key in kept}, "categories": []}
    _write(rows, out, shard_size=section.pictures.shard_size, metadata=metadata)
    _write_sounds(songs, audio, rate=found.sample_rate, metadata={key: facts[key] for key in ("dataset", "source")})
    with files.replacing(summary) as temporary:
        temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return facts


def _read(section: Image2song) -> Found:
    """Read pictures, and songs where they bring none."""
    found = sources.read(section.chosen, section)
    if section.unused("songs"):
        return found
    more = sources.read(section.songs.chosen, section)
    return Found(
        found.pictures, more.songs, [*found.left, *more.left], {**found.licences, **more.licences},
        [*found.told, *more.told], {**found.facts, **more.facts}, more.sample_rate,
    )  # fmt: skip


def _long_enough(songs: Sequence[Song], section: Image2song, lemmas: Lemmas, left: list[Left]) -> list[Song]:
    """Find the lemmas of songs; leave out short ones, and what repeats an opening where pictures name no songs."""
    least, opening = section.songs.min_lemmas, section.songs.opening_lemmas
    kept: list[Song] = []
    seen: set[tuple[str, ...]] = set()
    for song in songs:
        own = song.lemmas or tuple(lemmas.of(song.text))
        if len(own) < least:
            left.append(Left(song.id, "too short", f"{len(own)} lemmas, {least} are needed"))
        elif not song.pair and own[:opening] in seen:
            left.append(Left(song.id, "repeated", f"its first {opening} lemmas are those of a song that is there"))
        else:
            seen.add(own[:opening])
            kept.append(song._replace(lemmas=own))
    return kept


def _with_song(
    pictures: Sequence[Picture], songs: Sequence[Song], section: Image2song, left: list[Left]
) -> list[Picture]:
    """Keep the pictures whose song is there and has enough of them; all where items do not pair."""
    known = {song.pair for song in songs if song.pair}
    counts = Counter(picture.pair for picture in pictures)
    least = section.pictures.min_pictures_per_song
    kept = []
    for picture in pictures:
        if picture.pair and picture.pair not in known:
            left.append(Left(picture.id, "no song", "its song is left out"))
        elif picture.pair and counts[picture.pair] < least:
            left.append(Left(picture.id, "few pictures", f"its song has {counts[picture.pair]}, {least} are needed"))
        else:
            kept.append(picture)
    return kept


def _plain(pictures: Sequence[Picture], section: Image2song, left: list[Left]) -> list[Picture]:
    """Make pictures plain; leave out what is none."""
    from tqdm import tqdm

    kept = []
    for picture in tqdm(pictures, desc="pictures", disable=None):
        if picture.plain:
            kept.append(picture)
            continue
        try:
            image = plain.plain(picture.content, picture.id, max_side=section.pictures.max_side)
        except DataError as error:
            left.append(Left(picture.id, "broken", str(error).removeprefix(f"{picture.id}: ")))
            continue
        kept.append(picture._replace(content=plain.encode(image, like=picture.content)[0]))
    return kept


def _with_picture(songs: Sequence[Song], pictures: Sequence[Picture], left: list[Left]) -> list[Song]:
    """Keep the songs that have a picture; all where items do not pair."""
    shown = {picture.pair for picture in pictures}
    left += [
        Left(song.id, "no picture", "its pictures are left out") for song in songs if song.pair not in {"", *shown}
    ]
    return [song for song in songs if not song.pair or song.pair in shown]


def _check(
    pictures: Sequence[Picture], songs: Sequence[Song], left: Sequence[Left], n: int, section: Image2song, skipped: Path
) -> None:
    """Fail when a source is empty, too much of it is broken, or nothing is left."""
    where = f"image2song.source {section.source}"
    broken = sorted(each for each in left if each.kind == "broken")
    allowed = section.pictures.max_skipped_fraction
    if len(broken) > allowed * n:
        first = "; ".join(f"{each.item}: {each.reason}" for each in broken[:2])
        raise DataError(
            f"{where}: {len(broken)} of {n} items are broken, more than image2song.pictures.max_skipped_fraction "
            f"{allowed} allows ({first}); {skipped} lists all: repair them"
        )
    if not pictures or not songs:
        raise DataError(
            f"image2song: {len(pictures)} pictures and {len(songs)} songs are left ({skipped} says why), some of both "
            "are needed; add some, or lower image2song.songs.min_lemmas"
        )
    items: list[Picture | Song] = [*pictures, *songs]
    repeated, count = Counter(item.id for item in items).most_common(1)[0]
    if count > 1:
        raise DataError(f"{where}: id {repeated!r} occurs {count} times; ids are unique")
    paired = sum(bool(item.pair) for item in items)
    if paired not in (0, len(items)):
        raise DataError(f"{where}: {paired} of {len(items)} items name a pair; all do, or none")


def _rows(
    pictures: Sequence[Picture], songs: Sequence[Song], section: Image2song, lemmas: Lemmas
) -> list[dict[str, Any]]:
    """Lay items out as rows of `TYPES`."""
    names = [section.source, section.source if section.unused("songs") else section.songs.source]
    own = [section.chosen.licence, section.chosen.licence if section.unused("songs") else section.songs.chosen.licence]
    groups = _groups(pictures, songs, section.songs.opening_lemmas)
    stops = stop_words(section.language)
    sung = {} if any(picture.words for picture in pictures) else {song.pair: song.lemmas for song in songs}
    items: list[Picture | Song] = [*pictures, *songs]
    rows = []
    for item, group in zip(items, groups, strict=True):
        song = isinstance(item, Song)
        row: dict[str, Any] = {name: getattr(item, name) for name in ("id", "title", "pair")}
        row |= {"part": LYRICS if song else IMAGE, "group": group, "source": names[song]}
        row["licence"] = item.licence or own[song]
        if isinstance(item, Picture):
            suffix = ".jpg" if item.content.startswith(b"\xff\xd8") else ".png"
            # Of pairs without any keywords the words of its song are those of a picture.
            own_words = sung.get(item.pair, ()) if sung else lemmas.distinct(item.words)
            kept = [word for word in dict.fromkeys(own_words) if word.lower() not in stops]
            row |= {
                "words": kept,
                "text": "",
                "image": (item.content, f"{item.id}{suffix}"),
            }
        else:
            row |= {"words": list(item.lemmas), "text": item.text, "image": (b"", "")}
        if any(each.split for each in pictures):
            row["split"] = item.split
        rows.append(row)
    return rows


def _groups(pictures: Sequence[Picture], songs: Sequence[Song], opening: int) -> list[str]:
    """Name the group of every item by the first item in it.

    Pictures of one series or of the same bytes are one, and songs of one opening; and where items pair, pictures and
    their songs.
    """
    items: list[Picture | Song] = [*pictures, *songs]
    series = [*(picture.series for picture in pictures), *([""] * len(songs))]
    looks = [*(hashlib.sha256(picture.content).hexdigest() for picture in pictures), *([""] * len(songs))]
    openings = [*([()] * len(pictures)), *(song.lemmas[:opening] for song in songs)]
    pairs = [item.pair for item in items]
    linked = [words.shared(keys) for keys in (series, looks, openings, pairs)]
    return [items[first].id for first in words.groups(len(items), *linked).tolist()]


def _facts(
    rows: Sequence[Mapping[str, Any]], section: Image2song, found: Found, left: Sequence[Left]
) -> dict[str, Any]:
    """Count what there is."""
    by_part = {part: [row for row in rows if row["part"] == part] for part in (IMAGE, LYRICS)}
    n_lemmas = np.array([len(row["words"]) for row in by_part[LYRICS]])
    kinds = dict(sorted(Counter(each.kind for each in left).items()))
    return {
        "dataset": "image2song",
        "source": section.named,
        "language": section.language,
        "n_pictures": len(by_part[IMAGE]),
        "n_songs": len(by_part[LYRICS]),
        "n_groups": {part: len({row["group"] for row in own}) for part, own in by_part.items()},
        "largest_group": {part: max(Counter(row["group"] for row in own).values()) for part, own in by_part.items()},
        "keywords_per_picture": round(float(np.mean([len(row["words"]) for row in by_part[IMAGE]])), 3),
        "lemmas_per_song": {
            "min": int(n_lemmas.min()), "median": float(np.median(n_lemmas)), "max": int(n_lemmas.max())
        },
        "n_left_out": kinds,
        "read": {**found.facts, "simplemma": importlib.metadata.version("simplemma")},
        "n_stop_words": len(stop_words(section.language)),
        "free_text": bool(found.facts.get("free_text", False)),
        "licences": dict(found.licences),
        "told": [*found.told, *_told(by_part, kinds)],
        "left_out": list(_left_out(section, kinds)),
    }  # fmt: skip


def _told(by_part: Mapping[str, Sequence[Mapping[str, Any]]], kinds: Mapping[str, int]) -> Iterator[str]:
    """Say what items there are."""
    del kinds
    groups = {part: len({row["group"] for row in own}) for part, own in by_part.items()}
    if by_part[IMAGE][0]["pair"]:
        yield (
            f"{len(by_part[IMAGE])} pictures of {len(by_part[LYRICS])} songs, in {groups[LYRICS]} groups that share an "
            "opening or a picture; a group lies in one part"
        )
        return
    yield (
        f"{len(by_part[IMAGE])} pictures are {groups[IMAGE]} groups that show nearly the same, {len(by_part[LYRICS])} "
        f"songs {groups[LYRICS]} openings; a group lies in one part"
    )


def _left_out(section: Image2song, kinds: Mapping[str, int]) -> Iterator[str]:
    """Say what was left out."""
    if "no glyph" in kinds:
        yield f"{kinds['no glyph']} characters are not drawn: the font lacks them, and shows a blank"
    if "too short" in kinds:
        least = f"{section.songs.min_lemmas} lemmas (`image2song.songs.min_lemmas`)"
        yield f"{kinds['too short']} texts have fewer than {least}"
    if "repeated" in kinds:
        yield f"{kinds['repeated']} items are there by another name, or begin as another song does"


def _write(rows: Sequence[dict[str, Any]], out: Path, *, shard_size: int, metadata: Mapping[str, Any]) -> None:
    """Write rows as shards, of which each holds pictures or songs alone."""
    types = {**TYPES, **({"split": pa.string()} if "split" in rows[0] else {})}
    index = 0
    with files.replacing_folder(out) as fresh:
        for part in (IMAGE, LYRICS):
            own = [row for row in rows if row["part"] == part]
            for start in range(0, len(own), shard_size):
                some = own[start : start + shard_size]
                columns = {name: [row[name] for row in some] for name in types}
                path = fresh / parquet.shard_name(index)
                parquet.write(path, columns, types=types, metadata=metadata, media={"image": "image"})
                index += 1


def _write_sounds(songs: Sequence[Song], audio: Path, *, rate: int, metadata: Mapping[str, Any]) -> None:
    """Write the sounds of songs; an empty table where there is none."""
    heard = [song for song in songs if song.sound]
    types = {"id": pa.string(), "audio": parquet.MEDIA}
    rows = {"id": [song.id for song in heard], "audio": [(song.sound, f"{song.id}.flac") for song in heard]}
    with files.replacing_folder(audio) as fresh:
        parquet.write(
            fresh / parquet.shard_name(0), rows, types=types, metadata={**metadata, "sample_rate": rate},
            media={"audio": "audio"}, sampling_rate=rate or None,
        )  # fmt: skip
