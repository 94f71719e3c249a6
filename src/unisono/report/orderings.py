"""The dissertation's main orderings of methods, judged on ours.

**Conventions.** An ordering is judged in pairs: both sides on the same test fold. Of items with classes it is judged
on MAP, the mean of both directions; seeds are averaged within a fold first, since a seed is no new sample of clips.
Where only pairs count it is judged on R@1, the mean of the directions; there each seed deals the held-out songs anew,
so that the seeds are the samples. The 95 % t interval is that of the samples' differences. An ordering *holds* when
the interval is above zero, is *contradicted* when it is below, and *undecided* otherwise. The interval over all
folds and seeds, narrower than it may be, stands beside.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from unisono.io.files import replacing
from unisono.io.text_tables import Markup, bold, markdown
from unisono.report import layouts, tables
from unisono.store.results import Run, directions, is_relation, measures

COLUMNS = (
    "group", "ordering", "dataset", "source", "required", "verdict", "higher", "lower", "difference", "low", "high",
    "low_all", "high_all", "n_folds", "n_seeds", "published_higher", "published_lower", "published_difference",
)  # fmt: skip

#: The sources on which orderings must hold.
REQUIRED_ON = {"digits", "music21"}

#: The measure of one run by seed and fold, mean of the directions.
Parts = Mapping[tuple[int, int], float]


@dataclass(frozen=True)
class Ordering:
    """One statement of the dissertation: `higher` finds more than `lower`.

    Attributes
    ----------
    group : str
    higher, lower : str
        Methods, of `unisono.models`.
    settings : tuple of (str, str)
        Their settings in ``published.csv``, the first pair that has been run; "" is a method's usual run.
    required : bool
        Whether it must hold on the sources `REQUIRED_ON`; otherwise it is reported.
    views : tuple of (str, str)
        Of each side, the two views between which is searched, ``"audio-sheet"``; empty for all.
    """

    group: str
    higher: str
    lower: str
    settings: tuple[tuple[str, str], ...] = (("", ""), ("mean", "mean"))
    required: bool = False
    views: tuple[str, str] = ("", "")

    def name(self) -> str:
        """Say it: ``"C-CCA > CCA"``, with the settings where they differ."""
        first, second = self.settings[0]
        sides = (TITLES[self.higher], TITLES[self.lower])
        if any(self.views):
            sides = (f"{sides[0]} {self.views[0]}", self.views[1])
        elif self.higher == self.lower:
            sides = (f"{sides[0]} {first.partition('=')[2]}", first and second.partition("=")[2])
        elif first:
            sides = (sides[0], f"{sides[1]} ({first.partition('=')[2]})")
        return " > ".join(sides)


#: How the published numbers call the methods.
TITLES = {
    "cca": "CCA", "kcca": "KCCA", "dcca": "DCCA", "c_cca": "C-CCA", "c_kcca": "C-KCCA", "c_dcca": "C-DCCA",
    "s_dcca": "S-DCCA", "tnn": "TNN", "tnn_c_cca": "TNN-C-CCA", "acmr": "ACMR", "ucal": "UCAL", "agah": "AGAH",
    "ugach": "UGACH", "random": "Random", "gcca": "GCCA", "baseline": "Baseline", "baseline_gan": "Baseline-GAN",
    "darlearning": "DARLearning",
}  # fmt: skip

SUPERVISED = "labels help"

#: Selections of triplets in the order of the published numbers.
_TRIPLETS = tuple(f"triplets={name}" for name in ("batch-all", "batch-semi-hard", "random", "batch-hard"))

ORDERINGS = (
    Ordering(SUPERVISED, "c_cca", "cca", required=True),
    Ordering(SUPERVISED, "c_kcca", "kcca", required=True),
    Ordering(SUPERVISED, "c_dcca", "dcca", required=True),
    Ordering("depth helps", "c_dcca", "c_cca", required=True),
    Ordering("depth helps", "s_dcca", "c_cca", required=True),
    Ordering("triplets help", "tnn_c_cca", "c_cca", (("", ""), (_TRIPLETS[0], "")), required=True),
    Ordering("triplets need C-CCA", "tnn_c_cca", "tnn", ((_TRIPLETS[0], _TRIPLETS[0]),), required=True),
    Ordering("distance", "tnn_c_cca", "tnn_c_cca", (("distance=cosine", "distance=euclidean"),)),
    *(Ordering("selection of triplets", "tnn_c_cca", "tnn_c_cca", (pair,)) for pair in pairwise(_TRIPLETS)),
    Ordering("depth without labels", "dcca", "cca"),
    Ordering("adversarial methods", "acmr", "ucal"),
    Ordering("adversarial methods", "agah", "ugach"),
)

#: Orderings of data sets without classes.
PAIR_ORDERINGS = (
    Ordering("pairs can be found", "cca", "random", required=True),
    Ordering("pairs can be found", "cca", "cca", required=True, views=("audio-sheet", "audio-lyrics")),
    Ordering("adversarial methods", "darlearning", "random"),
    Ordering("adversarial methods", "darlearning", "baseline_gan"),
    Ordering("adversarial methods", "darlearning", "baseline"),
)

#: Tables whose published numbers an ordering takes, the first that has both methods.
_PUBLISHED_IN = ("5.2", "5.3", "5.4", "4.1", "6.2", "6.3")


def judge(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Judge every ordering on every data set; others than D's, of whose kinds it is told what they explain, have none.

    Parameters
    ----------
    runs : iterable of unisono.store.results.Run

    Returns
    -------
    list of dict
        Keys are `COLUMNS`; numbers are fractions. Where a method has not been run, ``verdict`` is ``"not run"``.

    Raises
    ------
    DataError
        The parts of a run are missing.
    """
    runs = list(runs)
    found = []
    for dataset in dict.fromkeys(run.result["dataset"] for run in runs):
        own = [run for run in runs if run.result["dataset"] == dataset]
        source = own[0].result["source"]
        known = any(row["dataset"] == dataset for row in tables.published())
        if is_relation(_scores(own[0])) or ("oracle" in _scores(own[0]) and not known):
            continue
        if measure(own[0]) != "map":
            found += [_row(ordering, dataset, source, *_pair(ordering, own)) for ordering in PAIR_ORDERINGS]
            continue
        supervised: dict[str, Run] = {}
        unsupervised: dict[str, Run] = {}
        for ordering in ORDERINGS:
            first, second = _pair(ordering, own)
            found.append(_row(ordering, dataset, source, first, second))
            if ordering.group == SUPERVISED and first is not None and second is not None:
                supervised[ordering.higher], unsupervised[ordering.lower] = first, second
        at = max(index for index, row in enumerate(found) if row["group"] == SUPERVISED)
        found.insert(at + 1, _summary(dataset, source, supervised, unsupervised))
    return found


