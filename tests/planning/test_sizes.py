"""Own data that are too few for the settings: all of it is said together, before the first stage."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages import fingerprint
from unisono.datasets.songs import groups
from unisono.errors import ConfigError
from unisono.evaluation.params_file import check_params_file
from unisono.io import parquet
from unisono.planning import sizes

ROOT = Path(__file__).resolve().parents[2]
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, with data where they lie by default."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sections(change: Change) -> dict[str, Any]:
    """The default parameters with a change."""
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for experiment in raw["experiments"].values():
        experiment.pop("tune", None)
    change(raw)
    Path("params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    return check_params_file(Path("params.yaml"))


def problems(change: Change) -> dict[str, str]:
    return dict(sizes.problems(sections(change)))


def clips(**counts: int) -> None:
    """Lay out empty files as clips: what is counted is not opened."""
    for label, count in counts.items():
        for number in range(count):
            path = Path("data/raw/vegas") / label / "videos" / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def archive(raw: dict[str, Any], *, n: int = 5, outside: float = 0.1) -> None:
    raw["vegas"]["source"] = "archive"
    raw["vegas"]["folds"].update(n=n, outside=outside)


def test_the_defaults_and_data_that_are_enough_pass() -> None:
    assert problems(lambda raw: None) == {}
    clips(bell=10, drum=10, horn=12)
    assert problems(archive) == {}
    # What is not there yet, or must be fetched, is left to the stage that reads it.
    assert problems(lambda raw: raw["mtm"].update(source="lmd")) == {}
    assert problems(lambda raw: raw["mtm"].update(source="musicxml")) == {}


def test_whitening_needs_clips_outside_the_folds() -> None:
    clips(bell=10, drum=10, horn=10)
    found = problems(lambda raw: archive(raw, outside=0.0))
    assert list(found) == ["vegas.folds.outside"]
    assert "at least 0.06" in found["vegas.folds.outside"]
    assert problems(lambda raw: archive(raw, outside=0.06)) == {}
    assert problems(lambda raw: archive(raw, outside=0.05))

    def without(raw: dict[str, Any]) -> None:
        archive(raw, outside=0.0)
        for name in ("inception", "vggish"):
            raw["vegas"]["features"][name]["whitening"]["method"] = "none"

    assert problems(without) == {}

    def digits(raw: dict[str, Any]) -> None:
        raw["vegas"]["clips"]["digits"].update(outside_per_class=0, clips_per_class=4)

    assert list(problems(digits)) == ["vegas.clips.digits.outside_per_class", "vegas.folds.n"]


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_folds_are_held_against_the_smallest_class(kind: str) -> None:
    clips(bell=10, drum=4)

    def change(raw: dict[str, Any]) -> None:
        archive(raw, outside=0.2)
        if kind == "zip":
            raw["vegas"]["clips"]["archive"]["location"] = "clips.zip"

    with zipfile.ZipFile("clips.zip", "w") as file:
        for path in sorted(Path("data/raw/vegas").rglob("*.mp4")):
            file.write(path)
    found = problems(change)
    assert found == {"vegas.folds.n": "5, but class 'drum' has 3 items for the folds; at most 3"}


def test_one_class_or_one_clip_is_too_few() -> None:
    clips(bell=10)
    assert "two or more are needed" in problems(archive)["vegas.source"]
    clips(drum=1)
    assert "leave the class out" in problems(archive)["vegas.source"]


def test_pieces_of_videos_are_counted_by_their_list() -> None:
    rows = [f"{'x' * 10}{number},0,10,{label}" for number in range(3) for label in ("dog", "drum")]
    Path("data/raw/vegas").mkdir(parents=True)
    Path("data/raw/vegas/clips.csv").write_text("youtube_id,start,end,class\n" + "\n".join(rows), encoding="utf-8")

    def change(raw: dict[str, Any]) -> None:
        archive(raw)
        raw["vegas"]["source"] = "youtube"

    assert list(problems(change)) == ["vegas.folds.outside", "vegas.folds.n"]


def shard(name: str, columns: Mapping[str, list[Any]]) -> None:
    import pyarrow as pa

    kinds = {name: pa.int64() if isinstance(values[0], int) else pa.string() for name, values in columns.items()}
    parquet.write(Path(f"data/raw/{name}/part-00000.parquet"), columns, types=kinds)


def ready(name: str) -> Change:
    return lambda raw: raw[name].update(source="parquet")


def test_ready_made_shards_are_counted_by_class_and_their_own_folds_hold() -> None:
    ids = [f"c{number}" for number in range(8)]
    shard("vegas", {"id": ids, "label": ["dog", "drum"] * 4})
    assert list(problems(ready("vegas"))) == ["vegas.folds.outside", "vegas.folds.n"]
    shard("vegas", {"id": ids, "label": ["dog", "drum"] * 4, "fold": [0, 0, 1, 1] * 2})
    assert list(problems(ready("vegas"))) == ["vegas.source"]
    shard("vegas", {"id": ids, "label": ["dog", "drum"] * 4, "fold": [0, 0, 1, 1, 0, 1, -1, -1]})
    assert problems(ready("vegas")) == {}
    shard("mv10k", {"id": ids, "label": ["calm", "angry"] * 4})
    assert problems(ready("mv10k")) == {
        "mv10k.folds.n": "5, but class 'calm' has 4 items for the folds; at most 4"
    }  # fmt: skip


def test_moods_are_held_against_the_videos() -> None:
    def few(raw: dict[str, Any]) -> None:
        raw["mv10k"]["videos"]["simulated"]["videos"] = 40

    assert problems(few) == {
        "mv10k.moods.clusters": "10 moods of 5 videos or more, but there are 40; at most 8, or more videos"
    }
    shard("mv10k", {"id": ["a", "b", "c"]})
    assert "10 videos or more are needed" in problems(ready("mv10k"))["mv10k.moods.clusters"]


def test_songs_are_held_against_the_parts() -> None:
    folder = Path("data/raw/mtm")
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"{number}.musicxml").touch()
    found = problems(lambda raw: raw["mtm"].update(source="musicxml"))
    assert found == {"mtm.split": "2 songs for the 3 parts; at least 3 songs are needed"}
    shard("mtm", {"id": ["a", "b", "c"], "song": ["x", "y", "y"]})
    assert list(problems(ready("mtm"))) == ["mtm.split"]
    shard("mtm", {"id": ["a", "b", "c"], "song": ["x", "y", "z"], "split": ["train", "train", "test"]})
    assert problems(ready("mtm")) == {"mtm.source": "1 samples have split test; two or more are needed"}


def test_the_first_stage_says_all_of_it_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clips(bell=4, drum=4, horn=4)

    def change(raw: dict[str, Any]) -> None:
        archive(raw, outside=0.0)
        raw["mv10k"]["videos"]["simulated"]["videos"] = 40

    sections(change)
    monkeypatch.setattr("sys.argv", ["fingerprint", "--out", "code"])
    with pytest.raises(ConfigError) as raised:
        fingerprint.main()
    said = str(raised.value)
    assert "\n" not in said
    assert said.startswith("too few data for 3 of the settings: vegas.folds.outside: 0 of 12 clips ")
    assert "; vegas.folds.n: 5, but class 'bell' has 3 items" in said
    assert "; mv10k.moods.clusters: 10 moods" in said
    assert not Path("code").exists()


# ---- Songs ----


def whole(source: str, **changes: Any) -> Change:
    """Songs from another source, the split changed."""

    def change(raw: dict[str, Any]) -> None:
        raw["songs"]["source"] = source
        raw["songs"]["split"].update(changes)

    return change


FEW = "3 songs; 4 are needed, two to train and two to test on"


def test_sounds_of_a_folder_are_counted_one_for_each_name() -> None:
    for name in ("a.mp3", "a.wav", "a.txt", "b.FLAC", "deep/c.ogg", "notes.pdf"):
        path = Path("data/raw/songs") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert problems(whole("folder")) == {"songs.source": FEW}
    (path.parent / "d.wav").touch()
    assert problems(whole("folder")) == {
        "songs.split.test": "0.25 of 4 songs are 1 to test on; 0.38 to 0.62, so that two are there for each part"
    }
    assert problems(whole("folder", test=0.5)) == {}


def test_rows_of_a_list_and_scores_of_a_folder_are_counted() -> None:
    Path("data/raw/songs").mkdir(parents=True)
    Path("data/raw/songs/songs.csv").write_text("id,audio,lyrics\n" + "".join(f"{i},x,y\n" for i in range(3)))
    assert problems(whole("manifest")) == {"songs.source": FEW}
    for i in range(3):
        Path(f"data/raw/songs/{i}.xml").touch()
    assert problems(whole("musicxml")) == {"songs.source": FEW}


def test_ready_made_songs_are_counted_and_their_own_split_holds() -> None:
    ids = [f"c{number}" for number in range(6)]
    shard("songs", {"id": ids, "song": ["a", "a", "a", "b", "b", "c"]})
    assert problems(ready("songs")) == {"songs.source": FEW}
    shard("songs", {"id": ids, "song": ["a", "a", "a", "b", "b", "c"], "split": ["train", "test"] * 3})
    assert problems(ready("songs")) == {}


def test_songs_that_are_not_there_or_must_be_fetched_are_left_to_their_stage() -> None:
    for source in ("folder", "manifest", "features"):
        assert problems(whole(source)) == {}, source
    Path("data/raw/songs").mkdir(parents=True)
    Path("data/raw/songs/songs.csv").write_bytes(b"\xff\xfe\x00id")
    assert problems(whole("manifest")) == {}


@pytest.mark.parametrize("n", [4, 7])
def test_the_share_that_is_advised_can_be_dealt(n: int) -> None:
    import pyarrow as pa

    text = "id,audio,lyrics\n" + "".join(f"{i},x,y\n" for i in range(n))
    Path("data/raw/songs").mkdir(parents=True, exist_ok=True)
    Path("data/raw/songs/songs.csv").write_text(text)
    section = sections(whole("manifest", test=0.01))["songs"]
    said = dict(sizes._songs(section))["songs.split.test"].partition("; ")[2]
    table = pa.table({name: list(map(str, range(n))) for name in ("id", "song")})
    for share in (float(word) for word in said.split(",")[0].split(" to ")):
        split = section.split.model_copy(update={"test": share, "deals": 1})
        groups.deal(table, split)
        assert list(sizes._songs(section.model_copy(update={"split": split}))) == []


@pytest.mark.parametrize(
    ("n", "test", "expected"),
    [
        (1, 0.3, {"image2song.source": "1 songs with pictures; two are needed, one to train and one to test on"}),
        (4, 0.05, {"image2song.split.test_songs": "0.05 of 4 songs are 0 to test on; 0.13 to 0.87, so that one is"}),
        (4, 0.3, {}),
    ],
)
def test_pictures_of_too_few_songs(n: int, test: float, expected: dict[str, str]) -> None:
    Path("data/raw/image2song").mkdir(parents=True)
    rows = "".join(f"p{i}.png,words,s{i % n}\n" for i in range(8))
    Path("data/raw/image2song/pictures.csv").write_text(f"image,lyric,song\n{rows}", encoding="utf-8")

    def change(raw: dict[str, Any]) -> None:
        raw["image2song"]["source"] = "manifest"
        raw["image2song"]["split"]["test_songs"] = test

    found = problems(change)
    assert found.keys() == expected.keys()
    for key, text in expected.items():
        assert found[key].startswith(text)


def test_songs_of_which_none_can_be_held_out_are_named_where_an_experiment_is_tuned() -> None:
    def change(raw: dict[str, Any], n_songs: int, *, tune: bool) -> None:
        raw["mtm"].update(source="musicxml")
        raw["experiments"]["mtm_cca"]["tune"] = tune
        place = Path("data/raw/mtm")
        place.mkdir(parents=True, exist_ok=True)
        for number in range(n_songs):
            (place / f"{number}.musicxml").touch()

    assert problems(lambda raw: change(raw, 3, tune=False)) == {}
    found = problems(lambda raw: change(raw, 3, tune=True))
    assert list(found) == ["experiments.mtm_cca.tune"]
    assert "3 songs of mtm; 4 are needed, two of them to train" in found["experiments.mtm_cca.tune"]
    assert problems(lambda raw: change(raw, 4, tune=True)) == {}
