"""From sources of pictures and songs to samples, deals, tags, card, and what is said of bad ones."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tests.datasets import image2song as small
from unisono.config.choices import choices, named, read_from
from unisono.config.image2song import CLDR, FONT, FORTUNES, Image2song
from unisono.datasets import dealing
from unisono.datasets.base import dataset_of
from unisono.datasets.image2song import build as building
from unisono.datasets.image2song import labelling, relevance
from unisono.errors import ConfigError, DataError
from unisono.io import parquet
from unisono.report import data_cards
from unisono.report import kinds as beyond_kinds
from unisono.report.tables import write_csv

LITTLE = {"relevance.min_pictures": 1, "relevance.min_songs": 1, "relevance.max_song_fraction": 1.0, "split.deals": 2}
needs_font = pytest.mark.skipif(not small.FONT.is_file(), reason=f"{FONT} is not installed")


class Built:
    """A data set below a folder."""

    def __init__(self, folder: Path, changes: dict[str, Any]) -> None:
        self.folder, self.section = folder / "data" / "image2song", small.params(changes)
        self.skipped = folder / "skipped.csv"
        self.facts = building.build(
            self.section, out=self.folder / "samples", audio=self.folder / "audio", skipped=self.skipped,
            summary=folder / "summary.json",
        )  # fmt: skip
        self.rows: list[dict[str, Any]] = parquet.read(self.folder / "samples").to_pylist()

    def deal(self) -> dict[str, list[str]]:
        """Deal, and give the parts of every item."""
        dealing.deal(
            dataset_of("image2song"), self.section, samples=self.folder / "samples", out=self.folder / "divisions",
            summary=self.folder.parent / "deals.json",
        )  # fmt: skip
        return dealing.read(self.folder / "divisions")

    def label(self) -> dict[str, Any]:
        """Label, and give what is written of it."""
        return labelling.label(
            self.section, samples=self.folder / "samples", divisions=self.folder / "divisions",
            out=self.folder / "tags", summary=self.folder.parent / "tags.json",
        )  # fmt: skip

    def left(self) -> dict[str, tuple[str, str]]:
        with self.skipped.open(encoding="utf-8", newline="") as file:
            return {row["item"]: (row["kind"], row["reason"]) for row in csv.DictReader(file)}


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Built]:
    """Build with some settings changed."""
    return lambda changes: Built(tmp_path, LITTLE | changes)


def own(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    return {"source": "manifest", "pictures.manifest.list": str(tmp_path / "raw/pictures.csv"), **changes}


# ---- the default sources ----


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The default, built, dealt and labelled once."""
    for path in (
        small.FONT,
        Path(small.params().pictures.emoji.annotations),
        Path(small.params().songs.fortunes.location),
    ):
        if not Path(path).exists():
            pytest.skip(f"{path} is not there; apt-get install {FONT} {CLDR} {FORTUNES}")
    built = Built(tmp_path_factory.mktemp("image2song"), {})
    built.deal()
    built.label()
    return built


def test_counts_of_the_default(default: Built) -> None:
    facts = default.facts
    if (facts["read"][CLDR], facts["read"][FORTUNES]) != ("41-0.1", "1:1.99.1-7.3"):
        pytest.skip(f"other versions of the packages: {facts['read']}")
    assert (facts["source"], facts["n_pictures"], facts["n_songs"]) == ("emoji, fortunes", 1543, 545)
    assert facts["n_left_out"] == {"no glyph": 367, "repeated": 5, "too short": 170}
    assert facts["free_text"] is False
    tags = json.loads((default.folder.parent / "tags.json").read_text(encoding="utf-8"))
    assert [deal["n_tags"] for deal in tags["deals"]] == [72, 76, 73]
    assert (tags["over_all"]["n_tags"], tags["over_all"]["pool"]["pictures"]) == (110, 940)
    assert {deal["pool"]["songs"] for deal in tags["deals"]} == {164}


def test_no_picture_of_the_default_is_blank_or_twice(default: Built) -> None:
    pictures = [row for row in default.rows if row["part"] == "image"]
    assert len({row["image"]["bytes"] for row in pictures}) == len(pictures)
    for row in pictures[::40]:
        image = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])))
        assert image.shape[0] == image.shape[1] > 50
        assert image.min() < 250
        assert (image[0] == 255).all()


