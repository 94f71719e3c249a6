"""Where the small data set of a query is, and what it is made with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from unisono.config.compute import Compute

#: Id of the query.
ID = "query"
#: Notes of a sample, and syllables.
N_NOTES = 20


class Place(NamedTuple):
    """The small data set of a query.

    Attributes
    ----------
    folder : Path
    built : Path
        The data set that is searched, with its encoders.
    sets : mapping of str to str
        Feature set by view.
    downloads : Path
        For published files.
    compute : Compute
    deal : int
        Whose features are searched, where each deal has its own.
    """

    folder: Path
    built: Path
    sets: Mapping[str, str]
    downloads: Path
    compute: Compute
    deal: int = 0
