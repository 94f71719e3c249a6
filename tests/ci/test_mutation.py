"""The mutation script: what it changes, and which tests it runs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

SOURCE = '''"""A docstring with 1 + 1."""

LIMIT: int = 3


def f(x: "list[int]", é: bool = True) -> float:
    """No change here: 2 - 1."""
    if not x or len(x) <= (LIMIT) and x[0] is not None:
        raise ValueError("no words", f"{LIMIT + 1}", 7)
    return x[-1] / 2.0 + é * len("_") % 5
'''


@pytest.fixture(scope="module")
def mutation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutation", ROOT / "benchmarks" / "mutation.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules["mutation"] = module
    spec.loader.exec_module(module)
    return module


def test_each_mutant_changes_one_place_and_nothing_that_only_speaks(mutation: ModuleType) -> None:
    source = SOURCE.encode()
    found = mutation.mutants(source, "a.py")
    lines = source.decode().splitlines()
    changed = {}
    for mutant in found:
        new = mutant.apply(source).decode().splitlines()
        (number,) = (at for at, (one, other) in enumerate(zip(lines, new, strict=True), 1) if one != other)
        assert number == mutant.line
        changed.setdefault(number, []).append((mutant.kind, mutant.old, mutant.new))
    assert changed == {
        3: [("constant", "3", "4")],
        6: [("constant", "True", "False")],
        8: [
            ("operator", "not x", "(x)"),
            ("operator", "or", "and"),
            ("operator", "<=", "<"),
            ("operator", "and", "or"),
            ("index", "0", "1"),
            ("operator", "is not", "is"),
        ],
        9: [("constant", "7", "8")],
        10: [
            ("index", "1", "2"),
            ("operator", "/", "*"),
            ("constant", "2.0", "4.0"),
            ("operator", "+", "-"),
            ("operator", "*", "/"),
            ("constant", '"_"', "'-'"),
            ("operator", "%", "*"),
            ("constant", "5", "6"),
        ],
    }


def test_tests_of_a_module_are_those_that_import_it_the_closest_first(mutation: ModuleType) -> None:
    found = mutation.Tests(ROOT).of(ROOT / "src" / "unisono" / "report" / "orderings.py")
    names = [path.name for path in found]
    assert names[0] == "test_orderings.py"
    assert "test_report.py" in names
    assert "test_metrics.py" not in names
