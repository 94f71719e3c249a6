"""The plan of the default source: which digit image is shown and which voices speak in each clip, group by group.

**Conventions.** The images are the 1,797 of scikit-learn's digits (8 x 8, from the UCI test set of E. Alpaydin and
C. Kaynak, CC BY 4.0). Each is the subject of at most one clip. Groups of clips, and the clips outside them, share
neither an image (as subject or as clutter) nor a voice variant. Folds are dealt from whole groups, so that nothing
of a tested clip was seen or heard in training and another number of folds makes no clip again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from unisono.config.vegas import Vegas
from unisono.datasets.folds import assign_folds
from unisono.errors import ConfigError

#: Class of each digit, and what is spoken.
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LICENCE = "UCI Optical Recognition of Handwritten Digits, CC BY 4.0; speech by eSpeak NG"
#: Group of clips that are outside every fold.
OUTSIDE = -1


class Planned(NamedTuple):
    """A clip to be made.

    Attributes
    ----------
    id, label : str
        ``seven-0123``: the digit and the image's number.
    group : int
    image : int
        Row of scikit-learn's digits.
    """

    id: str
    label: str
    group: int
    image: int


class Plan(NamedTuple):
    """All clips, and what those of a group may use.

    Attributes
    ----------
    clips : list of Planned
        Those outside every fold last.
    images : dict of int to list of int
        Images of each group, for clutter.
    variants : dict of int to list of str
        Voices of each group.
    """

    clips: list[Planned]
    images: dict[int, list[int]]
    variants: dict[int, list[str]]


def load_images() -> tuple[np.ndarray, np.ndarray]:
    """Load the images (n, 8, 8), float64 in 0 ... 1, and the digit of each (n,)."""
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    return data.images / 16.0, data.target


def plan(config: Vegas, digits: np.ndarray, variants: Sequence[str]) -> Plan:
    """Deal images and voices.

    Parameters
    ----------
    config : Vegas
    digits : np.ndarray [shape=(n,), dtype=int]
        The digit on each image.
    variants : sequence of str
        Voices to deal.

    Returns
    -------
    Plan

    Raises
    ------
    ConfigError
        More groups than clips of a digit or than voices, or so many clips outside that none is left.
    """
    settings = config.clips.digits
    n_groups = settings.groups
    generator = np.random.default_rng(settings.seed)
    inside: list[int] = []
    outside: list[int] = []
    for digit in range(len(WORDS)):
        images = generator.permutation(np.flatnonzero(digits == digit)).tolist()
        outside += images[: settings.outside_per_class]
        chosen = images[settings.outside_per_class :][: settings.clips_per_class]
        if len(chosen) < n_groups:
            raise ConfigError(
                f"vegas.clips.digits: {len(chosen)} clips of {WORDS[digit]!r} for groups = {n_groups}; raise "
                "clips_per_class, or lower groups or outside_per_class"
            )
        inside += chosen
    if len(variants) <= n_groups:
        raise ConfigError(f"vegas.clips.digits.groups: {n_groups} groups and {len(variants)} voices; lower it")
    dealt = assign_folds(len(inside), digits[inside], n_folds=n_groups, seed=settings.seed)
    rows = [(image, int(group)) for image, group in zip(inside, dealt, strict=True)]
    rows += [(image, OUTSIDE) for image in outside]
    clips = [
        Planned(f"{WORDS[digits[image]]}-{image:04d}", WORDS[digits[image]], group, int(image)) for image, group in rows
    ]
    voices = generator.permutation(sorted(variants)).tolist()
    groups = [*range(n_groups), *([OUTSIDE] if outside else [])]
    return Plan(
        clips=clips,
        images={group: sorted(clip.image for clip in clips if clip.group == group) for group in groups},
        variants={group: sorted(voices[index :: len(groups)]) for index, group in enumerate(groups)},
    )
