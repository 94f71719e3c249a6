"""What was run: data sets with their sources, experiments, versions, and whether numbers may be compared.

**Conventions.** Versions are what no stage declares: they stand in the page alone, never in the Markdown that is in
Git. Times, which differ from run to run, are in neither: ``results/timing`` has them.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unisono.config.choices import named
from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.datasets.base import dataset_of
from unisono.errors import DataError, UnisonoError, pass_machine
from unisono.io import parquet
from unisono.report import layouts, tables
from unisono.store.results import Run, read_results

#: Distributions whose versions matter to the numbers, by the name shown.
PACKAGES = {
    "torch": ("torch",),
    "TensorFlow": ("tensorflow-cpu", "tensorflow"),
    "scikit-learn": ("scikit-learn",),
    "NumPy": ("numpy",),
}


@dataclass(frozen=True)
class DataSet:
    """A data set as it was built.

    Attributes
    ----------
    name : str
    source : str
        Empty where it is not built.
    n_items : int
    weights : dict of str to str
        By feature set: extractor and weights.
    """

    name: str
    source: str
    n_items: int
    weights: dict[str, str]

    def features(self) -> str:
        """List the feature sets by what they were made with."""
        groups: dict[str, list[str]] = {}
        for name, weights in self.weights.items():
            groups.setdefault(weights, []).append(name)
        return "; ".join(f"{', '.join(names)}: {weights}" for weights, names in groups.items())

    def published(self) -> bool:
        """Say whether the dissertation has numbers of it."""
        return any(row["dataset"] == self.name for row in tables.published())

    def comparable(self) -> tuple[str, str]:
        """Say whether its numbers may be compared with the dissertation's (``yes``, ``no`` or ``perhaps``), and why."""
        if not self.published():
            return "no", "the dissertation has no such data"
        if not self.source:
            return "no", "it is not built"
        reasons = []
        kinds = list(named(dataset_of(self.name).settings, self.source).values())
        if any(kind.stands_in for kind in kinds):
            reasons.append(f"the source {self.source} stands in for the dissertation's data")
        untrained = [view for view, weights in self.weights.items() if "untrained" in weights]
        if untrained:
            reasons.append(f"features of untrained networks ({', '.join(untrained)})")
        if reasons:
            return "no", " and ".join(reasons)
        if kinds and all(kind.original for kind in kinds):
            return "yes", f"the source {self.source} is the dissertation's own; its splits are not published"
        return "perhaps", f"the source {self.source} is yours: only if it holds the dissertation's data"


@dataclass(frozen=True)
class Overview:
    """All that was run.

    Attributes
    ----------
    data_sets : list of DataSet
    runs : list of unisono.store.results.Run
    absent : list of str
        Experiments without results.
    """

    data_sets: list[DataSet]
    runs: list[Run]
    absent: list[str]

    def verdict(self) -> tuple[str, str]:
        """Say for all data sets whether numbers may be compared, as a headline and a sentence."""
        found = {one.name: one.comparable() for one in self.data_sets}
        said = "; ".join(f"{layouts.DATASETS[name]}: {answer}, {why}" for name, (answer, why) in found.items())
        answers = {found[one.name][0] for one in self.data_sets if one.published()} or {"no"}
        if answers == {"yes"}:
            head = "These numbers may be compared with the dissertation's."
        elif "no" not in answers:
            head = "These numbers may be compared with the dissertation's only where the data are its own."
        elif answers == {"no"}:
            head = "These numbers may not be compared with the dissertation's."
        else:
            head = "Only some of these numbers may be compared with the dissertation's."
        return head, f"{said}." if said else ""


def collect(experiments: Mapping[str, Experiment], looks: Report, results: Path, data: Path) -> Overview:
    """Read what was run.

    Parameters
    ----------
    experiments : mapping of str to unisono.config.experiments.Experiment
        Of params.yaml.
    looks : unisono.config.report.Report
        Of params.yaml.
    results : Path
        Of the experiments.
    data : Path
        Holds the built data sets.

    Returns
    -------
    Overview
        Of the data sets that experiments are on.
    """
    runs, absent = [], []
    for key, experiment in experiments.items():
        try:
            runs += read_results({key: experiment}, looks, results)
        except UnisonoError as error:
            pass_machine(error)
            absent.append(key)
    used = {experiment.dataset for experiment in experiments.values()}
    return Overview([_data_set(name, data / name) for name in layouts.DATASETS if name in used], runs, absent)


def _data_set(name: str, folder: Path) -> DataSet:
    try:
        facts = parquet.metadata(folder / "samples")
        n_items = parquet.read(folder / "samples", ["id"]).num_rows
        weights = {}
        for path in sorted((folder / "features").glob("*")):
            own = parquet.metadata(path)
            weights[path.name] = " ".join(filter(None, (str(own.get("extractor", "")), str(own.get("weights", "")))))
        return DataSet(name, str(facts.get("source", "unknown")), n_items, weights)
    except DataError:
        return DataSet(name, "", 0, {})


def versions() -> dict[str, str]:
    """Name the versions of what was run, by name; what is not installed is left out."""
    found = {"unisono": importlib.metadata.version("unisono"), "Python": platform.python_version()}
    for name, distributions in PACKAGES.items():
        for distribution in distributions:
            try:
                found[name] = importlib.metadata.version(distribution)
                break
            except importlib.metadata.PackageNotFoundError:
                continue
    return found
