"""A small project for the report: five data sets with media, experiments with embeddings, tables, curves, figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from tests.report.fabricated import Fabricated
from unisono.config.experiments import Experiment, Variant
from unisono.config.report import Report
from unisono.evaluation.writing import RANKINGS
from unisono.io import parquet
from unisono.media import audio, mp4
from unisono.report import chunks, curves, kinds, layouts, losses, orderings, sweeps, tables
from unisono.report.html.page import Inputs
from unisono.store.results import read_results

#: What a hostile file may call its items.
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'> & \"'"
TEXT = pa.string()
N = 12
LOOKS = Report(
    gallery_items=4,
    gallery_mb=5,
    sound_s=0.5,
    titles={
        "cca": "CCA", "c_cca": "C-CCA", "tnn_c_cca": "TNN-C-CCA", "gcca": "GCCA", "songs_by_file": "CCA, by file",
        "image2song_bow": "BoW; predicted tags", "image2song_bow_true": "BoW; true tags",
    },
    tables={
        "5.2": ["vegas_cca", "vegas_c_cca"],
        "5.5": ["vegas_margin"],
        "4.1": ["chunks_cca"],
        "6.2": ["mtm_gcca", "mtm_cca"],
        "songs": ["songs_cca", "songs_by_file"],
        "songs_categories": ["songs_cca"],
        "image2song": ["image2song_bow", "image2song_bow_true"],
    },
)  # fmt: skip
#: Lyrics that may not be shown in full.
LYRICS = f"la {HOSTILE} one two three four five six seven"


#: Data sets with a card.
CARDS = ("vegas", "mtm", "mv10k", "songs", "image2song")


def build(folder: Path) -> tuple[dict[str, Experiment], Inputs]:
    """Write everything below `folder`; what the report reads of it."""
    made = Fabricated(folder / "results" / "experiments")
    _vegas(folder / "data" / "vegas")
    _mtm(folder / "data" / "mtm")
    _mv10k(folder / "data" / "mv10k")
    _songs(folder / "data" / "songs")
    _image2song(folder / "data" / "image2song")
    _experiments(made)
    results = folder / "results"
    inputs = Inputs(
        experiments=made.folder,
        tables=results / "tables",
        figures=results / "figures",
        plots=results / "plots",
        cards=results / "data",
        data=folder / "data",
    )
    runs = read_results(made.experiments, LOOKS, made.folder)
    layouts.write(runs, inputs.tables)
    orderings.write(runs, inputs.tables)
    chunks.write(runs, inputs.tables)
    kinds.write(runs, inputs.tables)
    for stem in ("table_3_1", "table_3_2", "table_5_1", "table_6_1"):
        (inputs.tables / f"{stem}.md").write_text(
            "# Title\n\n| a | b |\n| :-- | --: |\n| x | 10 |\n| y | 9 |\n\n- Note.\n"
        )
        (inputs.tables / f"{stem}.csv").write_text("a,b\nx,10\ny,9\n")
    for number in curves.FIGURES:
        name = f"figure_{number.replace('.', '_')}"
        tables.write_csv(inputs.plots / f"{name}.csv", curves.PRECISION_COLUMNS, curves.precision_rows(number, runs))
    tables.write_csv(inputs.plots / "recall.csv", curves.RECALL_COLUMNS, curves.read_recall(runs, dataset="mtm"))
    found = curves.read_recall(runs, dataset="image2song")
    tables.write_csv(inputs.plots / "recall_image2song.csv", curves.RECALL_COLUMNS, found)
    tables.write_csv(inputs.plots / "losses.csv", losses.COLUMNS, losses.rows(runs))
    for number in sweeps.FIGURES:
        rows = sweeps.rows(number, runs)
        tables.write_csv(inputs.tables / f"figure_{number.replace('.', '_')}.csv", tables.COLUMNS, rows)
    inputs.figures.mkdir()
    names = ["figure_4_3", "figure_5_3", "figure_5_6", "figure_5_7", "figure_5_8", "figure_5_9", "recall", "losses"]
    names += [f"figure_4_{n}" for n in range(5, 10)] + [
        "figure_5_4",
        "figure_songs_components",
        "figure_songs_categories_components",
        "figure_songs_training",
        *("recall_image2song", "image2song", "song2image", "image2song_attention", "image2song_by_tag"),
    ]
    for name in [*names, *(f"{dataset}_contact_sheet" for dataset in CARDS)]:
        Image.new("RGB", (64, 32), "#888888").save(inputs.figures / f"{name}.png")
    inputs.cards.mkdir()
    for name in CARDS:
        text = (
            f"# {name}: {HOSTILE}\n\n## Items\n\n| class | all |\n| :-- | --: |\n| {HOSTILE} | 3 |\n\n"
            f"![sheet](../figures/{name}_contact_sheet.png)\n"
        )
        (inputs.cards / f"{name}.md").write_text(text)
    return made.experiments, inputs


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def _vegas(folder: Path) -> None:
    """Clips of two classes, each of another grey; one class has a hostile name."""
    generator = np.random.default_rng(0)
    clips = []
    for i in range(N):
        frames = [np.full((32, 48, 3), 20 * i, np.uint8)] * 10
        clips.append(mp4.encode(frames, 10, generator.normal(0, 0.1, 16_000).astype(np.float32), 16_000))
    parquet.write(
        folder / "samples" / "part-00000.parquet",
        {"id": _ids("c"), "label": _labels(), "fold": [0] * N, "video": [(clip, "x.mp4") for clip in clips]},
        types={"id": TEXT, "label": TEXT, "fold": pa.int64(), "video": parquet.MEDIA},
        metadata={"dataset": "vegas", "source": "digits"},
    )
    for view in ("audio", "visual"):
        parquet.write(
            folder / "features" / view / "part-00000.parquet",
            {"id": _ids("c")},
            types={"id": TEXT},
            metadata={"extractor": "vggish", "weights": "untrained"},
        )


def _mtm(folder: Path) -> None:
    """Songs with a hostile title and hostile lyrics."""
    ids = _ids("s")
    words = [[HOSTILE if word == 0 else "la"] * 2 for _ in range(N) for word in range(10)]
    syllables = [[part for word in words[10 * i : 10 * i + 10] for part in word] for i in range(N)]
    parquet.write(
        folder / "samples" / "part-00000.parquet",
        {"id": ids, "song": [item[:2] for item in ids], "title": [HOSTILE] * N, "syllables": syllables,
         "word_index": [[n // 2 for n in range(20)]] * N},
        types={"id": TEXT, "song": TEXT, "title": TEXT, "syllables": parquet.strings(20),
               "word_index": pa.list_(pa.int32(), 20)},
        metadata={"dataset": "mtm", "source": "music21"},
    )  # fmt: skip
    tone = np.sin(np.arange(32_000) / 20).astype(np.float32) / 4
    parquet.write(
        folder / "audio" / "part-00000.parquet",
        {"id": ids, "audio": [(audio.encode_flac(tone, 16_000), "x.flac")] * N},
        types={"id": TEXT, "audio": parquet.MEDIA},
    )
    for name, grey in (("sheet", 200), ("sheet_plain", 255)):
        file = io.BytesIO()
        Image.new("L", (600, 60), grey).save(file, "png")
        parquet.write(
            folder / "engraved" / name / "part-00000.parquet",
            {"id": ids, "picture": [(file.getvalue(), "x.png")] * N},
            types={"id": TEXT, "picture": parquet.MEDIA},
        )


def _mv10k(folder: Path) -> None:
    """Videos as 8-bit features."""
    generator = np.random.default_rng(1)
    kind = {view: pa.list_(pa.list_(pa.uint8(), width)) for view, width in (("audio", 128), ("rgb", 1024))}
    parquet.write(
        folder / "videos" / "part-00000.parquet",
        {"id": _ids("v"), "audio": [generator.integers(0, 256, (5, 128), np.uint8) for _ in range(N)],
         "rgb": [generator.integers(0, 256, (5, 1024), np.uint8) for _ in range(N)]},
        types={"id": TEXT, **kind},
    )  # fmt: skip
    parquet.write(
        folder / "samples" / "part-00000.parquet",
        {"id": _ids("v"), "label": _labels(), "fold": [0] * N},
        types={"id": TEXT, "label": TEXT, "fold": pa.int64()},
        metadata={"dataset": "mv10k", "source": "simulated"},
    )


def _songs(folder: Path) -> None:
    """Whole songs with a hostile title and hostile lyrics, which are not free."""
    ids = _ids("w")
    parquet.write(
        folder / "samples" / "part-00000.parquet",
        {"id": ids, "song": [item[:3] for item in ids], "title": [HOSTILE] * N, "text": [LYRICS] * N},
        types=dict.fromkeys(("id", "song", "title", "text"), TEXT),
        metadata={"dataset": "songs", "source": "folder", "free_text": False},
    )
    tone = np.sin(np.arange(32_000) / 20).astype(np.float32) / 4
    parquet.write(
        folder / "audio" / "part-00000.parquet",
        {"id": ids, "audio": [(audio.encode_flac(tone, 16_000), "x.flac")] * N},
        types={"id": TEXT, "audio": parquet.MEDIA},
    )


def _image2song(folder: Path) -> None:
    """Pictures, each of another grey, and songs whose lyrics are not free; a word of them is hostile."""
    pictures, songs = _ids("p"), _ids("l")
    files = []
    for i in range(N):
        file = io.BytesIO()
        Image.new("RGB", (40, 30), (20 * i, 0, 0)).save(file, "png")
        files.append((file.getvalue(), "x.png"))
    ids, facts = [*pictures, *songs], {"dataset": "image2song", "source": "emoji, fortunes", "free_text": False}
    columns: dict[str, Any] = {
        "id": ids, "part": ["image"] * N + ["lyrics"] * N, "title": [HOSTILE] * 2 * N, "text": [""] * N + [LYRICS] * N,
        "words": [["cat", HOSTILE]] * 2 * N, "image": [*files, *[(b"", "")] * N],
    }  # fmt: skip
    types = dict.fromkeys(("id", "part", "title", "text"), TEXT)
    parquet.write(
        folder / "samples" / "part-00000.parquet",
        columns,
        types=types | {"words": pa.list_(TEXT), "image": parquet.MEDIA},
        metadata=facts,
    )
    tags = [[[row % 2]] for row in range(2 * N)]
    kinds = {"id": TEXT, **dict.fromkeys(("tags", "keywords"), pa.list_(pa.list_(pa.int32())))}
    parquet.write(
        folder / "tags" / "part-00000.parquet",
        {"id": ids, "tags": tags, "keywords": tags},
        types=kinds,
        metadata={"keyword_vocabulary": [["cat", HOSTILE]]},
    )


def _rankings(folder: Path, *, right_first: bool) -> None:
    """What pictures and songs find: what has their word is theirs; the last song is asked for by nobody."""
    rows: list[dict[str, Any]] = []
    for direction, queries, gallery in (
        ("image->lyrics", _ids("p"), _ids("l")),
        ("lyrics->image", _ids("l")[:-1], _ids("p")),
    ):
        for at, query in enumerate(queries):
            own = [item for place, item in enumerate(gallery) if place % 2 == at % 2]
            others = [item for item in gallery if item not in own]
            found = [*own, *others] if right_first else [*others, *own]
            rows.append({
                "direction": direction, "query": query, "found": found, "score": [1 - i / N for i in range(N)],
                "right": [item in own for item in found], "precision": 1.0 if right_first else 0.35,
                "rank": 1.0 if right_first else 1.0 + len(others), "pool": N,
            })  # fmt: skip
    columns = {name: [row[name] for row in rows] for name in RANKINGS}
    parquet.write(folder / "rankings.parquet", columns, types=RANKINGS, metadata={"source": "emoji, fortunes"})


def _experiments(made: Fabricated) -> None:
    """Two methods on clips, a sweep, one on videos, two on pieces of songs, one on whole songs, dealt in two ways.

    Two more on pictures and songs.
    """
    parts = np.array([[0.30, 0.32], [0.31, 0.33]])
    margins = [Variant(setting=f"margin={m}") for m in ("0.1", "0.5")]
    margins = [Variant(setting=one.setting + ";batches=500") for one in margins]
    made.add("vegas_cca", Experiment(dataset="vegas", model="cca"), {"": parts})
    made.add("vegas_c_cca", Experiment(dataset="vegas", model="c_cca"), {"": 2 * parts})
    made.add(
        "vegas_margin",
        Experiment(dataset="vegas", model="tnn_c_cca", variants=margins),
        {one.setting: parts for one in margins},
    )
    chosen = [Variant(setting="k/chunks=1/3"), Variant(setting="mean")]
    made.add(
        "chunks_cca",
        Experiment(dataset="mv10k", model="cca", variants=chosen),
        {one.setting: parts for one in chosen},
    )
    songs = {f"{a}->{b}": parts for a in ("audio", "sheet", "lyrics") for b in ("audio", "sheet", "lyrics") if a != b}
    made.add("mtm_gcca", Experiment(dataset="mtm", model="gcca"), {"": songs},
             measure="recall_at_1")  # fmt: skip
    made.add(
        "mtm_cca",
        Experiment(dataset="mtm", model="cca", views={"sheet": "sheet_plain"}),
        {"": songs},
        measure="recall_at_1",
    )
    pairs = {"audio->lyrics": parts, "lyrics->audio": parts}
    told = {"mrr_within": 0.2, "mrr_within_std": 0.01, "class_mrr_mode": 0.5, "class_mrr_mode_std": 0.1,
            "chance": {"mrr": 0.1, "class_mrr_mode": 0.4}, "oracle": {"mrr": 0.3, "class_mrr_mode": 0.6}}  # fmt: skip
    for key, division in (("songs_cca", ""), ("songs_by_file", "file")):
        entry = Experiment(dataset="songs", model="cca", division=division)
        made.add(key, entry, {"": pairs}, measure="mrr", more=told)
    for key, tags in (("image2song_bow", "tags"), ("image2song_bow_true", "true_tags")):
        made.add(
            key,
            Experiment(dataset="image2song", model="overlap", views={"image": tags, "lyrics": "bag"}),
            {"": {"image->lyrics": parts, "lyrics->image": parts}},
            more={"relevant": N / 2},
        )
    for key, experiment in made.experiments.items():
        _curves(made.folder / key, experiment)
        if experiment.dataset == "image2song":
            _rankings(made.folder / key, right_first=key == "image2song_bow_true")
            continue
        _embeddings(made.folder / key, experiment, spaces=key == "mtm_cca")


def _curves(folder: Path, experiment: Experiment) -> None:
    other = {"mtm": "sheet", "songs": "lyrics", "image2song": "lyrics"}.get(experiment.dataset, "visual")
    first = "image" if experiment.dataset == "image2song" else "audio"
    directions = [f"{first}->{other}", f"{other}->{first}"]
    settings = [variant.setting for variant in experiment.variants] or [""]
    at = [(setting, direction, k) for setting in settings for direction in directions for k in range(1, 81)]
    write_csv(folder / "recall.csv", ["setting", "direction", "k", "recall"], [(*row, row[2] / 80) for row in at])
    rows = [(*row, 0.1 + 0.5 / row[2], row[2] / 80) for row in at]
    write_csv(folder / "precision_recall.csv", ["setting", "direction", "k", "precision", "recall"], rows)
    if experiment.model == "tnn_c_cca":
        history = [(setting, 0, 0, "", epoch, "loss", 1 / epoch) for setting in settings for epoch in range(1, 9)]
        write_csv(folder / "history.csv", ["setting", "seed", "fold", "space", "epoch", "term", "value"], history)


def _embeddings(folder: Path, experiment: Experiment, *, spaces: bool) -> None:
    """Embeddings that know the class, but for noise; of songs, those that know the item."""
    generator = np.random.default_rng(len(folder.name))
    whole = experiment.dataset == "songs"
    paired = experiment.dataset == "mtm" or whole
    prefix = {"vegas": "c", "mv10k": "v", "mtm": "s", "songs": "w"}[experiment.dataset]
    codes = np.eye(N) if paired else np.array([[1.0, 0.0], [0.0, 1.0]] * (N // 2))
    views = ("audio", "lyrics") if whole else ("audio", "sheet", "lyrics") if paired else ("audio", "visual")
    names = [f"{v}@{a}-{b}" for i, a in enumerate(views) for b in views[i + 1 :] for v in (a, b)] if spaces else views
    columns: dict[str, Any] = {"id": _ids(prefix), "fold": [0] * N}
    types: dict[str, Any] = {"id": TEXT, "fold": pa.int64()}
    if not paired or whole:
        columns["label"], types["label"] = _labels(), TEXT
    if whole:
        columns["kind"], types["kind"] = ["x/de", "y/en"] * (N // 2), TEXT
    for name in names:
        columns[name] = (codes + 0.4 * generator.normal(size=codes.shape)).astype(np.float32)
        types[name] = parquet.vector(codes.shape[1])
    facts: Mapping[str, str] = {
        "source": {"vegas": "digits", "mv10k": "simulated", "mtm": "music21", "songs": "folder"}[experiment.dataset]
    }
    parquet.write(folder / "embeddings.parquet", columns, types=types, metadata=facts)


def _ids(prefix: str) -> list[str]:
    return [f"{prefix}{i // 2:02d}-{i % 2}" for i in range(N)]


def _labels() -> list[str]:
    return ["dog", HOSTILE] * (N // 2)
