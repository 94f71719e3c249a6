"""Queries on MTM: a sound, a picture, lyrics, a MIDI file or a score, each through the functions of its stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.mtm import Mtm
from unisono.errors import DataError
from unisono.features.query import reading
from unisono.features.query.place import ID, N_NOTES, Place
from unisono.io import parquet

#: Longest sound that is heard, in seconds: no sample is longer.
SOUND_S = 120.0


def _sound(source: Path, view: str, place: Place) -> list[str]:
    from unisono.media import audio

    said: list[str] = []
    samples, rate, length_s = reading.read_sound(source, longest_s=SOUND_S, said=said)
    bounds = np.linspace(0, len(samples) / rate, N_NOTES + 1)
    times = parquet.vector(N_NOTES)
    parquet.write(
        place.folder / "audio" / parquet.shard_name(0),
        {
            "id": [ID],
            "audio": [(audio.encode_flac(samples, rate), "query.flac")],
            "onsets": [bounds[:-1]],
            "offsets": [bounds[1:]],
        },
        types={"id": pa.string(), "audio": parquet.MEDIA, "onsets": times, "offsets": times},
    )
    _vggish(place, view)
    part_s = bounds[1]
    return [
        *said,
        *reading.heard(length_s, SOUND_S),
        f"its notes are not marked: {N_NOTES} equal parts of {part_s:.2f} s stand for its {N_NOTES} notes",
    ]


def _vggish(place: Place, view: str) -> None:
    from unisono.features.vggish import extraction as vggish_extraction

    vggish_extraction.extract_folder(
        place.folder / "audio",
        place.folder / "features" / place.sets[view],
        settings=Mtm.load().features.vggish,
        compute=place.compute,
        downloads=place.downloads,
    )


def _picture(source: Path, view: str, place: Place) -> list[str]:
    from unisono.features.asmcmr import input as asmcmr_input
    from unisono.media import raster

    content = source.read_bytes()
    picture = asmcmr_input.read_picture(content, str(source), advice="get it again")
    cut = reading.on_white(picture, str(source))
    reading.check_staff(cut, str(source))
    if cut.shape != picture.shape or (cut != picture).any():
        content = raster.png(cut)
    parquet.write(
        place.folder / "engraved" / place.sets[view] / parquet.shard_name(0),
        {"id": [ID], "picture": [(content, source.name)]},
        types={"id": pa.string(), "picture": parquet.MEDIA},
    )
    found = _sheet(place, view)
    if _reads_notes(place, view):
        if not found:
            raise DataError(f"{source}: no note could be read in it; there is nothing to search by")
        return [] if found == N_NOTES else [f"{found} notes were read, where the items of the data set have {N_NOTES}"]
    return ["taken as one line of sheet music at about 100 dpi"]


def _reads_notes(place: Place, view: str) -> bool:
    from unisono.features.staff_reader import extraction as staff_extraction

    return place.sets[view] == staff_extraction.NAME


def _sheet(place: Place, view: str) -> int:
    """Take the picture to the feature set that is searched; count the notes of those that are read."""
    name = place.sets[view]
    pictures, out, models = place.folder / "engraved" / name, place.folder / "features" / name, place.built / "models"
    if _reads_notes(place, view):
        from unisono.features.staff_reader import extraction as staff_extraction

        staff_extraction.extract(
            pictures, models / "staff_reader.safetensors", out, name=name, compute=place.compute
        )  # fmt: skip
        return int(parquet.read(out, ["n_found"])["n_found"][0].as_py())
    from unisono.features.asmcmr import extraction as asmcmr_extraction

    asmcmr_extraction.extract(
        pictures,
        models / "asmcmr.safetensors",
        out,
        name=name,
        snippets=Mtm.load().features.asmcmr.snippets,
        compute=place.compute,
    )
    return 0


def _text(source: Path | str, view: str, place: Place) -> list[str]:
    from unisono.datasets.songs import lyrics

    if isinstance(source, Path):
        try:
            text, name = source.read_text(encoding="utf-8"), str(source)
        except UnicodeDecodeError:
            raise DataError(f"{source}: not a text in UTF-8") from None
        if source.suffix.lower() == lyrics.STAMPED:
            text = lyrics.plain(text, stamped=True)
    else:
        text, name = source, "the line of lyrics"
    columns = reading.syllables_of(text)
    n = len(columns[0])
    if n == 0:
        raise DataError(f"{name}: no syllable in it; there is nothing to search by")
    syllables, words, word_index = (column[:N_NOTES] for column in columns)
    kept = len(syllables)
    parquet.write(
        place.folder / "samples" / parquet.shard_name(0),
        {
            "id": [ID],
            "song": [""],
            "title": [""],
            "syllables": [syllables],
            "words": [words],
            "word_index": [word_index],
        },
        types={
            "id": pa.string(),
            "song": pa.string(),
            "title": pa.string(),
            "syllables": parquet.strings(kept),
            "words": parquet.strings(kept),
            "word_index": pa.list_(pa.int32(), kept),
        },
    )
    notes = [f"only its first {N_NOTES} of {n} syllables count"] if n > N_NOTES else []
    if n < N_NOTES:
        notes.append(f"{n} syllables, where the items of the data set have {N_NOTES}; hyphens divide a word in-to them")
    return notes + _lyrics(place, view, name)


def _lyrics(place: Place, view: str, name: str) -> list[str]:
    """Take the syllables of the small data set to the feature set of lyrics that is searched."""
    from unisono.features import skipgram, syllables

    out = place.folder / "features" / place.sets[view]
    if place.sets[view] == syllables.NAME:
        syllables.extract_folder(place.folder / "samples", out, compute=place.compute)
        return ["compared by where its words and sentences begin and end, not by what they say"]
    skipgram.extract_folder(place.folder / "samples", place.built / "models" / "skipgram", out, compute=place.compute)
    facts = parquet.metadata(out)
    shares = {level: float(facts[f"unknown_{level}"]) for level in skipgram.LEVELS}
    if min(shares.values()) == 1:
        raise DataError(
            f"{name}: none of its syllables and words stands in the data set's lyrics (case and punctuation count), so "
            "that there is nothing to search by; take words of its songs"
        )
    unknown = [f"{round(100 * share)} % of its {level}" for level, share in shares.items() if share]
    return [f"{' and '.join(unknown)} do not stand in the data set's lyrics"] if unknown else []


def _midi(source: Path, view: str, place: Place) -> list[str]:
    from unisono.datasets.mtm.song import Note

    notes = reading.read_midi(source, grid=Mtm.load().songs.grid)
    sung = tuple(
        Note(pitch, duration, rest, "", "", index) for index, (pitch, duration, rest) in enumerate(notes.tolist())
    )
    said = [f"the first {N_NOTES} notes of its melody are the query"]
    if view == "sheet":
        said.append("printed without lyrics, since a MIDI file has none")
    return said + _from_notes(sung, source.stem, view, place, with_lyrics=False)


def _score(source: Path, view: str, place: Place) -> list[str]:
    from unisono.datasets.mtm import samples
    from unisono.datasets.mtm.song import Skipped
    from unisono.datasets.mtm.sources import read_score

    songs = Mtm.load().songs
    song = read_score(source.read_bytes(), str(source))
    if isinstance(song, Skipped):
        raise DataError(f"{source}: {song.reason}; a score without words can be a query as a MIDI file")
    rule = samples.Rule("all", songs.max_duration, songs.max_rest, songs.grid)
    found = samples.cut(song, rule)
    if not found:
        raise DataError(f"{source}: every {N_NOTES} notes of it hold one that is longer than mtm.songs allows")
    first = N_NOTES * found[0].window + 1
    said = [f"notes {first} to {first + N_NOTES - 1} of {len(song.notes)} sung ones are the query"]
    return said + _from_notes(found[0].notes, song.title, view, place, with_lyrics=True)


def _from_notes(notes: Any, title: str, view: str, place: Place, *, with_lyrics: bool) -> list[str]:
    """Build the small data set as the stages build the large one."""
    from unisono.datasets.mtm import samples
    from unisono.datasets.mtm.song import Song

    params, name = Mtm.load(), place.sets[view]
    row = samples.row(samples.Sample(Song("", title, "", notes), 0, notes), name=ID, song="")
    samples.write([{**row, "id": ID}], place.folder / "samples", shard_size=1, metadata={})
    if view == "lyrics":
        return _lyrics(place, view, title)
    if view == "audio":
        from unisono.media import timidity

        skipped = place.folder / "skipped.csv"
        timidity.render_folder(
            place.folder / "samples", place.folder / "audio", skipped, params.audio, compute=place.compute
        )
        _vggish(place, view)
        return []
    from unisono.media import engraving

    engraving.engrave_folder(
        place.folder / "samples",
        place.folder / "engraved" / name,
        place.folder / "skipped.csv",
        params.engraver,
        engrave_lyrics=with_lyrics and name in params.engravings and params.engravings[name].engrave_lyrics,
        compute=place.compute,
    )
    _sheet(place, view)
    return []


def feature_sets() -> set[str]:
    """Name the feature sets that have an extractor here."""
    from unisono.features import syllables
    from unisono.features.staff_reader import extraction as staff_extraction

    return {"audio", "lyrics", syllables.NAME, staff_extraction.NAME, *Mtm.load().engravings}


#: Folder in which the stages keep published files.
DOWNLOADS = Path("data/raw/vggish")
#: By kind of file.
READERS = {"sound": _sound, "picture": _picture, "text": _text, "MIDI file": _midi, "score": _score}
