"""Which of unisono's own source files a module can run: what its result depends on.

Used for the fingerprints of unfinished work (`unisono.store.shards`), and to check that every stage of
``dvc.yaml`` names the code it imports.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def import_closure(module: str | Path) -> set[Path]:
    """Follow the import statements of a module through the package.

    Statements inside functions and under ``if TYPE_CHECKING:`` count; imports by a name computed at run time
    (`importlib.import_module`) do not. The ``__init__.py`` of every package on the way counts too.

    Parameters
    ----------
    module : str or Path
        Dotted name inside ``unisono`` (``"unisono.media.timidity"``), or any Python file.

    Returns
    -------
    set of Path
        Absolute paths: the module's own file and all files of ``unisono`` that it imports, directly or not.

    Raises
    ------
    ModuleNotFoundError
        The module, or one that is imported on the way, does not exist in the package.
    """
    if isinstance(module, Path):
        todo = {module.resolve()}
    else:
        todo = set(_files(module))
        if not _exists(module):
            raise ModuleNotFoundError(f"{module}: no such module in {PACKAGE}")
    found: set[Path] = set()
    while todo:
        path = todo.pop()
        found.add(path)
        todo |= {file for name in _imported(path) for file in _files(name)} - found
    return found


def code_version(module: str | Path) -> str:
    """Return a SHA-256 of a module's `import_closure`, the same wherever the package is installed."""
    digest = hashlib.sha256()
    names = {
        path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name: path
        for path in import_closure(module)
    }
    for name, path in sorted(names.items()):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()


def _imported(path: Path) -> Iterator[str]:
    """Yield the dotted names of ``unisono`` modules that a file's import statements name."""
    for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            # `from unisono.media import timidity` names a module, `from unisono.errors import run` does not.
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [node.module, *(name for name in inner if _exists(name))]
        else:
            continue
        for name in names:
            if name.split(".")[0] == PACKAGE.name:
                if not _exists(name):
                    raise ModuleNotFoundError(f"{path}: imports {name}, which is not in {PACKAGE}")
                yield name


def _exists(name: str) -> bool:
    """Say whether a dotted name is a module or a package of ``unisono``."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def _files(name: str) -> Iterator[Path]:
    """Yield the files that importing `name` runs: the packages above it, then itself."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        path = PACKAGE.parent.joinpath(*parts[:end])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file
                break
