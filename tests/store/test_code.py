"""The import closure: exactly the files of the package that a module can run."""

from __future__ import annotations

import ast
import hashlib
import sys
from pathlib import Path

import pytest

from unisono.errors import DataError
from unisono.store import code as closure


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package ``unisono`` with every form of import."""
    files = {
        "__init__.py": "",
        "faults.py": "class DataError(Exception): ...",
        "io/__init__.py": "from unisono import faults",
        "io/table.py": "import numpy as np",
        "media/__init__.py": "",
        "media/sound.py": "def play():\n    from unisono.io.table import read\n",
        "media/unused.py": "",
        "deep/__init__.py": "",
        "deep/er/__init__.py": "import unisono.media.sound as s",
        "deep/er/module.py": "import os, unisono.faults",
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
        "faults.py",
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
    script.write_text("def main():\n    from unisono.media import unused\n    from unisono import faults\n")
    assert names(package, script) == {
        "stage.py",
        "__init__.py",
        "media/__init__.py",
        "media/unused.py",
        "faults.py",
    }


def test_the_version_follows_the_code_of_the_closure_alone(package: Path) -> None:
    before = closure.code_version("unisono.media.sound")
    (package / "media" / "unused.py").write_text("x = 1")
    assert closure.code_version("unisono.media.sound") == before
    (package / "faults.py").write_text("class DataError(Exception): pass  # not ...")
    assert closure.code_version("unisono.media.sound") != before


def test_comments_docstrings_and_layout_change_nothing(package: Path) -> None:
    path = package / "faults.py"
    path.write_text("class E(Exception):\n    def f(self, x=1):\n        return x + 1\n")
    before = closure.code_version("unisono.faults")
    path.write_text(
        '"""Errors."""\n# why\nclass E(Exception):\n    """One."""\n\n    def f(\n        self,\n        x=1,\n    ):\n'
        '        """Add."""\n        return (x + 1)  # one\n'
    )
    assert closure.code_version("unisono.faults") == before
    path.write_text("class E(Exception):\n    def f(self, x=1):\n        return x + 2\n")
    assert closure.code_version("unisono.faults") != before


def test_data_that_a_module_names_count(package: Path) -> None:
    (package / "io" / "table.py").write_text("NAME = 'table.csv'\nFOLDER = 'pages'\n")
    (package / "io" / "table.csv").write_text("1")
    (package / "io" / "other.csv").write_text("1")
    (package / "io" / "pages").mkdir()
    (package / "io" / "pages" / "a.html").write_text("1")
    versions = [closure.code_version("unisono.io.table")]
    (package / "io" / "other.csv").write_text("2")
    assert closure.code_version("unisono.io.table") == versions[0]
    for name in ("table.csv", "pages/a.html"):
        (package / "io" / name).write_text("2")
        versions.append(closure.code_version("unisono.io.table"))
    assert len(set(versions)) == 3


def test_imports_for_type_checkers_and_how_work_is_run_do_not_count(package: Path) -> None:
    (package / "faults.py").write_text(
        "from typing import TYPE_CHECKING\nfrom unisono.config.compute import C\n"
        "if TYPE_CHECKING:\n    from unisono.media import unused\nelse:\n    from unisono import loop_a\n"
    )
    (package / "config").mkdir()
    (package / "config" / "__init__.py").write_text("")
    (package / "config" / "compute.py").write_text("C = 1")
    assert names(package, "unisono.faults") == {
        "__init__.py", "faults.py", "config/__init__.py", "loop_a.py", "loop_b.py",
    }  # fmt: skip


#: Every construct of Python 3.11, and what `serialise` must make of it on every version.
SOURCE = '''
"""Doc."""
from __future__ import annotations
import a.b as c, d
from . import e
from .f import (g as h, i)
@dec(1, *x, k=2, **y)
class A(B, metaclass=M):
    """Doc."""
    x: int = 1
    y: "str"
    def m(self, a, /, b=1, *args: int, c, d=None, **kw) -> list[int]:
        """Doc."""
        global z
        return [j for j in range(3) if j > 1 for k in j]
async def co():
    async with a as b, c: await d
    async for x in y: yield x
def only_doc():
    """Doc."""
lam = lambda x, *y: (x, *y, {**z, 1: 2}, {1, 2}, {k: v for k, v in q}, (g for g in h))
s = f"a{x!r:>{w}}b{y=}" "tail" if u"u" else rb"\\x00" b"c"
n = [1, 1.5, 1e-300, 2j, True, None, ..., -3, 0x10, 10**30, "\\N{BULLET} ä"]
x[1:2, ::3], y.z = 1, 2
x += 1; x @= y; (w := 5)
assert x, "m"
del x, y[0]
try:
    raise E from f
except (A, B) as err:
    pass
finally:
    ...
try: pass
except* C: pass
while a and not b or c < d <= e is not f: break
else: continue
match p:
    case [1, *rest] | {"k": v, **more} if q: pass
    case Point(x=0) as pt: pass
    case _: pass
'''


#: SHA-256 of the text, the same on Python 3.11 to 3.13.
EXPECTED = "b488929b4c75c452c4acbc296caedd733f1703f08d64ff9066a553566a4809b7"


def test_syntax_trees_read_the_same_on_every_version() -> None:
    text = closure.serialise(ast.parse(SOURCE))
    assert "Doc." not in text
    assert hashlib.sha256(text.encode()).hexdigest() == EXPECTED
    assert text.startswith("Module(body=[ImportFrom(module=str:'__future__',names=[alias(name=str:'annotations',)]")


def test_every_import_by_name_is_declared() -> None:
    found = set()
    for path in closure.PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_bytes())
        if any(isinstance(node, ast.Call) and closure.is_import_by_name(node) for node in ast.walk(tree)):
            name = path.relative_to(closure.PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
            found.add(name.removesuffix(".__init__"))
    assert found == set(closure.BY_NAME), "declare it in unisono.store.code.BY_NAME"


def test_fingerprints_are_written_as_files(tmp_path: Path) -> None:
    stages = Path(__file__).resolve().parents[2] / "stages"
    closure.write_fingerprints(stages, tmp_path / "code", notes=tmp_path / "notes.json")
    assert {path.name for path in (tmp_path / "code").iterdir()} == {"stages", *closure.KINDS}
    assert {path.name for path in (tmp_path / "code" / "stages").iterdir()} == {
        path.stem for path in stages.glob("*.py") if path.stem != "__init__"
    }
    assert (tmp_path / "code/models/cca").read_text() == f"{closure.code_version('unisono.models.cca')}\n"
    assert (tmp_path / "code/extractors/vggish").is_file()
    closure.write_fingerprints(stages, tmp_path / "code", notes=tmp_path / "notes.json", params={"a.b+c": "1"})
    assert (tmp_path / "code/params/a.b+c").read_text() == "1\n"


def test_notes_of_an_earlier_run_change_nothing_but_time(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = tmp_path / "stages"
    stages.mkdir()
    (stages / "one.py").write_text("from unisono import faults\n")
    for kind in closure.KINDS.values():
        (package.joinpath(*kind.split(".")[1:])).mkdir(parents=True, exist_ok=True)
    notes = tmp_path / "notes.json"

    def version() -> str:
        monkeypatch.setattr(closure, "_known", {})
        closure._read.cache_clear()
        closure.write_fingerprints(stages, tmp_path / "code", notes=notes)
        return (tmp_path / "code" / "stages" / "one").read_text()

    first = version()
    with monkeypatch.context() as patch:
        patch.setattr(closure.ast, "parse", lambda *_, **__: pytest.fail("parsed again"))
        assert version() == first
    for damaged in ("", "[]", "{}", notes.read_text()[:50]):
        notes.write_text(damaged)
        assert version() == first
    (package / "faults.py").write_text("x = 1\n")
    assert version() != first


def test_a_module_that_does_not_parse_ends_in_a_line(package: Path, tmp_path: Path) -> None:
    stages = tmp_path / "stages"
    stages.mkdir()
    (stages / "one.py").write_text("from unisono import faults\n")
    for kind in closure.KINDS.values():
        (package.joinpath(*kind.split(".")[1:])).mkdir(parents=True, exist_ok=True)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "old").write_text("old")
    (package / "faults.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(DataError, match=r"faults\.py:2: invalid syntax; mend the code and run again"):
        closure.write_fingerprints(stages, tmp_path / "code", notes=tmp_path / "notes.json")
    (package / "faults.py").write_text("import unisono.nowhere\n")
    with pytest.raises(DataError, match=r"imports unisono\.nowhere, which is not in .*; mend the import"):
        closure.write_fingerprints(stages, tmp_path / "code", notes=tmp_path / "notes.json")
    assert (tmp_path / "code" / "old").read_text() == "old"


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
            "unisono.config",
            "unisono.io.files",
        )
        if (module := sys.modules[name]).__file__
    }
    assert own <= found
