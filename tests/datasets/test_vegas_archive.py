"""Folders and archives of videos: classes and ids by name, and archives made to do harm."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from unisono.datasets.vegas import Clip, Rejected, archive
from unisono.errors import DataError

FILES = {
    "VEGAS/baby_cry/videos/video_00000.mp4": b"a",
    "VEGAS/baby_cry/videos/baby_cry_video_00850.MP4": b"b",
    "VEGAS/baby_cry/audios/video_00000.wav": b"sound",
    "VEGAS/dog/videos/video_00000.webm": b"c",
    "VEGAS/dog/video_info.csv": b"x",
    "VEGAS/drum/one.mp4": b"d",
    "VEGAS/drum/._one.mp4": b"macOS",
}
EXPECTED = {
    ("baby_cry_video_00000", "baby_cry", b"a"),
    ("baby_cry_video_00850", "baby_cry", b"b"),
    ("dog_video_00000", "dog", b"c"),
    ("drum_one", "drum", b"d"),
}


def make(path: Path, files: dict[str, bytes]) -> Path:
    """A folder, zip or tar of these files."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as target:
            for name, data in files.items():
                target.writestr(name, data)
    elif path.suffix in (".tar", ".gz"):
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as target:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                target.addfile(member, io.BytesIO(data))
    else:
        for name, data in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["folder", "v.zip", "v.tar", "v.tar.gz"])
def test_folders_and_archives_give_the_same_clips(tmp_path: Path, name: str) -> None:
    found = list(archive.clips(str(make(tmp_path / name, FILES))))
    assert {(c.id, c.label, c.video) for c in found if isinstance(c, Clip)} == EXPECTED
    assert len(found) == len(EXPECTED)


def test_the_layout_may_begin_at_the_top_and_classes_may_be_chosen(tmp_path: Path) -> None:
    source = str(make(tmp_path / "v", {k.removeprefix("VEGAS/"): v for k, v in FILES.items()}))
    assert {c.id for c in archive.clips(source, classes=["dog", "drum"]) if isinstance(c, Clip)} == {
        "dog_video_00000",
        "drum_one",
    }
    with pytest.raises(DataError, match="no video of class 'snoring'"):
        list(archive.clips(source, classes=["dog", "snoring"]))


def test_a_video_without_a_class_is_listed(tmp_path: Path) -> None:
    source = make(tmp_path / "v", {"stray.mp4": b"x", "dog/a.mp4": b"y"})
    stray = [found for found in archive.clips(str(source)) if isinstance(found, Rejected)]
    assert [item for item, _ in stray] == ["stray.mp4"]


def test_no_video_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no video files"):
        list(archive.clips(str(make(tmp_path / "v.zip", {"dog/notes.txt": b"x"}))))
    with pytest.raises(DataError, match="no such file or folder"):
        list(archive.clips(str(tmp_path / "none.zip")))
    (tmp_path / "one.mp4").write_bytes(b"x")
    with pytest.raises(DataError, match="single video"):
        list(archive.clips(str(tmp_path / "one.mp4")))


@pytest.mark.parametrize("name", ["v.zip", "v.tar"])
@pytest.mark.parametrize("escape", ["../dog/videos/a.mp4", "/dog/videos/a.mp4", "dog/../../a.mp4"])
def test_an_archive_that_leaves_its_folder_is_refused(tmp_path: Path, name: str, escape: str) -> None:
    source = make(tmp_path / name, {"dog/videos/b.mp4": b"x", escape: b"y"})
    with pytest.raises(DataError, match="leaves the folder"):
        list(archive.clips(str(source)))


def test_a_file_that_claims_a_terabyte_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("dog/videos/a.mp4")
    member.size = 2**40
    source = tmp_path / "v.tar"
    source.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(DataError, match=r"has 1099511627776 bytes, at most"):
        list(archive.clips(str(source)))
