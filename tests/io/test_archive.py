"""Reading folders and archives: the same members from each, and none from hostile ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unisono.errors import DataError, DownloadError
from unisono.io import archive

FILES = {
    "top-1.0/README.md": b"read me",
    "top-1.0/songs/b.xml": b"<b/>",
    "top-1.0/songs/a.XML": b"<a/>",
    "top-1.0/songs/deep/Ünï 'q'.mxl": np.random.default_rng(0).bytes(200_000),
    "top-1.0/songs2/c.xml": b"<c/>",
    "top-1.0/songs/._a.XML": b"leftover",
    "__MACOSX/top-1.0/songs/b.xml": b"leftover",
}
REAL = {name: data for name, data in FILES.items() if b"leftover" not in data}


def make_folder(path: Path, files: dict[str, bytes]) -> Path:
    """Write the files below `path`."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    """Write a zip with folder entries, as common tools do."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("top-1.0/", b"")
        for name, data in files.items():
            file.writestr(name, data)
    return path


def make_tar(path: Path, files: dict[str, bytes], **attributes: object) -> Path:
    """Write a tar, compressed as its name says; `attributes` are set on every member."""
    mode = "w" if path.suffix == ".tar" else "w:gz"
    with tarfile.open(path, mode) as file:
        folder = tarfile.TarInfo("./top-1.0")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in attributes.items():
                setattr(info, key, value)
            file.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(params=["folder", "songs.zip", "songs.tar", "songs.tar.gz", "songs.TGZ"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same files in every kind of source."""
    path = tmp_path / request.param
    if request.param == "folder":
        return make_folder(path, FILES)
    return (make_zip if path.suffix == ".zip" else make_tar)(path, FILES)


def test_every_kind_of_source_holds_the_same(source: Path) -> None:
    assert dict(archive.members(source)) == REAL
    assert dict(archive.members(str(source))) == dict(archive.members(source.as_uri())) == REAL


def test_members_are_chosen_by_suffix_and_folder(source: Path) -> None:
    def names(**options: object) -> list[str]:
        return sorted(name.removeprefix("top-1.0/") for name, _ in archive.members(source, **options))

    assert names(suffixes=(".xml",)) == ["songs/a.XML", "songs/b.xml", "songs2/c.xml"]
    assert names(suffixes=(".xml", ".mxl"), under="songs") == ["songs/a.XML", "songs/b.xml", "songs/deep/Ünï 'q'.mxl"]
    assert names(under="top-1.0/songs/deep/") == ["songs/deep/Ünï 'q'.mxl"]
    assert names(under="nowhere") == []


def test_folders_and_zips_come_sorted_tars_as_they_are(tmp_path: Path) -> None:
    files = {"b": b"1", "a": b"2", "c/a": b"3"}
    assert [name for name, _ in archive.members(make_zip(tmp_path / "x.zip", files))] == ["a", "b", "c/a"]
    assert [name for name, _ in archive.members(make_folder(tmp_path / "x", files))] == ["a", "b", "c/a"]
    assert [name for name, _ in archive.members(make_tar(tmp_path / "x.tar", files))] == ["b", "a", "c/a"]


@pytest.mark.parametrize("name", ["songs.zip", "songs.tar", "songs.tar.gz"])
def test_archives_by_url(server, tmp_path: Path, name: str) -> None:
    path = (make_zip if name.endswith("zip") else make_tar)(tmp_path / name, FILES)
    data = path.read_bytes()
    url = server.add(f"/{name}?download=1", server.body(data, cut=100_000), server.body(data))
    assert dict(archive.members(url, sha256=hashlib.sha256(data).hexdigest())) == REAL
    assert len(server.requests) == 2
    with pytest.raises(DownloadError, match="sha256 is"):
        list(archive.members(url, sha256="0" * 64))


def test_the_checksum_of_local_archives(source: Path) -> None:
    if source.is_file():
        assert dict(archive.members(source, sha256=hashlib.sha256(source.read_bytes()).hexdigest())) == REAL
        with pytest.raises(DownloadError, match=r"songs.*sha256 is"):
            list(archive.members(source, sha256="0" * 64))


def test_a_single_file_is_its_own_member(server, tmp_path: Path) -> None:
    # An .mxl file is a zip inside, and still one member.
    path = make_zip(tmp_path / "song.MXL", {"score.xml": b"<x/>"})
    assert list(archive.members(path, suffixes=(".mxl",))) == [("song.MXL", path.read_bytes())]
    url = server.add("/a/song.mxl", server.body(path.read_bytes()))
    assert list(archive.members(url)) == [("song.mxl", path.read_bytes())]
    with pytest.raises(DataError, match=r"song.MXL: expected a folder or a name ending in .zip, .*\.xml"):
        list(archive.members(path, suffixes=(".xml",)))


def test_a_source_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone.zip: no such file or folder"):
        list(archive.members(tmp_path / "gone.zip"))


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:\\evil", "C:/evil"])
@pytest.mark.parametrize("make, file", [(make_zip, "x.zip"), (make_tar, "x.tar"), (make_tar, "x.tar.gz")])
def test_names_that_leave_the_folder(tmp_path: Path, make: Callable, file: str, name: str) -> None:
    path = make(tmp_path / file, {"good": b"1", name: b"2"})
    with pytest.raises(DataError, match=r"x\.\S+: member '.*evil' leaves the folder; do not trust this source"):
        list(archive.members(path, suffixes=("good",)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../evil", "../..", "a/../../.."])
def test_links_that_leave_a_tar(tmp_path: Path, kind: bytes, target: str) -> None:
    path = make_tar(tmp_path / "x.tar.gz", {"a/link": b""}, type=kind, linkname=target)
    with pytest.raises(DataError, match=r"'a/link' is a link to .* which leaves the folder"):
        list(archive.members(path))


def test_links_inside_a_tar_are_passed_over(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "x.tar", {"a/b/link": b""}, type=tarfile.SYMTYPE, linkname="../c")
    assert list(archive.members(path)) == []


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_in_a_tar(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(DataError, match=r"'dev' is a device or pipe"):
        list(archive.members(make_tar(tmp_path / "x.tar", {"dev": b""}, type=kind)))


def test_links_in_a_zip(tmp_path: Path) -> None:
    for target, leaves in (("../../etc/passwd", True), ("/etc", True), ("../b", False)):
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as file:
            info = zipfile.ZipInfo("a/link")
            info.external_attr = 0o120777 << 16
            file.writestr(info, target)
        if leaves:
            with pytest.raises(DataError, match=r"'a/link' is a link to"):
                list(archive.members(path))
        else:
            assert list(archive.members(path)) == []


def test_links_in_a_folder(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "songs", {"a.xml": b"1"})
    (folder / "again.xml").symlink_to("a.xml")
    (folder / "loop").symlink_to(".")
    assert dict(archive.members(folder)) == {"a.xml": b"1"}
    (tmp_path / "secret.xml").write_bytes(b"2")
    (folder / "leak.xml").symlink_to("../secret.xml")
    with pytest.raises(DataError, match=r"leak.xml is a link that leaves the folder"):
        list(archive.members(folder))
    (tmp_path / "door").symlink_to(folder)
    (folder / "leak.xml").unlink()
    assert dict(archive.members(tmp_path / "door")) == {"a.xml": b"1"}


def test_a_member_that_is_too_large(source: Path) -> None:
    with pytest.raises(DataError, match=r"mxl\W has 200000 bytes, at most 100000 are allowed"):
        list(archive.members(source, max_member_bytes=100_000))
    assert len(list(archive.members(source, suffixes=(".xml",), max_member_bytes=100_000))) == 3


def test_a_single_file_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(bytes(11))
    with pytest.raises(DataError, match="at most 10"):
        list(archive.members(tmp_path / "x.bin", max_member_bytes=10))


@pytest.mark.parametrize("claim", [10, 2**31])
def test_a_zip_that_lies_about_a_size(tmp_path: Path, claim: int) -> None:
    path = make_zip(tmp_path / "x.zip", {"bomb": bytes(100_000)})
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    struct.pack_into("<I", data, directory + 24, claim)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"x.zip: (not the archive|member 'bomb' has 2147483648 bytes)"):
        list(archive.members(path))


def test_a_tar_that_claims_a_terabyte(tmp_path: Path) -> None:
    for kind, message in (
        (tarfile.REGTYPE, "member 'bomb' has 1099511627776 bytes"),
        (tarfile.XHDTYPE, "has a header of 1099511627776 bytes"),
        (tarfile.GNUTYPE_LONGNAME, "has a header of 1099511627776 bytes"),
    ):
        info = tarfile.TarInfo("bomb")
        info.size, info.type = 2**40, kind
        path = tmp_path / "x.tar.gz"
        path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(10**6)))
        with pytest.raises(DataError, match=message):
            list(archive.members(path))


@pytest.mark.parametrize("part", [0, 10, 600, 100_000, -1, -10, -1024])
@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_a_truncated_archive(tmp_path: Path, name: str, part: int) -> None:
    path = (make_zip if name.endswith("zip") else make_tar)(tmp_path / name, FILES)
    whole = path.read_bytes()
    if name == "x.tar":
        whole = whole.rstrip(b"\0") + bytes(1024 if part < 0 else 0)
        part = -1024 if part < 0 else part
    path.write_bytes(whole[:part])
    with pytest.raises(DataError, match=rf"{name}: not the archive that its name says, or damaged \(.*get it again"):
        list(archive.members(path))


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_a_damaged_archive(tmp_path: Path, name: str) -> None:
    path = (make_zip if name.endswith("zip") else make_tar)(tmp_path / name, FILES)
    whole = path.read_bytes()
    path.write_bytes(whole[:1024] + b"\x55" * 2000 + whole[3024:])
    with pytest.raises(DataError, match=f"{name}: not the archive"):
        list(archive.members(path))
    path.write_bytes(b"<html>not found</html>" * 100)
    with pytest.raises(DataError, match=f"{name}: not the archive"):
        list(archive.members(path))


def test_an_empty_archive_has_no_members(tmp_path: Path) -> None:
    assert list(archive.members(make_zip(tmp_path / "x.zip", {}))) == []
    assert list(archive.members(make_tar(tmp_path / "x.tar.gz", {}))) == []
    (tmp_path / "x").mkdir()
    assert list(archive.members(tmp_path / "x")) == []


def test_a_zip_with_a_password(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "x.zip", {"a": b"1"})
    data = bytearray(path.read_bytes())
    for at, signature in ((6, b"PK\x03\x04"), (8, b"PK\x01\x02")):
        last = data.rindex(signature)
        data[last + at] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"encrypted|password"):
        list(archive.members(path))


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "x.tar", {"caf\udce9.xml": b"1"})
    assert list(archive.members(path)) == [("caf\ufffd.xml", b"1")]


def test_what_follows_the_end_of_a_tar_may_not_be_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SPARE_BYTES", 2**20)
    good = make_tar(tmp_path / "x.tar", {"a": b"1"}).read_bytes()
    path = tmp_path / "x.tar.gz"
    for bomb in (good + bytes(2**25), make_tar(tmp_path / "y.tar", {"a": b"1", "b": bytes(2**25)}).read_bytes()):
        path.write_bytes(gzip.compress(bomb))
        with pytest.raises(DataError, match=r"x.tar.gz: .* bytes of it become .*; do not trust this source"):
            list(archive.members(path, only=lambda name: name == "a"))
    noise = np.random.default_rng(0).bytes(2**22)
    assert list(archive.members(make_tar(path, {"a": noise, "b": noise}))) == [("a", noise), ("b", noise)]
