"""Each layer uses only those below it: the order of docs/pipeline.md, checked on every import statement."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from unisono.store import code

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "unisono"


def layers() -> list[str]:
    """Read the order, the lowest first, from the documentation."""
    text = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^Layers, the lowest first: (.+)\.$", text, flags=re.MULTILINE)
    return [name.strip("` ") for name in line.split(",")]


def arrows(package: Path) -> set[tuple[str, str, str]]:
    """Find who imports what: file, its layer, the layer that it imports."""
    found = set()
    for path in package.rglob("*.py"):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        for name in code.imported(path):
            parts = name.split(".")
            if len(parts) > 1 and parts[1] != own:
                found.add((path.relative_to(package).as_posix(), own, parts[1]))
    return found


def upward(found: set[tuple[str, str, str]], order: list[str]) -> list[str]:
    """List the imports that go up."""
    return sorted(f"{file} -> {other}" for file, own, other in found if order.index(own) <= order.index(other))


def test_no_layer_imports_one_above_it() -> None:
    found = {arrow for arrow in arrows(PACKAGE) if not arrow[0].startswith("__")}
    assert upward(found, layers()) == []


def test_every_layer_has_its_place() -> None:
    here = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert {name for name in here if not name.startswith("__")} <= set(layers())
    assert len(set(layers())) == len(layers())


@pytest.mark.parametrize(
    ("file", "text"), [("io", "from unisono.report import tables"), ("store", "import unisono.cli")]
)
def test_an_upward_import_is_found(file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / file).mkdir()
    (tmp_path / file / "new.py").write_text(f"def f():\n    {text}\n", encoding="utf-8")
    assert len(upward(arrows(tmp_path), layers())) == 1
