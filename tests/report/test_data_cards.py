"""Table 3.1 and the cards of data sets."""

from __future__ import annotations

import base64
import csv
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tests.divided import divide
from unisono.datasets.base import Part, dataset_of
from unisono.errors import DataError
from unisono.io import parquet
from unisono.media import audio, mp4
from unisono.report import clip_tables, data_cards, tables
from unisono.report import kinds as beyond_kinds
from unisono.report import panels as looks
from unisono.report.html import items

TEXT = pa.string()


@pytest.fixture
def vegas(tmp_path: Path) -> Path:
    """Six clips of two classes, one outside the folds, with two feature sets."""
    folder = tmp_path / "data" / "vegas"
    generator = np.random.default_rng(0)
    labels, folds = ["dog", "dog", "drum", "drum", "dog", "drum"], [0, 1, 0, 1, -1, 1]
    ids = [f"c{i}" for i in range(6)]
    clips = []
    for i in range(6):
        frames = [np.full((32, 48, 3), 20 * i + k, np.uint8) for k in range(20)]
        clips.append(mp4.encode(frames, 10, generator.normal(0, 0.1, 32000).astype(np.float32), 16000))
    parquet.write(
        folder / "samples" / "part-00000.parquet",
        {"id": ids, "label": labels, "fold": folds, "duration_s": [2.0, 2.5, 3.0, 2.0, 2.0, 4.0],
         "video": [(clip, "x.mp4") for clip in clips]},
        types={"id": TEXT, "label": TEXT, "fold": pa.int32(), "duration_s": pa.float64(), "video": parquet.MEDIA},
        metadata={"dataset": "vegas", "source": "digits", "left_out": ["1 of 7 is too loud"]},
    )  # fmt: skip
    for name, extractor in (("audio", "vggish"), ("visual", "inception")):
        parquet.write(
            folder / "features" / name / "part-00000.parquet",
            {"id": ids[:4], name: np.ones((4, 10, 7)), "n_frames": [2, 3, 3, 4]},
            types={"id": TEXT, name: parquet.matrix(10, 7), "n_frames": pa.int32()},
            metadata={"dataset": "vegas", "source": "digits", "extractor": extractor, "variant": "plain",
                      "weights": "untrained", "whitening": "fitted on clips outside every fold", "limits": "clipped"},
        )  # fmt: skip
    return divide(folder)


@pytest.fixture
def mv10k(tmp_path: Path) -> Path:
    """Three videos of two moods."""
    folder = tmp_path / "data" / "mv10k"
    ids, lengths = ["v0", "v1", "v2"], [3, 4, 5]
    facts = {"dataset": "mv10k", "source": "simulated"}
    kind = {view: pa.list_(pa.list_(pa.uint8(), width)) for view, width in (("audio", 128), ("rgb", 1024))}
    parquet.write(
        folder / "videos" / "part-00000.parquet",
        {"id": ids, "n_frames": lengths, "audio": [np.ones((n, 128), np.uint8) for n in lengths],
         "rgb": [np.ones((n, 1024), np.uint8) for n in lengths]},
        types={"id": TEXT, "n_frames": pa.int32(), **kind},
        metadata=facts,
    )  # fmt: skip
    parquet.write(
        folder / "samples" / "part-00000.parquet",
        {"id": ids, "label": ["calm", "warm", "calm"], "fold": [0, 0, 1]},
        types={"id": TEXT, "label": TEXT, "fold": pa.int32()},
        metadata=facts,
    )
    return divide(folder)


@pytest.fixture
def nothing(tmp_path: Path) -> Path:
    """A comparison in which no run stands."""
    tables.write_csv(tmp_path / "kinds.csv", beyond_kinds.COLUMNS, [])
    return tmp_path / "kinds.csv"


