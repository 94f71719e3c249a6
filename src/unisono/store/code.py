"""Which of unisono's own code a result depends on, and its fingerprint.

**Conventions.** A module's *closure* is what it imports of the package, directly or not. Its *fingerprint* is a
SHA-256 of the closure's syntax trees without docstrings, and of the package data that its modules name: a comment, a
docstring or the layout of a line changes nothing, and Python 3.11 to 3.13 agree. Imports by a name computed at run
time are not followed; the modules that use one are listed in `BY_NAME`, with the folder of fingerprints that stands
for what they import.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from unisono.errors import DataError
from unisono.io.files import replacing, replacing_folder

PACKAGE = Path(__file__).resolve().parents[1]

#: Packages whose modules are imported by name, with the folder of their fingerprints.
KINDS = {
    "models": "unisono.models",
    "extractors": "unisono.features.clips",
    "texts": "unisono.features.texts",
    "song_extractors": "unisono.features.songs",
    "picture_extractors": "unisono.features.pictures",
    "datasets": "unisono.datasets",
}

#: Modules that import by a name computed at run time, and the kind of fingerprint that stands for what they import;
#: None: what is imported changes no result.
BY_NAME: Mapping[str, str | None] = {
    # What a user finds in the package, loaded when asked for.
    "unisono": None,
    "unisono.datasets": None,
    # What workers would load anyway, earlier.
    "unisono.store.preloading": None,
    # What each data set is.
    "unisono.datasets.base": "datasets",
    "unisono.models": "models",
    "unisono.features.clips": "extractors",
    "unisono.features.texts": "texts",
    "unisono.features.songs": "song_extractors",
    "unisono.features.pictures": "picture_extractors",
    # Readers of queries, which no stage runs.
    "unisono.features.query": None,
}

#: How work is run, fingerprinted or refused changes no result: the design keeps section ``compute`` out of every stage.
_WITHOUT_RESULT = {"config/compute.py", "errors.py", "store/code.py"}


def import_closure(module: str | Path) -> set[Path]:
    """Follow the import statements of a module through the package.

    Statements inside functions count; those under ``if TYPE_CHECKING:``, which never run, and imports by name (see
    `BY_NAME`) do not. The ``__init__.py`` of every package on the way counts too.

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
    SyntaxError
        A file is no Python; the error names it and the line.
    """
    if isinstance(module, Path):
        todo = {module.resolve()}
        # A script's own package, beside which it lies.
        if (module.parent / "__init__.py").is_file():
            todo.add((module.parent / "__init__.py").resolve())
    else:
        todo = set(_files(module))
        if not _exists(module):
            raise ModuleNotFoundError(f"{module}: no such module in {PACKAGE}")
    found: set[Path] = set()
    while todo:
        path = todo.pop()
        found.add(path)
        todo |= {file for name in imported(path) for file in _files(name)} - found
    return {path for path in found if _name(path) not in _WITHOUT_RESULT}


def code_version(module: str | Path) -> str:
    """Return the fingerprint of a module, the same wherever the package is installed.

    Parameters
    ----------
    module : str or Path
        As for `import_closure`.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits.
    """
    digest = hashlib.sha256()
    parts = {}
    for path in import_closure(module):
        parts[_name(path)] = _facts(path).version
        for data in _package_data(path):
            parts[_name(data)] = hashlib.sha256(data.read_bytes()).hexdigest()
    for name, version in sorted(parts.items()):
        digest.update(f"{name}\0{version}\0".encode())
    return digest.hexdigest()


def fingerprints(stages: Path) -> dict[str, str]:
    """Compute the fingerprint of every stage, method, extractor and data set.

    Parameters
    ----------
    stages : Path
        Folder of the stages' scripts.

    Returns
    -------
    dict of str to str
        ``stages/<stage>``, ``models/<method>``, ... to a fingerprint.
    """
    found = {f"stages/{path.stem}": path for path in stages.glob("*.py") if path.stem != "__init__"}
    names: dict[str, str | Path] = dict(found)
    for kind, package in KINDS.items():
        folder = PACKAGE.joinpath(*package.split(".")[1:])
        for path in folder.iterdir():
            is_module = path.suffix == ".py" and path.stem != "__init__" and kind != "datasets"
            if is_module or (path / "__init__.py").is_file():
                # Of a data set the object alone: what builds it is behind its own stage.
                inner = ".dataset" if kind == "datasets" else ""
                names[f"{kind}/{path.stem}"] = f"{package}.{path.stem}{inner}"
    return {name: code_version(module) for name, module in sorted(names.items())}


def current(stages: Path, *, notes: Path, params: Mapping[str, str] | None = None) -> dict[str, str]:
    """Say what the first stage would write now: `fingerprints`, and digests of parameters.

    Parameters
    ----------
    stages : Path
        As for `fingerprints`.
    notes : Path
        File in which a run leaves what it has parsed for the next one; safe to delete.
    params : mapping of str to str, optional
        From `unisono.store.digests.digests`.

    Returns
    -------
    dict of str to str
        As `fingerprints`, and ``params/<key>+<key>`` to a digest.

    Raises
    ------
    DataError
        A module does not parse or imports what is not there: the message names file and line.
    """
    try:
        with _remembered(notes):
            return fingerprints(stages) | {f"params/{keys}": text for keys, text in (params or {}).items()}
    except SyntaxError as error:
        raise DataError(f"{error.filename}:{error.lineno}: {error.msg}; mend the code and run again") from None
    except ModuleNotFoundError as error:
        raise DataError(f"{error.msg}; mend the import and run again") from None


def write_fingerprints(stages: Path, out: Path, *, notes: Path, params: Mapping[str, str] | None = None) -> None:
    """Write a file for each entry of `current`, in folders by kind.

    Parameters
    ----------
    stages, notes, params
        As for `current`.
    out : Path
        Folder; it is replaced as a whole.

    Raises
    ------
    DataError
        As `current`; or it cannot be written.
    """
    found = current(stages, notes=notes, params=params)
    with replacing_folder(out) as folder:
        for name, version in found.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{version}\n", encoding="utf-8")


def serialise(tree: ast.AST) -> str:
    """Write a syntax tree as text on which Python 3.11 to 3.13 agree.

    Parameters
    ----------
    tree : ast.AST

    Returns
    -------
    str
        Without docstrings, positions, and fields that are empty (as are those that a version does not know).
    """
    pieces: list[str] = []

    def write(value: object) -> None:
        if isinstance(value, ast.AST):
            pieces.append(f"{type(value).__name__}(")
            for field, content in ast.iter_fields(value):
                if content is None or content == [] or field in {"kind", "type_comment", "ctx"}:
                    continue
                if field == "body" and isinstance(value, _DOCUMENTED):
                    content = content[1:] if _is_docstring(content[0]) else content
                pieces.append(f"{field}=")
                # Python 3.12.1 puts an empty piece behind a nested field of a format.
                write(
                    [part for part in content if not _is_empty(part)] if isinstance(value, ast.JoinedStr) else content
                )
            pieces.append(")")
        elif isinstance(value, list):
            pieces.append("[")
            for item in value:
                write(item)
            pieces.append("]")
        else:
            pieces.append(f"{type(value).__name__}:{value!r},")

    write(tree)
    return "".join(pieces)


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


#: What was found in files, by the SHA-256 of their bytes.
_known: dict[str, _Facts] = {}


class _Facts(NamedTuple):
    """What is needed of a file: the hash of its tree, the names that it imports, literals that may name a file."""

    version: str
    imports: tuple[str, ...]
    literals: tuple[str, ...]


def _facts(path: Path) -> _Facts:
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=1024)
def _read(path: Path, modified: int, size: int) -> _Facts:
    """Parse a file, once for as long as it stays as it is."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest not in _known:
        tree = ast.parse(content, filename=str(path))
        names = (name for node in _statements(tree.body) for name in _names(node))
        _known[digest] = _Facts(
            hashlib.sha256(serialise(tree).encode()).hexdigest(),
            tuple(name for name in names if name.replace(":", ".").split(".")[0] == PACKAGE.name),
            tuple(sorted(set(filter(_FILE_NAME.fullmatch, _strings(tree))))),
        )
    return _known[digest]


