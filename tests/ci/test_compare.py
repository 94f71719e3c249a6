"""The gate: a run of another arithmetic passes, one in which a claim or a number is gone does not.

Experiments are made up from the committed headline numbers, with params.yaml's own marks and orderings; `tabulate`
and ``.ci/compare.py`` run for real.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stages import tabulate as stage
from unisono.config.experiments import load_experiments
from unisono.io import parquet
from unisono.report import paired, tables
from unisono.store.results import Run

ROOT = Path(__file__).resolve().parents[2]

#: Folds are easier and harder, for every method alike; on the musical data set each seed holds out other songs.
FOLDS = np.array([0.004, -0.003, 0.002, -0.004, 0.001])
SOURCES = {
    "vegas": "digits", "mv10k": "simulated", "mtm": "music21", "songs": "music21", "image2song": "emoji, fortunes",
}  # fmt: skip
CHANCE = {"vegas": 0.145, "mv10k": 0.159, "mtm": 0.0074, "songs": 0.08, "image2song": 0.09}

Change = Callable[[Path], None]


def make(folder: Path) -> None:
    """Write results of all experiments of params.yaml, with the committed means, and their tables."""
    committed = json.loads((ROOT / "results" / "metrics.json").read_text(encoding="utf-8"))
    for key, experiment in load_experiments(ROOT / "params.yaml").items():
        by_seed = experiment.dataset == "mtm"
        results, rows = [], []
        for setting in [variant.setting for variant in experiment.variants] or [""]:
            result: dict[str, Any] = {
                "dataset": experiment.dataset, "source": SOURCES[experiment.dataset], "model": experiment.model,
                "params": {"triplets": "batch-all", "distance": "cosine"}, "n_items": 400, "n_train": 320,
                "n_dropped": {}, "seed": 0, "n_seeds": experiment.seeds, "n_folds": 1 if by_seed else 5, "weights": {},
            } | ({"setting": setting} if setting else {})  # fmt: skip
            for direction, means in committed[tables.headline_name(key, result)].items():
                scores: dict[str, Any] = {"pool": 80, "chance": dict.fromkeys(means, CHANCE[experiment.dataset])}
                for measure, mean in means.items():
                    wobble = (
                        np.resize(FOLDS, (experiment.seeds, 1))
                        if by_seed
                        else np.tile(FOLDS, (experiment.seeds, experiment.deals))
                    )
                    values = mean + wobble - wobble.mean()
                    rows += [[setting, *part, direction, measure, value] for part, value in np.ndenumerate(values)]
                    scores |= {measure: mean, f"{measure}_std": float(values.std())}
                if experiment.dataset in ("songs", "mtm"):
                    scores["oracle"] = dict.fromkeys(means, 0.18 if experiment.dataset == "songs" else 0.02)
                if experiment.dataset == "image2song":
                    scores["relevant"] = 9.0
                result[direction] = scores
            results.append(result)
        content = {"variants": results} if experiment.variants else results[0]
        (folder / "experiments" / key).mkdir(parents=True)
        (folder / "experiments" / key / "metrics.json").write_text(json.dumps(content))
        if experiment.dataset == "songs":
            embed(folder / "experiments" / key / "embeddings.parquet")
        with (folder / "experiments" / key / "parts.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["setting", "seed", "fold", "direction", "measure", "value"], *rows])
    tabulate(folder)


def embed(path: Path) -> None:
    """Write embeddings of two kinds of songs, in two deals."""
    vectors = np.random.default_rng(0).standard_normal((20, 2, 3))
    columns = {
        "id": [f"song{row}" for row in range(20)],
        "fold": [row % 2 for row in range(20)],
        "kind": [f"kind{row % 4 // 2}" for row in range(20)],
        "audio": vectors[:, 0],
        "lyrics": vectors[:, 1],
    }
    types = {"id": pa.string(), "fold": pa.int64(), "kind": pa.string()}
    parquet.write(path, columns, types=types | dict.fromkeys(("audio", "lyrics"), parquet.vector(3)))


def tabulate(folder: Path) -> None:
    """Write the tables of the experiments in a folder."""
    options = {
        "--experiments": folder / "experiments",
        "--times": folder / "timing",
        "--tables": folder / "results" / "tables",
        "--metrics": folder / "results" / "metrics.json",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(paired, "difference", between_parts)
        patch.setattr(sys, "argv", ["tabulate", *(str(part) for pair in options.items() for part in pair)])
        stage.main()


def between_parts(run: Run, other: Run) -> paired.Paired:
    """Compare two runs by the numbers of their parts, where embeddings were not made up."""
    ours, theirs = ([np.mean(list(values.values())) for values in each.parts("map").values()] for each in (run, other))
    mean = float(np.mean(ours) - np.mean(theirs))
    return paired.Paired(mean, mean - 0.001, mean + 0.001)


def edit(folder: Path, key: str, change: Callable[[float, str], float], setting: str = "") -> None:
    """Change the numbers of an experiment, or of one setting: `change` gets a number and its direction."""
    path = folder / "experiments" / key / "metrics.json"
    content = json.loads(path.read_text())
    for result in content.get("variants", [content]):
        if result.get("setting", "") == setting:
            for direction, scores in result.items():
                if "->" in direction:
                    scores |= {name: change(scores[name], direction) for name in scores["chance"]}
    path.write_text(json.dumps(content))
    path = path.with_name("parts.csv")
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    rows = [[*row[:5], str(change(float(row[5]), row[3]))] if row[0] == setting else row for row in rows]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def take(folder: Path, key: str, other: str) -> None:
    """Give an experiment the numbers of another."""
    source, target = (json.loads((folder / "experiments" / each / "metrics.json").read_text()) for each in (other, key))
    edit(folder, key, lambda value, direction: value - target[direction]["map"] + source[direction]["map"])


def at_chance(folder: Path, key: str, only: str = "") -> None:
    """Put an experiment at chance, in one direction or in both."""
    mean = json.loads((folder / "experiments" / key / "metrics.json").read_text())
    edit(
        folder,
        key,
        lambda value, direction: value if only not in direction else value - mean[direction]["map"] + CHANCE["vegas"],
    )


def drop_setting(folder: Path) -> None:
    """Take one setting of a sweep away."""
    path = folder / "experiments" / "vegas_cca_components" / "metrics.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({"variants": content["variants"][:-1]}))


def drop_row(folder: Path) -> None:
    """Take a required row out of the table of orderings."""
    path = folder / "results" / "tables" / "orderings.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("triplets help")))


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose results are committed."""
    folder = tmp_path_factory.mktemp("committed")
    make(folder)
    return folder


