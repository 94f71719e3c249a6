"""A file or a line of lyrics as the one item of a small data set, taken through the extractors of a built one.

**Conventions.** The query becomes shards like those of its data set (``samples``, ``audio``, ``engraved/<set>``), and
the very functions that the stages call turn these into features, with the settings of ``params.yaml`` and the trained
encoders of the built data set. What a file leaves open is settled so:

- A sound has no notes marked. On MTM it is cut into 20 equal parts, which stand for its 20 notes; at most `SOUND_S`
  seconds are heard. On VEGAS the first 10 s are heard, as of every clip.
- Of a MIDI file or a score the first 20 notes count: of a MIDI file those of the first instrument with as many, the
  highest where several begin together; of a score those with syllables. They are played by TiMidity++ or printed by
  LilyPond, as those of the data set were.
- A picture is one line of sheet music at about 100 dpi.
- Lyrics are words divided by blanks, and syllables by hyphens ("Mei-ne See-le"); the first 20 syllables count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from unisono import config
from unisono.config.compute import Compute
from unisono.errors import ConfigError, DataError
from unisono.io import parquet

#: Id of the query in its small data set.
ID = "query"
#: Kinds of files by suffix.
KINDS: Mapping[str, str] = {
    **dict.fromkeys((".wav", ".mp3", ".flac", ".ogg", ".aif", ".aiff"), "sound"),
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"), "video"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"), "picture"),
    **dict.fromkeys((".mid", ".midi"), "MIDI file"),
    **dict.fromkeys((".musicxml", ".mxl", ".xml"), "score"),
    ".txt": "text",
}
#: Views that a kind of file can be a query in, the usual one first.
VIEWS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "mtm": {
        "sound": ("audio",),
        "picture": ("sheet",),
        "MIDI file": ("audio", "sheet"),
        "score": ("audio", "sheet", "lyrics"),
        "text": ("lyrics",),
    },
    "vegas": {"video": ("visual", "audio"), "sound": ("audio",)},
    "mv10k": {},
}
#: Longest sound that is heard on MTM, in seconds: no sample is longer.
SOUND_S = 120.0
#: Largest file that is read, in bytes; sounds are read in part and may be larger.
MAX_BYTES = 512 * 2**20
#: Syllables of a sample, and notes.
N_NOTES = 20
#: Rate of the sound in a VEGAS query, in Hz: that of VGGish.
CLIP_RATE_HZ = 16_000


@dataclass
class Extracted:
    """Features of a query.

    Attributes
    ----------
    view : str
    vectors : np.ndarray [shape=(1, n, d), dtype=float32]
    notes : list of str
        What was settled that the file leaves open.
    """

    view: str
    vectors: np.ndarray
    notes: list[str] = field(default_factory=list)


class _Place(NamedTuple):
    """Where the query's small data set is, and the built one with its encoders."""

    folder: Path
    built: Path
    #: Feature set by view.
    sets: Mapping[str, str]
    downloads: Path
    compute: Compute


