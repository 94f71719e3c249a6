"""``unisono models``: the methods and their hyper-parameters, and whether one keeps the contract."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from unisono.cli.evaluate import read_parameters
from unisono.errors import ConfigError


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    listing = commands.add_parser("models", help="list the methods and their hyper-parameters, or check one of yours")
    listing.add_argument(
        "--check",
        metavar="METHOD",
        help="fit a method (package.module or package.module:Class) up to twenty times on little data, and say which "
        "rule of the contract it breaks",
    )
    listing.add_argument(
        "--param", action="append", nargs="+", default=[], metavar="NAME=VALUE", help="hyper-parameters for --check"
    )
    listing.set_defaults(command=_models)


def _models(args: argparse.Namespace) -> None:
    from unisono import models

    if args.check:
        from unisono.testing import check_aligner

        check_aligner(args.check, read_parameters(args.param))
        print(f"{args.check}: keeps the contract")
        return
    if args.param:
        raise ConfigError("--param: goes with --check METHOD")
    for name in models.available():
        cls = models.method(name)
        summary = inspect.getdoc(cls) or ""
        defaults = " ".join(f"{key}={value}" for key, value in models.check_params(name, {}).items())
        columns = " Standardises columns." if cls.standardises else ""
        tunes = f" Tunes {', '.join(cls.grid)}." if cls.grid else ""
        print(f"{name:12s} {summary.splitlines()[0]}{columns}{tunes}" + (f" [{defaults}]" if defaults else ""))
