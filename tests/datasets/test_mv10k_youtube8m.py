"""Public shards of YouTube-8M, through servers that misbehave and runs that are killed."""

from __future__ import annotations

import csv
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets.mv10k import FRAMES, configured, content
from unisono.config.compute import Compute
from unisono.config.mv10k import Mv10k
from unisono.datasets.mv10k import build
from unisono.errors import DataError, DownloadError
from unisono.io import connections, parquet, sequence_example, tfrecord

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


class Server:
    """Serves `files`; a path in `answers` is answered by the functions queued for it, the last one stays."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[str] = []
        self.address = ""

    def plan(self, shards: dict[str, list[bytes]], folder: Path) -> None:
        """Write TFRecord shards and serve them with a plan."""
        md5 = {}
        for name, records in shards.items():
            tfrecord.write(folder / name, records)
            self.files[f"/train/{name}"] = (folder / name).read_bytes()
            md5[name] = hashlib.md5(self.files[f"/train/{name}"]).hexdigest()
        self.files["/train.json"] = json.dumps({"files": md5}).encode()

    def config(self, **changes: Any) -> Mv10k:
        plan, mirrors = f"{self.address}/{{partition}}.json", [f"{self.address}/{{partition}}/{{name}}"]
        settings = {"videos__youtube8m__plan": plan, "videos__youtube8m__mirrors": mirrors}
        return configured(source="youtube8m", **{**settings, **changes})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on this machine; waits between attempts are short."""
    monkeypatch.setattr(connections, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(connections, "ATTEMPTS", 3)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.requests.append(self.path)
            data = running.files.get(self.path, b"")
            queue = running.answers.get(self.path, [whole if data else status(404)])
            (queue.pop(0) if len(queue) > 1 else queue[0])(self, data)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.address = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def whole(request: BaseHTTPRequestHandler, data: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    request.wfile.write(data)


def status(code: int) -> Answer:
    def answer(request: BaseHTTPRequestHandler, data: bytes) -> None:
        request.send_response(code)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def cut(request: BaseHTTPRequestHandler, data: bytes) -> None:
    """Close the connection half-way."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    request.wfile.write(data[: len(data) // 2])


def short(request: BaseHTTPRequestHandler, data: bytes) -> None:
    """Lie about the length, and keep to the lie."""
    whole(request, data[: len(data) // 2])


def other(request: BaseHTTPRequestHandler, data: bytes) -> None:
    """Send something else of the same length."""
    whole(request, bytes(len(data)))


def video(identifier: str, labels: tuple[int, ...] = (14,), n: int = FRAMES[0]) -> bytes:
    rng = np.random.default_rng(sum(identifier.encode()))
    frames = {"rgb": rng.integers(0, 256, (n, 1024), np.uint8), "audio": rng.integers(0, 256, (n, 128), np.uint8)}
    return sequence_example.encode(identifier, labels, frames)


def five_shards() -> dict[str, list[bytes]]:
    """Shards aa ... ee of three accepted videos and one rejected each; ee is not needed for ten."""
    return {f"train{c}{c}.tfrecord": [*(video(f"{c}{i}") for i in range(3)), video(f"{c}3", (14, 3))] for c in "abcde"}


def run(config: Mv10k, compute: Compute, folder: Path) -> list[dict[str, str]]:
    build.from_records(config, compute, out=folder / "videos", table=folder / "shards.csv")
    with (folder / "shards.csv").open() as file:
        return list(csv.DictReader(file))


def test_public_shards_up_to_the_wanted_number(tmp_path: Path, compute: Compute, server: Server) -> None:
    server.plan(five_shards(), tmp_path / "made")
    rows = run(server.config(), compute, tmp_path)
    assert parquet.read(tmp_path / "videos", ["id"])["id"].to_pylist() == [
        "a0", "a1", "a2", "b0", "b1", "b2", "c0", "c1", "c2", "d0",
    ]  # fmt: skip
    assert [row["shard"] for row in rows] == [f"train-train{c}{c}.tfrecord" for c in "abcd"]
    assert (rows[3]["accepted"], rows[3]["surplus"], rows[3]["other_labels"]) == ("1", "2", "1")
    assert "tag" not in parquet.read(tmp_path / "videos").column_names
    assert not any("ee" in path for path in server.requests)  # its group was not begun
    assert not list(compute.scratch.rglob("*.tfrecord"))


def test_at_most_one_shard_at_a_time_is_on_disk(
    tmp_path: Path, compute: Compute, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.plan(five_shards(), tmp_path / "made")
    seen = []
    read = tfrecord.read

    def spy(path: Path) -> Iterator[bytes]:
        seen.append(len([p for p in compute.scratch.rglob("*.tfrecord") if p.parent.name == "shards"]))
        return read(path)

    monkeypatch.setattr(tfrecord, "read", spy)
    run(server.config(), compute, tmp_path)
    assert seen == [1, 1, 1, 1]


def test_duplicate_ids_across_shards_are_counted(tmp_path: Path, compute: Compute, server: Server) -> None:
    shards = {"ta.tfrecord": [video("x"), video("y")], "tb.tfrecord": [video("y"), video("z"), video("z")]}
    server.plan(shards, tmp_path / "made")
    rows = run(server.config(), compute, tmp_path)
    assert parquet.read(tmp_path / "videos")["id"].to_pylist() == ["x", "y", "z"]
    assert [(row["seen"], row["accepted"], row["duplicate_id"]) for row in rows] == [("2", "2", "0"), ("3", "1", "2")]


@pytest.mark.parametrize("path", ["/train.json", "/train/traincc.tfrecord"])
@pytest.mark.parametrize("trouble", [status(429), status(500), cut])
def test_passing_troubles_are_overcome(
    tmp_path: Path, compute: Compute, server: Server, path: str, trouble: Answer
) -> None:
    server.plan(five_shards(), tmp_path / "made")
    server.answers[path] = [trouble, trouble, whole]
    assert len(run(server.config(), compute, tmp_path)) == 4


@pytest.mark.parametrize(
    ("path", "trouble", "message"),
    [
        ("/train.json", status(404), r"train\.json: the server answered 404"),
        ("/train/traincc.tfrecord", status(404), r"traincc\.tfrecord: the server answered 404"),
        ("/train/traincc.tfrecord", status(429), r"traincc\.tfrecord: .*429"),
        ("/train/traincc.tfrecord", status(500), r"traincc\.tfrecord: .*500"),
        ("/train/traincc.tfrecord", cut, r"traincc\.tfrecord: the connection"),
        ("/train/traincc.tfrecord", short, r"traincc\.tfrecord: md5 is"),
        ("/train/traincc.tfrecord", other, r"traincc\.tfrecord: md5 is"),
    ],
)
def test_lasting_troubles_end_in_a_line_and_the_next_run_goes_on(
    tmp_path: Path, compute: Compute, server: Server, path: str, trouble: Answer, message: str
) -> None:
    server.plan(five_shards(), tmp_path / "made")
    run(server.config(), compute, tmp_path / "smooth")
    before = len(server.requests)
    server.answers[path] = [trouble]
    with pytest.raises(DownloadError, match=message):
        run(server.config(), compute, tmp_path / "rough")
    assert not (tmp_path / "rough" / "videos").exists()
    del server.answers[path]
    run(server.config(), compute, tmp_path / "rough")
    assert content(tmp_path / "smooth" / "videos") == content(tmp_path / "rough" / "videos")
    assert (tmp_path / "smooth" / "shards.csv").read_bytes() == (tmp_path / "rough" / "shards.csv").read_bytes()
    # The shards before the trouble were fetched once.
    assert server.requests[before:].count("/train/trainaa.tfrecord") == 1


def test_a_second_mirror_helps(tmp_path: Path, compute: Compute, server: Server) -> None:
    server.plan(five_shards(), tmp_path / "made")
    mirrors = [f"{server.address}/gone/{{name}}", f"{server.address}/{{partition}}/{{name}}"]
    assert len(run(server.config(videos__youtube8m__mirrors=mirrors), compute, tmp_path)) == 4


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-3], r"traincc\.tfrecord: record 3 .*truncated"),
        (lambda data: data[:100] + b"?" + data[101:], "record 0 at byte 0: wrong checksum of the data"),
        (lambda data: b"", "the file is empty"),
        (lambda data: b"<html>a page instead of a shard</html>", "not a TFRecord file"),
    ],
)
def test_damaged_shards_whose_md5_is_right(
    tmp_path: Path, compute: Compute, server: Server, damage: Callable[[bytes], bytes], message: str
) -> None:
    server.plan(five_shards(), tmp_path / "made")
    local = tmp_path / "local"
    local.mkdir()
    files = {Path(path).name: data for path, data in server.files.items() if path.endswith(".tfrecord")}
    files["traincc.tfrecord"] = damage(files["traincc.tfrecord"])
    for name, data in files.items():
        (local / name).write_bytes(data)
    plan = {name: hashlib.md5(data).hexdigest() for name, data in files.items()}
    (local / "plan_train.json").write_text(json.dumps({"files": plan}))
    config = server.config(
        videos__youtube8m__plan=str(local / "plan_{partition}.json"),
        videos__youtube8m__mirrors=[str(local / "{name}")],
    )
    with pytest.raises(DataError, match=message):
        run(config, compute, tmp_path)
    assert len(list(local.iterdir())) == 6  # the user's own files are not deleted


@pytest.mark.parametrize("victim", [1, 2, 4])
def test_a_killed_run_ends_with_the_same_bytes(
    tmp_path: Path, compute: Compute, server: Server, monkeypatch: pytest.MonkeyPatch, victim: int
) -> None:
    """The run dies (as by a signal) while it writes its n-th shard; the next one goes on there."""
    server.plan(five_shards(), tmp_path / "made")
    run(server.config(), compute, tmp_path / "smooth")
    before = len(server.requests)
    accept, calls = build.filtering.accept, []

    def dying(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == victim:
            raise KeyboardInterrupt
        return accept(*args, **kwargs)

    monkeypatch.setattr(build.filtering, "accept", dying)
    with pytest.raises(KeyboardInterrupt):
        run(server.config(), compute, tmp_path / "rough")
    monkeypatch.setattr(build.filtering, "accept", accept)
    run(server.config(), compute, tmp_path / "rough")
    assert content(tmp_path / "smooth" / "videos") == content(tmp_path / "rough" / "videos")
    done_first = "/train/trainaa.tfrecord"
    assert server.requests[before:].count(done_first) == (2 if victim == 1 else 1)


def test_no_video_that_passes(tmp_path: Path, compute: Compute, server: Server) -> None:
    server.plan({"ta.tfrecord": [video("x", (3,))]}, tmp_path / "made")
    with pytest.raises(DataError, match="none of 1 videos passes"):
        run(server.config(), compute, tmp_path)


def test_vocabulary_is_fetched_for_its_rule(tmp_path: Path, compute: Compute, server: Server) -> None:
    server.plan({"ta.tfrecord": [video("x", (14, 3)), video("y", (14, 0))]}, tmp_path / "made")
    path = tmp_path / "vocabulary.csv"
    head = "Index,Name,Vertical1,Vertical2,Vertical3\n"
    path.write_text(head + "0,Game,Games,,\n3,Concert,Arts,,\n14,Music video,Arts,,\n")
    config = server.config(videos__rule="no_other_vertical", videos__vocabulary=str(path))
    run(config, compute, tmp_path)
    assert parquet.read(tmp_path / "videos")["id"].to_pylist() == ["x"]
