"""One fit of an experiment: train on a part, embed and score its test rows; in any process, and only once."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from unisono import metrics, models
from unisono.config.experiments import Ranking
from unisono.datasets.loading import Dataset
from unisono.evaluation import relation
from unisono.evaluation.measuring import Classes, measure, measure_scores
from unisono.models.base import average
from unisono.store import fits
from unisono.store.code import PACKAGE
from unisono.store.jobs import SharedArrays

#: Rows of sequences averaged at a time.
BLOCK = 1024
#: What a result says that was ranked by `unisono.metrics.csls`.
CSLS = "ranked by CSLS, which takes all queries at once: the cosines of embeddings.parquet are not these scores"


@dataclass(frozen=True)
class Job:
    """A fit, and what is wanted of it.

    Attributes
    ----------
    model : str
    params : dict of str to object
    seed : int
    views : tuple of str
    data : str
        Prefix of the data set's arrays in the `SharedArrays`.
    part : str or None
        Prefix of the rows for training and testing; None: fit all rows and score nothing.
    deal : int
        Whose features are taken of views that have some for every deal.
    ranking : {"cosine", "csls"}
        How scores become a ranking.
    folder : Path
        For what is kept: the model, the outcome, a checkpoint. Named after everything that the outcome depends on.
    device : str
    where : str
        Its place in the experiment, for messages.
    keeps_model : bool
        Whether the model is wanted, in ``<folder>/model``.
    """

    model: str
    params: dict[str, Any]
    seed: int
    views: tuple[str, ...]
    data: str
    part: str | None
    deal: int
    ranking: Ranking
    folder: Path
    device: str
    where: str
    keeps_model: bool

    def __str__(self) -> str:
        return f"{self.model}, {self.where}"


@dataclass
class Outcome:
    """What a job gives.

    Attributes
    ----------
    scores : dict of str to dict of str to float
        Per direction every measure.
    curves : dict of str to dict of str to np.ndarray
        Per direction the curves of `unisono.evaluation.measuring.measure`.
    embeddings : dict of str to np.ndarray [shape=(n_test, k), dtype=float32]
        Per view; of items of one view each none.
    rankings : dict of str to dict of str to np.ndarray
        Of such items, per direction `unisono.evaluation.relation.rankings`.
    history : list of dict of str to float
        Loss terms per epoch.
    notes : list of str
        What there is to know about the result: the method's ``note_``, and what it warned about.
    warned : list of str
        All distinct warnings, those of other packages too.
    times : dict of str to float
        Seconds for fitting, transforming and measuring.
    """

    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    curves: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    embeddings: dict[str, np.ndarray] = field(default_factory=dict)
    rankings: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=dict)


def arrays_of(dataset: Dataset, *, sequential: bool) -> dict[str, np.ndarray]:
    """Collect the arrays that fits need.

    Parameters
    ----------
    dataset : Dataset
    sequential : bool
        Whether the method uses sequences. Otherwise they are averaged here, once for all fits.

    Returns
    -------
    dict of str to np.ndarray
        ``views/<view>`` or, with features for every deal, ``by_deal/<view>``; ``lengths/<view>`` (where they are
        needed; (n, D) of those of every deal), ``labels``, ``kinds`` and ``categories/<name>``; ``tags`` and
        ``present/<view>``.
    """
    arrays: dict[str, np.ndarray] = {}
    for view in dataset.views:
        per_deal = view in dataset.by_deal
        array = (dataset.by_deal if per_deal else dataset.views)[view]
        lengths = (dataset.by_deal_lengths if per_deal else dataset.lengths).get(view)
        if array.ndim == 3 + per_deal and not sequential:
            array = _averaged(array, lengths)
        elif lengths is not None:
            arrays[f"lengths/{view}"] = lengths
        arrays[f"{'by_deal' if per_deal else 'views'}/{view}"] = array
    if dataset.tags is not None:
        arrays |= {"tags": dataset.tags, **{f"present/{view}": has for view, has in dataset.present.items()}}
    if dataset.labels is not None:
        arrays["labels"] = dataset.labels
    if dataset.kinds is not None:
        arrays["kinds"] = dataset.kinds
    return arrays | {f"categories/{name}": column for name, column in dataset.categories.items()}


def _averaged(array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """Average sequences (n, T, d), or those of every deal (n, D, T, d), a block of rows at a time."""
    if array.ndim == 4:
        deals = range(array.shape[1])
        return np.stack([_averaged(array[:, i], None if lengths is None else lengths[:, i]) for i in deals], axis=1)
    starts = range(0, len(array), BLOCK)
    return np.concatenate(
        [average(array[i : i + BLOCK], None if lengths is None else lengths[i : i + BLOCK]) for i in starts]
    )


def work(shared: SharedArrays, job: Job) -> Outcome:
    """Do a job and keep its outcome; `kept` reads it again.

    Parameters
    ----------
    shared : SharedArrays
        Arrays of `arrays_of` after ``<job.data>/``; rows as ``<job.part>/train`` and ``<job.part>/test``.
    job : Job

    Returns
    -------
    Outcome
    """
    started = time.perf_counter()
    outcome = Outcome()
    with _recorded(outcome):
        model = models.create(job.model, seed=job.seed, **job.params)
        model.device = job.device
        # Only one process has the terminal.
        model.progress = multiprocessing.parent_process() is None
        train = None if job.part is None else shared[f"{job.part}/train"]
        data = items_of(shared, job, train) if is_relation(shared, job) else pairs_of(shared, job, train)
        model.fit(**data, checkpoint=job.folder / fits.CHECKPOINT)
        del data
        note = getattr(model, "note_", "")
        outcome.notes += [note] if note else []
        outcome.history = model.history_
        outcome.times["fit_s"] = time.perf_counter() - started
        if job.part is not None:
            score = _score_items if is_relation(shared, job) else _score
            score(model, shared, job, outcome)
    if job.keeps_model:
        model.save(job.folder / "model")
    keep(outcome, job.folder)
    return outcome


def kept(job: Job) -> Outcome | None:
    """Read the outcome of a job that was done before.

    Parameters
    ----------
    job : Job

    Returns
    -------
    Outcome or None
        None where there is none, it is damaged, or it lacks the model that is wanted.
    """
    found = fits.read(job.folder)
    if found is None or (job.keeps_model and not (job.folder / "model").is_dir()):
        return None
    content, arrays = found
    try:
        outcome = Outcome(**content)
    except TypeError:
        return None
    for name, array in arrays.items():
        kind, _, rest = name.partition("/")
        if kind == "embeddings":
            outcome.embeddings[rest] = array
        else:
            direction, _, name = rest.rpartition("/")
            getattr(outcome, kind).setdefault(direction, {})[name] = array
    return outcome


def _score(model: models.Aligner, shared: SharedArrays, job: Job, outcome: Outcome) -> None:
    started = time.perf_counter()
    test = shared[f"{job.part}/test"]
    data = pairs_of(shared, job, test)
    classes = _classes(shared, job, test)
    embedded = model.transform(data["views"], lengths=data["lengths"])
    outcome.times["transform_s"] = time.perf_counter() - started

    started = time.perf_counter()
    for query, target in permutations(job.views, 2):
        if job.ranking == "csls":
            found = measure_scores(metrics.csls(scored(model, data, query, target)), classes)
        elif model.scores_jointly():
            found = measure_scores(scored(model, data, query, target), classes)
        else:
            found = measure(embedded[query], embedded[target], classes, correlation=model.correlates)
        outcome.scores[f"{query}->{target}"], outcome.curves[f"{query}->{target}"] = found
    outcome.times["measure_s"] = time.perf_counter() - started
    outcome.embeddings = embedded
    if job.ranking == "csls":
        outcome.notes.append(CSLS)
    elif model.scores_jointly():
        outcome.notes.append("ranks by scores of pairs: the cosines of embeddings.parquet are not them")


def scored(model: models.Aligner, data: Mapping[str, Any], query: str, target: str) -> np.ndarray:
    """Score the rows of one view with those of another."""
    sides = [{view: data["views"][view]} for view in (query, target)]
    return model.score(*sides, lengths=data["lengths"], gallery_lengths=data["lengths"])


def _score_items(model: models.Aligner, shared: SharedArrays, job: Job, outcome: Outcome) -> None:
    """Score test items of one view each."""
    data = items_of(shared, job, shared[f"{job.part}/test"])
    outcome.times |= {"transform_s": 0.0, "measure_s": 0.0}
    for query, target in permutations(job.views, 2):
        started = time.perf_counter()
        scores = scored(model, data, query, target)
        if job.ranking == "csls":
            scores = metrics.csls(scores)
        outcome.times["transform_s"] += time.perf_counter() - started

        started = time.perf_counter()
        relevant = data["relevance"] if query < target else data["relevance"].T.tocsr()
        direction = f"{query}->{target}"
        outcome.scores[direction], outcome.curves[direction] = relation.measure(scores, relevant)
        outcome.rankings[direction] = relation.rankings(scores, relevant)
        outcome.times["measure_s"] += time.perf_counter() - started


def is_relation(shared: SharedArrays, job: Job) -> bool:
    """Say whether items are of one view each."""
    return f"{job.data}/tags" in shared


def pairs_of(shared: SharedArrays, job: Job, rows: np.ndarray | None) -> dict[str, Any]:
    """Take rows (all, if None) of views, lengths and labels."""
    labels = shared.get(f"{job.data}/labels")
    sides = {view: _side(shared, job, view, rows) for view in job.views}
    return {
        "views": {view: array for view, (array, _) in sides.items()},
        "lengths": {view: lengths for view, (_, lengths) in sides.items() if lengths is not None},
        "labels": labels if labels is None or rows is None else labels[rows],
    }


def items_of(shared: SharedArrays, job: Job, rows: np.ndarray | None) -> dict[str, Any]:
    """Take those of some rows (of all, if None) that have a view, and which of them belong together."""
    tags = shared[f"{job.data}/tags"]
    present = {view: shared[f"{job.data}/present/{view}"] for view in sorted(job.views)}
    of = relation.rows_of(present, np.arange(len(tags)) if rows is None else rows)
    sides = {view: _side(shared, job, view, of[view]) for view in of}
    return {
        "views": {view: array for view, (array, _) in sides.items()},
        "lengths": {view: lengths for view, (_, lengths) in sides.items() if lengths is not None},
        "relevance": relation.relevance(*(tags[of[view], job.deal] for view in of)),
    }


def _side(shared: SharedArrays, job: Job, view: str, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Take rows of a view and their lengths: those of the deal, where there are some for every deal."""
    array, lengths = (shared.get(f"{job.data}/{kind}/{view}") for kind in ("views", "lengths"))
    if array is None:
        array = shared[f"{job.data}/by_deal/{view}"][:, job.deal]
        lengths = None if lengths is None else lengths[:, job.deal]
    if rows is None:
        return array, lengths
    return array[rows], None if lengths is None else lengths[rows]


