"""Known answers on the sources themselves, which are not redistributed: the only tests that skip in a plain clone."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from unisono.config.mtm import Mtm
from unisono.config.songs import Songs
from unisono.datasets import words
from unisono.datasets.mtm import lmd, samples
from unisono.datasets.mtm.song import Skipped, Song
from unisono.datasets.mtm.sources import open_source, read_songs
from unisono.datasets.mv10k import rules
from unisono.datasets.songs import groups as song_groups
from unisono.datasets.songs.sources import read as read_pieces
from unisono.features import asmcmr, skipgram, whitening
from unisono.features.asmcmr import input as asmcmr_input
from unisono.io import archive, unpickle

ENCODER = "audio_sheet_retrieval/params_all_split_mutopia_full_aug.pkl"
LYRICS_MELODY = "lyrics-melody-79719791.tar.gz"
OPENEWLD = "OpenEWLD-ec03cbd.tar.gz"
#: SHA-256 of every file that a test here reads.
FILES = {
    OPENEWLD: "53773e819dafffa07f7eab47e7fcf8d1dd2d38d5890effa8a1bef3a37fe89db7",
    "audio_sheet_retrieval/audio.mp3": "7c945c7902bf9d04163df19f145f8241d419e021890237ef18faeb2a554dee59",
    ENCODER: "45c81574e6713668c736a4c4ff7e5d12845d39039f2df9315d7267709433a05f",
    "audio_sheet_retrieval/sheet_image.png": "469509ceb19ac46874f68fe2b302df2758c1499f6ac2bc6ab29df9b61dfd5dea",
    LYRICS_MELODY: "dc83ca06eb3e42a5c3d4b2d45f67433f20eaed70bc2d985f4b45cf47075b695a",
    "youtube8m/pool3_pca.npz": "19642fd06d96f70f5d5713f9e08921c4708361b2ae3559988b2407432242a0d1",
    "youtube8m/vocabulary.csv": "ce52161bdb0de0058df6811ff3f024929112f5abbadf34e89d9ca09364e2dc84",
}
ROOT = Path(__file__).resolve().parents[1]
#: Where they lie: beside the repository, or where the environment says.
FOLDER = Path(os.environ.get("UNISONO_SOURCES", ROOT.parent / "shared" / "data"))
#: The first two windows of 20 notes without a limit on their length.
FREE = samples.Rule("first_two", None, None, 0.125)


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """Give a function that hands out a source by name: checked by its SHA-256, and skipping the test if absent."""

    def checked(name: str) -> Path:
        path = FOLDER / name
        if not path.is_file():
            pytest.skip(f"{name} is not in {FOLDER}; UNISONO_SOURCES names another folder (see data/README.md)")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == FILES[name], f"{path} is another file"
        return path

    return checked


# Of the tutorial piece: centre row, first and last column of each system.
SYSTEMS = ((164, 96, 795), (346, 36, 795), (524, 36, 795), (708, 39, 795), (896, 37, 794), (1079, 39, 794))
KNOWN_I = [-0.0483, 0.1590, -0.1161, 0.0123, -0.0444, -0.0411, 0.2217, -0.8497, -0.4474, 0.4237]


def settings(source: str, location: str) -> Mtm:
    """The shipped parameters with another source of songs."""
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["mtm"]
    raw["source"] = source
    raw["songs"][source] |= {"locations": [location]} if source == "musicxml" else {"location": location}
    return Mtm.model_validate(raw)


@pytest.fixture(scope="session")
def published(real: Callable[[str], Path]) -> asmcmr.Encoder:
    """The authors' parameters."""
    return asmcmr.from_published(real(ENCODER))


