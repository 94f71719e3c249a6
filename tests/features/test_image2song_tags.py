"""Tags of pictures: the predictor's formula, folds, calibration, the sets, their table, and what nothing leaks into."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.datasets.image2song import THINGS
from tests.features.image2song_made import N_THINGS, PER_THING, build, extract, parts, picture, rows, section
from unisono.errors import DataError
from unisono.features.image2song import deals, predictor, tagging
from unisono.io import parquet


def features(n: int, width: int, rows_of_one: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 4, (n, rows_of_one, width)).astype(np.float32)


@pytest.mark.parametrize("regions", ["none", "joined", "max"])
@pytest.mark.parametrize("n", [12, 60])
def test_the_predictor_is_ridge_regression(regions: str, n: int) -> None:
    """With fewer pictures than features and with more."""
    seen, has = features(n, 10), np.random.default_rng(1).random((n, 4)) < 0.3
    learnt = predictor.fit(seen, has, vocabulary=list("abcd"), regions=regions, ridge=0.3)
    x = np.sqrt((seen.reshape(n, -1) if regions == "joined" else seen[:, 0]).astype(np.float64))
    centred, wanted = x - x.mean(axis=0), has - has.mean(axis=0)
    strength = 0.3 * (centred**2).sum() / n
    weights = np.linalg.solve(centred.T @ centred + strength * np.eye(x.shape[1]), centred.T @ wanted)
    np.testing.assert_allclose(learnt.weights, weights, rtol=1e-5, atol=1e-5)
    new = features(5, 10, seed=2)
    views = (
        [new.reshape(5, -1)] if regions == "joined" else [new[:, part] for part in range(3 if regions == "max" else 1)]
    )
    scores = np.max([(np.sqrt(view) - x.mean(axis=0)) @ weights + has.mean(axis=0) for view in views], axis=0)
    np.testing.assert_allclose(learnt.scores(new), scores, rtol=1e-4, atol=1e-5)


def test_pictures_that_are_all_alike_and_a_single_tag() -> None:
    same = np.ones((4, 1, 3), np.float32)
    has = np.array([[True], [False], [True], [True]])
    learnt = predictor.fit(same, has, vocabulary=["a"], regions="none")
    np.testing.assert_allclose(learnt.scores(same), 0.75)
    assert tagging.kept(learnt.scores(same), 10).shape == (4, 1)
    measured = tagging.measure(learnt.scores(same), has, ["a"])
    assert measured.values["top_1"] == measured.values["top_5"] == 1


def test_calibration_finds_the_chances() -> None:
    generator = np.random.default_rng(0)
    scores = generator.normal(0, 1, (4000, 5))
    has = generator.random(scores.shape) < predictor.sigmoid(2 * scores - 1)
    slope, intercept = predictor.calibrate(scores, has)
    assert slope == pytest.approx(2, abs=0.15)
    assert intercept == pytest.approx(-1, abs=0.1)
    from sklearn.linear_model import LogisticRegression

    peer = LogisticRegression(C=1e9, tol=1e-9, max_iter=1000).fit(scores.reshape(-1, 1), has.ravel())
    assert slope == pytest.approx(float(peer.coef_[0, 0]), abs=5e-3), "Platt's targets differ by the counts alone"


@pytest.mark.parametrize("has", [True, False])
def test_calibration_without_an_alternative(has: bool) -> None:
    slope, intercept = predictor.calibrate(np.linspace(0, 1, 20).reshape(5, 4), np.full((5, 4), has))
    assert np.isfinite([slope, intercept]).all()
    chances = predictor.sigmoid(slope * np.array([0.0, 1.0]) + intercept)
    assert ((chances > 0) & (chances < 1)).all()


def test_calibration_never_turns_the_order_round() -> None:
    scores = np.linspace(0, 1, 100).reshape(20, 5)
    slope, _ = predictor.calibrate(scores, scores < 0.3)
    assert slope == 0


def test_folds_are_of_groups() -> None:
    groups = [f"g{number // 2}" for number in range(20)]
    inside = np.arange(20) < 16
    found = tagging.folds(groups, inside, n=4, seed=[0, 0])
    assert (found[16:] == -1).all()
    assert sorted(np.bincount(found[:16])) == [4, 4, 4, 4]
    assert all(found[place] == found[place + 1] for place in range(0, 16, 2))
    assert tagging.folds(["a", "b"], np.ones(2, bool), n=4, seed=[0]).max() == 1


def test_what_is_measured() -> None:
    weights = np.array([[0.9, 0.1, 0.2], [0.3, 0.8, 0.1], [0.5, 0.4, 0.1]])
    has = np.array([[True, False, True], [True, False, False], [False, False, False]])
    measured = tagging.measure(weights, has, list("abc"))
    assert measured.values["top_1"] == 0.5
    assert measured.values["top_5"] == 1
    assert measured.by_tag == {"a": 1.0, "c": 1.0}
    assert np.isnan(tagging.measure(weights[:0], has[:0], list("abc")).values["map"])


def train(folder: Path, **changes: Any) -> str:
    return tagging.train(
        folder / "samples", folder / "divisions", folder / "tags", folder / "pictures", folder / "models",
        folder / "features", folder / "table.csv", folder / "by_tag.csv",
        settings=section(features__tags__set="pixels", **changes).features.tags,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    built = build(tmp_path)
    extract(built)
    return built


def test_sets_and_table(folder: Path) -> None:
    assert "pixels alone" in train(folder)
    n, vocabulary = N_THINGS * PER_THING, parquet.metadata(folder / "tags")["keyword_vocabulary"]
    width = max(map(len, vocabulary))
    sets = {}
    for name in ("tags", "true_tags", "probabilities"):
        table = parquet.read(folder / "features" / name)
        sets[name] = parquet.to_numpy(table[name])
        assert sets[name].shape == (n, 2, width)
        assert (sets[name] >= 0).all()
        assert (sets[name] <= 1).all()
        facts = parquet.metadata(folder / "features" / name)
        assert facts["per_deal"] is True
        assert facts["source"] == "made"
        assert facts["vocabulary"] == vocabulary
    assert (np.count_nonzero(sets["tags"], axis=2) <= 2).all(), "top_tags"
    first = [vocabulary[0][tag] for tag in np.flatnonzero(sets["true_tags"][0, 0])]
    assert first == [word for word in vocabulary[0] if word in rows()[0]["words"]]
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        lines = {line["predictor"]: line for line in csv.DictReader(file)}
    assert list(lines) == ["pixels", "prior"]
    assert float(lines["pixels"]["top_1"]) > float(lines["prior"]["top_1"])
    assert float(lines["pixels"]["map"]) > float(lines["prior"]["map"])
    assert lines["pixels"]["source"] == "made"
    with (folder / "by_tag.csv").open(encoding="utf-8", newline="") as file:
        assert {line["tag"] for line in csv.DictReader(file)} <= {*THINGS, "thing"}


def test_training_pictures_get_predictions_that_have_not_seen_them(folder: Path) -> None:
    """A picture whose keywords are another's changes what is learnt, and not what it gets itself beyond its fold."""
    train(folder)
    learnt = predictor.load(folder / "models" / "pixels" / "deal0" / deals.FILE)
    table = parquet.read(folder / "pictures" / "pixels")
    seen = parquet.to_numpy(table["parts"])
    dealt = np.array([part[0] for part in parts(rows())])[: len(seen)]
    scores = learnt.probabilities(learnt.scores(seen))
    found = parquet.to_numpy(parquet.read(folder / "features" / "probabilities")["probabilities"])[:, 0]
    np.testing.assert_allclose(found[dealt == "test", : scores.shape[1]], scores[dealt == "test"], rtol=1e-5)
    assert np.abs(found[dealt == "train", : scores.shape[1]] - scores[dealt == "train"]).max() > 0.01


