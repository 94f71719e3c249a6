"""The rule of 3.1.1, the vocabulary, 8-bit numbers, the random model, the download plan and the filter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from unisono.datasets.mv10k import filtering, quantisation, rules, simulated, youtube8m
from unisono.errors import DataError
from unisono.io import sequence_example


def rule(kind: str = "only_label", **verticals: tuple[str, ...]) -> rules.Rule:
    named = {int(label[1:]): names for label, names in verticals.items()}
    return rules.Rule(kind, 213, 219, named)  # type: ignore[arg-type]


def test_only_label() -> None:
    judge = rule()
    assert judge.labels([14], where="v") == ""
    assert judge.labels([14, 14], where="v") == ""
    assert judge.labels([14, 4], where="v") == "other_labels"
    assert judge.labels([4], where="v") == judge.labels([], where="v") == "no_music_video"


def test_no_other_vertical_on_the_real_vocabulary() -> None:
    """Its first 21 labels (YouTube-8M, CC BY 4.0), without the columns that are not read."""
    text = (Path(__file__).parent / "vocabulary.csv").read_text(encoding="utf-8")
    verticals = rules.read_vocabulary(text, name="vocabulary.csv")
    assert len(verticals) == 21
    judge = rules.Rule("no_other_vertical", 213, 219, verticals)
    assert judge.labels([14, 3, 4, 8, 9], where="v") == ""  # concert, musician, dance, guitar
    assert judge.labels([14, 0], where="v") == "other_labels"  # a game
    assert judge.labels([0], where="v") == "no_music_video"
    with pytest.raises(DataError, match=r"v: label 21 is not in the vocabulary"):
        judge.labels([14, 21], where="v")
    facts = {label: tuple(names) for label, names in simulated.VERTICALS.items()}
    assert facts == {label: verticals[label] for label in facts}


def test_a_second_vertical_counts() -> None:
    judge = rule("no_other_vertical", _14=("Arts",), _5=("Arts", "Games"), _6=("Arts",), _7=())
    assert judge.labels([14, 6, 7], where="v") == ""
    assert judge.labels([14, 5], where="v") == "other_labels"


def test_lengths() -> None:
    assert [rule().length(n) for n in (212, 213, 219, 220)] == ["too_short", "", "", "too_long"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has no column 'Index'"),
        ("Index,Name,Vertical1,Vertical2,Vertical3\nx,A,B,,\n", "line 2: Index is 'x'"),
        ("Index,Name,Vertical1,Vertical2,Vertical3\n14,Music video,B,,\n14,C,B,,\n", "Index 14 occurs twice"),
        ("Index,Name,Vertical1,Vertical2,Vertical3\n14,Cooking,B,,\n", "label 14 is 'Cooking'"),
    ],
)
def test_damaged_vocabularies(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        rules.read_vocabulary(text, name="vocabulary.csv")


def test_dequantisation_is_the_published_one() -> None:
    """utils.py: scalar = 4/255, bias = 4/512 - 2."""
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(quantisation.dequantise(every), every * (4 / 255) + 4 / 512 - 2, atol=1e-6)
    np.testing.assert_array_equal(quantisation.quantise(quantisation.dequantise(every) - 4 / 512), every)
    np.testing.assert_array_equal(quantisation.quantise(np.array([-9, -2, 0.01, 2, 9])), [0, 0, 128, 255, 255])


@pytest.fixture(scope="module")
def world() -> simulated.World:
    return simulated.World(0, min_frames=213, max_frames=219)


def test_a_simulated_video_depends_on_its_number_alone(world: simulated.World) -> None:
    again = simulated.World(0, min_frames=213, max_frames=219).video(7)
    video = world.video(7)
    assert (video.id, video.mood, video.labels) == ("v000007", simulated.MOODS[7], (14,))
    assert simulated.mood_of(video.id) == video.mood
    np.testing.assert_array_equal(video.rgb, again.rgb)
    assert not np.array_equal(video.audio, world.tagged(7).audio)
    assert video.audio.shape == (len(video.rgb), 128)
    assert video.rgb.shape == (len(video.rgb), 1024)
    assert 0 < video.salience.min() < video.salience.max() < 1


def test_figures_of_the_model(world: simulated.World) -> None:
    np.testing.assert_allclose(np.linalg.norm(world.centres, axis=1), 6)
    rng = np.random.default_rng(0)
    drift = simulated._drift(rng, 20_000)
    assert abs(drift.std() - 0.5) < 0.02
    assert abs(np.corrcoef(drift[:-1, 0], drift[1:, 0])[0, 1] - 0.9) < 0.02
    assert 0.42 < np.mean([simulated._salience(rng, 216).mean() for _ in range(300)]) < 0.58


def test_sound_carries_the_mood_where_it_is_salient(world: simulated.World) -> None:
    """Frames of high salience lie nearer to their mood's centre than frames of low salience."""
    scores: dict[bool, list[bool]] = {True: [], False: []}
    centres = world.centres @ world.to_audio
    for index in range(40):
        video = world.video(index)
        frames = quantisation.dequantise(video.audio)
        for salient in (True, False):
            chosen = video.salience > 0.6 if salient else video.salience < 0.35
            if chosen.any():
                nearest = (frames[chosen].mean(0) @ centres.T).argmax()
                scores[salient].append(simulated.MOODS[nearest] == video.mood)
    assert np.mean(scores[True]) > np.mean(scores[False]) + 0.1


