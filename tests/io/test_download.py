"""Fetching files from a server that cuts, lies, refuses and changes its mind."""

from __future__ import annotations

import email.utils
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pytest

from unisono.errors import DataError, DownloadError, MachineError
from unisono.io import connections, download

DATA = np.random.default_rng(0).bytes(5000)
OTHER = np.random.default_rng(1).bytes(5000)
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA).hexdigest()


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    """Where to fetch to, in a folder that is still missing."""
    return tmp_path / "raw" / "weights.ckpt"


def alone(destination: Path) -> bool:
    """Say whether the file is there and nothing of the work is left beside it."""
    return [path.name for path in destination.parent.iterdir()] == [destination.name]


def test_a_file_arrives_whole_and_is_not_fetched_twice(server, destination: Path) -> None:
    url = server.add("/f", server.body(DATA))
    assert download.fetch(url, destination, sha256=SHA256.upper(), md5=MD5) == destination
    assert destination.read_bytes() == DATA
    assert alone(destination)
    download.fetch(url, destination, sha256=SHA256)
    assert len(server.requests) == 1
    download.fetch(url, destination)
    assert len(server.requests) == 2


def test_a_cut_connection_is_resumed(server, destination: Path) -> None:
    url = server.add("/f", server.body(DATA, cut=1234), server.body(DATA, cut=1000), server.body(DATA))
    download.fetch(url, destination, sha256=SHA256)
    assert server.ranges() == ["", "bytes=1234-", "bytes=2234-"]
    assert server.requests[1][1]["If-Range"] == '"v1"'
    assert alone(destination)


def test_the_next_run_goes_on_where_this_one_gave_up(server, destination: Path) -> None:
    url = server.add("/f", server.body(DATA, cut=1000), server.status(500))
    with pytest.raises(DownloadError, match=r"/f: the server answered 500 .*\(3 attempts\).*what arrived is kept"):
        download.fetch(url, destination)
    assert not destination.exists()
    server.add("/f", server.body(DATA))
    download.fetch(url, destination, sha256=SHA256)
    assert server.ranges()[-1] == "bytes=1000-"


def test_a_server_without_ranges_sends_it_all_again(server, destination: Path) -> None:
    url = server.add("/f", server.body(DATA, cut=1000, ranges=False), server.body(DATA, ranges=False))
    download.fetch(url, destination)
    assert destination.read_bytes() == DATA


def test_another_version_on_the_server_is_not_mixed_in(server, destination: Path) -> None:
    url = server.add("/f", server.body(DATA, cut=1000), server.body(OTHER, etag='"v2"'))
    download.fetch(url, destination)
    assert destination.read_bytes() == OTHER


@pytest.mark.parametrize("shift", [-1, 7])
def test_a_range_from_the_wrong_place_is_not_taken(server, destination: Path, shift: int) -> None:
    url = server.add("/f", server.body(DATA, cut=1000), server.body(DATA, shift=shift), server.body(DATA))
    download.fetch(url, destination)
    assert destination.read_bytes() == DATA


def test_without_a_version_the_length_must_agree(server, destination: Path) -> None:
    longer = OTHER + OTHER
    url = server.add("/f", server.body(DATA, cut=1000, etag=""), server.body(longer, etag=""))
    download.fetch(url, destination)
    assert destination.read_bytes() == longer
    url = server.add("/g", server.body(DATA, cut=1000, etag=""), server.body(DATA, etag=""))
    download.fetch(url, destination)
    assert destination.read_bytes() == DATA
    assert server.ranges()[-1] == "bytes=1000-"


def test_no_content_length(server, destination: Path) -> None:
    url = server.add("/f", server.body(DATA, chunked=True, ranges=False, etag=""))
    download.fetch(url, destination)
    assert destination.read_bytes() == DATA


def test_no_content_length_and_cut(server, destination: Path) -> None:
    url = server.add("/f", server.body(DATA, chunked=True, cut=1000, etag=""), server.body(DATA, chunked=True, etag=""))
    download.fetch(url, destination)
    assert destination.read_bytes() == DATA
    assert server.ranges() == ["", ""]


def test_a_server_that_claims_more_than_it_has(server, destination: Path) -> None:
    url = server.add("/f", server.body(DATA, length=6000, ranges=False))
    with pytest.raises(DownloadError, match=r"connection (was cut|ended)"):
        download.fetch(url, destination)
    assert not destination.exists()


