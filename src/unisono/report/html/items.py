"""What a page shows of an item.

**Conventions.** An item shows as a list of parts per view, each a dict: ``{"kind": "sound" | "picture" | "text", "src"
or "text": ..., "alt": ...}``. What cannot be read is left out: an item without parts is shown by its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unisono.datasets import items
from unisono.datasets.base import Part, dataset_of
from unisono.errors import DataError
from unisono.media import video
from unisono.report.html import media
from unisono.store import pieces


@dataclass
class Shown:
    """An item for the page.

    Attributes
    ----------
    about : str
        Beside its id: a title.
    group : str
        Items of one group (windows of a song) share it.
    words : list of str
        What it is about, where items of several views have that in common.
    parts : dict of str to list of dict
        By view, or by feature set where a view has several looks (sheet music with and without its lyrics).
    """

    about: str = ""
    group: str = ""
    words: list[str] = field(default_factory=list)
    parts: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def size(self) -> int:
        """Count the letters of its media in the page."""
        return sum(len(part.get("src", "")) for parts in self.parts.values() for part in parts)


def read(dataset: str, folder: Path, wanted: Iterable[str], *, sound_s: float) -> dict[str, Shown]:
    """Read items.

    Parameters
    ----------
    dataset : str
        Name of a data set, which says what there is to show (`unisono.datasets.base.DataSet.show`).
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
    for part in dataset_of(dataset).show(folder, list(found)):
        shown = found[part.item]
        if part.place == "title":
            shown.about = part.content
        elif part.place == "group":
            shown.group = part.content
        elif part.place == "words":
            shown.words = list(part.content)
        else:
            try:
                shown.parts.setdefault(part.place, []).append(_kept(part, sound_s))
            except DataError:
                shown.parts.pop(part.place, None)
    return found


def _kept(part: Part, sound_s: float) -> dict[str, str]:
    """Render a part, or take it from an earlier run: decoding and encoding take time."""
    facts = (pieces.code(__name__), part.place, part.kind, part.content, sound_s)
    kept: dict[str, str] = json.loads(pieces.made(lambda: json.dumps(_rendered(part, sound_s)).encode(), *facts))
    return kept


def _rendered(part: Part, sound_s: float) -> dict[str, str]:
    """Put a part into a form that lies inside a page."""
    content = part.content
    if part.kind == "text":
        return {"kind": "text", "text": content}
    if part.kind in ("sound", "soundtrack"):
        return _sound(*items.heard(part), sound_s)
    if part.kind == "frames":
        frames = video.frames(content)
        n = min(len(frames), media.FRAMES)
        return {"kind": "picture", "src": media.strip(frames), "alt": f"{n} frames of a clip of {len(frames)} s"}
    if part.kind == "picture":
        height, width = content.shape[:2]
        return {"kind": "picture", "src": media.strip(content[None]), "alt": f"{part.place}, {width} x {height} pixels"}
    if part.kind == "features":
        alt = f"{part.place} features over {len(content)} s"
        return {"kind": "picture", "src": media.features(content), "alt": alt}
    return {"kind": "picture", "src": media.sheet(content), "alt": "a line of sheet music"}


def _sound(samples: np.ndarray, rate: int, longest_s: float) -> dict[str, str]:
    piece = samples[: round(longest_s * rate)]
    alt = f"{len(samples) / rate:.1f} s of sound"
    if len(piece) < len(samples):
        alt = f"the first {len(piece) / rate:.1f} of {alt}"
    return {"kind": "sound", "src": media.sound(piece, rate), "alt": alt}
