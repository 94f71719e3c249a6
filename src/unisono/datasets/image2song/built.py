"""Songs of the data sets ``songs`` and ``mtm`` as they are built, with their sound.

**Conventions.** Of ``songs`` the first file of each song counts; of ``mtm`` the samples of a song are put together in
the order of parts and windows, words that windows share once, and the sound is that of the first sample. Songs in
another language than the pictures' keywords are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from unisono.datasets import items
from unisono.datasets.image2song.item import Found, Left, Song
from unisono.datasets.songs import categories
from unisono.errors import DataError
from unisono.io import parquet

#: Folder of the built data sets.
DATA = Path("data")


def songs(language: str, folder: Path = DATA / "songs") -> Found:
    """Read the songs of ``songs``.

    Parameters
    ----------
    language : str
        ISO 639-1.
    folder : Path

    Returns
    -------
    Found

    Raises
    ------
    DataError
        It is not built, or was built of features, without words.
    """
    samples = folder / "samples"
    names = parquet.schema(samples).names
    if "text" not in names or "language" not in names:
        raise DataError(f"{samples}: songs without words (songs.source: features); choose another songs.source")
    rows = parquet.to_list(parquet.read(samples, ["id", "song", "title", "text", "language"]), str(samples))
    sounds, rate = _sounds(folder)
    found: dict[str, Song] = {}
    left: list[Left] = []
    for row in rows:
        identifier = row["id"]
        if row["language"] != language:
            left.append(Left(identifier, "language", f"its language is {row['language'] or 'unknown'}, not {language}"))
        elif row["song"] in found:
            left.append(Left(identifier, "repeated", "another file of a song that is there"))
        else:
            sound = sounds.get(identifier, b"")
            found[row["song"]] = Song(f"songs/{identifier}", row["title"], row["text"], sound=sound)
    return _found(list(found.values()), left, samples, rate)


def mtm(language: str, folder: Path = DATA / "mtm") -> Found:
    """Read the songs of ``mtm``; as `songs`.

    Parameters
    ----------
    language : str
    folder : Path

    Returns
    -------
    Found

    Raises
    ------
    DataError
        It is not built.
    """
    samples = folder / "samples"
    columns = ["id", "song", "title", "part", "window", "words", "word_index"]
    rows: list[dict[str, Any]] = parquet.to_list(parquet.read(samples, columns), str(samples))
    by_song: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_song.setdefault(row["song"], []).append(row)
    sounds, rate = _sounds(folder)
    found, left = [], []
    for song, own in by_song.items():
        first = own[0]
        own = sorted((row for row in own if row["part"] == first["part"]), key=lambda row: row["window"])
        text = " ".join(_words(own))
        told = categories.language(text)
        if told != language:
            left.append(Left(song, "language", f"its language is {told or 'unknown'}, not {language}"))
            continue
        sound = next((sounds[row["id"]] for row in own if row["id"] in sounds), b"")
        found.append(Song(f"mtm/{song}", first["title"], text, sound=sound))
    return _found(found, left, samples, rate)


def _words(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Give the words of consecutive samples, each of which stands there once per syllable."""
    last: tuple[int, int] | None = None
    for row in rows:
        for word, index in zip(row["words"], row["word_index"], strict=True):
            if (row["window"], index) != last:
                yield word
            last = (row["window"], index)


def _sounds(folder: Path) -> tuple[dict[str, bytes], int]:
    """Read the sound of items, and its rate."""
    audio = folder / "audio"
    if not audio.is_dir():
        return {}, 0
    wanted = parquet.read(audio, ["id"])["id"].to_pylist()
    found = items.readable(audio, ["audio"], wanted)
    return {item: sound["bytes"].as_py() for item, (sound,) in found}, int(
        parquet.metadata(audio).get("sample_rate", 0)
    )


def _found(songs: list[Song], left: list[Left], samples: Path, rate: int) -> Found:
    facts = parquet.metadata(samples)
    source = str(facts.get("source", "unknown"))
    if not songs:
        raise DataError(f"{samples}: no song in that language; set image2song.language, or choose other songs")
    licences = {f"{samples.parent.name}: {name}": text for name, text in facts.get("licences", {}).items()}
    told = [f"{len(songs)} songs of the data set `{samples.parent.name}` ({source}), {len(left)} left out"]
    return Found(
        songs=songs, left=left, licences=licences, told=told, sample_rate=rate,
        facts={"songs": source, "free_text": bool(facts.get("free_text"))},
    )  # fmt: skip
