"""Ways into the package for what songs are read from: a whole source, a query, a model, a deal."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing import inputs, songs_inputs
from fuzzing.reading import named


def _section() -> Any:
    return named("config.songs.Songs.load")()


def built(source: str, setting: str, *, folder: bool = False, dealt: bool = True) -> Callable[[Path], Any]:
    """Build the data set from a source that is a file, or the folder it lies in, and deal it."""

    def read(path: Path) -> None:
        from unisono.datasets import dealing
        from unisono.datasets.base import dataset_of
        from unisono.datasets.songs import build

        section = _section()
        block = section.pieces
        chosen = getattr(block, source).model_copy(update={setting: str(path.parent if folder else path)})
        block = block.model_copy(update={source: chosen, "min_words": 3})
        section = section.model_copy(update={"source": source, "pieces": block})
        out = path.with_name("out")
        build.build(section, out=out / "samples", skipped=out / "skipped.csv", summary=out / "summary.json")
        if dealt:
            options = {"samples": out / "samples", "out": out / "divisions", "summary": out / "dealt.json"}
            dealing.deal(dataset_of("songs"), section, **options)

    return read


def beside(*names: str) -> Callable[[Path], Any]:
    """Build the data set from a folder of sounds and lyrics, of which one is the file and the others are good."""
    read = built("folder", "location", folder=True, dealt=False)

    def write(path: Path) -> None:
        _good(path.parent, names)
        read(path)

    return write


def manifest(path: Path) -> None:
    """Build the data set from a list of sounds and lyrics."""
    _good(path.parent, ("a.wav", "b.lrc"))
    built("manifest", "list")(path)


def _good(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if name.endswith(".wav"):
            (folder / name).write_bytes(inputs.encoded(songs_inputs.tone(), 8000, "WAV"))
        else:
            (folder / name).write_bytes(songs_inputs.stamped()[0])


def score(name: str) -> Callable[[Path], Any]:
    """Read a file by one of the readers of songs, and cut a piece out of what it plays."""

    def read(path: Path) -> None:
        found = named(name)(path.read_bytes(), path.name, _section().audio)
        if hasattr(found, "midi"):
            _played(found.midi)

    return read


def midi(path: Path) -> None:
    """Read a MIDI file, and cut a piece out of it."""
    _played(path.read_bytes())


def _played(data: bytes) -> None:
    from unisono.media import midi

    midi.encode_score(midi.clip(midi.decode_score(data), start_s=0.5, clip_s=30.0))


def excerpt(path: Path) -> None:
    """Read the beginning of a sound file, and a piece within it."""
    for start_s in (0.0, 0.5):
        named("media.excerpt.read")(path, start_s=start_s, clip_s=30.0, rate=16_000)


def queried(view: str, *, line: bool = False) -> Callable[[Path], Any]:
    """Take a file, or the line in it, the way of a query on songs."""

    def read(path: Path) -> None:
        import pyarrow as pa

        from unisono.config.compute import Compute
        from unisono.features import query, songs_extraction
        from unisono.features.query.place import Place
        from unisono.io import parquet

        sets = {"audio": "mfcc", "lyrics": "tfidf"}
        built = path.with_name("built")
        for name in sets.values():
            folder = built / "features" / name
            parquet.write(folder / parquet.shard_name(0), {"id": ["a"]}, types={"id": pa.string()})
        model = built / "models" / "tfidf" / "deal0" / "model.safetensors"
        model.parent.mkdir(parents=True)
        model.write_bytes(songs_inputs.tfidf()[0])
        folder = path.with_name("query")
        compute = Compute.load().model_copy(update={"executor": "serial", "scratch": folder / "scratch"})
        place = Place(folder, built, sets, path.parent, compute)
        readers = query._readers("songs")
        if line:
            # As much as a command line may hold.
            said = path.read_bytes().replace(b"\0", b"")[: 2**17 - 1].decode("utf-8", "surrogateescape")
            readers.READERS["text"](said, query.view_of("text", "songs", view, "the line"), place)
            return
        # Extractors read nothing from outside.
        songs_extraction.extract_folder = lambda *args, **options: []
        kind = query.kind_of(path)
        query._check_file(path, kind)
        readers.READERS[kind](path, query.view_of(kind, "songs", view, path.name), place)

    return read


def text_model(name: str) -> Callable[[Path], Any]:
    """Load a model of lyrics and take texts through it."""

    def read(path: Path) -> None:
        vectors = named(f"features.texts.{name}.load")(path).embed([songs_inputs.text(), "", "the sea"])
        assert vectors.shape[0] == 3

    return read


def packaged(path: Path) -> None:
    """Read vectors of words that lie in a package."""
    from unisono.features.texts import glove

    good = {glove.VECTORS: songs_inputs.packaged()[0], glove.INDEX: songs_inputs.packaged_index()}
    folder = path.parent / "data"
    folder.mkdir()
    (folder / glove.VECTORS).write_bytes(path.read_bytes())
    (folder / glove.INDEX).write_bytes(good[glove.INDEX])
    glove.CHECKSUMS = dict(zip(good, songs_inputs.checksums(good), strict=True))
    glove.require = lambda name: types.SimpleNamespace(submodule_search_locations=[str(path.parent)])  # type: ignore
    glove.fit().embed([songs_inputs.text()])


def own_texts(path: Path) -> None:
    """Read the texts of a folder."""
    named("features.texts.extraction.read_folder")(path.parent)


def weights(*, folder: bool = False) -> Callable[[Path], Any]:
    """Take musicnn's weights out of a wheel, or of the folder of its files."""

    def read(path: Path) -> None:
        from unisono.features.musicnn import package

        package.PUBLISHED["MSD"] = songs_inputs.checksums(songs_inputs.CHECKPOINT)  # type: ignore[assignment]
        # TensorFlow reads nothing but what was published.
        package._variables = lambda contents, where: iter(())
        if folder:
            inner = path.parent / "musicnn" / "MSD_musicnn"
            inner.mkdir(parents=True)
            for name, content in songs_inputs.CHECKPOINT.items():
                (inner / name).write_bytes(path.read_bytes() if name == ".index" else content)
        package.read("MSD", str(path.parent / "musicnn" if folder else path))

    return read