@contextmanager
def _remembered(notes: Path) -> Iterator[None]:
    """Take over what an earlier run has parsed, and leave what this one has; by the bytes of files, this one's too."""
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    with suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads(notes.read_text(encoding="utf-8"))
        _known.update({digest: _Facts(str(v), tuple(i), tuple(s)) for digest, (v, i, s) in content[own].items()})
    yield
    with suppress(DataError), replacing(notes) as temporary:
        temporary.write_text(json.dumps({own: _known}), encoding="utf-8")


_FILE_NAME = re.compile(r"[\w.-]{1,60}")


def _strings(tree: ast.AST) -> Iterator[str]:
    """Yield the literals of a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _name(path: Path) -> str:
    """Name a file below the package, or a script below its own folder's parent."""
    if path.is_relative_to(PACKAGE):
        return path.relative_to(PACKAGE).as_posix()
    return f"{path.parent.name}/{path.name}" if (path.parent / "__init__.py").is_file() else path.name


def _package_data(path: Path) -> Iterator[Path]:
    """Yield the files beside a module, or in a folder beside it, whose name is a literal of the module."""
    if not path.is_relative_to(PACKAGE):
        return
    beside = {other.name: other for other in path.parent.iterdir() if _is_data(other)}
    if not beside:
        return
    for name in sorted(beside.keys() & set(_facts(path).literals)):
        found = beside[name]
        yield from sorted(file for file in found.rglob("*") if file.is_file()) if found.is_dir() else [found]


def _is_data(path: Path) -> bool:
    if path.is_dir():
        return path.name != "__pycache__" and not (path / "__init__.py").exists()
    return path.suffix not in {".py", ".pyc"}


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted names of ``unisono`` modules that a file imports."""
    for name in _facts(path).imports:
        # `from unisono.media import timidity` names a module, `from unisono.errors import run` does not.
        module, _, inner = name.partition(":")
        if not _exists(module):
            raise ModuleNotFoundError(f"{path}: imports {module}, which is not in {PACKAGE}")
        yield module
        if inner and _exists(f"{module}.{inner}"):
            yield f"{module}.{inner}"


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield all statements, those within others too, but those under ``if TYPE_CHECKING:``."""
    for node in body:
        yield node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            if field == "body" and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            yield from _statements(getattr(node, field, []))


def _names(node: ast.stmt) -> Iterator[str]:
    """Yield what a statement imports: dotted names, with ``:name`` for what is taken from one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        yield from (f"{node.module}:{alias.name}" for alias in node.names)


def is_import_by_name(node: ast.Call) -> bool:
    """Say whether a call is one of ``importlib.import_module`` or ``__import__``."""
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"import_module", "__import__"}


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
