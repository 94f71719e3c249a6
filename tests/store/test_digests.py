"""Digests of what a stage reads of params.yaml: equal where DVC holds values to be equal, and by name of the keys."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from unisono.config import parse_yaml
from unisono.errors import ConfigError
from unisono.store import digests

PARAMS = """
a:
  b: {c: 1, d: [x, y], e: null}
  f: 2.5
sets: {one: x, two: y}
extractors:
  x: {k: 1}
  y: {k: 2}
names: [x, y]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the parameters above."""
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    return tmp_path


def found(folder: Path, *deps: str, **options: object) -> dict[str, str]:
    """Return the digests that a stage with these dependencies needs."""
    stage: dict[str, object] = {"cmd": "true", "deps": ["data/raw", *(digests.FOLDER + dep for dep in deps)]}
    stages = {"plain": {"cmd": "true"}, "one": {**options, "do": stage} if options else stage}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    return digests.digests(folder / "dvc.yaml", folder / "params.yaml")


def test_a_name_says_what_is_read() -> None:
    assert digests.keys_of("data/code/params/report.titles+report.tables") == ("report.titles", "report.tables")
    assert digests.keys_of("data/code/stages/tabulate") == digests.keys_of("params.yaml") == ()


@pytest.mark.parametrize(
    "text",
    [
        "# why\nd: [x, y]\n\ne:\nc: 1",
        "{c: 1.0, d: [x, 'y'], e: ~}",
        "e: null\nd:\n- x\n- y\nc: 0x1",
    ],
)
def test_equal_values_have_one_digest_however_they_are_written(text: str) -> None:
    assert digests.digest(parse_yaml(text)) == digests.digest({"c": 1, "d": ["x", "y"], "e": None})


@pytest.mark.parametrize(
    "other",
    [
        {"c": 2, "d": ["x", "y"], "e": None},
        {"c": "1", "d": ["x", "y"], "e": None},
        {"c": True, "d": ["x", "y"], "e": None},
        {"c": 1, "d": ["y", "x"], "e": None},
        {"c": 1, "d": ["x", "y"]},
        {"c": 1, "d": "['x', 'y']", "e": None},
        {"c": 1, "d": ["x", "y"], "e": 0},
    ],
)
def test_every_change_of_a_value_shows(other: object) -> None:
    assert digests.digest(other) != digests.digest({"c": 1, "d": ["x", "y"], "e": None})


def test_values_do_not_run_into_each_other() -> None:
    assert digests.digest({"a": 1}, {}) != digests.digest({}, {"a": 1})
    assert digests.digest([1], [2]) != digests.digest([1, 2]) != digests.digest([1, 2], [])
    assert digests.digest({1: "a"}) != digests.digest({"1": "a"})
    assert len(digests.digest({1: "a", "b": 2, None: 3})) == 64


def test_what_the_stages_name_is_written(project: Path) -> None:
    made = found(project, "a.b+a.f", "a")
    assert set(made) == {"a.b+a.f", "a"}
    assert made["a.b+a.f"] == digests.digest({"c": 1, "d": ["x", "y"], "e": None}, 2.5)


def test_an_edit_changes_the_digests_of_what_reads_it_alone(project: Path) -> None:
    before = found(project, "a.b", "a.f", "extractors")
    path = project / "params.yaml"
    path.write_text(PARAMS.replace("c: 1", "c: 2"), encoding="utf-8")
    after = digests.digests(project / "dvc.yaml", path)
    assert {name for name in before if before[name] != after[name]} == {"a.b"}


@pytest.mark.parametrize(
    ("items", "dep", "names"),
    [
        ("${sets}", "extractors.${item}", {"extractors.x", "extractors.y"}),
        ("${names}", "extractors.${item}+a.f", {"extractors.x+a.f", "extractors.y+a.f"}),
        ("${extractors}", "extractors.${key}", {"extractors.x", "extractors.y"}),
        ({"m": {"p": "x", "q": "f"}}, "extractors.${item.p}+a.${item.q}", {"extractors.x+a.f"}),
    ],
)
def test_entries_of_a_foreach_have_one_each(project: Path, items: object, dep: str, names: set[str]) -> None:
    assert set(found(project, dep, foreach=items)) == names


@pytest.mark.parametrize(
    ("dep", "said"),
    [
        ("a.bb", r"dvc\.yaml: data/code/params/a\.bb: there is no a\.bb in params\.yaml; did you mean 'b'"),
        ("a.f.g", r"there is no a\.f\.g in params\.yaml"),
        ("a.f+", r"data/code/params/a\.f\+: there is no  in params\.yaml"),
        ("../../x", r"there is no \.\./\.\./x in params\.yaml"),
    ],
)
def test_a_name_that_is_no_parameter_is_one_line(project: Path, dep: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        found(project, dep)
