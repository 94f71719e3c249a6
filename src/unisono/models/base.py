"""What all methods share: declared hyper-parameters, checked views, averaging over time, saving without pickles.

**Conventions.** A hyper-parameter is an annotated class attribute with a default; subclasses inherit it. The
annotation says what is legal (``ridge: Weight = 0.1``), and a subclass changes a default by an assignment
(``ridge = 1.0``). An attribute that is no hyper-parameter has no annotation, or is a ``ClassVar``.
"""

from __future__ import annotations

import abc
import functools
import inspect
import re
import typing
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, dataclass_transform

import numpy as np
import pydantic
from pydantic import Field

from unisono.config import Section, nearest, validate
from unisono.errors import ConfigError, DataError, pass_machine
from unisono.metrics.precision import refuse_missing
from unisono.models.parts import saved
from unisono.models.parts.columns import inequality, real_rows, standardisation

#: Ratio of the variances of two columns from which their scales decide what is learned.
UNEQUAL = 1e4

#: Legal values of hyper-parameters: whole numbers from 1, 2 and 0 on; numbers above 0 and from 0 on; shares.
Count = Annotated[int, Field(ge=1)]
Several = Annotated[int, Field(ge=2)]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]

#: What `Aligner._fit` takes: views by name, classes where there are any, real frames of the views that are padded.
Views = dict[str, np.ndarray]
Labels = np.ndarray | None
Lengths = dict[str, np.ndarray]


@dataclass_transform(kw_only_default=True)
class _Declared:
    """Makes type checkers read the annotated attributes of subclasses as keyword arguments of their constructors."""


