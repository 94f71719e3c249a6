"""A recipe changes values in params.yaml, and nothing else of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from unisono.config.mtm import Mtm
from unisono.errors import ConfigError
from unisono.evaluation import recipe

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
FULL = ROOT / "full.yaml"


def comments(text: str) -> list[str]:
    return re.findall(r"^ *#.*$", text, flags=re.MULTILINE)


def leaves(changes: dict, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    found: dict[tuple[str, ...], object] = {}
    for key, value in changes.items():
        found |= leaves(value, (*path, key)) if isinstance(value, dict) else {(*path, key): value}
    return found


def test_the_full_recipe_fits_the_committed_parameters() -> None:
    text, sections = recipe.merged(FULL, ROOT / "params.yaml")
    assert sections["mtm"].source == "lmd"
    after = yaml.safe_load(text)
    for path, value in leaves(yaml.safe_load(FULL.read_text(encoding="utf-8"))).items():
        here = after
        for part in path:
            here = here[part]
        assert here == value, path
    assert (after["mtm"]["source"], after["vegas"]["source"], after["mv10k"]["source"]) == (
        "lmd",
        "features",
        "youtube8m",
    )
    assert comments(text) == comments(TEXT)


def test_every_value_of_the_full_recipe_changes_something() -> None:
    before = yaml.safe_load(TEXT)
    for path, value in leaves(yaml.safe_load(FULL.read_text(encoding="utf-8"))).items():
        here = before
        for part in path:
            here = here.get(part, {}) if isinstance(here, dict) else {}
        assert here != value, path


def test_params_of_an_experiment_are_added_or_merged() -> None:
    text = "experiments:\n  a:\n    model: cca\n    params: {ridge: 1.0}\n  b:\n    model: kcca # why\n"
    changes = {"experiments": {"a": {"params": {"k": 3}}, "b": {"params": {"k": 3}}}}
    assert recipe.merge(text, changes) == (
        "experiments:\n  a:\n    model: cca\n    params: {ridge: 1.0, k: 3}\n"
        "  b:\n    params: {k: 3}\n    model: kcca # why\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mtm: {sorce: lmd}", r"r.yaml: mtm.sorce: no such parameter; did you mean 'source'"),
        ("mtm: {source: midi}", "mtm.source: .*got 'midi'"),
        ("mtm: 3", "mtm: is a block of several lines"),
        ("experiments: {mtm_cca: {parms: {}}}", "experiments.mtm_cca.parms: no such parameter"),
        ("- 1", "expected a mapping"),
    ],
)
def test_a_wrong_recipe_changes_nothing(tmp_path: Path, text: str, message: str) -> None:
    params = tmp_path / "params.yaml"
    params.write_text(TEXT, encoding="utf-8")
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        recipe.apply(tmp_path / "r.yaml", params)
    assert params.read_text(encoding="utf-8") == TEXT


def test_applying_says_what_changed_and_is_idempotent(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text(TEXT, encoding="utf-8")
    (tmp_path / "r.yaml").write_text("mtm: {source: lmd}\nmodels: {cca: {n_components: 30}}\n", encoding="utf-8")
    changed = recipe.apply(tmp_path / "r.yaml", params)
    assert changed == ["mtm.source: music21 -> lmd", "models.cca.n_components: 10 -> 30"]
    assert Mtm.load(params).source == "lmd"
    assert recipe.apply(tmp_path / "r.yaml", params) == []
