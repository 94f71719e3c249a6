"""A method on a data set: folds or seeds, every direction, every measure, and the files that hold them.

**Conventions.** A *part* is one division into training and test items. Only training items fit the model;
only test items are ranked. A method that aligns two views (``n_views == 2``) is fitted once per pair of views
when the data have more; every such model is a *space* of its own, and a direction is scored in the space of
its pair. A *setting* is one set of hyper-parameters and feature sets; a sweep has several. All fits of an experiment
run in parallel, and no number depends on how many processes there are.
"""

from __future__ import annotations

from unisono.evaluation.divisions import Part, divide, feature_sets
from unisono.evaluation.planning import Setting
from unisono.evaluation.results import Result, Table
from unisono.evaluation.running import Ended, Request, run, run_requests, run_settings
from unisono.evaluation.writing import write, write_times

__all__ = [
    "Ended",
    "Part",
    "Request",
    "Result",
    "Setting",
    "Table",
    "divide",
    "feature_sets",
    "run",
    "run_requests",
    "run_settings",
    "write",
    "write_times",
]
