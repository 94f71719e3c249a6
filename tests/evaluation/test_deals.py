"""Several deals of one data set: who is trained and tested, whose features are taken, and what kinds explain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unisono import evaluation, metrics
from unisono.datasets import dealing
from unisono.datasets.base import DataSet
from unisono.datasets.loading import Dataset, load_folder
from unisono.errors import ConfigError, DataError
from unisono.evaluation.divisions import dealt_anew, divide
from unisono.io import parquet

N, DEALS = 60, 3
GENERATOR = np.random.default_rng(0)
#: The pairs of deal d agree in this view's features of deal d alone.
AUDIO = GENERATOR.standard_normal((N, 6)).astype(np.float32)
KINDS = np.array([f"kind{row % 3}" for row in range(N)])
MODES = np.array(["" if row % 10 == 0 else "major" if row % 4 < 2 else "minor" for row in range(N)])


class Songs(DataSet):
    """Deals twenty items for testing, another twenty in every deal, and leaves item 59 out of the second."""

    name = "songs"
    dealt_by = ()

    def deal(self, table: pa.Table, section: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Give deals for two purposes."""
        parts = np.full((N, DEALS + 1), "train", dtype="<U10")
        for deal in range(DEALS):
            parts[20 * deal : 20 * (deal + 1), deal] = "test"
        parts[::2, DEALS] = "test"
        parts[59, 1] = ""
        return parts, {"divisions": {"song": [0, 1, 2], "file": [3]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Build the data set."""
    ids, text, shard = [f"song{row:02d}" for row in range(N)], pa.string(), parquet.shard_name(0)
    columns = {"id": ids, "kind": KINDS.tolist(), "mode": MODES.tolist()}
    facts = {"dataset": "songs", "source": "made up", "categories": ["mode"]}
    parquet.write(tmp_path / "samples" / shard, columns, types=dict.fromkeys(columns, text), metadata=facts)
    audio = {"id": ids, "audio": AUDIO}
    parquet.write(tmp_path / "features" / "audio" / shard, audio, types={"id": text, "audio": parquet.vector(6)})
    lyrics = GENERATOR.standard_normal((N, DEALS + 1, 6)).astype(np.float32)
    for deal in range(DEALS + 1):
        lyrics[20 * deal : 20 * (deal + 1), deal] = AUDIO[20 * deal : 20 * (deal + 1)]
    parquet.write(
        tmp_path / "features" / "lyrics" / shard,
        {"id": ids, "lyrics": lyrics},
        types={"id": text, "lyrics": parquet.matrix(DEALS + 1, 6)},
        metadata={"per_deal": True},
    )
    places = {"samples": tmp_path / "samples", "out": tmp_path / "divisions", "summary": tmp_path / "divisions.json"}
    facts = dealing.deal(Songs(), None, **places)
    assert facts["parts"] == {"train": [40, 39, 40, 30], "test": [20, 20, 20, 30]}
    return tmp_path


def test_each_deal_is_a_part_without_what_it_leaves_out(folder: Path) -> None:
    parts = divide(load_folder(folder))
    assert [part.fold for part in parts] == [0, 1, 2]
    assert parts[1].test.tolist() == list(range(20, 40))
    assert parts[1].train.tolist() == [*range(20), *range(40, 59)]


@pytest.mark.parametrize("kind", [parquet.vector(6), parquet.matrix(DEALS, 6), parquet.matrix(None, 6)])
def test_features_of_other_deals_are_one_line(folder: Path, kind: pa.DataType) -> None:
    ids, rows = [f"song{row:02d}" for row in range(N)], GENERATOR.standard_normal((N, DEALS, 6)).astype(np.float32)
    lyrics = rows[:, 0] if kind == parquet.vector(6) else [row[: 1 + i % 2] for i, row in enumerate(rows)]
    lyrics = rows if kind == parquet.matrix(DEALS, 6) else lyrics
    path = folder / "features" / "lyrics" / parquet.shard_name(0)
    types = {"id": pa.string(), "lyrics": kind}
    parquet.write(path, {"id": ids, "lyrics": lyrics}, types=types, metadata={"per_deal": True})
    with pytest.raises(DataError, match=rf"features of (no deals|lyrics are of {DEALS} deals, .* hold {DEALS + 1})"):
        load_folder(folder)


def test_features_without_ids_or_of_claims_are_one_line(folder: Path) -> None:
    path = folder / "features" / "lyrics" / parquet.shard_name(0)
    parquet.write(path, {"ids": ["a"]}, types={"ids": pa.string()})
    with pytest.raises(DataError, match="no column 'id'; its columns: ids"):
        load_folder(folder)
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(2**26, np.float32)), 2**25)
    pq.write_table(pa.table({"id": ["a", "b"], "lyrics": zeros}), path, use_dictionary=False, compression="zstd")
    with pytest.raises(DataError, match=r"claims 536\d+ bytes, and \d{4,6} are there"):
        load_folder(folder)


def test_another_division_is_chosen_by_name(folder: Path) -> None:
    (part,) = divide(load_folder(folder, division="file"))
    assert part.test.tolist() == list(range(0, N, 2))
    with pytest.raises(ConfigError, match=r"there is no division 'files'.*file"):
        load_folder(folder, division="files")


def test_a_data_set_with_deals_takes_no_other_number_of_folds(folder: Path) -> None:
    with pytest.raises(ConfigError, match="deals of its own"):
        divide(load_folder(folder), n_folds=4)


def test_folds_are_dealt_several_times(folder: Path) -> None:
    labels = np.arange(N) % 3
    own = np.arange(N) // 3 % 4
    data = Dataset("made up", "here", np.arange(N).astype(str), {"a": AUDIO, "b": AUDIO}, labels=labels, folds=own)
    assert dealt_anew(data, 1) is data
    parts = divide(dealt_anew(data, 3))
    assert [part.fold for part in parts] == list(range(12))
    for deal in range(3):
        tests = [part.test for part in parts[4 * deal : 4 * (deal + 1)]]
        assert sorted(np.concatenate(tests)) == list(range(N))
        assert {tuple(np.bincount(labels[test])) for test in tests} == {(5, 5, 5)}
    assert [part.test.tolist() for part in parts[:4]] == [part.test.tolist() for part in divide(data)]
    assert [set(part.test) for part in parts[4:8]] != [set(part.test) for part in parts[8:]]
    for part in parts:
        assert not set(part.train) & set(part.test)
    result = evaluation.run(dealt_anew(data, 3), "identity", {})
    assert len(result.embeddings["id"]) == 3 * N
    with pytest.raises(ConfigError, match=r"deals of songs: got 2, but .* has no folds to deal anew; use seeds"):
        dealt_anew(load_folder(folder), 2, where="deals of songs")


@pytest.mark.parametrize("model", ["identity", "cca"])
def test_every_deal_has_its_own_features(folder: Path, model: str) -> None:
    data = load_folder(folder)
    assert data.views["lyrics"].shape == (N, 6)
    params = {"identity": {}, "cca": {"n_components": 4}}[model]
    result = evaluation.run(data, model, params)
    parts = [row for row in result.tables["parts"].rows if row[4] == "recall_at_1" and row[3] == "audio->lyrics"]
    if model == "identity":
        # With the features of another deal, pairs would be random.
        assert [value for *_, value in parts] == [1.0, 1.0, 1.0]
    assert [fold for _, _, fold, *_ in parts] == [0, 1, 2]
    assert result.embeddings["kind"].tolist() == KINDS.tolist()


def test_what_kinds_explain_is_told_beside_chance(folder: Path) -> None:
    scores = evaluation.run(load_folder(folder), "identity", {}).metrics["audio->lyrics"]
    assert scores["recall_at_1"] == 1
    # Shuffled within a kind of six or seven of twenty, a pair stays where it was once in as many times.
    assert scores["recall_at_1_within"] == pytest.approx(3 / 20)
    assert scores["oracle"]["recall_at_1"] == pytest.approx(3 / 20)
    assert scores["chance"]["mrr"] == pytest.approx(metrics.chance_reciprocal_rank(20))
    assert scores["oracle"]["median_rank"] < scores["chance"]["median_rank"]


def test_a_category_counts_where_it_is_known(folder: Path) -> None:
    scores = evaluation.run(load_folder(folder), "identity", {}).metrics["audio->lyrics"]
    assert scores["class_mrr_mode"] == 1
    assert 0.5 < scores["class_mrr_mode_within"] < 1
    known = MODES[MODES != ""]
    simulated = np.mean([
        1 / (1 + int(np.argmax(GENERATOR.permutation(known[:18]) == label))) for label in known[:18] for _ in range(500)
    ])  # fmt: skip
    # The unknown are in the gallery, and push the others down a little.
    assert scores["chance"]["class_mrr_mode"] == pytest.approx(simulated, abs=0.08)


def test_data_without_kinds_says_nothing_of_them() -> None:
    data = Dataset("made up", "here", np.arange(8).astype(str), {"a": AUDIO[:8], "b": AUDIO[:8]})
    scores = evaluation.run(data, "identity", {}).metrics["a->b"]
    assert "oracle" not in scores
    assert not [name for name in scores if name.endswith("_within")]
