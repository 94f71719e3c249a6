"""Kept pieces: made once, and again when anything about them or in them has changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unisono.store import pieces


@dataclass(frozen=True)
class Fact:
    """Facts that JSON does not know."""

    array: np.ndarray
    content: bytes


def counted(folder: Path, *facts: Any) -> tuple[int, bytes]:
    """Ask for a piece in a run of its own; say how often it was made."""
    calls = []

    def make() -> bytes:
        calls.append(1)
        return b"content"

    with pieces.opened(folder / "scratch", "stage"):
        found = pieces.made(make, *facts)
    return len(calls), found


def test_a_piece_is_made_once(tmp_path: Path) -> None:
    fact = Fact(np.arange(3), b"x")
    assert counted(tmp_path, "a", fact) == (1, b"content")
    assert counted(tmp_path, "a", Fact(np.arange(3), b"x")) == (0, b"content")


@pytest.mark.parametrize(
    "other", [Fact(np.arange(4), b"x"), Fact(np.arange(3.0), b"x"), Fact(np.arange(3), b"y"), "text", np.int64(1)]
)
def test_another_fact_is_another_piece(tmp_path: Path, other: Any) -> None:
    counted(tmp_path, Fact(np.arange(3), b"x"))
    assert counted(tmp_path, other)[0] == 1
    # What this run did not ask for is gone.
    assert counted(tmp_path, Fact(np.arange(3), b"x"))[0] == 1


@pytest.mark.parametrize("damage", [b"", b"short", b"0" * 100])
def test_a_damaged_piece_is_made_again(tmp_path: Path, damage: bytes) -> None:
    counted(tmp_path, "a")
    (path,) = (tmp_path / "drawn" / "stage").iterdir()
    path.write_bytes(damage)
    assert counted(tmp_path, "a") == (1, b"content")
    assert counted(tmp_path, "a") == (0, b"content")


def test_without_a_store_or_a_place_for_it_pieces_are_made(tmp_path: Path) -> None:
    assert pieces.made(lambda: b"x", "a") == b"x"
    (tmp_path / "drawn").write_text("a file")
    assert counted(tmp_path, "a") == (1, b"content")


def test_a_run_that_fails_removes_nothing(tmp_path: Path) -> None:
    counted(tmp_path, "a")
    with pytest.raises(KeyError), pieces.opened(tmp_path / "scratch", "stage"):
        raise KeyError
    assert counted(tmp_path, "a")[0] == 0


def test_what_is_no_fact_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="object is no fact of a piece"):
        counted(tmp_path, object())


def test_facts_may_be_mappings_with_any_keys(tmp_path: Path) -> None:
    with pieces.opened(tmp_path / "scratch", "stage"):
        facts = {("id", "visual"): {1: b"x"}, "b": [{("a", 2): 3}]}
        assert pieces.made(lambda: b"one", facts) == b"one"
        assert pieces.made(lambda: b"two", dict(reversed(facts.items()))) == b"one"
        assert pieces.made(lambda: b"three", {("id", "audio"): {1: b"x"}, "b": [{("a", 2): 3}]}) == b"three"
