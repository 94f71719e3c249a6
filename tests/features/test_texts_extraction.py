"""Features of lyrics for every deal: what a deal's model learns from, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from tests.features.test_texts import DOC2VEC, SETTINGS, TFIDF, lyrics
from unisono.errors import DataError
from unisono.features import texts
from unisono.features.texts import extraction
from unisono.io import parquet

ROOT = Path(__file__).resolve().parents[2]
N = 24
IDS = [f"song{i:02d}" for i in range(N)]


def deals(n_deals: int = 3) -> list[list[str]]:
    """Deal a third of the songs to the test part of each deal; song 0 is left out of deal 0, song 1 validates."""
    rows = [["test" if i % n_deals == deal else "train" for deal in range(n_deals)] for i in range(N)]
    rows[0][0], rows[1][0] = "", "validation"
    return rows


def write(folder: Path, lines: list[str], rows: list[list[str]], ids: list[str] = IDS) -> tuple[Path, Path]:
    """Write samples, in two shards, and divisions."""
    for number, part in enumerate((slice(0, 10), slice(10, None))):
        parquet.write(
            folder / "samples" / parquet.shard_name(number),
            {"id": IDS[part], "text": lines[part]},
            types={"id": pa.string(), "text": pa.string()},
            metadata={"dataset": "songs", "source": "test", "n_samples": N},
        )
    parquet.write(
        folder / "divisions" / parquet.shard_name(0),
        {"id": ids, "deals": rows},
        types={"id": pa.string(), "deals": parquet.strings(len(rows[0]))},
    )
    return folder / "samples", folder / "divisions"


def run(folder: Path, lines: list[str], name: str = "doc2vec", settings: Any = None, **more: Any) -> Path:
    """Extract into ``out`` and ``models`` of a folder."""
    samples, divisions = write(folder, lines, deals())
    extraction.extract(
        samples, divisions, folder / "out", folder / "models", settings or SETTINGS[name], name=name, view="lyrics",
        **more,
    )  # fmt: skip
    return folder


def model_bytes(folder: Path) -> list[bytes]:
    """Read the models of all deals."""
    return [(folder / "models" / f"deal{deal}" / extraction.FILE).read_bytes() for deal in range(3)]


@pytest.mark.parametrize("name", SETTINGS)
def test_every_deal_has_its_model_and_every_song_a_vector_of_each(name: str, tmp_path: Path) -> None:
    run(tmp_path, lyrics(N), name)
    table = parquet.read(tmp_path / "out")
    assert table["id"].to_pylist() == IDS
    found = parquet.to_numpy(table["lyrics"])
    made = texts.module(name)
    for deal in range(3):
        model = made.load(tmp_path / "models" / f"deal{deal}" / extraction.FILE)
        np.testing.assert_array_equal(found[:, deal], model.embed(lyrics(N)))
    facts = parquet.metadata(tmp_path / "out")
    assert facts.items() >= {"dataset": "songs", "source": "test", "extractor": name, "weights": "trained"}.items()
    assert facts["per_deal"] is True
    assert "n_samples" not in facts
    assert facts["without_known_word"] == 0


@pytest.mark.parametrize("name", SETTINGS)
def test_no_text_outside_its_training_part_reaches_a_deal(name: str, tmp_path: Path) -> None:
    rows, before = deals(), model_bytes(run(tmp_path / "before", lyrics(N), name))
    for song in (0, 1, 5, 7):
        lines = lyrics(N)
        lines[song] = "a1 b1 other words that no song has, a1 a1 a2"
        after = model_bytes(run(tmp_path / str(song), lines, name))
        changed = [one != other for one, other in zip(before, after, strict=True)]
        assert changed == [part == "train" for part in rows[song]]
        assert any(changed)
        assert not all(changed)


def test_the_same_songs_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = run(tmp_path / "one", lyrics(N)), run(tmp_path / "other", lyrics(N))
    shard = parquet.shard_name(0)
    assert (one / "out" / shard).read_bytes() == (other / "out" / shard).read_bytes()
    assert model_bytes(one) == model_bytes(other)


def test_more_texts_of_the_users_own_reach_every_deal(tmp_path: Path) -> None:
    own = tmp_path / "own" / "deep"
    own.mkdir(parents=True)
    (own / "one.txt").write_text("\ufeffa1 zebra zebra", encoding="utf-8")
    (own / "two.TXT").write_text("zebra", encoding="utf-8")
    (own / "no.md").write_text("a1", encoding="utf-8")
    plain = model_bytes(run(tmp_path / "plain", lyrics(N)))
    more = run(tmp_path / "more", lyrics(N), extra_texts=tmp_path / "own")
    for before, after, deal in zip(plain, model_bytes(more), range(3), strict=True):
        assert before != after
        model = texts.module("doc2vec").load(more / "models" / f"deal{deal}" / extraction.FILE)
        assert model.counts["zebra"] == 3
    assert parquet.metadata(more / "out")["n_extra_texts"] == 2


def test_what_is_not_trained_has_one_vector_and_no_deals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lengths:
        dimensions = 2

        def embed(self, lines: list[str]) -> np.ndarray:
            return np.array([[len(line), 0] for line in lines], dtype=np.float32)

        def save(self, path: Path) -> None:
            path.write_bytes(b"saved")

        def describe(self) -> dict[str, Any]:
            return {"extractor": "lengths", "variant": "", "weights": "pretrained"}

    class Made:
        TRAINED = False
        fit = staticmethod(lambda lines, settings: Lengths())

    monkeypatch.setattr(texts, "module", lambda name: Made)
    lines = lyrics(N)
    lines[3] = ""
    run(tmp_path, lines, "lengths", settings=object())
    found = parquet.to_numpy(parquet.read(tmp_path / "out")["lyrics"])
    np.testing.assert_array_equal(found[:, 0], [len(line) for line in lines])
    facts = parquet.metadata(tmp_path / "out")
    assert "per_deal" not in facts
    assert facts["without_known_word"] == 1
    assert [path.name for path in (tmp_path / "models").iterdir()] == [extraction.FILE]


def test_vectors_of_deals_that_allow_less_end_in_zeros(tmp_path: Path) -> None:
    rows = [["train" if deal == 0 or song < 6 else "test" for deal in range(2)] for song in range(N)]
    samples, divisions = write(tmp_path, lyrics(N), rows)
    adapted = extraction.extract(
        samples, divisions, tmp_path / "out", tmp_path / "models", TFIDF, name="tfidf", view="lyrics"
    )
    assert adapted == "in 1 of 2 deals, as in deal 1: tfidf.dimensions: 6 instead of 10, since the texts have no more"
    vectors = parquet.to_numpy(parquet.read(tmp_path / "out")["lyrics"])
    assert vectors.shape == (N, 2, 10)
    assert vectors[:, 0, 6:].any()
    assert vectors[:, 1, :6].any()
    assert not vectors[:, 1, 6:].any()
    assert parquet.metadata(tmp_path / "out")["adapted"] == adapted


def test_hostile_lyrics_are_counted_and_change_nothing_else(tmp_path: Path) -> None:
    lines = lyrics(N)
    lines[5:9] = ["", "\x00\x07 ...", "x" * 20 * 2**20, "<script>alert(1)</script> &lt;"]
    run(tmp_path, lines)
    found = parquet.to_numpy(parquet.read(tmp_path / "out")["lyrics"])
    assert np.isfinite(found).all()
    assert not found[5:8].any()
    assert parquet.metadata(tmp_path / "out")["without_known_word"] >= 3


def test_divisions_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    def refused(match: str, rows: list[list[str]], ids: list[str] = IDS) -> None:
        samples, divisions = write(tmp_path, lyrics(N), rows, ids)
        with pytest.raises(DataError, match=match):
            extraction.extract(
                samples, divisions, tmp_path / "out", tmp_path / "models", DOC2VEC, name="doc2vec", view="lyrics"
            )
        assert not (tmp_path / "out").exists()

    rows = deals()
    refused("id 'stranger' is no sample", rows, ["stranger", *IDS[1:]])
    refused("an id is there twice", rows, ["song01", *IDS[1:]])
    refused(
        r"deals of 'song02' is \['train', 'Test', 'x'\], which is none", [*rows[:2], ["train", "Test", "x"], *rows[3:]]
    )
    refused("deal 1: no word in 0 training texts", [[row[0], "test"] for row in rows])
    # An item that no deal has takes part in none.
    _, divisions = write(tmp_path, lyrics(N), rows[1:], IDS[1:])
    assert extraction.read_deals(divisions, IDS)[0].tolist() == ["", "", ""]
    parquet.write(
        divisions / parquet.shard_name(0), {"id": IDS, "deals": ["train"] * N},
        types={"id": pa.string(), "deals": pa.string()},
    )  # fmt: skip
    with pytest.raises(DataError, match="deals string, which no stage writes"):
        extraction.read_deals(divisions, IDS)


def test_samples_that_are_none_are_refused(tmp_path: Path) -> None:
    samples, divisions = write(tmp_path, lyrics(N), deals())
    for columns, types, match in (
        ({"id": ["a", "a"], "text": ["x", "y"]}, {"id": pa.string(), "text": pa.string()}, "id 'a' occurs 2 times"),
        ({"id": ["a"], "text": [1]}, {"id": pa.string(), "text": pa.int64()}, "column text is int64"),
        ({"id": ["a"]}, {"id": pa.string()}, "has no column 'text'"),
    ):
        for shard in parquet.shards(samples):
            shard.unlink()
        parquet.write(samples / parquet.shard_name(0), columns, types=types)
        with pytest.raises(DataError, match=match):
            extraction.extract(
                samples, divisions, tmp_path / "out", tmp_path / "models", DOC2VEC, name="doc2vec", view="lyrics"
            )


def test_own_texts_that_are_none_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"no such folder, or no \.txt file in it"):
        extraction.read_folder(tmp_path / "nowhere")
    (tmp_path / "a.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.txt: not UTF-8; save it as such"):
        extraction.read_folder(tmp_path)
    (tmp_path / "a.txt").write_text("words")
    monkeypatch.setattr(extraction, "MAX_TOTAL", 7)
    (tmp_path / "b.txt").write_text("words")
    with pytest.raises(DataError, match="holds more than 0 GiB of text"):
        extraction.read_folder(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"a" * (extraction.MAX_FILE + 1))
    with pytest.raises(DataError, match=r"a\.txt: larger than 4 MiB; divide it"):
        extraction.read_folder(tmp_path)


def test_the_stage(tmp_path: Path) -> None:
    write(tmp_path / "data", lyrics(N), deals())
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["songs"]["features"]["texts"]["tfidf"]["dimensions"] = 99
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    command = [sys.executable, "-m", "stages.embed_lyrics", "--extractor", "tfidf", "--view", "words"]
    for option, place in (("samples", "samples"), ("divisions", "divisions"), ("out", "out"), ("models", "models")):
        command += [f"--{option}", f"data/{place}"]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("note: in 3 of 3 deals, as in deal 0: tfidf.dimensions: ")
    assert parquet.read(tmp_path / "data" / "out").column_names == ["id", "words"]
    params["songs"]["features"]["texts"]["doc2vec"] = {"epoch": 3}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "songs.features.texts.doc2vec" in done.stderr


@pytest.mark.parametrize(
    ("column", "kind", "values", "expected"),
    [
        ("split", pa.string(), ["train", "test", "validation"], [["train"], ["test"], ["validation"]]),
        ("fold", pa.int32(), [1, 0, 1], [["train", "test"], ["test", "train"], ["train", "test"]]),
    ],
)
def test_a_division_that_the_source_brings_is_read_as_deals(
    tmp_path: Path, column: str, kind: pa.DataType, values: list[object], expected: list[list[str]]
) -> None:
    rows = {"id": IDS[:3], column: values}
    parquet.write(tmp_path / parquet.shard_name(0), rows, types={"id": pa.string(), column: kind})
    assert extraction.read_deals(tmp_path, IDS[:3]).tolist() == expected
