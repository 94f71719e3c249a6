"""Pictures from outside: a few formats, limits, and never another program."""

from __future__ import annotations

import ast
import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unisono.errors import DataError
from unisono.media import pictures

ROOT = Path(__file__).resolve().parents[2]


def encoded(kind: str, size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    """A small picture in a format of Pillow."""
    file = io.BytesIO()
    Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint8).reshape(size)).save(file, kind, **options)
    return file.getvalue()


def postscript(proof: Path) -> bytes:
    """PostScript that writes a file when it is run."""
    return (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
        + f"({proof}) (w) file dup (run) writestring closefile\nshowpage\n".encode()
        + b"%%EOF\n"
    )


@pytest.mark.parametrize("kind", pictures.FORMATS)
def test_usual_formats_are_read(kind: str) -> None:
    with pictures.opened(encoded(kind), "query") as image:
        assert image.size == (30, 40)


@pytest.mark.parametrize("kind", ["GIF", "PPM", "TGA", "PCX", "ICO", "EPS"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(DataError, match=r"query.*not PNG, JPEG"), pictures.opened(encoded(kind), "query"):
        pass


def test_postscript_never_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started"))
    content = postscript(tmp_path / "proof")
    with pytest.raises(DataError, match="not a readable picture"), pictures.opened(content, "query.png"):
        pass
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("entrance", ["query", "figure", "panel"])
def test_no_door_lets_postscript_in(entrance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import EpsImagePlugin

    from unisono.datasets.base import Part
    from unisono.features.asmcmr.input import read_picture
    from unisono.report import panels
    from unisono.report.html import media

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started"))
    content = postscript(tmp_path / "proof")
    (tmp_path / "figure.png").write_bytes(content)
    doors = {
        "query": lambda: read_picture(content, "query.png"),
        "figure": lambda: media.figure(tmp_path / "figure.png"),
        "panel": lambda: panels.picture(Part("item", "sheet", "sheet", content)),
    }
    with pytest.raises(DataError, match="not PNG, JPEG"):
        doors[entrance]()


def test_no_other_place_opens_pictures() -> None:
    places = [
        path.relative_to(ROOT).as_posix()
        for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").rglob("*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("Image.open", "PIL.Image.open", "plt.imread", "imread")
    ]
    assert places == ["src/unisono/media/pictures.py"]


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    side = (20_000).to_bytes(4, "big")
    head = chunk(b"IHDR", side + side + b"\x08\x00\x00\x00\x00")
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    with pytest.raises(DataError, match="pixels"), pictures.opened(bomb, "query"):
        pass


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    progressive = encoded("JPEG", progressive=True)
    with pictures.opened(progressive, "query"):
        pass
    start = progressive.rindex(b"\xff\xda")
    scans = progressive[:start] + progressive[start:-2] * 100 + progressive[-2:]
    with pytest.raises(DataError, match="scans"), pictures.opened(scans, "query"):
        pass


def test_a_damaged_picture_is_one_line() -> None:
    for kind in pictures.FORMATS:
        with pytest.raises(DataError, match="get it again"), pictures.opened(encoded(kind)[:60], "query"):
            pass


def test_lack_of_memory_is_not_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", full)
    with pytest.raises(MemoryError), pictures.opened(b"", "query"):
        pass
