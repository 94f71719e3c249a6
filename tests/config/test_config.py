"""params.yaml: validated as a whole, with messages that say what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from unisono import config
from unisono.config.compute import Compute
from unisono.errors import ConfigError

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
    assert config.load("mtm", ROOT / "params.yaml").source == "music21"
    assert set(config.load_all(ROOT / "params.yaml")) == set(config.SECTIONS)


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
        (("experiments",), "a.b", "experiments.a.b: a key may hold letters, digits and underscores only"),
    ],
)
def test_a_misspelt_key_is_named_with_the_nearest_legal_one(
    tmp_path: Path, params: dict[str, Any], place: tuple[str, ...], key: str, message: str
) -> None:
    section: Any = params
    for part in place:
        section = section[part]
    section[key] = {}
    # The whole file is validated, whichever section is asked for.
    with pytest.raises(ConfigError, match=message):
        config.load("compute", written(tmp_path, params))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("mtm", "source"), "midi", r"mtm.source: .*'music21'.*got 'midi'"),
        (("mtm", "audio", "sample_rate"), 10, r"mtm.audio.sample_rate: .*8000.*got 10"),
        (("mtm", "split", "fractions"), [0.5, 0.5, 0.5], "mtm.split.fractions: .*sum to 1"),
        (("mtm", "songs", "music21", "collections"), [], "mtm.songs.music21.collections: "),
        (("mtm", "features", "asmcmr", "sha256"), "abc", "mtm.features.asmcmr.sha256: "),
        (("models", "cca", "n_components"), 0, "models.cca.n_components: "),
        (("compute", "device"), "gpu", "compute.device: "),
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
        config.load("mtm", written(tmp_path, params))


def test_missing_pieces_are_named(tmp_path: Path, params: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="no such file; run from the project's folder"):
        config.load("mtm", tmp_path / "params.yaml")
    del params["mtm"]["audio"]["program"]
    with pytest.raises(ConfigError, match=r"mtm\.audio\.program: missing parameter; add it"):
        config.load("mtm", written(tmp_path, params))
    config.load_all.cache_clear()
    del params["compute"]
    with pytest.raises(ConfigError, match=r"compute: missing section"):
        config.load("mtm", written(tmp_path, params))


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "\x00", ""])
def test_a_file_that_is_no_mapping_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"params\.yaml"):
        config.read_yaml(path)


def test_zero_workers_means_every_core() -> None:
    assert Compute(workers=0).n_workers >= 1
    assert Compute(workers=3).n_workers == 3
