"""Data sets whose items come from more than one source: pictures from one and songs from another.

**Conventions.** The section's ``source`` names the first one, as in every data set. Each further one is a block of the
section with a ``source`` of its own and the settings of all its sources (``image2song.songs``). Where built, the data
set names the sources that it came from in one text (``"emoji, fortunes"``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from unisono.config.sources import Chooses, DataSetSection, Source

#: Divides the names of several sources.
AND = ", "


class Choice(NamedTuple):
    """One of the sources that are chosen for a data set.

    Attributes
    ----------
    key : str
        The setting that chooses: ``image2song.songs.source``.
    block : str
        Where the settings of all lie: ``image2song.songs``.
    source : str
        The chosen one.
    sources : mapping of str to Source
        All, the default first.
    unused : str
        Why nothing is read from it; empty where something is.
    """

    key: str
    block: str
    source: str
    sources: Mapping[str, Source]
    unused: str = ""

    @property
    def chosen(self) -> Source:
        """The source that `source` names."""
        return self.sources[self.source]


class Further(Chooses):
    """A block of further sources, one of which it chooses."""


class SeveralSources(DataSetSection):
    """Section of a data set whose items come from several sources.

    Attributes
    ----------
    further : tuple of str
        Fields that are `Further`.
    """

    further: ClassVar[tuple[str, ...]] = ()

    def unused(self, block: str) -> str:
        """Say why nothing is read from a further block; empty where something is."""
        del block
        return ""


def choices(dataset: str, section: Any) -> list[Choice]:
    """List what is chosen for a data set: the source that ``source`` names, and further ones.

    Parameters
    ----------
    dataset : str
    section : DataSetSection

    Returns
    -------
    list of Choice
    """
    found = [Choice(f"{dataset}.source", f"{dataset}.{section.block}", section.source, section.sources())]
    for name in section.further if isinstance(section, SeveralSources) else ():
        block: Further = getattr(section, name)
        place = f"{dataset}.{name}"
        found.append(Choice(f"{place}.source", place, block.source, block.sources(), section.unused(name)))
    return found


def read_from(dataset: str, section: Any) -> list[Choice]:
    """List the choices from which something is read."""
    return [choice for choice in choices(dataset, section) if not choice.unused]


def named(settings: type[DataSetSection], text: str) -> dict[str, type[Source]]:
    """Find the sources that a built data set names.

    Parameters
    ----------
    settings : type of DataSetSection
    text : str
        ``source`` in its metadata: ``"music21"``, ``"emoji, fortunes"``.

    Returns
    -------
    dict of str to type of Source
        Those that are known.
    """
    known = dict(settings.kinds())
    for name in settings.further if issubclass(settings, SeveralSources) else ():
        block: Any = settings.model_fields[name].annotation
        known |= {key: kind for key, kind in block.kinds().items() if key not in known}
    return {name: known[name] for name in text.split(AND) if name in known}
