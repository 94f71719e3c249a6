"""params.yaml: validated as a whole, with messages that say what to change."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from unisono import config
from unisono.cli.evaluate import read_parameters
from unisono.config import read_yaml
from unisono.config.compute import Compute
from unisono.config.experiments import Experiment
from unisono.config.mtm import Mtm, MusicXML
from unisono.config.report import Report
from unisono.errors import ConfigError
from unisono.evaluation.params_file import check_params_file, readers
from unisono.store.code import import_closure

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def params() -> dict[str, Any]:
    """Return the committed parameters as plain data."""
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def written(folder: Path, params: dict[str, Any]) -> Path:
    """Write `params` to a file of its own."""
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(params), encoding="utf-8")
    return path


def test_the_committed_file_is_valid() -> None:
    assert Mtm.load(ROOT / "params.yaml").source == "music21"
    assert set(check_params_file(ROOT / "params.yaml")) == set(readers())


@pytest.mark.parametrize(
    ("place", "key", "message"),
    [
        ((), "mtn", "mtn: unknown section of .*; did you mean 'mtm'"),
        (("mtm",), "sorce", "mtm.sorce: unknown parameter; did you mean 'source'"),
        (("mtm", "audio"), "sample_rat", "mtm.audio.sample_rat: unknown parameter; did you mean 'sample_rate'"),
        (("mtm", "songs", "lmd"), "rul", "mtm.songs.lmd.rul: unknown parameter; did you mean 'rule'"),
        (("mtm", "engravings", "sheet"), "lyrics", "mtm.engravings.sheet.lyrics: .*did you mean 'engrave_lyrics'"),
        (("compute",), "worker", "compute.worker: unknown parameter; did you mean 'workers'"),
        (("models",), "ccaa", "models.ccaa: unknown method; did you mean 'cca'"),
        (("models", "cca"), "rigde", "models.cca.rigde: unknown .*; did you mean 'ridge'"),
        (("experiments", "mtm_cca"), "modle", "experiments.mtm_cca.modle: unknown .*; did you mean 'model'"),
        (("report",), "tabels", "report.tabels: unknown parameter; did you mean 'tables'"),
        (("report", "titles"), "ccca", "report.titles.ccca: no such experiment or method; did you mean 'c_cca'"),
        (("experiments",), "a.b", "experiments.a.b: a key may hold letters, digits and underscores only"),
        (("experiments",), "a; touch x; b", "experiments.a; touch x; b: a key may hold letters"),
        (("mtm", "engravings"), "$(touch x)", r"mtm.engravings.\$\(touch x\).*a name may hold letters"),
        (("vegas", "features", "sets"), "../x", "vegas.features.sets.../x.*a name may hold letters"),
    ],
)
def test_a_misspelt_key_is_named_with_the_nearest_legal_one(
    tmp_path: Path, params: dict[str, Any], place: tuple[str, ...], key: str, message: str
) -> None:
    section: Any = params
    for part in place:
        section = section[part]
    section[key] = "x" if place == ("report", "titles") else {}
    with pytest.raises(ConfigError, match=message):
        check_params_file(written(tmp_path, params))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("mtm", "source"), "midi", r"mtm.source: .*no such source; did you mean 'lmd'.*got 'midi'"),
        (("mtm", "audio", "sample_rate"), 10, r"mtm.audio.sample_rate: .*8000.*got 10"),
        (("mtm", "split", "fractions"), [0.5, 0.5, 0.5], "mtm.split.fractions: .*sum to 1"),
        (("mtm", "songs", "music21", "collections"), [], "mtm.songs.music21.collections: "),
        (("mtm", "features", "asmcmr", "sha256"), "abc", "mtm.features.asmcmr.sha256: "),
        (("models", "cca", "n_components"), 0, "models.cca.n_components: "),
        (("compute", "device"), "gpu", "compute.device: "),
        (("models", "cca"), 3, "models.cca: expected a mapping of parameters, got 3"),
        (
            ("report", "tables", "5.4"),
            ["vegas_distanc"],
            "report.tables.5.4: no .*did you mean 'vegas_distance'",
        ),
        (("report", "leaderboards", "mine"), ["vegas_distanc"], "report.leaderboards.mine: no .*did you mean"),
        (("report", "recommended", "vegas"), "mtm_cca", "report.recommended.vegas: mtm_cca is on mtm; name one on"),
        (("report", "recommended", "vegas"), "vegas_cc", "report.recommended.vegas: no .*did you mean"),
        (("report", "above", "vegas_cca"), {"over": ["vegas_cc"]}, "report.above.vegas_cca: no .*did you mean"),
        (("report", "above", "vegas_cca"), {"over": [], "least": 1}, "report.above.vegas_cca.least: "),
        (("report", "figures", "5.9"), ["vegas_cca"] * 2, "report.figures.5.9: 'vegas_cca' stands there twice"),
    ],
)
def test_a_value_out_of_range_is_named(
    tmp_path: Path, params: dict[str, Any], place: tuple[str, ...], value: object, message: str
) -> None:
    section: Any = params
    for part in place[:-1]:
        section = section[part]
    section[place[-1]] = value
    with pytest.raises(ConfigError, match=message):
        check_params_file(written(tmp_path, params))


def test_missing_pieces_are_named(tmp_path: Path, params: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="no such file; run from the project's folder"):
        Mtm.load(tmp_path / "params.yaml")
    del params["mtm"]["audio"]["program"]
    with pytest.raises(ConfigError, match=r"mtm\.audio\.program: missing parameter; add it"):
        check_params_file(written(tmp_path, params))
    del params["compute"]
    with pytest.raises(ConfigError, match=r"compute: missing section"):
        check_params_file(written(tmp_path, params))


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "\x00", ""])
def test_a_file_that_is_no_mapping_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"params\.yaml"):
        config.read_yaml(path)


def test_zero_workers_means_every_core() -> None:
    assert Compute(workers=0).n_workers >= 1
    assert Compute(workers=3).n_workers == 3


def test_a_title_is_the_experiment_s_or_its_method_s_or_the_method_s_name() -> None:
    looks = Report(
        gallery_items=0, gallery_mb=0, sound_s=1, titles={"cca": "CCA", "best": "Best"}, tables={"5.2": ["a", "best"]}
    )
    entries = {key: Experiment(dataset="vegas", model=model) for key, model in (("a", "cca"), ("best", "cca"))}
    assert [looks.title(key, entry) for key, entry in entries.items()] == ["CCA", "Best"]
    assert looks.title("b", Experiment(dataset="vegas", model="tnn")) == "tnn"
    assert looks.places("best") == {"5.2": 1}


def test_a_section_depends_on_no_other_section_s_form() -> None:
    for name in ("mtm", "compute", "report"):
        closure = {path.stem for path in import_closure(f"unisono.config.{name}") if path.parent.name == "config"}
        assert not closure & ({"mtm", "mv10k", "vegas", "models"} - {name})
    assert not any("models" in path.parts for path in import_closure("unisono.config.experiments"))


@pytest.mark.parametrize(
    ("location", "watched"),
    [
        ("/elsewhere", False),
        ("other/songs", False),
        ("data/raw/../songs", False),
        ("data/raw/mtm", True),
        ("data/raw/mtm/songs.zip", True),
        ("https://example.org/songs.zip", True),
    ],
)
def test_a_place_that_dvc_does_not_watch_is_said(location: str, watched: bool) -> None:
    said = MusicXML(locations=(location,), sha256=()).unwatched
    assert said == "" if watched else said.startswith(f"{location} is outside data/raw, where DVC does not look")


def test_of_several_places_each_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/a.xml").touch()

    def source(*places: str) -> MusicXML:
        return MusicXML(locations=places, sha256=())

    here, missing, url = str(tmp_path / "one"), str(tmp_path / "two"), "https://example.org/a.zip"
    assert source(here).at_hand() == "yes"
    assert source(here, url).at_hand() == "to be fetched"
    assert source(url, here, missing).at_hand() == f"no: {missing} does not exist"
    assert source("data/raw/mtm", here).unwatched.startswith(f"{here} is outside data/raw")
    assert source().places == source("").places == ("data/raw/mtm",)


def test_own_files_can_be_added_to_dvc(tmp_path: Path) -> None:
    """`dvc add data/raw/mtm/scores` writes a .dvc file and a .gitignore that Git must take; the files it must not."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text((ROOT / ".gitignore").read_text(encoding="utf-8"), encoding="utf-8")

    def ignored(name: str) -> bool:
        return subprocess.run(["git", "check-ignore", "-q", name], cwd=tmp_path, check=False).returncode == 0

    assert not ignored("data/raw/mtm/scores.dvc")
    assert not ignored("data/raw/vegas/.gitignore")
    assert ignored("data/raw/mtm/scores/a.musicxml")
    assert ignored("data/raw/mtm/a.musicxml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "the key 'a' stands twice.*line 2"),
        ("a: {b: 1, b: 2}", "the key 'b' stands twice"),
        ("a: 010", "010 means different numbers"),
        ("a: 1:30", "1:30 means different numbers"),
        ("a: .inf", "no finite number"),
        ("a: -.inf", "no finite number"),
        ("a: .nan", "no finite number"),
        ("a: " + "9" * 5000, "not YAML"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested deeper"),
        ("a: " + "{b: " * 200 + "1" + "}" * 200, "nested deeper"),
    ],
)
def test_what_has_two_meanings_or_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_yaml(tmp_path / "params.yaml")


