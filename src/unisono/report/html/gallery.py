"""The gallery: queries of each data set and what every method finds for them, to be seen and heard.

**Conventions.** Ranked are the test items of the first fold, in the space of an experiment's first setting and seed, by
cosine; the own pair of a query is among them. Queries are not picked by hand: the first items by id of every class in
turn or, without classes, items evenly apart. Right is an item of the query's class or, without classes, its own pair.
Where items are of one view each, those of a direction are its queries, and right is what belongs to them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from unisono import metrics
from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.datasets.base import dataset_of
from unisono.errors import UnisonoError, pass_machine
from unisono.evaluation import embeddings, rankings
from unisono.report import layouts
from unisono.report.html import items
from unisono.store import pieces

#: Results shown of every query.
TOP = 10


@dataclass
class Gallery:
    """What is shown of one data set.

    Attributes
    ----------
    content : dict
        For the page's script: items, queries, methods and their answers.
    remark : str
        What was left out, and why.
    """

    content: dict[str, Any]
    remark: str


def collect(experiments: Mapping[str, Experiment], looks: Report, folder: Path, data: Path) -> dict[str, Gallery]:
    """Collect queries, answers and media of every data set.

    Parameters
    ----------
    experiments : mapping of str to unisono.config.experiments.Experiment
        Of params.yaml.
    looks : unisono.config.report.Report
        Of params.yaml: at most `gallery_items` queries of each data set, and `gallery_mb` of media in the page. Data
        sets take turns, a query at a time with all that it finds, until a query does not fit.
    folder : Path
        Results of the experiments; one whose embeddings are missing is left out.
    data : Path
        Holds the built data sets.

    Returns
    -------
    dict of str to Gallery
        By data set; of those with at least one query.
    """
    chosen = {}
    for dataset in layouts.DATASETS:
        spaces, absent = _spaces(dataset, experiments, folder)
        queries = choose(next(iter(spaces.values())), looks.gallery_items) if spaces else []
        if queries:
            chosen[dataset] = (spaces, absent, queries)
    answers = {dataset: _answers(spaces, queries) for dataset, (spaces, _, queries) in chosen.items()}
    shown = _media(chosen, answers, data, budget=round(looks.gallery_mb * 1e6), sound_s=looks.sound_s)
    found = {}
    for dataset, (spaces, absent, queries) in chosen.items():
        kept = queries[: len(shown[dataset][0])] or queries
        remarks = [dataset_of(dataset).remark]
        if len(kept) < len(queries):
            remarks.append(f"{len(kept)} of {len(queries)} queries fit into report.gallery_mb.")
        elif not shown[dataset][0]:
            remarks.append("Its media do not fit into report.gallery_mb: items are shown by name.")
        elif not any(item.parts for item in shown[dataset][1].values()):
            remarks.append("Its source brings nothing to see or hear: items are shown by name.")
        if absent:
            remarks.append(f"Without embeddings, hence not here: {', '.join(absent)}.")
        found[dataset] = Gallery(
            _content(dataset, spaces, kept, answers[dataset], shown[dataset][1], experiments, looks),
            " ".join(filter(None, remarks)),
        )
    return found


#: What is known of an experiment's test items.
Ranked = embeddings.Space | rankings.Rankings


def choose(space: Ranked, n: int) -> list[str]:
    """Choose queries.

    Parameters
    ----------
    space : Space or Rankings
    n : int
        At most.

    Returns
    -------
    list of str
        Ids; those of several directions in turn.
    """
    if isinstance(space, rankings.Rankings):
        share = -(-n // max(len(space.found), 1))
        chosen = [
            _evenly(sorted(query for query, own in found.items() if own.rank == own.rank), share)
            for found in space.found.values()
        ]
        return [query for turn in zip_longest(*chosen) for query in turn if query is not None][:n]
    ids = sorted(map(str, space.ids))
    label_of = dict(zip(map(str, space.ids), map(str, space.labels), strict=True))
    classes = sorted(set(label_of.values()))
    if len(classes) == len(ids):
        return _evenly(ids, n)
    members = {label: [item for item in ids if label_of[item] == label] for label in classes}
    deepest = max(len(own) for own in members.values())
    in_turn = [own[depth] for depth in range(deepest) for own in members.values() if depth < len(own)]
    return in_turn[:n]


def _evenly(ids: Sequence[str], n: int) -> list[str]:
    """Take at most n items that lie evenly apart."""
    places = np.unique(np.linspace(0, len(ids) - 1, min(n, len(ids))).round().astype(int))
    return [ids[place] for place in places]


def answer(space: Ranked, direction: str, query: str) -> dict[str, Any] | None:
    """Rank the items of a space for one query.

    Parameters
    ----------
    space : Space or Rankings
    direction : str
        ``"audio->visual"``.
    query : str
        Id.

    Returns
    -------
    dict or None
        ``ap``: average precision; ``rank`` of the own pair (or of the first that belongs to it), from 1, half the ties
        before it; ``top``: of the first `TOP` ids, cosines (or scores) and, where items are of one view each, whether
        they belong to the query. None where the query is not among the items.
    """
    if isinstance(space, rankings.Rankings):
        found = space.found[direction].get(query)
        if found is None:
            return None
        top = zip(found.ids[:TOP], found.scores, map(int, found.right), strict=False)
        return {"ap": round(found.precision, 4), "rank": found.rank, "top": [[i, round(s, 3), r] for i, s, r in top]}
    places = np.flatnonzero(space.ids == query)
    if not len(places):
        return None
    row = int(places[0])
    queries, targets = (np.asarray(side, dtype=np.float64) for side in space.sides(direction))
    units = [
        side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-30) for side in (queries[row:][:1], targets)
    ]
    scores = (units[0] @ units[1].T)[0]
    best = np.argsort(-scores, kind="stable")[:TOP]
    own = scores[row]
    return {
        "ap": round(
            metrics.mean_average_precision(queries[row:][:1], targets, space.labels[row:][:1], space.labels), 4
        ),
        "rank": 1 + int((scores > own).sum()) + (int((scores == own).sum()) - 1) / 2,
        "top": [[str(space.ids[at]), round(float(scores[at]), 3)] for at in best],
    }


def _spaces(dataset: str, experiments: Mapping[str, Experiment], folder: Path) -> tuple[dict[str, Ranked], list[str]]:
    """Read the spaces, or rankings, of all experiments on a data set, and name those that cannot be read."""
    found: dict[str, Ranked] = {}
    absent = []
    for key, experiment in experiments.items():
        if experiment.dataset != dataset:
            continue
        try:
            if (folder / key / "rankings.parquet").is_file():
                found[key] = rankings.read(key, experiments, folder)
            else:
                found[key] = embeddings.read(key, experiments, folder, dataset=dataset, pairs=True)
        except UnisonoError as error:
            pass_machine(error)
            absent.append(key)
    return found, absent


_Answers = dict[str, dict[str, dict[str, dict[str, Any] | None]]]


def _answers(spaces: Mapping[str, Ranked], queries: Sequence[str]) -> _Answers:
    """Rank for every query (outermost), method and direction."""
    found: _Answers = {query: {} for query in queries}
    for key, space in spaces.items():
        kept = pieces.made(partial(_answered, space, queries), pieces.code(__name__), space, queries)
        for query, by_direction in json.loads(kept).items():
            found[query][key] = by_direction
    return found


def _answered(space: Ranked, queries: Sequence[str]) -> bytes:
    """Rank for every query and direction in one space; as JSON."""
    found = {
        query: {direction: answer(space, direction, query) for direction in _directions(space)} for query in queries
    }
    return json.dumps(found).encode()


def _directions(space: Ranked) -> list[str]:
    return list(space.found) if isinstance(space, rankings.Rankings) else space.directions()


def _needed(answers: Mapping[str, Mapping[str, dict[str, Any] | None]]) -> set[str]:
    """Collect the items that any method finds for a query."""
    found = [answer for by_direction in answers.values() for answer in by_direction.values() if answer]
    return {item for answer in found for item, *_ in answer["top"]}


def _media(
    chosen: Mapping[str, Any], answers: Mapping[str, _Answers], data: Path, *, budget: int, sound_s: float
) -> dict[str, tuple[list[str], dict[str, items.Shown]]]:
    """Read the media of as many queries as fit: by data set the queries, and all items that they need."""
    kept: dict[str, tuple[list[str], dict[str, items.Shown]]] = {dataset: ([], {}) for dataset in chosen}
    left = budget
    waiting = {dataset: list(queries) for dataset, (_, _, queries) in chosen.items()}
    while waiting:
        for dataset in list(waiting):
            if not waiting[dataset]:
                del waiting[dataset]
                continue
            query = waiting[dataset].pop(0)
            queries, known = kept[dataset]
            needed = {query, *_needed(answers[dataset][query])}
            more = items.read(dataset, data / dataset, needed - known.keys(), sound_s=sound_s)
            size = sum(item.size() for item in more.values())
            if size > left:
                del waiting[dataset]
                continue
            left -= size
            queries.append(query)
            known.update(more)
    return kept


def _content(
    dataset: str,
    spaces: Mapping[str, Ranked],
    queries: Sequence[str],
    answers: _Answers,
    shown: Mapping[str, items.Shown],
    experiments: Mapping[str, Experiment],
    looks: Report,
) -> dict[str, Any]:
    """Put everything together for the page's script; items are referred to by number."""
    first = next(iter(spaces.values()))
    labels = {
        str(item): str(label)
        for space in spaces.values()
        if isinstance(space, embeddings.Space)
        for item, label in zip(space.ids, space.labels, strict=True)
    }
    paired = all(item == label for item, label in labels.items())
    asked = {}
    if isinstance(first, rankings.Rankings):
        asked = {
            direction: [at for at, query in enumerate(queries) if query in found]
            for direction, found in first.found.items()
        }
    used = dict.fromkeys(queries)
    for query in queries:
        used |= dict.fromkeys(sorted(_needed(answers[query])))
    number = {item: place for place, item in enumerate(used)}
    entries = []
    for item in used:
        look = shown.get(item, items.Shown())
        entries.append({
            "id": item, "label": "" if paired else labels.get(item, ""), "about": look.about, "group": look.group,
            "words": look.words,
            "parts": look.parts,
        })  # fmt: skip
    methods = []
    for key, space in spaces.items():
        by_direction: dict[str, list[Any]] = {}
        for direction in _directions(space):
            by_direction[direction] = []
            for query in queries:
                found = answers[query][key][direction]
                by_direction[direction].append(
                    found and [found["ap"], found["rank"], [[number[item], *more] for item, *more in found["top"]]]
                )
        methods.append({
            "key": key, "name": method_name(looks.title(key, experiments[key]), experiments[key]),
            "pools": _pools(space), "looks": _feature_sets(experiments[key]), "answers": by_direction,
        })  # fmt: skip
    return {
        "title": layouts.DATASETS[dataset], "source": first.source, "paired": paired, "asked": asked,
        "part": f"fold {first.fold}" if isinstance(first, embeddings.Space) else "the first deal",
        "queries": [number[query] for query in queries], "items": entries, "methods": methods,
    }  # fmt: skip


def _pools(space: Ranked) -> dict[str, int]:
    """Say how many items are ranked, by direction."""
    if isinstance(space, rankings.Rankings):
        return space.pools
    return {direction: len(space.ids) for direction in space.directions()}


def method_name(title: str, experiment: Experiment) -> str:
    """Name what an experiment's embeddings show: its title, and its first setting if it has several."""
    views = ";".join(f"{view}={name}" for view, name in experiment.views.items())
    setting = experiment.variants[0].setting if experiment.variants else views
    return f"{title} ({setting})" if setting else title


def _feature_sets(experiment: Experiment) -> dict[str, str]:
    """Say which feature set an experiment takes for a view."""
    first = experiment.variants[0].views if experiment.variants else {}
    return {**experiment.views, **first}