def test_a_wrong_checksum_leaves_nothing(server, destination: Path) -> None:
    url = server.add("/f", server.body(OTHER))
    got = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(DownloadError, match=rf"/f: sha256 is {got}, expected {SHA256}; .*correct the checksum"):
        download.fetch(url, destination, sha256=SHA256)
    with pytest.raises(DownloadError, match="md5 is"):
        download.fetch(url, destination, md5=MD5)
    assert not list(destination.parent.iterdir())


def test_a_wrong_checksum_keeps_the_file_of_before(server, destination: Path) -> None:
    destination.parent.mkdir()
    destination.write_bytes(b"complete before")
    with pytest.raises(DownloadError, match="sha256"):
        download.fetch(server.add("/f", server.body(OTHER)), destination, sha256=SHA256)
    assert destination.read_bytes() == b"complete before"


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_what_is_not_there_is_not_asked_for_again(server, destination: Path, code: int) -> None:
    with pytest.raises(DownloadError, match=rf"/f: the server answered {code} .*check the address"):
        download.fetch(server.add("/f", server.status(code)), destination)
    assert len(server.requests) == 1
    assert not destination.exists()


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503])
def test_a_passing_trouble_is_waited_for(server, destination: Path, code: int) -> None:
    download.fetch(server.add("/f", server.status(code), server.body(DATA)), destination, sha256=SHA256)
    assert len(server.requests) == 2