def kind_of(path: Path) -> str:
    """Say what a file is, by its suffix.

    Raises
    ------
    DataError
        The suffix is unknown.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{path}: unknown kind of file {path.suffix!r}; expected one of {', '.join(KINDS)}")
    return kind


def view_of(kind: str, dataset: str, view: str | None, name: str) -> str:
    """Choose the view in which a file is a query.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    dataset : {"mtm", "vegas", "mv10k"}
    view : str or None
        What was asked for.
    name : str
        Of the file, for messages.

    Returns
    -------
    str

    Raises
    ------
    DataError
        A file of this kind can be no query on the data set, or not in this view.
    """
    legal = VIEWS[dataset].get(kind, ())
    if not legal:
        others = ", ".join(VIEWS[dataset]) or "none, an id only"
        raise DataError(f"{name}: a {kind} cannot be a query on {dataset}; kinds that can: {others}")
    if view is not None and view not in legal:
        raise DataError(f"{name}: a {kind} cannot be a query in the view {view!r}; it can in {' or '.join(legal)}")
    return view or legal[0]


def extract(
    source: Path | str, dataset: str, *, view: str | None, sets: Mapping[str, str], built: Path, folder: Path
) -> Extracted:
    """Take a query through the extractors of a data set.

    Parameters
    ----------
    source : Path or str
        A file, or a line of lyrics.
    dataset : {"mtm", "vegas"}
    view : str or None
        In which it is a query; the kind's usual one by default.
    sets : mapping of str to str
        Feature set by view.
    built : Path
        Folder of the built data set.
    folder : Path
        Empty; the query's small data set is written here.

    Returns
    -------
    Extracted

    Raises
    ------
    DataError
        The file is missing, empty, damaged, silent, blank, too long, or of a kind that the data set does not know.
    ConfigError, ProgramError, DownloadError
        params.yaml, an external program or a published file is missing.
    """
    compute = config.load("compute").model_copy(update={"executor": "serial", "scratch": folder / "scratch"})
    if isinstance(source, Path):
        kind = kind_of(source)
        view = view_of(kind, dataset, view, str(source))
        _check_file(source, kind)
    else:
        kind = "text"
        view = view_of(kind, dataset, view, "the line of lyrics")
    place = _Place(folder, built, sets, _downloads(dataset), compute)
    if sets[view] not in _known_sets(dataset):
        raise ConfigError(f"{view}: features {sets[view]!r} of {dataset} have no extractor in params.yaml; give an id")
    notes = _READERS[dataset, kind](source, view, place)
    return Extracted(view, _vectors(folder / "features" / sets[view], sets[view]), notes)


def _downloads(dataset: str) -> Path:
    """Name the folder in which the stages keep published files."""
    return Path("data/raw") / {"mtm": "vggish", "vegas": "extractors"}[dataset]


def _known_sets(dataset: str) -> set[str]:
    params = config.load(dataset)
    return {"audio", "lyrics", *params.engravings} if dataset == "mtm" else set(params.features.sets)


def _check_file(path: Path, kind: str) -> None:
    if path.is_dir():
        raise DataError(f"{path}: a folder; give one file")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"{path}: an empty file; get it again")
    if kind != "sound" and size > MAX_BYTES:
        raise DataError(f"{path}: {size:,} bytes, more than the {MAX_BYTES:,} that are read; cut out what you mean")


def _vectors(features: Path, name: str) -> np.ndarray:
    """Read the one row of features as the loader would."""
    from unisono.datasets.loading import is_vectors, to_view

    table = parquet.read(features)
    columns = [column for column in table.column_names if is_vectors(table.schema.field(column).type)]
    vectors: np.ndarray = np.concatenate([to_view(table.column(column), where=name)[0] for column in columns], axis=-1)
    if "n_frames" in table.column_names:
        vectors = vectors[:, : table.column("n_frames")[0].as_py()]
    return vectors


# ---- Sound


def read_sound(path: Path, *, longest_s: float) -> tuple[np.ndarray, int, float]:
    """Read the beginning of a sound file.

    Parameters
    ----------
    path : Path
        WAV, MP3, FLAC, or what else libsndfile reads.
    longest_s : float
        What is read at most, in seconds.

    Returns
    -------
    samples : np.ndarray [shape=(n,), dtype=float32]
        The mean of the channels.
    rate : int
        In Hz.
    length_s : float
        Of the whole file.

    Raises
    ------
    DataError
        Not a sound file, damaged, without samples, or silent.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate, length_s = int(file.samplerate), file.frames / file.samplerate
            samples = file.read(round(longest_s * rate), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise DataError(f"{path}: not a readable sound file, or damaged ({error})") from None
    if not len(samples):
        raise DataError(f"{path}: a sound file without samples")
    mono: np.ndarray = samples.mean(axis=1)
    _check_sound(mono, str(path))
    return mono, rate, length_s


def _check_sound(samples: np.ndarray, name: str) -> None:
    from unisono.media.timidity import SILENCE

    if not np.isfinite(samples).all():
        raise DataError(f"{name}: its sound holds NaN or infinite values; encode it anew")
    if np.abs(samples).max() * 32768 <= SILENCE:
        raise DataError(
            f"{name}: silent, as far as it is heard ({len(samples)} samples); there is nothing to search by"
        )


def _heard(length_s: float, longest_s: float) -> list[str]:
    if length_s <= longest_s:
        return []
    return [f"only the first {longest_s:g} s of {length_s:.1f} s are heard"]


def _mtm_sound(source: Path, view: str, place: _Place) -> list[str]:
    from unisono.media import audio

    samples, rate, length_s = read_sound(source, longest_s=SOUND_S)
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
        *_heard(length_s, SOUND_S),
        f"its notes are not marked: {N_NOTES} equal parts of {part_s:.2f} s stand for its {N_NOTES} notes",
    ]