def test_simulated_failures_fail_their_rule_and_no_other(world: simulated.World) -> None:
    for kind in ("only_label", "no_other_vertical"):
        judge = rules.Rule(kind, 213, 219, simulated.VERTICALS)  # type: ignore[arg-type]
        for failure in ("", *simulated.FAILURES):
            records = (world.video(index, failure=failure).encode() for index in range(4))
            accepted, counts = filtering.accept(records, judge, name="a")
            assert counts == {"seen": 4, failure or "accepted": 4}
            assert len(accepted) == (0 if failure else 4)


def test_plan_holds_every_video_once() -> None:
    plan = simulated.plan(30, 8, seed=0)
    assert sorted(index for index, _ in plan) == list(range(38))
    assert sorted(failure for index, failure in plan if index >= 30) == sorted(simulated.FAILURES * 2)
    assert plan != simulated.plan(30, 8, seed=1)


def record(identifier: str, n: int, *, labels: tuple[int, ...] = (14,), audio: int | None = None) -> bytes:
    frames = {"rgb": np.zeros((n, 1024), np.uint8), "audio": np.ones((n if audio is None else audio, 128), np.uint8)}
    return sequence_example.encode(identifier, labels, frames)


def test_the_filter_keeps_the_first_of_one_id() -> None:
    accepted, counts = filtering.accept([record("a", 213), record("b", 219), record("a", 214)], rule(), name="s")
    assert [(video.id, len(video.rgb)) for video in accepted] == [("a", 213), ("b", 219)]
    assert counts == {"seen": 3, "accepted": 2, "duplicate_id": 1}


def test_frames_of_rejected_videos_are_not_decoded() -> None:
    """A damaged picture counts only in a video whose labels pass."""
    broken = sequence_example.encode("x", (3,), {"rgb": np.zeros((5, 7), np.uint8)})
    assert filtering.accept([broken], rule(), name="s")[1] == {"seen": 1, "no_music_video": 1}
    broken = sequence_example.encode("x", (14,), {"rgb": np.zeros((5, 7), np.uint8)})
    with pytest.raises(DataError, match=r"s: record 0 \(id 'x'\): frame 0 of 'rgb' is 7 bytes wide"):
        filtering.accept([broken], rule(), name="s")


def test_sound_and_picture_of_one_length() -> None:
    with pytest.raises(DataError, match=r"id 'a'\): 200 frames of audio but 213 of rgb"):
        filtering.accept([record("a", 213, audio=200)], rule(), name="s")


def test_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"files": {"trainzz.tfrecord": "0" * 32, "trainaa.tfrecord": "f" * 32}}))
    shards = youtube8m.read_plan(path, partition="train", mirrors=["http://us/{partition}/{name}", "/data/{name}"])
    assert [shard.name for shard in shards] == ["trainaa.tfrecord", "trainzz.tfrecord"]
    assert shards[0].locations == ("http://us/train/trainaa.tfrecord", "/data/trainaa.tfrecord")
    assert shards[0].md5 == "f" * 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a download plan"),
        ("<html>not found</html>", "not a download plan"),
        ('{"files": []}', "not a download plan"),
        ('{"files": {}}', "names no shard"),
        ('{"files": {"../../etc/passwd": "%s"}}' % ("0" * 32), "is not the name of a shard"),
        ('{"files": {"a.tfrecord": "xyz"}}', "'xyz' is not an MD5"),
        ('{"files": {"a.tfrecord": 7}}', "7 is not an MD5"),
    ],
)
def test_damaged_plans(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        youtube8m.read_plan(path, partition="train", mirrors=["x"])
