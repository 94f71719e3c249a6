"""One whole `dvc repro` on tiny songs in a copy of the working tree, then what an edit re-runs."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.tiny import EXPERIMENTS, Clone, finished, forget

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy whose pipeline has run once."""
    return finished(tmp_path_factory.mktemp("clone"))


def test_the_pipeline_makes_every_declared_output(clone: Clone) -> None:
    metrics = json.loads((clone.folder / "results/metrics.json").read_text(encoding="utf-8"))
    assert {"mtm_random", "mtm_cca", "mtm_gcca"} <= set(metrics)
    experiment = json.loads((clone.folder / "results/experiments/mtm_cca/metrics.json").read_text(encoding="utf-8"))
    assert experiment["source"] == "musicxml"
    assert 0 <= experiment["audio->sheet"]["recall_at_1"] <= 1
    assert experiment["audio->sheet"]["pool"] > 1


def test_a_second_run_does_nothing(clone: Clone) -> None:
    assert clone.repro() == []


def test_a_folder_as_remote_holds_what_was_made(clone: Clone, tmp_path: Path) -> None:
    assert clone.run("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store")).returncode == 0
    pushed = clone.run("dvc", "push")
    assert pushed.returncode == 0, pushed.stderr
    features = clone.folder / "data/mtm/features/audio"
    before = {path.name: path.read_bytes() for path in features.iterdir()}
    shutil.rmtree(clone.folder / ".dvc/cache")
    shutil.rmtree(features)
    pulled = clone.run("dvc", "pull")
    assert pulled.returncode == 0, pulled.stderr
    assert {path.name: path.read_bytes() for path in features.iterdir()} == before
    assert clone.repro() == []


#: What follows from the experiments' results.
REPORT = {"tabulate", "plot_curves", "plot_spaces", "plot_example", "plot_image2song", "write_report"}


def fits_made(clone: Clone) -> dict[str, str]:
    """Return what the last run of the experiments said of each: "3 of 5 fits made", or that all were kept."""
    return dict(re.findall(r"^experiment \d+ of \d+: (\w+), (.*)$", clone.printed, flags=re.MULTILINE))


def test_editing_one_experiment_trains_it_alone(clone: Clone) -> None:
    clone.edit(lambda params: params["experiments"]["mtm_gcca"].update(params={"n_components": 3}))
    ran = set(clone.repro())
    assert {"run_experiments", "tabulate"} <= ran <= {"fingerprint", "run_experiments", *REPORT}
    made = fits_made(clone)
    assert set(made) == set(EXPERIMENTS)
    assert {key for key, text in made.items() if "made" in text} == {"mtm_gcca"}


def n_lines(clone: Clone) -> int:
    """Count the lines of dvc.lock."""
    return len((clone.folder / "dvc.lock").read_text(encoding="utf-8").splitlines())


def test_the_layout_of_the_parameters_reruns_the_first_stage_alone(clone: Clone) -> None:
    clone.repro()
    path = clone.folder / "params.yaml"
    before = path.read_text(encoding="utf-8")
    params = yaml.safe_load(before)
    params["models"]["c_cca"]["n_components"] = float(params["models"]["c_cca"]["n_components"])
    text = yaml.safe_dump(params, sort_keys=True, default_flow_style=False)
    path.write_text(f"# A comment.\n{text}", encoding="utf-8")
    assert clone.repro() == ["fingerprint"]
    path.write_text(before, encoding="utf-8")


def test_a_methods_parameter_trains_what_uses_it(clone: Clone) -> None:
    lines = n_lines(clone)
    clone.edit(lambda params: params["models"]["c_cca"].update(n_components=4))
    assert set(clone.repro()) <= {"fingerprint", "run_experiments", *REPORT}
    assert {key for key, text in fits_made(clone).items() if "made" in text} == {"vegas_c_cca"}
    clone.edit(lambda params: params["models"]["c_cca"].update(n_components=2))
    # However many parameters there are.
    assert n_lines(clone) == lines < 2800


