"""``unisono evaluate``: methods on your own features."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unisono.config import parse_yaml
from unisono.errors import ConfigError

ALL = "all"


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    evaluate = commands.add_parser(
        "evaluate",
        help="fit methods on paired features and score them in every direction",
        description="Fit a method on paired features and score it in every direction, or several methods on the same "
        "folds and compare them. FEATURES.parquet, a file or a folder of them, has a column id, optional label, "
        "optional split (train, test) or fold (integer), optional group (rows that no division separates), and a "
        "column of vectors per view.",
    )
    evaluate.add_argument("features", type=Path, metavar="FEATURES.parquet")
    evaluate.add_argument(
        "--model",
        required=True,
        help="a method of `unisono models` (identity: finished embeddings) or of your own (package.module), several "
        "separated by commas, or all: every method that the data allow",
    )
    evaluate.add_argument("--views", default="", help="columns to use, separated by commas (default: all vectors)")
    evaluate.add_argument(
        "--param",
        action="append",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="hyper-parameters of the method; METHOD.NAME=VALUE where there are several",
    )
    evaluate.add_argument(
        "--standardise",
        choices=("columns", "none"),
        default="columns",
        help="columns (default): all columns get mean 0 and deviation 1, by the training rows, for every method that "
        "learns; none: as they are",
    )
    evaluate.add_argument(
        "--folds", type=int, help="folds to deal where the file has neither split nor fold (default: 5)"
    )
    evaluate.add_argument(
        "--tune",
        action="store_true",
        help="run each method twice and compare: as given, and with hyper-parameters that are chosen from a small grid "
        "on the training rows of each fold; what --param gives stays",
    )
    evaluate.add_argument("--seed", type=int, default=0, help="of the method and of the folds (default: 0)")
    evaluate.add_argument("--out", type=Path, required=True, help="folder for the results")
    evaluate.set_defaults(command=_evaluate)


def _evaluate(args: argparse.Namespace) -> None:
    from unisono import evaluation
    from unisono.datasets.user import load_features

    if args.seed < 0:
        raise ConfigError(f"--seed: got {args.seed}, expected 0 or more")
    # All that can be wrong in the command, before the data are read.
    names, given = _methods(args.model), read_parameters(args.param)
    params = _params_of(names, given, standardise=args.standardise)
    dataset = load_features(args.features, views=_names(args.views))
    if len(params) > 1 or args.tune:
        fixed = {name: [key.removeprefix(f"{name}.") for key in given] for name in names}
        _compare(args, dataset, params, fixed)
        return
    [(model, settings)] = params.items()
    unfinished = args.out / ".unfinished"
    result = evaluation.run(dataset, model, settings, seed=args.seed, n_folds=args.folds, scratch=unfinished)
    evaluation.write(result, args.out)
    print(_report(result.metrics))
    for note in result.metrics.get("notes", []):
        print(f"note: {note}")
    tables = "".join(f"{name}.csv, " for name in result.tables)
    print(f"\nwritten: {args.out}/metrics.json, embeddings.parquet, {tables}model/")


def _compare(
    args: argparse.Namespace, dataset: Any, params: dict[str, dict[str, Any]], fixed: dict[str, list[str]]
) -> None:
    from unisono.evaluation import comparison

    found = comparison.run(
        dataset, params, seed=args.seed, n_folds=args.folds, tune=args.tune, fixed=fixed, out=args.out
    )
    comparison.write(found, args.out)
    print(comparison.to_text(found))
    print(f"\nwritten: {args.out}/comparison.csv, comparison.md, and a folder for each of {len(found.methods)} methods")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _methods(text: str) -> list[str]:
    """Read --model: every method once."""
    from unisono import models

    names = models.available() if text.strip() == ALL else list(dict.fromkeys(_names(text)))
    if not names:
        raise ConfigError(f"--model: got {text!r}, expected a method of `unisono models`, several, or {ALL}")
    for name in names:
        models.method(name)
    return names


def _params_of(names: Sequence[str], given: dict[str, Any], *, standardise: str) -> dict[str, dict[str, Any]]:
    """Sort hyper-parameters by method, and check them."""
    from unisono import models
    from unisono.config import nearest

    sorted_: dict[str, dict[str, Any]] = {}
    for name in names:
        method = models.method(name)
        # What scales its input by itself gets it as it is.
        sorted_[name] = {"standardise": standardise} if method.trained and not method.standardises else {}
    if len(names) == 1:
        return {names[0]: models.check_params(names[0], sorted_[names[0]] | given, where="--param")}
    for key, value in given.items():
        # The last dot: a method may be a dotted name.
        name, dot, parameter = key.rpartition(".")
        if not dot:
            raise ConfigError(f"--param: got {key!r} for {len(names)} methods, expected METHOD.NAME=VALUE")
        if name not in sorted_:
            raise ConfigError(f"--param: {key!r} names a method that is not run; {nearest(name, names)}")
        sorted_[name][parameter] = value
    return {name: models.check_params(name, own, where=f"--param {name}") for name, own in sorted_.items()}


def read_parameters(groups: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Read NAME=VALUE arguments; values are YAML (numbers, true, null, [a, b], words)."""
    params: dict[str, Any] = {}
    for argument in (argument for group in groups for argument in group):
        name, equals, value = argument.partition("=")
        if not equals or not name:
            raise ConfigError(f"--param: got {argument!r}, expected NAME=VALUE")
        if name in params:
            raise ConfigError(f"--param: {name!r} is given twice")
        try:
            params[name] = parse_yaml(value)
        except ValueError as error:
            raise ConfigError(f"--param: {name}={value!r} is not a value ({error})") from None
    return params


def _report(content: dict[str, Any]) -> str:
    """Lay the measures out as a small table, chance beside each, with a mark where chance alone is high."""
    from unisono import metrics

    directions = [key for key in content if "->" in key]
    measures = [name for name in content[directions[0]] if f"{name}_std" in content[directions[0]]]
    # A deviation means something where there is more than one fold.
    spread = content["n_folds"] > 1
    rows = [["", *measures, "pool"]]
    remarks: dict[str, None] = {}
    for direction in directions:
        scores = content[direction]
        chance = scores["chance"]
        easy = {name: metrics.too_easy(name, chance.get(name, 0.0)) for name in measures}
        remarks |= dict.fromkeys(filter(None, easy.values()))
        cells = [
            f"{scores[name]:.4g}" + (f" ± {scores[f'{name}_std']:.2g}" if spread else "") + ("†" if easy[name] else "")
            for name in measures
        ]
        rows.append([direction, *cells, str(scores["pool"])])
        rows.append(["  chance", *[f"{chance[name]:.4g}" if name in chance else "" for name in measures], ""])
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
    return "\n".join([head, *(line.rstrip() for line in lines), *(f"† {remark}" for remark in remarks)])