def test_table_3_1(vegas: Path, mv10k: Path, tmp_path: Path) -> None:
    clip_tables.write(vegas, mv10k, tmp_path)
    with (tmp_path / "table_3_1.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["dataset"], row["view"]) for row in rows] == [
        ("vegas", "audio"),
        ("vegas", "visual"),
        ("mv10k", "audio"),
        ("mv10k", "visual"),
    ]
    assert [row["dimensions"] for row in rows] == ["(L, 7)", "(L, 7)", "(L, 128)", "(L, 1024)"]
    assert [row["published_items"] for row in rows] == ["28103", "28103", "10000", "10000"]
    assert rows[1]["extractor"] == "inception"
    assert rows[1]["weights"] == "untrained"
    assert rows[1]["variant"] == "plain, whitening to 7 fitted on clips outside every fold, clipped"
    assert (rows[0]["frames_min"], rows[0]["frames_mean"], rows[0]["frames_max"]) == ("2", "3.0", "4")
    assert [row["items"] for row in rows] == ["4", "4", "3", "3"]
    text = (tmp_path / "table_3_1.md").read_text(encoding="utf-8")
    assert "- Source: vegas: digits, mv10k: simulated." in text
    assert "Inception (L, 1024), 28,103 items" in text


def test_table_3_1_without_features(vegas: Path, mv10k: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no features here"):
        clip_tables.write(tmp_path, mv10k, tmp_path)
    with pytest.raises(DataError, match="videos: no such file"):
        clip_tables.write(vegas, tmp_path, tmp_path)


def test_card_of_clips(nothing: Path, vegas: Path, tmp_path: Path) -> None:
    skipped = tmp_path / "vegas_skipped.csv"
    skipped.write_text("item,reason\na,it has no sound\nb,it has no sound\nc,too short\n", encoding="utf-8")
    out, figure = tmp_path / "vegas.md", tmp_path / "sheet.png"
    data_cards.write("vegas", vegas, [skipped], kinds=nothing, out=out, figure=figure)
    text = out.read_text(encoding="utf-8")
    assert "| class | outside | fold 0 | fold 1 | all |" in text
    assert "| dog | 1 | 1 | 1 | 3 |" in text
    assert "| all | 1 | 2 | 3 | 6 |" in text
    assert "| seconds | 2.00 | 2.58 | 2.25 | 4.00 |" in text
    assert "- `vegas_skipped.csv`: 3 items:\n  - 2 x it has no sound\n  - 1 x too short" in text
    assert "\n- 1 of 7 is too loud.\n" in text
    assert "Source: `digits`." in text
    assert "CC BY 4.0" in text
    assert "(../figures/sheet.png)" in text
    first = figure.read_bytes()
    data_cards.write("vegas", vegas, [skipped], kinds=nothing, out=out, figure=figure)
    assert figure.read_bytes() == first
    from PIL import Image

    with Image.open(figure) as picture:
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 100, "there are pictures in it"


def test_contact_sheet_shows_a_clip_of_each_class_inside_the_folds(vegas: Path) -> None:
    panels = list(data_cards.panels(dataset_of("vegas"), vegas))
    assert [panel.title for panel in panels] == ["dog: c0", "drum: c2"]
    # The frame in the middle: clip 2 is grey 40 + 10 at 1 s.
    assert abs(float(panels[1].upper.mean()) - 50) < 6
    # 2 s of sound, and what AAC adds at its end.
    assert panels[0].lower.shape[0] == 64
    assert 198 <= panels[0].lower.shape[1] <= 206


def test_card_of_music_videos(nothing: Path, mv10k: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards.csv"
    shards.write_text("shard,seen,accepted,too_short\na,5,2,3\nb,4,1,3\n", encoding="utf-8")
    data_cards.write("mv10k", mv10k, [shards], kinds=nothing, out=tmp_path / "mv10k.md", figure=tmp_path / "sheet.png")
    text = (tmp_path / "mv10k.md").read_text(encoding="utf-8")
    assert "of 9 items of the source, 3 were accepted" in text
    assert "| too short | 6 |" in text
    assert "| frames | 3.00 | 4.00 | 4.00 | 5.00 |" in text
    assert "| calm | 1 | 1 | 2 |" in text
    assert [panel.upper.shape for panel in data_cards.panels(dataset_of("mv10k"), mv10k)] == [(128, 3), (128, 4)]


def test_card_of_published_features_has_an_empty_sheet(nothing: Path, tmp_path: Path) -> None:
    parquet.write(
        tmp_path / "samples" / "part-00000.parquet",
        {"id": ["a", "b"], "label": ["x", "y"], "split": ["train", "test"], "audio": [np.ones((1, 4))] * 2},
        types={"id": TEXT, "label": TEXT, "split": TEXT, "audio": parquet.matrix(None, 4)},
        metadata={"dataset": "vegas", "source": "features"},
    )
    divide(tmp_path)
    data_cards.write("vegas", tmp_path, [], kinds=nothing, out=tmp_path / "vegas.md", figure=tmp_path / "sheet.png")
    text = (tmp_path / "vegas.md").read_text(encoding="utf-8")
    assert "| class | train | test | all |" in text
    assert "Contact sheet" not in text
    assert "Nothing." in text
    assert (tmp_path / "sheet.png").stat().st_size > 0


def test_card_without_a_list_or_data(nothing: Path, vegas: Path, tmp_path: Path, make_mtm: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        data_cards.write(
            "vegas", vegas, [tmp_path / "none.csv"], kinds=nothing, out=tmp_path / "x", figure=tmp_path / "y"
        )
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"odd\.csv: expected a column reason"):
        data_cards.write(
            "vegas", vegas, [tmp_path / "odd.csv"], kinds=nothing, out=tmp_path / "x", figure=tmp_path / "y"
        )
    with pytest.raises(DataError, match="samples"):
        data_cards.write("vegas", tmp_path, [], kinds=nothing, out=tmp_path / "x", figure=tmp_path / "y")
    assert not (tmp_path / "x").exists()


def test_a_picture_shows_as_it_is_in_cards_and_small_in_pages() -> None:
    pixels = np.full((4, 8, 3), 90, np.uint8)
    part = Part("a", "upper", "picture", pixels)
    assert np.array_equal(looks.picture(part), pixels)
    shown = items._rendered(part, 1.0)
    assert (shown["kind"], shown["alt"]) == ("picture", "upper, 8 x 4 pixels")
    with Image.open(io.BytesIO(base64.b64decode(shown["src"].partition(",")[2]))) as image:
        assert image.size == (192, 96)
        assert abs(float(np.asarray(image.convert("L")).mean()) - 90) < 3


# ---- Songs ----

#: Texts that no font, line or picture is made for.
TEXTS = {
    "script": "<script>window.hacked = 1</script> la la",
    "control": "a\x00b\x07c\x1b[31mred\x7f \u2028 \ufeff\u202egnp.exe",
    "long": "x" * 5000,
    "right to left": "\u05e9\u05dc\u05d5\u05dd \u0639\u0644\u064a\u0643\u0645 " * 20,
    "emoji": "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u0301\u0301\u0301",
    "dollar": "$\\frac{1}{$ %d {x} $$ \\n",
    "blank": " \u00a0\t\n ",
    "one": "a",
}


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Eight songs with hostile words, five deals in two divisions; one song takes no part in any deal."""
    folder = tmp_path / "data" / "songs"
    ids = [f"s{i}" for i in range(len(TEXTS))]
    columns = dict.fromkeys(("id", "song"), ids) | {"title": list(TEXTS), "text": list(TEXTS.values())}
    columns |= {"n_words": list(range(20, 28)), "label": ["hymn", "<b>aria</b> | x"] * 4}
    facts = {"dataset": "songs", "source": "music21", "free_text": True, "left_out": ["1 of 9 files is short"]}
    types = dict.fromkeys(columns, TEXT) | {"n_words": pa.int32()}
    parquet.write(folder / "samples" / "part-00000.parquet", columns, types=types, metadata=facts)
    tone = np.sin(np.arange(32_000) / 20).astype(np.float32) / 4
    parquet.write(
        folder / "audio" / "part-00000.parquet",
        {"id": ids, "audio": [(audio.encode_flac(tone, 16_000), "x.flac")] * len(ids)},
        types={"id": TEXT, "audio": parquet.MEDIA},
    )
    by_song = [["train", "test"], ["train", "train"], ["test", "train"], ["test", "test"], ["train", ""], ["", "train"],
               ["train", "train"]]  # fmt: skip
    parquet.write(
        folder / "divisions" / "part-00000.parquet",
        {"id": ids[:7], "deals": [[*own, "train", "train"] for own in by_song]},
        types={"id": TEXT, "deals": parquet.strings(4)},
        metadata={"divisions": {"song": [0, 1], "file": [2, 3]}},
    )
    return folder


def verdicts(path: Path, *found: str) -> Path:
    """Write what was found of songs."""
    row = {"run": "a", "dataset": "songs", "method": "CCA", "division": "", "direction": "both", "source": "music21",
           "measure": "mrr", "true": 0.2, "shuffled": 0.1, "difference": 0.1, "low": -0.1, "high": 0.3, "n_deals": 2,
           "pool": 2}  # fmt: skip
    tables.write_csv(path, beyond_kinds.COLUMNS, [row | {"verdict": verdict} for verdict in found])
    return path


def test_card_of_songs_counts_by_deal_and_says_what_is_found(songs: Path, tmp_path: Path) -> None:
    def card(*found: str) -> str:
        kinds = verdicts(tmp_path / "kinds.csv", *found)
        data_cards.write("songs", songs, [], kinds=kinds, out=tmp_path / "songs.md", figure=tmp_path / "sheet.png")
        return (tmp_path / "songs.md").read_text(encoding="utf-8")

    text = card("no evidence")
    # Of the usual division: hymns are s0, s2, s4 and s6.
    assert "| class | train | test | left out | all |" in text
    assert "| hymn | 2.5 | 1 | 0.5 | 4 |" in text
    assert "| all | 4 | 2 | 2 | 8 |" in text
    assert r"| &lt;b>aria&lt;/b> \| x | 1.5 |" in text
    assert "Means over 2 deals, of which each leaves out items" in text
    assert "| words | 20.00 | 23.50 | 23.50 | 27.00 |" in text
    assert "## What is found in it\n\nOn the source music21 there is no evidence that words are found by sound" in text
    assert "- 1 of 9 files is short." in text
    assert "in 1 of 2 comparisons over both directions: CCA (MRR)." in card("beyond the kind", "no evidence")
    # Where nothing was compared, nothing is said.
    assert "What is found in it" not in card()


def test_hostile_words_are_drawn_on_the_contact_sheet(songs: Path, nothing: Path, tmp_path: Path) -> None:
    figure = tmp_path / "sheet.png"
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        data_cards.write("songs", songs, [], kinds=nothing, out=tmp_path / "songs.md", figure=figure)
    with Image.open(figure) as picture:
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 100
    shown = list(data_cards.panels(dataset_of("songs"), songs))
    assert len(shown) == 2
    assert shown[0].upper.shape == (28 * looks.LINES, 13 * looks.LETTERS, 3)
    assert shown[0].upper.min() < 100, "words are written"
    assert shown[0].lower.shape[0] == 64


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_is_a_picture_of_one_size(name: str) -> None:
    pixels = looks.picture(Part("a", "lyrics", "text", TEXTS[name]))
    assert (pixels.shape, pixels.dtype) == ((28 * looks.LINES, 13 * looks.LETTERS, 3), np.uint8)
    written = (pixels < 128).any(axis=(1, 2))
    assert written.any() == (name != "blank")


def test_a_text_that_is_too_long_says_so_and_stays_inside() -> None:
    short = looks.picture(Part("a", "lyrics", "text", "word " * 10))
    long = looks.picture(Part("a", "lyrics", "text", "word " * 10_000))
    assert (long < 128).sum() > (short < 128).sum()
    # Nothing is cut at the right, at the bottom or between: the widest letters leave a margin.
    for text in ("W" * 500, "word " * 10_000, "Mm " * 1000):
        assert (looks.picture(Part("a", "lyrics", "text", text))[:, -1] == 255).all(), text[:10]
