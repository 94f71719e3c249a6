"""Line styles, and pictures that come out the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from unisono.report import drawing
from unisono.store import pieces


def test_every_line_has_a_style_of_its_own() -> None:
    styles = drawing.line_styles([f"method {number}" for number in range(21)])
    assert len({tuple(style.values()) for style in styles.values()}) == 21
    # The first eleven also in a print without colours, and none looks like chance.
    assert len({(style["marker"], style["linestyle"]) for style in list(styles.values())[:11]}) == 11
    assert drawing.CHANCE["linestyle"] not in {style["linestyle"] for style in styles.values()}


def test_a_method_that_stands_twice_has_one_style() -> None:
    assert list(drawing.line_styles(["a", "b", "a"])) == ["a", "b"]


def test_the_same_drawing_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with drawing.canvas(tmp_path / name, width=3, height=2) as figure:
            panel = figure.subplots()
            panel.plot([1, 2], label="line", marker="o")
            panel.imshow([[0, 1], [1, 0]])
            panel.legend()
    for suffix in (".png", ".svg"):
        assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()
    assert "<dc:date>" not in (tmp_path / "first.svg").read_text(encoding="utf-8")
    with Image.open(tmp_path / "first.png") as picture:
        assert picture.size == (3 * drawing.DPI, 2 * drawing.DPI)
        assert "Software" not in picture.info


def _paint(text: str, out: Path) -> None:
    with drawing.canvas(out, width=3, height=2) as figure:
        figure.suptitle(text)


def test_what_was_drawn_is_kept_until_it_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "drawn" / "stage"
    with pieces.opened(tmp_path / "scratch", "stage"):
        drawing.drawn(tmp_path / "first", _paint, "a")
        drawing.drawn(tmp_path / "other", _paint, "b")
    assert len(list(store.iterdir())) == 4
    with pieces.opened(tmp_path / "scratch", "stage"):
        with monkeypatch.context() as patch:
            patch.setattr(drawing, "canvas", None)
            drawing.drawn(tmp_path / "again", _paint, "a")
        with pytest.raises(ZeroDivisionError):
            drawing.drawn(tmp_path / "none", _fail, "a")
    for suffix in drawing.SUFFIXES:
        assert (tmp_path / f"again{suffix}").read_bytes() == (tmp_path / f"first{suffix}").read_bytes()
        assert (tmp_path / f"other{suffix}").read_bytes() != (tmp_path / f"first{suffix}").read_bytes()
    assert len(list(store.iterdir())) == 2


def _fail(text: str, out: Path) -> None:
    raise ZeroDivisionError(text)


def test_nothing_is_written_when_drawing_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), drawing.canvas(tmp_path / "x", width=3, height=2) as figure:
        figure.suptitle(str(1 / 0))
    assert list(tmp_path.iterdir()) == []