def _vggish(place: _Place, view: str) -> None:
    from unisono.features import vggish_extraction

    vggish_extraction.extract_folder(
        place.folder / "audio",
        place.folder / "features" / place.sets[view],
        settings=config.load("mtm").features.vggish,
        compute=place.compute,
        downloads=place.downloads,
    )


# ---- Sheet music


def check_staff(picture: np.ndarray, name: str) -> None:
    """Check that a picture may be one line of sheet music: thin dark lines through most of its width.

    Parameters
    ----------
    picture : np.ndarray [shape=(rows, columns), dtype=uint8]
        Grey, white 255.
    name : str
        For messages.

    Raises
    ------
    DataError
        It is blank, without a staff, or holds several.
    """
    from unisono.features.asmcmr_input import LIGHTEST_INK, STRIP_ROWS

    ink = picture < LIGHTEST_INK
    if not ink.any():
        raise DataError(f"{name}: blank; there is nothing to search by")
    # A line between two rows is grey in both.
    filled = (ink[1:] | ink[:-1]).mean(axis=1) if len(ink) > 1 else ink.mean(axis=1)
    lines = np.flatnonzero(filled >= 0.9 * filled.max())
    if filled.max() < 0.5 or len(lines) > len(filled) / 2:
        raise DataError(f"{name}: no staff in it (lines through its width); expected one line of sheet music")
    if lines[-1] - lines[0] > STRIP_ROWS:
        raise DataError(
            f"{name}: its staff lines are {lines[-1] - lines[0]} pixels apart, more than {STRIP_ROWS}: several staves, "
            "or far more than 100 dpi; cut out one line of music and scale it to about 100 dpi"
        )


def _mtm_picture(source: Path, view: str, place: _Place) -> list[str]:
    from unisono.features import asmcmr_input

    content = source.read_bytes()
    try:
        picture = asmcmr_input.read_picture(content, str(source))
    except DataError as error:
        raise DataError(str(error).replace("; build the pictures again", "; get it again")) from None
    check_staff(picture, str(source))
    parquet.write(
        place.folder / "engraved" / place.sets[view] / parquet.shard_name(0),
        {"id": [ID], "picture": [(content, source.name)]},
        types={"id": pa.string(), "picture": parquet.MEDIA},
    )
    _asmcmr(place, view)
    return ["taken as one line of sheet music at about 100 dpi"]


def _asmcmr(place: _Place, view: str) -> None:
    from unisono.features import asmcmr_extraction

    name = place.sets[view]
    asmcmr_extraction.extract(
        place.folder / "engraved" / name,
        place.built / "models" / "asmcmr.safetensors",
        place.folder / "features" / name,
        name=name,
        snippets=config.load("mtm").features.asmcmr.snippets,
        compute=place.compute,
    )


# ---- Lyrics


def syllables_of(text: str) -> tuple[list[str], list[str], list[int]]:
    """Divide a line of lyrics.

    Parameters
    ----------
    text : str
        Words divided by blanks, syllables by hyphens.

    Returns
    -------
    syllables, words : list of str
        Words without hyphens, once per syllable.
    word_index : list of int

    Examples
    --------
    >>> syllables_of("Mei-ne See-le")
    (['Mei', 'ne', 'See', 'le'], ['Meine', 'Meine', 'Seele', 'Seele'], [0, 0, 1, 1])
    """
    from unisono.datasets.mtm.song import clean

    parts = [[part for part in word.split("-") if part] for word in clean(text).split()]
    divided = [(part, "".join(word), index) for index, word in enumerate(filter(None, parts)) for part in word]
    return [part for part, _, _ in divided], [word for _, word, _ in divided], [index for _, _, index in divided]


