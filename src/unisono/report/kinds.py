"""What methods find beyond the kind of an item: true pairs against pairs shuffled within kinds.

**Conventions.** A corpus of many kinds of songs makes any table look good: a German chorale is told from an Italian
ballata by its sound, and its words by their language. Whatever is left of a measure when pairs are shuffled among the
items of a kind is no more than that. Of every run on a data set whose items are of kinds, the difference stands here
with its 95 % interval over queries, items of the gallery and deals; where that holds 0, there is no evidence that pairs
are found. A run's first setting and seed are judged, those whose embeddings are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unisono.datasets.columns import is_vectors, to_labels, to_view
from unisono.errors import DataError
from unisono.evaluation.within_kind import Pool, difference_interval
from unisono.io import parquet
from unisono.io.files import replacing
from unisono.io.text_tables import bold, markdown
from unisono.report import layouts, tables
from unisono.store.results import Run, directions

COLUMNS = (
    "run", "dataset", "method", "division", "direction", "source", "measure", "true", "shuffled", "difference", "low",
    "high", "verdict", "n_deals", "pool",
)  # fmt: skip

#: Measures that are compared.
MEASURES = ("mrr", "recall_at_10")
#: What is said of an interval that lies above 0, and of one that holds it.
FOUND, NOTHING = "beyond the kind", "no evidence"
#: The direction of the mean of both.
BOTH = "both"


def judge(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Compare true pairs with pairs shuffled within kinds.

    Parameters
    ----------
    runs : iterable of unisono.store.results.Run
        Of all experiments; those whose items are of no kinds or of more than two views, or that stand in no table, are
        passed over.

    Returns
    -------
    list of dict
        Keys are `COLUMNS`; numbers are fractions. A row for every direction and measure, and for the mean of both.

    Raises
    ------
    DataError
        The embeddings of a run are missing or damaged.
    """
    found = []
    seen = set()
    for run in runs:
        pairs = directions(run.result)
        shown = any(not number.startswith("fig") for number in run.places)
        # Of several settings the first has its embeddings written.
        if run.key in seen or not shown or len(pairs) != 2 or "oracle" not in run.result["->".join(pairs[0])]:
            continue
        seen.add(run.key)
        ways = [("->".join(pair), pair, False) for pair in pairs] + [(BOTH, pairs[0], True)]
        for direction, (query, target), both in ways:
            pools = read_pools(run.folder / "embeddings.parquet", query, target)
            for measure in MEASURES:
                try:
                    told = difference_interval(pools, measure=measure, both=both)
                except DataError as error:
                    raise DataError(f"{run.folder}: {error}; run experiment {run.key!r} again") from None
                found.append({
                    "run": run.key, "dataset": run.result["dataset"], "method": run.title,
                    "division": run.experiment.division,
                    "direction": direction, "source": run.result["source"], "measure": tables.MEASURES[measure][0],
                    "true": told.true, "shuffled": told.shuffled, "difference": told.mean, "low": told.low,
                    "high": told.high, "verdict": FOUND if told.low > 0 else NOTHING, "n_deals": len(pools),
                    "pool": round(np.mean([len(pool.songs) for pool in pools])),
                })  # fmt: skip
    return found


def read_pools(path: Path, query: str, target: str) -> list[Pool]:
    """Read the test items of every deal.

    Parameters
    ----------
    path : Path
        ``embeddings.parquet`` of an experiment.
    query, target : str
        Views.

    Returns
    -------
    list of Pool

    Raises
    ------
    DataError
        The file is missing, damaged, or lacks a column.
    """
    table = parquet.read(path)
    names = [name for name in table.column_names if is_vectors(table.schema.field(name).type)]
    views = {name.partition("@")[0]: to_view(table.column(name), where=f"{path}: {name}")[0] for name in names}
    columns = ("fold", "kind", "song" if "song" in table.column_names else "id")
    for name, present in [(name, table.column_names) for name in columns] + [(view, views) for view in (query, target)]:
        if name not in present:
            raise DataError(f"{path}: no column {name!r}; run experiment {path.parent.name!r} again")
    folds, kinds, songs = (to_labels(table.column(name), f"{path}: {name}") for name in columns)
    return [
        Pool(views[query][folds == fold], views[target][folds == fold], kinds[folds == fold], songs[folds == fold])
        for fold in np.unique(folds)
    ]


def write(runs: Sequence[Run], folder: Path) -> None:
    """Write ``kinds.csv`` and ``kinds.md``; see `judge`."""
    found = judge(runs)
    tables.write_csv(folder / "kinds.csv", COLUMNS, map(tables.rounded, found))
    with replacing(folder / "kinds.md") as temporary:
        temporary.write_text(to_markdown(found), encoding="utf-8")


def to_markdown(found: Sequence[Mapping[str, Any]]) -> str:
    """Lay the comparison out for a reader.

    Parameters
    ----------
    found : sequence of mapping
        From `judge`.

    Returns
    -------
    str
    """
    pieces = ["# What is found beyond the kind of song"]
    for dataset in dict.fromkeys(row["dataset"] for row in found):
        own = [row for row in found if row["dataset"] == dataset]
        pieces.append(f"## {layouts.DATASETS[dataset]} (source: {own[0]['source']})\n\n{sentence(own)}")
        lines = [["Method", "Direction", "Measure", "True pairs", "Shuffled within kinds", "Difference", "95 %", ""]]
        for row in own:
            numbers = [f"{100 * row[column]:.2f}" for column in ("true", "shuffled", "difference")]
            span = f"{100 * row['low']:+.2f} to {100 * row['high']:+.2f}"
            way = row["direction"].replace("->", " → ")
            lines.append([row["method"], way, tables.title_of(row["measure"]), *numbers, span, bold(row["verdict"])])
        pieces.append(markdown(lines, "lllrrrrl"))
    pieces.append("\n".join([
        "- In per cent, means over deals. *Shuffled within kinds*: each pair is exchanged for one of the same kind "
        "(collection and language), all exchanges counted; what is left is found by the kind alone.",
        "- The interval is over songs, as queries and as items of the gallery, and over deals.",
        f"- *{NOTHING}*: the interval holds 0, so that nothing shows that the words of a song are found by its sound; "
        f"*{FOUND}*: it lies above 0.",
        "- Many lines are judged one by one: of twenty without any effect, one is expected outside its interval.",
    ]))  # fmt: skip
    return "\n\n".join(pieces) + "\n"


def sentence(found: Sequence[Mapping[str, Any]]) -> str:
    """Say in words what the comparison of a data set's runs, over both directions, comes to.

    Parameters
    ----------
    found : sequence of mapping
        Rows of `judge`; numbers may be text, as a CSV file has them.

    Returns
    -------
    str
    """
    both = [row for row in found if row["direction"] == BOTH and not row["division"]]
    above = [row for row in both if row["verdict"] == FOUND]
    if not both:
        return "No experiment stands here."
    if not above:
        return (
            f"On the source {both[0]['source']} there is no evidence that words are found by sound beyond the kind of "
            f"song: in none of {len(both)} comparisons over both directions do true pairs score above pairs that are "
            "shuffled within their kind."
        )
    names = ", ".join(dict.fromkeys(f"{row['method']} ({tables.title_of(row['measure'])})" for row in above))
    return (
        f"On the source {both[0]['source']} true pairs score above pairs that are shuffled within their kind in "
        f"{len(above)} of {len(both)} comparisons over both directions: {names}. Where nothing is to be found, "
        f"{len(both) / 40:.1f} of so many would."
    )
