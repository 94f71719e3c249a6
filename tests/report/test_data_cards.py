"""Table 3.1 and the cards of data sets."""

from __future__ import annotations

import base64
import csv
import io
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
from unisono.media import mp4
from unisono.report import clip_tables, data_cards
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


def test_card_of_clips(vegas: Path, tmp_path: Path) -> None:
    skipped = tmp_path / "vegas_skipped.csv"
    skipped.write_text("item,reason\na,it has no sound\nb,it has no sound\nc,too short\n", encoding="utf-8")
    out, figure = tmp_path / "vegas.md", tmp_path / "sheet.png"
    data_cards.write("vegas", vegas, [skipped], out=out, figure=figure)
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
    data_cards.write("vegas", vegas, [skipped], out=out, figure=figure)
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


def test_card_of_music_videos(mv10k: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards.csv"
    shards.write_text("shard,seen,accepted,too_short\na,5,2,3\nb,4,1,3\n", encoding="utf-8")
    data_cards.write("mv10k", mv10k, [shards], out=tmp_path / "mv10k.md", figure=tmp_path / "sheet.png")
    text = (tmp_path / "mv10k.md").read_text(encoding="utf-8")
    assert "of 9 items of the source, 3 were accepted" in text
    assert "| too short | 6 |" in text
    assert "| frames | 3.00 | 4.00 | 4.00 | 5.00 |" in text
    assert "| calm | 1 | 1 | 2 |" in text
    assert [panel.upper.shape for panel in data_cards.panels(dataset_of("mv10k"), mv10k)] == [(128, 3), (128, 4)]


def test_card_of_published_features_has_an_empty_sheet(tmp_path: Path) -> None:
    parquet.write(
        tmp_path / "samples" / "part-00000.parquet",
        {"id": ["a", "b"], "label": ["x", "y"], "split": ["train", "test"], "audio": [np.ones((1, 4))] * 2},
        types={"id": TEXT, "label": TEXT, "split": TEXT, "audio": parquet.matrix(None, 4)},
        metadata={"dataset": "vegas", "source": "features"},
    )
    divide(tmp_path)
    data_cards.write("vegas", tmp_path, [], out=tmp_path / "vegas.md", figure=tmp_path / "sheet.png")
    text = (tmp_path / "vegas.md").read_text(encoding="utf-8")
    assert "| class | train | test | all |" in text
    assert "Contact sheet" not in text
    assert "Nothing." in text
    assert (tmp_path / "sheet.png").stat().st_size > 0


def test_card_without_a_list_or_data(vegas: Path, tmp_path: Path, make_mtm: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        data_cards.write("vegas", vegas, [tmp_path / "none.csv"], out=tmp_path / "x", figure=tmp_path / "y")
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"odd\.csv: expected a column reason"):
        data_cards.write("vegas", vegas, [tmp_path / "odd.csv"], out=tmp_path / "x", figure=tmp_path / "y")
    with pytest.raises(DataError, match="samples"):
        data_cards.write("vegas", tmp_path, [], out=tmp_path / "x", figure=tmp_path / "y")
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
