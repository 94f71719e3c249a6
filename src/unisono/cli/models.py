"""``unisono models``: the methods and their hyper-parameters."""

from __future__ import annotations

import argparse
import inspect
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    listing = commands.add_parser("models", help="list the methods and their hyper-parameters")
    listing.set_defaults(command=_models)


def _models(args: argparse.Namespace) -> None:
    from unisono import models

    for name in models.available():
        cls = models.method(name)
        summary = inspect.getdoc(cls) or ""
        defaults = " ".join(f"{key}={value}" for key, value in models.check_params(name, {}).items())
        print(f"{name:12s} {summary.splitlines()[0]}" + (f" [{defaults}]" if defaults else ""))
