"""The marked pieces of code of the documents: files, code to run, entries of params.yaml and dvc.yaml."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIECE = re.compile(r"<!-- (file|run|params|add): (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)


def pieces(page: str) -> dict[str, str]:
    """The pieces of a page by name."""
    return {name: code for _, name, code in PIECE.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))}
