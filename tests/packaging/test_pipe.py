"""Commands whose output nobody reads to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def unread(*arguments: str) -> tuple[int, bytes]:
    """Run Python with an output that nobody reads; return its status and what it said on standard error."""
    # Buffered as usual: what is written last fails only when it is flushed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        writer.stdout.close()
        said = writer.stderr.read()
        return writer.wait(), said


@pytest.mark.parametrize("command", ["models", "sources", "plan", "--help"])
def test_a_command_ends_without_a_word_when_its_reader_leaves(command: str) -> None:
    assert unread("-m", "unisono", command) == (141, b"")


def test_the_reader_leaves_while_a_command_writes() -> None:
    code = "from unisono import errors\ndef main():\n    for i in range(10**6):\n        print(i)\nerrors.run(main)"
    assert unread("-c", code) == (141, b"")


def test_an_error_is_said_although_nobody_reads_the_output() -> None:
    code = (
        "from unisono import errors\ndef main():\n    print(1)\n    raise errors.DataError('no rows')\nerrors.run(main)"
    )
    assert unread("-c", code) == (2, b"error: no rows\n")