@pytest.mark.slow
def test_what_one_page_shows_draws_nothing(clone: Clone) -> None:
    clone.repro()
    clone.edit(lambda params: params["report"].update(gallery_items=2))
    assert clone.repro() == ["fingerprint", "write_report"]
    clone.edit(lambda params: params["report"].update(gallery_items=1))


@pytest.mark.slow
def test_the_settings_of_one_extractor_leave_the_other(clone: Clone) -> None:
    clone.repro()
    clone.edit(lambda params: params["vegas"]["features"]["inception"]["whitening"].update(components=7))
    ran = set(clone.repro())
    assert {"fit_whitening@visual", "extract_video@visual"} <= ran
    begun = ("build_", "render_", "engrave_", "extract_", "fit_", "train_", "deal", "label_", "embed_")
    assert {name for name in ran if name.startswith(begun)} == {"fit_whitening@visual", "extract_video@visual"}
    clone.edit(lambda params: params["vegas"]["features"]["inception"]["whitening"].update(components=8))


@pytest.mark.slow
def test_taking_an_edit_back_trains_nothing(clone: Clone) -> None:
    before = (clone.folder / "results/experiments/mtm_gcca/metrics.json").read_bytes()
    clone.edit(lambda params: params["experiments"]["mtm_gcca"].update(params={"n_components": 2}))
    clone.repro()
    clone.edit(lambda params: params["experiments"]["mtm_gcca"].update(params={"n_components": 3}))
    shutil.rmtree(clone.folder / ".dvc/cache/runs")
    clone.repro()
    assert "made" not in fits_made(clone).get("mtm_gcca", "")
    assert (clone.folder / "results/experiments/mtm_gcca/metrics.json").read_bytes() == before


@pytest.mark.slow
def test_one_more_point_of_a_sweep_trains_that_point(clone: Clone) -> None:
    points = [{"setting": f"k={k}", "params": {"n_components": k}} for k in (1, 2, 3)]
    sweep = {"dataset": "vegas", "model": "c_cca", "variants": points[:2]}
    clone.edit(lambda params: params["experiments"].update(sweep=sweep))
    clone.repro()
    n_fits = re.match(r"(\d+) of (\d+) fits made", fits_made(clone)["sweep"])
    clone.edit(lambda params: params["experiments"].update(sweep=sweep | {"variants": points}))
    clone.repro()
    assert n_fits is not None
    n_folds = 3
    assert fits_made(clone)["sweep"] == f"{n_folds} of {int(n_fits[2]) + n_folds} fits made"
    clone.edit(lambda params: params["experiments"].pop("sweep"))


@pytest.mark.slow
def test_a_title_trains_and_extracts_nothing(clone: Clone) -> None:
    clone.repro()
    clone.edit(lambda params: params["report"]["titles"].update(mtm_gcca="Generalised CCA"))
    planned = clone.run("python", "-m", "unisono", "plan").stdout
    named = set(re.findall(r"^([^\s:]+) +[\d.]+ s ", planned, flags=re.MULTILINE))
    # At most: what depends on a table of the report may stay as it is.
    assert {"fingerprint", *REPORT} <= named
    assert {name for name in named - REPORT if not name.startswith("write_data_card")} == {"fingerprint"}
    assert set(clone.repro()) <= {"fingerprint", *REPORT}
    assert "Generalised CCA" in clone.methods_in_table()
    clone.edit(lambda params: params["report"]["titles"].update(mtm_gcca="GCCA"))


def edit_code(clone: Clone, name: str, old: str, new: str) -> None:
    path = clone.folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.slow
def test_a_docstring_or_a_comment_reruns_nothing(clone: Clone) -> None:
    clone.repro()
    edit_code(clone, "src/unisono/models/parts/hashing.py", '"""', '"""Again: ')
    edit_code(clone, "src/unisono/io/parquet.py", "\nfrom __future__", "\n# a comment\nfrom __future__")
    assert clone.repro() == ["fingerprint"]