def test_known_answer_of_the_tutorial_piece(real: Callable[[str], Path], published: asmcmr.Encoder) -> None:
    """100 snippets against 100 excerpts of one piece; they correspond along the line .61 i - 1.

    Measured with the authors' parameters: R@1 .69, R@5 .98 within one snippet, mean cosine distance .341 on the
    line and .839 overall.
    """
    page = asmcmr_input.read_picture(real("audio_sheet_retrieval/sheet_image.png").read_bytes(), "page")
    unrolled = np.hstack([asmcmr_input.strip(page[:, first:last], row) for row, first, last in SYSTEMS])
    snippets = asmcmr_input.snippets_at(unrolled, asmcmr_input.window_starts(unrolled.shape[1], 100))
    spectrogram = asmcmr_input.spectrogram(
        asmcmr_input.read_audio(real("audio_sheet_retrieval/audio.mp3").read_bytes(), "audio.mp3")
    )
    starts = np.linspace(0, spectrogram.shape[1] - asmcmr_input.EXCERPT_FRAMES, 100).astype(int)
    excerpts = np.stack([asmcmr_input.excerpt(spectrogram, start) for start in starts])

    similarities = asmcmr.embedder(published, "audio")(excerpts) @ asmcmr.embedder(published, "sheet")(snippets).T
    line = np.round(0.61 * np.arange(100) - 1)
    near = np.abs(np.argsort(-similarities, axis=1) - line[:, None]) <= 1
    assert near[:, 0].mean() >= 0.65
    assert near[:, :5].any(axis=1).mean() >= 0.95
    on_line = similarities[np.arange(100), line.clip(0).astype(int)]
    assert 1 - on_line.mean() == pytest.approx(0.341, abs=0.02)
    assert 1 - similarities.mean() == pytest.approx(0.839, abs=0.02)


def test_published_parameters_come_in_their_order(published: asmcmr.Encoder) -> None:
    assert published.metadata["weights"] == "pretrained"
    assert published.arrays["audio.8.weight"].shape == (32, 96, 1, 1)
    # The projections whiten: their columns are not of unit length, the means are of the size of ``h``.
    assert np.linalg.norm(published.arrays["sheet.projection"]) > 10


def test_the_authors_encoders(real: Callable[[str], Path], tmp_path: Path) -> None:
    """The known answer: the vector of the word "I", and the vocabularies' sizes."""
    sizes = {}
    with tarfile.open(real(LYRICS_MELODY)) as archive:
        for member in archive:
            if member.name.endswith("_10_dim.bin"):
                path = tmp_path / Path(member.name).name
                path.write_bytes(archive.extractfile(member).read())
                encoder = skipgram.read_pretrained(path)
                sizes[path.name.partition("_")[0]] = len(encoder.rows) - 1
                if path.name.startswith("word"):
                    np.testing.assert_allclose(encoder.encode(["I"])[0], KNOWN_I, atol=5e-5)
                    np.testing.assert_allclose(encoder.encode(["not a word"])[0], KNOWN_I, atol=5e-5)
    assert sizes == {"syllEncoding": 20_934, "wordLevelEncoder": 20_268}


def test_a_real_frame_of_youtube8m_fits_these_limits(real: Callable[[str], Path]) -> None:
    """One real frame: its 1,024 whitened numbers survive clipping and 256 steps as data, half a step off at most."""
    with np.load(real("youtube8m/pool3_pca.npz"), allow_pickle=False) as file:
        original, pca = file["original"].reshape(-1), file["pca"].reshape(1, -1)
    assert original.shape == (2048,)
    assert (original >= 0).all(), "pool3 averages what a ReLU let pass: another ReLU changes nothing"
    assert pca.shape == (1, whitening.YOUTUBE8M_COMPONENTS)
    stored = whitening.identity(1024).apply(pca, limits="8bit")
    inside = np.abs(pca) <= 2
    assert inside.mean() > 0.9
    # Dequantisation adds the published half bin of 4/512 to what rounding leaves, half a step of 4/255.
    assert np.abs(stored - pca)[inside].max() <= 4 / 510 + 4 / 512 + 1e-6


def test_the_published_encoder_of_python_2(real: Callable[[str], Path]) -> None:
    path = real(ENCODER)
    weights = unpickle.load(path, encoding="latin1")
    assert len(weights) == 97
    assert {(type(w), w.dtype.str) for w in weights} == {(np.ndarray, "<f4")}
    assert [w.shape for w in weights[0:45:5]] == [
        (24, 1, 3, 3), (24, 24, 3, 3), (48, 24, 3, 3), (48, 48, 3, 3), (96, 48, 3, 3),
        (96, 96, 3, 3), (96, 96, 3, 3), (96, 96, 3, 3), (32, 96, 1, 1),
    ]  # fmt: skip
    assert weights[90].shape == weights[91].shape == (32, 32)
    expected = pickle.loads(path.read_bytes(), encoding="latin1")  # noqa: S301
    assert all(np.array_equal(a, b) for a, b in zip(weights, expected, strict=True))


