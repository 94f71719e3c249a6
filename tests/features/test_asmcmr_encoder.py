"""Where the encoder comes from: a seed, the authors, or training."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from unisono.config.compute import Compute
from unisono.config.mtm import ASMCMR
from unisono.errors import ConfigError, DownloadError
from unisono.features import asmcmr
from unisono.features.asmcmr import encoder as asmcmr_encoder
from unisono.features.asmcmr import pairs as asmcmr_pairs
from unisono.features.asmcmr import training as asmcmr_training
from unisono.features.asmcmr.pairs import Pairs


def _params(**changes: object) -> ASMCMR:
    return ASMCMR.model_validate(
        {
            "weights": "untrained",
            "location": "",
            "sha256": "",
            "snippets": 2,
            "steps": 2,
            "batch_size": 4,
            "learning_rate": 0.002,
            "margin": 0.7,
            "seed": 5,
            **changes,
        }
    )


def _make(root: Path, **changes: object) -> asmcmr.Encoder:
    return asmcmr_encoder.make(
        root / "samples",
        root / "divisions",
        root / "audio",
        root / "engraved",
        params=_params(**changes),
        compute=Compute(scratch=root / "scratch", device="cpu"),
    )


def test_untrained_needs_no_data(tmp_path: Path) -> None:
    encoder = _make(tmp_path)
    assert encoder.metadata == {"weights": "untrained", "seed": 5}


def test_pretrained_is_checked_and_converted(tmp_path: Path) -> None:
    arrays = list(asmcmr.untrained(3).arrays.values())
    content = pickle.dumps([*arrays, *[np.eye(32, dtype=np.float32)] * 3], protocol=2)
    path, digest = tmp_path / "published.pkl", hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    encoder = _make(tmp_path, weights="pretrained", location=str(path), sha256=digest)
    assert encoder.metadata["weights"] == "pretrained"
    assert all(np.array_equal(read, array) for read, array in zip(encoder.arrays.values(), arrays, strict=True))
    encoder.save(tmp_path / "x.safetensors")
    assert asmcmr.Encoder.load(tmp_path / "x.safetensors").metadata == encoder.metadata
    with pytest.raises(DownloadError):
        _make(tmp_path, weights="pretrained", location=str(path), sha256="0" * 64)


def test_trained_says_how_and_leaves_no_unfinished_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = np.array([60.0, 250.0])
    rng = np.random.default_rng(0)
    pairs = Pairs(
        [[rng.integers(0, 256, (160, 260), dtype=np.uint8)] for _ in range(5)],
        [[line]] * 5,
        [rng.random((92, 60), dtype=np.float32) for _ in range(5)],
        [line / 5] * 5,
    )
    monkeypatch.setattr(asmcmr_pairs, "read_pairs", lambda *_, **__: pairs)
    monkeypatch.setattr(asmcmr_encoder.parquet, "metadata", lambda _: {"dataset": "mtm", "source": "lmd", "x": 1})
    monkeypatch.setattr(asmcmr_training, "CHECKPOINT_STEPS", 1)
    encoder = _make(tmp_path, weights="trained")
    facts = dict(encoder.metadata)
    assert len(facts.pop("loss")) == 2
    assert facts == {
        "weights": "trained",
        "dataset": "mtm",
        "source": "lmd",
        "steps": 2,
        "batch_size": 4,
        "learning_rate": 0.002,
        "margin": 0.7,
        "seed": 5,
        "n_samples": 5,
    }
    assert not list((tmp_path / "scratch").glob("*.pt"))
    # No batch holds a sample twice, and no sample is gone through too often.
    monkeypatch.setattr(asmcmr_training, "MAX_PASSES", 1)
    facts = dict(_make(tmp_path, weights="trained", batch_size=50).metadata)
    assert (facts["steps"], facts["batch_size"]) == (1, 5)
    assert facts["adapted"] == (
        "mtm.features.asmcmr: 1 steps of 5 pairs in place of 2 of 50, since there are 5 training samples"
    )


@pytest.mark.parametrize(
    ("n_samples", "expected"), [(630, (120, 50)), (120, (120, 50)), (119, (119, 50)), (50, (50, 50)), (2, (50, 2))]
)
def test_training_is_adapted_to_few_samples_alone(n_samples: int, expected: tuple[int, int]) -> None:
    *found, adapted = asmcmr_training.schedule(n_samples, steps=120, batch_size=50)
    assert tuple(found) == expected
    assert bool(adapted) is (expected != (120, 50))


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert asmcmr_encoder.training_device("auto") == "cpu"
    assert asmcmr_encoder.training_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match=r"compute\.device: 'cuda:1' is not there"):
        asmcmr_encoder.training_device("cuda:1")
