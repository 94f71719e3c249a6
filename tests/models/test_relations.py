"""Relations of rows that need not pair, and scores: what `fit` and `score` make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from unisono import metrics, models
from unisono.errors import DataError
from unisono.models.base import Items, Lengths, Views
from unisono.models.parts import relations
from unisono.models.parts.relational import RelationalAligner

GENERATOR = np.random.default_rng(0)
IMAGE, LYRICS = GENERATOR.standard_normal((12, 4)), GENERATOR.standard_normal((9, 5))
RELEVANT = GENERATOR.random((12, 9)) < 0.4
RELEVANT[3] = False


class Counting(RelationalAligner):
    """Keeps what it gets, and scores by the sum of two first columns."""

    def _fit_relation(self, views: Views, relevance: Any, lengths: Lengths, checkpoint: Any) -> None:
        self.seen = views
        self.arrays_ = {"relevance": relevance.toarray()}

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return array[:, :1]

    def _score(self, queries: Items, gallery: Items) -> np.ndarray:
        return queries.array[:, :1] + gallery.array[:, 0]


def test_rows_of_a_relation_are_pairs_for_methods_of_pairs() -> None:
    model = models.create("cca", n_components=2, ridge=0.1).fit({"lyrics": LYRICS, "image": IMAGE}, relevance=RELEVANT)
    rows, columns = np.nonzero(RELEVANT)
    by_hand = models.create("cca", n_components=2, ridge=0.1).fit({"image": IMAGE[rows], "lyrics": LYRICS[columns]})
    for key, array in by_hand.arrays_.items():
        np.testing.assert_array_equal(model.arrays_[key], array)


def test_lengths_and_frames_go_with_their_rows() -> None:
    frames, lengths = GENERATOR.standard_normal((9, 3, 5)), np.array([1, 2, 3] * 3)
    params = {"n_components": 2, "layers": {"other": [4, 4, 4]}, "outputs": 4, "epochs": 1, "batch": 12}
    rows, columns = np.nonzero(RELEVANT)
    model = models.create("dcca", **{k: v for k, v in params.items() if k != "outputs"})
    model.progress = False
    model.fit({"image": IMAGE, "lyrics": frames}, relevance=RELEVANT, lengths={"lyrics": lengths})
    by_hand = models.create("dcca", **model.params)
    by_hand.progress = False
    by_hand.fit({"image": IMAGE[rows], "lyrics": frames[columns]}, lengths={"lyrics": lengths[columns]})
    for key, array in by_hand.arrays_.items():
        np.testing.assert_allclose(model.arrays_[key], array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.coo_array, sparse.csc_matrix, np.ndarray.tolist])
@pytest.mark.parametrize("dtype", [bool, int, float])
def test_a_relation_may_be_any_matrix(kind: Any, dtype: type) -> None:
    model = Counting().fit({"lyrics": LYRICS, "image": IMAGE}, relevance=kind(RELEVANT.astype(dtype)))
    np.testing.assert_array_equal(model.arrays_["relevance"], RELEVANT)
    assert model.seen["image"].shape == IMAGE.shape


def test_a_stored_zero_and_a_pair_given_twice_count_as_they_should() -> None:
    given = sparse.csr_array((np.array([1, 1, 0]), (np.array([0, 0, 1]), np.array([2, 2, 1]))), shape=(12, 9))
    found = Counting().fit({"image": IMAGE, "lyrics": LYRICS}, relevance=given).arrays_["relevance"]
    assert np.argwhere(found).tolist() == [[0, 2]]
    assert found.dtype == bool


def test_what_learns_nothing_takes_the_rows_as_they_are() -> None:
    model = models.create("identity").fit({"image": IMAGE, "lyrics": LYRICS[:, :4]}, relevance=RELEVANT)
    scores = model.score({"image": IMAGE}, {"lyrics": LYRICS[:, :4]})
    cosines = metrics.similarities(IMAGE.astype(np.float32), LYRICS[:, :4].astype(np.float32))
    np.testing.assert_array_equal(scores, cosines)
    assert not model.scores_jointly()


def test_paired_rows_are_a_relation_by_class_or_by_row() -> None:
    labels = np.array(["dog", "cat", "dog"])
    views = {"image": IMAGE[:3], "lyrics": LYRICS[:3]}
    np.testing.assert_array_equal(Counting().fit(views, labels).arrays_["relevance"], labels[:, None] == labels)
    np.testing.assert_array_equal(Counting().fit(views).arrays_["relevance"], np.eye(3, dtype=bool))


def test_a_score_of_pairs_is_of_checked_rows() -> None:
    model = Counting(standardise="columns").fit({"image": IMAGE, "lyrics": LYRICS}, relevance=RELEVANT)
    assert model.scores_jointly()
    frames = np.stack([LYRICS, LYRICS + 2, np.full_like(LYRICS, 99)], axis=1)
    counts = {"lyrics": np.full(9, 2)}
    scores = model.score({"image": IMAGE}, {"lyrics": frames}, gallery_lengths=counts)
    a, b = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (IMAGE, LYRICS))
    np.testing.assert_allclose(scores, a[:, :1] + b[:, 0] + 1 / LYRICS[:, 0].std(), rtol=1e-6)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(model.score({"lyrics": frames}, {"image": IMAGE}, lengths=counts), scores.T)
    with pytest.raises(DataError, match=r"queries: got 2 views \(image, lyrics\), expected one"):
        model.score({"image": IMAGE, "lyrics": IMAGE}, {"lyrics": LYRICS})
    with pytest.raises(DataError, match=r"gallery: got 0 views, expected one"):
        model.score({"image": IMAGE}, {})
    with pytest.raises(DataError, match="view 'lyric' was not fitted; did you mean 'lyrics'"):
        model.score({"image": IMAGE}, {"lyric": LYRICS})
    with pytest.raises(DataError, match="not fitted"):
        Counting().score({"image": IMAGE}, {"lyrics": LYRICS})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"relevance": RELEVANT.T},
            r"relevance has shape \(9, 12\), expected \(12, 9\): a row for each of view 'im",
        ),
        ({"relevance": np.zeros((12, 9))}, "no row of view 'image' is relevant to one of 'lyrics'"),
        ({"relevance": np.where(RELEVANT, 1.0, np.nan)}, "relevance holds float64 or NaN, expected true or false"),
        ({"relevance": RELEVANT.astype(str)}, "relevance holds <U5 or NaN"),
        ({"relevance": RELEVANT, "labels": np.arange(12)}, "got labels and relevance"),
        ({}, "rows of the views do not pair: 'image' 12, 'lyrics' 9"),
    ],
)
def test_bad_relations_are_errors_of_one_line(change: dict[str, Any], words: str) -> None:
    for model in (Counting(), models.create("cca", n_components=2)):
        with pytest.raises(DataError, match=words) as caught:
            model.fit({"image": IMAGE, "lyrics": LYRICS}, **change)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="learns from labels, and there are none"):
        models.create("c_cca").fit({"image": IMAGE, "lyrics": LYRICS}, relevance=RELEVANT)
    with pytest.raises(DataError, match=r"relevance is of two views, got 3 \(audio, image, lyrics\)"):
        models.create("gcca").fit({"image": IMAGE, "lyrics": LYRICS, "audio": IMAGE}, relevance=RELEVANT)
    one = np.zeros((12, 9), dtype=bool)
    one[3, 4] = True
    with pytest.raises(DataError, match="got 1 training rows; at least two"):
        models.create("cca").fit({"image": IMAGE, "lyrics": LYRICS}, relevance=one)


def test_of_very_many_pairs_some_are_drawn_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "MOST_PAIRS", 20)
    n_pairs = RELEVANT.sum()
    with pytest.warns(UserWarning, match=f"cca: learns from 20 of {n_pairs} relevant pairs, drawn by the seed") as said:
        drawn = relations.pairs_of("cca", sparse.csr_array(RELEVANT), seed=1)
    assert len(said) == 1
    assert len({*zip(*drawn, strict=True)}) == 20
    assert RELEVANT[drawn].all()
