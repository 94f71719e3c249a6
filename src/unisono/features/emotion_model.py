"""The emotion model of a run: trained on the tagged set, fetched, or, without tags, left untrained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unisono.config.compute import Compute
from unisono.config.mv10k import Emotion
from unisono.features import chunk_attention
from unisono.features.video_vectors import real
from unisono.io import parquet


def build(params: Emotion, compute: Compute, *, tagged: Path, out: Path) -> chunk_attention.Model:
    """Make the model that ``mv10k.emotion`` asks for.

    Parameters
    ----------
    params : Emotion
    compute : Compute
        For its scratch folder.
    tagged : Path
        Shards of id, audio, tag. Without rows the model stays untrained, and its facts say so: published features
        that bring their own labels need none.
    out : Path
        Where to save it.

    Returns
    -------
    chunk_attention.Model

    Raises
    ------
    DataError
        The tagged set or the fetched file is damaged.
    DownloadError
        The file cannot be fetched.
    """
    if params.weights == "pretrained":
        from unisono.io import download

        target = compute.scratch.absolute() / "chunk_attention.safetensors"
        path = download.fetch(
            params.location, target, sha256=params.sha256, description="emotion model", max_bytes=2**30
        )
        fetched = chunk_attention.Model.load(path)
        model = chunk_attention.Model(fetched.arrays, {**fetched.facts, "weights": "pretrained"})
        model.save(out)
        return model
    sizes = {
        "chunk_s": params.chunk_s,
        "units": params.units,
        "attention_units": params.attention_units,
        "features": params.features,
    }
    table = parquet.read(tagged, ["audio", "tag"])
    audios = [real(frames) for frames in parquet.to_numpy(table["audio"])]
    if audios:
        model = chunk_attention.train(
            audios,
            table["tag"].to_pylist(),
            **sizes,
            epochs=params.epochs,
            batch_size=params.batch_size,
            learning_rate=params.learning_rate,
            seed=params.seed,
        )
        source = parquet.metadata(tagged)
        model = chunk_attention.Model(model.arrays, {**model.facts, "tagged_by": source.get("tags", "")})
    else:
        width = table.schema.field("audio").type.value_type.list_size
        blank = [np.zeros((2, width), np.float32)]
        model = chunk_attention.untrained(["none"], blank, **sizes, seed=params.seed)
    model.save(out)
    return model