def test_the_groups_of_the_default_lie_in_one_part(default: Built) -> None:
    dealt = dealing.read(default.folder / "divisions")
    by_title = {row["title"]: row for row in default.rows if row["part"] == "image"}
    assert by_title["man running"]["group"] == by_title["woman running"]["group"] == by_title["person running"]["group"]
    assert by_title["one o’clock"]["group"] == by_title["two o’clock"]["group"] != by_title["one-thirty"]["group"]
    for deal in range(default.section.split.deals):
        parts: dict[str, set[str]] = {}
        for row in default.rows:
            parts.setdefault(row["group"], set()).add(dealt.get(row["id"], [""] * 3)[deal])
        assert not [group for group, found in parts.items() if {"train", "test"} <= found]


def test_a_bag_of_words_on_true_tags_is_perfect(default: Built) -> None:
    """By the rule itself, recomputed here from the words."""
    table = parquet.read(default.folder / "tags")
    names = parquet.metadata(default.folder / "tags")["vocabulary"]
    tags = dict(zip(table["id"].to_pylist(), table["tags"].to_pylist(), strict=True))
    dealt = dealing.read(default.folder / "divisions")
    for row in default.rows:
        for deal in range(3):
            expected = sorted({word for word in row["words"] if word in names[deal]})
            assert [names[deal][tag] for tag in tags[row["id"]][deal]] == expected
            if row["part"] == "image" and not expected:
                assert dealt.get(row["id"], [""] * 3)[deal] == ""


def test_the_vocabulary_is_of_the_training_part_alone(default: Built) -> None:
    dealt = dealing.read(default.folder / "divisions")
    names = parquet.metadata(default.folder / "tags")["vocabulary"]
    limits = default.section.relevance
    for deal in range(3):
        trained = [row for row in default.rows if dealt.get(row["id"], ["train"] * 3)[deal] in ("train", "")]
        # Pictures without a tag are in no part, and those of the test groups among them count for no tag.
        songs = [row["words"] for row in trained if row["part"] == "lyrics"]
        for word in names[deal]:
            held = sum(word in words for words in songs)
            assert limits.min_songs <= held <= limits.max_song_fraction * len(songs)
            seen = sum(word in row["words"] for row in trained if row["part"] == "image")
            assert seen >= limits.min_pictures


def test_the_default_is_the_same_twice(default: Built, tmp_path: Path) -> None:
    again = Built(tmp_path, {})
    for path in sorted((default.folder / "samples").iterdir()):
        assert path.read_bytes() == (again.folder / "samples" / path.name).read_bytes()


def test_hugging_face_and_pandas_read_it(default: Built) -> None:
    import datasets
    import pandas as pd

    path = default.folder / "samples" / "part-00000.parquet"
    rows = datasets.Dataset.from_parquet(str(path), cache_dir=str(default.folder / "cache"))
    assert rows[0]["image"].size[0] > 50
    assert pd.read_parquet(path)["words"][0].tolist()


def test_card_of_the_default(default: Built, tmp_path: Path) -> None:
    write_csv(tmp_path / "kinds.csv", beyond_kinds.COLUMNS, [])
    data_cards.write(
        "image2song", default.folder, [default.skipped], kinds=tmp_path / "kinds.csv", out=tmp_path / "card.md",
        figure=tmp_path / "sheet.png",
    )  # fmt: skip
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    parts = ("Source: `emoji, fortunes`", "Unicode-DFS-2016", "OFL 1.1", "belong to their authors", "| image |", FONT)
    for part in (*parts, "| lyrics |", "by construction", "367 characters are not drawn", "lemmas of a song"):
        assert part in text, part
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    longest = max(default.rows, key=lambda row: len(row["text"]))["text"]
    assert " ".join(longest.split()[:8]) not in text


def test_six_words_of_a_song_are_shown(default: Built) -> None:
    song = next(row for row in default.rows if row["part"] == "lyrics")
    picture = next(row for row in default.rows if row["part"] == "image")
    parts = list(dataset_of("image2song").show(default.folder, [song["id"], picture["id"], "nothing"]))
    shown = {(part.item, part.place): part.content for part in parts}
    assert shown[song["id"], "lyrics"] == " ".join(song["text"].split()[:6]) + " …"
    assert shown[picture["id"], "image"].shape[2] == 3
    assert "group" not in {place for _, place in shown}


# ---- little sources of the default's kind ----