@pytest.mark.slow
def test_an_edit_of_a_shared_part_trains_the_methods_that_use_it(clone: Clone) -> None:
    # Only mtm_gcca, mtm_cca, mv10k_cca and vegas_c_cca are closed forms; vegas_agah hashes.
    edit_code(clone, "src/unisono/models/parts/hashing.py", "\ndef ", "\nADDED = 1\n\n\ndef ")
    ran = clone.repro()
    assert set(ran) - REPORT <= {"fingerprint", "run_experiments"}
    assert {key for key, text in fits_made(clone).items() if "made" in text} == {"vegas_agah"}


@pytest.mark.slow
def test_what_fits_what_anew_reads_and_extracts_no_picture(clone: Clone) -> None:
    clone.edit(lambda params: params["image2song"]["relevance"].update(max_song_fraction=0.6))
    ran = set(clone.repro())
    assert {"deal@image2song", "label_image2song"} <= ran
    learned = {"train_tags", "embed_words", "run_experiments", "write_data_card@image2song"}
    assert ran <= {"fingerprint", "deal@image2song", "label_image2song", *learned, *REPORT}
    assert not {key for key, text in fits_made(clone).items() if "made" in text and "image2song" not in key}


@pytest.mark.slow
@pytest.mark.parametrize("edit", ["folds", "split"])
def test_dealing_anew_decodes_renders_and_extracts_nothing(clone: Clone, edit: str) -> None:
    if edit == "folds":
        clone.edit(lambda params: params["vegas"]["folds"].update(n=2))
    else:
        clone.edit(lambda params: params["mtm"]["split"].update(seed=3))
    ran = set(clone.repro())
    assert {f"deal@{'vegas' if edit == 'folds' else 'mtm'}", "run_experiments"} <= ran
    # The encoder of sheet music is trained on the training part, so that its features follow.
    learned = {"train_asmcmr", "extract_asmcmr_notes", "extract_asmcmr@sheet", "extract_asmcmr@sheet_plain"}
    learned |= {"train_staff_reader", "extract_staff_reader"}
    extracted = {
        name for name in ran if name.startswith(("build_", "render_", "engrave_", "extract_", "fit_", "train_"))
    }
    assert extracted <= (learned if edit == "split" else set())


@pytest.mark.slow
def test_a_removed_experiment_leaves_nothing_in_the_tables(clone: Clone) -> None:
    assert "GCCA" in clone.methods_in_table()

    def remove(params: dict[str, Any]) -> None:
        params["experiments"].pop("mtm_gcca")
        forget(params["report"], "mtm_gcca")

    clone.edit(remove)
    ran = clone.repro()
    assert {"run_experiments", "tabulate"} <= set(ran)
    assert "made" not in " ".join(fits_made(clone).values())
    assert "GCCA" not in clone.methods_in_table()
    assert "mtm_gcca" not in json.loads((clone.folder / "results/metrics.json").read_text(encoding="utf-8"))
    assert not (clone.folder / "results/experiments/mtm_gcca").exists()


