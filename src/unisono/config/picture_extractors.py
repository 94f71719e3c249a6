"""Block ``image2song.features``: the extractors of pictures, the predictor of tags, the vectors of words."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from unisono.config import Section
from unisono.config.huggingface import Image


class EfficientNet(Section):
    """EfficientNet-Lite0, as a package carries it trained."""

    location: str
    image_size: int = Field(ge=32, le=1024)


class Pixels(Section):
    """Colours of the picture made small."""

    image_size: int = Field(ge=4, le=128)


class Tags(Section):
    """From a picture's features to the words that fit it."""

    set: Literal["efficientnet_lite0", "pixels", "huggingface_image"]
    regions: Literal["joined", "max", "none"]
    ridge: float = Field(gt=0)
    folds: int = Field(ge=2, le=20)
    top_tags: int = Field(ge=1)
    seed: int = Field(ge=0, lt=2**32)


class Words(Section):
    """Vectors of words, from the songs of the training part."""

    vectors: Literal["word2vec", "glove"]
    dimensions: int = Field(ge=1, le=2000)
    window: int = Field(ge=1, le=100)
    min_count: int = Field(ge=1)
    negative: int = Field(ge=1, le=1000)
    epochs: int = Field(ge=1, le=10_000)
    length: int = Field(ge=1, le=10_000)
    seed: int = Field(ge=0, lt=2**32)


class Features(Section):
    """Which sets are made of the pictures, and how; tags and words."""

    sets: list[Literal["efficientnet_lite0", "pixels", "huggingface_image"]] = Field(min_length=1)
    efficientnet_lite0: EfficientNet
    pixels: Pixels
    huggingface_image: Image
    tags: Tags
    words: Words


#: The extractors of pictures that there are.
NAMES = ("efficientnet_lite0", "pixels", "huggingface_image")
