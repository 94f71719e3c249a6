"""The contract of methods, to be run on a method of one's own: `check_aligner`.

**Conventions.** A rule is a function that takes a `_Case` and raises `ContractError` where the method breaks it; its
name, with spaces, is the rule's name in messages.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import numpy as np

from unisono import models
from unisono.errors import ConfigError, DataError, UnisonoError
from unisono.metrics import similarities
from unisono.models.base import Aligner, name_of
from unisono.models.parts.saved import FILE

#: Of numbers that are computed in another order: a row alone or among others, frames with padding or without.
RELATIVE, ABSOLUTE = 1e-3, 1e-4


class ContractError(UnisonoError):
    """A method breaks a rule of the contract; the message names the method, the rule and what was found."""


def check_aligner(
    method: type[Aligner] | str,
    params: Mapping[str, Any] | None = None,
    *,
    views: Mapping[str, np.ndarray] | None = None,
    labels: np.ndarray | None = None,
    seed: int = 1,
) -> None:
    """Check that a method keeps the contract that everything else relies on.

    Parameters
    ----------
    method : type of Aligner or str
        The class, or a name as for `unisono.models.method`.
    params : mapping of str to object, optional
        Hyper-parameters with which it is fitted up to twenty times: few epochs (at least two), small networks.
    views : mapping of str to np.ndarray [shape=(n, d) or (n, T, d), dtype=any real], optional
        What it is fitted on; by default 90 items in as many views as it takes (audio, sheet, lyrics; that of sheet
        (n, 3, 7), the others (n, d) of other widths).
    labels : np.ndarray [shape=(n,), dtype=int or str], optional
        Classes of the items; three by default.
    seed : int
        Of the method.

    Raises
    ------
    ContractError
        It breaks a rule.
    ConfigError
        There is no such method.

    Examples
    --------
    >>> check_aligner("cca", {"n_components": 3})
    """
    cls = models.method(method) if isinstance(method, str) else method
    given = dict(views) if views is not None else example_views(cls.n_views or 3)
    n_items = len(next(iter(given.values())))
    classes = np.array(["dog", "cat", "bee"])[np.arange(n_items) % 3] if labels is None else labels
    case = _Case(cls, dict(params or {}), given, classes, seed)
    for rule in RULES:
        case.rule = rule.__name__.replace("_", " ").strip()
        with case.blamed():
            rule(case)


def example_views(n_views: int = 3, *, n_items: int = 90, width: int | None = None) -> dict[str, np.ndarray]:
    """Make views of a shared five-dimensional latent, with noise; the second has a time axis of three frames.

    Parameters
    ----------
    n_views : int
        Up to three: audio, sheet, lyrics.
    n_items : int
    width : int, optional
        Of all views; 9, 7 and 6 by default.

    Returns
    -------
    dict of str to np.ndarray [shape=(n_items, d) or (n_items, 3, d), dtype=float32]
    """
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((n_items, 5))
    made = {}
    for name, own in zip(("audio", "sheet", "lyrics")[:n_views], (9, 7, 6), strict=False):
        signal = latent @ generator.standard_normal((5, width or own))
        made[name] = (signal + 0.5 * generator.standard_normal(signal.shape)).astype(np.float32)
    made["sheet"] = np.stack([made["sheet"] + shift for shift in (-1, 0, 1)], axis=1).astype(np.float32)
    return made


@dataclass
class _Case:
    """A method, and what it is tried on."""

    cls: type[Aligner]
    params: dict[str, Any]
    views: dict[str, np.ndarray]
    labels: np.ndarray
    seed: int
    rule: str = ""
    _fitted: Aligner | None = None

    def create(self) -> Aligner:
        model = self.cls(seed=self.seed, **self.params)
        model.progress = False
        return model

    @property
    def fitted(self) -> Aligner:
        """The method fitted on all views, once."""
        if self._fitted is None:
            self._fitted = self.create()
            self._fitted.fit(_copies(self.views), self.labels)
        return self._fitted

    def breaks(self, what: str) -> NoReturn:
        raise ContractError(f"method {name_of(self.cls)!r} breaks the rule {self.rule!r}: {what}")

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Turn whatever the method raises into an error that names the rule."""
        try:
            yield
        except ContractError:
            raise
        except Exception as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise ContractError(f"method {name_of(self.cls)!r} breaks the rule {self.rule!r}: {text}") from error

    def raises(self, kind: type[Exception], what: str, call: Callable[[], object]) -> None:
        """Check that something is refused with an error of a kind, in one line."""
        try:
            call()
        except kind as error:
            if "\n" in str(error) or not str(error):
                self.breaks(f"{what}: the message is not one line")
        except Exception as error:
            self.breaks(f"{what} raises {type(error).__name__} ({error}), expected {kind.__name__}")
        else:
            self.breaks(f"{what} is accepted, expected {kind.__name__}")

    def same(self, one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], what: str) -> None:
        """Check that arrays are equal, bit for bit."""
        for key in {**one, **other}:
            facts = [(a[key].dtype, a[key].shape, a[key].tobytes()) for a in (one, other) if key in a]
            if len(facts) != 2 or facts[0] != facts[1]:
                self.breaks(f"{what}; {key!r} differs")


