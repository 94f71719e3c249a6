"""``unisono fit``: one experiment of params.yaml, or some."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    fit = commands.add_parser(
        "fit",
        help="train and score experiments of params.yaml on the built data sets",
        description="Train and score experiments of params.yaml on the built data sets and write their results; "
        "`dvc repro` then takes them over without training again. Run it in the project's folder.",
    )
    fit.add_argument("keys", nargs="+", metavar="KEY", help="key of an experiment in params.yaml")
    fit.set_defaults(command=_fit)


def _fit(args: argparse.Namespace) -> None:
    from unisono.config.compute import Compute
    from unisono.config.experiments import load_experiments
    from unisono.config.models import load_models
    from unisono.evaluation.experiments import run_experiments

    run_experiments(
        load_experiments(),
        load_models(),
        keys=list(dict.fromkeys(args.keys)),
        data=Path("data"),
        out=Path("results/experiments"),
        times=Path("results/timing"),
        compute=Compute.load(),
    )
