"""What experiments have given, read from ``metrics.json`` and the files beside it.

**Conventions.** Which experiments there are is read from ``params.yaml``, never from what lies in a folder. Values are
fractions and ranks. A *run* is one setting of one experiment: an experiment without variants is one run.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.errors import DataError

#: Measures of data whose pairs alone count, in the order in which they are told.
RANKS = ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank", "mean_rank")
#: The same where an item belongs to any number of others: ranks are those of the first that does.
RELEVANT = ("map", "recall_at_1", "recall_at_5", "recall_at_10", "median_rank")
#: The same where items are of kinds, too.
PAIRS = ("mrr", "recall_at_1", "recall_at_5", "recall_at_10", "median_rank")
#: How the names of feature sets begin that hold what others must find out: ``true_tags``.
TRUE = "true_"


@dataclass(frozen=True)
class Run:
    """One setting of an experiment, with its results.

    Attributes
    ----------
    key : str
        Of the experiment, in ``params.yaml``.
    experiment : unisono.config.experiments.Experiment
    title : str
        Its name for a reader.
    places : dict of str to int
        The tables in which it stands (``"5.2"``, ``"fig5.9"``), and its place in each.
    setting : str
        What it changes, as the tables say it: ``"margin=0.1;batches=500"``, ``"sheet=sheet_plain"`` or empty.
    label : str
        The setting of ``published.csv`` to which it is compared: `setting`, without the overrides of
        hyper-parameters that an experiment makes for all its runs.
    result : dict
        Its part of ``metrics.json``.
    folder : Path
        Where the experiment's results lie.
    """

    key: str
    experiment: Experiment
    title: str
    places: Mapping[str, int]
    setting: str
    label: str
    result: Mapping[str, Any]
    folder: Path

    @property
    def is_told(self) -> bool:
        """Whether it takes a feature set that holds what others must find out."""
        return any(name.startswith(TRUE) for name in self.experiment.views.values())

    def parts(self, measure: str) -> dict[tuple[int, int], dict[str, float]]:
        """Read one measure of every part.

        Parameters
        ----------
        measure : str
            As in ``metrics.json``, ``"map"``.

        Returns
        -------
        dict of (int, int) to dict of str to float
            By seed and fold, then by direction.

        Raises
        ------
        DataError
            ``parts.csv`` is missing, or has no row of this run.
        """
        path = self.folder / "parts.csv"
        own = str(self.result.get("setting", ""))
        found: dict[tuple[int, int], dict[str, float]] = {}
        for row in _read_parts(path):
            if row["setting"] == own and row["measure"] == measure:
                part = (int(row["seed"]), int(row["fold"]))
                found.setdefault(part, {})[row["direction"]] = float(row["value"])
        if not found:
            raise DataError(f"{path}: no {measure} of setting {own!r}; run experiment {self.key!r} again")
        return found


def read_results(experiments: Mapping[str, Experiment], looks: Report, folder: Path) -> list[Run]:
    """Read the metrics of experiments.

    Parameters
    ----------
    experiments : mapping of str to unisono.config.experiments.Experiment
        Of params.yaml.
    looks : unisono.config.report.Report
        Of params.yaml: titles, and who stands where.
    folder : Path
        Holds ``<key>/metrics.json``.

    Returns
    -------
    list of Run
        In the given order; of an experiment with variants, one for each.

    Raises
    ------
    DataError
        A file is missing or damaged.
    """
    runs = []
    for key, experiment in experiments.items():
        path = folder / key / "metrics.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; run `dvc repro` so that experiment {key!r} is there") from None
        except ValueError as error:
            raise DataError(f"{path}: not JSON ({error}); run experiment {key!r} again") from None
        named = (key, experiment, looks.title(key, experiment), looks.places(key))
        if "variants" not in content:
            label = _label(key, experiments, looks)
            runs.append(Run(*named, setting(experiment), label, content, path.parent))
            continue
        for result in content["variants"]:
            runs.append(Run(*named, result["setting"], result["setting"], result, path.parent))
    return runs


def directions(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the (query, target) pairs of an experiment, in its own order."""
    pairs = (key.split("->") for key in result if "->" in key)
    return [(query, target) for query, target in pairs]


def is_relation(scores: Mapping[str, Any]) -> bool:
    """Say whether a direction is one of items of one view each, of which any number belong together."""
    return "relevant" in scores


def measures(scores: Mapping[str, Any], *, kinds: bool = True) -> list[str]:
    """Say which measures of a direction answer its task.

    MAP where items have classes; ranks where pairs count alone, or (with `kinds`) where it is told what the kinds of
    items explain; both where an item belongs to any number of others.
    """
    if is_relation(scores):
        return [name for name in RELEVANT if name in scores]
    if kinds and "oracle" in scores:
        return [name for name in PAIRS if name in scores]
    return ["map"] if "map" in scores else [name for name in RANKS if name in scores]


def setting(experiment: Experiment) -> str:
    """Describe what an experiment changes against its method's usual setting (``"sheet=sheet_plain"``, or empty)."""
    changes = {**experiment.views, **experiment.params}
    more = {
        "division": experiment.division,
        "ranking": "" if experiment.ranking == "cosine" else experiment.ranking,
        "tune": "grid" if experiment.tune else "",
    }
    changes |= {name: value for name, value in more.items() if value}
    return ";".join(f"{name}={value}" for name, value in changes.items())


def _label(key: str, experiments: Mapping[str, Experiment], looks: Report) -> str:
    """Name the feature sets of an experiment where they set it apart from another of the same method and table."""
    experiment, places = experiments[key], looks.places(key)
    plain = (
        other
        for name, other in experiments.items()
        if (other.dataset, other.model) == (experiment.dataset, experiment.model)
        and looks.places(name).keys() & places.keys()
        and not other.views
        and not other.variants
    )
    return ";".join(f"{view}={name}" for view, name in experiment.views.items()) if any(plain) else ""


def _read_parts(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run `unisono fit {path.parent.name}`") from None
