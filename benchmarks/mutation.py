"""Change one operator, constant or index of the product at a time, and see whether the tests notice.

    python benchmarks/mutation.py metrics models evaluation datasets report
    python benchmarks/mutation.py metrics models evaluation datasets report --seed "$(git rev-parse HEAD)"

Folders are those of src/unisono. A mutant is drawn by kind (operator, constant, index; each as likely as the others),
then among all places of that kind. The seed is a commit: by default the one before this script, so that nobody chose
the draw; for a fresh one pass the last commit. Not touched: docstrings, annotations, f-strings, messages of errors,
help texts, and strings of several words, for what they say is no behaviour.

Each mutant is put into a copy of the tree. The tests that import its module run there, the closest first, until one
fails: those named like the module, those that import it themselves, then those that reach it through others, in the
order of how much they import. A test that also fails without the change counts for nothing. After `--minutes` of
processor time a mutant is out of time, or killed if one test alone has then run for two of them. Tests of the pipeline
do not run.

Results are kept in a JSON file after each mutant; the same command goes on from there.
"""

from __future__ import annotations

import argparse
import ast
import functools
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from _mutants import Mutant, differs, mutants

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("operator", "constant", "index")

#: A test that has run for so long when a mutant's time is over, in seconds, is one that the mutant hangs.
HUNG_S = 120.0
#: Clock time that a mutant may take, by its processor time: the machine may have other work.
PATIENCE = 6


def draw(root: Path, folders: list[str], number: int, seed: str) -> list[Mutant]:
    """Draw mutants of ``src/unisono/<folder>``, different ones, in a random order."""
    by_kind: dict[str, list[Mutant]] = {kind: [] for kind in KINDS}
    for folder in folders:
        if not (root / "src" / "unisono" / folder).is_dir():
            raise SystemExit(f"src/unisono/{folder}: no such folder")
        for path in sorted((root / "src" / "unisono" / folder).rglob("*.py")):
            for mutant in mutants(path.read_bytes(), path.relative_to(root).as_posix()):
                by_kind[mutant.kind].append(mutant)
    generator = random.Random(seed)
    chosen: list[Mutant] = []
    while len(chosen) < number and any(by_kind.values()):
        kind = generator.choice([kind for kind in KINDS if by_kind[kind]])
        mutant = by_kind[kind].pop(generator.randrange(len(by_kind[kind])))
        if differs(mutant, (root / mutant.file).read_bytes()):
            chosen.append(mutant)
    return chosen


class Tests:
    """Which test files import a module, directly or not."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = [
            path for path in sorted(root.glob("tests/**/test_*.py")) if path.parent != root / "tests" / "pipeline"
        ]
        self.closures = {path: self._closure(path) for path in self.files}

    def of(self, module: Path) -> list[Path]:
        """List the test files that import a module, the closest first."""

        def rank(path: Path) -> tuple[bool, bool, bool, int]:
            name = (module.parent if module.stem == "__init__" else module).stem.lstrip("_")
            alike = name in path.stem.removeprefix("test_")
            beside = path.parent.name in module.parts
            return not alike, module not in self._imports(path), not beside, len(self.closures[path])

        return sorted((path for path in self.files if module in self.closures[path]), key=rank)

    def _closure(self, path: Path) -> set[Path]:
        todo, found = {path, *self._conftests(path)}, set()
        while todo:
            file = todo.pop()
            found.add(file)
            todo |= self._imports(file) - found
        return found

    def _conftests(self, path: Path) -> Iterator[Path]:
        for folder in path.parents:
            if (folder / "conftest.py").is_file() and folder.is_relative_to(self.root):
                yield folder / "conftest.py"

    @functools.cache  # noqa: B019
    def _imports(self, path: Path) -> frozenset[Path]:
        """Find the files that a file imports; a package that imports its modules by computed names imports all."""
        text = path.read_text(encoding="utf-8")
        names: list[str] = []
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found = {file for name in names for file in self._files(name)}
        if path.name == "__init__.py" and 'import_module(f"' in text:
            found |= set(path.parent.glob("*.py"))
        return frozenset(found - {path})

    @functools.cache  # noqa: B019
    def _files(self, name: str) -> tuple[Path, ...]:
        parts = name.split(".")
        base = self.root / "src" if parts[0] == "unisono" else self.root
        files = []
        for end in range(1, len(parts) + 1):
            place = base.joinpath(*parts[:end])
            files += [file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()]
        return tuple(files)


class Bench:
    """A copy of the tree in which mutants are tried."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds
        self.broken: dict[str, bool] = {}
        for name in subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split("\0"):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)
        # Some tests ask Git which files there are.
        for command in (["init", "--quiet"], ["add", "--all", "--force"]):
            subprocess.run(["git", *command], cwd=folder, check=True)
        self.tests = Tests(folder)

    def try_(self, mutant: Mutant) -> dict[str, object]:
        """Run the tests of a mutant; say what became of it."""
        path = self.folder / mutant.file
        files = [str(file.relative_to(self.folder)) for file in self.tests.of(path)]
        original = path.read_bytes()
        seconds = 0.0
        result: dict[str, object] = {"status": "survived", "n_files": len(files), "by": ""}
        ignored: list[str] = []
        path.write_bytes(mutant.apply(original))
        try:
            while files:
                status, failed, spent = self._pytest(files, ignored, self.seconds - seconds)
                seconds += spent
                if status == "failed":
                    path.write_bytes(original)
                    if self._is_broken(failed):
                        ignored.append(failed)
                        path.write_bytes(mutant.apply(original))
                        continue
                    result |= {"status": "killed", "by": failed}
                elif status == "hangs":
                    result |= {"status": "killed", "by": f"{failed} hangs"}
                elif status == "timeout":
                    result |= {"status": "timeout"}
                break
        finally:
            path.write_bytes(original)
        return result | {"seconds": round(seconds, 1)}

    def _is_broken(self, test: str) -> bool:
        """Say whether a test fails without any change, too."""
        if test not in self.broken:
            self.broken[test] = self._pytest([test], [], self.seconds)[0] != "passed"
        return self.broken[test]

    def _pytest(self, tests: list[str], ignored: list[str], seconds: float) -> tuple[str, str, float]:
        """Run tests until one fails; return how it ended, the last test, and the seconds that it took."""
        environment = os.environ | {
            "PYTHONPATH": str(self.folder / "src"), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-x", "-v", "-p", "no:cacheprovider", "--no-header", "--tb=no",
                 *(f"--deselect={name}" for name in ignored), *tests],
                cwd=self.folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            spent, size, quiet_from = 0.0, 0, 0.0
            began = time.monotonic()
            while process.poll() is None:
                time.sleep(0.2)
                spent = max(spent, _processor_s(process.pid))
                if os.fstat(output.fileno()).st_size != size:
                    size, quiet_from = os.fstat(output.fileno()).st_size, spent
                if spent > seconds or time.monotonic() - began > PATIENCE * seconds:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    return ("hangs" if spent - quiet_from > HUNG_S else "timeout"), _last_test(output), spent
            status = process.returncode
            if status in (0, 5):
                return "passed", "", spent
            return "failed", _last_test(output), spent