def _classes(shared: SharedArrays, job: Job, rows: np.ndarray) -> Classes:
    """Take what is known of the rows of a pool."""
    known = {name: shared.get(f"{job.data}/{name}") for name in ("labels", "kinds")}
    head = f"{job.data}/categories/"
    categories = {name.removeprefix(head): shared[name][rows] for name in shared if name.startswith(head)}
    return Classes(
        **{name: None if each is None else each[rows] for name, each in known.items()}, categories=categories
    )


@contextmanager
def _recorded(outcome: Outcome) -> Iterator[None]:
    """Note each distinct warning of a block once."""
    with warnings.catch_warnings(record=True) as caught:
        # Every time, since a filter that shows a warning once is shared by all fits; deprecations stay hidden.
        warnings.simplefilter("ignore")
        for category in (UserWarning, RuntimeWarning, FutureWarning):
            warnings.simplefilter("always", category)
        yield
    for warning in caught:
        text = " ".join(str(warning.message).split())
        if text not in outcome.warned:
            outcome.warned.append(text)
        # Only our own are notes on the result: those of other packages may depend on the machine.
        if text not in outcome.notes and Path(warning.filename).is_relative_to(PACKAGE):
            outcome.notes.append(text)


def keep(outcome: Outcome, folder: Path) -> None:
    """Write what `kept` reads again."""
    arrays = {f"embeddings/{view}": array for view, array in outcome.embeddings.items()}
    for direction, curves in outcome.curves.items():
        arrays |= {f"curves/{direction}/{name}": curve for name, curve in curves.items()}
    for direction, found in outcome.rankings.items():
        arrays |= {f"rankings/{direction}/{name}": array for name, array in found.items()}
    plain = {name: getattr(outcome, name) for name in ("scores", "history", "notes", "warned", "times")}
    fits.write(folder, plain, arrays)