@pytest.fixture
def run(committed: Path, tmp_path: Path) -> Path:
    """A second run, with the same results."""
    return Path(shutil.copytree(committed, tmp_path / "run"))


@pytest.fixture
def gate(committed: Path, run: Path, tmp_path: Path) -> Callable[..., tuple[int, list[str]]]:
    """Compare the run with what is committed; return the exit status and the faults."""

    def compare(**files: Any) -> tuple[int, list[str]]:
        (tmp_path / "ci").mkdir(exist_ok=True)
        shutil.copyfile(ROOT / ".ci" / "compare.py", tmp_path / "ci" / "compare.py")
        for name, content in files.items():
            (tmp_path / "ci" / f"{name}.json").write_text(json.dumps(content))
        command = [sys.executable, tmp_path / "ci" / "compare.py", committed / "results", run / "results"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert not done.stderr
        return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("results differ: ")]

    return compare


Gate = Callable[..., tuple[int, list[str]]]


def spread(folder: Path, fraction: float, rank: float) -> dict[str, Any]:
    """Give every number the same range."""
    numbers = json.loads((folder / "results" / "metrics.json").read_text())
    return {
        run: {
            direction: {name: rank if "rank" in name else fraction for name in scores}
            for direction, scores in directions.items()
        }
        for run, directions in numbers.items()
    }


def test_the_same_results_pass(run: Path, gate: Gate) -> None:
    assert gate() == (0, [])


