"""The console command ``unisono``: one module per subcommand, each with a function ``add(commands)``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from unisono import __version__, arithmetic, errors
from unisono.cli import apply, evaluate, fit, models, plan, search, sources, tracked
from unisono.errors import ConfigError
from unisono.io import memory

COMMANDS = (evaluate, search, models, fit, sources, plan, apply, tracked)


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
    arithmetic.pin()
    memory.guard()
    errors.run(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> None:
    args = _parser().parse_args(arguments)
    args.command(args)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="unisono", description="Cross-modal music retrieval, on your own features and files.")
    parser.add_argument("--version", action="version", version=f"unisono {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
