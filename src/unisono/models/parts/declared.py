"""Hyper-parameters as annotated class attributes: found, checked, described.

**Conventions.** What is legal stands in the annotation, inherited ones come first; `unisono.models.base` says what is
no hyper-parameter.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from typing import Any

import pydantic

from unisono.config import Section


def declared(cls: type) -> dict[str, Any]:
    """Return the annotations of the hyper-parameters, inherited ones first."""
    # What learns nothing takes its views as they are.
    none = {"seed"} if getattr(cls, "trained", True) else {"seed", "standardise"}
    return {
        key: annotation
        for base in reversed(cls.__mro__)
        for key, annotation in inspect.get_annotations(base).items()
        if key not in none and "ClassVar" not in str(annotation).partition("[")[0]
    }


@functools.cache
def schema(cls: type) -> type[pydantic.BaseModel]:
    """Turn the hyper-parameters of a method into a pydantic model."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fields: dict[str, Any] = {key: (hints[key], getattr(cls, key)) for key in declared(cls)}
    return pydantic.create_model(cls.__name__, __base__=Section, **fields)


def with_inherited(cls: type, order: list[str]) -> str:
    """Return a class's docstring with the parameters that its bases describe, all in the constructor's order."""
    known: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        known |= _described(_sections(base.__dict__.get("__doc__") or "").get("Parameters", ""))
    sections = _sections(cls.__doc__ or "")
    entries = dict.fromkeys(known[key] for key in order if key in known)
    listed = {"": sections.pop(""), "Parameters": "\n".join(entries)}
    sections = {**listed, **{title: body for title, body in sections.items() if title != "Parameters"}}
    parts = [f"{title}\n{'-' * len(title)}\n{body}" if title else body for title, body in sections.items()]
    return "\n\n".join(parts) + "\n"


def _sections(doc: str) -> dict[str, str]:
    """Split a numpydoc docstring at its headings; what stands before the first has the heading ''."""
    start, *rest = re.split(r"^(\w[\w ]*)\n-+$", inspect.cleandoc(doc), flags=re.MULTILINE)
    return {"": start.strip(), **{title: body.strip() for title, body in zip(rest[::2], rest[1::2], strict=True)}}


def _described(section: str) -> dict[str, str]:
    """Split a section at its entries; one that describes several parameters stands under each."""
    entries = re.split(r"\n(?=\S)", section) if section else []
    return {key.strip(): entry for entry in entries for key in entry.partition(" : ")[0].split(",")}
