"""A small set of features that stays the same, and the numbers of every method on it.

300 items of ten classes in three folds: a handwritten digit of scikit-learn (its 64 pixels; CC BY 4.0) and the same
digit spoken by espeak-ng (the log-mel spectrogram, averaged over each fifth of the word). No training of features
lies between these numbers and a method, so that a number that moves is the method's.

    python -m tests.ci.small numbers    # after a change of a method that is meant
    python -m tests.ci.small show cca   # print them
    python -m tests.ci.small features   # never, unless the numbers are to be made anew as well
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from unisono import arithmetic

FEATURES = Path(__file__).with_name("features.parquet")
NUMBERS = Path(__file__).with_name("numbers.json")
PARAMS = Path(__file__).parents[2] / "params.yaml"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
N_ITEMS, N_FOLDS, N_FIFTHS = 300, 3, 5

#: Hyper-parameters on so few items, by method, beside those of params.yaml: the dissertation's, not the defaults.
CLOSED_FORMS: dict[str, dict[str, Any]] = {
    "cca": {"ridge": 1.0}, "c_cca": {}, "kcca": {}, "c_kcca": {}, "gcca": {}, "multi_view": {},
    "scm": {}, "semantic_matching": {}, "posterior": {"landmarks": 100},
}  # fmt: skip
NETWORKS: dict[str, dict[str, Any]] = {
    name: {"epochs": 3, "min_steps": 0}
    for name in (
        "dcca",
        "c_dcca",
        "s_dcca",
        "tnn",
        "tnn_c_cca",
        "acmr",
        "ucal",
        "agah",
        "ugach",
        "supcon",
        "dscmr",
        "clip",
    )
}


def numbers(method: str) -> dict[str, float]:
    """Compute the MAP of a method in each direction, the mean over the folds."""
    from unisono import evaluation
    from unisono.config import section
    from unisono.config.compute import Compute
    from unisono.datasets.user import load_features

    params = section("models", PARAMS)[method] | (CLOSED_FORMS | NETWORKS)[method]
    result = evaluation.run(load_features(FEATURES), method, params, compute=Compute(executor="serial", device="cpu"))
    return {direction: scores["map"] for direction, scores in result.metrics.items() if "->" in direction}


def make_features() -> None:
    """Write the features."""
    import numpy as np
    import pyarrow as pa
    from sklearn.datasets import load_digits

    from unisono.features import logmel
    from unisono.io import parquet
    from unisono.media import speech

    generator = np.random.default_rng(0)
    pixels, labels = load_digits(return_X_y=True)
    chosen = np.concatenate([generator.permutation(np.flatnonzero(labels == digit))[:30] for digit in range(10)])
    voices = speech.voices()
    sounds = []
    for label in labels[chosen]:
        word = speech.say(
            WORDS[label],
            accent=str(generator.choice(voices.accents)),
            variant=str(generator.choice(voices.variants)),
            words_per_minute=int(generator.integers(100, 250)),
            pitch=int(generator.integers(20, 80)),
        )
        frames = logmel.log_mel(logmel.resample(word, speech.SAMPLE_RATE))
        sounds.append(np.concatenate([part.mean(axis=0) for part in np.array_split(frames, N_FIFTHS)]))
    audio = np.stack(sounds).astype(np.float32)
    parquet.write(
        FEATURES,
        {
            "id": [f"digit-{row:04d}" for row in chosen],
            "label": labels[chosen].astype(np.int64),
            "fold": np.arange(N_ITEMS, dtype=np.int64) % N_FOLDS,
            "audio": audio,
            "visual": pixels[chosen].astype(np.float32),
        },
        types={
            "id": pa.string(), "label": pa.int64(), "fold": pa.int64(), "audio": parquet.vector(audio.shape[1]),
            "visual": parquet.vector(pixels.shape[1]),
        },
        metadata={"dataset": "small", "source": "digits of scikit-learn (CC BY 4.0), words of espeak-ng"},
    )  # fmt: skip


def main() -> None:
    """Write or show, with pinned arithmetic."""
    arithmetic.pin()
    if sys.argv[1:] == ["features"]:
        make_features()
    elif sys.argv[1:2] == ["show"]:
        print(json.dumps({method: numbers(method) for method in sys.argv[2:]}))
    elif sys.argv[1:] == ["numbers"]:
        found = {method: numbers(method) for method in CLOSED_FORMS | NETWORKS}
        NUMBERS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