def compare(higher: Parts, lower: Parts) -> dict[str, float | int | str]:
    """Compare two methods in pairs of folds.

    Parameters
    ----------
    higher, lower : mapping of (int, int) to float
        The measure by seed and fold. A method of one seed (a closed form) is compared with every seed of the other.

    Returns
    -------
    dict
        ``difference``, ``low``, ``high`` (95 % over folds), ``low_all``, ``high_all`` (over folds and seeds),
        ``n_folds``, ``n_seeds`` and ``verdict``. Without two folds in common it is undecided.
    """
    seeds = [sorted({seed for seed, _ in parts}) for parts in (higher, lower)]
    pairs = [(seed, seed) for seed in seeds[0] if seed in seeds[1]]
    if 1 in (len(seeds[0]), len(seeds[1])):
        pairs = [(first, second) for first in seeds[0] for second in seeds[1]]
    by_fold: dict[int, list[float]] = {}
    for first, second in pairs:
        for seed, fold in higher:
            if seed == first and (second, fold) in lower:
                by_fold.setdefault(fold, []).append(higher[first, fold] - lower[second, fold])
    means = [statistics.fmean(values) for values in by_fold.values()]
    every = [value for values in by_fold.values() for value in values]
    low, high = interval(means)
    low_all, high_all = interval(every)
    verdict = "holds" if low > 0 else "contradicted" if high < 0 else "undecided"
    difference = statistics.fmean(means) if means else math.nan
    return {
        "verdict": verdict, "difference": difference, "low": low, "high": high, "low_all": low_all,
        "high_all": high_all, "n_folds": len(means), "n_seeds": len(pairs),
    }  # fmt: skip


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Compute the 95 % t interval of a mean; unbounded for fewer than two values."""
    from scipy.stats import t

    if len(values) < 2:
        return -math.inf, math.inf
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values) - half, statistics.fmean(values) + half


def write(runs: Sequence[Run], folder: Path) -> None:
    """Write ``orderings.csv`` and ``orderings.md``.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Of all experiments.
    folder : Path

    Raises
    ------
    DataError
        The parts of a run are missing, or a file cannot be written.
    """
    found = judge(runs)
    tables.write_csv(folder / "orderings.csv", COLUMNS, map(tables.rounded, found))
    with replacing(folder / "orderings.md") as temporary:
        temporary.write_text(to_markdown(found), encoding="utf-8")


def to_markdown(found: Sequence[Mapping[str, Any]]) -> str:
    """Lay the orderings out for a reader, one table per data set.

    Parameters
    ----------
    found : sequence of mapping
        From `judge`.

    Returns
    -------
    str
    """
    pieces = ["# The dissertation's orderings of methods, judged on ours"]
    for dataset in dict.fromkeys(row["dataset"] for row in found):
        own = [row for row in found if row["dataset"] == dataset]
        pieces.append(f"## {layouts.DATASETS[dataset]} (source: {own[0]['source']})")
        lines = [
            [
                "",
                "Ordering",
                "Ours",
                "Difference",
                "95 %, folds",
                "95 %, folds × seeds",
                "Verdict",
                "D",
                "D: difference",
            ]
        ]
        group = ""
        for row in own:
            lines.append([
                row["group"] if row["group"] != group else "",
                row["ordering"],
                _two(row["higher"], row["lower"]),
                _points(row["difference"]),
                span(row["low"], row["high"]),
                span(row["low_all"], row["high_all"]),
                Markup(bold(row["verdict"]) + (" (required)" if row["required"] == "yes" else "")),
                _two(row["published_higher"], row["published_lower"]),
                _points(row["published_difference"]),
            ])  # fmt: skip
            group = row["group"]
        pieces.append(markdown(lines, "lllrrrllr"))
    pieces.append("\n".join([
        "- MAP in per cent, mean of both directions; on the musical data set R@1, mean of the directions. Differences "
        "in points, in pairs of the same test fold; on the musical data set in pairs of the same held-out songs, which "
        "each seed deals anew.",
        "- The first interval is over folds, each the mean of its seeds: a seed is no new sample of clips. It decides: "
        "*holds* above zero, *contradicted* below, else *undecided*. Folds share training items, so that no interval "
        "of this kind is exact.",
        "- *required*: must hold on the default source, `digits` or `music21`. All others, and everything on another "
        "source, are only reported.",
        "- The worst and the best of several methods are picked by their means: ours by ours, *D*'s by the published.",
        "- A method without chance (a closed form) has one seed, with which every seed of the other is compared.",
        "- *D*: published (Tables 5.2 to 5.4, 6.2, 6.3; S-DCCA on MV-10K: Table 4.1, audio → visual), on other data.",
        "- Which methods must be above chance, and are: [above_chance.csv](above_chance.csv).",
    ]))  # fmt: skip
    return "\n\n".join(pieces) + "\n"


def _pair(ordering: Ordering, runs: Sequence[Run]) -> tuple[Run | None, Run | None]:
    """Find the runs of both sides of an ordering."""
    found = [
        (_find(ordering.higher, first, runs, ordering.views[0]), _find(ordering.lower, second, runs, ordering.views[1]))
        for first, second in ordering.settings
    ]
    return next((pair for pair in found if None not in pair), found[0])


def _find(model: str, setting: str, runs: Iterable[Run], views: str) -> Run | None:
    """Find a run by method and published setting, or by the hyper-parameters that the setting stands for."""
    candidates = [
        run
        for run in runs
        if run.experiment.model == model
        and _between(views, run)
        and (run.label == setting or (not run.label and tables.agrees(setting, run.result["params"])))
    ]
    # An experiment without overrides of its own is the method's usual one.
    candidates.sort(key=lambda run: (run.label != setting, bool(run.experiment.params)))
    return candidates[0] if candidates else None


def measure(run: Run) -> str:
    """Name the measure on which a run is judged: MAP where items have classes, else R@1."""
    return measures(_scores(run), kinds=False)[0]


def _scores(run: Run) -> Mapping[str, Any]:
    """Take the scores of a run's first direction."""
    found: Mapping[str, Any] = next(value for key, value in run.result.items() if "->" in key)
    return found


