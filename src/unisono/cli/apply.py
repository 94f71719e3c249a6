"""``unisono apply``: put a recipe's values into params.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    command = commands.add_parser(
        "apply",
        help="put a recipe's values (full.yaml) into params.yaml",
        description="Put a recipe's values into params.yaml, all or none; comments and layout stay. "
        "`git checkout params.yaml` undoes it.",
    )
    command.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    command.add_argument(
        "--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="file to change (default: %(default)s)"
    )
    command.set_defaults(command=_apply)


def _apply(args: argparse.Namespace) -> None:
    from unisono.evaluation import recipe

    changed = recipe.apply(args.recipe, args.params)
    for line in changed:
        print(line)
    print(f"{args.params}: {len(changed)} values changed; `dvc repro` runs what they touch")
