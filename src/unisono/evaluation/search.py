"""Searching a built data set with an item of it, or with a file of one's own.

**Conventions.** A query is ranked by the scores of a trained experiment's model (that of its first setting),
against all items of the data set in another view: those that the model was fitted on stand higher than new ones would.
A query that is an item has an *own pair* among them, which is marked; where items are of one view each, those that
share a tag with it are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unisono.config import nearest
from unisono.config.experiments import Experiment, load_experiments
from unisono.config.report import Report
from unisono.datasets.base import dataset_of
from unisono.errors import ConfigError, DataError
from unisono.evaluation import relation
from unisono.evaluation.answers import OWN, RIGHT, Answer, rank
from unisono.io.files import temporary_folder

if TYPE_CHECKING:
    from unisono.datasets.loading import Dataset

#: Ids named when one is unknown.
N_NEAREST = 3


def search(
    query: str,
    dataset: str,
    method: str | None = None,
    *,
    view: str | None = None,
    target: str | None = None,
    top: int = 10,
    data: Path = Path("data"),
    results: Path = Path("results/experiments"),
    show: Callable[[str, Path, Iterable[str]], Mapping[str, Any]] | None = None,
) -> Answer:
    """Rank the items of a data set for a query.

    Parameters
    ----------
    query : str
        Id of an item, path of a file, or a line of lyrics; see `unisono.features.query`.
    dataset : str
    method : str, optional
        Key of an experiment in params.yaml, or a method that one on this data set is of; by default the experiment that
        ``report.recommended`` names.
    view : str, optional
        Of the query. By default that of the kind of file; of an id the first one that is not the target.
    target : str, optional
        View that is searched; all others by default.
    top : int
        Results of each view.
    data : Path
        Holds the built data sets.
    results : Path
        Holds the experiments' results.
    show : callable, optional
        ``show(dataset, folder, ids)`` gives what items look and sound like, by id; kept with the answer.

    Returns
    -------
    Answer

    Raises
    ------
    ConfigError
        An option is unknown, or there is no such experiment.
    DataError
        The data set is not built, the model not trained, the id unknown (the message names the nearest), or the file
        cannot be a query.
    ProgramError, DownloadError
        What the file's extractor needs is missing.
    """
    from unisono import models
    from unisono.datasets.loading import load_folder
    from unisono.evaluation import feature_sets
    from unisono.features import query as queries

    if top < 1:
        raise ConfigError(f"--top: got {top}, expected 1 or more")
    known = dataset_of(dataset, "--dataset").views
    for option, value in (("--view", view), ("--target", target)):
        if value is not None and value not in known:
            raise ConfigError(f"{option}: {dataset} has no view {value!r}; {nearest(value, known)}")
    if view is not None and view == target:
        raise ConfigError(f"--target: got {target!r}, which is the query's own view; name another")
    entries = load_experiments()
    method = method or recommended(dataset)
    key = experiment_of(method, dataset, entries)
    folder = trained(key, results)
    setting = entries[key].settings[0]
    sets = feature_sets(dataset, setting.views)
    loaded = load_folder(data / dataset, views=sets, division=setting.division)
    about = _about(loaded, data / dataset)
    shown: Any = None
    notes: list[str] = []
    own = query if query in loaded.ids else None
    if own:
        view = view or next(name for name in _views_of(loaded, own) if name != target)
        vectors = _frames(loaded, own, view)
    else:
        source = source_of(query, dataset, loaded.ids, view)
        with temporary_folder() as work:
            deal = _first_deal(data / dataset, setting.division)
            found = queries.extract(source, dataset, view=view, sets=sets, built=data / dataset, folder=work, deal=deal)
            view, vectors, notes = found.view, found.vectors, found.notes
            if show:
                shown = show(dataset, work, [queries.ID])[queries.ID]
        if view == target:
            raise ConfigError(f"--target: got {target!r}, which is the query's own view; name another")
    rankings, items = [], loaded
    for other in [target] if target else [name for name in sets if name != view]:
        model = models.load(_space(folder, view, other, key))
        items = _having(loaded, other)
        gallery = {other: items.views[other]}
        scores = model.score({view: vectors}, gallery, gallery_lengths=items.lengths)[0]
        right = _belonging(loaded, own, items) if own else None
        mark = OWN if loaded.tags is None else RIGHT
        rankings.append(rank(scores, items.ids, about, target=other, top=top, right=right, mark=mark))
    answer = Answer(
        query=query, about=about.get(query, ""), view=view, dataset=dataset, key=key, model=entries[key].model,
        n_items=len(items), n_fitted=_n_fitted(items, models.method(entries[key].model).trained),
        rankings=rankings, notes=[*notes, *_others(method, key, dataset, entries)], query_shown=shown, sets=sets,
    )  # fmt: skip
    if show:
        wanted = {hit.id for ranking in rankings for hit in ranking.hits} | ({own} if own else set())
        answer.shown = dict(show(dataset, data / dataset, wanted))
        if own:
            answer.query_shown = answer.shown[own]
    return answer


def recommended(dataset: str) -> str:
    """Look up the experiment that is searched with unless another is asked for, ``report.recommended.<dataset>``.

    Raises
    ------
    ConfigError
        Params.yaml recommends none.
    """
    keys = Report.load().recommended
    if dataset not in keys:
        raise ConfigError(
            f"--method: params.yaml recommends none for {dataset} (report.recommended.{dataset}); give a method or the "
            "key of an experiment"
        )
    return keys[dataset]


def experiment_of(method: str, dataset: str, entries: Mapping[str, Experiment]) -> str:
    """Find the experiment that is meant.

    Parameters
    ----------
    method : str
        Key of an experiment, or a method of `unisono.models.available`.
    dataset : str
    entries : mapping of str to Experiment
        Section ``experiments``.

    Returns
    -------
    str
        Of several experiments with the method ``<dataset>_<method>``, or the first.

    Raises
    ------
    ConfigError
        There is none on this data set.
    """
    if method in entries:
        if entries[method].dataset != dataset:
            other = entries[method].dataset
            raise ConfigError(f"--method: experiment {method!r} is on {other}; give --dataset {other}")
        return method
    here = {key: entry for key, entry in entries.items() if entry.dataset == dataset}
    found = [key for key, entry in here.items() if entry.model == method]
    if not found:
        names = {*here, *(entry.model for entry in here.values())}
        raise ConfigError(f"--method: params.yaml has no experiment {method!r} on {dataset}; {nearest(method, names)}")
    usual = f"{dataset}_{method}"
    return usual if usual in found else found[0]


def _others(method: str, key: str, dataset: str, entries: Mapping[str, Experiment]) -> list[str]:
    """Say, in a list, that the first of several experiments with a method was taken, where none is the usual one."""
    found = [name for name, entry in entries.items() if (entry.dataset, entry.model) == (dataset, method)]
    if method in entries or key == f"{dataset}_{method}" or len(found) < 2:
        return []
    others = ", ".join(name for name in found if name != key)
    return [f"of the experiments with {method} the first was taken, {key}; --method also takes {others}"]


def trained(key: str, results: Path) -> Path:
    """Find the trained model of an experiment.

    Parameters
    ----------
    key : str
    results : Path
        Holds ``<key>/model``.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        It is not there yet.
    """
    folder = results / key / "model"
    if not folder.is_dir():
        raise DataError(f"{folder}: no trained model of experiment {key}; train it with `unisono fit {key}`")
    return folder


def _first_deal(folder: Path, division: str) -> int:
    """Find the number of the deal whose features are searched."""
    from unisono.datasets import dealing

    known = dealing.read_divisions(folder / "divisions")
    return known[division or next(iter(known))][0] if known else 0


def _space(folder: Path, view: str, target: str, key: str) -> Path:
    """Find the model of two views: the only one, or that of the pair."""
    from unisono.models.parts.saved import FILE

    places = [folder, folder / f"{view}-{target}", folder / f"{target}-{view}"]
    found = next((place for place in places if (place / FILE).is_file()), None)
    if found is None:
        raise DataError(f"{folder}: holds no model of {view} and {target}; train it again with `unisono fit {key}`")
    return found


def source_of(query: str, dataset: str, ids: Sequence[str] | np.ndarray, view: str | None) -> Path | str:
    """Say what a query is that is no id.

    Parameters
    ----------
    query : str
    dataset : str
    ids : sequence of str
        Of the data set.
    view : str or None
        That was asked for.

    Returns
    -------
    Path or str
        A file, or a line of text: several words, or any with a view that a text can be a query in.

    Raises
    ------
    DataError
        It is none of these; the message names the nearest ids.
    """
    from unisono.features.query import KINDS

    path = Path(query)
    try:
        exists = path.exists()
    except (OSError, ValueError):  # too long for a name: a text
        exists = False
    named = path.suffix.lower() in KINDS
    if not dataset_of(dataset).queries:
        what = "no query" if exists or named else "no item"
        raise DataError(f"{query}: {what} of {dataset}: {dataset_of(dataset).no_query}; {_nearest_ids(query, ids)}")
    if exists:
        return path
    if named:
        raise DataError(f"{query}: no such file")
    written = dataset_of(dataset).queries.get("text", ())
    if written and (view in written or len(query.split()) > 1):
        return query
    raise DataError(f"{query!r}: neither an item of {dataset} nor a file; {_nearest_ids(query, ids)}")


def _nearest_ids(query: str, ids: Iterable[str]) -> str:
    import difflib

    names = [str(each) for each in ids]
    close = difflib.get_close_matches(query, names, n=N_NEAREST, cutoff=0.3)
    return f"nearest ids: {', '.join(close)}" if close else f"ids look like {names[0]}"


def _about(loaded: Dataset, folder: Path) -> dict[str, str]:
    """Title, or else class, of every item."""
    from unisono.io import parquet

    first = next(iter(parquet.iterate(folder / "samples", batch_size=1)))
    known = {} if loaded.labels is None else dict(zip(map(str, loaded.ids), map(str, loaded.labels), strict=True))
    if "title" not in first.schema.names:
        return known
    table = parquet.read(folder / "samples", ["id", "title"])
    titles = dict(zip(table.column("id").to_pylist(), map(str, table.column("title").to_pylist()), strict=True))
    return {item: title or known.get(item, "") for item, title in titles.items()}


def _frames(loaded: Dataset, item: str, view: str) -> np.ndarray:
    """Take the vectors of an item in a view, without padding: (1, d) or (1, n, d)."""
    row = int(np.flatnonzero(loaded.ids == item)[0])
    vectors = loaded.views[view][row : row + 1]
    return vectors[:, : loaded.lengths[view][row]] if view in loaded.lengths else vectors


def _n_fitted(loaded: Dataset, learns: bool) -> int:
    """Items that the kept model was fitted on: the training part, or all where each is tested in some fold."""
    if not learns:
        return 0
    parts = loaded.splits if loaded.tags is None or loaded.deals is None else loaded.deals[:, 0]
    return len(loaded) if parts is None else int(np.count_nonzero(parts == "train"))


def _views_of(loaded: Dataset, item: str) -> list[str]:
    """List the views that an item has."""
    row = int(np.flatnonzero(loaded.ids == item)[0])
    return [view for view in loaded.views if view not in loaded.present or loaded.present[view][row]]


def _having(loaded: Dataset, view: str) -> Dataset:
    """Keep the items that have a view."""
    if view not in loaded.present:
        return loaded
    has = loaded.present[view]
    return replace(
        loaded,
        ids=loaded.ids[has],
        views={view: loaded.views[view][has]},
        lengths={name: counts[has] for name, counts in loaded.lengths.items() if name == view},
        deals=None if loaded.deals is None else loaded.deals[has],
        tags=None if loaded.tags is None else loaded.tags[has],
    )


def _belonging(loaded: Dataset, query: str, items: Dataset) -> np.ndarray:
    """Say which items are the query's own pair or, where items are of one view each, share a tag of the first deal."""
    if loaded.tags is None or items.tags is None:
        return items.ids == query
    row = int(np.flatnonzero(loaded.ids == query)[0])
    found: np.ndarray = relation.relevance(loaded.tags[row : row + 1, 0], items.tags[:, 0]).toarray()[0]
    return found