def test_what_yaml_has_for_convenience_stays(tmp_path: Path) -> None:
    text = "a: &x {b: 1, c: 0}\nd: {<<: *x, c: 0x1F}\ne: -1.5e+3\nf: 0\ng: 0.5\n"
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    found = read_yaml(tmp_path / "params.yaml")
    assert found == {"a": {"b": 1, "c": 0}, "d": {"b": 1, "c": 31}, "e": -1500.0, "f": 0, "g": 0.5}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"model": "kcca", "ridge": "much"}, r"models\.kcca\.ridge: .*number"),
        ({"model": "kcca", "width": [1]}, r"models\.kcca\.width: "),
        ({"model": "tnn", "layers": {"other": [3, 0]}}, r"models\.tnn\.layers\.other\.1: .*greater than or equal to 1"),
    ],
)
def test_a_message_names_the_key_and_no_branch_of_its_type(raw: dict[str, object], words: str) -> None:
    from unisono import models

    name = str(raw.pop("model"))
    with pytest.raises(ConfigError, match=f"^{words}"):
        models.check_params(name, raw)


LAUGHS = "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 20_000, "nested deeper than"),
        ("a: &a [x]\n" + LAUGHS, "aliases counted as what they stand for"),
        ("a: &a {x: 1}\n" + LAUGHS.replace("[", "{<<: [").replace("]", "]}"), "aliases counted as"),
        ("a: &a [*a]", "stands within itself"),
        ("a: " + "1" * 5000, "4300 digits"),
        ("a: 2001-02-30", "day"),
        ("? {a: 1}\n: 2", "unhashable"),
    ],
)
def test_what_yaml_may_ask_for_is_bounded(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_yaml(tmp_path / "params.yaml")
    with pytest.raises(ConfigError, match=message):
        read_parameters([[f"a={text}"]])


def test_aliases_may_stand_for_what_was_named() -> None:
    assert config.parse_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}") == {
        "a": {"x": 1},
        "b": {"x": 1},
        "c": {"x": 1, "y": 2},
    }
