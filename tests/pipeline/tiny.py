"""The whole pipeline on tiny songs, clips, videos and pictures, in a copy of the tree: for tests and `benchmarks`."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.datasets import image2song

ROOT = Path(__file__).resolve().parents[2]

SONG = """<?xml version="1.0"?><score-partwise version="3.1"><part-list><score-part id="P1"><part-name>Voice</part-name>
</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>2</divisions></attributes>{notes}
</measure></part></score-partwise>"""
NOTE = """<note><pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>{duration}</duration>
<lyric><syllabic>single</syllabic><text>{text}</text></lyric></note>"""
WORDS = [consonant + vowel for consonant in "lmnr" for vowel in "aeiou"] + ["sol", "fa"]


def write_songs(folder: Path, count: int) -> None:
    """Write `count` different songs of 45 notes each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        draw = random.Random(number)
        notes = "".join(
            NOTE.format(
                step=draw.choice("CDEFGAB"),
                octave=draw.choice("45"),
                duration=draw.choice((1, 2, 2, 3)),
                text=draw.choice(WORDS),
            )
            for _ in range(45)
        )
        (folder / f"song{number:02d}.musicxml").write_text(SONG.format(notes=notes), encoding="utf-8")


def write_pictures(folder: Path) -> None:
    """Write keywords of 32 emoji, four of each thing, and 24 songs that sing of two things each."""
    things = image2song.THINGS
    keywords = {chr(0x1F400 + at): f"{things[at % 8]} {at}|{things[at % 8]}" for at in range(32)}
    image2song.cldr(folder, keywords)
    image2song.fortunes(folder / "poems", 24)


class _Dumper(yaml.SafeDumper):
    """Writes lists on one line and mappings on several, as in the shipped file: DVC breaks addresses on one line."""


_Dumper.add_representer(
    list, lambda dumper, values: dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)
)