def _parts(run: Run, views: str = "") -> Parts:
    """Average a run's measure over its directions, or over those between two views."""
    name, chosen = measure(run), _between(views, run)
    found = {
        part: statistics.fmean(values[direction] for direction in chosen) for part, values in run.parts(name).items()
    }
    # Where only pairs count, a seed deals the held-out songs anew: it is a sample, as a fold is of clips.
    n_folds = 1 + max(fold for _, fold in found)
    return found if name == "map" else {(0, seed * n_folds + fold): value for (seed, fold), value in found.items()}


def _between(views: str, run: Run) -> list[str]:
    """List a run's directions, or those between two views."""
    pairs = directions(run.result)
    return ["->".join(pair) for pair in pairs if not views or set(pair) == set(views.split("-"))]


def _mean(run: Run, views: str = "") -> float:
    return statistics.fmean(_parts(run, views).values())


def _row(ordering: Ordering, dataset: str, source: str, higher: Run | None, lower: Run | None) -> dict[str, Any]:
    required = "yes" if ordering.required and source in REQUIRED_ON else "no"
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {
        "group": ordering.group, "ordering": ordering.name(), "dataset": dataset, "source": source,
        "required": required, "verdict": "not run",
    }  # fmt: skip
    first, second = ordering.views
    if higher is not None and lower is not None:
        row |= {"higher": _mean(higher, first), "lower": _mean(lower, second)}
        row |= compare(_parts(higher, first), _parts(lower, second))
    else:
        sides = (("higher", higher, first), ("lower", lower, second))
        row |= {name: _mean(run, views) for name, run, views in sides if run is not None}
    return row | _published(dataset, ordering)