def test_every_claim_of_the_project_is_required(run: Path) -> None:
    with (run / "results" / "tables" / "orderings.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["required"] == "yes"]
    assert {dataset: sum(row["dataset"] == dataset for row in rows) for dataset in SOURCES} == {
        "vegas": 8, "mtm": 2, "mv10k": 0, "songs": 0, "image2song": 0,
    }  # fmt: skip
    assert {row["ordering"] for row in rows if row["dataset"] == "mtm"} == {
        "CCA > Random", "CCA audio-sheet > audio-lyrics",
    }  # fmt: skip
    with (run / "results" / "tables" / "above_chance.csv").open() as file:
        marked = list(csv.DictReader(file))
    assert len(marked) > 200
    assert not [row for row in marked if "lyrics" in row["direction"]]
    assert not [row for row in marked if row["verdict"] != "holds"]
    with (run / "results" / "tables" / "above.csv").open() as file:
        above = list(csv.DictReader(file))
    directions = ("image->lyrics", "lyrics->image")
    expected = {
        ("image2song_attention", f"image2song_{other}", direction)
        for other in ("mean", "popularity")
        for direction in directions
    }
    expected |= {
        (f"beyond_{dataset}_posterior", f"beyond_{dataset}_{other}", "mean")
        for dataset in ("vegas", "mv10k")
        for other in ("cca", "cca_tuned", "c_cca", "c_cca_tuned", "c_dcca", "s_dcca", "tnn_c_cca")
    }
    pairs = [f"{query}->{target}" for query, target in permutations(("audio", "sheet", "lyrics"), 2)]
    for end, others in (("", ("cca", "gcca", "darlearning")), ("_notes", ("cca", "gcca"))):
        key = f"beyond_mtm_local_cca{end}"
        expected |= {(key, f"beyond_mtm_{other}{end}", direction) for other in others for direction in pairs}
        expected |= {(key, tables.ORACLE, direction) for direction in pairs if "lyrics" in direction}
    assert {(row["run"], row["over"], row["direction"]) for row in above} == expected
    assert {(row["required"], row["verdict"]) for row in above} == {("yes", "holds")}
    measures = {(row["run"].split("_")[1], row["measure"]) for row in above if row["run"].startswith("beyond")}
    assert measures == {("vegas", "map"), ("mv10k", "map"), ("mtm", "recall_at_10")}


@pytest.mark.parametrize(
    "change, claim",
    [
        (lambda folder: take(folder, "vegas_c_dcca", "vegas_c_cca"), "vegas C-DCCA > C-CCA: required, and undecided"),
        (lambda folder: at_chance(folder, "vegas_dcca"), "vegas_dcca audio->visual: required, and not above chance"),
        (
            lambda folder: at_chance(folder, "vegas_ucal", only="visual->audio"),
            "vegas_ucal visual->audio: required, and not above chance",
        ),
        (
            lambda folder: take(folder, "beyond_vegas_posterior", "beyond_vegas_tnn_c_cca"),
            "above.csv: beyond_vegas_posterior beyond_vegas_tnn_c_cca mean: required, and contradicted",
        ),
        (
            lambda folder: edit(folder, "beyond_mtm_local_cca", lambda value, direction: 0.015),
            "above.csv: beyond_mtm_local_cca Oracle of the kinds audio->lyrics: required, and contradicted",
        ),
        (drop_setting, "vegas_cca_components/components=50/audio->visual/map: missing"),
        (
            lambda folder: edit(
                folder, "mtm_cca", lambda value, direction: 0.005 if "lyrics" not in direction else value
            ),
            "mtm CCA audio-sheet > audio-lyrics: required, and",
        ),
        (
            lambda folder: take(folder, "image2song_attention", "image2song_mean"),
            "above.csv: image2song_attention image2song_mean image->lyrics: required, and contradicted",
        ),
        (
            lambda folder: edit(
                folder, "image2song_attention", lambda value, direction: value - 0.1 * (direction == "lyrics->image")
            ),
            "above.csv: image2song_attention image2song_mean lyrics->image: required, and contradicted",
        ),
    ],
    ids=[
        "replaced",
        "at-chance",
        "one-direction",
        "classes-beyond",
        "pairs-beyond",
        "row-missing",
        "musical",
        "pictures",
        "pictures-one-direction",
    ],
)
def test_a_claim_that_is_gone_fails_within_the_widest_tolerance(
    change: Change, claim: str, run: Path, gate: Gate
) -> None:
    change(run)
    tabulate(run)
    status, faults = gate(spread={}, arithmetic={})
    assert status == 1
    assert any(claim in fault for fault in faults), faults


def test_a_required_row_that_is_no_longer_written_fails(run: Path, gate: Gate) -> None:
    drop_row(run)
    status, faults = gate()
    assert (status, len(faults)) == (1, 1)
    assert faults[0].endswith("orderings.csv: vegas TNN-C-CCA > C-CCA: required, and not in the new table")


def test_a_second_arithmetic_passes_and_its_double_does_not(committed: Path, run: Path, gate: Gate) -> None:
    """DCCA may move by its own allowance and by the range of its features, CCA by the range alone."""
    files = {"spread": spread(committed, 0.005, 0.1), "arithmetic": {"methods": {"dcca": {"map": 0.004}}}}
    edit(run, "vegas_dcca", lambda value, _: value + 0.0089)
    edit(run, "vegas_cca", lambda value, _: value - 0.005)
    edit(run, "mtm_gcca", lambda value, _: value * 1.05 if value > 1 else value + 0.004)
    tabulate(run)
    assert gate(**files) == (0, [])
    edit(run, "vegas_cca", lambda value, _: value - 0.0002)
    edit(run, "vegas_dcca", lambda value, _: value + 0.0002)
    edit(
        run, "mtm_gcca", lambda value, direction: value * 1.07 if value > 1 and direction == "audio->lyrics" else value
    )
    tabulate(run)
    status, faults = gate(**files)
    assert status == 1
    assert {fault.split(":")[1].strip() for fault in faults} == {
        "vegas_cca/audio->visual/map", "vegas_cca/visual->audio/map", "vegas_dcca/audio->visual/map",
        "vegas_dcca/visual->audio/map", "mtm_gcca/audio->lyrics/median_rank",
    }  # fmt: skip


def test_no_measured_spread_widens_the_cap(committed: Path, run: Path, gate: Gate) -> None:
    edit(run, "vegas_agah", lambda value, _: value + 0.11)
    tabulate(run)
    for files in ({"spread": spread(committed, 0.5, 9.0)}, {}):
        status, faults = gate(**files)
        assert (status, len(faults)) == (1, 2)
        assert "allowed 0.1" in faults[0]


def test_what_an_extractor_does_to_a_number_is_allowed_to_that_number_alone(
    committed: Path, run: Path, gate: Gate
) -> None:
    for key in ("vegas_cca", "vegas_kcca"):
        edit(run, key, lambda value, _: value + 0.008)
    tabulate(run)
    allowed = {"vegas_cca": {"audio->visual": {"map": 0.01}, "visual->audio": {"map": 0.01}}}
    _, faults = gate(spread=spread(committed, 0.0, 0.0), arithmetic={"numbers": allowed})
    assert [fault.split("/")[0].split()[-1] for fault in faults] == ["vegas_kcca"] * 2
