"""The fuzzing knows every reader, notices what it is for, and finds nothing in a few inputs of each."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unisono

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import fuzz  # noqa: E402
from fuzzing.readers import OURS, READERS  # noqa: E402
from fuzzing.reading import named  # noqa: E402

PACKAGE = Path(unisono.__file__).parent
#: Names of functions that read.
NAMES = re.compile(
    r"((read|load|decode|members|records|parse|frames|sound|pages|clips|from|look|opened|listen|duration|cut|merged|heard)"
    r"(_\w+|)|folder|manifest|count_pages|zip_members)$"
)


def readers(package: Path) -> Iterator[str]:
    """Public functions and class methods of such names that take something."""
    for path in sorted(package.rglob("*.py")):
        module = ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            inner = node.body if isinstance(node, ast.ClassDef) else [node]
            for function in inner:
                own = isinstance(function, ast.FunctionDef) and NAMES.match(function.name) and function.args.args
                if own and (function is node or "classmethod" in map(ast.unparse, function.decorator_list)):
                    yield ".".join([module, *([node.name] if function is not node else []), function.name])


def test_every_reader_is_fuzzed() -> None:
    found = set(readers(PACKAGE))
    covered = {name for reader in READERS.values() for name in reader.covers}
    assert found - covered - OURS.keys() == set(), "add a Reader to benchmarks/fuzzing"
    assert OURS.keys() <= found - covered
    for name in covered:
        assert callable(named(name))


def test_a_new_reader_is_found(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text("def read_this(path): ...\nclass A:\n @classmethod\n def load(cls, path): ...\n")
    assert list(readers(tmp_path)) == ["new.read_this", "new.A.load"]


@pytest.mark.slow
def test_a_few_inputs_of_each_reader() -> None:
    """Without what needs torch and TensorFlow, whose imports take longer than the rest."""
    command = [sys.executable, str(FOLDER / "fuzz.py"), "--smoke", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "0 faults" in done.stdout


def write_beside(path: Path) -> None:
    (path.parents[1] / "beside").write_text("x")


def start(path: Path) -> None:
    subprocess.run(["true"], check=True)


def fill(path: Path) -> float:
    return float(np.ones(2**24).sum())


def spin(path: Path) -> None:
    while True:
        pass


def fail(path: Path) -> None:
    raise KeyError("damaged")


def end(path: Path) -> None:
    import os

    os.abort()


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (Path.read_bytes, "read"),
        (fail, "traceback"),
        (spin, "hang"),
        (lambda path: time.sleep(60), "hang"),
        (fill, "memory"),
        (start, "executed"),
        (write_beside, "written"),
        (lambda path: Path("params").mkdir(), "written"),
        (lambda path: path.with_name("own").write_text("x"), "read"),
        (end, "died"),
    ],
)
def test_the_fuzzing_notices(read: Callable[[Path], Any], kind: str, tmp_path: Path) -> None:
    path = tmp_path / "case" / "input"
    path.parent.mkdir()
    path.write_bytes(b"x")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    outcome = fuzz.attempt(read, path, elsewhere=elsewhere, time_s=2, memory_bytes=2**26)
    assert outcome.kind == kind, outcome


def test_refusals_are_one_short_line(tmp_path: Path) -> None:
    from unisono.errors import DataError, MachineError

    def refuse(error: Exception) -> Callable[[Path], Any]:
        def read(path: Path) -> None:
            raise error

        return read

    path = tmp_path / "case" / "input"
    path.parent.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for error, kind in (
        (DataError("no"), "refused"),
        (MachineError("full"), "traceback"),
        (MemoryError(), "traceback"),
    ):
        assert fuzz.attempt(refuse(error), path, elsewhere=elsewhere).kind == kind