def test_the_published_lyrics(real: Callable[[str], Path]) -> None:
    with tarfile.open(real(LYRICS_MELODY), "r|gz") as archive:
        member = next(member for member in archive if member.name.endswith(".npy"))
        data = archive.extractfile(member).read()
    array = unpickle.load_npy(data)
    assert array.shape == (1, 4)
    assert repr(array) == repr(np.load(io.BytesIO(data), allow_pickle=True, encoding="latin1"))


def test_real_songs(real: Callable[[str], Path]) -> None:
    songs = list(archive.members(real(OPENEWLD), suffixes=(".mxl",)))
    assert len(songs) == 502
    assert all(data.startswith(b"PK") for _, data in songs)


def test_real_lyrics(real: Callable[[str], Path]) -> None:
    location = real(LYRICS_MELODY)
    folder = "lmd-full_and_reddit_MIDI_dataset/sentenceWord_level_6"
    assert sum(1 for _ in archive.members(location, suffixes=(".npy",), under=folder)) == 11_517


def test_openewld_counts(real: Callable[[str], Path]) -> None:
    location = str(real(OPENEWLD))
    songs, skipped = read_songs(open_source(settings("musicxml", location).chosen))
    assert len(songs) + len(skipped) == 502
    assert Counter(skip.kind for skip in skipped) == {"no lyrics": 38, "labels": 1}
    assert Counter(len(samples.cut(song, FREE)) for song in songs) == {2: 453, 1: 10}
    assert sum(len(samples.cut(song, FREE._replace(windows="all"))) for song in songs) == 1986
    # 44,243 where every first <lyric> counts: 79 more, of other verses than the one that is followed.
    assert sum(len(song.notes) for song in songs) == 44164


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "source", "n_files", "n_songs", "largest"),
    [(OPENEWLD, "musicxml", 461, 460, 2), (LYRICS_MELODY, "lmd", 10_094, 4_412, 62)],
)
def test_no_song_holds_much_of_a_source(
    name: str, source: str, n_files: int, n_songs: int, largest: int, real: Callable[[str], Path]
) -> None:
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["songs"]
    raw["pieces"][source] |= {"locations": [str(real(name))]} if source == "musicxml" else {"location": str(real(name))}
    section = Songs.model_validate(raw | {"source": source})
    pieces = [
        piece for piece in read_pieces(section.chosen, section.audio).pieces if len(words.split(piece.text)) >= 20
    ]
    sizes = Counter(song_groups.group(pieces).tolist())
    assert (len(pieces), len(sizes), max(sizes.values())) == (n_files, n_songs, largest)
    assert max(sizes.values()) <= 0.05 * len(pieces)


def test_lyrics_melody_counts(real: Callable[[str], Path]) -> None:
    location = str(real(LYRICS_MELODY))
    source = open_source(settings("lmd", location).chosen)
    counts: Counter[str] = Counter()

    def read(data: bytes, name: str) -> Skipped:
        """Unpickle once for all three rules."""
        counts["files"] += 1
        array = unpickle.load_npy(data, name=name)
        for rule, limit in (("dissertation", "beats"), ("dissertation", "seconds"), ("literal", "beats")):
            found = lmd.song(array, name, rule=rule, limit=limit)  # type: ignore[arg-type]
            counts[f"{rule}, {limit}"] += len(found.windows or ()) if isinstance(found, Song) else 0
        return Skipped(name, "limits", "counted")

    read_songs(source._replace(read=read))
    assert counts == {
        "files": 11517,
        "dissertation, beats": 14454,
        "dissertation, seconds": 19135,
        "literal, beats": 16032,
    }


def test_the_vocabulary_agrees_with_the_rows_kept_in_the_tests(real: Callable[[str], Path]) -> None:
    kept = Path(__file__).parent / "datasets" / "vocabulary.csv"
    found, few = (
        rules.read_vocabulary(path.read_text(encoding="utf-8"), name=path.name)
        for path in (real("youtube8m/vocabulary.csv"), kept)
    )
    assert sorted(found) == list(range(3862))
    assert few == {label: found[label] for label in few}
