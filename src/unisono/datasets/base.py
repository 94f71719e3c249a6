"""What a data set is, as one object, and where all of them are registered.

**Conventions.** Each folder of `unisono.datasets` is a data set: its module ``dataset`` names ``DATASET``, an instance
of a subclass of `DataSet`. Whatever else needs to know something of a data set asks this object: the check of
params.yaml, experiments, search, gallery, cards and tables.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from unisono.config import nearest
from unisono.config.sources import DataSetSection
from unisono.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Part(NamedTuple):
    """Something to show of an item.

    Attributes
    ----------
    item : str
        Id.
    place : str
        View, or feature set where a view has several looks; ``title`` and ``group`` are said beside the id, and of
        ``words`` (a list) those that a query and a result have in common.
    kind : {"text", "frames", "soundtrack", "sound", "sheet", "picture", "features"}
    content : object
        A text; the bytes of a video file (``frames``, ``soundtrack``), of a sound file or of the picture of a staff
        (``sheet``), decoded by who shows them; pixels (h, w, 3) of uint8; numbers over time (n, d).
    """

    item: str
    place: str
    kind: str
    content: Any


class DataSet:
    """A data set; subclasses say what differs.

    Attributes
    ----------
    name : str
        Of its package, its section of params.yaml and its folder in ``data/``.
    settings : type of DataSetSection
        Its section of params.yaml, which loads itself.
    title, about : str
        Its name in tables, and what it holds.
    views : tuple of str
        In the order of tables; it may have more feature sets than views.
    caption : str
        What its contact sheet shows.
    on_sheet : tuple of (str, str)
        Places of the two parts that the contact sheet shows of an item.
    remark : str
        For readers who look at its items, where they can be neither seen nor heard as they are.
    queries : mapping of str to tuple of str
        Kinds of files that can be a query (`unisono.features.query.KINDS`), and the views that they can be one in, the
        usual one first. Their readers are `unisono.features.query` 's module of the data set's name.
    no_query : str
        Why no file can be one, where that is so.
    dealt_by : tuple of str
        Columns of the samples that decide how items are dealt, where they are there.
    """

    name: str
    settings: type[DataSetSection]
    title: str
    about: str
    views: tuple[str, ...]
    caption: str = ""
    on_sheet: tuple[str, str] = ("", "")
    remark: str = ""
    queries: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    no_query: str = "its items have no files; give the id of an item"
    dealt_by: tuple[str, ...] = ("label", "group")

    def deal(self, table: pa.Table, section: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Deal items into folds, as `unisono.datasets.folds.deal`; a subclass may give a split instead.

        Parameters
        ----------
        table : pa.Table
            id and `dealt_by` of every item.
        section : Section
            Its section of params.yaml, with ``folds`` here.

        Returns
        -------
        parts : np.ndarray [shape=(n,), dtype=int64 or str]
            Folds from 0, -1 outside; or parts of a split.
        facts : dict
            What there is to know about it.
        """
        from unisono.datasets import folds

        settings = section.folds
        share = getattr(settings, "outside", 0.0)
        return folds.deal(self.name, table, n_folds=settings.n, seed=settings.seed, outside=share)

    def show(self, folder: Path, wanted: Iterable[str]) -> Iterator[Part]:
        """Yield what items look and sound like; what is missing or damaged is left out.

        Parameters
        ----------
        folder : Path
            The built data set, or one of the same layout.
        wanted : iterable of str
            Ids.
        """
        del folder, wanted
        yield from ()

    def lengths(self, folder: Path) -> tuple[str, np.ndarray] | None:
        """Give the unit and the length of every item, where they have one."""
        del folder
        return None


def names() -> list[str]:
    """List the data sets: the folders of `unisono.datasets`."""
    import unisono.datasets

    return sorted(module.name for module in pkgutil.iter_modules(unisono.datasets.__path__) if module.ispkg)


def dataset_of(name: str, where: str = "dataset") -> DataSet:
    """Give the data set of a name; a `ConfigError` that begins with `where` says what is wrong with it.

    Parameters
    ----------
    name : str
    where : str
        What named it, for messages.
    """
    if name not in names():
        raise ConfigError(f"{where}: there is no data set {name!r}; {nearest(name, names())}")
    module = f"unisono.datasets.{name}.dataset"
    found = importlib.import_module(module).DATASET
    _check(found, name, module)
    return found


def _check(found: DataSet, name: str, module: str) -> None:
    """Raise `ConfigError` where a data set's object contradicts itself, its folder or its section."""
    for field in ("name", "settings", "title", "about", "views"):
        if not getattr(found, field, None):
            raise ConfigError(f"{module}: DATASET has no {field}; see docs/extending.md")
    if found.name != name:
        raise ConfigError(f"{module}: DATASET.name is {found.name!r}, expected {name!r}, the name of its folder")
    section = found.settings
    block = section.model_fields.get(getattr(section, "block", ""))
    if block is None or not hasattr(block.annotation, "model_fields") or not section.kinds():
        where = f"{section.__module__}.{section.__name__}.block"
        raise ConfigError(f"{where}: expected the name of the field that holds the sources; see docs/extending.md")
    for kind, views in found.queries.items():
        for view in views:
            if view not in found.views:
                raise ConfigError(
                    f"{module}: DATASET.queries[{kind!r}] names an unknown view {view!r}; {nearest(view, found.views)}"
                )
