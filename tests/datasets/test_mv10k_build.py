"""From every source of MV-10K to shards of videos, through servers that misbehave and runs that are killed."""

from __future__ import annotations

import csv
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
import yaml

from unisono.config.compute import Compute
from unisono.config.mv10k import Mv10k, parse
from unisono.datasets.mv10k import build, quantisation, ready, simulated, tagged
from unisono.errors import DataError, DownloadError
from unisono.io import download, parquet, sequence_example, tfrecord

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
FRAMES = (12, 15)


def configured(**changes: Any) -> Mv10k:
    """The section of params.yaml with small videos; `changes` by dotted name, dots as two underscores."""
    raw = yaml.safe_load(PARAMS.read_text())["mv10k"]
    small = {
        "videos__min_frames": FRAMES[0],
        "videos__max_frames": FRAMES[1],
        "videos__shard_size": 8,
        "videos__simulated__videos": 20,
        "videos__simulated__rejected": 8,
        "videos__simulated__tagged": 10,
        "videos__youtube8m__max_videos": 10,
        "videos__youtube8m__shards_per_group": 2,
        "videos__youtube8m__partitions": ["train"],
    }
    for name, value in {**small, **changes}.items():
        *path, key = name.split("__")
        section = raw
        for part in path:
            section = section[part]
        section[key] = value
    return parse(raw)


@pytest.fixture
def compute(tmp_path: Path) -> Compute:
    return Compute(executor="serial", scratch=tmp_path / "scratch")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_simulated(tmp_path: Path, compute: Compute) -> None:
    out, table = tmp_path / "videos", tmp_path / "shards.csv"
    build.from_records(configured(), compute, out=out, table=table)
    assert [path.name for path in parquet.shards(out)] == [parquet.shard_name(i) for i in range(3)]
    videos = parquet.read(out)
    assert videos.column_names == ["id", "n_frames", "audio", "rgb", "tag"]
    assert sorted(videos["id"].to_pylist()) == [f"v{i:06d}" for i in range(20)]
    assert sorted(videos["tag"].to_pylist()) == sorted(2 * simulated.MOODS)
    world = simulated.World(0, min_frames=FRAMES[0], max_frames=FRAMES[1])
    rgb, audio = parquet.to_numpy(videos["rgb"]), parquet.to_numpy(videos["audio"])
    for row, identifier in enumerate(videos["id"].to_pylist()):
        expected = world.video(int(identifier[1:]))
        np.testing.assert_array_equal(rgb[row], expected.rgb)
        np.testing.assert_array_equal(audio[row], expected.audio)
        assert rgb[row].dtype == np.uint8
        assert videos["n_frames"][row].as_py() == len(expected.rgb)
    facts = parquet.metadata(out)
    assert (facts["dataset"], facts["source"], facts["rule"]) == ("mv10k", "simulated", "only_label")
    rejected = dict.fromkeys(simulated.FAILURES, 2)
    assert facts["counts"] == {"seen": 28, "accepted": 20, **rejected, "duplicate_id": 0, "surplus": 0}
    (row_,) = csv.DictReader(table.open())
    assert row_["shard"] == "simulated0000.tfrecord"
    assert {name: int(row_[name]) for name in facts["counts"]} == facts["counts"]
    assert not list(compute.scratch.rglob("*.*"))


