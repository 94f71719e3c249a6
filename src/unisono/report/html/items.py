"""What the gallery shows of an item, data set by data set.

**Conventions.** An item shows as a list of parts per view, each a dict: ``{"kind": "sound" | "picture" | "text", "src"
or "text": ..., "alt": ...}``. What cannot be read is left out: an item without parts is shown by its name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import DataError
from unisono.io import parquet
from unisono.media import audio, video
from unisono.report import items
from unisono.report.html import media
from unisono.store import pieces

Part = dict[str, str]


@dataclass
class Shown:
    """An item for the page.

    Attributes
    ----------
    about : str
        Beside its id: a title.
    group : str
        Items of one group (windows of a song) share it.
    parts : dict of str to list of dict
        By view, or by feature set where a view has several looks (sheet music with and without its lyrics).
    """

    about: str = ""
    group: str = ""
    parts: dict[str, list[Part]] = field(default_factory=dict)

    def size(self) -> int:
        """Count the letters of its media in the page."""
        return sum(len(part.get("src", "")) for parts in self.parts.values() for part in parts)


#: What is said of a data set whose items can be neither seen nor heard as they are.
REMARKS = {
    "mv10k": "This data set holds features, not videos: what is shown are an item's 8-bit features over time, "
    "the 128 of its sound and the first 128 of its pictures.",
}


def read(dataset: str, folder: Path, wanted: Iterable[str], *, sound_s: float) -> dict[str, Shown]:
    """Read items.

    Parameters
    ----------
    dataset : {"mtm", "vegas", "mv10k"}
    folder : Path
        The built data set.
    wanted : iterable of str
        Ids.
    sound_s : float
        Longest piece of a sound, from its beginning, in seconds.

    Returns
    -------
    dict of str to Shown
        Of all that are wanted; what is missing or damaged shows nothing.
    """
    found = {item: Shown() for item in sorted(set(wanted))}
    _READERS[dataset](folder, found, sound_s)
    return found


def _rows(source: Path, columns: list[str], found: Mapping[str, Shown]) -> dict[str, list[Any]]:
    """Read rows of a folder of shards; nothing where it or a column is missing or damaged."""
    try:
        if not set(columns) <= set(items.columns_of(source)):
            return {}
        return items.rows_of(source, columns, found)
    except DataError:
        return {}


def _vegas(folder: Path, found: Mapping[str, Shown], sound_s: float) -> None:
    """Show some frames and play the sound of clips."""
    for item, (clip,) in _rows(folder / "samples", ["video"], found).items():
        content = clip["bytes"].as_py()
        _add(found[item], "visual", partial(_frames, content))
        _add(found[item], "audio", partial(_clip_sound, content, sound_s))


def _mtm(folder: Path, found: Mapping[str, Shown], sound_s: float) -> None:
    """Show lyrics, printed music (once per engraving) and play the piano."""
    texts = ["song", "title", "syllables", "word_index"]
    for item, values in _rows(folder / "samples", texts, found).items():
        song, title, syllables, words = (value.as_py() for value in values)
        found[item].about, found[item].group = str(title), str(song)
        _add(found[item], "lyrics", partial(_lyrics, syllables, words))
    for item, (sound,) in _rows(folder / "audio", ["audio"], found).items():
        _add(found[item], "audio", partial(_file_sound, sound["bytes"].as_py(), sound_s))
    for engraving in sorted((folder / "engraved").glob("*")):
        for item, (printed,) in _rows(engraving, ["picture"], found).items():
            _add(found[item], engraving.name, partial(_sheet, printed["bytes"].as_py()))


def _mv10k(folder: Path, found: Mapping[str, Shown], sound_s: float) -> None:
    """Show features over time."""
    for item, values in _rows(folder / "videos", ["audio", "rgb"], found).items():
        sound, pictures = (np.stack(list(parquet.to_numpy(value.values))) for value in values)
        for view, frames in (("audio", sound), ("visual", pictures[:, :128])):
            _add(found[item], view, partial(_features, view, frames))


_READERS: Mapping[str, Callable[[Path, Mapping[str, Shown], float], None]] = {
    "vegas": _vegas,
    "mtm": _mtm,
    "mv10k": _mv10k,
}


def _add(shown: Shown, view: str, make: partial[Part]) -> None:
    """Add a part, unless its file is damaged; kept, since decoding and encoding take time."""
    facts = (pieces.code(__name__), make.func.__qualname__, make.args)
    try:
        part = json.loads(pieces.made(lambda: json.dumps(make()).encode(), *facts))
        shown.parts.setdefault(view, []).append(part)
    except DataError:
        shown.parts.pop(view, None)


def _frames(clip: bytes) -> Part:
    frames = video.frames(clip)
    n = min(len(frames), media.FRAMES)
    return {"kind": "picture", "src": media.strip(frames), "alt": f"{n} frames of a clip of {len(frames)} s"}


def _sound(samples: np.ndarray, rate: int, longest_s: float) -> Part:
    piece = samples[: round(longest_s * rate)]
    alt = f"{len(samples) / rate:.1f} s of sound"
    if len(piece) < len(samples):
        alt = f"the first {len(piece) / rate:.1f} of {alt}"
    return {"kind": "sound", "src": media.sound(piece, rate), "alt": alt}


def _clip_sound(clip: bytes, longest_s: float) -> Part:
    return _sound(video.sound(clip), 16_000, longest_s)


def _file_sound(content: bytes, longest_s: float) -> Part:
    return _sound(*audio.decode(content), longest_s)


def _lyrics(syllables: Sequence[str], words: Sequence[int]) -> Part:
    return {"kind": "text", "text": media.lyrics(syllables, words)}


def _features(view: str, frames: np.ndarray) -> Part:
    return {"kind": "picture", "src": media.features(frames), "alt": f"{view} features over {len(frames)} s"}


def _sheet(printed: bytes) -> Part:
    return {"kind": "picture", "src": media.sheet(printed), "alt": "a line of sheet music"}
