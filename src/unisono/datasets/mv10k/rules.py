"""Which videos are accepted: the rule of D 3.1.1 on labels and length.

**Conventions.** A label is an index into YouTube-8M's vocabulary. Each entity belongs to up to three of 24
verticals, the top of the hierarchy; "Music video" belongs to Arts & Entertainment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from unisono.errors import DataError
from unisono.io.texts import csv_rows

#: Index of "Music video" (/m/0mdxd), and its name, by which a vocabulary is checked.
MUSIC_VIDEO, MUSIC_VIDEO_NAME = 14, "Music video"

#: Reasons of rejection, in the order in which they are tried.
REASONS = ("no_music_video", "other_labels", "too_short", "too_long", "duplicate_id")


@dataclass(frozen=True)
class Rule:
    """Labels and lengths that pass.

    Attributes
    ----------
    kind : {"only_label", "no_other_vertical"}
        ``only_label``: "Music video" and no other label. ``no_other_vertical``: "Music video", and others
        only when all their verticals are also its own.
    min_frames, max_frames : int
        Length in frames of 1 s, both included.
    verticals : mapping of int to collection of str
        Of every label; used by ``no_other_vertical`` alone.
    """

    kind: Literal["only_label", "no_other_vertical"]
    min_frames: int
    max_frames: int
    verticals: Mapping[int, Collection[str]] = field(default_factory=dict)

    def labels(self, labels: Sequence[int], *, where: str) -> str:
        """Judge a video's labels.

        Parameters
        ----------
        labels : sequence of int
        where : str
            The video, for messages.

        Returns
        -------
        str
            One of `REASONS`, or empty if they pass.

        Raises
        ------
        DataError
            A label is not in the vocabulary.
        """
        if MUSIC_VIDEO not in labels:
            return "no_music_video"
        others = set(labels) - {MUSIC_VIDEO}
        if self.kind == "only_label":
            return "other_labels" if others else ""
        if unknown := sorted(others - self.verticals.keys()):
            raise DataError(f"{where}: label {unknown[0]} is not in the vocabulary; use that of the 2018 version")
        own = set(self.verticals[MUSIC_VIDEO])
        return "" if all(own.issuperset(self.verticals[label]) for label in others) else "other_labels"

    def length(self, n_frames: int) -> str:
        """Judge a video's number of frames; returns as `labels`."""
        if n_frames < self.min_frames:
            return "too_short"
        return "too_long" if n_frames > self.max_frames else ""


def read_vocabulary(text: str, *, name: str) -> dict[int, tuple[str, ...]]:
    """Read YouTube-8M's ``vocabulary.csv``.

    Parameters
    ----------
    text : str
        With the columns Index, Name, Vertical1, Vertical2 and Vertical3.
    name : str
        Of the file, for messages.

    Returns
    -------
    dict of int to tuple of str
        Verticals of each label.

    Raises
    ------
    DataError
        A column is missing, an index is not a number or occurs twice, or label 14 is not "Music video".
    """
    needed = ("Index", "Name", "Vertical1", "Vertical2", "Vertical3")
    verticals: dict[int, tuple[str, ...]] = {}
    names: dict[int, str] = {}
    for line, row in csv_rows(text, name, needed):
        if not re.fullmatch(r"\d{1,9}", row["Index"]):
            raise DataError(f"{name}: line {line}: Index is {row['Index']!r}, expected a number")
        index = int(row["Index"])
        if index in verticals:
            raise DataError(f"{name}: line {line}: Index {index} occurs twice")
        verticals[index] = tuple(row[column] for column in needed[2:] if row[column])
        names[index] = row["Name"]
    if names.get(MUSIC_VIDEO) != MUSIC_VIDEO_NAME:
        raise DataError(
            f"{name}: label {MUSIC_VIDEO} is {names.get(MUSIC_VIDEO)!r}, expected {MUSIC_VIDEO_NAME!r}; "
            "use the vocabulary of the 2018 version"
        )
    return verticals
