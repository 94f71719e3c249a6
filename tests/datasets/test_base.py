"""What a data set's object says of itself is checked where it is asked for; what is wrong ends in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from unisono.config.vegas import Vegas
from unisono.datasets.base import dataset_of, names
from unisono.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


class NoBlock(Vegas):
    block = "clip"


class NoSources(Vegas):
    block = "folds"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("queries", {"video": ("visuals",)}, r"DATASET.queries\['video'\] names an unknown view 'visuals'; .*'visual'"),
        ("name", "vega", "DATASET.name is 'vega', expected 'vegas', the name of its folder"),
        ("views", (), "DATASET has no views; see docs/extending.md"),
        ("settings", NoBlock, "NoBlock.block: expected the name of the field that holds the sources"),
        ("settings", NoSources, "NoSources.block: expected the name of the field that holds the sources"),
    ],
)
def test_an_object_that_contradicts_itself_is_named_in_one_line(
    field: str, value: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_of("vegas"), field, value, raising=False)
    with pytest.raises(ConfigError, match=message) as caught:
        dataset_of("vegas")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", names())
def test_an_unknown_source_is_named_with_those_that_there_are(name: str, tmp_path: Path) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params[name]["source"] = "nowhere"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"^{name}\.source: .*there is no such source; .*'nowhere'") as caught:
        dataset_of(name).settings.load(tmp_path / "params.yaml")
    assert "\n" not in str(caught.value)


def test_source_without_a_reader_is_one_line() -> None:
    """A source class that nobody has registered a reader for says so, for every data set that reads by class."""
    from unisono.config.sources import Source
    from unisono.datasets.mtm.sources import open_source
    from unisono.datasets.mv10k import build as mv10k
    from unisono.datasets.vegas import build as vegas
    from unisono.errors import ConfigError

    class Unknown(Source):
        about = "not registered"

    calls: list[Callable[[], object]] = [
        lambda: open_source(Unknown()),
        lambda: mv10k._fill(Unknown(), None, None, None, None),  # type: ignore[arg-type]
        lambda: vegas._fill(Unknown(), None),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(ConfigError, match=r"^source Unknown: no reader is registered"):
            call()
