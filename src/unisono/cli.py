"""The console command ``unisono``: methods on your own features."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from unisono import __version__, errors
from unisono.errors import ConfigError


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; errors end in one line on standard error and exit status 2.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line by default.
    """
    errors.run(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> None:
    args = _parser().parse_args(arguments)
    args.command(args)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="unisono", description="Cross-modal retrieval methods on your own features.")
    parser.add_argument("--version", action="version", version=f"unisono {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    evaluate = commands.add_parser(
        "evaluate",
        help="fit a method on paired features and score it in every direction",
        description="Fit a method on paired features and score it in every direction. FEATURES.parquet has a column "
        "id, optional label, optional split (train, test) or fold (integer), and a column of vectors per view.",
    )
    evaluate.add_argument("features", type=Path, metavar="FEATURES.parquet")
    evaluate.add_argument("--model", required=True, help="a method of `unisono models`; identity: finished embeddings")
    evaluate.add_argument("--views", default="", help="columns to use, separated by commas (default: all vectors)")
    evaluate.add_argument(
        "--param",
        action="append",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="hyper-parameters of the method",
    )
    evaluate.add_argument(
        "--folds", type=int, help="folds to deal where the file has neither split nor fold (default: 5)"
    )
    evaluate.add_argument("--seed", type=int, default=0, help="of the method and of the folds (default: 0)")
    evaluate.add_argument("--out", type=Path, required=True, help="folder for the results")
    evaluate.set_defaults(command=_evaluate)

    listing = commands.add_parser("models", help="list the methods and their hyper-parameters")
    listing.set_defaults(command=_models)
    return parser


def _evaluate(args: argparse.Namespace) -> None:
    from unisono import experiments, models
    from unisono.config.compute import Compute
    from unisono.datasets.user import load_features

    if args.seed < 0:
        raise ConfigError(f"--seed: got {args.seed}, expected 0 or more")
    # All that can be wrong in the command, before the data are read.
    params = models.check_params(args.model, _parameters(args.param), where="--param")
    experiments.warn_in_a_line()
    experiments.prepare(args.model, Compute())
    views = [view.strip() for view in args.views.split(",") if view.strip()]
    dataset = load_features(args.features, views=views)
    unfinished = args.out / ".unfinished"
    result = experiments.run(dataset, args.model, params, seed=args.seed, n_folds=args.folds, scratch=unfinished)
    experiments.write(result, args.out)
    print(_report(result.metrics))
    for note in result.metrics.get("notes", []):
        print(f"note: {note}")
    tables = "".join(f"{name}.csv, " for name in result.tables)
    print(f"\nwritten: {args.out}/metrics.json, embeddings.parquet, {tables}model/")


def _parameters(groups: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Read NAME=VALUE arguments; values are YAML (numbers, true, null, [a, b], words)."""
    import yaml

    params: dict[str, Any] = {}
    for argument in (argument for group in groups for argument in group):
        name, equals, value = argument.partition("=")
        if not equals or not name:
            raise ConfigError(f"--param: got {argument!r}, expected NAME=VALUE")
        if name in params:
            raise ConfigError(f"--param: {name!r} is given twice")
        try:
            params[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"--param: {name}={value!r} is not a value") from None
    return params


def _report(content: dict[str, Any]) -> str:
    """Lay the measures out as a small table, chance beside each."""
    directions = [key for key in content if "->" in key]
    measures = [name for name in content[directions[0]] if f"{name}_std" in content[directions[0]]]
    # A deviation means something where there is more than one fold.
    spread = content["n_folds"] > 1
    rows = [["", *measures, "pool"]]
    for direction in directions:
        scores = content[direction]
        cells = [f"{scores[name]:.4g}" + (f" ± {scores[f'{name}_std']:.2g}" if spread else "") for name in measures]
        rows.append([direction, *cells, str(scores["pool"])])
        rows.append(["  chance", *[f"{scores['chance'][name]:.4g}" for name in measures], ""])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    training = f"{content['n_train']} for training" if content["n_train"] else "nothing to train"
    folds = f"{content['n_folds']} folds" if spread else "one division"
    head = f"{content['model']} on {content['source']}: {content['n_items']} items, {training}, {folds}"
    return "\n".join([head, *(line.rstrip() for line in lines)])


def _models(args: argparse.Namespace) -> None:
    from unisono import models

    for name in models.available():
        cls = models.method(name)
        summary = inspect.getdoc(cls) or ""
        defaults = " ".join(f"{key}={value}" for key, value in models.check_params(name, {}).items())
        print(f"{name:12s} {summary.splitlines()[0]}" + (f" [{defaults}]" if defaults else ""))
