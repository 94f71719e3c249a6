"""What the frame costs: DVC's own share of a run, and the time from an edit to the finished report.

Run it in a clone whose pipeline has run (`make repro`), on an idle machine; it works in a copy of it. The peer is DVC
itself: `dvc repro` of a project with one stage that does nothing, and the seconds that the same edits took before the
code was fingerprinted and fits were kept (benchmarks/README.md).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What a stage prints when DVC begins it, and when it has written it down.
STAGE = re.compile(r"^Running stage '([^']+)'")


class Copy:
    """A copy of the project, with its data and DVC's cache as they are, linked where that is possible."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["cp", "-a", "--reflink=auto", f"{ROOT}/.", str(folder)], check=True)
        shutil.rmtree(folder / ".venv", ignore_errors=True)
        self.env = {**os.environ, "PYTHONPATH": str(folder / "src")}
        self.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.env['PATH']}"

    def repro(self) -> tuple[float, list[str]]:
        """Run the pipeline; return seconds and the stages that ran."""
        started = time.perf_counter()
        done = subprocess.run(["dvc", "repro"], cwd=self.folder, env=self.env, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if done.returncode:
            raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
        return seconds, [found[1] for line in done.stdout.splitlines() if (found := STAGE.match(line))]

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the first occurrence of a text."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise SystemExit(f"{name}: no {old!r} in it any more; mend this script")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


def after(block: str, line: str, new: str) -> Callable[[Copy], None]:
    """Return an edit of params.yaml: the first `line` after `block`."""

    def apply(copy: Copy) -> None:
        path = copy.folder / "params.yaml"
        head, mark, tail = path.read_text(encoding="utf-8").partition(block)
        if not mark or line not in tail:
            raise SystemExit(f"params.yaml: no {line!r} after {block!r} any more; mend this script")
        path.write_text(head + mark + tail.replace(line, new, 1), encoding="utf-8")

    return apply


EDITS: dict[str, Callable[[Copy], None]] = {
    "nothing": lambda copy: None,
    "models.c_cca.n_components": after("\n  c_cca:\n", "n_components: 10", "n_components: 9"),
    "a title": after("\n  titles:\n", "vegas_c_cca: C-CCA", "vegas_c_cca: Cluster-CCA"),
    "a docstring": lambda copy: copy.edit("src/unisono/models/parts/hashing.py", '"""', '"""Again: '),
    "models/parts/hashing.py": lambda copy: copy.edit(
        "src/unisono/models/parts/hashing.py", "\ndef ", "\nADDED = 1\n\n\ndef "
    ),
}


def empty_stage(folder: Path) -> float:
    """Seconds of `dvc repro` with one stage that takes .2 s, in a project of its own."""
    folder.mkdir()
    text = "stages: {wait: {cmd: sleep 0.2 && touch done, outs: [done]}}\n"
    (folder / "dvc.yaml").write_text(text, encoding="utf-8")
    for words in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(words, cwd=folder, check=True)
    started = time.perf_counter()
    subprocess.run(["dvc", "repro", "--quiet"], cwd=folder, check=True)
    return time.perf_counter() - started


def short_stage(copy: Copy) -> float:
    """Seconds that a stage of .2 s adds to `dvc repro` of the whole project, beyond those of doing nothing."""
    copy.edit("dvc.yaml", "\nstages:\n", "\nstages:\n  wait: {cmd: sleep 0.2 && touch data/wait, outs: [data/wait]}\n")
    started = time.perf_counter()
    subprocess.run(["dvc", "repro", "--quiet", "wait"], cwd=copy.folder, env=copy.env, check=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="only say what would be measured")
    parser.add_argument("--json", type=Path, help="also write the seconds there")
    args = parser.parse_args()
    if args.smoke:
        print("\n".join(EDITS))
        return
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="unisono-frame-", dir=ROOT.parent) as name:
        copy = Copy(Path(name) / "copy")
        print(f"lock: {len((copy.folder / 'dvc.lock').read_text(encoding='utf-8').splitlines())} lines")
        for label, edit in EDITS.items():
            edit(copy)
            seconds, ran = copy.repro()
            found[label] = seconds
            print(f"{label:28} {seconds:6.1f} s  {', '.join(ran) or 'no stage'}", flush=True)
        found["a stage of 0.2 s"] = short_stage(copy)
        found["the same, alone (peer)"] = empty_stage(Path(name) / "peer")
    for label in ("a stage of 0.2 s", "the same, alone (peer)"):
        print(f"{label:28} {found[label]:6.1f} s")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