def _processor_s(group: int) -> float:
    """Sum the processor time of a group of processes, and of their children that have ended, in seconds."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold blanks.
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _last_test(output: io.TextIOBase) -> str:
    """Find the test that ran last, or the file that could not be imported, in what pytest printed."""
    output.seek(0)
    lines = output.read().splitlines()
    for line in reversed(lines):
        for word in ("FAILED ", "ERROR "):
            if line.startswith(word):
                return line.removeprefix(word).split(" - ")[0].strip()
    named = [line for line in lines if line.startswith("tests/")]
    return named[-1].split(" ")[0] if named else "tests"


def _seed() -> str:
    """Name the commit before the one that added this script."""
    script = Path(__file__).resolve().relative_to(ROOT).as_posix()
    command = ["git", "log", "--diff-filter=A", "--format=%P", "--", script]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    if not found:
        raise SystemExit(f"{script} is in no commit yet; pass --seed")
    return found[-1]


def report(results: list[dict[str, object]]) -> str:
    """Say how many mutants were killed, and list the others."""
    counts = Counter(str(result["status"]) for result in results)
    lines = [
        f"{mutant_line(result)} ({result['status']}, {result['n_files']} test files)"
        for result in results
        if result["status"] != "killed"
    ]
    rate = 100 * counts["killed"] / max(len(results), 1)
    return "\n".join([
        *lines,
        f"{len(results)} mutants: {counts['killed']} killed ({rate:.0f} %), {counts['survived']} survived, "
        f"{counts['timeout']} out of time",
    ])  # fmt: skip


def mutant_line(result: dict[str, object]) -> str:
    """Format a mutant of a results file."""
    return "{file}:{line}: {kind} {old} -> {new}".format(**result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="folders of src/unisono")
    parser.add_argument("--number", type=int, default=60, help="mutants to draw (default: %(default)s)")
    parser.add_argument("--seed", help="any text; by default the commit before the one that added this script")
    parser.add_argument("--minutes", type=float, default=5.0, help="processor time of a mutant (default: %(default)s)")
    parser.add_argument("--results", type=Path, help="JSON file (default: .unisono/mutation-<seed>.json)")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    args = parser.parse_args()
    seed = args.seed or _seed()
    path = args.results or ROOT / ".unisono" / f"mutation-{seed[:12]}.json"
    facts = {"seed": seed, "folders": args.folders, "number": args.number}
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else facts | {"mutants": []}
    if {name: kept[name] for name in facts} != facts:
        raise SystemExit(f"{path}: of another run ({ {name: kept[name] for name in facts} }); pass --results")
    if not kept.get("drawn"):
        kept["drawn"] = [asdict(mutant) for mutant in draw(ROOT, args.folders, args.number, seed)]
    chosen = [Mutant(**fields) for fields in kept["drawn"]]
    if args.list:
        print(*chosen, sep="\n")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        bench = Bench(Path(folder), 60 * args.minutes)
        for place, mutant in enumerate(chosen):
            if place < len(kept["mutants"]):
                continue
            source = (bench.folder / mutant.file).read_bytes() if (bench.folder / mutant.file).is_file() else b""
            if source[mutant.start : mutant.end].decode(errors="replace") != mutant.old:
                raise SystemExit(f"{mutant}: the source has changed since the mutants were drawn; delete {path}")
            kept["mutants"].append(asdict(mutant) | bench.try_(mutant))
            path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            last = kept["mutants"][-1]
            print(f"{place + 1} of {len(chosen)}: {mutant}: {last['status']} in {last['seconds']} s", flush=True)
    print(report(kept["mutants"]))


if __name__ == "__main__":
    main()
