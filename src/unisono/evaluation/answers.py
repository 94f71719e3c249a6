"""What a search gives, and how it is told in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unisono import metrics
from unisono.io.text_tables import plain

#: What is marked among the results: the query's own pair or, where items are of one view each, what belongs to it.
OWN, RIGHT = "own pair", "belongs to it"


@dataclass(frozen=True)
class Hit:
    """One result.

    Attributes
    ----------
    rank : int
        From 1.
    id, about : str
        ``about``: the item's title or class.
    similarity : float
        The model's score; of most a cosine.
    own : bool
        Whether it is the query's own pair or, where items are of one view each, belongs to the query.
    """

    rank: int
    id: str
    about: str
    similarity: float
    own: bool


@dataclass(frozen=True)
class Ranking:
    """Results in one view.

    Attributes
    ----------
    target : str
    hits : list of Hit
        The first ones, the best first.
    own_rank : float or None
        Of the own pair, or of the first item that belongs to the query, among all items: 1 + number better + half the
        other ties.
    mark : str
        What a marked result is.
    """

    target: str
    hits: list[Hit]
    own_rank: float | None
    mark: str = OWN

    @property
    def measured(self) -> str:
        """What hits are ranked by: a cosine or, where items are of one view each, whatever the method scores by."""
        return "similarity" if self.mark == OWN else "score"


@dataclass
class Answer:
    """What a search gives.

    Attributes
    ----------
    query, about : str
        The item, file or line, and the item's title or class.
    view : str
        Of the query.
    dataset, key, model : str
        ``key``: the experiment.
    n_items, n_fitted : int
        Items ranked, and those of them that the model was fitted on.
    rankings : list of Ranking
    notes : list of str
        What there is to know about the query.
    query_shown : object or None
        What `search` was given to show, of the query.
    shown : dict of str to object
        The same of all hits by id.
    sets : dict of str to str
        Feature set by view.
    """

    query: str
    about: str
    view: str
    dataset: str
    key: str
    model: str
    n_items: int
    n_fitted: int
    rankings: list[Ranking]
    notes: list[str] = field(default_factory=list)
    query_shown: Any = None
    shown: dict[str, Any] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)


def rank(
    scores: np.ndarray,
    ids: np.ndarray,
    about: Mapping[str, str],
    *,
    target: str,
    top: int,
    right: np.ndarray | None = None,
    mark: str = OWN,
) -> Ranking:
    """Rank a gallery by a query's scores.

    Parameters
    ----------
    scores : np.ndarray [shape=(n,), dtype=float64]
    ids : np.ndarray [shape=(n,), dtype=str]
    about : mapping of str to str
        Title or class by id.
    target : str
        View of the gallery.
    top : int
        Results.
    right : np.ndarray [shape=(n,), dtype=bool], optional
        The own pair, or what belongs to the query.
    mark : str
        Which of them it is.

    Returns
    -------
    Ranking
        Of equal items the first by row comes first.
    """
    order = np.argsort(-scores, kind="stable")[:top]
    marked = np.zeros(len(ids), dtype=bool) if right is None else right
    hits = [
        Hit(place, str(ids[row]), about.get(str(ids[row]), ""), float(scores[row]), bool(marked[row]))
        for place, row in enumerate(order, start=1)
    ]
    own_rank = None
    if marked.any():
        own_rank = metrics.rank_among(scores, int(np.flatnonzero(marked)[np.argmax(scores[marked])]))
    return Ranking(target, hits, own_rank, mark)


def to_text(answer: Answer) -> str:
    """Lay an answer out for a terminal.

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    str
    """
    lines = [head(answer), *(f"note: {note}" for note in answer.notes)]
    for ranking in answer.rankings:
        rows = [["rank", "id", ranking.measured, "title or class"]]
        rows += [
            [str(hit.rank), hit.id, f"{hit.similarity:.3f}", hit.about + (f"  <- {ranking.mark}" if hit.own else "")]
            for hit in ranking.hits
        ]
        lines += ["", direction(answer, ranking), *plain(rows, "rlrl")]
    return "\n".join(lines)


def head(answer: Answer) -> str:
    """Say in a line what was asked."""
    about = f" ({answer.about})" if answer.about else ""
    fitted = f"{answer.n_fitted} of them seen in training" if answer.n_fitted else "nothing to train"
    return (
        f"{answer.query}{about}, {answer.view}; {answer.model} on {answer.dataset} (experiment {answer.key}), "
        f"{answer.n_items} items, {fitted}"
    )


def direction(answer: Answer, ranking: Ranking) -> str:
    """Say in a line what was searched, and where the own pair is."""
    what = "the own pair" if ranking.mark == OWN else "the first that belongs to it"
    own = "" if ranking.own_rank is None else f": {what} has rank {ranking.own_rank:g} of {answer.n_items}"
    return f"{answer.view} -> {ranking.target}{own}"
