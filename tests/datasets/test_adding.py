"""A data set added as docs/extending.md says: its printed pieces, in a copy of the tree, up to all that shows it."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT, pieces

pytestmark = pytest.mark.slow

PIECES = pieces("extending.md")
FILES = [name for name in PIECES if "halves" in name]
KEY = "halves_c_cca"


def merged(base: Any, more: Any) -> Any:
    """Add entries to mappings and items to lists, as one does by hand."""
    if isinstance(base, dict):
        return base | {key: merged(base[key], value) if key in base else value for key, value in more.items()}
    assert isinstance(base, list), f"{base!r} would be overwritten by {more!r}"
    return [*base, *more]


class Copy:
    """A copy of the code with the new data set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "PYTHONPATH": str(folder / "src")}
        for name in ("src", "stages", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "params.yaml", "dvc.yaml"):
            shutil.copyfile(ROOT / name, folder / name)
        for name in FILES:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(PIECES[name], encoding="utf-8")
        for name in ("params.yaml", "dvc.yaml"):
            base = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
            self.write(name, merged(base, yaml.safe_load(PIECES[name])))

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Write a YAML file."""
        (self.folder / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def python(self, *words: str) -> str:
        """Run a module in the copy, on the copy's own code; gives what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def stage(self, name: str, key: str = "") -> None:
        """Run the command that dvc.yaml has for a stage, or for one entry of its ``foreach``."""
        stage = yaml.safe_load((self.folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"][name]
        command = stage.get("do", stage)["cmd"].replace("${key}", key)
        for field, value in stage.get("foreach", {}).get(key, {}).items():
            command = command.replace(f"${{item.{field}}}", value)
        assert command.startswith("python -m ")
        self.python(*command.split()[2:])


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("adding"))


def test_three_files_are_enough_and_pass_the_projects_own_checks(copy: Copy) -> None:
    assert len(FILES) <= 3
    copy.python("ruff", "check", *FILES)
    copy.python("ruff", "format", "--check", *FILES)
    copy.python("mypy", *FILES)


def test_what_the_stages_declare_is_what_they_use(copy: Copy) -> None:
    copy.python("dvc", "init", "--no-scm", "--quiet")
    listed = copy.python("dvc", "stage", "list", "--name-only").split()
    assert {"build_halves", "deal@halves", "write_data_card@halves"} <= set(listed)
    printed = copy.python("pytest", "-q", "-p", "no:cacheprovider", "tests/pipeline/test_dag.py", "-k", "halves")
    assert int(re.findall(r"(\d+) passed", printed)[0]) >= 6


def test_it_runs_to_table_card_gallery_and_search(copy: Copy) -> None:
    copy.stage("fingerprint")
    assert (copy.folder / "data/code/datasets/halves").is_file()
    # No other data set is built here: its experiments, and what stands in tables and figures, go.
    params = yaml.safe_load((copy.folder / "params.yaml").read_text(encoding="utf-8"))
    new = yaml.safe_load(PIECES["params.yaml"])
    params["experiments"] = new["experiments"]
    looks = params["report"]
    looks |= {"figures": {}, "titles": {"c_cca": looks["titles"]["c_cca"]}, **new["report"]}
    copy.write("params.yaml", params)

    copy.stage("fingerprint")
    copy.stage("build_halves")
    copy.stage("deal", "halves")
    assert sum(json.loads((copy.folder / "results/data/halves_divisions.json").read_text())["parts"].values()) == 1797
    copy.python("unisono", "fit", KEY)
    copy.stage("tabulate")
    with (copy.folder / "results/tables/table_halves.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["dataset"], row["method"], row["source"], row["n_items"]) for row in rows} == {
        ("halves", "C-CCA", "digits", "1797")
    }
    assert {(row["query"], row["target"]) for row in rows} == {("upper", "lower"), ("lower", "upper")}
    assert all(float(row["value"]) > 0.2 for row in rows)  # chance is 0.1
    assert "| C-CCA |" in (copy.folder / "results/tables/table_halves.md").read_text(encoding="utf-8")
    with (copy.folder / "results/tables/above_chance.csv").open(encoding="utf-8") as file:
        assert KEY in file.read()

    copy.stage("write_data_card", "halves")
    card = (copy.folder / "results/data/halves.md").read_text(encoding="utf-8")
    assert card.startswith("# Halves: handwritten digits, cut in two")
    assert "CC BY 4.0" in card
    assert re.search(r"^\| all \|.*\| 1797 \|$", card, flags=re.MULTILINE)
    assert "A digit of each kind" in card
    assert (copy.folder / "results/figures/halves_contact_sheet.png").stat().st_size > 5000

    copy.stage("write_report")
    page = (copy.folder / "results/report.html").read_text(encoding="utf-8")
    found = re.search(r'<script [^>]*id="gallery-halves"[^>]*>(.*?)</script>', page, flags=re.DOTALL)
    assert found is not None
    gallery = json.loads(found[1])
    assert (gallery["title"], gallery["source"], gallery["remark"]) == ("Halves", "digits", "")
    assert len(gallery["queries"]) == looks["gallery_items"]
    for item in gallery["items"]:
        for view in ("upper", "lower"):
            (part,) = item["parts"][view]
            assert part["src"].startswith("data:image/webp")
    assert "Halves" in (copy.folder / "results/report.md").read_text(encoding="utf-8")

    printed = copy.python("unisono", "search", "digit0007", "--dataset", "halves", "--method", "c_cca", "--top", "5")
    assert "upper -> lower: the own pair has rank" in printed
    assert len(re.findall(r"^ +\d  digit\d{4}  +\d\.\d{3}  \d", printed, flags=re.MULTILINE)) == 5
    assert "halves.source\n* digits     Handwritten digits, as scikit-learn brings them" in copy.python(
        "unisono", "sources"
    )
