"""Ways into the package for `readers`: what takes a path and does what the package does with such a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzing import weights_inputs
from fuzzing.reading import named


def frames(path: Path) -> None:
    example = named("io.sequence_example.parse")(path.read_bytes(), where=str(path))
    for name, width in (("rgb", 16), ("audio", 8)):
        example.frames(name, width), example.n_frames(name, width)


def records(path: Path) -> None:
    for record in named("io.tfrecord.read")(path):
        named("io.sequence_example.parse")(record, where=str(path)) if record[:1] == b"\n" else None


def keras(path: Path) -> None:
    named("features.inception.load_h5")(path, weights_inputs.KERNELS)


def checkpoint(path: Path) -> None:
    named("features.vggish.load_checkpoint")(path, weights_inputs.thin())


def pca(path: Path) -> None:
    named("features.whitening.load_vggish")(path)


def torch(path: Path) -> None:
    named("features.torch_weights.load")(path, weights_inputs.network())


def graph(path: Path) -> None:
    from unisono.features.tf_runtime import tensorflow

    tf, graph = tensorflow(), named("features.frozen_graph.read")(path)
    run = named("features.frozen_graph.network")(graph, 1)
    shape = tf.TensorSpec((1, 299, 299, 3), tf.float32)
    tf.function(run, input_signature=[shape], autograph=False).get_concrete_function()


def shard(path: Path) -> None:
    from unisono.datasets.mv10k import ready
    from unisono.store.shards import Shard

    ready._schema(path)
    ready.check_shard(Shard("part-00000.parquet", (path,)), path.with_name("out.parquet"), {})


def published(path: Path) -> None:
    named("datasets.mv10k.ready.from_published")(str(path), sha256="", out=path.with_name("out"), shard_size=100)


def vocabulary(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", errors="replace")
    named("datasets.mv10k.rules.read_vocabulary")(text, name=str(path))


def argument(path: Path) -> None:
    # As much as a command line may hold.
    text = path.read_bytes().replace(b"\0", b"")[: 2**17 - 1].decode("utf-8", "surrogateescape")
    named("cli.evaluate.read_parameters")([[text]])


def clips(path: Path) -> None:
    from unisono.datasets.vegas import Clip
    from unisono.media import video

    for found in named("datasets.vegas.archive.clips")(str(path)):
        if isinstance(found, Clip) and found.id.startswith("cat"):
            video.duration(found.video)


def video(path: Path) -> None:
    from unisono.media import video

    data = path.read_bytes()
    for look in (video.duration, video.frames, video.listen, lambda each: video.cut(each, 0.2, 1.2)):
        look(data)


def recipe(path: Path) -> None:
    named("evaluation.recipe.merged")(path, Path("params.yaml").resolve())


def queried(dataset: str, view: str) -> Callable[[Path], Any]:
    """Take a file the way of a query, up to what plays it and to the extractors, which read nothing from outside."""

    def read(path: Path) -> None:
        from unisono.config.compute import Compute
        from unisono.features import query
        from unisono.features.query.place import Place
        from unisono.media import timidity

        readers = query._readers(dataset)
        for step in ("_skipgram", "_vggish", "_asmcmr", "_clip"):
            if hasattr(readers, step):
                setattr(readers, step, lambda *args: [])
        timidity.render_folder = lambda *args, **options: None
        kind = query.kind_of(path)
        query._check_file(path, kind)
        sets = {name: name for name in ("audio", "lyrics", "sheet", "visual")}
        folder = path.with_name("query")
        place = Place(folder, path.parent, sets, path.parent, Compute.load())
        readers.READERS[kind](path, query.view_of(kind, dataset, view, path.name), place)

    return read
