"""Result tables and descriptions of data sets."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.fabricated import Fabricated
from unisono import metrics
from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.errors import DataError
from unisono.report import data_tables, index, layouts, tables
from unisono.report.html import result_tables
from unisono.store.results import Run, read_results

Build = Callable[..., Path]


DIRECTIONS = [f"{a}->{b}" for a in ("audio", "sheet", "lyrics") for b in ("audio", "sheet", "lyrics") if a != b]
RANKS = {"recall_at_1": 0.2, "recall_at_5": 0.4, "recall_at_10": 0.6, "median_rank": 7.0, "mean_rank": 9.123456}
CHANCE = {"recall_at_1": 1 / 18, "recall_at_5": 5 / 18, "recall_at_10": 10 / 18, "median_rank": 9.5, "mean_rank": 9.5}


DOG = {
    "dataset": "vegas", "method": "CCA", "setting": "", "query": "audio", "target": "visual", "pool": "6",
    "chance": "0.6",
}  # fmt: skip


LOOKS = Report(
    gallery_items=0,
    gallery_mb=0,
    sound_s=1,
    titles={"mtm_random": "Random", "gcca": "GCCA"},
    tables={"6.2": ["mtm_random", "mtm_gcca"]},
)


def entry(model: str, **changes: Any) -> Experiment:
    """Return an experiment on songs."""
    return Experiment(**{"dataset": "mtm", "model": model, **changes})


@pytest.fixture
def entries(tmp_path: Path) -> dict[str, Experiment]:
    """Three experiments that rank pairs, and their results in ``tmp_path/experiments``."""
    found = {
        "mtm_random": entry("random", seeds=2),
        "mtm_gcca": entry("gcca"),
        "mtm_gcca_plain": entry("gcca", views={"sheet": "sheet_plain"}),
    }
    for offset, key in enumerate(found):
        scores = {name: value + offset / 8 for name, value in RANKS.items()}
        scores |= {f"{name}_std": 0.03 for name in RANKS}
        result = {
            "dataset": "mtm", "source": "fabricated", "model": found[key].model, "params": {}, "seed": 0,
            "n_seeds": 2, "n_items": 120, "n_dropped": {}, "n_train": 84, "n_folds": 1,
            "weights": {"audio": "untrained", "lyrics": ""},
        }  # fmt: skip
        content = result | {direction: scores | {"pool": 18, "chance": CHANCE} for direction in DIRECTIONS}
        (tmp_path / "experiments" / key).mkdir(parents=True)
        (tmp_path / "experiments" / key / "metrics.json").write_text(json.dumps(content))
    return found


def write(entries: dict[str, Experiment], folder: Path, looks: Report = LOOKS) -> list[Run]:
    """Write all tables below `folder`, as the stage does."""
    runs = read_results(entries, looks, folder / "experiments")
    layouts.write(runs, folder / "tables")
    index.write(runs, folder / "tables")
    tables.write_headlines(runs, folder / "metrics.json")
    return runs


def lines(text: str) -> list[list[str]]:
    """Cells of the table in a Markdown text."""
    rows = [line for line in text.splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_published_numbers_are_those_of_the_dissertation() -> None:
    rows = tables.published()
    assert len(rows) == 307
    assert set(rows[0]) <= set(tables.COLUMNS)
    mine = {metric for metric, _ in tables.MEASURES.values()}
    assert {row["metric"] for row in rows if row["table"] in ("6.2", "6.3")} <= mine


def test_rows_have_published_numbers_beside_ours(entries: dict[str, Experiment], tmp_path: Path) -> None:
    write(entries, tmp_path)
    rows = read(tmp_path / "tables" / "table_6_2.csv")
    assert list(rows[0]) == list(tables.COLUMNS)
    assert len(rows) == 2 * 6 * 5
    row = next(
        row
        for row in rows
        if (row["method"], row["query"], row["target"], row["metric"]) == ("Random", "audio", "sheet", "recall@1")
    )
    assert (float(row["value"]), float(row["std"])) == (0.2, 0.03)
    assert (row["published"], row["source"], row["n_items"], row["pool"]) == ("0.0284", "fabricated", "120", "18")
    assert float(row["chance"]) == pytest.approx(1 / 18, rel=1e-5)
    assert {row["published"] for row in rows if row["method"] == "GCCA"} == {""}


def test_markdown_has_a_block_of_methods_per_direction(entries: dict[str, Experiment], tmp_path: Path) -> None:
    write(entries, tmp_path)
    text = (tmp_path / "tables" / "table_6_2.md").read_text(encoding="utf-8")
    found = lines(text)
    assert {len(line) for line in found} == {7}
    assert found[0] == ["Direction", "Method", "R@1", "R@5", "R@10", "MedR", "MeanR"]
    assert [line[0].strip("*") for line in found[2:] if line[0]] == [
        "audio → lyrics",
        "lyrics → audio",
        "sheet → lyrics",
        "lyrics → sheet",
        "audio → sheet",
        "sheet → audio",
    ]
    block = found[2 + 4 * 5 : 2 + 5 * 5]
    assert [line[1].strip("*") for line in block] == [
        "Random",
        "GCCA",
        "chance in a pool of 18",
        "D: DARLearning",
        "D: Random",
    ]
    assert block[3][2:] == ["30.06", "33.98", "35.02", "352.4", "600.3"]
    assert block[2][2] == f"{100 / 18:.2f}"
    assert "source **fabricated**, 120 items, 84 of them for training, pool 18" in text
    assert "audio untrained" in text
    assert "exchanged between the published tables" in text


def test_headlines_are_plain_rounded_numbers(entries: dict[str, Experiment], tmp_path: Path) -> None:
    write(entries, tmp_path)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert list(content) == list(entries)
    assert set(content["mtm_gcca"]["audio->sheet"]) == {"recall_at_1", "recall_at_10", "median_rank"}
    for scores in content.values():
        for values in scores.values():
            assert all(isinstance(value, float) and value == round(value, 4) for value in values.values())


def test_an_experiment_that_is_gone_from_params_leaves_nothing(entries: dict[str, Experiment], tmp_path: Path) -> None:
    remaining = {key: value for key, value in entries.items() if key != "mtm_random"}
    write(remaining, tmp_path)
    assert {row["method"] for row in read(tmp_path / "tables" / "table_6_2.csv")} == {"GCCA"}
    assert "mtm_random" not in (tmp_path / "tables" / "table_6_2.md").read_text()
    assert list(json.loads((tmp_path / "metrics.json").read_text())) == list(remaining)


def test_missing_or_damaged_results_raise(entries: dict[str, Experiment], tmp_path: Path) -> None:
    path = tmp_path / "experiments" / "mtm_gcca" / "metrics.json"
    path.write_text("{")
    with pytest.raises(DataError, match=r"mtm_gcca/metrics.json: not JSON .*run experiment 'mtm_gcca' again"):
        read_results(entries, LOOKS, tmp_path / "experiments")
    path.unlink()
    with pytest.raises(DataError, match=r"mtm_gcca/metrics.json: no such file; run `dvc repro`"):
        read_results(entries, LOOKS, tmp_path / "experiments")


def test_overrides_of_views_are_another_setting_those_of_parameters_are_not(fabricated: Fabricated) -> None:
    plain = entry("random", dataset="vegas", params={"n_components": 4})
    fabricated.add("vegas_cca", plain, {"": [[0.2, 0.3]]}, tables=["5.2"])
    other = plain.model_copy(update={"views": {"audio": "other"}})
    fabricated.add("vegas_other", other, {"": [[0.2, 0.3]]}, tables=["5.2"])
    first, second = fabricated.runs()
    assert (first.setting, first.label) == ("n_components=4", "")
    assert (second.setting, second.label) == ("audio=other;n_components=4", "audio=other")
    assert [row["published"] for row in tables.rows("5.2", [first, second])] == ["0.3243", "0.3211", "", ""]
    text = layouts.to_markdown("5.2", [first, second])
    # On the published line, with its override in the notes; other features are a line of their own.
    (line,) = (line for line in lines(text) if line[0] == "CCA")
    assert (line[1].replace("\u00a0", " ").strip("*"), line[7]) == ("25.00 ± 7.07", "32.43")
    assert any(line[0] == "CCA (audio=other)" for line in lines(text))
    assert "`vegas_cca` (n_components=4)" in text


SELECTIONS = ("batch-all", "batch-semi-hard", "batch-hard")


@pytest.fixture
def sweep(fabricated: Fabricated) -> Fabricated:
    """A usual run that stands in three tables, and sweeps of it."""
    tnn = {"dataset": "vegas", "model": "tnn_c_cca"}
    usual = {"triplets": "batch-all", "distance": "cosine", "margin": 0.5}
    ones = np.ones((2, 3))
    fabricated.add(
        "usual",
        Experiment(**tnn),
        {"": ones * 0.5},
        title="TNN-C-CCA",
        tables=["5.2", "5.3", "5.4"],
        params=usual,
        notes=("tnn_c_cca: about right",),
    )
    variants = [{"setting": f"triplets={name}", "params": {"triplets": name}} for name in SELECTIONS[1:]]
    fabricated.add(
        "selections",
        Experiment(**tnn, variants=variants),
        {variant["setting"]: ones * 0.4 for variant in variants},
        title="TNN-C-CCA",
        tables=["5.3"],
        params=usual,
    )
    margins = [f"margin={margin};batches=500" for margin in (0.1, 0.5)] + ["margin=0.5;batches=300"]
    sizes = [{"setting": margin, "params": {"batch_size": 75 if "300" in margin else 40}} for margin in margins]
    fabricated.add(
        "margins",
        Experiment(**tnn, variants=sizes),
        {margin: ones * value for margin, value in zip(margins, (0.3, 0.41, 0.35), strict=True)},
        title="TNN-C-CCA",
        tables=["5.5", "5.6"],
        params=usual,
    )
    return fabricated


def test_variants_are_runs_and_parts_are_read_by_setting(sweep: Fabricated) -> None:
    runs = sweep.runs()
    assert [run.setting for run in runs if run.key == "selections"] == [
        "triplets=batch-semi-hard",
        "triplets=batch-hard",
    ]
    parts = runs[1].parts("map")
    assert sorted(parts) == [(seed, fold) for seed in range(2) for fold in range(3)]
    assert parts[1, 2] == {"audio->visual": 0.4, "visual->audio": 0.4}
    with pytest.raises(DataError, match=r"selections/parts\.csv: no recall_at_1 of setting 'triplets=batch-semi-hard'"):
        runs[1].parts("recall_at_1")
    (sweep.folder / "usual" / "parts.csv").unlink()
    with pytest.raises(DataError, match=r"usual/parts\.csv: no such file; run `unisono fit usual`"):
        runs[0].parts("map")


def test_a_run_stands_at_its_published_setting_in_each_table(sweep: Fabricated) -> None:
    runs = sweep.runs()

    def settings(number: str) -> list[tuple[str, str]]:
        rows = tables.rows(number, runs)
        return [(row["setting"], row["published"]) for row in rows if row["query"] == "audio"]

    assert settings("5.2") == [("", "0.7466")]
    assert settings("5.3") == [
        ("triplets=batch-all", "0.7466"),
        ("triplets=batch-semi-hard", "0.7135"),
        ("triplets=batch-hard", "0.6071"),
    ]
    assert settings("5.4") == [("distance=cosine", "0.7466")]
    assert settings("5.5") == [("margin=0.1;batches=500", "0.6473"), ("margin=0.5;batches=500", "0.7531")]
    assert settings("5.6") == [("margin=0.5;batches=500", "0.7451"), ("margin=0.5;batches=300", "0.7449")]


def test_published_numbers_stand_beside_ours_and_missing_ones_are_empty(sweep: Fabricated) -> None:
    runs = sweep.runs()
    text = layouts.to_markdown("5.3", runs)
    found = {line[0]: line[1:] for line in lines(text)}
    assert found["Method"][:4] == ["VEGAS a→v", "VEGAS v→a", "MV-10K a→v", "MV-10K v→a"]
    assert found["Method"][4] == "D: VEGAS a→v"
    assert found["TNN-C-CCA (batch-all)"] == [
        "**50.00\u00a0±\u00a00.00**", "**50.00\u00a0±\u00a00.00**", "", "", "74.66", "73.77", "23.34", "21.32",
    ]  # fmt: skip
    assert found["TNN-C-CCA (random)"][:4] == [""] * 4
    assert found["*chance*"] == ["14.50", "14.50", "", "", "10.15", "10.15", "10.32", "10.32"]
    assert "- TNN-C-CCA: about right.\n" in text
    assert "14.02 for TNN, semi-hard" in text


@pytest.mark.parametrize(
    "published, params, expected",
    [
        ("triplets=batch-semi-hard", {"triplets": "batch-semi-hard"}, True),
        ("triplets=batch-semi-hard", {"triplets": "batch-hard"}, False),
        ("components=10", {"n_components": 10}, True),
        ("margin=0.5;batches=300", {"margin": 0.5}, False),
        ("mean", {}, True),
    ],
)
def test_hyper_parameters_agree_with_a_published_setting(published: str, params: Any, expected: bool) -> None:
    assert tables.agrees(published, params) is expected


def test_the_lowest_rank_is_in_bold(fabricated: Fabricated) -> None:
    for key, title, rank in (("a", "CCA", 7.0), ("b", "GCCA", 9.0), ("c", "Random", 8.0)):
        experiment = Experiment(dataset="mtm", model="cca")
        scores = {"": {"audio->lyrics": [[rank]]}}
        fabricated.add(key, experiment, scores, title=title, tables=["6.2"], measure="median_rank")
    header, _, *others = lines(layouts.to_markdown("6.2", fabricated.runs()))
    found = {line[1]: line[header.index("MedR")] for line in others}
    assert [found[title].replace("\u00a0", " ") for title in ("CCA", "GCCA", "Random")] == [
        "**7.0 ± 0.0**", "9.0 ± 0.0", "8.0 ± 0.0",
    ]  # fmt: skip


def test_margins_and_batches_are_columns_with_the_published_below(sweep: Fabricated) -> None:
    runs = sweep.runs()
    found = lines(layouts.to_markdown("5.5", runs))
    assert found[0] == ["Method", *(f"{margin / 10}" for margin in range(1, 12))]
    ours = dict(zip(found[0], found[2], strict=True))
    assert ours["Method"] == "TNN-C-CCA audio → visual"
    assert (ours["0.1"], ours["0.5"], ours["1.1"]) == ("30.00\u00a0±\u00a00.00", "**41.00\u00a0±\u00a00.00**", "")
    published = next(line for line in found if line[0] == "*D: TNN-C-CCA visual → audio*")
    assert (published[1], published[11]) == ("64.36", "58.47")

    found = lines(layouts.to_markdown("5.6", runs))
    assert (found[0][1], found[0][5], found[0][11]) == ("300 (75)", "500 (45)", "900 (25)")
    text = layouts.to_markdown("5.6", runs)
    assert "Batches of ours hold 40 items (`margin=0.5;batches=500`), 75 items (`margin=0.5;batches=300`)." in text
    assert "Batches of ours hold 40 items." in layouts.to_markdown("5.5", runs)
    assert found[-1] == ["*D: hours of training*", *["32", "27", "21", "16", "12", "9", "6", "4", "3", "2", "2"]]


def test_table_5_2_has_the_mean_of_both_directions(fabricated: Fabricated) -> None:
    scores = {"audio->visual": [[0.2, 0.4]], "visual->audio": [[0.4, 0.2]]}
    fabricated.add("a", Experiment(dataset="mv10k", model="cca"), {"": scores}, tables=["5.2"])
    runs = fabricated.runs()
    found = lines(layouts.to_markdown("5.2", runs))
    line = dict(zip(found[0], next(line for line in found if line[0] == "CCA"), strict=True))
    # Each direction varies, the mean of the two does not.
    assert line["MV-10K a→v"] == "30.00\u00a0±\u00a014.14"
    assert line["MV-10K average"] == "30.00\u00a0±\u00a00.00"
    assert line["D: MV-10K average"] == f"{(18.38 + 18.17) / 2:.2f}"
    assert (line["VEGAS a→v"], line["D: VEGAS average"]) == ("", "32.27")


def test_table_4_1_shows_audio_queries_and_no_random_chunks(fabricated: Fabricated) -> None:
    settings = ["k/chunks=1/3", "random k/chunks=1/3", "mean"]
    experiment = Experiment(dataset="mv10k", model="c_cca", variants=[{"setting": name} for name in settings])
    scores = {"audio->visual": [[0.3]], "visual->audio": [[0.9]]}
    fabricated.add("a", experiment, dict.fromkeys(settings, scores), title="C-CCA", tables=["4.1"])
    runs = fabricated.runs()
    found = lines(layouts.to_markdown("4.1", runs))
    assert found[0] == ["Method", "1/3", "2/6", "3/9", "mean", "D: 1/3", "D: 2/6", "D: 3/9", "D: mean"]
    (line,) = (line for line in found if line[0] == "C-CCA")
    assert [cell.replace("\u00a0", " ") for cell in line[1:5]] == ["30.00 ± 0.00", "", "", "30.00 ± 0.00"]
    assert line[5:] == ["18.51", "19.60", "19.73", "19.72"]


def test_table_6_3_has_two_measures_in_a_cell(entries: dict[str, Experiment], tmp_path: Path) -> None:
    write(entries, tmp_path, LOOKS.model_copy(update={"tables": LOOKS.tables | {"6.3": ["mtm_gcca"]}}))
    found = lines((tmp_path / "tables" / "table_6_3.md").read_text(encoding="utf-8"))
    assert found[0][1] == "audio → lyrics (R@1 / MedR)"
    assert [line[0] for line in found[2:]] == [
        "GCCA", "*chance*", "*D: Baseline*", "*D: Baseline-GAN*", "*D: DARLearning*",
    ]  # fmt: skip
    assert found[2][1].replace("\u00a0", " ") == "32.50 ± 3.00 / 7.1 ± 0.0"
    assert found[3][1] == "5.56 / 9.5"
    # The published median rank that could not be read is missing, not zero.
    assert (found[4][1], found[4][6]) == ("3.69 / 838.0", "3.05")


def test_headlines_of_variants_have_no_dot_in_their_key_and_only_the_task_s_measure(sweep: Fabricated) -> None:
    found = tables.headlines(sweep.runs())
    assert next(iter(found)) == "usual"
    assert found["margins/margin=0_1_batches=500"] == {"audio->visual": {"map": 0.3}, "visual->audio": {"map": 0.3}}
    assert not any("." in key for key in found)
    assert len(found) == 1 + 2 + 3


def test_every_table_is_written_and_listed_also_without_experiments(tmp_path: Path) -> None:
    write({}, tmp_path)
    index_text = (tmp_path / "tables" / "README.md").read_text(encoding="utf-8")
    for number in layouts.LAYOUTS:
        stem = f"table_{number.replace('.', '_')}"
        assert read(tmp_path / "tables" / f"{stem}.csv") == []
        name = layouts.name(number)
        assert (tmp_path / "tables" / f"{stem}.md").read_text(encoding="utf-8").startswith(f"# {name}: ")
        assert f"[{name}]({stem}.md)" in index_text
    assert "[Orderings](orderings.md)" in index_text


def test_a_table_that_the_dissertation_does_not_have(fabricated: Fabricated, tmp_path: Path) -> None:
    fabricated.add("a", Experiment(dataset="vegas", model="cca"), {"": [[0.5]]}, tables=["7.1", "fig5.9"])
    runs = write(fabricated.experiments, tmp_path, fabricated.looks.report())
    assert lines((tmp_path / "tables" / "table_7_1.md").read_text())[2] == ["CCA", *["50.00\u00a0±\u00a00.00"] * 2]
    assert layouts.numbers(runs) == sorted([*layouts.LAYOUTS, "7.1"])


def test_table_of_features(make_mtm: Build, tmp_path: Path) -> None:
    folder = make_mtm(missing="features/audio")
    data_tables.write_features(folder, tmp_path)
    rows = {row["features"]: row for row in read(tmp_path / "table_3_2.csv")}
    assert list(rows) == ["audio", "lyrics", "sheet", "sheet_plain"]
    assert rows["lyrics"]["dimensions"] == "(20, 4) + (20, 4)"
    audio = rows["audio"]
    assert (audio["extractor"], audio["weights"], audio["dimensions"]) == ("VGGish", "untrained", "(20, 16)")
    assert (audio["train"], audio["validation"], audio["test"], audio["samples"]) == ("83", "18", "18", "119")
    assert (audio["published_dimensions"], audio["published_samples"]) == ("VGGish (20, 128)", "14454")
    (folder / "features" / "lyrics").rename(folder / "features" / "lyrics_syllables")
    data_tables.write_features(folder, tmp_path)
    own = {row["features"]: row for row in read(tmp_path / "table_3_2.csv")}["lyrics_syllables"]
    assert (own["view"], own["published_dimensions"], own["published_samples"]) == ("lyrics", "", "")
    text = (tmp_path / "table_3_2.md").read_text()
    assert "Source: fabricated." in text
    assert "VGGish" in text


def test_table_of_features_without_features_raises(make_mtm: Build, tmp_path: Path) -> None:
    folder = make_mtm()
    (folder / "features").rename(folder / "other")
    with pytest.raises(DataError, match="features: no features here"):
        data_tables.write_features(folder, tmp_path)


def test_numbers_that_any_order_has_are_marked_in_every_table(entries: dict[str, Experiment], tmp_path: Path) -> None:
    for path in (tmp_path / "experiments").glob("*/metrics.json"):
        content = json.loads(path.read_text())
        for direction in DIRECTIONS:
            content[direction] |= {"pool": 8, "chance": CHANCE | {"recall_at_10": 1.0}}
        path.write_text(json.dumps(content))
    write(entries, tmp_path)
    rows = read(tmp_path / "tables" / "table_6_2.csv")
    assert list(rows[0]) == [*tables.COLUMNS, "remark"]
    assert {row["metric"] for row in rows if row["remark"]} == {"recall@10"}
    text = (tmp_path / "tables" / "table_6_2.md").read_text(encoding="utf-8")
    assert "- † the pool has at most 10 items, so that R@10 is 100 % in any order.\n" in text
    marked = {at for line in lines(text) for at, cell in enumerate(line) if cell.endswith("†")}
    assert marked == {4}
    # The mark of a number that a table does not show is not explained there.
    assert "†" not in (tmp_path / "tables" / "table_6_3.md").read_text(encoding="utf-8")
    shown = result_tables.section("6.2", tmp_path / "tables")
    assert '<abbr title="the pool has at most 10 items, so that R@10 is 100 % in any order">†</abbr>' in shown
    assert shown.count('<p class="mark">† the pool has at most 10 items') == 1
    assert "<li>†" not in shown


@pytest.mark.parametrize(("chance", "marked"), [(0.5, False), (0.51, True)])
def test_a_map_that_half_of_the_orders_have_is_marked(chance: float, marked: bool) -> None:
    assert bool(metrics.too_easy("map", chance)) is marked
    row = {"metric": "map", "value": "0.9", "std": "0.1", "published": "", "remark": metrics.too_easy("map", chance)}
    assert ("†" in result_tables.grid("5.2", [row | DOG])) is marked


# ---- Songs: controls, categories, divisions ----

#: What stands in a direction beside its MRR where items are of kinds.
OF_KINDS = {
    "mrr_within": 0.25, "mrr_within_std": 0.01, "class_mrr_mode": 0.7, "class_mrr_mode_std": 0.02,
    "class_mrr_mode_within": 0.65, "class_mrr_mode_within_std": 0.03, "class_mrr_label": 0.6,
    "class_mrr_label_std": 0.0, "map": 0.5, "map_std": 0.0,
    "chance": {"mrr": 0.05, "class_mrr_mode": 0.6, "class_mrr_label": 0.2},
    "oracle": {"mrr": 0.9, "class_mrr_mode": 0.8, "class_mrr_label": 1.0},
}  # fmt: skip


@pytest.fixture
def songs(fabricated: Fabricated) -> Fabricated:
    """Three experiments on songs, of which one is divided by file and far the best."""
    both = {way: np.array([[0.2, 0.3]]) for way in ("audio->lyrics", "lyrics->audio")}
    for key, title, gain, division in (("a", "CCA", 0.0, ""), ("b", "DCCA", 0.05, ""), ("c", "By file", 0.6, "file")):
        scores = {way: values + gain for way, values in both.items()}
        entry = Experiment(dataset="songs", model="cca", division=division)
        where = ["songs", "songs_categories"] if not division else ["songs"]
        fabricated.add(key, entry, {"": scores}, title=title, tables=where, measure="mrr", more=OF_KINDS)
    return fabricated


def test_controls_stand_below_the_methods_in_both_tables_of_songs(songs: Fabricated) -> None:
    found = tables.rows("songs", songs.runs())
    assert {row["metric"] for row in found} == {"mrr"}
    assert [row["method"] for row in found if row["query"] == "audio"] == [
        "CCA", "DCCA", "By file", *(f"{name}{tables.SHUFFLED}" for name in ("CCA", "DCCA", "By file")), tables.ORACLE,
    ]  # fmt: skip
    assert [(row["value"], row["std"]) for row in found if row["method"].endswith(tables.SHUFFLED)] == [
        ("0.25", "0.01")
    ] * 6
    oracle = next(row for row in found if row["method"] == tables.ORACLE)
    assert (oracle["value"], oracle["std"], oracle["published"], oracle["setting"]) == ("0.9", "", "", "")
    assert [tables.is_control(row) for row in found[:6:2]] == [False, False, True]
    assert all(tables.is_control(row) for row in found[6:])


def test_by_category_there_are_class_measures_alone(songs: Fabricated) -> None:
    found = tables.rows("songs_categories", songs.runs())
    assert {row["metric"] for row in found} == {"class_mrr_mode", "class_mrr_label"}
    assert {row["method"] for row in found} == {
        "CCA", "DCCA", f"CCA{tables.SHUFFLED}", f"DCCA{tables.SHUFFLED}", tables.ORACLE
    }  # fmt: skip
    values = {(row["method"], row["metric"]): row["value"] for row in found}
    assert values["CCA", "class_mrr_mode"] == "0.7"
    assert values[f"CCA{tables.SHUFFLED}", "class_mrr_mode"] == "0.65"
    assert values[tables.ORACLE, "class_mrr_mode"] == "0.8"
    assert (f"CCA{tables.SHUFFLED}", "class_mrr_label") not in values
    assert [tables.title_of(name) for name in tables.in_order_of_measures(found)] == [
        "MRR of the mode", "MRR of the label"
    ]  # fmt: skip
    assert tables.title_of("mrr") == "MRR"


def test_controls_and_other_divisions_are_never_the_best(songs: Fabricated, tmp_path: Path) -> None:
    write(songs.experiments, tmp_path, songs.looks.report())
    text = (tmp_path / "tables" / "table_songs.md").read_text(encoding="utf-8")
    found = lines(text)
    assert found[0] == ["Direction", "Method", "MRR"]
    bold = {line[1] for line in found[2:] if line[2].startswith("**")}
    assert bold == {"DCCA"}
    by_file = [line for line in found if line[1] == "By file"]
    assert [line[2] for line in by_file] == ["85.00\u00a0±\u00a07.07†"] * 2
    remark = "† divided otherwise than the other lines (division: file): not to be compared with them."
    assert f"- {remark}\n" in text
    assert [line[2] for line in found if line[1] == tables.ORACLE] == ["90.00"] * 2
    shown = result_tables.section("songs", tmp_path / "tables")
    grid = shown.partition("</table>")[0]
    assert grid.count("<strong>") == grid.count("<strong>30.00</strong>") == 2
    assert shown.count(f'<p class="mark">{remark}') == 1
    assert "Oracle of the kinds" in shown
    assert "MRR of the mode" in result_tables.section("songs_categories", tmp_path / "tables")


def test_an_oracle_is_none_of_a_division(songs: Fabricated) -> None:
    runs = [run for run in songs.runs() if run.key == "c"]
    oracles = [row for row in tables.rows("songs", runs) if row["method"] == tables.ORACLE]
    assert [row["remark"] for row in oracles] == ["", ""]


def test_experiments_that_differ_in_their_division_alone_have_lines_of_their_own(
    fabricated: Fabricated, tmp_path: Path
) -> None:
    for key, division, value in (("a", "", 0.35), ("b", "file", 0.55), ("c", "share=0.5", 0.75)):
        experiment = Experiment(dataset="songs", model="cca", views={"lyrics": "tfidf"}, division=division)
        scores = {"": {"audio->lyrics": [[value]], "lyrics->audio": [[value]]}}
        fabricated.add(key, experiment, scores, tables=["songs"], measure="mrr", more=OF_KINDS)
    assert [run.setting for run in fabricated.runs()] == [
        "lyrics=tfidf", "lyrics=tfidf;division=file", "lyrics=tfidf;division=share=0.5",
    ]  # fmt: skip
    write(fabricated.experiments, tmp_path, fabricated.looks.report())
    found = lines((tmp_path / "tables" / "table_songs.md").read_text(encoding="utf-8"))
    values = {line[1]: line[2][:5] for line in found if line[1].startswith("CCA (") and "shuffled" not in line[1]}
    assert values == {
        "CCA (lyrics=tfidf)": "35.00", "CCA (lyrics=tfidf;division=file)": "55.00",
        "CCA (lyrics=tfidf;division=share=0.5)": "75.00",
    }  # fmt: skip
    shown = result_tables.section("songs", tmp_path / "tables")
    for value in ("35.00", "55.00", "75.00"):
        assert shown.count(f">{value}<") == 2


def test_hostile_titles_of_songs_stay_text_on_the_page(fabricated: Fabricated, tmp_path: Path) -> None:
    hostile = "<script>window.hacked = 1</script><img src=x onerror=hack()>"
    fabricated.add("x", Experiment(dataset="songs", model="cca"), {"": {"audio->lyrics": np.array([[0.2]])}},
                   title=hostile, tables=["songs"], measure="mrr", more=OF_KINDS)  # fmt: skip
    write(fabricated.experiments, tmp_path, fabricated.looks.report())
    shown = result_tables.section("songs", tmp_path / "tables")
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;" in shown


def relation(fabricated: Fabricated, key: str, title: str, forth: float, **more: Any) -> None:
    """Add a run on pictures and songs."""
    fabricated.add(
        key,
        Experiment(dataset="image2song", model="overlap", views=more.pop("views", {})),
        {"": {"image->lyrics": [[forth, forth]], "lyrics->image": [[forth / 2, forth / 2]]}},
        title=title,
        tables=["image2song"],
        chance={"image->lyrics": 0.08, "lyrics->image": 0.1},
        more={"relevant": 9.0} | more,
    )


def test_of_pictures_and_songs_a_direction_is_a_block_with_chance_of_its_own(fabricated: Fabricated) -> None:
    relation(fabricated, "expected", "Expected overlap", 0.6)
    relation(fabricated, "mean", "bi-LSTM, mean; predicted tags", 0.2)
    relation(fabricated, "true", "BoW", 1.0, views={"image": "true_tags"})
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in layouts.to_markdown("image2song", fabricated.runs()).splitlines()
        if line.startswith("|")
    ]
    assert lines[0] == ["Direction", "Method", "MAP"]
    assert [line[0] for line in lines[2:] if line[0]] == ["**image \u2192 lyrics**", "**lyrics \u2192 image**"]
    values = [(line[1], line[2].replace("\u00a0", " ")) for line in lines[2:]]
    # What is told the tags is in no competition.
    assert values == [
        ("Expected overlap", "**60.00 \u00b1 0.00**"),
        ("bi-LSTM, mean; predicted tags", "20.00 \u00b1 0.00"),
        ("BoW (image=true_tags)", "100.00 \u00b1 0.00\u2020"),
        ("*chance in a pool of 80*", "8.00"),
        ("Expected overlap", "**30.00 \u00b1 0.00**"),
        ("bi-LSTM, mean; predicted tags", "10.00 \u00b1 0.00"),
        ("BoW (image=true_tags)", "50.00 \u00b1 0.00\u2020"),
        ("*chance in a pool of 80*", "10.00"),
    ]


def test_notes_of_pictures_and_songs_say_what_is_true_by_construction(fabricated: Fabricated) -> None:
    relation(fabricated, "expected", "Expected overlap", 0.6)
    text = layouts.to_markdown("image2song", fabricated.runs())
    assert "right by construction" in text
    assert "source **emoji, fortunes**" in text
    assert "removed from every lyric" not in text
    assert "removed from every lyric" in layouts.to_markdown("image2song_masked", fabricated.runs())