def _copies(views: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {view: array.copy() for view, array in views.items()}


def hyper_parameters_are_declared_and_checked(case: _Case) -> None:
    """Check annotations, defaults, and what the constructor refuses."""
    model = case.create()
    for key, value in case.cls().params.items():
        case.cls.check({key: value})
    json.dumps(model.params)
    for key, values in case.cls.grid.items():
        for value in values:
            case.cls.check({key: value})
    for key, value in case.params.items():
        if model.params.get(key) != value:
            case.breaks(f"{key} is {model.params.get(key)!r} after the constructor got {value!r}; leave __init__ alone")
    case.raises(ConfigError, "an unknown hyper-parameter", functools.partial(case.cls, no_such_thing=1))
    for key in model.params:
        wrong: dict[str, Any] = {key: object()}
        case.raises(ConfigError, f"an object() as {key}", functools.partial(case.cls, **wrong))


def fit_returns_the_method_and_leaves_its_input(case: _Case) -> None:
    """Check what fit returns, and that it changes neither views nor labels."""
    model, views, labels = case.create(), _copies(case.views), case.labels.copy()
    if model.fit(views, labels) is not model:
        case.breaks("fit does not return the method itself")
    case.same(views, case.views, "fit changes its views")
    case.same({"labels": labels}, {"labels": case.labels}, "fit changes its labels")


def transform_gives_float32_rows_of_one_width(case: _Case) -> None:
    """Check names, types and shapes."""
    found = case.fitted.transform(_copies(case.views))
    if set(found) != set(case.views):
        case.breaks(f"transform gives {sorted(found)}, expected {sorted(case.views)}")
    for view, array in found.items():
        if array.dtype != np.float32:
            case.breaks(f"view {view!r} is {array.dtype}, expected float32")
        if array.ndim != 2 or len(array) != len(case.labels):
            case.breaks(f"view {view!r} has shape {array.shape}, expected ({len(case.labels)}, k)")
        if not np.isfinite(array).all():
            case.breaks(f"view {view!r} holds NaN or infinite values")
    if len({array.shape for array in found.values()}) > 1:
        case.breaks(f"views have widths {', '.join(f'{view} {a.shape[1]}' for view, a in found.items())}, not one")


def a_view_and_a_row_are_embedded_alone_as_among_others(case: _Case) -> None:
    """Check that an embedding depends on its own row of its own view."""
    found = case.fitted.transform(_copies(case.views))
    for view, array in case.views.items():
        alone = case.fitted.transform({view: array.copy()})
        case.same(alone, {view: found[view]}, "a view alone is embedded otherwise than with the others")
        few = case.fitted.transform({view: array[:7].copy()})[view]
        if few.shape != found[view][:7].shape or not np.allclose(few, found[view][:7], rtol=RELATIVE, atol=ABSOLUTE):
            case.breaks(f"the first rows of view {view!r} are embedded otherwise than among all rows")


def the_same_seed_gives_the_same_bytes(case: _Case) -> None:
    """Check that only seed and data count: no state from before, no order of views."""
    again = case.create().fit(dict(reversed(_copies(case.views).items())), case.labels)
    case.same(case.fitted.arrays_, again.arrays_, "a second fit, views in another order, learns something else")
    again.fit(_copies(case.views), case.labels)
    case.same(case.fitted.arrays_, again.arrays_, "fitting an object again learns something else")


def labels_count_only_where_they_are_needed(case: _Case) -> None:
    """Check `supervised`; what labels mean to a relational method is a rule of its own."""
    if case.cls.relational:
        return
    if case.cls.supervised:
        case.raises(DataError, "a fit without labels", lambda: case.create().fit(case.views))
        one = np.array(["dog"] * len(case.labels))
        case.raises(DataError, "a fit on one class", lambda: case.create().fit(case.views, one))
    else:
        without = case.create().fit(_copies(case.views)).arrays_
        case.same(case.fitted.arrays_, without, "labels change what is learned, but supervised is False")


def a_saved_method_loads_bit_for_bit(case: _Case) -> None:
    """Check `save` and `load`: all that was learned is in `arrays_`, and nothing is pickled."""
    with tempfile.TemporaryDirectory() as name:
        one, two = Path(name) / "one", Path(name) / "two"
        case.fitted.save(one)
        if [path.name for path in one.iterdir()] != [FILE]:
            case.breaks(f"save writes {sorted(path.name for path in one.iterdir())}, expected {FILE} alone")
        loaded = models.load(one, method=case.cls)
        if (loaded.params, loaded.seed) != (case.fitted.params, case.seed) or loaded.history_ != case.fitted.history_:
            case.breaks("hyper-parameters, seed or history differ after loading")
        before, after = (each.transform(_copies(case.views)) for each in (case.fitted, loaded))
        case.same(before, after, "the loaded method embeds otherwise; keep all that is learned in arrays_")
        loaded.save(two)
        if (one / FILE).read_bytes() != (two / FILE).read_bytes():
            case.breaks("a loaded method is saved with other bytes")


def a_score_is_of_its_two_rows_alone(case: _Case) -> None:
    """Check `score`: the cosine, unless pairs are scored jointly; no order and no other rows count."""
    one, other = list(case.views)[:2]
    queries, gallery = case.views[one], case.views[other]
    given = {"queries": queries.copy(), "gallery": gallery.copy()}
    scores = case.fitted.score({one: given["queries"]}, {other: given["gallery"]})
    case.same(given, {"queries": queries, "gallery": gallery}, "score changes its views")
    n = len(case.labels)
    if scores.dtype != np.float64 or scores.shape != (n, n) or not np.isfinite(scores).all():
        case.breaks(f"score gives {scores.dtype} of shape {scores.shape}, expected finite float64 of shape ({n}, {n})")
    case.same({"score": scores}, {"score": case.fitted.score({one: queries}, {other: gallery})}, "scores differ")
    few = case.fitted.score({one: queries[:7]}, {other: gallery[:9]})
    if few.shape != (7, 9) or not np.allclose(few, scores[:7, :9], rtol=RELATIVE, atol=ABSOLUTE):
        case.breaks("the first rows are scored otherwise than among all rows")
    if case.cls.scores_jointly():
        rows, columns = (np.random.default_rng(place).permutation(n) for place in range(2))
        moved = case.fitted.score({one: queries[rows]}, {other: gallery[columns]})
        if not np.allclose(moved, scores[np.ix_(rows, columns)], rtol=RELATIVE, atol=ABSOLUTE):
            case.breaks("rows in another order have other scores")
    else:
        embedded = case.fitted.transform({one: queries, other: gallery})
        cosines = similarities(embedded[one], embedded[other])
        case.same({"score": scores}, {"score": cosines}, "score is not the cosine of what transform gives")
    for side in range(2):
        sides = [{one: queries}, {other: gallery}]
        sides[side] = {one: queries, other: gallery}
        case.raises(DataError, "two views on one side", functools.partial(case.fitted.score, *sides))


def a_relation_is_of_rows_that_need_not_pair(case: _Case) -> None:
    """Check what `fit` makes of relevance."""
    two = {view: case.views[view] for view in sorted(case.views)[:2]}
    one, other = two
    same = case.labels[:, None] == case.labels
    if case.cls.supervised or case.cls.n_views not in (2, None):
        return
    # The first row has no partner, the other view fewer rows.
    unpaired = {one: two[one].copy(), other: two[other][:-7].copy()}
    relevant = same[:, :-7] & (np.arange(len(same)) > 0)[:, None]
    try:
        model = case.create().fit(unpaired, relevance=relevant)
    except ConfigError:
        if case.cls.n_views is None:
            return  # It takes three views or more.
        raise
    if not np.isfinite(model.score({other: unpaired[other]}, {one: two[one]})).all():
        case.breaks("scores are not finite after a fit on a relation")
    fit = functools.partial(case.create().fit, two)
    case.raises(DataError, "relevance of another shape", lambda: fit(relevance=same[:-1]))
    case.raises(DataError, "relevance without a pair", lambda: fit(relevance=np.zeros_like(same)))
    case.raises(DataError, "labels beside relevance", lambda: fit(case.labels, relevance=same))
    if case.cls.relational:
        learned = case.create().fit(two, case.labels).arrays_
        case.same(learned, case.create().fit(two, relevance=same).arrays_, "rows of a class are not its relation")
        learned = case.create().fit(two).arrays_
        own = np.eye(len(same), dtype=bool)
        case.same(learned, case.create().fit(two, relevance=own).arrays_, "paired rows are not their relation")


def padding_has_no_effect(case: _Case) -> None:
    """Check that frames beyond an item's length are not seen."""
    sequences = [view for view, array in case.views.items() if array.ndim == 3]
    padded, lengths = _copies(case.views), {}
    for view in sequences:
        n, frames, width = padded[view].shape
        padded[view] = np.concatenate([padded[view], np.full((n, 2, width), 7.0, padded[view].dtype)], axis=1)
        lengths[view] = np.full(n, frames)
    model = case.create().fit(padded, case.labels, lengths=lengths)
    found, plain = model.transform(padded, lengths=lengths), case.fitted.transform(_copies(case.views))
    for view in case.views:
        if not np.allclose(found[view], plain[view], rtol=RELATIVE, atol=ABSOLUTE):
            case.breaks(f"view {view!r} is embedded otherwise when frames of padding are added")


def bad_views_are_refused(case: _Case) -> None:
    """Check that wrong input is an error of one line, before and after the fit."""
    views = case.views
    first = next(iter(views))
    broken = views[first].copy()
    broken[(3,) + (0,) * (broken.ndim - 1)] = np.nan
    narrow = views[first][..., :-1]
    unfitted, fitted = case.create(), case.fitted
    case.raises(DataError, "a fit on NaN", lambda: case.create().fit({**views, first: broken}, case.labels))
    case.raises(DataError, "a fit on one view", lambda: case.create().fit({first: views[first]}, case.labels))
    case.raises(
        DataError, "rows that do not pair", lambda: case.create().fit({**views, first: views[first][1:]}, case.labels)
    )
    if case.cls.n_views is not None:
        more = {**views, "one": views[first], "more": views[first]}
        case.raises(ConfigError, "a wrong number of views", lambda: case.create().fit(more, case.labels))
    case.raises(DataError, "transform before fit", lambda: unfitted.transform(views))
    case.raises(DataError, "save before fit", lambda: unfitted.save("nowhere"))
    case.raises(DataError, "transform of NaN", lambda: fitted.transform({first: broken}))
    case.raises(DataError, "a view that was not fitted", lambda: fitted.transform({"no such view": views[first]}))
    case.raises(DataError, "a view of another width", lambda: fitted.transform({first: narrow}))


def history_has_the_finite_terms_of_every_epoch(case: _Case) -> None:
    """Check `history_`."""
    for epoch in case.fitted.history_:
        for term, value in epoch.items():
            if not isinstance(value, float) or not np.isfinite(value):
                case.breaks(f"the term {term!r} is {value!r}, expected a finite float")
    if case.cls.trains_networks and len(case.fitted.history_) < 2:
        case.breaks("a training in epochs has fewer than two in history_; give params with at least two epochs")


def an_interrupted_training_goes_on(case: _Case) -> None:
    """Check that a training killed half-way ends as one that was not, from its checkpoint."""
    if not case.cls.trains_networks:
        return
    from unisono.models.parts import deep

    half, check = len(case.fitted.history_) // 2, deep.check_finite
    ran: list[int] = []

    class Killed(BaseException):
        pass

    def kill(name: str, epoch: int, terms: Mapping[str, float]) -> None:
        if epoch == half:
            raise Killed
        check(name, epoch, terms)

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        model = case.create()
        with mock.patch.multiple(deep, CHECKPOINT_S=-1, check_finite=kill):
            try:
                model.fit(_copies(case.views), case.labels, checkpoint=checkpoint)
            except Killed:
                pass
            else:
                case.breaks("trains_networks is set, but the epochs do not run in unisono.models.parts.deep.train")
        if not checkpoint.is_file():
            case.breaks("no checkpoint is written; give the one that _fit gets to deep.train")
        with mock.patch.object(deep, "check_finite", lambda name, epoch, terms: ran.append(epoch)):
            resumed = case.create().fit(_copies(case.views), case.labels, checkpoint=checkpoint)
        if min(ran, default=0) < half:
            case.breaks("a training does not go on from its checkpoint but starts anew; give deep.train its data")
        case.same(resumed.arrays_, case.fitted.arrays_, "a training that was interrupted ends otherwise")
        if checkpoint.exists():
            case.breaks("the checkpoint is left after the training")


#: In the order in which they are checked.
RULES: tuple[Callable[[_Case], None], ...] = (
    hyper_parameters_are_declared_and_checked,
    fit_returns_the_method_and_leaves_its_input,
    transform_gives_float32_rows_of_one_width,
    a_view_and_a_row_are_embedded_alone_as_among_others,
    the_same_seed_gives_the_same_bytes,
    labels_count_only_where_they_are_needed,
    a_saved_method_loads_bit_for_bit,
    a_score_is_of_its_two_rows_alone,
    a_relation_is_of_rows_that_need_not_pair,
    padding_has_no_effect,
    bad_views_are_refused,
    history_has_the_finite_terms_of_every_epoch,
    an_interrupted_training_goes_on,
)