def _data_set(path: Path, divisions: bytes, **features: bytes) -> Path:
    import pyarrow as pa

    from unisono.io import parquet

    folder = path.with_name("songs")
    (folder / "divisions").mkdir(parents=True)
    (folder / "divisions" / parquet.shard_name(0)).write_bytes(divisions)
    names = songs_inputs.ids()
    columns = {"id": names, "text": [songs_inputs.text(i) for i in range(len(names))], "label": ["x", "y"] * 6}
    parquet.write(folder / "samples" / parquet.shard_name(0), columns, types=dict.fromkeys(columns, pa.string()))
    for name, content in features.items():
        (folder / "features" / name).mkdir(parents=True)
        (folder / "features" / name / parquet.shard_name(0)).write_bytes(content)
    vectors = {"id": names, "audio": inputs.numbers(len(names), 5)}
    kinds = {"id": pa.string(), "audio": parquet.vector(5)}
    parquet.write(folder / "features" / "audio" / parquet.shard_name(0), vectors, types=kinds)
    return folder


def deals(path: Path) -> None:
    """Load a data set of which the file is the divisions, and divide it."""
    from unisono.datasets import dealing

    folder = _data_set(path, path.read_bytes(), lyrics=songs_inputs.per_deal()[0])
    _divided(folder, ["", *dealing.read_divisions(folder / "divisions")])
    named("features.texts.extraction.read_deals")(folder / "divisions", songs_inputs.ids())


def by_deal(path: Path) -> None:
    """Load a data set of which the file is features that every deal has of its own."""
    folder = _data_set(path, songs_inputs.divisions()[0], lyrics=path.read_bytes())
    _divided(folder, ["", "song", "file"])


def _divided(folder: Path, names: list[str]) -> None:
    from unisono.datasets import loading
    from unisono.evaluation import divisions

    for name in names:
        dataset = loading.load_folder(folder, division=name)
        parts = divisions.divide(dataset)
        for view, array in dataset.by_deal.items():
            assert array.shape[:2] == (len(dataset), len(parts)), (view, array.shape)
            assert np.array_equal(array[:, 0], dataset.views[view])
