"""A project's folder with a few songs, built by the functions of the stages: for tests of what comes after."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.datasets.songs import PARAMS, tone
from unisono.config.compute import Compute
from unisono.config.experiments import load_experiments
from unisono.config.models import load_models
from unisono.config.songs import Songs
from unisono.datasets import dealing
from unisono.datasets.base import dataset_of
from unisono.datasets.songs import build
from unisono.evaluation.experiments import run_experiments
from unisono.features import songs_extraction
from unisono.features.texts import extraction
from unisono.media import rendering

#: Songs, and the words that they are made of.
N = 16
VOCABULARY = [consonant + vowel + end for consonant in "lmnr" for vowel in "aeiou" for end in ("", "n", "s")]
TINY = {
    "standardise": "columns",
    "layers": {"other": [8, 4]},
    "n_components": 2,
    "epochs": 2,
    "min_steps": 2,
    "batch": 100,
    "ridge": 0.1,
}


def words(number: int) -> str:
    """The lyrics of a song."""
    drawn = np.random.default_rng(number).choice(VOCABULARY, 30)
    return " ".join(map(str, drawn))


def write_manifest(folder: Path, n: int = N, *, titles: Mapping[int, str] | None = None) -> None:
    """Lay songs out as tones and text files, two files of each of the first two songs, with a list of them."""
    folder.mkdir(parents=True)
    with (folder / "songs.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "audio", "lyrics", "title", "label", "language"])
        for number in [*range(n), 0, 1]:
            name = f"song{number:02d}" + ("b" if (folder / f"song{number:02d}.wav").exists() else "")
            tone(folder / f"{name}.wav", seconds=1.5, hz=200 + 40 * number)
            (folder / f"{name}.txt").write_text(words(number), encoding="utf-8")
            title = (titles or {}).get(number, f"Song {number}")
            language, label = ("de", "hymn") if number % 2 else ("en", "aria")
            writer.writerow([name, f"{name}.wav", f"{name}.txt", title, label, language])


def write_features(path: Path, n: int = N) -> None:
    """Two matrices that share three directions, as someone else made them."""
    generator = np.random.default_rng(0)
    shared = generator.standard_normal((n, 3))
    audio, lyrics = (
        np.hstack([shared + 0.1 * generator.standard_normal((n, 3)), generator.standard_normal((n, 2))])
        for _ in range(2)
    )
    path.parent.mkdir(parents=True)
    np.savez(path, id=[f"s{i:02d}" for i in range(n)], audio=audio, lyrics=lyrics[:, :4],
             label=["hymn", "aria"] * (n // 2), kind=["x/de", "y/en"] * (n // 2))  # fmt: skip


def write_params(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The shipped parameters with small songs and one tiny experiment of each kind, and with a change."""
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    raw["compute"]["executor"] = "serial"
    songs = raw["songs"]
    songs["audio"]["clip_s"] = 1
    songs["split"].update(test=0.4, deals=2, max_cosine=1.0, shares=[0.5])
    songs["features"].update(sets=["mfcc_stats"])
    songs["features"]["texts"].update(sets=["tfidf"])
    songs["features"]["texts"]["tfidf"]["dimensions"] = 6
    views = {"audio": "mfcc_stats", "lyrics": "tfidf"}
    entry: dict[str, Any] = {
        "dataset": "songs",
        "model": "cca",
        "views": views,
        "params": {"n_components": 2, "standardise": "columns"},
    }
    raw["experiments"] = {
        "songs_first": entry,
        "songs_by_file": entry | {"division": "file"},
        "songs_training": entry
        | {"variants": [{"setting": "training=0.5", "division": "share=0.5"}, {"setting": "training=1"}]},
        "songs_dcca": entry | {"model": "dcca", "params": TINY},
    }
    change(raw)
    (folder / "params.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")


def make(folder: Path) -> None:
    """Build the data set of the current folder, and run its experiments."""
    section, compute = Songs.load(), Compute.load()
    data, lists = folder / "data" / "songs", folder / "lists"
    build.build(section, out=data / "samples", skipped=lists / "skipped.csv", summary=lists / "summary.json")
    dealing.deal(
        dataset_of("songs"), section, samples=data / "samples", out=data / "divisions", summary=lists / "deals.json"
    )
    rendering.render_folder(data / "samples", data / "audio", lists / "audio.csv", section.audio, compute=compute)
    for name in section.features.sets:
        songs_extraction.extract_folder(
            data / "samples", data / "audio", data / "features" / name, view=name, name=name,
            settings=getattr(section.features, name), clip_s=section.audio.clip_s, compute=compute,
            downloads=folder / "downloads",
        )  # fmt: skip
    for name in section.features.texts.sets:
        extraction.extract(
            data / "samples", data / "divisions", data / "features" / name, data / "models" / name,
            getattr(section.features.texts, name), name=name, view=name,
        )  # fmt: skip
    run_experiments(
        load_experiments(), load_models(), data=folder / "data", out=folder / "results" / "experiments",
        times=folder / "times", compute=compute,
    )  # fmt: skip
