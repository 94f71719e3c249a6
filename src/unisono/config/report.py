"""Section ``report``: what the report shows."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from unisono.config import Section, validate


class Report(Section):
    """The gallery of the HTML report."""

    gallery_items: int = Field(ge=0)
    gallery_mb: float = Field(ge=0)
    sound_s: float = Field(gt=0)


def parse(raw: Any) -> Report:
    """Validate the section."""
    return validate(Report, raw, where="report")
