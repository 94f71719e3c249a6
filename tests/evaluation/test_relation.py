"""Items of one view each: who is trained and tested, what belongs together, and what comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import average_precision_score

from unisono import evaluation, metrics
from unisono.datasets import dealing
from unisono.datasets.base import DataSet
from unisono.datasets.loading import Dataset, load_folder
from unisono.errors import DataError
from unisono.evaluation import comparison, rankings, relation, writing
from unisono.evaluation.planning import Setting
from unisono.io import parquet

PICTURES, SONGS, TAGS, DEALS = 24, 18, 5, 2
GENERATOR = np.random.default_rng(3)
IDS = [f"picture/{row:02d}" for row in range(PICTURES)] + [f"song/{row:02d}" for row in range(SONGS)]
#: Which tags an item has, by deal; the last song has none.
HAS = GENERATOR.random((PICTURES + SONGS, DEALS, TAGS)) < 0.3
HAS[:, :, 0] |= ~HAS.any(axis=2)
HAS[-1] = False


class Made(DataSet):
    """Tests every third item, of every second deal another one; leaves the first picture out of the second deal."""

    name = "made"
    dealt_by = ()

    def deal(self, table: pa.Table, section: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Give two deals."""
        parts = np.full((len(IDS), DEALS), "train", dtype="<U5")
        for deal in range(DEALS):
            parts[deal::3, deal] = "test"
        parts[0, 1] = ""
        return parts, {}


def features(folder: Path, name: str, rows: slice, array: np.ndarray, n_frames: np.ndarray | None = None) -> None:
    kind: pa.DataType = pa.float32()
    for width in reversed(array.shape[1:]):
        kind = pa.list_(kind, width)
    columns, types = {"id": IDS[rows], name: array.tolist()}, {"id": pa.string(), name: kind}
    if n_frames is not None:
        columns["n_frames"], types["n_frames"] = n_frames.tolist(), pa.list_(pa.int32(), DEALS)
    place = folder / "features" / name / parquet.shard_name(0)
    parquet.write(place, columns, types=types, metadata={"per_deal": array.ndim > 2})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Build a data set of pictures and songs."""
    shard, text = parquet.shard_name(0), pa.string()
    groups = [f"group{row // 2}" for row in range(len(IDS))]
    facts = {"dataset": "made", "source": "made up"}
    parquet.write(
        tmp_path / "samples" / shard, {"id": IDS, "group": groups}, types={"id": text, "group": text}, metadata=facts
    )
    tags = [[np.flatnonzero(own).tolist() for own in deals] for deals in HAS]
    kinds = {"id": text, "tags": pa.list_(pa.list_(pa.int32()))}
    parquet.write(tmp_path / "tags" / shard, {"id": IDS, "tags": tags}, types=kinds)
    pictures, songs = slice(0, PICTURES), slice(PICTURES, None)
    features(tmp_path, "keywords", pictures, HAS[pictures].astype(np.float32))
    features(tmp_path, "words", songs, HAS[songs].astype(np.float32))
    sequences = GENERATOR.standard_normal((SONGS, DEALS, 7, 3)).astype(np.float32)
    features(tmp_path, "sequences", songs, sequences, GENERATOR.integers(1, 8, (SONGS, DEALS)))
    features(tmp_path, "plain", pictures, GENERATOR.standard_normal((PICTURES, 4)).astype(np.float32))
    dealing.deal(
        Made(), None, samples=tmp_path / "samples", out=tmp_path / "divisions", summary=tmp_path / "divisions.json"
    )
    return tmp_path


def loaded(folder: Path, image: str = "keywords", lyrics: str = "words") -> Dataset:
    return load_folder(folder, views={"image": image, "lyrics": lyrics})


def test_items_have_one_view_and_the_tags_of_each_deal(folder: Path) -> None:
    found = loaded(folder, lyrics="sequences")
    assert found.ids.tolist() == IDS
    assert found.present["image"].tolist() == [True] * PICTURES + [False] * SONGS
    assert (found.present["lyrics"] == ~found.present["image"]).all()
    assert found.tags is not None
    assert found.tags.shape[:2] == (len(IDS), DEALS)
    assert {tag for tag in found.tags[3, 1] if tag >= 0} == set(np.flatnonzero(HAS[3, 1]))
    assert found.by_deal["image"].shape == (len(IDS), DEALS, TAGS)
    assert not found.by_deal["image"][PICTURES:].any()
    assert found.by_deal["lyrics"].shape == (len(IDS), DEALS, 7, 3)
    assert found.by_deal_lengths["lyrics"].shape == (len(IDS), DEALS)
    assert (found.lengths["lyrics"] == found.by_deal_lengths["lyrics"][:, 0]).all()
    assert found.groups is not None
    assert found.groups[2] == "group1"


def oracle(scores: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Score distinct scores by scikit-learn, and by hand."""
    asked = right.any(axis=1)
    scores, right = scores[asked], right[asked]
    order = np.take_along_axis(right, np.argsort(-scores, axis=1), axis=1)
    first = 1 + order.argmax(axis=1)
    precisions = [average_precision_score(own, row) for own, row in zip(right, scores, strict=True)]
    return {
        "map": float(np.mean(precisions)), "median_rank": float(np.median(first)),
        "recall_at_1": float(np.mean(first <= 1)), "mean_rank": float(first.mean()),
    }  # fmt: skip


