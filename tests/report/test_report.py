"""The report: one file with everything in it, whatever is missing or hostile."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.report.built import HOSTILE, LOOKS, LYRICS, N
from unisono.config import validate
from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.errors import ConfigError, DataError
from unisono.evaluation import embeddings
from unisono.report import curves, layouts, tables
from unisono.report.html import charts, figures, gallery, items, markup, media, overview, page, prose, result_tables
from unisono.report.html import summary as summaries
from unisono.report.html.page import Inputs
from unisono.store import pieces

Entries = dict[str, Experiment]


class Reader(HTMLParser):
    """Elements of a page in order, with attributes and the text inside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def write(entries: Entries, inputs: Inputs, settings: Report = LOOKS) -> str:
    out = inputs.data.parent / "report.html"
    page.write(entries, settings, inputs, out)
    return out.read_text(encoding="utf-8")


def without_gallery(entries: Entries, inputs: Inputs) -> str:
    """Write the page but for the gallery, which takes time."""
    return page.to_html(entries, LOOKS, inputs, {})


@pytest.fixture(scope="session")
def whole(project: tuple[Entries, Inputs], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The whole page of the unspoilt project."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    page.write(project[0], LOOKS, project[1], out)
    return out.read_text(encoding="utf-8")


def section(text: str, name: str) -> str:
    """Return a section of the page, by its id."""
    start = text.index(f'id="{name}"')
    opening = text.rindex("<", 0, start)
    kind = re.match(r"<(\w+)", text[opening:])[1]  # type: ignore[index]
    return text[opening : text.index(f"</{kind}>", start)]


def gallery_of(text: str, name: str) -> dict[str, Any]:
    found = re.search(rf'<script type="application/json" id="gallery-{name}"[^>]*>(.*?)</script>', text, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


# ---- The page as a whole ----


def test_it_needs_nothing_but_itself(whole: str) -> None:
    reader = Reader(whole)
    for _, attributes in reader.elements:
        for name in ("src", "srcset", "poster", "data", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not reader.of("link") + reader.of("iframe") + reader.of("object") + reader.of("base")
    assert all((link["href"] or "").startswith("#") for link in reader.of("a"))
    style = whole[whole.index("<style>") + 7 : whole.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_its_policy_allows_its_own_script_and_style_and_no_network(whole: str) -> None:
    (policy,) = [
        one["content"] for one in Reader(whole).of("meta") if one.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    own = Reader(whole).scripts[-1]
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert not [a for _, a in Reader(whole).elements if any(name == "style" or name.startswith("on") for name in a)]


def test_text_from_data_stays_text(whole: str) -> None:
    assert "<script>window" not in whole
    kinds = [one.get("type") for one in Reader(whole).of("script")]
    assert kinds == ["application/json"] * 6 + [None]
    vegas, mtm = gallery_of(whole, "vegas"), gallery_of(whole, "mtm")
    assert {item["label"] for item in vegas["items"]} == {"dog", HOSTILE}
    assert {item["about"] for item in mtm["items"]} == {HOSTILE}
    assert mtm["items"][0]["parts"]["lyrics"][0]["text"].startswith(f"{HOSTILE}-{HOSTILE} la-la")


def test_of_songs_title_six_words_and_sound_are_shown_as_text(whole: str) -> None:
    songs = gallery_of(whole, "songs")
    assert {item["about"] for item in songs["items"]} == {HOSTILE}
    for item in songs["items"]:
        (words,) = item["parts"]["lyrics"]
        assert words["text"] == " ".join(LYRICS.split()[:6]) + " …"
        (sound,) = item["parts"]["audio"]
        assert sound["kind"] == "sound"
        assert sound["src"].startswith("data:audio/")
    assert " ".join(LYRICS.split()[5:9]) not in whole
    assert [method["key"] for method in songs["methods"]] == ["songs_cca", "songs_by_file"]
    shown = section(whole, "kinds")
    assert "Shuffled within kinds" in shown
    for name in ("table_songs", "table_songs_categories", "figure_songs_components", "figure_songs_training"):
        assert f'id="{name}"' in whole, name


def test_pictures_and_songs_are_asked_for_by_direction_and_right_is_what_belongs(whole: str) -> None:
    shown = gallery_of(whole, "image2song")
    items, methods = shown["items"], shown["methods"]
    assert (shown["part"], shown["source"]) == ("the first deal", "emoji, fortunes")
    asked = {
        direction: {items[shown["queries"][at]]["id"][0] for at in own} for direction, own in shown["asked"].items()
    }
    assert asked == {"image->lyrics": {"p"}, "lyrics->image": {"l"}}
    assert [method["name"] for method in methods] == [
        "BoW; predicted tags (image=tags;lyrics=bag)",
        "BoW; true tags (image=true_tags;lyrics=bag)",
    ]
    for direction, own in shown["asked"].items():
        other = "lp"[direction.startswith("lyrics")]
        for at, query in enumerate(shown["queries"]):
            predicted, true = (method["answers"][direction][at] for method in methods)
            if at not in own:
                assert predicted is None
                continue
            assert (predicted[:2], true[:2]) == ([0.35, 7.0], [1.0, 1.0])
            for (place, score, right), rank in zip(true[2], range(10), strict=True):
                item = items[place]
                assert item["id"][0] == other
                assert right == (rank < 6) == (item["words"] == items[query]["words"])
                assert score == pytest.approx(1 - rank / 12, abs=1e-3)
    assert {method["pools"]["image->lyrics"] for method in methods} == {12}


def test_of_pictures_and_songs_words_in_common_and_six_words_are_shown_as_text(whole: str) -> None:
    shown = gallery_of(whole, "image2song")["items"]
    assert {tuple(item["words"]) for item in shown} == {("cat",), (HOSTILE,)}
    assert {item["about"] for item in shown} == {HOSTILE}
    for item in shown:
        if item["id"].startswith("l"):
            (words,) = item["parts"]["lyrics"]
            assert words["text"] == " ".join(LYRICS.split()[:6]) + " …"
        else:
            (picture,) = item["parts"]["image"]
            assert picture["src"].startswith("data:image/")


def test_markup_escapes_all_but_markup() -> None:
    assert markup.tag("a", "<", markup.tag("b", "&"), None, title='"') == '<a title="&quot;">&lt;<b>&amp;</b></a>'
    assert json.loads(markup.to_json({"a": f"{HOSTILE}\u2028"})) == {"a": f"{HOSTILE}\u2028"}
    assert not set("<>&\u2028") & set(markup.to_json([HOSTILE, "\u2028"]))


def test_the_same_inputs_give_the_same_bytes_with_what_is_kept_and_without(
    entries: Entries, inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pieces.opened(tmp_path / "scratch", "report"):
        first = write(entries, inputs)
    kept = list((tmp_path / "drawn" / "report").iterdir())
    assert write(entries, inputs) == first
    # The second time nothing is ranked, decoded or encoded.
    for name in ("sound", "strip", "sheet", "features", "figure"):
        monkeypatch.setattr(media, name, None)
    monkeypatch.setattr(gallery, "answer", None)
    with pieces.opened(tmp_path / "scratch", "report"):
        assert write(entries, inputs) == first
    monkeypatch.undo()
    for path in kept:
        path.write_bytes(b"damaged")
    with pieces.opened(tmp_path / "scratch", "report"):
        assert write(entries, inputs) == first


def test_contents_lead_to_everything_and_ids_are_unique(whole: str) -> None:
    ids = [attributes["id"] for _, attributes in Reader(whole).elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [(link["href"] or "")[1:] for link in Reader(whole).of("a")]
    assert set(targets) <= set(ids)
    for name in ("run", "tables", "table_5_2", "orderings", "chunks", "figures", "figure_5_9", "card-mtm", "gallery"):
        assert name in targets


def test_every_picture_has_a_text_and_every_figure_a_caption(whole: str) -> None:
    pictures = Reader(whole).of("img")
    assert len(pictures) >= 14
    assert all(len(one.get("alt") or "") > 10 for one in pictures)
    assert whole.count("<figure>") == whole.count("<figcaption>") == len(figures.titles())
    levels = [int(tag[1]) for tag, _ in Reader(whole).elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


# ---- What was run ----


def test_it_opens_with_what_was_run(whole: str) -> None:
    text = section(whole, "run")
    for said in ("digits", "simulated", "music21", "vggish untrained", "unisono 0", "Python 3.", "torch 2.",
                 "TensorFlow", "vegas_margin", "2 from 0"):  # fmt: skip
        assert said in text, said
    assert "may not be compared" in text


@pytest.mark.parametrize(
    ("name", "source", "weights", "answer"),
    [
        ("vegas", "digits", {}, "no"),
        ("mv10k", "simulated", {}, "no"),
        ("mtm", "music21", {}, "no"),
        ("mtm", "lmd", {"audio": "vggish untrained"}, "no"),
        ("mtm", "lmd", {"audio": "vggish pretrained"}, "yes"),
        ("mv10k", "youtube8m", {}, "yes"),
        ("vegas", "archive", {}, "perhaps"),
        ("mtm", "", {}, "no"),
        ("songs", "folder", {}, "no"),
        ("image2song", "emoji, fortunes", {}, "no"),
    ],
)
def test_numbers_compare_on_the_dissertations_data_alone(
    name: str, source: str, weights: dict[str, str], answer: str
) -> None:
    one = overview.DataSet(name, source, 1, weights)
    assert one.comparable()[0] == answer
    headline, reasons = overview.Overview([one], [], []).verdict()
    assert ("not be compared" in headline) == (answer == "no")
    assert f"{answer}, " in reasons


def test_versions_are_those_installed() -> None:
    assert overview.versions()["NumPy"] == np.__version__


# ---- Tables ----


def test_every_table_shows_ours_the_published_and_chance(whole: str) -> None:
    for number in layouts.LAYOUTS:
        assert "Missing" not in section(whole, f"table_{number.replace('.', '_')}")
    shown = section(whole, "table_5_2")
    cell = re.search(r'<th scope="row">CCA</th>(.*?)</tr>', shown)
    assert cell
    assert "31.50" in cell[1]
    assert "± 1.29" in cell[1]
    assert "D 32.43" in cell[1]
    assert "−0.9" in cell[1]
    assert 'class="number worse-1" data-value="0.315"' in cell[1]
    assert '<tr class="chance"><th scope="row">chance</th><td class="number">14.50</td>' in shown
    assert "<strong>63.00</strong>" in shown
    # A published number without ours stands there all the same.
    assert re.search(r'ACMR</th><td[^>]*><span title="not run">–</span> <span[^>]*>D ', shown)


def test_columns_of_a_table_are_those_of_its_layout(inputs: Inputs) -> None:
    shown = result_tables.section("5.2", inputs.tables)
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', shown)
    assert heads == ["Method", "VEGAS a→v", "VEGAS v→a", "VEGAS average", "MV-10K a→v", "MV-10K v→a", "MV-10K average"]
    assert len(re.findall(r"<tr>", shown)) == 1 + len(
        {(row["method"], row["setting"]) for row in tables.published() if row["table"] == "5.2"}
    )


def test_a_setting_of_ours_alone_leaves_the_published_number_in_its_line(inputs: Inputs) -> None:
    found = result_tables.read(inputs.tables / "table_5_2.csv", tables.COLUMNS)
    assert found is not None
    other = [row | {"setting": "audio=audio_3_9", "published": ""} for row in found if row["method"] == "CCA"]
    shown = result_tables.grid("5.2", [row for row in found if row["method"] != "CCA"] + other)
    assert re.search(r">CCA</th><td[^>]*><span title=\"not run\">–</span> <span[^>]*>D 32.43", shown)
    assert re.search(r"CCA \(audio_3_9\)|CCA \(audio=audio_3_9\)", shown)
    # An override is the line's own run.
    override = [row | {"setting": "ridge=1.0"} for row in found if row["method"] == "CCA"]
    assert "ridge" not in result_tables.grid("5.2", override)
    # Two runs that claim one line keep their names.
    both = result_tables.grid("5.2", [row for row in found if row["method"] == "CCA"] + override)
    assert "CCA (ridge=1.0)" in both


@pytest.mark.parametrize(
    ("metric", "ours", "published", "expected"),
    [
        ("map", 0.52, 0.45, ("+7.0", "better-2")),
        ("map", 0.451, 0.45, ("+0.1", "same")),
        ("map", 0.4499, 0.45, ("+0.0", "same")),
        ("map", 0.10, 0.45, ("−35.0", "worse-3")),
        ("median_rank", 10.0, 40.0, ("−30.0", "better-3")),
        ("median_rank", 40.0, 10.0, ("+30.0", "worse-3")),
    ],
)
def test_a_difference_has_sign_and_shade(metric: str, ours: float, published: float, expected: tuple[str, str]) -> None:
    assert result_tables.difference(metric, ours, published) == expected


# ---- What is missing or damaged ----


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (lambda i: (i.tables / "table_5_2.csv").unlink(), "table_5_2"),
        (lambda i: (i.tables / "table_5_2.csv").write_text("a,b\n1,2\n"), "table_5_2"),
        (lambda i: (i.tables / "table_5_2.csv").write_bytes(b"\xff\x00"), "table_5_2"),
        (lambda i: (i.tables / "table_3_1.md").unlink(), "table_3_1"),
        (lambda i: (i.tables / "orderings.md").unlink(), "orderings"),
        (lambda i: (i.figures / "figure_5_6.png").unlink(), "figure_5_6"),
        (lambda i: (i.figures / "figure_5_6.png").write_text("no picture"), "figure_5_6"),
        (lambda i: (i.figures / "figure_5_3.png").unlink(), "figure_5_3"),
        (lambda i: (i.figures / "vegas_contact_sheet.png").unlink(), "card-vegas"),
        (lambda i: (i.cards / "vegas.md").unlink(), "card-vegas"),
        (lambda i: shutil.rmtree(i.experiments / "vegas_cca"), "run"),
    ],
)
def test_what_is_missing_is_said_in_its_place(
    spoil: Callable[[Inputs], object], place: str, entries: Entries, inputs: Inputs
) -> None:
    assert "Missing: " not in section(without_gallery(entries, inputs), place)
    spoil(inputs)
    text = without_gallery(entries, inputs)
    assert '<p class="missing" role="note"><strong>Missing: </strong>' in section(text, place)
    assert text.count("Missing: ") <= 5


def test_a_number_that_is_none_is_said_to_be_damaged(entries: Entries, inputs: Inputs) -> None:
    path = inputs.tables / "table_5_2.csv"
    path.write_text(path.read_text().replace("0.315,", "many,"))
    assert "is damaged (could not convert" in section(without_gallery(entries, inputs), "table_5_2")


def test_a_page_of_nothing_is_a_page(entries: Entries, inputs: Inputs, tmp_path: Path) -> None:
    nowhere = Inputs(**{name: tmp_path / "nowhere" / name for name in vars(inputs)})
    text = page.to_html(entries, LOOKS, nowhere, {})
    assert "not built" in text
    assert "the gallery has no query" in text
    assert text.count("Missing: ") > 20
    assert "Missing" not in summaries.to_markdown(entries, LOOKS, nowhere)


@pytest.mark.parametrize(
    ("name", "gone"),
    [("samples", {"lyrics"}), ("audio", {"audio"}), ("engraved", {"sheet", "sheet_plain"})],
)
def test_a_view_without_media_is_not_shown(name: str, gone: set[str], inputs: Inputs) -> None:
    shutil.rmtree(inputs.data / "mtm" / name)
    found = items.read("mtm", inputs.data / "mtm", ["s00-0"], sound_s=0.5)
    assert set(found["s00-0"].parts) == {"audio", "lyrics", "sheet", "sheet_plain"} - gone


def test_items_without_media_are_shown_by_name(entries: Entries, inputs: Inputs) -> None:
    shutil.rmtree(inputs.data)
    text = write(entries, inputs)
    for name in ("vegas", "mv10k", "mtm"):
        content = gallery_of(text, name)
        assert len(content["queries"]) == 4
        assert not any(item["parts"] for item in content["items"])
        assert "nothing to see or hear" in content["remark"]


def test_a_damaged_clip_is_left_out(inputs: Inputs) -> None:
    path = inputs.data / "vegas" / "samples" / "part-00000.parquet"
    from unisono.io import parquet

    table = parquet.read(path)
    clips = [(b"broken", "x.mp4"), *[(c["bytes"], c["path"]) for c in table.column("video").to_pylist()[1:]]]
    columns = {name: table.column(name).to_pylist() for name in ("id", "label", "fold")} | {"video": clips}
    parquet.write(path, columns, types={f.name: f.type for f in table.schema})
    found = items.read("vegas", inputs.data / "vegas", ["c00-0", "c00-1", "unknown"], sound_s=1)
    assert not found["c00-0"].parts
    assert set(found["c00-1"].parts) == {"audio", "visual"}
    assert not found["unknown"].parts


# ---- Gallery ----


def test_answers_are_those_of_brute_force(entries: Entries, inputs: Inputs) -> None:
    from sklearn.metrics import average_precision_score

    for key, direction in (("vegas_cca", "visual->audio"), ("mtm_cca", "lyrics->sheet")):
        space = embeddings.read(key, entries, inputs.experiments, dataset=entries[key].dataset, pairs=True)
        queries, targets = space.sides(direction)
        unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (queries, targets)]
        scores = unit[0][3] @ unit[1].T
        found = gallery.answer(space, direction, str(space.ids[3]))
        assert found is not None
        assert [item for item, _ in found["top"]] == [str(space.ids[at]) for at in np.argsort(-scores)[:10]]
        assert found["rank"] == 1 + (scores > scores[3]).sum()
        assert found["ap"] == pytest.approx(average_precision_score(space.labels == space.labels[3], scores), abs=1e-4)
    assert gallery.answer(space, direction, "unknown") is None


def test_queries_take_turns_among_classes_or_stand_evenly_apart(entries: Entries, inputs: Inputs) -> None:
    vegas = embeddings.read("vegas_cca", entries, inputs.experiments, dataset="vegas")
    assert gallery.choose(vegas, 3) == ["c00-1", "c00-0", "c01-1"]
    assert len(gallery.choose(vegas, 100)) == N
    mtm = embeddings.read("mtm_gcca", entries, inputs.experiments, dataset="mtm", pairs=True)
    assert gallery.choose(mtm, 2) == ["s00-0", "s05-1"]


def test_the_gallery_holds_each_method_and_direction_with_its_media(whole: str) -> None:
    mtm = gallery_of(whole, "mtm")
    assert [method["name"] for method in mtm["methods"]] == ["GCCA", "CCA (sheet=sheet_plain)"]
    assert all(len(method["answers"]) == 6 for method in mtm["methods"])
    assert mtm["methods"][1]["looks"] == {"sheet": "sheet_plain"}
    assert mtm["paired"]
    for name, views in (("mtm", {"audio", "lyrics", "sheet", "sheet_plain"}), ("vegas", {"audio", "visual"}),
                        ("mv10k", {"audio", "visual"})):  # fmt: skip
        content = gallery_of(whole, name)
        assert len(content["queries"]) == 4
        assert all(set(item["parts"]) == views for item in content["items"])
    assert "holds features, not videos" in gallery_of(whole, "mv10k")["remark"]


def test_media_keep_to_their_budget(entries: Entries, inputs: Inputs) -> None:
    full = gallery.collect(entries, LOOKS, inputs.experiments, inputs.data)
    size = sum(_size(one.content) for one in full.values())
    for share in (0.7, 0.0):
        limit = share * size / 1e6
        looks = LOOKS.model_copy(update={"gallery_mb": limit})
        found = gallery.collect(entries, looks, inputs.experiments, inputs.data)
        assert sum(_size(one.content) for one in found.values()) <= share * size
        assert any("report.gallery_mb" in one.remark for one in found.values())
    assert "shown by name" in found["vegas"].remark
    assert len(found["vegas"].content["queries"]) == 4


def _size(content: dict[str, Any]) -> int:
    parts = [part for item in content["items"] for own in item["parts"].values() for part in own]
    return sum(len(part.get("src", "")) for part in parts)


def test_no_queries_make_no_gallery(entries: Entries, inputs: Inputs) -> None:
    text = write(entries, inputs, LOOKS.model_copy(update={"gallery_items": 0}))
    assert "the gallery has no query" in section(text, "gallery")
    shutil.rmtree(inputs.experiments)
    text = write(entries, inputs)
    assert "the gallery has no query" in section(text, "gallery")
    assert "Missing: </strong>results of vegas_cca, vegas_c_cca" in section(text, "run")


def test_a_method_that_lacks_a_query_says_so(entries: Entries, inputs: Inputs) -> None:
    shutil.copy(inputs.experiments / "chunks_cca" / "embeddings.parquet", inputs.experiments / "vegas_c_cca")
    found = gallery.collect(entries, LOOKS.model_copy(update={"gallery_items": 1}), inputs.experiments, inputs.data)
    assert found["vegas"].content["methods"][1]["answers"]["audio->visual"] == [None]


# ---- Media ----


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.partition("base64,")[2])


def test_sound_plays_at_its_length_and_pitch() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(44_100) / 22_050).astype(np.float32) / 2
    uri = media.sound(tone, 22_050)
    assert uri == media.sound(tone, 22_050)
    assert uri.startswith("data:audio/mpeg;base64,")
    with av.open(io.BytesIO(decoded(uri))) as file:
        played = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
        assert file.streams.audio[0].rate == 16_000
    assert len(played) == pytest.approx(32_000, abs=2_500)
    spectrum = np.abs(np.fft.rfft(played[4_000:20_000]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)
    assert len(uri) < 9_500


def test_pictures_are_small_and_whole() -> None:
    frames = np.stack([np.full((144, 144, 3), 25 * n, np.uint8) for n in range(9)])
    with Image.open(io.BytesIO(decoded(media.strip(frames)))) as strip:
        assert strip.size == (5 * 96, 96)
        greys = [strip.convert("L").getpixel((48 + 96 * n, 48)) for n in range(5)]
    assert greys == pytest.approx([0, 50, 100, 150, 200], abs=3)
    with Image.open(io.BytesIO(decoded(media.features(np.zeros((7, 128), np.uint8))))) as picture:
        assert picture.size == media.FEATURE_PIXELS
    with pytest.raises(DataError, match="not a readable picture"):
        media.sheet(b"no picture")


def test_a_figure_keeps_its_shape(tmp_path: Path) -> None:
    Image.new("RGB", (3200, 100), "white").save(tmp_path / "wide.png")
    uri, size = media.figure(tmp_path / "wide.png")
    assert size == (1600, 50)
    assert uri.startswith("data:image/webp")


# ---- Curves, prose, Markdown ----


def test_curves_are_those_of_the_tables(inputs: Inputs) -> None:
    found = charts.collect(inputs.plots, inputs.tables)
    assert {"recall", "losses", "figure_5_3", "figure_5_8", "figure_4_5"} <= set(found)
    panel = found["figure_5_3"]["panels"][0]
    assert [one["name"] for one in panel["series"]] == ["CCA", "C-CCA", "chance"]
    assert panel["series"][0]["x"][0] == pytest.approx(100 / 80)
    assert panel["series"][0]["y"][-1] == pytest.approx(10 + 50 / 80, rel=1e-3)
    assert len(panel["series"][0]["x"]) == curves.POINTS
    # Chance is the precision of the whole ranking.
    assert panel["series"][-1]["y"] == [panel["series"][1]["y"][-1]] * 2
    margin = found["figure_5_8"]["panels"][0]["series"]
    assert [one["name"] for one in margin][-1] == "chance"
    assert any(one.get("published") for one in margin)
    assert found["losses"]["panels"][0]["series"][0]["y"][:2] == [1.0, 0.5]


def test_curves_that_are_no_numbers_are_left_to_the_picture(inputs: Inputs) -> None:
    path = inputs.plots / "figure_5_3.csv"
    path.write_text(re.sub(r",1,0\.\d+", ",1,nan", path.read_text(), count=1))
    assert "figure_5_3" not in charts.collect(inputs.plots, inputs.tables)


def test_markdown_is_rendered_without_its_html_and_links() -> None:
    text = prose.render(
        f"# A {HOSTILE}\n\n[x](javascript:alert(1)) [y](../z.md) ![w](q.png)\n\n| a | b |\n| - | -: |\n| 1 | 2 |"
    )
    assert "<script" not in text
    assert "<img" not in text
    assert "href" not in text
    assert '<td class="number">2</td>' in text


def test_the_summary_links_what_is_there_and_tells_no_lyrics_or_times(entries: Entries, inputs: Inputs) -> None:
    out = inputs.tables.parent / "report.md"
    summaries.write(entries, LOOKS, inputs, out)
    text = out.read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20
    assert all((out.parent / link).is_file() for link in links)
    # Figures and the page are not in Git.
    assert not [link for link in links if link.startswith("figures/")]
    for said in ("la-la", "Python 3", HOSTILE):
        assert said not in text
    assert "may not be compared" in text
    assert "| VEGAS | audio → visual (MAP, Table 5.2) | C-CCA | 63.00" in text
    (inputs.tables / "table_5_2.md").unlink()
    text = summaries.to_markdown(entries, LOOKS, inputs)
    assert "| Table 5.2 | Audio-visual retrieval, all methods | missing |" in text


# ---- Parameters, colours ----


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("gallery_items", -1, "report.gallery_items: "),
        ("gallery_mb", -0.5, "report.gallery_mb: "),
        ("sound_s", 0, "report.sound_s: "),
        ("galery", 1, "report.galery: unknown parameter; did you mean 'gallery_"),
    ],
)
def test_parameters_out_of_range_are_named(key: str, value: float, message: str) -> None:
    raw = {"gallery_items": 4, "gallery_mb": 5, "sound_s": 1, key: value}
    with pytest.raises(ConfigError, match=message):
        validate(Report, raw, where="report")


def colours(at: int) -> dict[str, str]:
    """Return the colours of the style sheet by name: 0 on paper, 1 at night."""
    text = (page.TEMPLATES / "report.css").read_text()
    return {m[1]: m[2 + at] for m in re.finditer(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", text)}


def contrast(a: str, b: str) -> float:
    """Compute WCAG 2's contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("at", [0, 1], ids=["light", "dark"])
def test_contrasts_are_enough(at: int) -> None:
    own = colours(at)
    assert len(own) > 20
    shades = [name for name in own if name.startswith(("better-", "worse-"))]
    assert len(shades) == 6
    for ground in ("bg", "surface", *shades):
        assert contrast(own["text"], own[ground]) >= 4.5, ground
    for ground in ("bg", "surface"):
        for ink in ("muted", "link", "right", "wrong"):
            assert contrast(own[ink], own[ground]) >= 4.5, (ink, ground)
        # Lines, borders of controls, the focus: what is no text.
        for mark in ("edge", "focus", *(name for name in own if name.startswith("series-"))):
            assert contrast(own[mark], own[ground]) >= 3, (mark, ground)


def test_every_colour_has_a_name() -> None:
    text = (page.TEMPLATES / "report.css").read_text()
    rules = re.sub(r":root \{.*?\n\}", "", text, flags=re.DOTALL)
    # Pictures were drawn on white.
    assert set(re.findall(r"#[0-9a-f]{6}\b", rules)) <= {"#ffffff"}


def test_unreadable_out_is_an_error(entries: Entries, inputs: Inputs, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    broken = replace(inputs, experiments=tmp_path / "nothing")
    with pytest.raises(DataError, match="cannot be written"):
        page.write(entries, LOOKS, broken, tmp_path / "file" / "report.html")
