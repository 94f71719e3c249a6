"""True pairs against pairs shuffled within kinds: what is found, where nothing is, and what cannot be read."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.report.built import HOSTILE
from tests.report.fabricated import Fabricated
from unisono.config.experiments import Experiment, Variant
from unisono.errors import DataError
from unisono.io import parquet
from unisono.report import kinds
from unisono.report.html import prose

TEXT = pa.string()
BOTH = {way: np.array([[0.2, 0.3]]) for way in ("audio->lyrics", "lyrics->audio")}
#: What measures of pairs have beside them where items are of kinds.
TOLD = {"mrr_within": 0.1, "mrr_within_std": 0.0, "oracle": {"mrr": 0.1}}


def embeddings(path: Path, *, signal: float, n: int = 60, n_deals: int = 2, **changes: Any) -> None:
    """Songs of three kinds that both views tell, and `signal` times what is each song's own; a deal after the other."""
    generator = np.random.default_rng(0)
    columns: dict[str, Any] = {name: [] for name in ("id", "kind", "song", "fold")}
    views: dict[str, list[np.ndarray]] = {"audio": [], "lyrics": []}
    kind = generator.integers(3, size=2 * n)
    own = signal * generator.standard_normal((2 * n, 8))
    for deal in range(n_deals):
        songs = generator.permutation(2 * n)[:n]
        columns["id"] += [f"s{song}-{deal % 2}" for song in songs]
        columns["kind"] += [f"kind{kind[song]}" for song in songs]
        columns["song"] += [f"s{song}" for song in songs]
        columns["fold"] += [deal] * n
        for view in views:
            views[view].append(4 * np.eye(8)[kind[songs]] + own[songs] + generator.standard_normal((n, 8)))
    columns |= {name: np.concatenate(found).astype(np.float32) for name, found in views.items()}
    columns |= changes
    columns = {name: column for name, column in columns.items() if column is not None}
    types = dict.fromkeys(("id", "kind", "song"), TEXT) | {"fold": pa.int64()}
    types |= {name: parquet.vector(8) for name in views}
    parquet.write(path, columns, types={name: types[name] for name in columns})


def add(made: Fabricated, key: str, *, signal: float, title: str = "CCA", **changes: Any) -> Path:
    """Add an experiment on songs, with embeddings; gives their place."""
    made.add(key, Experiment(dataset="songs", model="cca", **changes), {"": BOTH}, title=title, tables=["songs"],
             measure="mrr", chance=0.05, more=TOLD)  # fmt: skip
    path = made.folder / key / "embeddings.parquet"
    embeddings(path, signal=signal)
    return path


