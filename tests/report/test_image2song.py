"""Figures of pictures and songs: queries and what they find, where the attention lies, precision by tag."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from tests.report.fabricated import Looks
from tests.report.pictured import ENTRIES, build
from unisono.config.report import Report
from unisono.errors import ConfigError, DataError
from unisono.evaluation import rankings
from unisono.report import image2song

FORTH, BACK = "image->lyrics", "lyrics->image"
NAN = math.nan
FIGURES = [f"{name}.{end}" for name in ("image2song", "song2image", "image2song_attention", "image2song_by_tag")
           for end in ("png", "svg")]  # fmt: skip


def found(precision: float, rank: float = 1.0) -> rankings.Found:
    return rankings.Found(["x"], [0.5], [True], precision, rank)


def looks(attention: str, *keys: str) -> Report:
    """Put experiments into the figures."""
    made = Looks()
    for key in keys:
        made.put(key, key, ["figimage2song", *(["figattention"] if key == attention else [])])
    if attention not in keys:
        made.put(attention, attention, ["figattention"])
    return made.report()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures and songs with all features of theirs, and two experiments."""
    root = tmp_path_factory.mktemp("pictures")
    build(root)
    return root


def write(built: Path, out: Path, report: Report) -> None:
    image2song.write(
        built / "data" / "image2song",
        ENTRIES,
        report,
        built / "results" / "experiments",
        figures=out,
        table=out / "tags.csv",
    )


def test_queries_lie_evenly_apart_among_those_that_something_belongs_to() -> None:
    queries = {f"q{at}": found(0.5, NAN if at % 2 else 1.0) for at in range(10)}
    assert image2song.evenly(queries, 3) == ["q0", "q4", "q8"]
    assert image2song.evenly(queries, 50) == ["q0", "q2", "q4", "q6", "q8"]
    assert image2song.evenly({"q": found(0.5, NAN)}, 3) == []


def test_precision_by_tag_is_the_mean_over_the_queries_that_have_it() -> None:
    own = {FORTH: {"a": found(0.5), "b": found(1.0), "c": found(0.0, NAN)}, BACK: {"d": found(0.25)}}
    tags = {"a": [0, 1], "b": [1], "c": [0], "d": [2]}
    rows = image2song.by_tag("M", rankings.Rankings("here", own, {FORTH: 1, BACK: 3}), tags, ["cat", "dog", "<b>"])
    assert [(row["tag"], row["direction"], row["queries"], row["map"]) for row in rows] == [
        ("cat", FORTH, 1, 0.5),
        ("dog", FORTH, 2, 0.75),
        ("<b>", BACK, 1, 0.25),
    ]
    assert {(row["method"], row["source"]) for row in rows} == {("M", "here")}
    assert set(rows[0]) == set(image2song.TAG_COLUMNS)


def test_all_figures_are_written_with_the_table(built: Path, tmp_path: Path) -> None:
    write(built, tmp_path, looks("attention", "overlap", "attention"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FIGURES, "tags.csv"])
    with (tmp_path / "tags.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} == {"overlap", "attention"}
    assert {row["direction"] for row in rows} == {FORTH, BACK}
    # True tags find all that belongs, and nothing else, first: right by construction.
    assert {float(row["map"]) for row in rows if row["method"] == "overlap"} == {1.0}
    assert "test items of the first deal" in (tmp_path / "image2song.svg").read_text(encoding="utf-8")


def test_the_attention_is_over_the_words_of_a_song_that_is_right(built: Path) -> None:
    data = built / "data" / "image2song"
    _, vocabulary = image2song._tags(data)
    ours = rankings.read("attention", ENTRIES, built / "results" / "experiments").found[FORTH]
    answers = image2song.attentions("attention", data, ENTRIES, built / "results" / "experiments", vocabulary)
    assert len(answers) == min(3, sum(own.right[0] for own in ours.values()))
    for one in answers:
        assert ours[one.picture].ids[0] == one.song
        assert ours[one.picture].right[0]
        assert one.weights.sum() == pytest.approx(1, abs=1e-5)
        assert len(one.words) == len(one.weights) <= 12
        named = [at for at, word in enumerate(one.words) if word]
        assert len(named) == min(6, len(one.weights))
        assert one.weights[named].min() >= np.delete(one.weights, named).max(initial=0)
        assert set(one.tags) <= set(vocabulary)


def test_a_method_without_attention_and_one_that_was_not_trained_are_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"report\.figures\.attention: overlap has no attention; name an experiment"):
        write(built, tmp_path, looks("overlap", "overlap"))
    with pytest.raises(ConfigError, match="attention"):
        write(built, tmp_path, Report(gallery_items=0, gallery_mb=0, sound_s=1, figures={"image2song": ["overlap"]}))
    with pytest.raises(DataError, match=r"rankings\.parquet"):
        image2song.write(
            built / "data" / "image2song", ENTRIES, looks("attention", "overlap"), tmp_path, figures=tmp_path,
            table=tmp_path / "tags.csv",
        )  # fmt: skip


def test_nothing_found_is_said_in_the_figure(tmp_path: Path) -> None:
    image2song._draw_attention("M", [], {}, tmp_path / "a")
    assert "no test picture finds a right song first" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    image2song._draw_tags([], tmp_path / "t")
    image2song._draw_sheet("M", {}, {}, tmp_path / "s")
    assert min((tmp_path / f"{name}.png").stat().st_size for name in "ts") > 500
