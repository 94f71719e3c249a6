"""What a source of a data set is: its settings in params.yaml, and what there is to know about it.

**Conventions.** The section of a data set names the chosen source (``source``) and holds the settings of all of them in
one block (``songs.lmd``, ``clips.digits``). A source is a subclass of `Source`, and its name is its key in that block.
How it is read is registered for its class, where the data set is built.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints, field_validator

from unisono.config import Section, TopLevel, nearest
from unisono.errors import ConfigError

#: A SHA-256, or nothing: not checked.
Checksum = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
Sha256 = Field(default="", pattern=r"^([0-9a-f]{64})?$")
#: Stand-ins cannot be compared with the dissertation.
STAND_IN = "a stand-in: nothing computed from it compares with the dissertation's numbers"


class Source(Section):
    """One place where the items of a data set come from; fields are its settings.

    Attributes
    ----------
    about : str
        What it is.
    licence : str
    size : str
        For a reader: what is read or fetched.
    home : str
        Where it comes from.
    lies_at : str
        The setting that says where it lies, a place or several; empty for what needs no file.
    usual : str
        Where it lies when that setting is empty.
    stated : int or None
        Items that it gives with the dissertation's settings, where that is known.
    needs : str
        What must be installed: a Python package (``"music21"``) or a program (``"espeak-ng"``); empty for nothing.
    megabytes : float
        Of its download, at most; 0 where that is not known.
    has_features : bool
        Whether it brings features, so that no extractor is needed.
    stands_in : bool
        Whether it stands in for the dissertation's data and cannot be compared with them.
    original : bool
        Whether it holds the dissertation's own data.
    """

    about: ClassVar[str]
    licence: ClassVar[str] = "as its maker states"
    size: ClassVar[str] = "yours"
    home: ClassVar[str] = ""
    lies_at: ClassVar[str] = ""
    usual: ClassVar[str] = ""
    stated: ClassVar[int | None] = None
    needs: ClassVar[str] = ""
    megabytes: ClassVar[float] = 0
    has_features: ClassVar[bool] = False
    stands_in: ClassVar[bool] = False
    original: ClassVar[bool] = False

    @property
    def places(self) -> tuple[str, ...]:
        """Where it lies: paths or URLs, none for one that needs no file."""
        if not self.lies_at:
            return ()
        stated = getattr(self, self.lies_at)
        return tuple(map(str, filter(None, stated if isinstance(stated, tuple) else [stated]))) or (self.usual,)

    @property
    def place(self) -> str:
        """Where one lies that has a single place; empty for one that needs no file."""
        return "".join(self.places[:1])

    @property
    def unwatched(self) -> str:
        """What to know of a place that DVC does not watch; empty where it does, or there is none."""
        watched = Path("data/raw").resolve()
        for place in self.places:
            if place and "://" not in place and watched not in [path := Path(place).resolve(), *path.parents]:
                return (
                    f"{place} is outside data/raw, where DVC does not look: new files there re-run nothing. Put them "
                    "into data/raw, or force the stage that builds the data set: dvc repro -fs NAME"
                )
        return ""

    def unreadable(self) -> ConfigError:
        """Give the error of a source for whose class no reader is registered."""
        return ConfigError(
            f"source {type(self).__name__}: no reader is registered for it; add one where its data set is built "
            '(docs/extending.md, "A source")'
        )

    def n_items(self) -> int | None:
        """Say how many items it gives; None where nobody knows beforehand."""
        return self.stated

    def at_hand(self) -> str:
        """Say whether it can be read here and now: ``yes``, ``to be fetched``, or ``no:`` and what is missing."""
        if self.needs and not (shutil.which(self.needs) or importlib.util.find_spec(self.needs)):
            return f"no: {self.needs} is not installed"
        fetched = [place for place in self.places if place.startswith(("http://", "https://"))]
        for place in self.places:
            path = Path(place.removeprefix("file://"))
            if not place or place in fetched:
                continue
            if not path.exists():
                return f"no: {place} does not exist"
            if path.is_dir() and not any(entry.name != ".gitkeep" for entry in path.iterdir()):
                return f"no: {place} is empty"
        return "to be fetched" if fetched else "yes"


class Chooses(Section):
    """What chooses one of several sources by its name."""

    source: str

    @classmethod
    def kinds(cls) -> dict[str, type[Source]]:
        """Give its sources by name, the default first."""
        fields = cls._holder().model_fields
        found = {name: field.annotation for name, field in fields.items()}
        return {name: kind for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, Source)}

    @classmethod
    def _holder(cls) -> type[Section]:
        """Say which section's fields are the sources."""
        return cls

    def _held(self) -> Section:
        """Give the section whose fields are the sources."""
        return self

    @field_validator("source")
    @classmethod
    def _exists(cls, value: str) -> str:
        if value not in cls.kinds():
            raise ValueError(f"there is no such source; {nearest(value, cls.kinds())}")
        return value

    def sources(self) -> dict[str, Source]:
        """Give the settings of its sources by name."""
        return {name: getattr(self._held(), name) for name in self.kinds()}

    @property
    def chosen(self) -> Source:
        """The source that `source` names."""
        return self.sources()[self.source]


class DataSetSection(Chooses, TopLevel):
    """Section of a data set.

    Attributes
    ----------
    block : str
        The field that holds the settings of its sources.
    """

    block: ClassVar[str]

    @classmethod
    def _holder(cls) -> type[Section]:
        settings: Any = cls.model_fields[cls.block].annotation
        return settings

    def _held(self) -> Section:
        held: Section = getattr(self, self.block)
        return held
