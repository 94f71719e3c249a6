"""Block ``songs.features``: the extractors of what is heard of a song."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from unisono.config import Section
from unisono.config.huggingface import Audio
from unisono.config.mtm import VGGish

__all__ = ["MFCC", "NAMES", "Extractors", "Musicnn", "VGGish"]


class MFCC(Section):
    """Mel-frequency cepstral coefficients, as a matrix over time or as its statistics."""

    coefficients: int = Field(ge=2, le=128)
    hop: int = Field(ge=64, le=65_536)


class Musicnn(Section):
    """The network of the package musicnn."""

    weights: Literal["packaged", "location", "untrained"]
    variant: Literal["MSD", "MTT"]
    location: str
    output: Literal["penultimate", "mean_pool", "max_pool", "pools", "tags"]
    hop_s: float = Field(ge=0.016, le=30)
    seed: int = Field(ge=0)
    batch_size: int = Field(ge=1)

    @model_validator(mode="after")
    def _has_location(self) -> Musicnn:
        if self.weights == "location" and not self.location:
            raise ValueError("weights: location needs the path of the package's wheel in `location`")
        return self


class Extractors(Section):
    """How each extractor works; a feature set bears its extractor's name."""

    mfcc: MFCC
    mfcc_stats: MFCC
    musicnn: Musicnn
    vggish: VGGish
    huggingface_audio: Audio


#: The extractors that there are.
NAMES = tuple(Extractors.model_fields)
