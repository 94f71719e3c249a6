"""What all methods share: declared hyper-parameters, checked views, averaging over time, saving without pickles.

**Conventions.** A hyper-parameter is an annotated class attribute with a default; subclasses inherit it. The
annotation says what is legal (``ridge: Weight = 0.1``), and a subclass changes a default by an assignment
(``ridge = 1.0``). An attribute that is no hyper-parameter has no annotation, or is a ``ClassVar``.
"""

from __future__ import annotations

import abc
import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self, dataclass_transform

import numpy as np
from pydantic import Field

from unisono.config import nearest, validate
from unisono.errors import ConfigError, DataError, pass_machine
from unisono.metrics import similarities
from unisono.metrics.precision import refuse_missing
from unisono.models.parts import saved
from unisono.models.parts.columns import inequality, real_rows, standardisation
from unisono.models.parts.declared import declared, schema, with_inherited
from unisono.models.parts.relations import check_relation, pairs_of
from unisono.models.parts.views import average, check_views, named, scaled

if TYPE_CHECKING:
    from scipy import sparse

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


class Items(NamedTuple):
    """Checked rows of one view, as `Aligner._score` takes them.

    Attributes
    ----------
    view : str
    array : np.ndarray [shape=(n, d) or (n, T, d), dtype=any real]
    lengths : np.ndarray [shape=(n,), dtype=int64] or None
        Real frames of a view that is padded.
    """

    view: str
    array: np.ndarray
    lengths: np.ndarray | None


@dataclass_transform(kw_only_default=True)
class _Declared:
    """Makes type checkers read the annotated attributes of subclasses as keyword arguments of their constructors."""


