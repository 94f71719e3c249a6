"""Any model of the Hugging Face hub as an extractor: of sound, of pictures, of texts (package ``transformers``).

**Conventions.** A model is a folder with ``config.json`` and weights as safetensors: a user's own, or what is brought
of the hub into its usual cache (`hub`). Nothing that comes with a model is run: no code of its own, no pickles, and
its numbers are bounded before memory is taken (`checks`). Of a model with several parts (CLIP, CLAP) the one that
fits the task is taken (`network`); what the model wants of its input is done by its own processor (`sound`,
`pictures`, `texts`). A vector is pooled over time, places or words from one layer.
"""

from __future__ import annotations

from typing import Any

from unisono.config.huggingface import HuggingFace

#: Package that all of it needs.
PACKAGE = "transformers"


def describe(settings: HuggingFace) -> dict[str, Any]:
    """Name the extractor, its variant and its weights, for the metadata of features.

    Parameters
    ----------
    settings : HuggingFace
        From `unisono.features.huggingface.hub.fetch`.

    Returns
    -------
    dict
        JSON-able.
    """
    where = f"{settings.model} at {settings.revision}" if settings.revision else settings.model
    variant = f"{where}, {settings.task}, layer {settings.layer}, {settings.pooling}"
    return {
        "extractor": f"huggingface_{settings.task}",
        "variant": variant,
        "weights": "pretrained",
        "sha256": settings.sha256,
    }
