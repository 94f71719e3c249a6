"""Bringing a model from a hub, which is a server here: what is asked for, what is kept, and what cannot be had."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from tests.features.huggingface_made import save, section
from unisono.config.huggingface import Text
from unisono.errors import DataError, DownloadError
from unisono.features.huggingface import hub, texts

pytest.importorskip("transformers", reason='needs transformers: pip install "unisono[huggingface]"')

COMMIT = "c0ffee" * 6 + "abcd"


class Hub:
    """A hub with one model, ``made/here``, whose files lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, []  # type: tuple[Path, list[str]]
        self.sizes: dict[str, int] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_HEAD(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                self.answer()

            def answer(self) -> None:
                status, content, headers = outer.answer(self.path.partition("?")[0].strip("/"))
                outer.asked.append(f"{self.command} {self.path}")
                self.send_response(status)
                headers |= {"Content-Length": str(len(content)), "X-Repo-Commit": COMMIT}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        parts = path.removeprefix("api/models/").split("/")
        if parts[:2] != ["made", "here"]:
            return 404, b"{}", {"X-Error-Code": "RepoNotFound"}
        if parts[3] not in ("main", COMMIT):
            return 404, b"{}", {"X-Error-Code": "RevisionNotFound"}
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        names = {file.relative_to(self.folder).as_posix(): file for file in files}
        if path.startswith("api/"):
            sizes = {name: self.sizes.get(name, file.stat().st_size) for name, file in names.items()}
            if parts[2] == "tree":
                found: Any = [{"type": "file", "path": n, "size": s, "oid": "0" * 40} for n, s in sizes.items()]
            else:
                siblings = [{"rfilename": name, "size": size} for name, size in sizes.items()]
                found = {"id": "made/here", "sha": COMMIT, "siblings": siblings}
            return 200, json.dumps(found).encode(), {"Content-Type": "application/json"}
        content = names["/".join(parts[4:])].read_bytes()
        return 200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"'}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, and a cache that is empty."""
    from huggingface_hub import constants

    found = Hub(save(tmp_path / "model", "bert"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", found.address)
    yield found
    found.close()


def settings(**replaced: Any) -> Text:
    return Text.model_validate(section("text", **replaced))


def test_a_model_is_brought_once(served: Hub, tmp_path: Path) -> None:
    (served.folder / "modeling_evil.py").write_text("raise SystemExit\n")
    (served.folder / "pytorch_model.bin").write_bytes(b"pickle")
    (served.folder / "onnx").mkdir()
    (served.folder / "onnx" / "model.safetensors").write_bytes(b"another")
    brought = hub.fetch(settings())
    assert brought.revision == COMMIT
    assert brought.model == "made/here"
    folder = Path(brought.location)
    assert folder.is_relative_to(tmp_path / "cache")
    kept = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    wanted = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    assert kept == {name: (served.folder / name).read_bytes() for name in wanted}, "no code, no pickle"
    assert not any("evil" in each or ".bin" in each for each in served.asked)
    own = hub.fetch(settings(location=str(served.folder)))
    said = ["love me tender"]
    np.testing.assert_array_equal(texts.Extractor(brought).embed(said), texts.Extractor(own).embed(said))

    served.asked.clear()
    assert hub.fetch(settings()) == brought
    assert hub.fetch(settings(revision=COMMIT)) == brought
    assert not served.asked, "what is in the cache is not asked for"


def test_a_model_of_which_a_part_is_missing_is_brought_whole(served: Hub) -> None:
    folder = Path(hub.fetch(settings()).location)
    (folder / "model.safetensors").resolve().unlink()
    (folder / "model.safetensors").unlink()
    assert (Path(hub.fetch(settings()).location) / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"model": "no/where"}, "no/where: no such model on the hub, or a private one; correct `model`"),
        ({"revision": "v9"}, "made/here: has no revision 'v9'; correct `revision`"),
    ],
)
def test_what_the_hub_does_not_have(served: Hub, replaced: dict[str, Any], message: str) -> None:
    with pytest.raises(DownloadError, match=message):
        hub.fetch(settings(**replaced))


def test_a_model_with_pickled_weights_is_not_brought(served: Hub, tmp_path: Path) -> None:
    (served.folder / "model.safetensors").rename(served.folder / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"made/here at main: has weights as pytorch_model.bin alone.*refs/pr/<n>"):
        hub.fetch(settings())
    assert not list((tmp_path / "cache").rglob("*.bin"))
    assert [each for each in served.asked if "resolve" in each] == []


def test_a_model_that_wants_code_is_not_taken(served: Hub) -> None:
    path = served.folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(DataError, match="made/here: wants code of its own"):
        hub.fetch(settings())


def test_a_model_larger_than_any_is_not_brought(served: Hub) -> None:
    served.sizes["model.safetensors"] = 10**12
    with pytest.raises(DataError, match="made/here at main: has more than 34,359,738,368 bytes"):
        hub.fetch(settings())
    assert [each for each in served.asked if "resolve" in each] == []


def test_no_network(served: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    served.close()
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(DownloadError, match=r"the hub cannot be asked .*cache .* copy HF_HOME .* as `location`"):
        hub.fetch(settings())


def test_a_user_who_is_offline_by_choice(served: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match=r"made/here at main: the hub cannot be asked .*copy HF_HOME"):
        hub.fetch(settings())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    brought = hub.fetch(settings())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.fetch(settings()) == brought
    assert texts.Extractor(brought).dimensions == 16
