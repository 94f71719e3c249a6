"""Pieces of YouTube videos: yt-dlp itself with an extractor that asks a server on this machine."""

from __future__ import annotations

import csv
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unisono.config.compute import Compute
from unisono.config.vegas import Vegas
from unisono.datasets.vegas import build as clips
from unisono.datasets.vegas import youtube
from unisono.errors import ConfigError, DataError, DownloadError, MissingExtra, naming_extras
from unisono.io import parquet
from unisono.media import mp4, video

yt_dlp = pytest.importorskip("yt_dlp", reason="yt-dlp is not installed (pip install unisono[youtube])")
ROOT = Path(__file__).resolve().parents[2]
IDS = [f"abcdefghij{i}" for i in range(6)]


class Tube:
    """The server: what to answer for each video, and what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | int | str] = {}
        self.asked: Counter[str] = Counter()
        self.cookies: list[str] = []
        self.address = ""


@pytest.fixture
def tube(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tube]:
    from yt_dlp.extractor.common import InfoExtractor
    from yt_dlp.utils import ExtractorError

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    state = Tube()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = state.answers[self.path.strip("/")]
            state.asked[self.path.strip("/")] += 1
            body = answer if isinstance(answer, bytes) else b""
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Stub(InfoExtractor):
        IE_NAME = "youtube"
        _VALID_URL = r"https://www\.youtube\.com/watch\?v=(?P<id>[\w-]{11})"

        def _real_extract(self, url: str) -> dict[str, Any]:
            name = self._match_id(url)
            answer = state.answers[name]
            state.cookies += [cookie.value for cookie in self.cookiejar if cookie.name == "SID"]
            if isinstance(answer, str):
                state.asked[name] += 1
                raise ExtractorError(answer, expected=True, video_id=name)
            return {"id": name, "title": name, "url": f"{state.address}/{name}", "ext": "mp4"}

    real = yt_dlp.YoutubeDL

    def stubbed(options: dict[str, Any]) -> Any:
        client = real({**options, "retries": 0, "extractor_retries": 0}, auto_init=False)
        client.add_info_extractor(Stub())
        return client

    monkeypatch.setattr(yt_dlp, "YoutubeDL", stubbed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def settings(**changes: Any) -> Vegas:
    vegas = Vegas.load(ROOT / "params.yaml")
    part = vegas.clips.youtube.model_copy(update={"sleep_s": 0.0, **changes})
    return vegas.model_copy(
        update={
            "source": "youtube",
            "clips": vegas.clips.model_copy(update={"youtube": part}),
            "folds": vegas.folds.model_copy(update={"n": 2}),
        }
    )


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(vegas: Vegas) -> dict[str, Any]:
        return clips.build(
            vegas,
            Compute(executor="serial", scratch=tmp_path / "scratch"),
            raw=tmp_path / "raw",
            out=tmp_path / "samples",
            skipped=tmp_path / "skipped.csv",
            summary=tmp_path / "summary.json",
            status=tmp_path / "status.csv",
        )

    return run


def write_list(tmp_path: Path, rows: list[str]) -> Path:
    path = tmp_path / "raw" / "clips.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def film() -> bytes:
    """6 s, brighter by 30 each second, with a noise."""
    pictures = [np.full((48, 64, 3), 30 * (i // 10), dtype=np.uint8) for i in range(60)]
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 6 * 16_000).astype(np.float32)
    return mp4.encode(pictures, 10, noise, 16_000)


ROWS = ["youtube_id,start,end,class", *(f"{name},1,4,{'dog' if i < 3 else 'drum'}" for i, name in enumerate(IDS))]


def status_of(tmp_path: Path) -> dict[str, tuple[str, str]]:
    with (tmp_path / "status.csv").open(encoding="utf-8") as file:
        return {row["youtube_id"]: (row["status"], row["reason"]) for row in csv.DictReader(file)}


def test_pieces_are_fetched_cut_and_noted(
    tube: Tube, build: Callable[..., dict[str, Any]], tmp_path: Path, film: bytes
) -> None:
    write_list(tmp_path, [*ROWS, f"{IDS[0]},2,5,drum"])
    tube.answers = dict.fromkeys(IDS, film) | {IDS[2]: "Video unavailable. This video is private"}
    facts = build(settings())
    assert facts["classes"] == {"dog": 2, "drum": 4}
    assert tube.asked[IDS[0]] == 1  # two pieces of one video
    rows = {row["id"]: row for row in parquet.read(tmp_path / "samples").to_pylist()}
    second = rows[f"{IDS[0]}_2_5"]
    assert second["duration_s"] == pytest.approx(3, abs=0.1)
    frames = video.frames(second["video"]["bytes"])
    assert [round(float(np.median(frame))) for frame in frames] == pytest.approx([60, 90, 120], abs=3)
    status = status_of(tmp_path)
    assert status[IDS[0]] == ("available", "")
    assert status[IDS[2]][0] == "unavailable"
    assert "private" in status[IDS[2]][1]
    assert "private" in (tmp_path / "skipped.csv").read_text()


@pytest.mark.parametrize("gone", ["This video has been removed", 404])
def test_a_second_run_asks_only_for_what_failed(
    tube: Tube, build: Callable[..., dict[str, Any]], tmp_path: Path, film: bytes, gone: Any
) -> None:
    write_list(tmp_path, [row.replace("drum", "dog") for row in ROWS])
    tube.answers = dict.fromkeys(IDS, film) | {IDS[1]: 503, IDS[2]: gone}
    build(settings())
    assert {name: status for name, (status, _) in status_of(tmp_path).items() if status != "available"} == {
        IDS[1]: "failed",
        IDS[2]: "unavailable",
    }
    tube.asked.clear()
    tube.answers[IDS[1]] = film
    facts = build(settings())
    assert tube.asked == {IDS[1]: 1}
    assert facts["classes"] == {"dog": 5}


@pytest.mark.parametrize(
    "passing",
    [
        "Requested format is not available. Use --list-formats for a list of available formats",
        "This live event will begin in 3 hours.",
        "Premieres in 2 days",
        "Sign in to confirm your age. This video may be inappropriate for some users. Use --cookies",
        "Video unavailable. The uploader has not made this video available in your country",
        "Join this channel to get access to members-only content",
        "This video is not available",
    ],
)
def test_what_is_this_machines_or_moments_is_asked_for_again(
    tube: Tube, build: Callable[..., dict[str, Any]], tmp_path: Path, film: bytes, passing: str
) -> None:
    gone = "Private video. Sign in if you've been granted access to this video"
    write_list(tmp_path, [row.replace("drum", "dog") for row in ROWS])
    tube.answers = dict.fromkeys(IDS, film) | {IDS[1]: passing, IDS[2]: gone}
    build(settings())
    assert [status_of(tmp_path)[name][0] for name in IDS[:3]] == ["available", "failed", "unavailable"]
    tube.asked.clear()
    tube.answers[IDS[1]] = film
    assert build(settings())["classes"] == {"dog": 5}
    assert tube.asked == {IDS[1]: 1}


def test_what_was_noted_as_gone_without_reason_is_asked_for_again(
    tube: Tube, build: Callable[..., dict[str, Any]], tmp_path: Path, film: bytes
) -> None:
    write_list(tmp_path, ROWS)
    tube.answers = dict.fromkeys(IDS, film) | {IDS[5]: "Video unavailable"}
    build(settings())
    (notes,) = (tmp_path / "scratch").rglob("unavailable.json")
    (notes.parent / f"{IDS[0]}.mp4").unlink()
    notes.write_text(f'{{"{IDS[0]}": "Requested format is not available", "{IDS[5]}": "Video unavailable"}}')
    tube.asked.clear()
    build(settings())
    assert tube.asked == {IDS[0]: 1}


def test_too_few_videos_are_an_error_that_says_which(
    tube: Tube, build: Callable[..., dict[str, Any]], tmp_path: Path, film: bytes
) -> None:
    write_list(tmp_path, ROWS)
    tube.answers = dict.fromkeys(IDS, "Video unavailable") | {IDS[0]: film}
    with pytest.raises(DataError, match=r"1 of 6 pieces are available, fewer than .*min_available = 0.5"):
        build(settings())
    assert Counter(status for status, _ in status_of(tmp_path).values()) == {"unavailable": 5, "available": 1}


@pytest.mark.parametrize("answer", [429, "Sign in to confirm you're not a bot"])
def test_a_call_to_slow_down_ends_the_run_and_keeps_what_came(
    tube: Tube, build: Callable[..., dict[str, Any]], tmp_path: Path, film: bytes, answer: Any
) -> None:
    write_list(tmp_path, ROWS)
    tube.answers = dict.fromkeys(IDS, film) | {IDS[1]: answer}
    with pytest.raises(DownloadError, match=r"what was fetched is kept: run again later"):
        build(settings())
    assert set(tube.asked) <= {IDS[0], IDS[1]}
    tube.answers[IDS[1]] = film
    tube.asked.clear()
    build(settings())
    assert IDS[0] not in tube.asked


def test_a_network_that_is_down_ends_the_run(tube: Tube, build: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    write_list(tmp_path, ROWS)
    tube.answers = dict.fromkeys(IDS, 500)
    with pytest.raises(DownloadError, match="5 videos in a row failed"):
        build(settings())


def test_it_waits_between_videos(
    tube: Tube, build: Callable[..., dict[str, Any]], tmp_path: Path, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_list(tmp_path, ROWS)
    tube.answers = dict.fromkeys(IDS, film)
    waits: list[float] = []
    monkeypatch.setattr(youtube.time, "sleep", waits.append)
    build(settings(sleep_s=7.5))
    assert waits.count(7.5) == 6


def test_cookies_come_from_the_environment_and_their_file_is_left_alone(
    tube: Tube, build: Callable[..., dict[str, Any]], tmp_path: Path, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_list(tmp_path, ROWS)
    tube.answers = dict.fromkeys(IDS, film)
    path = tmp_path / "cookies.txt"
    text = "# Netscape HTTP Cookie File\n.youtube.com\tTRUE\t/\tTRUE\t4102444800\tSID\tfabricated\n"
    path.write_text(text)
    monkeypatch.setenv(youtube.COOKIES, str(path))
    build(settings())
    assert set(tube.cookies) == {"fabricated"}
    assert path.read_text() == text
    monkeypatch.setenv(youtube.COOKIES, str(tmp_path / "none.txt"))
    with pytest.raises(ConfigError, match=f"{youtube.COOKIES}: no such file"):
        build(settings())


def test_a_missing_yt_dlp_is_named(
    build: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_list(tmp_path, ROWS)
    monkeypatch.setitem(__import__("sys").modules, "yt_dlp", None)
    with pytest.raises(MissingExtra, match=r'pip install "unisono\[youtube\]"'), naming_extras():
        build(settings())


def test_lists_with_and_without_a_header_are_read(tmp_path: Path) -> None:
    plain = youtube.read_list(write_list(tmp_path, ["# id, start, end, class", f"{IDS[0]}, 30.5, 40, dog", ""]))
    assert plain == [youtube.Piece(IDS[0], 30.5, 40.0, "dog")]
    assert plain[0].id == f"{IDS[0]}_30.5_40"
    mixed = youtube.read_list(write_list(tmp_path, ["class,note,end,start,youtube_id", f"dog,x,40,30.5,{IDS[0]}"]))
    assert mixed == plain


@pytest.mark.parametrize(
    "row, message",
    [
        ("../../etc/pwd,1,2,dog", "is no YouTube id"),
        (f"{IDS[0]},2,1,dog", "no piece"),
        (f"{IDS[0]},-1,1,dog", "no piece"),
        (f"{IDS[0]},nan,1,dog", "no piece"),
        (f"{IDS[0]},1,dog", "expected youtube_id, start, end, class"),
        (f"{IDS[0]},one,2,dog", "expected youtube_id, start, end, class"),
        (f"{IDS[0]},1,2,", "has no class"),
        (f"{IDS[1]},1,2,dog", "was there before"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"row 3: .*{message}"):
        youtube.read_list(write_list(tmp_path, ["youtube_id,start,end,class", f"{IDS[1]},1,2,dog", row]))


def test_an_empty_or_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no piece"):
        youtube.read_list(write_list(tmp_path, ["youtube_id,start,end,class"]))
    with pytest.raises(DataError, match="cannot be read"):
        youtube.read_list(tmp_path / "none.csv")
