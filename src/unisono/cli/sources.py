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
        description="List the values that mtm.source, vegas.source and mv10k.source may have; * marks the chosen one.",
    )
    listing.add_argument("--dataset", choices=("mtm", "vegas", "mv10k"), help="of this data set only")
    listing.add_argument(
        "--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="parameters (default: %(default)s)"
    )
    listing.set_defaults(command=_sources)


def _sources(args: argparse.Namespace) -> None:
    from unisono import config
    from unisono.datasets import sources
    from unisono.evaluation.params_file import check_params_file

    check_params_file(args.params)
    params = config.read_yaml(args.params)
    for dataset in [args.dataset] if args.dataset else sources.SOURCES:
        print(f"{dataset}.source")
        for name, source in sources.SOURCES[dataset].items():
            mark = "*" if params[dataset]["source"] == name else " "
            where = sources.location(dataset, name, params)
            print(f"{mark} {name:10s} {source.about}")
            facts = {
                "licence": source.licence,
                "size": source.size,
                "home": source.home,
                "here": f"{dataset}.{source.location}: {where}" if source.location else "",
                "at hand": sources.at_hand(dataset, name, params),
            }
            print("".join(f"      {key + ':':9s}{value}\n" for key, value in facts.items() if value), end="")
        print()
