"""Songs from a list or two matrices to trained experiments, in all divisions, and searched by a sound and by words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets import song_project
from tests.datasets.song_project import N, words
from tests.datasets.songs import tone
from unisono.cli import main
from unisono.config.experiments import load_experiments
from unisono.config.models import load_models
from unisono.datasets import dealing
from unisono.datasets.loading import load_folder
from unisono.errors import ConfigError, DataError
from unisono.evaluation import search
from unisono.features import texts
from unisono.features.texts import extraction
from unisono.io import parquet
from unisono.report.html import items

VIEWS = {"audio": "mfcc_stats", "lyrics": "tfidf"}
HOSTILE = "<script>alert(1)</script>"


def listed(raw: dict[str, Any]) -> None:
    raw["songs"].update(source="manifest")


def brought(raw: dict[str, Any]) -> None:
    raw["songs"].update(source="features")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs of a list, built, dealt, extracted and learnt from."""
    folder = tmp_path_factory.mktemp("listed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        song_project.write_manifest(folder / "data/raw/songs", titles={2: HOSTILE})
        song_project.write_params(folder, listed)
        song_project.make(folder)
    return folder


@pytest.fixture
def project(built: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same, as the current folder."""
    monkeypatch.chdir(built)
    text = (built / "params.yaml").read_text(encoding="utf-8")
    yield built
    (built / "params.yaml").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs of two matrices."""
    folder = tmp_path_factory.mktemp("brought")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        song_project.write_features(folder / "data/raw/songs/features.npz")
        song_project.write_params(folder, brought)
        song_project.make(folder)
    return folder


def result(folder: Path, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results/experiments" / key / "metrics.json").read_text())
    return found


def failing(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a search that must end with status 2 and one line on standard error; return the line."""
    with pytest.raises(SystemExit) as ended:
        main(["search", *map(str, arguments), "--dataset", "songs", "--method", "songs_first"])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


# ---- Divisions ----


def test_divisions_share_their_test_parts_and_differ_in_training(project: Path) -> None:
    data = project / "data/songs"
    loaded = {name: load_folder(data, views=VIEWS, division=name) for name in ("", "song", "file", "share=0.5")}
    parts = {name: found.deals for name, found in loaded.items()}
    song, file, half = parts["song"], parts["file"], parts["share=0.5"]
    assert song is not None
    assert file is not None
    assert half is not None
    np.testing.assert_array_equal(parts[""], song)
    assert song.shape == (N + 2, 2)
    for other in (file, half):
        np.testing.assert_array_equal(other == "test", song == "test")
    assert ((half == "train") <= (song == "train")).all()
    assert (half == "train").sum() < (song == "train").sum()
    assert ((song == "train") <= (file == "train")).all()
    # By file, other files of a tested song are trained on; by song, never.
    groups = loaded[""].groups
    assert groups is not None
    for deal, together in ((song, False), (file, True)):
        seen = [set(groups[deal[:, d] == "train"]) & set(groups[deal[:, d] == "test"]) for d in range(2)]
        assert any(seen) is together


def test_each_division_has_features_of_its_own_deals(project: Path) -> None:
    data = project / "data/songs"
    columns = dealing.read_divisions(data / "divisions")
    assert columns == {"song": [0, 1], "file": [2, 3], "share=0.5": [4, 5]}
    for division, deals in columns.items():
        loaded = load_folder(data, views=VIEWS, division=division)
        lyrics = [words(int(name[4:6])) for name in loaded.ids]
        for at, deal in enumerate(deals):
            model = texts.module("tfidf").load(data / f"models/tfidf/deal{deal}" / extraction.FILE)
            np.testing.assert_allclose(loaded.by_deal["lyrics"][:, at, : model.dimensions], model.embed(lyrics))
        np.testing.assert_array_equal(loaded.views["lyrics"], loaded.by_deal["lyrics"][:, 0])


def test_experiments_are_divided_as_they_say(project: Path) -> None:
    first, by_file = result(project, "songs_first"), result(project, "songs_by_file")
    half, whole = result(project, "songs_training")["variants"]
    assert by_file["n_train"] > first["n_train"] == whole["n_train"] > half["n_train"]
    assert whole["audio->lyrics"]["mrr"] == first["audio->lyrics"]["mrr"]
    pools = {each["audio->lyrics"]["pool"] for each in (first, by_file, half, whole)}
    assert pools == {round(0.4 * N)}
    assert {"oracle", "mrr_within", "class_mrr_language"} <= first["audio->lyrics"].keys()


def test_an_unknown_division_is_one_line(project: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no division 'share=0\.7' in .*divisions; did you mean 'share=0\.5'"):
        load_folder(project / "data/songs", views=VIEWS, division="share=0.7")

    def change(raw: dict[str, Any]) -> None:
        listed(raw)
        raw["experiments"] = {"songs_first": raw["experiments"]["songs_first"] | {"division": "files"}}

    song_project.write_params(project, change)
    with pytest.raises(SystemExit) as ended:
        song_project.run_experiments(
            load_experiments(), load_models(), data=project / "data", out=tmp_path / "out", times=tmp_path / "times",
            compute=song_project.Compute.load(),
        )  # fmt: skip
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: experiments.songs_first: experiments: there is no division 'files'")
    assert "did you mean 'file'" in said
    assert said.count("\n") == 1


# ---- Search ----


@pytest.mark.parametrize("key", ["songs_first", "songs_by_file", "songs_training", "songs_dcca"])
def test_the_sound_and_the_words_of_a_song_find_what_the_song_finds(project: Path, key: str, tmp_path: Path) -> None:
    by_id = {
        view: search.search("song05", "songs", key, view=view, top=N + 2).rankings[0].hits
        for view in ("audio", "lyrics")
    }
    file = tmp_path / "words.txt"
    file.write_text(words(5), encoding="utf-8")
    stamped = tmp_path / "words.LRC"
    first, _, rest = words(5).partition(" ")
    stamped.write_text(f"[ar:song07]\n[00:12.34]{first}\n[00:1x <00:13.0>{rest}\n", encoding="utf-8")
    asked = {"lyrics": [words(5), str(file), str(stamped)], "audio": ["data/raw/songs/song05.wav"]}
    for view, queries in asked.items():
        for query in queries:
            found = search.search(query, "songs", key, top=N + 2)
            assert (found.view, found.n_items) == (view, N + 2)
            [ranking] = found.rankings
            assert ranking.own_rank is None
            expected = {hit.id: hit.similarity for hit in by_id[view]}
            # The data set's sound was resampled before it was kept.
            near = 1e-4 if view == "lyrics" else 0.05
            assert {hit.id: hit.similarity for hit in ranking.hits} == pytest.approx(expected, abs=near)


def test_a_page_of_hits_shows_title_words_and_player_as_text(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    arguments = ["--dataset", "songs", "--method", "songs_first", "--top", str(N + 2), "--html", str(out)]
    main(["search", "data/raw/songs/song02.wav", *arguments])
    page = out.read_text(encoding="utf-8")
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<audio" in page
    # The texts of a list are not free: six words of each, and no more.
    beginning = " ".join(words(3).split()[:6])
    assert f"{beginning} …" in page
    assert " ".join(words(3).split()[:7]) not in page
    main(["search", f"{words(2)} <img src=x onerror=alert(1)>", *arguments])
    assert "<img src=x" not in out.read_text(encoding="utf-8")


def test_a_short_sound_is_repeated_and_a_long_one_cut_and_both_said(project: Path, tmp_path: Path) -> None:
    listed_for_two = (project / "params.yaml").read_text(encoding="utf-8").replace("clip_s: 1\n", "clip_s: 2\n")
    (project / "params.yaml").write_text(listed_for_two, encoding="utf-8")
    short = search.search(str(tone(tmp_path / "short.wav", seconds=1.5)), "songs", "songs_first")
    assert any("its 1.5 s are repeated to 2 s" in note for note in short.notes)
    long = search.search(str(tone(tmp_path / "long.wav", seconds=3)), "songs", "songs_first")
    assert "only the first 2 s of 3.0 s are heard" in long.notes


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.txt", b"", "an empty file"),
        ("q.txt", b"zzz qqq xyzzy", "none of its words was learnt by tfidf"),
        ("q.lrc", b"[00:01.00]\n[ti:a song]\n", "none of its words was learnt by tfidf"),
        ("q.txt", b" \n\t ", "none of its words was learnt by tfidf"),
        ("q.txt", b"la " * 400_000, "more than the 1,048,576 bytes of text"),
        ("q.txt", b"\x81\x00\xff\xd8\x00" * 9, "in no encoding that can be told"),
        ("q.wav", b"RIFF not really", "not a readable sound file"),
        ("q.png", b"\x89PNG", "a picture cannot be a query on songs"),
    ],
)
def test_files_that_cannot_be_queries_are_one_line(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    said = failing(capsys, path)
    assert message in said
    assert str(path) in said


def test_too_little_to_hear_or_read_is_one_line(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "silent" in failing(capsys, tone(tmp_path / "still.wav", loud=0))
    short = tone(tmp_path / "short.wav", seconds=0.5)
    assert f"{short}: lasts 0.50 s, at least 1 s are needed" in failing(capsys, short)
    assert "the line of lyrics: none of its words was learnt by tfidf" in failing(capsys, "zzz qqq xyzzy")
    assert "neither an item of songs nor a file; nearest ids: song" in failing(capsys, "song0")


def test_of_several_experiments_the_one_that_is_taken_is_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["search", "song03", "--dataset", "songs", "--method", "cca", "--top", "2"])
    said = capsys.readouterr().out
    assert "(experiment songs_first)" in said
    assert (
        "note: of the experiments with cca the first was taken, songs_first; --method also takes songs_by_file, "
        "songs_training\n"
    ) in said
    main(["search", "song03", "--dataset", "songs", "--method", "songs_by_file", "--top", "2"])
    main(["search", "song03", "--dataset", "songs", "--method", "dcca", "--top", "2"])
    assert "was taken" not in capsys.readouterr().out


def test_a_set_without_extractor_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(raw: dict[str, Any]) -> None:
        listed(raw)
        raw["songs"]["features"]["texts"]["sets"] = ["doc2vec"]

    song_project.write_params(project, change)
    said = failing(capsys, words(3))
    assert "lyrics: features 'tfidf' of songs have no extractor in params.yaml; give an id" in said


def test_a_deal_that_is_narrower_than_another_is_searched_all_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Narrow:
        def embed(self, lines: list[str]) -> np.ndarray:
            return np.ones((len(lines), 3), np.float32)

    monkeypatch.setattr(texts.module("tfidf"), "load", lambda path: Narrow())
    assert len(search.search(words(3), "songs", "songs_first", top=3).rankings[0].hits) == 3


# ---- Two matrices of one's own ----


def test_two_matrices_become_rows_of_the_table(vectors: Path) -> None:
    given = np.load(vectors / "data/raw/songs/features.npz")
    loaded = load_folder(vectors / "data/songs", views=VIEWS)
    order = np.argsort(loaded.ids)
    for view in VIEWS:
        np.testing.assert_allclose(loaded.views[view][order], given[view], rtol=1e-6)
        assert loaded.metadata[view]["extractor"] == "the source's own"
    assert loaded.deals is not None
    assert loaded.kinds is not None
    assert set(loaded.kinds) == {"x/de", "y/en"}
    assert not (vectors / "data/songs/models/tfidf/deal0").exists()
    for key in ("songs_first", "songs_dcca"):
        found = result(vectors, key)
        assert found["weights"] == {"audio": "the source's own", "lyrics": "the source's own"}
        assert (found["source"], found["n_folds"], found["audio->lyrics"]["pool"]) == ("features", 2, 6)
    # Three directions are shared: CCA finds them.
    cca = result(vectors, "songs_first")["audio->lyrics"]
    assert cca["mrr"] > 1.3 * cca["chance"]["mrr"]
    assert {"oracle", "mrr_within"} <= cca.keys()


def test_nothing_but_an_id_is_searched_in_features_that_a_source_brought(
    vectors: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(vectors)
    found = search.search("s03", "songs", "songs_first", show=partial(items.read, sound_s=1.0))
    assert len(found.rankings[0].hits) == 10
    file = tmp_path / "q.txt"
    file.write_text("la la la", encoding="utf-8")
    sound = tone(tmp_path / "q.wav")
    for query, where in ((sound, sound), (file, file), ("la la la", "the line of lyrics")):
        said = failing(capsys, query)
        assert f"{where}: the features of data/songs were brought by their source" in said
        assert "give an id" in said


def test_features_that_are_missing_are_one_line(vectors: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        extraction.extract(tmp_path / "x", tmp_path, tmp_path, tmp_path, object(), name="tfidf", view="tfidf")
    assert parquet.metadata(vectors / "data/songs/features/tfidf")["source"] == "features"
