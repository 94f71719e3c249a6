"""The default source's plan: nothing of a tested clip is seen or heard in training."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unisono.config.vegas import Vegas
from unisono.datasets.vegas import digits
from unisono.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
VOICES = [f"v{i}" for i in range(84)]


def settings(**changes: Any) -> Vegas:
    vegas = Vegas.load(ROOT / "params.yaml")
    source = vegas.clips.digits.model_copy(update=changes)
    clips = vegas.clips.model_copy(update={"digits": source})
    return vegas.model_copy(update={"clips": clips})


@pytest.fixture(scope="module")
def numbers() -> np.ndarray:
    return digits.load_images()[1]


def test_the_default_has_forty_of_each_in_five_even_groups(numbers: np.ndarray) -> None:
    plan = digits.plan(settings(), numbers, VOICES)
    inside = [clip for clip in plan.clips if clip.group != digits.OUTSIDE]
    assert Counter(clip.label for clip in inside) == dict.fromkeys(digits.WORDS, 40)
    assert Counter((clip.label, clip.group) for clip in inside) == {(w, f): 8 for w in digits.WORDS for f in range(5)}
    assert Counter(clip.label for clip in plan.clips[len(inside) :]) == dict.fromkeys(digits.WORDS, 20)
    assert all(digits.WORDS[numbers[clip.image]] == clip.label for clip in plan.clips)


def test_groups_share_neither_images_nor_voices(numbers: np.ndarray) -> None:
    plan = digits.plan(settings(), numbers, VOICES)
    assert len({clip.id for clip in plan.clips}) == len({clip.image for clip in plan.clips}) == len(plan.clips)
    for parts in (plan.images, plan.variants):
        assert set(parts) == {digits.OUTSIDE, *range(5)}
        everything = [item for part in parts.values() for item in part]
        assert len(set(everything)) == len(everything)
    assert sorted(voice for part in plan.variants.values() for voice in part) == sorted(VOICES)
    for clip in plan.clips:
        assert clip.image in plan.images[clip.group]


def test_all_images_can_be_used_and_no_two_are_the_same(numbers: np.ndarray) -> None:
    plan = digits.plan(settings(clips_per_class=1000, outside_per_class=0), numbers, VOICES)
    assert len(plan.clips) == 1797
    assert digits.OUTSIDE not in plan.variants
    images = digits.load_images()[0]
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == 1797


def test_the_seed_decides(numbers: np.ndarray) -> None:
    first, again, other = (digits.plan(settings(seed=seed), numbers, VOICES) for seed in (0, 0, 1))
    assert first == again
    assert first.clips != other.clips
    assert digits.plan(settings(), numbers, VOICES[::-1]) == first


def test_counts_that_do_not_fit_are_refused(numbers: np.ndarray) -> None:
    with pytest.raises(ConfigError, match=r"4 clips of .zero. for groups = 5"):
        digits.plan(settings(clips_per_class=4), numbers, VOICES)
    with pytest.raises(ConfigError, match="0 clips of 'zero'"):
        digits.plan(settings(outside_per_class=500), numbers, VOICES)
    with pytest.raises(ConfigError, match="5 groups and 5 voices"):
        digits.plan(settings(), numbers, VOICES[:5])