def test_retry_after_is_obeyed(server, destination: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(connections.time, "sleep", waits.append)
    date = email.utils.formatdate(time.time() + 60, usegmt=True)
    url = server.add("/f", server.status(429, Retry_After="7"), server.status(503, Retry_After=date), server.body(DATA))
    download.fetch(url, destination, sha256=SHA256)
    assert waits[0] == 7
    assert waits[1] == pytest.approx(60, abs=5)


def test_nobody_waits_for_a_day(server, destination: Path) -> None:
    url = server.add("/f", server.status(429, Retry_After="86400"))
    with pytest.raises(DownloadError, match=r"answered 429 .* asks to wait 86400 s; run again then"):
        download.fetch(url, destination)
    assert len(server.requests) == 1


def test_mirrors_are_tried_in_turn(server, destination: Path, tmp_path: Path) -> None:
    wrong = server.add("/wrong", server.body(OTHER))
    right = server.add("/right", server.body(DATA))
    never = server.add("/never", server.body(DATA))
    mirrors = [str(tmp_path / "gone"), wrong, right, never]
    download.fetch(server.address + "/gone", destination, sha256=SHA256, mirrors=mirrors)
    assert destination.read_bytes() == DATA
    assert [path for path, _ in server.requests] == ["/gone", "/wrong", "/right"]


def test_when_no_mirror_helps_each_says_why(server, destination: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"/a: the server answered 404 .*; .*gone: cannot be read: No such file"):
        download.fetch(server.address + "/a", destination, mirrors=[str(tmp_path / "gone")])


def test_no_server_at_all(server, destination: Path) -> None:
    with pytest.raises(DownloadError, match=r"127.0.0.1:9/f: no connection \(ConnectionError\) \(3 attempts\)"):
        download.fetch("http://127.0.0.1:9/f", destination)


@pytest.mark.parametrize("location", ["ftp://host/f", "s3://bucket/f"])
def test_other_schemes_are_refused(destination: Path, location: str) -> None:
    with pytest.raises(DownloadError, match=r"expected http\(s\)://, file:// or a local path"):
        download.fetch(location, destination)


@pytest.mark.parametrize("location", ["http://", "http://[::1"])
def test_a_broken_url(destination: Path, location: str) -> None:
    with pytest.raises(DownloadError, match="not a URL"):
        download.fetch(location, destination)


@pytest.mark.parametrize("as_url", [False, True])
def test_local_files_are_copied_and_checked(tmp_path: Path, destination: Path, as_url: bool) -> None:
    source = tmp_path / "a file.bin"
    source.write_bytes(DATA)
    location = source.as_uri() if as_url else str(source)
    assert download.fetch(location, destination, sha256=SHA256) == destination
    assert destination.read_bytes() == DATA
    assert alone(destination)
    with pytest.raises(DownloadError, match=r"a file.bin: md5 is"):
        download.fetch(location, tmp_path / "other", md5="0" * 32)
    assert not (tmp_path / "other").exists()


def test_a_file_may_be_fetched_onto_itself(tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(DATA)
    assert download.fetch(str(source), source).read_bytes() == DATA


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_told_from_a_broken_connection(server, destination: Path) -> None:
    url = server.add("/f", server.body(DATA))
    destination.parent.mkdir()
    (destination.parent / "weights.ckpt.part").symlink_to("/dev/full")
    with pytest.raises(MachineError, match=r"ckpt.part: cannot be written: No space left.*free space"):
        download.fetch(url, destination)
    assert len(server.requests) == 1


def test_a_destination_that_cannot_be(server, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a folder is needed")
    with pytest.raises(DataError, match="cannot be written"):
        download.fetch(server.add("/f", server.body(DATA)), tmp_path / "blocked" / "f")


def test_notes_that_are_damaged_only_cost_the_start(server, destination: Path) -> None:
    destination.parent.mkdir()
    (destination.parent / "weights.ckpt.part").write_bytes(OTHER)
    (destination.parent / "weights.ckpt.part.json").write_text("[")
    download.fetch(server.add("/f", server.body(DATA)), destination)
    assert destination.read_bytes() == DATA


def test_a_part_that_was_complete_is_taken(server, destination: Path) -> None:
    url = server.add("/f", server.body(DATA))
    destination.parent.mkdir()
    (destination.parent / "weights.ckpt.part").write_bytes(DATA)
    (destination.parent / "weights.ckpt.part.json").write_text(json.dumps([url, '"v1"', len(DATA)]))
    download.fetch(url, destination, sha256=SHA256)
    assert not server.requests


def read(location: str | Path, size: int = 700) -> bytes:
    """Read a stream to its end in small pieces."""
    with download.open_stream(location) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


def test_a_stream_reads_files_and_urls(server, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    url = server.add("/f", server.body(DATA))
    assert read(tmp_path / "f") == read((tmp_path / "f").as_uri()) == read(url) == DATA
    with pytest.raises(DownloadError, match="gone: cannot be read"):
        read(tmp_path / "gone")
    with pytest.raises(DownloadError, match="404"):
        read(server.address + "/gone")


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_stream_goes_on_after_a_cut(server, ranges: bool, chunked: bool) -> None:
    options = {"ranges": ranges, "chunked": chunked}
    url = server.add(
        "/f",
        server.body(DATA, cut=1000, **options),
        server.body(DATA, cut=2500, **options),
        server.body(DATA, **options),
    )
    assert read(url) == DATA


def test_a_stream_notices_another_version(server) -> None:
    for path, options in (("/a", {"ranges": False}), ("/b", {"etag": '"v2"'}), ("/c", {"shift": 1})):
        url = server.add(path, server.body(DATA, cut=1000), server.body(OTHER, **options))
        with pytest.raises(DownloadError, match="changed while it was read"):
            read(url)


@pytest.mark.parametrize("chunked", [True, False])
def test_more_than_a_file_can_be_is_given_up(server, destination: Path, chunked: bool) -> None:
    url = server.add("/f", server.body(DATA, chunked=chunked))
    with pytest.raises(DownloadError, match=r"/f: [45],[0-9]{3} bytes or more, at most 4,000 are expected"):
        download.fetch(url, destination, max_bytes=4000)
    assert list(destination.parent.glob("*")) == []


def test_a_stream_without_an_end_is_given_up(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_BYTES", 4000)
    url = server.add("/f", server.body(DATA, chunked=True))
    with pytest.raises(DownloadError, match="at most 4,000 are expected"):
        read(url)


@pytest.mark.parametrize("stream", [True, False])
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(
    server, destination: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr(connections, "SLOW_S", 0.2)
    url = server.add("/f", server.body(DATA, slow_s=0.03))
    with pytest.raises(DownloadError, match=r"the server sent \d+ bytes in \d s \(3 attempts\)"):
        read(url) if stream else download.fetch(url, destination)


def test_a_stream_gives_up_on_a_dead_server(server) -> None:
    url = server.add("/f", server.body(DATA, cut=1000), server.status(500))
    with pytest.raises(DownloadError, match=r"500 .*\(3 attempts\)"):
        read(url)