class Aligner(_Declared, abc.ABC):
    """A method that puts paired views of the same items into one space where cosine similarity ranks them.

    Some score pairs jointly instead, and some learn from views whose rows need not pair: see `score` and `relational`.
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
    #: Whether it matters which rows of two views are the same item, and not only of which class they are.
    needs_pairs: ClassVar[bool] = True
    #: Whether there is anything to learn from training rows.
    trained: ClassVar[bool] = True
    #: Whether networks are trained, in epochs: such a fit takes long, imports torch and goes on from a checkpoint.
    trains_networks: ClassVar[bool] = False
    #: Whether (n, T, d) views are used as they are; otherwise they are averaged over their real frames.
    sequential: ClassVar[bool] = False
    #: Whether it learns from a relation of two views' rows (`unisono.models.parts.relational`); otherwise a relation is
    #: taken apart into pairs of rows.
    relational: ClassVar[bool] = False
    #: Whether components of the views' embeddings shall correlate, so that their correlation is measured.
    correlates: ClassVar[bool] = False
    #: Whether it standardises all that it gets by itself, so that the scale of a column has no effect.
    standardises = False
    #: What tuning tries: values by hyper-parameter, of which all combinations are candidates, the first named first.
    #: At most six of a method that trains networks. Where it is empty there is nothing to choose, or the method does so
    #: itself.
    grid: ClassVar[Mapping[str, Sequence[Any]]] = {}

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
        found = {**declared(cls), "seed": "int"}
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(key, kind, default=getattr(cls, key, inspect.Parameter.empty), annotation=annotation)
                for key, annotation in found.items()
            ]
        )
        if cls.__doc__:
            cls.__doc__ = with_inherited(cls, list(found))

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
        fields = schema(cls)
        checked = validate(fields, dict(params), where=where or f"models.{name_of(cls)}")
        return {field: getattr(checked, field) for field in fields.model_fields}

    def _check_params(self) -> None:
        """Raise `ConfigError` where hyper-parameters contradict each other; the constructor calls it."""

    @property
    def name(self) -> str:
        """The method's name; see `name_of`."""
        return name_of(type(self))

    @property
    def params(self) -> dict[str, Any]:
        """Hyper-parameters by name, without the seed."""
        return {key: getattr(self, key) for key in declared(type(self))}

    def fit(
        self,
        views: Mapping[str, np.ndarray],
        labels: np.ndarray | None = None,
        *,
        lengths: Mapping[str, np.ndarray] | None = None,
        checkpoint: Path | None = None,
        relevance: np.ndarray | sparse.csr_array | None = None,
    ) -> Self:
        """Learn the shared space from paired rows, or from rows of which some are relevant to each other.

        Parameters
        ----------
        views : mapping of str to np.ndarray [shape=(n, d) or (n, T, d), dtype=any real]
            At least two views; row i of all views is the same item. A column that never varies is allowed: it
            is centred to zero and so has no effect (without a ridge, where it makes a covariance singular, it
            is an error that says so).
        labels : np.ndarray [shape=(n,), dtype=int or str], optional
            Classes, for supervised methods; a relational one takes rows of a class for relevant to each other; others
            ignore them.
        lengths : mapping of str to np.ndarray [shape=(n,), dtype=int], optional
            Real frames of each row of a zero-padded (n, T, d) view; all T by default.
        checkpoint : Path, optional
            File from which an interrupted training goes on. A closed form does not need it.
        relevance : np.ndarray or scipy.sparse matrix [shape=(n_a, n_b), dtype=bool], optional
            Which rows of two views are relevant to each other, instead of labels; rows then need not pair, and each
            view has a number of its own: n_a is that of the view that comes first by name. A method that is not
            `relational` gets the relevant pairs as paired rows (at most 100,000, drawn by the seed), one that learns
            nothing the rows as they are.

        Returns
        -------
        Aligner
            Itself.

        Raises
        ------
        DataError
            Fewer than two views or rows, unpaired rows, values that are not finite, labels missing or of one
            class; relevance of another shape, without a relevant pair, of more than two views or beside labels.
        ConfigError
            The method aligns exactly two views and got more, or hyper-parameters do not fit the data's shape.
        """
        if len(views) < 2:
            raise DataError(f"{self.name}: got {named(views)}; at least two views are needed")
        if self.n_views is not None and len(views) != self.n_views:
            raise ConfigError(
                f"{self.name}: aligns exactly {self.n_views} views, got {named(views)}; "
                "choose two with --views, or fit one model per pair"
            )
        arrays, frames = check_views(views, lengths, paired=relevance is None)
        relation = None if relevance is None else check_relation(self.name, relevance, arrays)
        if relation is not None and labels is not None:
            raise DataError(f"{self.name}: got labels and relevance; labels are those of paired rows, give one of them")
        widths = {view: array.shape[-1] for view, array in arrays.items()}
        if not self.sequential:
            arrays = {view: average(array, frames.get(view)) for view, array in arrays.items()}
        if relation is not None and self.trained and not self.relational:
            rows = dict(zip(arrays, pairs_of(self.name, relation, seed=self.seed), strict=True))
            arrays = {view: array[rows[view]] for view, array in arrays.items()}
            frames = {view: counts[rows[view]] for view, counts in frames.items()}
        n_items = min(len(array) for array in arrays.values())
        if n_items < 2:
            raise DataError(f"{self.name}: got {n_items} training rows; at least two are needed")
        classes = self._check_labels(labels, n_items)
        self.widths_ = widths
        self.arrays_, self.history_ = {}, []
        scales = self._scales(arrays, frames)
        arrays = {view: scaled(scales, view, array) for view, array in arrays.items()}
        if relation is not None and self.relational:
            self._fit_relation(arrays, relation, frames, checkpoint)
        else:
            self._fit(arrays, classes, frames, checkpoint)
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
        return {items.view: self._embedded(items) for items in self._checked(views, lengths)}

    def score(
        self,
        queries: Mapping[str, np.ndarray],
        gallery: Mapping[str, np.ndarray],
        *,
        lengths: Mapping[str, np.ndarray] | None = None,
        gallery_lengths: Mapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Score every query with every item: by the cosine of what `transform` gives, unless pairs are scored jointly.

        Parameters
        ----------
        queries : mapping of str to np.ndarray [shape=(n_queries, d) or (n_queries, T, d), dtype=any real]
            One of the fitted views.
        gallery : mapping of str to np.ndarray [shape=(n_gallery, d) or (n_gallery, T, d), dtype=any real]
            One of the fitted views.
        lengths, gallery_lengths : mapping of str to np.ndarray [shape=(n,), dtype=int], optional
            As in `fit`, of queries and gallery.

        Returns
        -------
        np.ndarray [shape=(n_queries, n_gallery), dtype=float64]
            Higher is nearer. Equal items have equal scores, so that their ties can be trusted.

        Raises
        ------
        DataError
            As `transform`, or other than one view on either side.
        """
        sides: list[Items] = []
        for side, views, counts in (("queries", queries, lengths), ("gallery", gallery, gallery_lengths)):
            if len(views) != 1:
                raise DataError(f"{self.name}: {side}: got {named(views)}, expected one")
            sides += self._checked(views, counts)
        return np.ascontiguousarray(self._score(*sides), dtype=np.float64)

    @classmethod
    def scores_jointly(cls) -> bool:
        """Say whether `score` is more than the cosine of what `transform` gives."""
        return cls._score is not Aligner._score

    def _checked(self, views: Mapping[str, np.ndarray], lengths: Mapping[str, np.ndarray] | None) -> Iterator[Items]:
        """Check rows of fitted views, average them over time and standardise them as the training rows were."""
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
        for view, array in arrays.items():
            yield Items(view, scaled(self.arrays_, view, array), frames.get(view))

    def _embedded(self, items: Items) -> np.ndarray:
        return np.ascontiguousarray(self._transform(*items), dtype=np.float32)

    @abc.abstractmethod
    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        """Learn from checked views; fill `arrays_` (and `history_`)."""

    @abc.abstractmethod
    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        """Put the checked rows of one view into the shared space."""

    def _fit_relation(
        self, views: Views, relevance: sparse.csr_array, lengths: Lengths, checkpoint: Path | None
    ) -> None:
        """Learn from checked views of other rows and their relation; what is `relational` defines it."""
        raise NotImplementedError(f"{self.name} is relational and does not define _fit_relation")

    def _score(self, queries: Items, gallery: Items) -> np.ndarray:
        """Score checked rows of two views; what scores pairs jointly defines it."""
        return similarities(self._embedded(queries), self._embedded(gallery))

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
