"""Searching pictures and songs: by item, by a picture of one's own, by some words."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.datasets import image2song as small
from tests.report.pictured import build
from unisono.cli import main
from unisono.errors import DataError
from unisono.evaluation import search
from unisono.evaluation.answers import to_text
from unisono.io import parquet
from unisono.report.html import answers, items

SHOW = partial(items.read, sound_s=5.0)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures and songs, and trained models."""
    root = tmp_path_factory.mktemp("pictures")
    build(root)
    return root


@pytest.fixture
def project(built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project of them, as the current folder."""
    monkeypatch.chdir(built)
    return built


def ids(project: Path, part: str) -> list[str]:
    table = parquet.read(project / "data/image2song/samples", ["id", "part"])
    return [item for item, own in zip(table["id"].to_pylist(), table["part"].to_pylist(), strict=True) if own == part]


@pytest.mark.parametrize(("view", "other"), [("image", "lyrics"), ("lyrics", "image")])
def test_an_item_finds_what_belongs_to_it(project: Path, view: str, other: str) -> None:
    own, others = ids(project, view), ids(project, other)
    found = search.search(own[0], "image2song", "overlap", top=len(others))
    assert found.view == view
    [ranking] = found.rankings
    assert ranking.target == other
    assert {hit.id for hit in ranking.hits} <= set(others)
    assert {hit.own for hit in ranking.hits} == {True, False}
    # With true tags what belongs comes first; of ties half are before it.
    assert [hit.own for hit in ranking.hits] == sorted((hit.own for hit in ranking.hits), reverse=True)
    scores = [hit.similarity for hit in ranking.hits]
    assert ranking.own_rank == (scores.count(scores[0]) + 1) / 2
    text = to_text(found)
    assert "<- belongs to it" in text
    assert "rank  id" in text
    assert "score  title or class" in text


def test_a_picture_and_some_words_of_ones_own(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "mine.png").write_bytes(small.encoded(small.pixels(3)))
    words = small.lyric(99, *small.THINGS[:4])
    asked = (("mine.png", "note: its likeliest tags: ", "lyrics"), (words, "note: tags in it: ", "image"))
    options = ["--dataset", "image2song", "--method", "attention", "--top", "2", "--html", "f.html"]
    for query, note, target in asked:
        main(["search", query, *options])
        printed = capsys.readouterr().out
        assert note in printed
        assert f"-> {target}" in printed
        assert "own pair" not in printed
        page = (project / "f.html").read_text(encoding="utf-8")
        assert ">Score<" in page
        assert ("data:image/" in page) == (target == "image" or query == "mine.png")


def test_true_tags_of_a_picture_of_ones_own_are_not_known(project: Path) -> None:
    (project / "mine.png").write_bytes(small.encoded(small.pixels(3)))
    with pytest.raises(DataError, match="'true_tags' are keywords, which a picture of your own does not have"):
        search.search("mine.png", "image2song", "overlap")


def test_at_most_six_words_of_a_song_are_shown(project: Path) -> None:
    found = search.search(ids(project, "image")[0], "image2song", "overlap", top=3, show=SHOW)
    texts = {row["id"]: row["text"] for row in parquet.read(project / "data/image2song/samples").to_pylist()}
    page = answers.page(found)
    for hit in found.rankings[0].hits:
        words = texts[hit.id].split()
        assert " ".join(words[:6]) in page
        assert words[6] not in page
