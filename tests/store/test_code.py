"""The import closure: exactly the files of the package that a module can run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from unisono.store import code as closure


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package ``unisono`` with every form of import."""
    files = {
        "__init__.py": "",
        "errors.py": "class DataError(Exception): ...",
        "io/__init__.py": "from unisono import errors",
        "io/table.py": "import numpy as np",
        "media/__init__.py": "",
        "media/sound.py": "def play():\n    from unisono.io.table import read\n",
        "media/unused.py": "",
        "deep/__init__.py": "",
        "deep/er/__init__.py": "import unisono.media.sound as s",
        "deep/er/module.py": "import os, unisono.errors",
        "loop_a.py": "import unisono.loop_b",
        "loop_b.py": "from unisono import loop_a",
        "wrong.py": "from unisono.media import sound\nfrom unisono.gone import x",
        "dynamic.py": "import importlib\nimportlib.import_module('unisono.media.sound')",
    }
    root = tmp_path / "unisono"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(closure, "PACKAGE", root)
    return root


def names(package: Path, module: str | Path) -> set[str]:
    """The closure as names below the package."""
    return {
        path.relative_to(package).as_posix() if path.is_relative_to(package) else path.name
        for path in closure.import_closure(module)
    }


def test_modules_of_functions_and_packages_on_the_way_count(package: Path) -> None:
    assert names(package, "unisono.media.sound") == {
        "__init__.py",
        "media/__init__.py",
        "media/sound.py",
        "io/__init__.py",
        "io/table.py",
        "errors.py",
    }


def test_a_package_runs_its_init(package: Path) -> None:
    assert {"deep/__init__.py", "deep/er/__init__.py", "deep/er/module.py", "media/sound.py"} <= names(
        package, "unisono.deep.er.module"
    )


def test_loops_end_and_names_at_run_time_do_not_count(package: Path) -> None:
    assert names(package, "unisono.loop_a") == {"__init__.py", "loop_a.py", "loop_b.py"}
    assert names(package, "unisono.dynamic") == {"__init__.py", "dynamic.py"}


def test_a_script_outside_the_package(package: Path, tmp_path: Path) -> None:
    script = tmp_path / "stage.py"
    script.write_text("def main():\n    from unisono.media import unused\n    from unisono import errors\n")
    assert names(package, script) == {
        "stage.py",
        "__init__.py",
        "media/__init__.py",
        "media/unused.py",
        "errors.py",
    }


def test_the_version_follows_the_bytes_of_the_closure_alone(package: Path) -> None:
    before = closure.code_version("unisono.media.sound")
    (package / "media" / "unused.py").write_text("x = 1")
    assert closure.code_version("unisono.media.sound") == before
    (package / "errors.py").write_text("class DataError(Exception): pass")
    assert closure.code_version("unisono.media.sound") != before


def test_what_does_not_exist_is_named(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"wrong.py: imports unisono.gone"):
        closure.import_closure("unisono.wrong")
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        closure.import_closure("unisono.nowhere")


def test_the_real_package_agrees_with_what_python_imports() -> None:
    import unisono.store.shards

    found = closure.import_closure("unisono.store.shards")
    assert Path(unisono.store.shards.__file__).resolve() in found
    own = {
        Path(module.__file__).resolve()
        for name in (
            "unisono",
            "unisono.errors",
            "unisono.config",
            "unisono.config.compute",
            "unisono.io.files",
        )
        if (module := sys.modules[name]).__file__
    }
    assert own <= found