def test_an_effect_within_kinds_is_told_from_one_of_kinds_alone(fabricated: Fabricated, tmp_path: Path) -> None:
    add(fabricated, "found", signal=3.0, title="Hears words")
    add(fabricated, "nothing", signal=0.0, title="Knows kinds")
    found = kinds.judge(fabricated.runs())
    assert len(found) == 2 * 3 * 2
    verdicts = {(row["run"], row["direction"], row["measure"]): row["verdict"] for row in found}
    for way in ("audio->lyrics", "lyrics->audio", "both"):
        for measure in ("mrr", "recall@10"):
            assert verdicts["found", way, measure] == "beyond the kind"
            assert verdicts["nothing", way, measure] == "no evidence"
    for row in found:
        assert row["difference"] == pytest.approx(row["true"] - row["shuffled"])
        assert row["low"] < row["difference"] < row["high"]
        assert (row["n_deals"], row["pool"], row["source"], row["division"]) == (2, 60, "music21", "")
        # Kinds alone lift what is found above the chance of a pool of 60.
        assert row["shuffled"] > 1.4 * {"mrr": 0.0780, "recall@10": 10 / 60}[row["measure"]]
    both, one, other = (
        next(row["difference"] for row in found if (row["run"], row["direction"]) == ("found", way))
        for way in ("both", "audio->lyrics", "lyrics->audio")
    )
    assert both == pytest.approx((one + other) / 2)

    kinds.write(fabricated.runs(), tmp_path)
    with (tmp_path / "kinds.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == kinds.COLUMNS
    assert [row["verdict"] for row in rows] == [row["verdict"] for row in found]
    text = (tmp_path / "kinds.md").read_text(encoding="utf-8")
    said = "On the source music21 true pairs score above pairs that are shuffled within their kind in 2 of 4"
    assert f"{said} comparisons over both directions: Hears words (MRR), Hears words (R@10)." in text
    # As it is read from the CSV, the sentence is the same.
    assert kinds.sentence(rows) == kinds.sentence(found)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {9}
    assert sum("**beyond the kind**" in line for line in lines) == 6


def test_without_an_effect_it_is_said_that_there_is_no_evidence(fabricated: Fabricated) -> None:
    add(fabricated, "nothing", signal=0.0)
    said = kinds.sentence(kinds.judge(fabricated.runs()))
    assert said.startswith("On the source music21 there is no evidence that words are found by sound beyond the kind")
    assert "in none of 2 comparisons" in said
    assert kinds.sentence([]) == "No experiment stands here."
    assert kinds.to_markdown([]).startswith("# What is found beyond the kind of song")


def test_a_division_of_another_kind_counts_for_nothing_in_the_sentence(fabricated: Fabricated) -> None:
    add(fabricated, "nothing", signal=0.0)
    add(fabricated, "by_file", signal=3.0, division="file")
    found = kinds.judge(fabricated.runs())
    assert {row["verdict"] for row in found if row["division"] == "file"} == {"beyond the kind"}
    assert "there is no evidence" in kinds.sentence(found)


def test_what_has_no_kinds_or_stands_in_no_table_is_passed_over(fabricated: Fabricated) -> None:
    fabricated.add("clips", Experiment(dataset="vegas", model="cca"), {"": np.array([[0.3]])}, tables=["5.2"])
    fabricated.add("curve", Experiment(dataset="songs", model="cca"), {"": BOTH}, tables=["figsongs_components"],
                   measure="mrr", more=TOLD)  # fmt: skip
    fabricated.add("aside", Experiment(dataset="songs", model="cca"), {"": BOTH}, measure="mrr", more=TOLD)
    # None of them has embeddings: they are not looked for.
    assert kinds.judge(fabricated.runs()) == []


def test_of_several_settings_the_first_is_judged(fabricated: Fabricated) -> None:
    variants = [Variant(setting="k=5"), Variant(setting="k=10")]
    fabricated.add("many", Experiment(dataset="songs", model="cca", variants=variants),
                   {one.setting: BOTH for one in variants}, tables=["songs"], measure="mrr", more=TOLD)  # fmt: skip
    embeddings(fabricated.folder / "many" / "embeddings.parquet", signal=0.0)
    assert len(kinds.judge(fabricated.runs())) == 6


def test_markup_in_titles_stays_text(fabricated: Fabricated) -> None:
    add(fabricated, "hostile", signal=3.0, title=f"{HOSTILE} **x** `y`")
    text = kinds.to_markdown(kinds.judge(fabricated.runs()))
    page = str(prose.render(text))
    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": None}, "no column 'kind'"),
        ({"fold": None}, "no column 'fold'"),
        ({"lyrics": None}, "no column 'lyrics'"),
        ({"song": ["same"] * 120}, "pool 0: a song stands there twice"),
        ({"audio": np.full((120, 8), np.nan, np.float32)}, "row 0 holds NaN or infinity"),
    ],
)
def test_embeddings_that_lack_something_are_one_line(
    fabricated: Fabricated, changes: dict[str, Any], message: str
) -> None:
    path = add(fabricated, "spoilt", signal=0.0)
    path.unlink()
    embeddings(path, signal=0.0, **changes)
    with pytest.raises(DataError, match=message) as raised:
        kinds.judge(fabricated.runs())
    assert "\n" not in str(raised.value)
    assert str(path.parent) in str(raised.value)


@pytest.mark.parametrize("content", [None, b"", b"PAR1 not really PAR1"])
def test_embeddings_that_cannot_be_read_are_one_line(fabricated: Fabricated, content: bytes | None) -> None:
    path = add(fabricated, "spoilt", signal=0.0)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as raised:
        kinds.judge(fabricated.runs())
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_without_songs_the_ids_tell_items_apart(tmp_path: Path) -> None:
    embeddings(tmp_path / "e.parquet", signal=0.0, song=None)
    pools = kinds.read_pools(tmp_path / "e.parquet", "audio", "lyrics")
    assert [len(pool.songs) for pool in pools] == [60, 60]
    assert pools[1].songs[0].endswith("-1")