def _mtm_text(source: Path | str, view: str, place: _Place) -> list[str]:
    if isinstance(source, Path):
        try:
            text, name = source.read_text(encoding="utf-8"), str(source)
        except UnicodeDecodeError:
            raise DataError(f"{source}: not a text in UTF-8") from None
    else:
        text, name = source, "the line of lyrics"
    columns = syllables_of(text)
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
    return notes + _skipgram(place, view, name)


def _skipgram(place: _Place, view: str, name: str) -> list[str]:
    from unisono.features import skipgram

    out = place.folder / "features" / place.sets[view]
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


# ---- Notes


def read_midi(path: Path, *, grid: float) -> np.ndarray:
    """Read the first 20 notes of a MIDI file's melody.

    Parameters
    ----------
    path : Path
    grid : float
        In beats; lengths go to the nearest multiple, as in the data set.

    Returns
    -------
    np.ndarray [shape=(20, 3), dtype=float64]
        Pitch, duration and rest before the note, in beats; of notes that begin together the highest, cut off where
        the next one begins.

    Raises
    ------
    DataError
        Not a MIDI file, damaged, or no instrument with 20 notes.
    """
    import warnings

    import pretty_midi

    from unisono.datasets.mtm.samples import snap

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = pretty_midi.PrettyMIDI(str(path))
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a readable MIDI file, or damaged ({error or type(error).__name__})") from None
    longest = 0
    for instrument in score.instruments:
        if instrument.is_drum:
            continue
        highest: dict[float, Any] = {}
        for note in sorted(instrument.notes, key=lambda note: note.pitch):
            highest[score.time_to_tick(note.start)] = note
        melody = sorted(highest.items())
        longest = max(longest, len(melody))
        if len(melody) < N_NOTES:
            continue
        starts = [start / score.resolution for start, _ in melody] + [np.inf]
        rows, end = [], starts[0]
        for index, (_, note) in enumerate(melody[:N_NOTES]):
            stop = min(score.time_to_tick(note.end) / score.resolution, starts[index + 1])
            rows.append(
                [note.pitch, snap(stop - starts[index], grid, least=1), snap(max(starts[index] - end, 0.0), grid)]
            )
            end = stop
        return np.array(rows, dtype=np.float64)
    raise DataError(f"{path}: {longest} notes in its longest part, {N_NOTES} are needed")


def _mtm_midi(source: Path, view: str, place: _Place) -> list[str]:
    from unisono.datasets.mtm.song import Note

    notes = read_midi(source, grid=config.load("mtm").songs.grid)
    sung = tuple(Note(*map(float, note), "", "", index) for index, note in enumerate(notes))
    said = [f"the first {N_NOTES} notes of its melody are the query"]
    if view == "sheet":
        said.append("printed without lyrics, since a MIDI file has none")
    return said + _from_notes(sung, source.stem, view, place, with_lyrics=False)


def _mtm_score(source: Path, view: str, place: _Place) -> list[str]:
    from unisono.datasets.mtm import samples
    from unisono.datasets.mtm.song import Skipped
    from unisono.datasets.mtm.sources import read_score

    songs = config.load("mtm").songs
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


def _from_notes(notes: Any, title: str, view: str, place: _Place, *, with_lyrics: bool) -> list[str]:
    """Build the small data set as the stages build the large one."""
    from unisono.datasets.mtm import samples
    from unisono.datasets.mtm.song import Song

    params, name = config.load("mtm"), place.sets[view]
    row = samples.row(samples.Sample(Song("", title, "", notes), 0, notes), name=ID, song="")
    samples.write([{**row, "id": ID, "split": "test"}], place.folder / "samples", shard_size=1, metadata={})
    if view == "lyrics":
        return _skipgram(place, view, title)
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
        engrave_lyrics=with_lyrics and params.engravings[name].engrave_lyrics,
        compute=place.compute,
    )
    _asmcmr(place, view)
    return []


