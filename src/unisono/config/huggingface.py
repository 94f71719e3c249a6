"""Blocks ``huggingface``: which model of the Hugging Face hub, and what is taken of it."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from unisono.config import Section
from unisono.config.sources import Sha256

#: ``owner/name`` or ``name``, as the hub allows.
_MODEL = re.compile(r"(?!.*(\.\.|--))\w[\w.-]{0,95}(/\w[\w.-]{0,95})?")
#: A branch, a tag, ``refs/pr/1`` or the hash of a commit.
_REVISION = re.compile(r"(?!.*\.\.)\w[\w.-]{0,95}(/\w[\w.-]{0,95}){0,3}")


class HuggingFace(Section):
    """A model of the hub, or a folder that holds one."""

    task: Literal["audio", "image", "text"]
    model: str
    revision: str
    location: str
    sha256: str = Sha256
    layer: int = Field(ge=-1000, le=1000)
    pooling: Literal["mean", "max", "first", "own"]
    device: str = Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    half: bool
    batch_size: int = Field(ge=1, le=65_536)

    @model_validator(mode="after")
    def _is_on_the_hub(self) -> HuggingFace:
        if self.location:
            return self
        if not _MODEL.fullmatch(self.model):
            raise ValueError("model is no name on the hub (owner/name); a folder of your own is `location`")
        if not _REVISION.fullmatch(self.revision):
            raise ValueError("revision is no branch, tag, refs/pr/<n> or hash of a commit")
        return self

    @model_validator(mode="after")
    def _own_is_last(self) -> HuggingFace:
        if self.pooling == "own" and self.layer != -1:
            raise ValueError("pooling: own goes with the last layer alone; set layer: -1, or another pooling")
        return self


class Audio(HuggingFace):
    """A model that hears, window by window."""

    task: Literal["audio"]
    window_s: float = Field(ge=1, le=60)


class Image(HuggingFace):
    """A model that sees."""

    task: Literal["image"]


class Text(HuggingFace):
    """A model that reads, piece by piece."""

    task: Literal["text"]
    max_tokens: int = Field(ge=8, le=8192)
