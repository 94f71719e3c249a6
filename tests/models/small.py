"""Small settings for methods whose defaults need more data, or more time, than a test has."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "cca": {"n_components": 3},
    "gcca": {"n_components": 3},
}