# ---- Clips


def as_clip(samples: np.ndarray, rate: int) -> bytes:
    """Put a sound into a video file without pictures, which the extractors of clips read.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        In -1 ... 1; what lies outside is clipped.
    rate : int
        In Hz; the result has 16,000.

    Returns
    -------
    bytes
        A Matroska file with 16-bit samples.
    """
    import io

    import av

    from unisono.features import logmel

    whole = np.clip(logmel.resample(samples, rate) * 32767, -32768, 32767).astype(np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=CLIP_RATE_HZ, layout="mono")
        for start in range(0, len(whole), CLIP_RATE_HZ):
            frame = av.AudioFrame.from_ndarray(whole[None, start : start + CLIP_RATE_HZ], format="s16", layout="mono")
            frame.sample_rate = CLIP_RATE_HZ
            frame.pts = start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def _vegas_sound(source: Path, view: str, place: _Place) -> list[str]:
    from unisono.features.clips import SECONDS

    samples, rate, length_s = read_sound(source, longest_s=SECONDS)
    _clip(as_clip(samples, rate), source, view, place)
    return _heard(length_s, SECONDS)


def _vegas_video(source: Path, view: str, place: _Place) -> list[str]:
    from unisono.features.clips import SECONDS
    from unisono.media import video

    clip = source.read_bytes()
    try:
        if view == "audio":
            samples = video.sound(clip, CLIP_RATE_HZ)
            _check_sound(samples[: SECONDS * CLIP_RATE_HZ], str(source))
            length_s = len(samples) / CLIP_RATE_HZ
        else:
            length_s = video.duration(clip)
    except DataError as error:
        text = str(error).removeprefix(f"{source}: ")
        hint = f"; cut out the {SECONDS} s that you mean" if "at most" in text or "longer than" in text else ""
        raise DataError(f"{source}: {text}{hint}") from None
    _clip(clip, source, view, place)
    return [note.replace("heard", "used") for note in _heard(length_s, SECONDS)]


def _clip(clip: bytes, source: Path, view: str, place: _Place) -> None:
    from unisono.features import video_extraction

    features, name = config.load("vegas").features, place.sets[view]
    fitted = place.built / "models" / f"whitening_{name}.safetensors"
    if "video" not in _columns(place.built / "samples"):
        raise DataError(
            f"{source}: the features of {place.built} were published without the clips, so that no file can be taken "
            "through the same extractor; give an id"
        )
    parquet.write(
        place.folder / "samples" / parquet.shard_name(0),
        {"id": [ID], "fold": [0], "video": [(clip, source.name)]},
        types={"id": pa.string(), "fold": pa.int32(), "video": parquet.MEDIA},
    )
    left_out = video_extraction.extract_folder(
        place.folder / "samples",
        place.folder / "features" / name,
        view=name,
        name=features.sets[name],
        settings=getattr(features, features.sets[name]),
        fitted=fitted,
        compute=place.compute,
        downloads=place.downloads,
    )
    if left_out:
        raise DataError(f"{source}: {left_out[0][1]}")


def _columns(folder: Path) -> list[str]:
    first = next(iter(parquet.iterate(folder, batch_size=1)), None)
    return [] if first is None else list(first.schema.names)


_Reader = Callable[[Any, str, _Place], list[str]]
_READERS: Mapping[tuple[str, str], _Reader] = {
    ("mtm", "sound"): _mtm_sound,
    ("mtm", "picture"): _mtm_picture,
    ("mtm", "text"): _mtm_text,
    ("mtm", "MIDI file"): _mtm_midi,
    ("mtm", "score"): _mtm_score,
    ("vegas", "sound"): _vegas_sound,
    ("vegas", "video"): _vegas_video,
}