def test_a_method_of_embeddings_is_scored_by_what_belongs_together(folder: Path) -> None:
    data = loaded(folder, image="plain", lyrics="sequences")
    result = evaluation.run(data, "cca", {"n_components": 2, "ridge": 0.1})
    assert result.embeddings == {}
    values = []
    for deal in range(DEALS):
        test = np.flatnonzero(np.array(data.deals)[:, deal] == "test")
        pictures, songs = test[test < PICTURES], test[test >= PICTURES]
        train = np.flatnonzero(np.array(data.deals)[:, deal] == "train")
        of = [train[train < PICTURES], train[train >= PICTURES]]
        pairs = np.argwhere((HAS[of[0], deal].astype(int) @ HAS[of[1], deal].T.astype(int)) > 0)
        lengths = data.by_deal_lengths["lyrics"][:, deal]
        real = np.arange(7) < lengths[:, None]
        means = (data.by_deal["lyrics"][:, deal] * real[..., None]).sum(axis=1) / np.maximum(lengths, 1)[:, None]
        from unisono import models

        model = models.create("cca", n_components=2, ridge=0.1)
        model.fit({"image": data.views["image"][of[0][pairs[:, 0]]], "lyrics": means[of[1][pairs[:, 1]]]})
        embedded = model.transform({"image": data.views["image"][pictures]})["image"].astype(float)
        others = model.transform({"lyrics": means[songs]})["lyrics"].astype(float)
        cosines = embedded @ others.T / np.linalg.norm(embedded, axis=1)[:, None] / np.linalg.norm(others, axis=1)
        values.append(oracle(cosines, (HAS[pictures, deal].astype(int) @ HAS[songs, deal].T.astype(int)) > 0))
    found = result.metrics["image->lyrics"]
    for name in values[0]:
        assert found[name] == pytest.approx(np.mean([each[name] for each in values]), abs=1e-6), name
    assert found["pool"] == 6
    assert found["relevant"] > 0
    assert 0 < found["chance"]["map"] < 1


def test_right_tags_are_found_first_and_queries_without_any_are_left_out(folder: Path) -> None:
    result = evaluation.run(loaded(folder), "overlap", {"rule": "sum"})
    for direction in ("image->lyrics", "lyrics->image"):
        found = result.metrics[direction]
        assert found["map"] == found["recall_at_1"] == found["median_rank"] == 1
        assert found["chance"]["map"] < 1
    kept = result.rankings
    test = list(range(0, len(IDS), 3))
    assert kept["query"] == [IDS[row] for row in test]
    assert kept["pool"][0] == 6
    last = kept["query"].index(IDS[-3])
    assert kept["right"][last][0]


