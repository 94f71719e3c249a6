"""Block ``vegas.features``: the extractors of what is seen and heard in a clip."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from unisono.config import Section, huggingface, songs_extractors
from unisono.config.keys import Key
from unisono.config.sources import Sha256


class Whitening(Section):
    """From a network's output to features: PCA, whitening, limits."""

    method: Literal["fitted", "published", "none"]
    location: str = ""
    sha256: str = Sha256
    components: int = Field(ge=1)
    epsilon: float = Field(gt=0)
    limits: Literal["unlimited", "clipped", "8bit"]


class Extractor(Section):
    """What all extractors share."""

    weights: Literal["untrained", "pretrained"]
    seed: int = Field(ge=0)
    batch_size: int = Field(ge=1)
    whitening: Whitening


class Inception(Extractor):
    """Inception V3, per second."""

    variant: Literal["keras", "youtube8m"]
    keras: str
    keras_sha256: str = Sha256
    youtube8m: str
    youtube8m_sha256: str = Sha256

    @model_validator(mode="after")
    def _whitening_fits(self) -> Inception:
        if self.whitening.method == "published" and (self.weights, self.variant) != ("pretrained", "youtube8m"):
            raise ValueError(
                "whitening.method: published goes with weights: pretrained and variant: youtube8m alone, the network "
                "that it was fitted for; set whitening.method: fitted"
            )
        return self


class VGGish(Extractor):
    """VGGish, per second."""

    checkpoint: str
    checkpoint_sha256: str = Sha256
    hop_s: float = Field(ge=0.01)

    @model_validator(mode="after")
    def _whitening_fits(self) -> VGGish:
        if self.whitening.method == "published" and self.weights != "pretrained":
            raise ValueError(
                "whitening.method: published goes with weights: pretrained alone, the network that it was fitted for; "
                "set whitening.method: fitted"
            )
        return self


def _not_published(whitening: Whitening) -> Whitening:
    if whitening.method == "published":
        raise ValueError("there is no published whitening for this network; set whitening.method: fitted or none")
    return whitening


#: The whitening of a network for which nobody published one.
Own = Annotated[Whitening, AfterValidator(_not_published)]


class Unpublished(Extractor):
    """A network for which nobody published a whitening."""

    whitening: Own


class Torch(Unpublished):
    """SoundNet or I3D."""

    location: str
    sha256: str = Sha256


class EfficientNet(Unpublished):
    """EfficientNet-Lite0, per second, as a package carries it trained."""

    location: str
    image_size: int = Field(ge=32, le=1024)


class Musicnn(songs_extractors.Musicnn):
    """The network of the package musicnn."""

    hop_s: float = Field(ge=1, le=10)
    whitening: Own


class HuggingFaceAudio(huggingface.Audio):
    """A model of the Hugging Face hub on the sound."""

    whitening: Own


class HuggingFaceImage(huggingface.Image):
    """A model of the Hugging Face hub on the frames, per second."""

    whitening: Own


#: An extractor; a feature set names one.
Name = Literal[
    "inception",
    "vggish",
    "soundnet",
    "i3d",
    "efficientnet_lite0",
    "musicnn",
    "huggingface_audio",
    "huggingface_image",
]


class Extractors(Section):
    """Which feature sets are made, and how."""

    sets: dict[Key, Name] = Field(min_length=1)
    inception: Inception
    vggish: VGGish
    soundnet: Torch
    i3d: Torch
    efficientnet_lite0: EfficientNet
    musicnn: Musicnn
    huggingface_audio: HuggingFaceAudio
    huggingface_image: HuggingFaceImage


#: The extractors that there are.
NAMES = tuple(name for name in Extractors.model_fields if name != "sets")