def models(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted((folder / "models").rglob("*.safetensors"))
    }


def test_nothing_of_the_test_part_reaches_a_model(tmp_path: Path) -> None:
    """Pictures and keywords of what both deals test on are others: not a byte of a model is."""
    samples = rows()
    tested = [place for place, part in enumerate(parts(samples)) if part == ["test", "test"]]
    assert any(samples[place]["part"] == "image" for place in tested)
    made = []
    for change in (False, True):
        for place in tested if change else ():
            row = samples[place]
            if row["part"] == "image":
                row |= {"image": (picture(9, place), "x.png"), "words": ["thing", THINGS[3]]}
            else:
                row |= {"words": [*row["words"][::-1], "unheard"]}
        own = build(tmp_path / str(change), samples)
        extract(own)
        train(own)
        made.append(models(own))
    assert len(made[0]) == 2
    assert made[0] == made[1]


def test_models_come_back_as_they_went(folder: Path) -> None:
    train(folder)
    before = models(folder)
    path = folder / "models" / "pixels" / "deal1" / deals.FILE
    learnt = predictor.load(path)
    learnt.save(folder / "again.safetensors")
    assert (folder / "again.safetensors").read_bytes() == path.read_bytes()
    train(folder)
    assert models(folder) == before


@pytest.mark.parametrize("harm", ["cut", "other", "shape", "nan"])
def test_a_damaged_model(folder: Path, harm: str) -> None:
    train(folder)
    path = folder / "models" / "pixels" / "deal0" / deals.FILE
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif harm == "other":
        save_file({"x": np.zeros(3)}, path)
    else:
        learnt = predictor.load(path)
        changed = np.full_like(learnt.mean, np.nan) if harm == "nan" else learnt.mean[1:]
        predictor.Predictor(
            learnt.vocabulary, learnt.regions, learnt.shape, changed, learnt.weights, learnt.prior
        ).save(path)
    with pytest.raises(DataError, match="run the stage train_tags"):
        predictor.load(path)


def test_all_training_pictures_one_group(tmp_path: Path) -> None:
    samples = [row | {"group": "one"} if row["part"] == "image" else row for row in rows()]
    own = build(tmp_path, samples)
    extract(own)
    with pytest.raises(DataError, match=r"deal 0: the 16 training pictures with a tag are one group.*add pictures"):
        train(own)


def test_a_set_that_was_not_extracted(folder: Path) -> None:
    settings = section().features.tags
    with pytest.raises(
        DataError, match=r"has no efficientnet_lite0; run extract_pictures, or set .*tags.set to one of pixels"
    ):
        tagging.train(
            folder / "samples", folder / "divisions", folder / "tags", folder / "pictures", folder / "models",
            folder / "features", folder / "table.csv", settings=settings,
        )  # fmt: skip


def test_a_vocabulary_without_a_word(tmp_path: Path) -> None:
    """Own pictures that pair by song may have no keywords."""
    samples = [row | {"pair": f"s{place % 5}", "words": row["words"] if row["part"] == "lyrics" else []}
               for place, row in enumerate(rows())]  # fmt: skip
    own = build(tmp_path, samples)
    extract(own)
    with pytest.raises(DataError, match=r"deal 0 has no word that is a tag; give pictures keywords"):
        train(own)