class Clone:
    """A copy of the working tree in a Git repository of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "src"),
            "DVC_NO_ANALYTICS": "1",
        }
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for name in filter(None, listed.split("\0")):
            # Committed results and the lock are left behind: everything is made here.
            if (ROOT / name).is_file() and not name.startswith("results/") and name != "dvc.lock":
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)
        self.run("git", "init", "--quiet")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy, on the copy's own code."""
        return subprocess.run(
            words, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=1500, check=False
        )

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command in the copy, in a process group of its own."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            words, cwd=self.folder, env=self.env, stdout=quiet, stderr=quiet, start_new_session=True
        )

    #: What the last `repro` printed.
    printed = ""

    def wait_for_queue(self) -> None:
        """Wait until no experiment is queued or running."""
        deadline = time.monotonic() + 400
        while re.search(r"Queued|Running", self.run("dvc", "queue", "status").stdout.partition("Worker")[0]):
            assert time.monotonic() < deadline, self.run("dvc", "queue", "status").stdout
            time.sleep(1)

    def repro(self) -> list[str]:
        """Run the pipeline; return the stages that ran."""
        done = self.run("dvc", "repro")
        self.printed = done.stdout
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return re.findall(r"Running stage '([^']+)'", done.stdout)

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change params.yaml."""
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(params)
        text = yaml.dump(params, Dumper=_Dumper, sort_keys=False, default_flow_style=False)
        path.write_text(text, encoding="utf-8")

    def methods_in_table(self) -> set[str]:
        """Return the methods with a value of our own in Table 6.2."""
        with (self.folder / "results/tables/table_6_2.csv").open(encoding="utf-8") as file:
            return {row["method"] for row in csv.DictReader(file) if row["value"]}


EXPERIMENTS = (
    *("mtm_random", "mtm_cca", "mtm_gcca", "mv10k_cca", "songs_cca_statistics", "songs_joint"),
    *("vegas_c_cca", "vegas_c_dcca", "vegas_tnn_c_cca", "vegas_acmr", "vegas_agah"),
    *("image2song_popularity", "image2song_conse", "image2song_mean", "image2song_attention", "image2song_expected"),
)


def forget(report: dict[str, Any], key: str) -> None:
    """Take an experiment out of all lists of the report."""
    for name, value in report.items():
        if isinstance(value, dict):
            value.pop(key, None)
            for each in value.values():
                named = each["over"] if isinstance(each, dict) else each
                if isinstance(named, list) and key in named:
                    named.remove(key)
            report[name] = {place: each for place, each in value.items() if each != key}
        elif isinstance(value, list):
            report[name] = [each for each in value if each != key]


def make_tiny(params: dict[str, Any]) -> None:
    """Shrink every size to what runs in seconds; the network, tools and formats stay the real ones."""
    mtm = params["mtm"]
    mtm["source"] = "musicxml"
    mtm["songs"]["shard_size"] = 8
    mtm["features"]["asmcmr"].update(snippets=2, steps=2, batch_size=4)
    mtm["features"]["staff_reader"].update(steps=2, batch_size=2)
    mtm["features"]["skipgram"].update(epochs=2, dimensions=4)
    params["mv10k"]["videos"]["simulated"].update(videos=60, rejected=4, tagged=40)
    params["mv10k"]["emotion"]["epochs"] = 1
    params["vegas"]["clips"]["digits"].update(clips_per_class=3, outside_per_class=1, groups=3)
    params["vegas"]["folds"]["n"] = 3
    for name in ("inception", "vggish"):
        params["vegas"]["features"][name]["whitening"]["components"] = 8
    songs = params["songs"]
    songs["source"] = "musicxml"
    songs["audio"]["clip_s"] = 4
    # The songs draw from twenty-two words: all of them are alike.
    songs["split"].update(test=0.4, deals=2, max_cosine=1.0)
    songs["features"]["sets"], songs["features"]["texts"]["sets"] = ["mfcc", "mfcc_stats"], ["tfidf"]
    for key in ("songs_cca_statistics", "songs_joint"):
        params["experiments"][key]["views"]["lyrics"] = "tfidf"
    params["experiments"]["songs_joint"]["params"] = {"epochs": 1, "min_steps": 1, "layers": {"other": [8, 2]}}
    pictures = params["image2song"]
    # What `write_pictures` writes.
    pictures["pictures"]["emoji"]["annotations"] = "data/raw/image2song"
    pictures["songs"]["fortunes"]["location"] = "data/raw/image2song/poems"
    pictures["relevance"].update(min_pictures=1, min_songs=1, max_song_fraction=0.5)
    pictures["split"]["deals"] = 2
    pictures["features"]["efficientnet_lite0"]["image_size"] = 64
    pictures["features"]["tags"].update(folds=2, top_tags=3)
    pictures["features"]["words"].update(epochs=1, dimensions=4, length=16)
    params["models"]["tag_attention"].update(units=2, hidden=2, epochs=1, min_steps=2)
    params["report"]["gallery_items"] = 1
    for model in ("cca", "gcca", "c_cca", "tnn_c_cca", "c_dcca", "joint_dcca"):
        params["models"][model]["n_components"] = 2
    for model in ("tnn_c_cca", "c_dcca", "acmr", "agah"):
        params["models"][model].update(epochs=1, min_steps=2)
    # The experiments that figures are drawn from, and one or more of each data set.
    for key in params["experiments"].keys() - set(EXPERIMENTS):
        forget(params["report"], key)
    params["experiments"] = {key: params["experiments"][key] for key in EXPERIMENTS}
    for experiment in params["experiments"].values():
        experiment["seeds"] = 2 if experiment["dataset"] == "mtm" else 1


def finished(folder: Path) -> Clone:
    """Run the whole pipeline on tiny data in a folder that is empty or not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = Clone(folder)
    for name in ("mtm", "songs"):
        write_songs(folder / "data/raw" / name, 9)
    write_pictures(folder / "data/raw/image2song")
    copy.edit(make_tiny)
    assert "build_songs" in copy.repro()
    return copy
