"""Queries on songs: a sound or some words, through the functions of its stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from unisono.config.songs import Songs
from unisono.errors import DataError
from unisono.features.query import reading
from unisono.features.query.place import ID, Place
from unisono.io import parquet

#: Longest text that is read, in bytes.
MAX_BYTES = 2**20


def _sound(source: Path, view: str, place: Place) -> list[str]:
    from unisono.features import songs, songs_extraction
    from unisono.media import audio

    _refuse_brought(view, place, str(source))
    section, name = Songs.load(), place.sets[view]
    said: list[str] = []
    samples, rate, length_s = reading.read_sound(source, longest_s=section.audio.clip_s, said=said)
    if length_s < songs.SHORTEST_S:
        raise DataError(f"{source}: lasts {length_s:.2f} s, at least {songs.SHORTEST_S:g} s are needed; give more")
    shard = parquet.shard_name(0)
    parquet.write(place.folder / "samples" / shard, {"id": [ID]}, types={"id": pa.string()})
    sound = {"id": [ID], "audio": [(audio.encode_flac(samples, rate), "query.flac")]}
    parquet.write(place.folder / "audio" / shard, sound, types={"id": pa.string(), "audio": parquet.MEDIA})
    songs_extraction.extract_folder(
        place.folder / "samples",
        place.folder / "audio",
        place.folder / "features" / name,
        view=name,
        name=name,
        settings=getattr(section.features, name),
        clip_s=section.audio.clip_s,
        compute=place.compute,
        downloads=place.downloads,
    )
    if length_s < section.audio.clip_s:
        said.append(f"its {length_s:.1f} s are repeated to {section.audio.clip_s:g} s, as those of short songs are")
    return said + reading.heard(length_s, section.audio.clip_s)


def _text(source: Path | str, view: str, place: Place) -> list[str]:
    from unisono.datasets.songs import lyrics

    where = str(source) if isinstance(source, Path) else "the line of lyrics"
    _refuse_brought(view, place, where)
    name, text = place.sets[view], str(source)
    if isinstance(source, Path):
        with source.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise DataError(f"{source}: more than the {MAX_BYTES:,} bytes of text that are read; cut out what you mean")
        try:
            text = lyrics.decode(content)
        except DataError as error:
            raise DataError(f"{source}: {error}") from None
    stamped = isinstance(source, Path) and source.suffix.lower() == lyrics.STAMPED
    vectors = _embedded(lyrics.plain(text, stamped=stamped), name, place)
    if not vectors.any():
        raise DataError(
            f"{where}: none of its words was learnt by {name}, so that there is nothing to search by; take more words, "
            "in a language of the data set"
        )
    parquet.write(
        place.folder / "features" / name / parquet.shard_name(0),
        {"id": [ID], name: vectors},
        types={"id": pa.string(), name: parquet.vector(vectors.shape[1])},
    )
    return []


def _embedded(text: str, name: str, place: Place) -> np.ndarray:
    """Embed a text as the data set's features are: by their deal's model, ending in zeros where others are wider."""
    from unisono.datasets.columns import to_view
    from unisono.features import texts
    from unisono.features.texts.extraction import FILE

    models = place.built / "models" / name
    own = models / f"deal{place.deal}" / FILE
    vectors = texts.module(name).load(own if own.is_file() else models / FILE).embed([text])
    features = place.built / "features" / name
    first = next(parquet.iterate(features, [name], batch_size=1))
    width = to_view(pa.chunked_array([first.column(name)]), where=str(features))[0].shape[-1]
    return np.pad(vectors, ((0, 0), (0, max(0, width - vectors.shape[1]))))


def _refuse_brought(view: str, place: Place, what: str) -> None:
    """Raise `DataError` where the source brought vectors that no extractor of ours makes."""
    facts = parquet.metadata(place.built / "features" / place.sets[view])
    if facts.get("extractor") == "the source's own":
        raise DataError(
            f"{what}: the features of {place.built} were brought by their source, so that nothing can be taken through "
            "the same extractor; give an id"
        )


def feature_sets() -> set[str]:
    """Name the feature sets that have an extractor here."""
    features = Songs.load().features
    return {*features.sets, *features.texts.sets}


#: Folder in which the stages keep published files.
DOWNLOADS = Path("data/raw/extractors")
#: By kind of file.
READERS = {"sound": _sound, "text": _text}
