"""``unisono sources``: where each data set can come from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    listing = commands.add_parser(
        "sources",
        help="list where each data set can come from, with licence, size, home and whether it is at hand",
        description="List the values that the source of a data set may have in params.yaml; * marks the chosen one.",
    )
    listing.add_argument("--dataset", help="of this data set only")
    listing.add_argument(
        "--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="parameters (default: %(default)s)"
    )
    listing.set_defaults(command=_sources)


def _sources(args: argparse.Namespace) -> None:
    from unisono.config.choices import choices
    from unisono.datasets.base import dataset_of, names

    for dataset in [dataset_of(args.dataset, "--dataset").name] if args.dataset else names():
        for choice in choices(dataset, dataset_of(dataset).settings.load(args.params)):
            print(choice.key + (f" (not used: {choice.unused})" if choice.unused else ""))
            for name, source in choice.sources.items():
                print(f"{'*' if choice.source == name else ' '} {name:10s} {source.about}")
                facts = {
                    "licence": source.licence,
                    "size": source.size,
                    "home": source.home,
                    "here": f"{choice.block}.{name}.{source.lies_at}: {source.place}" if source.lies_at else "",
                    "at hand": source.at_hand(),
                    "watched": f"no: {source.unwatched}" if source.unwatched else "",
                }
                print("".join(f"      {key + ':':9s}{value}\n" for key, value in facts.items() if value), end="")
            print()