@pytest.mark.slow
def test_killed_experiments_are_restored_without_training_again(clone: Clone) -> None:
    results = clone.folder / "results/experiments"
    expected = {path.relative_to(results): path.read_bytes() for path in results.rglob("*") if path.is_file()}
    shutil.rmtree(clone.folder / ".unisono/fits")
    command = ["python", "-m", "stages.run_experiments", "--data", "data", "--out", "results/experiments"]
    command += ["--times", "results/timing"]
    shutil.rmtree(results)
    process = clone.start(*command)
    deadline = time.monotonic() + 240
    while len(list(clone.folder.glob(".unisono/fits/*/fit.json"))) < 8:
        assert process.poll() is None, "the stage ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    n_kept = len(list(clone.folder.glob(".unisono/fits/*/fit.json")))
    done = clone.run(*command)
    assert done.returncode == 0, done.stderr[-3000:]
    n_made = sum(int(n) for n in re.findall(r"(\d+) of \d+ fits made", done.stdout))
    n_all = len(list(clone.folder.glob(".unisono/fits/*/fit.json")))
    assert n_made <= n_all - n_kept
    assert {path.relative_to(results): path.read_bytes() for path in results.rglob("*") if path.is_file()} == expected


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--temp", "--queue"])
def test_an_experiment_of_dvc_runs_its_own_code_and_takes_kept_fits(clone: Clone, how: str) -> None:
    clone.run("git", "config", "user.email", "a@b.c")
    clone.run("git", "config", "user.name", "a")
    clone.run("git", "add", "-A")
    # What Git does not hold a copy of the project lacks; `dvc add` is the other way.
    clone.run("git", "add", "--force", "data/raw/mtm", "data/raw/songs", "data/raw/image2song")
    assert clone.run("git", "commit", "--quiet", "--allow-empty", "-m", how).returncode == 0
    # The workspace's code fails; what is queued is the committed code, which does not.
    changes = {"models.random.n_components": "4", "experiments.mtm_random.seeds": "1", "report.gallery_items": "2"}
    settings = [word for key, value in changes.items() for word in ("-S", f"{key}={value}")]
    started = clone.run("dvc", "exp", "run", how, "--name", f"own{how}", *settings)
    assert started.returncode == 0, started.stderr[-3000:]
    if how == "--queue":
        broken = clone.folder / "src/unisono/models/random.py"
        text = broken.read_text(encoding="utf-8")
        broken.write_text("raise RuntimeError('of the workspace')\n", encoding="utf-8")
        ran = clone.run("dvc", "queue", "start", "--jobs", "1")
        assert ran.returncode == 0, ran.stderr[-3000:]
        clone.wait_for_queue()
        broken.write_text(text, encoding="utf-8")
    shown = clone.run("dvc", "exp", "show", "--csv").stdout
    row = next(row for row in csv.DictReader(shown.splitlines()) if row["Experiment"] == f"own{how}")
    assert {key: row[key] for key in changes} == changes
    assert row.get("State", "") in ("", "Success")
    differ = json.loads(clone.run("dvc", "params", "diff", "HEAD", f"own{how}", "--json").stdout)["params.yaml"]
    assert {key: str(values["new"]) for key, values in differ.items()} == changes


@pytest.mark.slow
def test_a_killed_stage_goes_on_and_gives_the_same_bytes(clone: Clone) -> None:
    made = clone.folder / "data/mtm/engraved/sheet"
    expected = {path.name: path.read_bytes() for path in made.glob("*.parquet")}
    command = ["python", "-m", "stages.engrave_sheet", "--samples", "data/mtm/samples", "--engraving", "sheet"]
    command += ["--out", "again", "--skipped", "again.csv"]
    process = clone.start(*command)
    deadline = time.monotonic() + 120
    while not list(clone.folder.glob(".unisono/scratch/again-*/**/part-*.parquet.json")):
        assert process.poll() is None, "the stage ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (clone.folder / "again").exists()
    assert clone.run(*command).returncode == 0
    assert {path.name: path.read_bytes() for path in (clone.folder / "again").glob("*.parquet")} == expected


def test_a_misspelt_parameter_stops_with_its_name(clone: Clone) -> None:
    before = (clone.folder / "params.yaml").read_text(encoding="utf-8")
    clone.edit(lambda params: params["mtm"]["audio"].update(sample_rat=16000))
    done = clone.run("dvc", "repro")
    (clone.folder / "params.yaml").write_text(before, encoding="utf-8")
    assert done.returncode != 0
    assert "mtm.audio.sample_rat: unknown parameter; did you mean 'sample_rate'?" in done.stderr
    assert "Traceback" not in done.stderr
