"""Divisions: dealt by the data set or taken over from its samples, kept in a table of their own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.divided import divide
from unisono.config.mtm import Mtm
from unisono.config.mv10k import Mv10k
from unisono.config.vegas import Vegas
from unisono.datasets import dealing
from unisono.datasets.base import dataset_of
from unisono.errors import ConfigError, DataError
from unisono.io import parquet

ROOT = Path(__file__).resolve().parents[2]
LABELS = ["dog"] * 20 + ["drum"] * 30
IDS = [f"clip{number}" for number in range(50)]


def samples(folder: Path, **columns: list[Any]) -> Path:
    """Write items; gives their folder."""
    kinds = {"group": pa.int32(), "fold": pa.int64()}
    rows = {"id": IDS, "label": LABELS} | columns
    parquet.write(
        folder / "samples" / parquet.shard_name(0),
        rows,
        types={name: kinds.get(name, pa.string()) for name in rows},
        metadata={"dataset": "vegas", "source": "made up"},
    )
    return folder


def deal(folder: Path, **changes: Any) -> dict[str, Any]:
    """Deal as the stage does, with other values in ``vegas.folds``."""
    section = Vegas.load(ROOT / "params.yaml")
    section = section.model_copy(update={"folds": section.folds.model_copy(update=changes)})
    places = {"samples": folder / "samples", "out": folder / "divisions", "summary": folder / "divisions.json"}
    return dealing.deal(dataset_of("vegas"), section, **places)


def test_a_share_of_each_class_stays_outside_and_the_rest_is_dealt_evenly(tmp_path: Path) -> None:
    facts = deal(samples(tmp_path), outside=0.2)
    folds = dealing.read(tmp_path / "divisions")
    outside = dealing.read_outside(tmp_path / "divisions" / dealing.OUTSIDE)
    assert set(folds) | outside == set(IDS)
    label = dict(zip(IDS, LABELS, strict=True))
    assert Counter(label[item] for item in outside) == {"dog": 4, "drum": 6}
    counts = Counter((label[item], fold) for item, fold in folds.items())
    assert sorted(counts["dog", fold] for fold in range(5)) == [3, 3, 3, 3, 4]
    assert sorted(counts["drum", fold] for fold in range(5)) == [4, 5, 5, 5, 5]
    assert facts == json.loads((tmp_path / "divisions.json").read_text(encoding="utf-8"))
    assert (facts["divided"], facts["n_outside"], sum(facts["parts"].values())) == ("dealt", 10, 40)
    deal(tmp_path, outside=0.2, seed=1)
    assert dealing.read(tmp_path / "divisions") != folds


def test_another_number_of_folds_leaves_the_same_clips_outside(tmp_path: Path) -> None:
    deal(samples(tmp_path), outside=0.2)
    before = (tmp_path / "divisions" / dealing.OUTSIDE).read_bytes()
    deal(tmp_path, outside=0.2, n=3)
    assert (tmp_path / "divisions" / dealing.OUTSIDE).read_bytes() == before


@pytest.mark.parametrize(("n", "sizes"), [(5, [8] * 5), (3, [16, 16, 8]), (4, [16, 8, 8, 8])])
def test_folds_hold_whole_groups(tmp_path: Path, n: int, sizes: list[int]) -> None:
    groups = [-1] * 10 + list(range(5)) * 8
    facts = deal(samples(tmp_path, group=groups), n=n)
    folds = dealing.read(tmp_path / "divisions")
    assert all(len({folds[i] for i, g in zip(IDS, groups, strict=True) if g == group}) == 1 for group in range(5))
    assert [facts["parts"][str(fold)] for fold in range(n)] == sizes
    assert dealing.read_outside(tmp_path / "divisions" / dealing.OUTSIDE) == set(IDS[:10])
    if n == 5:
        assert [folds[item] for item in IDS[10:]] == groups[10:]


def test_more_folds_than_groups_divide_them_and_say_so(tmp_path: Path) -> None:
    facts = deal(samples(tmp_path, group=[0, 1] * 25), n=5)
    assert facts["divided_groups"] == 2
    assert set(facts["parts"].values()) == {10}


def test_a_division_that_the_samples_bring_is_taken_over(tmp_path: Path) -> None:
    facts = deal(samples(tmp_path, fold=[-1] * 10 + [3, 1] * 20))
    assert facts == {"divided": "by the source", "parts": {"1": 20, "3": 20}, "n_outside": 10}
    assert [dealing.read(tmp_path / "divisions")[item] for item in IDS[10:14]] == [3, 1, 3, 1]
    facts = deal(samples(tmp_path / "b", split=["test", "train"] * 25))
    assert facts["parts"] == {"train": 25, "test": 25}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, r"vegas: class 'dog' has 4 items for folds, fewer than the 5 folds"),
        ({"id": ["a"] * 50}, r"samples: id 'a' occurs 50 times"),
        ({"fold": [-2] * 50}, r"samples: row 0: fold is -2, expected a fold from 0, or -1"),
        ({"fold": [-1] * 50}, r"samples: every item is outside the folds"),
        ({"split": ["train", "dev"] * 25}, r"row 1: split is 'dev', expected one of train, validation, test"),
    ],
)
def test_a_division_that_is_none_is_refused(tmp_path: Path, columns: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        deal(samples(tmp_path, **columns), outside=0.8)
    assert not (tmp_path / "divisions").exists()


def test_the_default_folds_of_music_videos_and_parts_of_songs_are_dealt_evenly(tmp_path: Path) -> None:
    table = pa.table({"label": LABELS})
    folds, _ = dataset_of("mv10k").deal(table, Mv10k.load(ROOT / "params.yaml"))
    assert np.bincount(folds).tolist() == [10] * 5
    songs = [f"song{number // 2}" for number in range(50)]
    rows = {"id": IDS, "song": songs, "notes": [[[60.0, 1.0, 0.0]]] * 50, "syllables": [["la"]] * 50}
    parts, facts = dataset_of("mtm").deal(pa.table(rows), Mtm.load(ROOT / "params.yaml"))
    assert all(parts[2 * song] == parts[2 * song + 1] for song in range(25))
    assert facts["n_repeated"] == 49


def test_an_unknown_data_set_is_named() -> None:
    with pytest.raises(ConfigError, match=r"there is no data set 'vega'; did you mean 'vegas'"):
        dataset_of("vega")


def test_what_is_no_division_is_named(tmp_path: Path) -> None:
    divide(samples(tmp_path, fold=[0, 1] * 25))
    parquet.write(tmp_path / "divisions" / parquet.shard_name(0), {"id": ["a"]}, types={"id": pa.string()})
    with pytest.raises(DataError, match="holds no id with fold, split, deals"):
        dealing.read(tmp_path / "divisions")


DEALS = [["train", "test"], ["test", "train"], ["", "validation"]]


def dealt(folder: Path, ids: pa.Array, column: str, values: pa.Array, **facts: Any) -> Path:
    """Write a table of divisions as it stands."""
    table = pa.table({"id": ids, column: values}).replace_schema_metadata({"unisono": json.dumps(facts)})
    pq.write_table(table, folder / parquet.shard_name(0), compression="zstd")
    return folder


@pytest.mark.parametrize(
    ("ids", "column", "values", "message"),
    [
        (pa.array([["a"], ["b"], ["c"]]), "deals", pa.array(DEALS, parquet.strings(2)), "id is list"),
        (pa.array(list("abc")), "deals", pa.array(DEALS), "deals list"),
        (pa.array(list("abc")), "deals", pa.array(list("xyz")), "deals string"),
        (pa.array(list("abc")), "deals", pa.array([["Train", ""], *DEALS[1:]], parquet.strings(2)), "deals of 'a'"),
        (pa.array(list("abc")), "deals", pa.array([[None, ""], *DEALS[1:]], parquet.strings(2)), "deals of 'a'"),
        (pa.array(list("abc")), "deals", pa.array([*DEALS[:2], None], parquet.strings(2)), "deals of 'c' is None"),
        (pa.array(["a", None, "c"]), "deals", pa.array(DEALS, parquet.strings(2)), "deals of None"),
        (pa.array(list("abc")), "split", pa.array(["train", "", "test"]), "split of 'b' is ''"),
        (pa.array(list("abc")), "fold", pa.array([0.0, 1.0, 0.5]), "fold double"),
        (pa.array(list("abc")), "fold", pa.array([0, 1, None]), "fold of 'c' is None"),
    ],
)
def test_divisions_of_other_kinds_are_one_line(
    ids: pa.Array, column: str, values: pa.Array, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        dealing.read(dealt(tmp_path, ids, column, values))


@pytest.mark.parametrize(
    "named", [3, "song", [["song", [0]]], {"song": 3}, {"song": []}, {"song": [2]}, {"song": [-1]}, {"song": [0.5]},
              {"song": [True]}, {"song": [[0]]}, {"song": None}]
)  # fmt: skip
def test_names_of_deals_that_are_not_there_are_one_line(named: Any, tmp_path: Path) -> None:
    values = pa.array(DEALS, parquet.strings(2))
    with pytest.raises(DataError, match=r"its divisions are .*, expected lists of 2 deals; run"):
        dealing.read_divisions(dealt(tmp_path, pa.array(list("abc")), "deals", values, divisions=named))
    assert dealing.read_divisions(dealt(tmp_path, pa.array(list("abc")), "deals", values, divisions={"a": [1, 0]})) == {
        "a": [1, 0]
    }


def test_divisions_of_giant_claims_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of 128 MB of zeros is refused by its type, long texts by their claim."""
    monkeypatch.setattr(parquet, "read", lambda *args: pytest.fail("it was read"))
    lists = pa.ListArray.from_arrays(pa.array([0, 0, 0, 2**25], pa.int32()), pa.array(np.zeros(2**25, np.float32)))
    texts = pa.array([["x" * 2**28 + "y", ""], *DEALS[1:]], parquet.strings(2))
    for values, message in ((lists, "deals list"), (texts, r"claims 268\d+ bytes, and \d+ are there")):
        folder = dealt(tmp_path, pa.array(list("abc")), "deals", values, divisions={"song": [0]})
        with pytest.raises(DataError, match=message):
            dealing.read(folder)