class Aligner(_Declared, abc.ABC):
    """A method that puts paired views of the same items into one space where cosine similarity ranks them.

    A subclass declares its hyper-parameters as annotated class attributes, learns in `_fit`, keeps everything learned
    in `arrays_` and applies it in `_transform`. Its constructor takes the hyper-parameters by name, and its docstring
    gains the description of those it inherits.

    Parameters
    ----------
    standardise : str
        columns: every column of a view gets mean 0 and deviation 1, by the training rows, before anything else.
        none: columns come as they are (a method that `standardises` does so all the same).
    seed : int
        Seed of everything random; not used where nothing is.

    Attributes
    ----------
    widths_ : dict of str to int
        Width of each fitted view.
    arrays_ : dict of str to np.ndarray
        All that was learned; what `save` writes.
    history_ : list of dict of str to float
        Loss terms per epoch; empty for a closed form.
    device : str
        Where a network is trained: auto (CUDA when present), cpu, cuda or cuda:N. No hyper-parameter, like
        `progress`: whoever runs the method sets it.
    progress : bool
        Whether a training shows a progress bar (on a terminal only).

    Raises
    ------
    ConfigError
        A hyper-parameter is unknown (with the nearest legal name), of the wrong type or out of range.
    """

    #: How many views are aligned at once: 2, or None for any number from 2 on.
    n_views: ClassVar[int | None] = None
    #: Whether labels are needed.
    supervised: ClassVar[bool] = False
    #: Whether there is anything to learn from training rows.
    trained: ClassVar[bool] = True
    #: Whether networks are trained, in epochs: such a fit takes long, imports torch and goes on from a checkpoint.
    trains_networks: ClassVar[bool] = False
    #: Whether (n, T, d) views are used as they are; otherwise they are averaged over their real frames.
    sequential: ClassVar[bool] = False
    #: Whether components of the views' embeddings shall correlate, so that their correlation is measured.
    correlates: ClassVar[bool] = False
    #: Whether it standardises all that it gets by itself, so that the scale of a column has no effect.
    standardises = False

    standardise: Literal["none", "columns"] = "none"
    seed: int = 0

    def __init__(self, *, seed: int = 0, **params: Any) -> None:
        self.seed = seed
        for key, value in self.check(params).items():
            setattr(self, key, value)
        self._check_params()
        self.device = "auto"
        self.progress = True
        self.widths_: dict[str, int] = {}
        self.arrays_: dict[str, np.ndarray] = {}
        self.history_: list[dict[str, float]] = []

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        kind = inspect.Parameter.KEYWORD_ONLY
        found = {**_declared(cls), "seed": "int"}
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(key, kind, default=getattr(cls, key, inspect.Parameter.empty), annotation=annotation)
                for key, annotation in found.items()
            ]
        )
        if cls.__doc__:
            cls.__doc__ = _with_inherited(cls, list(found))

    @classmethod
    def check(cls, params: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
        """Validate hyper-parameters.

        Parameters
        ----------
        params : mapping of str to object
            Some of them.
        where : str, optional
            What stands before a parameter's name in messages, ``models.<name>`` by default.

        Returns
        -------
        dict of str to object
            All hyper-parameters, defaults included.

        Raises
        ------
        ConfigError
            See `Aligner`.
        """
        schema = _schema(cls)
        checked = validate(schema, dict(params), where=where or f"models.{name_of(cls)}")
        return {field: getattr(checked, field) for field in schema.model_fields}

    def _check_params(self) -> None:
        """Raise `ConfigError` where hyper-parameters contradict each other; the constructor calls it."""

    @property
    def name(self) -> str:
        """The method's name; see `name_of`."""
        return name_of(type(self))

    @property
    def params(self) -> dict[str, Any]:
        """Hyper-parameters by name, without the seed."""
        return {key: getattr(self, key) for key in _declared(type(self))}

    def fit(
        self,
        views: Mapping[str, np.ndarray],
        labels: np.ndarray | None = None,
        *,
        lengths: Mapping[str, np.ndarray] | None = None,
        checkpoint: Path | None = None,
    ) -> Self:
        """Learn the shared space from paired rows.

        Parameters
        ----------
        views : mapping of str to np.ndarray [shape=(n, d) or (n, T, d), dtype=any real]
            At least two views; row i of all views is the same item. A column that never varies is allowed: it
            is centred to zero and so has no effect (without a ridge, where it makes a covariance singular, it
            is an error that says so).
        labels : np.ndarray [shape=(n,), dtype=int or str], optional
            Classes, for supervised methods; others ignore them.
        lengths : mapping of str to np.ndarray [shape=(n,), dtype=int], optional
            Real frames of each row of a zero-padded (n, T, d) view; all T by default.
        checkpoint : Path, optional
            File from which an interrupted training goes on. A closed form does not need it.

        Returns
        -------
        Aligner
            Itself.

        Raises
        ------
        DataError
            Fewer than two views or rows, unpaired rows, values that are not finite, labels missing or of one
            class.
        ConfigError
            The method aligns exactly two views and got more, or hyper-parameters do not fit the data's shape.
        """
        if len(views) < 2:
            raise DataError(f"{self.name}: got {_named(views)}; at least two views are needed")
        if self.n_views is not None and len(views) != self.n_views:
            raise ConfigError(
                f"{self.name}: aligns exactly {self.n_views} views, got {_named(views)}; "
                "choose two with --views, or fit one model per pair"
            )
        arrays, frames = check_views(views, lengths)
        n_items = len(next(iter(arrays.values())))
        if n_items < 2:
            raise DataError(f"{self.name}: got {n_items} training rows; at least two are needed")
        classes = self._check_labels(labels, n_items)
        self.widths_ = {view: array.shape[-1] for view, array in arrays.items()}
        self.arrays_, self.history_ = {}, []
        if not self.sequential:
            arrays = {view: average(array, frames.get(view)) for view, array in arrays.items()}
        scales = self._scales(arrays, frames)
        self._fit({view: _scaled(scales, view, array) for view, array in arrays.items()}, classes, frames, checkpoint)
        self.arrays_ |= scales
        return self

    def _scales(self, arrays: Views, frames: Lengths) -> dict[str, np.ndarray]:
        """Measure the columns, if they are to be standardised; warn where it would matter and nobody does."""
        scales: dict[str, np.ndarray] = {}
        for view, array in arrays.items():
            rows = real_rows(array, frames.get(view))
            if self.standardise == "columns":
                mean, deviation = standardisation(rows)
                scales |= {f"columns/{view}/mean": mean, f"columns/{view}/deviation": deviation}
            elif self.trained and not self.standardises and (ratio := inequality(rows)) > UNEQUAL:
                warnings.warn(
                    f"{self.name}: variances of the columns of view {view!r} differ by a factor of {ratio:.0e}, so "
                    "that the largest decide what is learned; with standardise=columns all count alike",
                    stacklevel=3,
                )
        return scales

    def transform(
        self, views: Mapping[str, np.ndarray], *, lengths: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """Put items into the shared space.

        Parameters
        ----------
        views : mapping of str to np.ndarray [shape=(m, d) or (m, T, d), dtype=any real]
            Any of the fitted views.
        lengths : mapping of str to np.ndarray [shape=(m,), dtype=int], optional
            As in `fit`.

        Returns
        -------
        dict of str to np.ndarray [shape=(m, k), dtype=float32]

        Raises
        ------
        DataError
            The model is not fitted, a view is unknown or of another width, rows do not pair, a value is not
            finite.
        """
        if not self.widths_:
            raise DataError(f"{self.name}: not fitted; call fit before transform")
        for view in views:
            if view not in self.widths_:
                raise DataError(f"{self.name}: view {view!r} was not fitted; {nearest(view, self.widths_)}")
        arrays, frames = check_views(views, lengths)
        for view, array in arrays.items():
            if array.shape[-1] != self.widths_[view]:
                raise DataError(
                    f"{self.name}: view {view!r} is {array.shape[-1]} wide, it was fitted with {self.widths_[view]}"
                )
        if not self.sequential:
            arrays = {view: average(array, frames.get(view)) for view, array in arrays.items()}
        return {
            view: np.ascontiguousarray(
                self._transform(view, _scaled(self.arrays_, view, array), frames.get(view)), dtype=np.float32
            )
            for view, array in arrays.items()
        }

    @abc.abstractmethod
    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        """Learn from checked views; fill `arrays_` (and `history_`)."""

    @abc.abstractmethod
    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        """Put the checked rows of one view into the shared space."""

    def _check_labels(self, labels: np.ndarray | None, n_items: int) -> np.ndarray | None:
        if labels is None:
            if self.supervised:
                raise DataError(f"{self.name}: learns from labels, and there are none; add a label column")
            return None
        classes = np.asarray(labels)
        if classes.shape != (n_items,):
            raise DataError(f"{self.name}: labels have shape {classes.shape}, expected ({n_items},)")
        refuse_missing(classes, where=f"{self.name}: labels")
        if self.supervised and len(set(classes.tolist())) < 2:
            raise DataError(f"{self.name}: all labels are {str(classes[0])!r}; at least two classes are needed")
        return classes

    def save(self, path: Path | str) -> None:
        """Write the fitted model as safetensors with a JSON header: no pickle, nothing to execute.

        Parameters
        ----------
        path : Path or str
            Folder; it is made if need be, and a model already there is replaced at once or not at all.

        Raises
        ------
        DataError
            The model is not fitted.
        """
        if not self.widths_:
            raise DataError(f"{self.name}: not fitted; nothing to save")
        header = {
            "name": self.name,
            "seed": self.seed,
            "params": self.params,
            "widths": self.widths_,
            "history": self.history_,
        }
        saved.write(Path(path), header, self.arrays_)

    def restore(self, path: Path) -> None:
        """Take over what `save` wrote for a model of the same method (`unisono.models.load` calls it)."""
        header, self.arrays_ = saved.read(path)
        self.widths_, self.history_ = header["widths"], header["history"]
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for view, width in self.widths_.items():
                    self.transform({view: np.ones((1, 1, width), dtype=np.float32)})
        except Exception as error:  # arrays that are missing, or of another shape, show as whatever they lead to
            pass_machine(error)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise DataError(
                f"{path}: its arrays are not those of a fitted {self.name} ({reason}); fit it again"
            ) from None


def name_of(cls: type[Aligner]) -> str:
    """Name a method: the module of a built-in one (``cca``), ``package.module:Class`` of any other."""
    package, _, last = cls.__module__.rpartition(".")
    return last if package == __package__ else f"{cls.__module__}:{cls.__qualname__}"


def _declared(cls: type) -> dict[str, Any]:
    """Return the annotations of the hyper-parameters, inherited ones first."""
    # What learns nothing takes its views as they are.
    none = {"seed"} if getattr(cls, "trained", True) else {"seed", "standardise"}
    return {
        key: annotation
        for base in reversed(cls.__mro__)
        for key, annotation in inspect.get_annotations(base).items()
        if key not in none and "ClassVar" not in str(annotation).partition("[")[0]
    }


def _scaled(scales: Mapping[str, np.ndarray], view: str, array: np.ndarray) -> np.ndarray:
    """Standardise the columns of a view, if they are to be."""
    if f"columns/{view}/mean" not in scales:
        return array
    # Sequences in single precision: they are large, and only networks take them.
    scaled: np.ndarray = np.subtract(array, scales[f"columns/{view}/mean"], dtype=np.float64)
    scaled /= scales[f"columns/{view}/deviation"]
    return scaled.astype(np.float32) if scaled.ndim == 3 else scaled


@functools.cache
def _schema(cls: type[Aligner]) -> type[pydantic.BaseModel]:
    """Turn the hyper-parameters of a method into a pydantic model."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fields: dict[str, Any] = {key: (hints[key], getattr(cls, key)) for key in _declared(cls)}
    return pydantic.create_model(cls.__name__, __base__=Section, **fields)


def _with_inherited(cls: type, order: list[str]) -> str:
    """Return a class's docstring with the parameters that its bases describe, all in the constructor's order."""
    known: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        known |= _described(_sections(base.__dict__.get("__doc__") or "").get("Parameters", ""))
    sections = _sections(cls.__doc__ or "")
    entries = dict.fromkeys(known[key] for key in order if key in known)
    listed = {"": sections.pop(""), "Parameters": "\n".join(entries)}
    sections = {**listed, **{title: body for title, body in sections.items() if title != "Parameters"}}
    parts = [f"{title}\n{'-' * len(title)}\n{body}" if title else body for title, body in sections.items()]
    return "\n\n".join(parts) + "\n"


def _sections(doc: str) -> dict[str, str]:
    """Split a numpydoc docstring at its headings; what stands before the first has the heading ''."""
    start, *rest = re.split(r"^(\w[\w ]*)\n-+$", inspect.cleandoc(doc), flags=re.MULTILINE)
    return {"": start.strip(), **{title: body.strip() for title, body in zip(rest[::2], rest[1::2], strict=True)}}


def _described(section: str) -> dict[str, str]:
    """Split a section at its entries; one that describes several parameters stands under each."""
    entries = re.split(r"\n(?=\S)", section) if section else []
    return {key.strip(): entry for entry in entries for key in entry.partition(" : ")[0].split(",")}


def check_views(
    views: Mapping[str, np.ndarray], lengths: Mapping[str, np.ndarray] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Check that views are finite arrays with paired rows.

    Parameters
    ----------
    views : mapping of str to np.ndarray [shape=(n, d) or (n, T, d), dtype=any real]
    lengths : mapping of str to np.ndarray [shape=(n,), dtype=int], optional
        Real frames of the rows of (n, T, d) views.

    Returns
    -------
    views : dict of str to np.ndarray
        The same arrays, sorted by name, so that no result depends on the order in which views are given.
    lengths : dict of str to np.ndarray [shape=(n,), dtype=int64]
        Of the views that have them.

    Raises
    ------
    DataError
        Not numbers, another number of axes, no columns, unpaired rows, NaN or infinity, impossible lengths.
    """
    arrays = {view: np.asarray(views[view]) for view in sorted(views)}
    rows = {view: len(array) for view, array in arrays.items() if array.ndim}
    for view, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise DataError(f"view {view!r}: expected numbers, got {array.dtype}")
        if array.ndim not in (2, 3) or 0 in array.shape[1:]:
            raise DataError(f"view {view!r}: expected shape (n, d) or (n, T, d), got {array.shape}")
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{view!r} {count}" for view, count in rows.items())
        raise DataError(f"rows of the views do not pair: {counts}; every item needs one row in each view")
    for view, array in arrays.items():
        finite = np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
        if not finite.all():
            raise DataError(f"view {view!r}, row {int(np.argmin(finite))}: NaN or infinite value; remove or repair it")
    frames = {}
    for view, counts_ in (lengths or {}).items():
        if view not in arrays or arrays[view].ndim != 3:
            continue
        values = np.asarray(counts_)
        n_items, longest = arrays[view].shape[:2]
        if values.shape != (n_items,) or values.dtype.kind not in "iu":
            raise DataError(f"lengths of view {view!r}: expected {n_items} integers, got {values.dtype} {values.shape}")
        wrong = (values < 1) | (values > longest)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(f"lengths of view {view!r}, row {row}: {values[row]} frames, expected 1 to {longest}")
        frames[view] = values.astype(np.int64)
    return arrays, frames


def average(array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """Average a view over its real frames.

    Parameters
    ----------
    array : np.ndarray [shape=(n, d) or (n, T, d), dtype=any real]
    lengths : np.ndarray [shape=(n,), dtype=int64], optional
        Real frames; frames after them are padding. All T by default.

    Returns
    -------
    np.ndarray [shape=(n, d), dtype=float64 if averaged]
    """
    if array.ndim == 2:
        return array
    if lengths is None:
        mean: np.ndarray = array.mean(axis=1, dtype=np.float64)
        return mean
    real = np.arange(array.shape[1]) < lengths[:, None]
    total = np.einsum("ntd,nt->nd", array.astype(np.float64, copy=False), real.astype(np.float64))
    return total / lengths[:, None]


def check_components(name: str, n_components: int, views: Mapping[str, np.ndarray]) -> None:
    """Raise `ConfigError` when more components are asked for than the views can have."""
    n_items = len(next(iter(views.values())))
    limit = min([n_items - 1, *(array.shape[1] for array in views.values())])
    if n_components > limit:
        widths = ", ".join(f"{view} {array.shape[1]}" for view, array in views.items())
        raise ConfigError(
            f"models.{name}.n_components: {n_components} is more than these data have: at most {limit} "
            f"(widths: {widths}; {n_items} training rows, less one); lower n_components"
        )


def _named(views: Mapping[str, Any]) -> str:
    return f"{len(views)} view{'s' * (len(views) != 1)}" + (f" ({', '.join(views)})" if views else "")