@needs_font
def test_a_glyph_that_the_font_lacks_is_left_out(build: Callable[..., Built], tmp_path: Path) -> None:
    entries = {
        "🐱": "cat | face",
        "🐶": "dog | face",
        "🏠": "house",
        "🌕": "moon",
        "\U000e0030": "nothing",
        "←": "left",
    }
    small.cldr(tmp_path / "cldr", entries | {"\U0001faf9": "newer | dog", "🐱🐶": "cat | dog"})
    small.fortunes(tmp_path / "songs")
    changes = {"pictures.emoji.annotations": str(tmp_path / "cldr"), "songs.fortunes.location": str(tmp_path / "songs")}
    built = build(changes)
    assert [row["id"] for row in built.rows if row["part"] == "image"] == [f"emoji/{ord(c):x}" for c in "🐱🐶🏠🌕"]
    assert built.left()["emoji/2190"] == ("no glyph", "the font lacks it")
    assert built.left()["emoji/1f431-1f436"] == ("no glyph", "the font draws it as several")
    assert len(built.left()) == 4
    titles = [row["title"] for row in built.rows if row["part"] == "lyrics"]
    assert titles[:2] == ["Song 0", "Song 1"]
    assert "Somebody" not in built.rows[-1]["text"]


@needs_font
def test_another_language_has_its_keywords_and_lemmas(build: Callable[..., Built], tmp_path: Path) -> None:
    small.cldr(tmp_path / "cldr", {"🐱": "Katzen", "🐶": "die Hunde", "❤": "Herzen", "🌕": "Mond"}, "de")
    texts = [
        f"Das ist {i} {' '.join(f'wort{chr(97 + i)}{chr(97 + j)}' for j in range(20))} Katze Hund Herz"
        for i in range(9)
    ]
    (tmp_path / "songs").write_text("\n%\n".join(texts), encoding="utf-8")
    changes = {"pictures.emoji.annotations": str(tmp_path / "cldr"), "songs.fortunes.location": str(tmp_path / "songs")}
    built = build({"language": "de", **changes})
    words = {row["title"]: row["words"] for row in built.rows if row["part"] == "image"}
    assert words["Katzen"] == ["Katze"]
    assert words["die Hunde"] == ["Hund"]
    assert words["Herzen"] == ["Herz"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pictures.emoji.font": "{tmp}/none.ttf"}, f"none.ttf: no such file or folder; apt-get install {FONT}"),
        ({"pictures.emoji.annotations": "{tmp}/none"}, f"en.xml: no such file or folder; apt-get install {CLDR}"),
        ({"songs.fortunes.location": "{tmp}/none"}, f"none: no such file or folder; apt-get install {FORTUNES}"),
        ({"pictures.emoji.font": "{tmp}/text"}, "no font that Pillow reads at image2song.pictures.emoji.size_px 109"),
        ({"pictures.emoji.size_px": 50}, "Noto's has 109 alone"),
        ({"songs.fortunes.location": "{tmp}/text"}, f"no file of fortunes, .* apt-get install {FORTUNES}"),
        ({"pictures.emoji.annotations": "{tmp}/other"}, f"holds no <annotation> with keywords.*apt-get install {CLDR}"),
        ({"pictures.emoji.annotations": "{tmp}/cut"}, "en.xml: not XML, or truncated"),
        ({"pictures.emoji.annotations": "{tmp}/bomb"}, "declares XML entities"),
        ({"language": "fr", "pictures.emoji.annotations": "{tmp}/other"}, "no keywords in that language.*en"),
    ],
)
@needs_font
def test_a_package_of_another_kind_or_none_is_named(
    build: Callable[..., Built], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    (tmp_path / "text").write_text("nothing at all", encoding="utf-8")
    for name, content in (
        ("other", "<ldml><characters/></ldml>"),
        ("cut", "<ldml><annotations><annotation cp='a'>b"),
        ("bomb", '<!DOCTYPE l [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><ldml><annotation cp="x">&b;</annotation></ldml>'),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "en.xml").write_text(content, encoding="utf-8")
    small.fortunes(tmp_path / "songs")
    filled = {key: value.format(tmp=tmp_path) if isinstance(value, str) else value for key, value in changes.items()}
    with pytest.raises(DataError, match=message) as error:
        build({"songs.fortunes.location": str(tmp_path / "songs"), **filled})
    assert "\n" not in str(error.value)
    assert not (tmp_path / "data/image2song/samples").exists()


def test_an_unknown_language_and_source_are_named(build: Callable[..., Built]) -> None:
    with pytest.raises(ConfigError, match=r"image2song\.language: simplemma knows no lemmas of 'xx'"):
        build({"language": "xx"})
    with pytest.raises(ValueError, match="there is no such source; did you mean 'fortunes'"):
        small.params({"songs.source": "fortune"})
    with pytest.raises(ValueError, match=r"features\.sets does not make"):
        small.params({"features.sets": ["pixels"]})


# ---- one's own ----


def test_own_songs_pair_by_song(build: Callable[..., Built], tmp_path: Path) -> None:
    small.manifest(tmp_path / "raw")
    built = build(own(tmp_path))
    assert (built.facts["source"], built.facts["n_pictures"], built.facts["n_songs"]) == ("manifest", 16, 8)
    assert {row["pair"] for row in built.rows} == {f"s{i}" for i in range(8)}
    dealt, facts = built.deal(), built.label()
    assert facts["rule"] == "pair"
    for song in range(8):
        own_rows = [row["id"] for row in built.rows if row["pair"] == f"s{song}"]
        assert len({tuple(dealt[item]) for item in own_rows}) == 1
    table = parquet.read(built.folder / "tags").to_pylist()
    assert all(len(row["tags"][0]) == 1 for row in table)
    named_tags = parquet.metadata(built.folder / "tags")["keyword_vocabulary"]
    assert set(named_tags[0]) <= set(small.THINGS)
    assert any(row["keywords"][0] for row in table)


def test_own_pictures_without_tags_take_the_words_of_their_song(build: Callable[..., Built], tmp_path: Path) -> None:
    small.manifest(tmp_path / "raw", tags=False)
    built = build(own(tmp_path))
    row = next(row for row in built.rows if row["part"] == "image")
    assert "cat" in row["words"]
    assert "that" not in row["words"]
    for part in dataset_of("image2song").show(built.folder, [row["id"]]):
        if part.place == "keywords":
            assert len(part.content.split(", ")) <= 6


def test_a_split_of_ones_own_is_taken_over(build: Callable[..., Built], tmp_path: Path) -> None:
    small.manifest(tmp_path / "raw", split=True)
    built = build(own(tmp_path))
    assert set(built.deal().values()) == {"train", "test"}
    assert len(built.label()["deals"]) == 1


def test_a_list_in_parquet(build: Callable[..., Built], tmp_path: Path) -> None:
    small.manifest(tmp_path / "raw")
    with (tmp_path / "raw/pictures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [row[name] for row in rows] for name in ("image", "lyric", "song")}
    columns["tags"] = [row["tags"].split(";") for row in rows]
    types = {**dict.fromkeys(("image", "lyric", "song"), pa.string()), "tags": pa.list_(pa.string())}
    parquet.write(tmp_path / "raw/list.parquet", columns, types=types)
    built = build({"source": "manifest", "pictures.manifest.list": str(tmp_path / "raw/list.parquet")})
    assert (built.facts["n_pictures"], built.facts["n_songs"]) == (16, 8)


def test_pictures_and_rows_that_cannot_be_used_are_listed(build: Callable[..., Built], tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    path = small.manifest(raw)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    good = (raw / "p00.png").read_bytes()
    bad = {
        "cut.png": good[:300],
        "dot.png": small.encoded(np.zeros((1, 1, 3), np.uint8)),
        "wide.png": small.encoded(Image.new("L", (30_000, 90))),
        "script.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "blank.png": small.encoded(Image.new("RGB", (40, 40), "white")),
    }
    for name, content in bad.items():
        (raw / name).write_bytes(content)
    empty = {"image": "p00.png", "lyric": "", "song": "empty", "tags": ""}
    more = [{"image": name, "lyric": small.lyric(3, "moon"), "song": "s3", "tags": ""} for name in [*bad, "gone.png"]]
    small.write(path, [*rows, empty, *more, {**empty, "image": "", "lyric": "x"}, {**more[0], "lyric": "gone.txt"}])
    built = build(own(tmp_path, **{"pictures.max_skipped_fraction": 0.5}))
    left = {item: reason for item, (_, reason) in built.left().items()}
    assert left["picture/dot.png"] == "1 x 1 pixels, at least 8 each way are needed"
    assert left["picture/script.svg"] == "an SVG file, which is not drawn here; save it as PNG"
    assert left["picture/wide.png"].startswith("30000 x 90 pixels")
    assert left["picture/blank.png"].startswith("all of one colour")
    assert "not a readable picture" in left["picture/cut.png"]
    assert left["gone.png"] == "gone.png: no such file"
    assert left["p00.png"] == "its lyric is empty"
    assert built.facts["n_pictures"] == 16
    with pytest.raises(DataError, match="items are broken, more than"):
        build(own(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "../secret.png"}, r"line 2: image '\.\./secret\.png' leaves the folder of the list"),
        ({"image": "/etc/hostname"}, "image '/etc/hostname' leaves the folder"),
        ({"lyric": "../secret.txt"}, "lyric '../secret.txt' leaves the folder"),
        ({"clip": "../a.mp3"}, "clip '../a.mp3' leaves the folder"),
        ({"image": "a\0b"}, "is no path"),
        ({"lyric": "another text " * 20}, "line 3: song 's0' has another lyric in a row before"),
        ({"split": "train"}, "line 3: split is '', expected one of train, validation, test in every row"),
        ({"star": "x"}, "has an unknown column 'star'"),
    ],
)
def test_a_wrong_list_is_one_line(
    build: Callable[..., Built], tmp_path: Path, change: dict[str, str], message: str
) -> None:
    path = small.manifest(tmp_path / "raw")
    (tmp_path / "secret.png").write_bytes((tmp_path / "raw/p00.png").read_bytes())
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [dict.fromkeys(change, "") | row for row in csv.DictReader(file)]
    small.write(path, [rows[0] | change, *rows[1:]])
    with pytest.raises(DataError, match=message):
        build(own(tmp_path))


def test_a_list_that_is_none(build: Callable[..., Built], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file; expected a CSV or Parquet file with image, lyric"):
        build(own(tmp_path))
    small.manifest(tmp_path / "raw").write_bytes("image,lyric\na.png,é".encode("latin-1"))
    with pytest.raises(DataError, match="not in UTF-8"):
        build(own(tmp_path))
    small.write(tmp_path / "raw/pictures.csv", [{"image": "p00.png"}])
    with pytest.raises(DataError, match="has no column 'lyric'"):
        build(own(tmp_path))


def test_a_folder_of_pictures(build: Callable[..., Built], tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for song in range(4):
        (raw / f"song{song}").mkdir(parents=True)
        (raw / f"song{song}/words.txt").write_text(small.lyric(song, "cat"), encoding="utf-8")
        for number in range(2):
            (raw / f"song{song}/{number}.png").write_bytes(small.encoded(small.pixels(10 * song + number)))
    (raw / "single.jpg").write_bytes(small.encoded(small.pixels(99), "JPEG"))
    (raw / "single.lrc").write_text("[00:01.00]" + small.lyric(9, "dog"), encoding="utf-8")
    (raw / "alone").mkdir()
    (raw / "alone/x.png").write_bytes(small.encoded(small.pixels(98)))
    (tmp_path / "outside.png").write_bytes(small.encoded(small.pixels(97)))
    (raw / "song0/link.png").symlink_to(tmp_path / "outside.png")
    built = build({"source": "folder", "pictures.folder.location": str(raw), "pictures.max_skipped_fraction": 0.5})
    assert (built.facts["n_pictures"], built.facts["n_songs"]) == (9, 5)
    assert built.left()["alone/x.png"][0] == "no lyric"
    assert "leaves the folder" in built.left()["song0/link.png"][1]
    assert {row["pair"] for row in built.rows} == {*(f"song{i}/words" for i in range(4)), "single"}
    with pytest.raises(DataError, match="no such folder"):
        build({"source": "folder", "pictures.folder.location": str(tmp_path / "none")})
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture in it"):
        build({"source": "folder", "pictures.folder.location": str(tmp_path / "empty")})


def test_keywords_with_markup_are_words(build: Callable[..., Built], tmp_path: Path) -> None:
    path = small.manifest(tmp_path / "raw")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["tags"] = "<b>cats</b>;<script>alert('x')</script>;\x1b dogs;<img src=x onerror=alert(1)>"
    small.write(path, rows)
    built = build(own(tmp_path))
    assert built.rows[0]["words"] == ["cat", "dog"]


# ---- dealing ----


def table(**columns: list[Any]) -> pa.Table:
    kinds = {"words": pa.list_(pa.string())}
    return pa.table({name: pa.array(values, kinds.get(name, pa.string())) for name, values in columns.items()})


def items(n_pictures: int = 20, n_songs: int = 10, *, group: str = "", words: str = "") -> pa.Table:
    n = n_pictures + n_songs
    return table(
        part=["image"] * n_pictures + ["lyrics"] * n_songs,
        group=[group or f"g{i}" for i in range(n_pictures)] + [f"s{i}" for i in range(n_songs)],
        words=[[words or small.THINGS[i % 2]] for i in range(n)],
        pair=[""] * n,
    )


def section(**changes: Any) -> Image2song:
    return small.params(LITTLE | changes)


def test_a_deal_tests_on_the_shares_asked_for() -> None:
    parts, facts = relevance.deal(items(), section())
    for part in parts.T:
        assert (part[:20] == "test").sum() == 5
        assert (part[20:] == "test").sum() == 3
    assert (parts[:, 0] != parts[:, 1]).any()
    assert facts["n_tags"] == [2, 2]
    again, _ = relevance.deal(items(), section())
    assert np.array_equal(parts, again)


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (items(group="one"), {}, "all 20 pictures are one group, which lies in one part"),
        (items(n_songs=1), {}, "all 1 songs are one group"),
        (items(), {"relevance.min_pictures": 100}, "deal 0: no word is a keyword of 100 of 15 training pictures"),
        (items(), {"relevance.max_song_fraction": 0.01}, "raise max_song_fraction"),
        (items(), {"split.test_songs": 0.01}, "0 of 10 groups of songs would be tested on"),
        (items(3, 10), {"split.test_pictures": 0.9}, "3 of 3 groups of pictures would be tested on"),
    ],
)
def test_what_cannot_be_dealt_is_one_line(rows: pa.Table, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        relevance.deal(rows, section(**changes))


def test_nothing_that_fits_in_a_part_is_one_line() -> None:
    rows = table(
        part=["image"] * 4 + ["lyrics"] * 4, group=list("abcdefgh"), pair=[""] * 8,
        words=[["cat"], ["dog"], ["moon"], ["house"], ["cat"], ["dog"], ["moon"], ["house"]],
    )  # fmt: skip
    with pytest.raises(DataError, match="no picture fits a song in the part"):
        relevance.deal(rows, section(**{"split.deals": 9}))


def test_pictures_of_the_same_bytes_are_one_group(build: Callable[..., Built], tmp_path: Path) -> None:
    small.manifest(tmp_path / "raw")
    (tmp_path / "raw/p02.png").write_bytes((tmp_path / "raw/p00.png").read_bytes())
    built = build(own(tmp_path))
    groups = {row["id"]: row["group"] for row in built.rows}
    assert groups["picture/p02.png"] == groups["picture/p00.png"] == groups["song/s1"]
    assert built.facts["n_groups"]["lyrics"] == 7


# ---- the choice of sources ----


def test_both_sources_are_listed_and_read() -> None:
    shipped = small.params()
    found = choices("image2song", shipped)
    assert [(choice.key, choice.block, choice.source) for choice in found] == [
        ("image2song.source", "image2song.pictures", "emoji"),
        ("image2song.songs.source", "image2song.songs", "fortunes"),
    ]
    assert len(read_from("image2song", shipped)) == 2
    paired = small.params({"source": "manifest"})
    assert [choice.source for choice in read_from("image2song", paired)] == ["manifest"]
    assert choices("image2song", paired)[1].unused == "source manifest brings its songs along"
    assert (shipped.named, paired.named) == ("emoji, fortunes", "manifest")
    kinds = named(Image2song, "emoji, fortunes")
    assert [kind.about for kind in kinds.values()] == [shipped.chosen.about, shipped.songs.chosen.about]
    assert list(named(Image2song, "mine")) == []


def test_a_missing_package_is_named_by_the_list_of_sources(tmp_path: Path) -> None:
    missing = small.params({"pictures.emoji.font": str(tmp_path / "x.ttf")})
    assert missing.chosen.at_hand() == f"no: {tmp_path}/x.ttf does not exist; apt-get install {FONT} {CLDR}"
    assert missing.chosen.unwatched == ""
