"""The documents stay true: their code runs, and the commands, files and parameters that they name exist."""

from __future__ import annotations

import doctest
import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

from tests.docs.pages import PIECE, ROOT, pieces
from unisono import cli, models
from unisono.config.compute import Compute
from unisono.config.experiments import Experiment
from unisono.evaluation.checks import check_experiment
from unisono.evaluation.params_file import readers
from unisono.planning import dag

PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
STAGES = dag.read(ROOT / "dvc.yaml", (ROOT / "params.yaml").read_text(encoding="utf-8"))
EXTENDING, OWN_DATA = pieces("extending.md"), pieces("own_data.md")


def placed(name: str, folder: Path) -> Path:
    """Write a piece of extending.md to a file of its own name."""
    path = folder / Path(name).name
    path.write_text(EXTENDING[name], encoding="utf-8")
    return path


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(code: str, place: Path, **given: Any) -> None:
    """Run a piece of code with some names given."""
    path = place / "piece.py"
    path.write_text(code, encoding="utf-8")
    runpy.run_path(str(path), init_globals=given)


def pasted(name: str, folder: Path) -> None:
    """Run a block of own_data.md as a reader pastes it, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", OWN_DATA[name]], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def clip(level: int) -> bytes:
    """A grey video of 1.6 s with a noise."""
    from unisono.media import mp4

    pictures = [np.full((48, 64, 3), level, dtype=np.uint8)] * 16
    noise = np.random.default_rng(level).uniform(-0.3, 0.3, 25_600).astype(np.float32)
    return mp4.encode(pictures, 10, noise, 16_000)


def test_every_piece_is_short_and_every_piece_of_code_is_marked() -> None:
    assert len(EXTENDING) == 10
    for name, code in EXTENDING.items():
        assert len(code.splitlines()) < 45, name
    for page in ("extending.md", "own_data.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert text.count("```python") + text.count("```yaml") == len(PIECE.findall(text)), page


def test_the_method_keeps_the_contract_and_finds_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placed("class_scores.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    run(EXTENDING["contract"], tmp_path)
    draw = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 20)
    centres = {view: draw.standard_normal((3, width)) for view, width in (("audio", 6), ("visual", 9))}
    views = {
        view: np.repeat(rows, 20, axis=0) + 0.3 * draw.standard_normal((60, rows.shape[1]))
        for view, rows in centres.items()
    }
    model = models.create("class_scores", ridge=0.01).fit(views, labels)
    found = model.transform(views)
    from unisono.metrics import mean_average_precision

    assert mean_average_precision(found["audio"], found["visual"], labels, labels) > 0.9
    model.save(tmp_path / "saved")
    again = models.load(tmp_path / "saved", method=type(model)).transform(views)
    assert np.array_equal(again["audio"], found["audio"])


@pytest.mark.parametrize("tool", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
@pytest.mark.parametrize("name", ["class_scores.py", "src/unisono/features/clips/colours.py"])
def test_method_and_extractor_pass_the_projects_own_checks(name: str, tool: list[str], tmp_path: Path) -> None:
    path = placed(name, tmp_path)
    # Of the project, since the piece lies elsewhere.
    config = ["--config-file" if tool == ["mypy"] else "--config", str(ROOT / "pyproject.toml")]
    command = [sys.executable, "-m", *tool, *config, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_entries_of_experiments_are_legal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placed("class_scores.py", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    texts = [(ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("extending.md", "own_data.md")]
    found = [yaml.safe_load(code) for text in texts for kind, _, code in PIECE.findall(text) if kind == "params"]
    assert len(found) == 3
    for entries in found:
        for key, entry in entries.items():
            check_experiment(key, Experiment.model_validate(entry))


def test_the_extractor_makes_vectors_of_a_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unisono.features import clips

    placed("src/unisono/features/clips/colours.py", tmp_path)
    monkeypatch.setattr(clips, "__path__", [*clips.__path__, str(tmp_path)])
    module = clips.module("colours")
    extractor = module.create(module.fetch(None, tmp_path))
    vectors = extractor.embed(extractor.rows(clip(90)))
    assert vectors.shape == (2, extractor.dimensions)
    assert np.abs(vectors - 90 / 255).max() < 0.03


def test_the_data_set_loads_and_its_views_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unisono import datasets, load_dataset
    from unisono.datasets import dealing
    from unisono.datasets.base import dataset_of
    from unisono.metrics import chance_map, mean_average_precision

    package = tmp_path / "datasets" / "halves"
    package.mkdir(parents=True)
    for name in ("__init__.py", "dataset.py"):
        placed(f"src/unisono/datasets/halves/{name}", package)
    monkeypatch.setattr(datasets, "__path__", [*datasets.__path__, str(package.parent)])
    (tmp_path / "params.yaml").write_text(EXTENDING["params.yaml"], encoding="utf-8")
    halves, data = dataset_of("halves"), tmp_path / "data" / "halves"
    try:
        section: Any = halves.settings.load(tmp_path / "params.yaml")
        imported(placed("stages/build_halves.py", tmp_path)).build(section, data)
    finally:
        for name in [name for name in sys.modules if name.startswith("unisono.datasets.halves")]:
            del sys.modules[name]
        monkeypatch.delattr(datasets, "halves")
    dealing.deal(halves, section, samples=data / "samples", out=data / "divisions", summary=tmp_path / "summary.json")
    dataset = load_dataset("halves", root=data.parent)
    assert len(dataset) == 1797
    assert dataset.folds is not None
    assert dataset.labels is not None
    rest, fold = dataset.folds != 0, dataset.folds == 0
    model = models.create("c_cca", n_components=9)
    model.fit({view: rows[rest] for view, rows in dataset.views.items()}, dataset.labels[rest])
    found = model.transform({view: rows[fold] for view, rows in dataset.views.items()})
    labels = dataset.labels[fold]
    measured = mean_average_precision(found["upper"], found["lower"], labels, labels)
    assert measured > 2 * chance_map(labels, labels)


def test_the_table_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.report.fabricated import Fabricated
    from unisono.report import layouts

    monkeypatch.setattr(layouts, "LAYOUTS", dict(layouts.LAYOUTS))
    run(EXTENDING["layout"], tmp_path)
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    entry = next(code for _, _, code in PIECE.findall(text) if "vegas_ridge" in code)
    results = Fabricated(tmp_path / "experiments")
    experiment = Experiment.model_validate(yaml.safe_load(entry)["vegas_ridge"])
    results.add("vegas_ridge", experiment, {"ridge=0.01": [[0.2] * 5], "ridge=1": [[0.3] * 5]}, tables=["7.1"])
    layouts.write(results.runs(), tmp_path / "tables")
    table = (tmp_path / "tables" / "table_7_1.md").read_text(encoding="utf-8")
    assert table.startswith("# Table 7.1: CCA's ridge")
    assert "ridge" in table
    assert "**30" in table


def test_ready_made_samples_of_music(tmp_path: Path) -> None:
    from unisono.config.mtm import Mtm
    from unisono.datasets.mtm import build

    pasted("mtm", tmp_path)
    raw: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["mtm"]
    raw["source"], raw["songs"]["parquet"]["location"] = "parquet", str(tmp_path / "data/raw/mtm")

    facts = build.build(
        Mtm.model_validate(raw),
        out=tmp_path / "samples",
        skipped=tmp_path / "skipped.csv",
        summary=tmp_path / "summary.json",
    )
    assert (facts["source"], facts["n_samples"]) == ("parquet", 12)


def test_ready_made_clips(tmp_path: Path) -> None:
    from unisono.config.vegas import Vegas
    from unisono.datasets.vegas import build as clips
    from unisono.io import parquet

    for level in range(6):
        path = tmp_path / "my_clips" / ("dog" if level % 2 else "drum") / f"{level}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clip(20 * level))
    pasted("vegas", tmp_path)
    raw: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["vegas"]
    raw["source"], raw["folds"]["n"] = "parquet", 2
    facts = clips.build(
        Vegas.model_validate(raw),
        Compute(executor="serial", scratch=tmp_path / "scratch"),
        raw=tmp_path / "data/raw/vegas",
        out=tmp_path / "samples",
        skipped=tmp_path / "skipped.csv",
        summary=tmp_path / "summary.json",
        status=tmp_path / "status.csv",
    )
    assert facts["n_clips"] == 6
    assert parquet.metadata(tmp_path / "samples")["source"] == "parquet"


def test_ready_made_videos(tmp_path: Path) -> None:
    from unisono.datasets.mv10k import ready
    from unisono.io import parquet

    pasted("mv10k", tmp_path)
    compute = Compute(executor="serial", scratch=tmp_path / "scratch")
    assert ready.from_parquet(tmp_path / "data/raw/mv10k", compute, out=tmp_path / "videos") == 3
    assert parquet.read(tmp_path / "videos")["n_frames"].to_pylist() == [213, 216, 219]


def test_ready_made_pictures_and_songs(tmp_path: Path) -> None:
    from tests.datasets.test_image2song_build import Built

    pasted("image2song", tmp_path)
    location = str(tmp_path / "data/raw/image2song")
    built = Built(tmp_path, {"source": "parquet", "pictures.parquet.location": location})
    assert (built.facts["source"], built.facts["n_pictures"], built.facts["n_songs"]) == ("parquet", 64, 64)
    parts = built.deal()
    assert all(part == parts[item.replace("image/", "lyrics/")] for item, part in parts.items())
    labels = built.label()
    assert (labels["rule"], labels["deals"][0]["n_tags"]) == ("pair", 64)


def test_the_python_page_runs() -> None:
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    found = doctest.testfile(str(ROOT / "docs" / "python.md"), module_relative=False, optionflags=flags)
    assert found.attempted > 10
    assert found.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path = (page.parent / target).resolve()
        # Results may be missing before the first run, but a stage makes them.
        made = any(path == ROOT / out or ROOT / out in path.parents for stage in STAGES.values() for out in stage.outs)
        assert made or path.exists(), f"{page.name}: {target}"


def _known(key: str) -> bool:
    """Tell whether a dotted key is in params.yaml."""
    value: Any = PARAMS
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_parameters_exist(page: Path) -> None:
    sections = "|".join(readers())
    text = PIECE.sub("", page.read_text(encoding="utf-8"))
    # In backquotes alone; `key: value` and `key=value` count for their key.
    named = re.findall(rf"`(?:{sections})\.[a-z0-9_.]+[:=`]", text)
    named += re.findall(rf"-S ((?:{sections})\.[a-z0-9_.]+)=", text)
    keys = {name.strip("`:=") for name in named}
    keys = {key for key in keys if key not in {"vegas.features.colours"}}
    assert [key for key in sorted(keys) if not _known(key) and not key.endswith(".py")] == []


def _subcommands() -> dict[str, set[str]]:
    """The options of every subcommand of `unisono`."""
    (group,) = (action for action in cli._parser()._actions if hasattr(action, "choices") and action.choices)
    return {
        name: {option for action in parser._actions for option in action.option_strings}
        for name, parser in group.choices.items()  # type: ignore[union-attr]
    }


@pytest.mark.parametrize("page", [*PAGES, ROOT / "full.yaml"], ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_exist(page: Path) -> None:
    known = _subcommands()
    text = page.read_text(encoding="utf-8")
    for command, rest in re.findall(r"(?:^|[`#&] *)unisono ([a-z]+)\b([^\n`&#]*)", text, flags=re.MULTILINE):
        assert command in known, f"{page.name}: unisono {command}"
        for option in re.findall(r"(?<![\w-])--[a-z-]+", rest):
            assert option in known[command], f"{page.name}: unisono {command} {option}"
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for target in re.findall(r"^make ([a-z]+)", text, flags=re.MULTILINE):
        assert target in targets, f"{page.name}: make {target}"


def test_clean_deletes_what_dvc_makes_and_says_how_much(tmp_path: Path) -> None:
    for name in ("Makefile", "dvc.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    ignored = re.findall(r"^/(results/.+)/$", (ROOT / ".gitignore").read_text(encoding="utf-8"), flags=re.MULTILINE)
    outs = [out for stage in STAGES.values() for out in stage.outs if out.startswith("data/")]
    for folder in [*outs, *ignored]:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    kept = ["data/README.md", "data/raw/mtm/own", "results/data/mtm.md"]
    for name in [*kept, "data/mtm/samples/part"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(3 * 2**20))
    done = subprocess.run(["make", "-s", "clean"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "data/mtm" in done.stdout
    assert re.search(r"freed [34] MB", done.stdout)
    left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(left) == sorted(["Makefile", "dvc.yaml", *kept])
    assert [folder for folder in [*outs, *ignored] if (tmp_path / folder).exists()] == []


def test_the_citation_names_the_version() -> None:
    from unisono import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == "MIT"
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (ROOT / "LICENSE").exists()
    assert (ROOT / "src" / "unisono" / "py.typed").exists()
