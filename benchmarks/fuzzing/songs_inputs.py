"""Small good files of everything that songs are read from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing import inputs, weights_inputs

#: Words of the good songs; those of the good models are the first of them.
WORDS = [
    "the",
    "sea",
    "is",
    "calm",
    "tonight",
    "and",
    "all",
    "the",
    "stars",
    "are",
    "bright",
    "but",
    "you",
    "and",
    "I",
    "are",
    "far",
    "away",
    "from",
    "home",
    "my",
    "love",
]
WIDTH = 4


def text(index: int = 0) -> str:
    """Return lyrics; those of two numbers share few words."""
    drawn = np.random.default_rng(index)
    own = ["".join(drawn.choice(list("abcdefghij"), 5)) for _ in range(40)]
    return " ".join(["calm", *own, *WORDS[index % 10 : index % 10 + 3]])


def lyrics() -> list[bytes]:
    return [text().encode(), "Ça va — l'été\nmeine Seele is calm & du <br> I <3 you\n".encode() * 8]


def stamped() -> list[bytes]:
    lines = [f"[0{i}:12.34]{'[01:02.03]' if i % 2 else ''} {text(50 + i)}" for i in range(6)]
    return ["\n".join(["[ar:Somebody]", "[offset:-500]", *lines, "[00:59.00] <00:59.10> la <00:59.50> li"]).encode()]


def manifest() -> list[bytes]:
    header = ("id", "audio", "lyrics", "title", "label", "language", "artist", "start_s")
    return [
        inputs.rows(header, *((f"s{i}", "a.wav", text(i), f"T{i}", "xy"[i % 2], "en", "A", i) for i in range(6))),
        inputs.rows(header[:3], *((f"s{i}", "a.wav", "b.lrc" if i == 2 else text(i)) for i in range(6))),
    ]


def rows() -> list[bytes]:
    """Ready-made songs, played and by their sound."""
    import pyarrow as pa

    n = 8
    columns = {
        "id": [f"s{i}" for i in range(n)],
        "text": [text(i) for i in range(n)],
        "start_s": [0.5 * i for i in range(n)],
    }
    kinds = {"id": pa.string(), "text": pa.string(), "start_s": pa.float64()}
    for name in ("title", "song", "language", "collection", "composer", "mode", "kind", "label"):
        columns[name], kinds[name] = [f"{name}{i if name == 'song' else i % 4}" for i in range(n)], pa.string()
    played = {"midi": [inputs.midi()[0]] * n, "split": ["train", "test"] * (n // 2)}
    found = {"location": ["a.wav"] * n}
    return [
        inputs.table(columns | played, kinds | {"midi": pa.binary(), "split": pa.string()}),
        inputs.table(columns | found, kinds | {"location": pa.string()}),
    ]


def vectors_table() -> list[bytes]:
    import pyarrow as pa

    from unisono.io import parquet

    n = 8
    columns = {"id": [f"s{i}" for i in range(n)], "label": ["x", "y"] * (n // 2), "song": [f"s{i}" for i in range(n)]}
    columns |= {"audio": inputs.numbers(n, 5), "lyrics": inputs.numbers(n, 3, seed=1)}
    kinds: dict[str, Any] = dict.fromkeys(("id", "label", "song"), pa.string())
    return [inputs.table(columns, kinds | {"audio": parquet.vector(5), "lyrics": parquet.vector(3)})]


def vectors_npz() -> list[bytes]:
    n = 8
    arrays: dict[str, Any] = {"id": np.array([f"s{i}" for i in range(n)]), "label": np.array(["x", "y"] * (n // 2))}
    arrays |= {"audio": inputs.numbers(n, 5), "lyrics": inputs.numbers(n, 3, seed=1)}
    return [inputs.zipped({f"{name}.npy": inputs.npy(array) for name, array in arrays.items()})]


# ---- Deals, and features of each ----


def ids(n: int = 12) -> list[str]:
    return [f"s{i}" for i in range(n)]


def deals(**facts: Any) -> bytes:
    import pyarrow as pa

    from unisono.io import parquet

    parts = [[("train", "test", "", "validation")[(row // 2 + deal) % 4] for deal in range(4)] for row in range(12)]
    kinds = {"id": pa.string(), "deals": parquet.strings(4)}
    return inputs.table({"id": ids(), "deals": parts}, kinds, **facts)


def divisions() -> list[bytes]:
    return [deals(divisions={"song": [0, 1], "file": [2, 3]}), deals()]


def per_deal() -> list[bytes]:
    import pyarrow as pa

    from unisono.io import parquet

    kinds = {"id": pa.string(), "lyrics": parquet.matrix(4, 3)}
    return [inputs.table({"id": ids(), "lyrics": inputs.numbers(12, 4, 3)}, kinds, per_deal=True, extractor="tfidf")]


# ---- Models of lyrics, musicnn ----


def _model(arrays: Mapping[str, np.ndarray], **header: Any) -> bytes:
    return weights_inputs.safetensors(arrays, unisono=header)


def tfidf() -> list[bytes]:
    words = sorted(set(WORDS))[:8]
    settings = {"dimensions": WIDTH, "min_texts": 1, "sublinear": True, "seed": 0}
    arrays = {"weights": np.linspace(1, 2, 8), "directions": inputs.numbers(WIDTH, 8)}
    return [_model(arrays, extractor="tfidf", settings=settings, vocabulary=words, adapted="")]


def doc2vec() -> list[bytes]:
    settings = {"algorithm": "dbow", "dimensions": WIDTH, "window": 2, "min_count": 1, "negative": 2, "sample": 0.001}
    settings |= {"extra_texts": "", "epochs": 3, "seed": 0}
    counts = [[word, 9 - row] for row, word in enumerate(sorted(set(WORDS))[:8])]
    hidden = inputs.numbers(8, WIDTH)
    context = {"dbow": np.zeros((0, WIDTH), np.float32), "dm": inputs.numbers(8, WIDTH, seed=1)}
    return [
        _model(
            {"hidden": hidden, "context": context[name]},
            extractor="doc2vec",
            settings=settings | {"algorithm": name},
            counts=counts,
            adapted="",
        )
        for name in ("dbow", "dm")
    ]


def glove() -> list[bytes]:
    from unisono.features.texts.glove import CHECKSUMS

    return [_model({}, extractor="glove", checksums=CHECKSUMS)]


def packaged() -> list[bytes]:
    """Vectors of words."""
    return [inputs.npy(inputs.numbers(8, 50))]


def packaged_index() -> bytes:
    import pyarrow as pa

    return inputs.table({"index": sorted(set(WORDS))[:8]}, {"index": pa.string()})


#: Files of musicnn's weights as `package` has them, here a few bytes each.
CHECKPOINT = {".index": b"index" * 20, ".data-00000-of-00001": b"data" * 200}


def checksums(contents: Mapping[str, bytes]) -> tuple[str, ...]:
    return tuple(hashlib.sha256(content).hexdigest() for content in contents.values())


def wheel() -> list[bytes]:
    files = {f"musicnn/MSD_musicnn/{name}": content for name, content in CHECKPOINT.items()}
    files["musicnn-0.1.0.dist-info/METADATA"] = b"Metadata-Version: 2.1\nName: musicnn\nVersion: 0.1.0\n"
    return [inputs.zipped(files)]


def index() -> list[bytes]:
    return [CHECKPOINT[".index"]]


# ---- Sounds ----


def tone(seconds: float = 2.0, rate: int = 8000) -> np.ndarray:
    return 0.3 * np.sin(np.arange(round(seconds * rate)) / 5)


def sound(*kinds: str) -> Callable[[], list[bytes]]:
    def make() -> list[bytes]:
        mono = tone()
        both = np.stack([mono, mono / 2], axis=1)
        return [inputs.encoded(samples, 8000, kind) for kind in kinds for samples in (mono, both)]

    return make


def m4a() -> list[bytes]:
    import av

    with io.BytesIO() as file:
        with av.open(file, "w", format="mp4") as out:
            stream = out.add_stream("aac", rate=16_000, layout="mono")
            samples = tone(2, 16_000).astype(np.float32)
            for start in range(0, len(samples) - 1023, 1024):
                frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 16_000, start
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        return [file.getvalue()]


def tagged(name: str) -> Callable[[], list[bytes]]:
    """Make sound files of an ending, with lyrics, title and composer among their tags."""

    def make() -> list[bytes]:
        import mutagen
        from mutagen import id3

        kinds = {".mp3": "MP3", ".flac": "FLAC", ".ogg": "OGG", ".wav": "WAV"}
        data = m4a()[0] if name == ".m4a" else inputs.encoded(tone(), 8000, kinds[name])

        def write(path: Path) -> None:
            path.write_bytes(data)
            file = mutagen.File(path)
            if file.tags is None:
                file.add_tags()
            if name in (".mp3", ".wav"):
                file.tags.add(id3.USLT(encoding=3, lang="eng", desc="", text=text()))
                file.tags.add(id3.TIT2(encoding=3, text="A song"))
                file.tags.add(id3.TCOM(encoding=1, text="Anybody"))
            else:
                keys = ("\xa9lyr", "\xa9nam", "\xa9wrt") if name == ".m4a" else ("lyrics", "title", "composer")
                for key, value in zip(keys, (text(), "A song", "Anybody"), strict=True):
                    file.tags[key] = [value]
            file.save()

        return [inputs.written(write, f"song{name}")]

    return make
