"""Where ASMCMR's parameters come from: the authors, training, or a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unisono.config.compute import Compute
from unisono.config.mtm import ASMCMR
from unisono.errors import ConfigError
from unisono.features import asmcmr
from unisono.features.asmcmr import pairs as asmcmr_pairs
from unisono.features.asmcmr import training as asmcmr_training
from unisono.io import download, parquet
from unisono.store.code import code_version


def make(
    samples: Path, divisions: Path, audio: Path, engraved: Path, *, params: ASMCMR, compute: Compute
) -> asmcmr.Encoder:
    """Make the encoder that ``params.weights`` asks for.

    Parameters
    ----------
    samples, divisions, audio, engraved : Path
        Folders of the data set (see `asmcmr_pairs.read_pairs`); read only for training.
    params : ASMCMR
    compute : Compute
        ``device`` and ``scratch``, where downloads and unfinished training are kept.

    Returns
    -------
    Encoder
        Its metadata say how it was made.

    Raises
    ------
    DataError, DownloadError, ProgramError
        An input is missing or damaged; the download failed; training diverged.
    ConfigError
        ``compute.device`` asks for a GPU that is not there.
    """
    if params.weights == "untrained":
        return asmcmr.untrained(params.seed)
    if params.weights == "pretrained":
        name = params.location.rsplit("/", 1)[-1]
        path = download.fetch(
            params.location,
            compute.scratch / "downloads" / name,
            sha256=params.sha256,
            description="ASMCMR parameters",
            max_bytes=2**30,
        )
        return asmcmr.from_published(path)
    settings: dict[str, Any] = {
        "steps": params.steps,
        "batch_size": params.batch_size,
        "learning_rate": params.learning_rate,
        "margin": params.margin,
        "seed": params.seed,
    }
    device = training_device(compute.device)
    sources = [
        path for folder in (samples, divisions, audio, engraved) for path in sorted(folder.rglob("part-*.parquet"))
    ]
    checkpoint = compute.scratch / f"asmcmr-{_fingerprint(sources, f'{settings} {device}')}.pt"
    pairs = asmcmr_pairs.read_pairs(samples, divisions, audio, engraved, seed=params.seed)
    settings["steps"], settings["batch_size"], adapted = asmcmr_training.schedule(
        len(pairs.strips), steps=params.steps, batch_size=params.batch_size
    )
    encoder, history = asmcmr_training.train(pairs, **settings, device=device, checkpoint=checkpoint)
    checkpoint.unlink(missing_ok=True)
    facts = {name: value for name, value in parquet.metadata(samples).items() if name in ("dataset", "source")}
    return asmcmr.Encoder(
        encoder.arrays,
        {
            "weights": "trained",
            **facts,
            **settings,
            "n_samples": len(pairs.strips),
            **({"adapted": adapted} if adapted else {}),
            "loss": [round(step["loss"], 4) for step in history],
        },
    )


def training_device(wanted: str) -> str:
    """Resolve ``compute.device``: ``auto`` is CUDA when present.

    Raises
    ------
    ConfigError
        The device asked for is not there.
    """
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    n_gpus = torch.cuda.device_count()
    number = int(wanted.partition(":")[2] or 0)
    if wanted != "cpu" and number >= n_gpus:
        raise ConfigError(f"compute.device: {wanted!r} is not there ({n_gpus} GPUs seen); use auto or cpu")
    return wanted


def _fingerprint(files: Iterable[Path], settings: str) -> str:
    """Digest of what training depends on: settings, code and data."""
    digest = hashlib.sha256(f"{settings} {code_version(Path(__file__))}".encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