def _summary(
    dataset: str, source: str, supervised: Mapping[str, Run], unsupervised: Mapping[str, Run]
) -> dict[str, Any]:
    """Compare the worst method with labels to the best without, each picked by its mean."""
    pairs = [ordering for ordering in ORDERINGS if ordering.group == SUPERVISED]
    with_labels = [TITLES[ordering.higher] for ordering in pairs]
    without = [TITLES[ordering.lower] for ordering in pairs]
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {
        "group": SUPERVISED,
        "ordering": f"worst of {', '.join(with_labels)} > best of {', '.join(without)}",
        "dataset": dataset,
        "source": source,
        "required": "yes" if source in REQUIRED_ON else "no",
        "verdict": "not run",
    }
    if len(supervised) == len(unsupervised) == len(pairs):
        worst = min(supervised.values(), key=_mean)
        best = max(unsupervised.values(), key=_mean)
        row |= {"higher": _mean(worst), "lower": _mean(best), **compare(_parts(worst), _parts(best))}
        row["ordering"] += f" (here {TITLES[worst.experiment.model]} and {TITLES[best.experiment.model]})"
    known = _published_means("5.2", dataset)
    if known:
        low, high = min(known[name, ""] for name in with_labels), max(known[name, ""] for name in without)
        row |= {"published_higher": low, "published_lower": high, "published_difference": low - high}
    return row


def _published(dataset: str, ordering: Ordering) -> dict[str, float]:
    """Find the published MAP (or R@1) of both sides in one table, mean of the directions that it has."""
    if any(ordering.views):
        return {}
    for number in _PUBLISHED_IN:
        known = _published_means(number, dataset)
        for settings in ordering.settings:
            first, second = (
                known.get((TITLES[model], setting))
                for model, setting in zip((ordering.higher, ordering.lower), settings, strict=True)
            )
            if first is not None and second is not None:
                return {"published_higher": first, "published_lower": second, "published_difference": first - second}
    return {}


def _published_means(number: str, dataset: str) -> dict[tuple[str, str], float]:
    values: dict[tuple[str, str], list[float]] = {}
    for row in tables.published():
        if (row["table"], row["dataset"]) == (number, dataset) and row["metric"] in ("map", "recall@1"):
            values.setdefault((row["method"], row["setting"]), []).append(float(row["value"]))
    return {key: statistics.fmean(found) for key, found in values.items()}


def percent(value: Any) -> str:
    """Format a fraction in per cent; nothing where there is none."""
    return "" if value == "" else f"{100 * value:.2f}"


def difference(value: Any, low: Any, high: Any) -> str:
    """Format a difference in points with its interval: ``"+1.20 (-0.30 … +2.70)"``; nothing where there is none."""
    bounds = span(low, high)
    return _points(value) + (f" ({bounds})" if bounds else "")


def span(low: Any, high: Any) -> str:
    """Format an interval in points; nothing where there is none."""
    return "" if low == "" or math.isinf(low) else f"{_points(low)}\u00a0…\u00a0{_points(high)}"


def _points(value: Any) -> str:
    return "" if value == "" or math.isnan(value) else f"{100 * value:+.2f}"


def _two(first: Any, second: Any) -> str:
    """Format the MAP of both sides; nothing where neither is known."""
    return "" if first == second == "" else f"{percent(first) or '?'} / {percent(second) or '?'}"
