"""README and docs as a stranger follows them: every command of every block, on another machine's numbers.

The stranger has a clone of a project that was run elsewhere, and features of one file in each data set that are a
thousandth off, so that hashes and results differ from the committed ones (checked first). The pipeline is the small one
of the tests. What cannot be run as printed stands in `REPLACED`, with the reason, and is printed; a block that is in
neither list fails the walk, and so does a command that ends badly.

    python benchmarks/walk.py [--finished FOLDER]
"""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.pipeline.tiny import ROOT, Clone, finished

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: Languages of blocks that are no commands; Python and YAML are run by tests/docs.
SHOWN = ("mermaid", "", "python", "yaml", "toml")
#: Command as printed -> what runs in its place (nothing: it is left out), and why.
REPLACED = {
    "make repro": ("unisono mend && dvc repro && unisono verify --quick", "the environment is set up already"),
    "make test": ("", "these are the tests"),
    ". .venv/bin/activate": ("", "the environment is active"),
    "dvc exp run -n narrow -S models.c_cca.n_components=5": (
        "dvc exp run -n narrow -S models.c_cca.n_components=1",
        "the small pipeline has 2 components",
    ),
    "unisono evaluate FEATURES.parquet --model cca --param n_components=16 --folds 5 --out results/mine": (
        "unisono evaluate FEATURES.parquet --model cca --param n_components=4 --folds 5 --out results/mine",
        "the small features are 8 wide",
    ),
    "pip install unisono": ("", "of a registry; tests/packaging installs the wheel"),
    'pip install "unisono[deep]"': ("", "of a registry; tests/packaging installs the wheel"),
    "pip install .": ("pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheels .", "leaves what is there"),
    "unisono plan --params full.yaml --check-urls && unisono apply full.yaml && dvc repro": (
        "unisono plan --params small.yaml --check-urls && unisono apply small.yaml && dvc repro",
        "17 hours and the internet: a recipe whose songs come from a local server",
    ),
    "dvc exp run -S vegas.source=parquet -S vegas.folds.outside=0.1": (
        "dvc exp run -S vegas.source=parquet -S vegas.folds.outside=0.25",
        "the small clips are four of each class",
    ),
}
#: Commands in the text, in the order in which the stranger tries them after the page's blocks, by page.
IN_TEXT = {
    "README.md": (
        "dvc exp apply narrow",
        "git checkout params.yaml && dvc repro",
        "make verify",
        "dvc pull",
        "dvc get ADDRESS results/experiments/mtm_cca/model",
    ),
}
REPLACED_IN_TEXT = {
    "make verify": "unisono verify",
    "dvc pull": "git clone --quiet . ../another && cd ../another && "
    "dvc remote add --local --default store ~/unisono-store && dvc pull && dvc status",
    "dvc get ADDRESS results/experiments/mtm_cca/model": "dvc get . results/experiments/mtm_cca/model --out model && "
    "python -c \"import unisono; print(unisono.models.load('model/audio-sheet'))\"",
}


class Stranger(Clone):
    """A clone of a project that was run elsewhere."""

    def __init__(self, elsewhere: Path, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "--quiet", str(elsewhere), str(folder)], check=True)
        home = folder.with_name("home")
        home.mkdir()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        identity = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.env = {**os.environ, **identity, "HOME": str(home), "PATH": path, "PYTHONPATH": str(folder / "src")}

    def step(self, printed: str, command: str, why: str = "") -> bool:
        """Run a command of a page and say how it went."""
        note = f"   [as: {command}; {why}]" if command != printed else ""
        if not command:
            print(f"left out  {printed}   [{why}]", flush=True)
            return True
        started = time.perf_counter()
        done = self.run("bash", "-c", command)
        good = done.returncode == 0 and "Traceback" not in done.stderr
        print(f"{'ok' if good else 'FAILED':8s}  {printed}{note}  {time.perf_counter() - started:.0f} s", flush=True)
        if not good:
            print(done.stdout[-1500:], done.stderr[-3000:], flush=True)
        self.last = done.stdout
        return good


def commands(text: str) -> list[str]:
    """Commands of a block, without comments and output; a block with a document in it is one."""
    if "<<" in text:
        return [text.strip()]
    lines = text.splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [found for line in lines if (found := re.sub(r"\s+#.*", "", line).strip())]


def perturb(shard: Path) -> None:
    """Move every number of a shard of features by a thousandth of itself."""
    table = pq.read_table(shard)
    for index, field in enumerate(table.schema):
        column = table.column(index).combine_chunks()
        flat, types = column, []
        while pa.types.is_list(flat.type) or pa.types.is_fixed_size_list(flat.type):
            types.append(flat)
            flat = flat.values
        if types and pa.types.is_floating(flat.type):
            moved = pa.array((flat.to_numpy(zero_copy_only=False) * 1.001).astype(flat.type.to_pandas_dtype()))
            for outer in reversed(types):
                if pa.types.is_fixed_size_list(outer.type):
                    moved = pa.FixedSizeListArray.from_arrays(moved, type=outer.type)
                else:
                    moved = pa.ListArray.from_arrays(outer.offsets, moved, type=outer.type)
            table = table.set_column(index, field, moved)
    pq.write_table(table, shard)