def test_csls_lowers_the_scores_of_what_every_query_finds(folder: Path) -> None:
    data, params = loaded(folder, image="plain", lyrics="sequences"), {"n_components": 2, "ridge": 0.1}
    plain = evaluation.run(data, "cca", params)
    corrected = evaluation.run_settings([Setting("", data, params, ranking="csls")], "cca")
    assert (corrected.metrics["ranking"], "ranking" in plain.metrics) == ("csls", False)
    sides = []
    for result in (plain, corrected):
        of: dict[str, list[dict[str, float]]] = {"image->lyrics": [], "lyrics->image": []}
        for direction, ids, scores in zip(*(result.rankings[n] for n in ("direction", "found", "score")), strict=True):
            of[direction].append(dict(zip(ids, scores, strict=True)))
        sides.append(of)
    for direction in sides[0]:
        # All of the gallery is found, in an order of its own.
        cosines, found = (np.array([[row[name] for name in sorted(row)] for row in side[direction]]) for side in sides)
        np.testing.assert_allclose(found, metrics.csls(cosines), atol=1e-6)


def test_what_is_found_is_written_and_read_again(folder: Path, tmp_path: Path) -> None:
    result = evaluation.run(loaded(folder), "overlap", {"rule": "sum"})
    writing.write(result, tmp_path / "out" / "key")
    assert not (tmp_path / "out" / "key" / "embeddings.parquet").exists()
    found = rankings.read("key", {}, tmp_path / "out")
    assert set(found.found) == {"image->lyrics", "lyrics->image"}
    first = found.found["image->lyrics"][IDS[0]]
    assert first.right[0]
    assert first.rank == 1
    assert first.precision == 1
    assert found.pools == {"image->lyrics": 6, "lyrics->image": 8}
    content = json.loads((tmp_path / "out" / "key" / "metrics.json").read_text())
    assert content["n_folds"] == DEALS


def test_another_deals_tags_do_not_count(folder: Path) -> None:
    data = loaded(folder)
    assert data.tags is not None
    for deal, part in enumerate(evaluation.divide(data)):
        sides = [data.tags[part.test[data.present[view][part.test]], deal] for view in ("image", "lyrics")]
        right = relation.relevance(*sides).toarray()
        of = [part.test[part.test < PICTURES], part.test[part.test >= PICTURES]]
        expected = HAS[of[0], deal].astype(int) @ HAS[of[1], deal].T.astype(int) > 0
        assert (right == expected).all()


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ([[[0]]] * len(IDS), "features of tags are of 1 deals, the divisions hold 2"),
        ([[[-1], [0]]] * len(IDS), "tags of 'picture/00' are none of 2 deals"),
        ([[[0], [0]]] * (len(IDS) - 1) + [[[0]]], "are none of 2 deals"),
    ],
)
def test_damaged_tags_are_one_line(folder: Path, tags: list[Any], told: str) -> None:
    kinds = {"id": pa.string(), "tags": pa.list_(pa.list_(pa.int32()))}
    parquet.write(folder / "tags" / parquet.shard_name(0), {"id": IDS, "tags": tags}, types=kinds)
    with pytest.raises(DataError, match=told):
        load_folder(folder, views={"image": "plain", "lyrics": "words"})


def test_of_paired_rows_the_scores_of_a_method_count_that_scores_pairs_together(tmp_path: Path) -> None:
    """Popularity ranks every query alike: by cosine its embeddings, one number each, would all tie."""
    values = GENERATOR.permutation(12).astype(np.float32)[:, None] + 1
    views = {"a": GENERATOR.random((12, 1)).astype(np.float32), "b": values}
    ids, labels = np.array([f"item{row:02d}" for row in range(12)]), np.array(["x", "y", "z"] * 4)
    splits = np.array(["train"] * 2 + ["test"] * 10)
    data = Dataset("made", "made up", ids, views, labels=labels, splits=splits)
    result = evaluation.run(data, "popularity")
    found = result.metrics["a->b"]
    ranks = 1 + np.argsort(np.argsort(-values[2:, 0]))
    assert found["mean_rank"] == ranks.mean()
    assert found["recall_at_1"] == pytest.approx(1 / 10)
    same = labels[2:, None] == labels[2:]
    expected = [average_precision_score(its, values[2:, 0]) for its in same]
    assert found["map"] == pytest.approx(np.mean(expected))
    assert any("ranks by scores of pairs" in note for note in result.metrics["notes"])
    compared = comparison.run(data, {"popularity": {}, "random": {}}, out=tmp_path / "out")
    assert compared.methods == ["random"]
    assert "ranks by scores of pairs" in compared.skipped["popularity"]
