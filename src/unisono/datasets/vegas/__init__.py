"""VEGAS, clips of one class each (D 3.1.2): which clips there are, and what they show.

**Conventions.** A source yields clips of known class, as files not yet looked into (`Clip`); `build` in this
package decodes, selects and stores them. The default source is a plan (`digits`), drawn by `drawing`.
Sources:

=========  ===========================================================================
digits     `digits`: handwritten digits, drawn and spoken here
archive    `archive`: video files in folders named by class
youtube    `youtube`: pieces of YouTube videos, through yt-dlp
features   `published`: the authors' feature files; no media
parquet    `ready`: shards that someone else made
=========  ===========================================================================
"""

from __future__ import annotations

from typing import NamedTuple


class Clip(NamedTuple):
    """A clip as its source has it.

    Attributes
    ----------
    id : str
    label : str
    name : str
        File name, whose ending tells the format.
    video : bytes
        The video file.
    piece : tuple of (float, float), optional
        Start and end of the part that is the clip, in seconds; None = all of it.
    """

    id: str
    label: str
    name: str
    video: bytes
    piece: tuple[float, float] | None = None


class Rejected(NamedTuple):
    """What a source could not offer as a clip, and why."""

    item: str
    reason: str