def elsewhere(folder: Path) -> None:
    """Run the small pipeline and commit what it made, as its authors did."""
    copy = finished(folder)
    own = ("add", "--force", "data/raw/mtm", "data/raw/songs", "data/raw/image2song")
    for words in (("add", "--all"), own, ("commit", "--quiet", "-m", "As committed")):
        done = copy.run("git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words)
        assert done.returncode == 0, done.stderr


def arrive(origin: Path, folder: Path) -> Stranger:
    """Give the stranger data and cache of an own machine: features of one file a data set are others."""
    stranger = Stranger(origin, folder)
    for name in ("data", ".unisono", "results"):
        if (origin / name).exists():
            subprocess.run(["cp", "-a", f"{origin / name}/.", str(folder / name)], check=True)
    shutil.rmtree(folder / ".unisono/fits", ignore_errors=True)
    shutil.rmtree(folder / "results/experiments")
    for shard in (
        *("mtm/features/audio", "vegas/features/audio", "mv10k/features/audio", "songs/features/mfcc_stats"),
        "image2song/features/word_vectors",
    ):
        perturb(sorted((folder / "data" / shard).glob("*.parquet"))[0])
    stages = [line for line in stranger.run("dvc", "stage", "list", "--name-only").stdout.split() if line]
    later = ("run_experiments", "tabulate", "plot_", "write_report")
    done = stranger.run("dvc", "commit", "--force", *(name for name in stages if not name.startswith(later)))
    assert done.returncode == 0, done.stderr
    return stranger


def results(lock: str) -> str:
    """Hash of the experiments' results by a dvc.lock; their tables print ranks, which small changes leave."""
    return str(yaml.safe_load(lock)["stages"]["run_experiments"]["outs"][0]["md5"])


def features(project: Path, path: Path) -> None:
    """Write a file of features of one's own: those of the clips, averaged over time."""
    columns: dict[str, object] = {}
    for view in ("audio", "visual"):
        table = pq.read_table(project / "data/vegas/features" / view)
        found = dict(zip(table["id"].to_pylist(), table[view].to_pylist(), strict=True))
        columns.setdefault("id", sorted(found))
        columns[view] = [np.mean(found[identifier], axis=0).tolist() for identifier in sorted(found)]
    samples = pq.read_table(project / "data/vegas/samples", columns=["id", "label"])
    labels = dict(zip(samples["id"].to_pylist(), samples["label"].to_pylist(), strict=True))
    columns["label"] = [labels[identifier] for identifier in sorted(found)]
    pq.write_table(pa.table(columns), path)


def clips(project: Path) -> None:
    """Write video files of one's own, a folder per class: those of the small data set."""
    samples = pq.read_table(project / "data/vegas/samples", columns=["id", "label", "video"])
    for row in samples.to_pylist():
        path = project / "my_clips" / row["label"] / f"{row['id']}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(row["video"]["bytes"])


def serve(project: Path) -> http.server.ThreadingHTTPServer:
    """Serve the songs as an archive, and write a recipe that names it."""
    folder = project.with_name("server")
    folder.mkdir()
    with zipfile.ZipFile(folder / "songs.zip", "w") as archive:
        for path in sorted((project / "data/raw/mtm").glob("*.musicxml"))[:11]:
            archive.write(path, path.name)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/songs.zip"
    (project / "small.yaml").write_text(
        f"mtm: {{source: musicxml, songs: {{musicxml: {{locations: ['{address}']}}}}}}\n"
    )
    return server


def main() -> int:
    """Walk; exit status 1 where a command fails or a block is not listed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finished", type=Path, help="folder for the project run elsewhere, kept for the next time")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="walk-") as name:
        origin = args.finished or Path(name) / "elsewhere"
        if not origin.exists():
            elsewhere(origin)
        stranger = arrive(origin, Path(name) / "stranger")
        project = stranger.folder
        assert stranger.run("git", "diff", "--quiet", "HEAD", "--", "dvc.lock").returncode, "hashes are to differ"
        for file in ("clips.parquet", "FEATURES.parquet"):
            features(project, project / file)
        clips(project)
        server = serve(project)
        item = pq.read_table(project / "data/mtm/features/sheet")["id"].to_pylist()[0]
        good = True
        for page in ("README.md", "docs/own_data.md"):
            text = (ROOT / page).read_text(encoding="utf-8")
            for language, block in BLOCK.findall(text):
                if language == "python" and page == "docs/own_data.md":
                    first = next(line for line in block.splitlines() if "write_table" in line or "parquet" in line)
                    good &= stranger.step(f"{page}: {first.strip()}", f"python - <<'END'\n{block}END", "as pasted")
                if language in SHOWN:
                    continue
                if language not in ("sh", "console"):
                    print(f"FAILED  {page}: a block of {language!r} is not listed")
                    good = False
                    continue
                for command in commands(block):
                    instead, why = REPLACED.get(command, (command, ""))
                    if "bach-bwv70-11-w00" in instead:
                        instead, why = instead.replace("bach-bwv70-11-w00", item), "an item of the small data set"
                    good &= stranger.step(command, instead, why)
                    if command == "make repro":
                        committed = stranger.run("git", "show", "HEAD:dvc.lock").stdout
                        now = (project / "dvc.lock").read_text(encoding="utf-8")
                        assert results(committed) != results(now), "results are to differ from the committed ones"
                    if command == "dvc metrics diff":
                        lines = stranger.last.strip().splitlines()
                        print(f"          {len(lines)} lines")
                        good &= 2 <= len(lines) <= 8
            for command in IN_TEXT.get(page, ()):
                if f"`{command}`" not in text:
                    print(f"FAILED  {page} has no {command!r} any more; mend IN_TEXT")
                    good = False
                good &= stranger.step(command, REPLACED_IN_TEXT.get(command, command), "in the small project")
        server.shutdown()
    return int(not good)


if __name__ == "__main__":
    raise SystemExit(main())