def test_other_rule_and_workers_give_the_same_videos(tmp_path: Path, compute: Compute) -> None:
    build.from_records(configured(), compute, out=tmp_path / "a", table=tmp_path / "a.csv")
    two = Compute(workers=2, scratch=tmp_path / "other")
    build.from_records(configured(), two, out=tmp_path / "b", table=tmp_path / "b.csv")
    assert content(tmp_path / "a") == content(tmp_path / "b")
    other = configured(videos__rule="no_other_vertical")
    build.from_records(other, compute, out=tmp_path / "c", table=tmp_path / "c.csv")
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "c.csv").read_text()


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
    monkeypatch.setattr(download, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(download, "ATTEMPTS", 3)
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


def test_simulated_tagged_set_is_apart_from_the_videos(tmp_path: Path, compute: Compute) -> None:
    assert tagged.build(configured(), compute, videos=tmp_path / "videos", out=tmp_path / "tagged") == 10
    table = parquet.read(tmp_path / "tagged")
    assert table.column_names == ["id", "audio", "tag"]
    assert sorted(table["tag"].to_pylist()) == sorted(simulated.MOODS)
    assert not any(identifier.startswith("v") for identifier in table["id"].to_pylist())


def write_videos(folder: Path, **changes: Any) -> Path:
    """Ready-made shards of three videos."""
    columns: dict[str, Any] = {
        "id": ["a", "b", "c"],
        "audio": [np.full((n, 128), n, np.uint8) for n in (2, 3, 4)],
        "rgb": [np.full((n, 1024), n, np.float32) for n in (2, 3, 4)],
        "label": ["x", "y", "x"],
        **changes,
    }
    types = {
        "id": pa.string(),
        "audio": pa.list_(pa.list_(pa.uint8(), 128)),
        "rgb": parquet.matrix(None, 1024),
        "label": pa.string(),
    }
    kept = {name: values for name, values in columns.items() if values is not None}
    parquet.write(folder / "part-00000.parquet", kept, types={name: types[name] for name in kept})
    return folder


def test_tags_of_the_user(tmp_path: Path, compute: Compute) -> None:
    videos = write_videos(tmp_path / "videos")
    tags = tmp_path / "tags.csv"
    tags.write_text("id,tag,more\nc,calm,1\na,angry,2\nelsewhere,calm,3\n")
    config = configured(source="parquet", emotion__tags=str(tags))
    assert tagged.build(config, compute, videos=videos, out=tmp_path / "tagged") == 2
    table = parquet.read(tmp_path / "tagged")
    assert table["id"].to_pylist() == ["a", "c"]
    assert table["tag"].to_pylist() == ["angry", "calm"]
    assert [len(audio) for audio in parquet.to_numpy(table["audio"])] == [2, 4]
    tags.write_text("id,tag\nelsewhere,calm\n")
    with pytest.raises(DataError, match="none of its 1 ids"):
        tagged.build(config, compute, videos=videos, out=tmp_path / "none")
    empty = configured(source="parquet")
    assert tagged.build(empty, compute, videos=videos, out=tmp_path / "none") == 0
    assert parquet.read(tmp_path / "none").num_rows == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has no column 'id'"),
        ("id,tag\na,\n", "line 2: id or tag is empty"),
        ("id,tag\na,x\na,y\n", "line 3: id 'a' occurs twice"),
        ("id,tag\n", "names no id"),
    ],
)
def test_damaged_tables_of_tags(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tags.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        tagged.read_pairs(path, ("id", "tag"))
    with pytest.raises(DataError, match="cannot be read"):
        tagged.read_pairs(tmp_path / "none.csv", ("id", "tag"))


def test_ready_made_shards(tmp_path: Path, compute: Compute) -> None:
    assert ready.from_parquet(write_videos(tmp_path / "own"), compute, out=tmp_path / "videos") == 3
    table = parquet.read(tmp_path / "videos")
    assert table["n_frames"].to_pylist() == [2, 3, 4]
    assert table["label"].to_pylist() == ["x", "y", "x"]
    assert parquet.to_numpy(table["audio"])[1].dtype == np.uint8
    assert parquet.to_numpy(table["rgb"])[2].shape == (4, 1024)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rgb": None}, "has no column 'rgb'"),
        ({"id": ["a", "b", "a"]}, "id 'a' occurs 2 times"),
        ({"rgb": [np.ones((n, 1024)) for n in (2, 3, 5)]}, "c: 4 frames of audio and 5 of rgb"),
        ({"rgb": [np.full((n, 1024), np.nan) for n in (2, 3, 4)]}, "a: holds NaN"),
    ],
)
def test_damaged_ready_made_shards(tmp_path: Path, compute: Compute, changes: dict[str, Any], message: str) -> None:
    folder = write_videos(tmp_path / "own", **changes)
    with pytest.raises(DataError, match=message):
        ready.from_parquet(folder, compute, out=tmp_path / "videos")
    assert not (tmp_path / "videos").exists()


def test_published_features(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "mv10k.h5", "w") as file:
        for part, n in (("train", 6), ("test", 3)):
            file[f"audio_{part}"] = quantisation.dequantise(rng.integers(0, 256, (n, 128), np.uint8))
            file[f"visual_{part}"] = rng.integers(0, 256, (n, 1024), np.uint8)
            file[f"lab_{part}"] = np.arange(n) % 3
    out = tmp_path / "videos"
    assert ready.from_published(str(tmp_path / "mv10k.h5"), sha256="", out=out, shard_size=4) == 9
    table = parquet.read(out)
    assert len(parquet.shards(out)) == 3
    assert table["split"].to_pylist() == ["train"] * 6 + ["test"] * 3
    assert table["n_frames"].to_pylist() == [1] * 9
    facts = parquet.metadata(out)
    assert facts == {
        "dataset": "mv10k",
        "source": "features",
        "layout": "A",
        "scales": {"audio": "dequantised", "visual": "8-bit"},
    }
