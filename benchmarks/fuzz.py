"""Damaged and hostile files for everything that reads files from outside.

Every reader of `READERS` gets good files, which it must read, and then changed ones (`fuzzing.mutators`), at least
half of them by someone who knows the format. Each goes to a process of its own, forked off one that has imported the
modules and never used them. It must read the file or refuse it with one line (`UnisonoError`), within 10 s and 2 GB,
start nothing and write nothing outside of its own folder.

    python benchmarks/fuzz.py --seed 1
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import functools
import importlib
import itertools
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fuzzing import fields, inputs, mutators
from tqdm import tqdm

from unisono import errors
from unisono.errors import MachineError, UnisonoError

#: Fewest inputs of a reader, and in all.
FLOOR, FLOOR_IN_ALL = 40, 1500
#: Longest time, by the clock without what other processes had of it, and by the processor; most memory.
TIME_S, MEMORY_BYTES = 10.0, 2 * 2**30
#: Longest line that a user is to read.
LINE = 2000
#: Nets that only catch what the limits above have missed.
NET_BYTES = 24 * 2**30

# ---- Readers ----


class Reader(NamedTuple):
    """What reads files of one format.

    Attributes
    ----------
    good : callable
        Makes good files.
    file : str
        Their name.
    format : str
        Key of `fuzzing.mutators.AWARE`.
    read : callable
        From a path; whatever it returns or yields is read to its end.
    covers : tuple of str
        The functions of `unisono` that it stands for.
    needs : tuple of str
        Modules that are imported beforehand.
    """

    good: Callable[[], list[bytes]]
    file: str
    format: str
    read: Callable[[Path], Any]
    covers: tuple[str, ...]
    needs: tuple[str, ...] = ()


def named(name: str) -> Any:
    """Import an attribute of a module of `unisono` by its dotted name."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(f"unisono.{module}"), attribute)
    except ModuleNotFoundError:
        return getattr(named(module), attribute)


def call(name: str, *args: Any, convert: Callable[[Path], Any] = lambda path: path, **options: Any) -> Any:
    """Make a reader of a function that takes a path, or what `convert` makes of one."""
    return lambda path: named(name)(convert(path), *args, **options)


def content(name: str, *args: Any, **options: Any) -> Callable[[Path], Any]:
    """Make a reader of a function that takes bytes."""
    return call(name, *args, convert=Path.read_bytes, **options)


def _frames(path: Path) -> None:
    example = named("io.sequence_example.parse")(path.read_bytes(), where=str(path))
    for name, width in (("rgb", 16), ("audio", 8)):
        example.frames(name, width), example.n_frames(name, width)


def _records(path: Path) -> None:
    for record in named("io.tfrecord.read")(path):
        named("io.sequence_example.parse")(record, where=str(path)) if record[:1] == b"\n" else None


def _keras(path: Path) -> None:
    named("features.inception.load_h5")(path, inputs.KERNELS)


def _checkpoint(path: Path) -> None:
    named("features.vggish.load_checkpoint")(path, inputs.thin())


def _pca(path: Path) -> None:
    named("features.whitening.load_vggish")(path)


def _torch(path: Path) -> None:
    named("features.torch_weights.load")(path, inputs.network())


def _graph(path: Path) -> None:
    from unisono.features.tf_runtime import tensorflow

    tf, graph = tensorflow(), named("features.frozen_graph.read")(path)
    run = named("features.frozen_graph.network")(graph, 1)
    shape = tf.TensorSpec((1, 299, 299, 3), tf.float32)
    tf.function(run, input_signature=[shape], autograph=False).get_concrete_function()


def _shard(path: Path) -> None:
    from unisono.datasets.mv10k import ready
    from unisono.store.shards import Shard

    ready._schema(path)
    ready.check_shard(Shard("part-00000.parquet", (path,)), path.with_name("out.parquet"), {})


def _published(path: Path) -> None:
    named("datasets.mv10k.ready.from_published")(str(path), sha256="", out=path.with_name("out"), shard_size=100)


def _vocabulary(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", errors="replace")
    named("datasets.mv10k.rules.read_vocabulary")(text, name=str(path))


def _argument(path: Path) -> None:
    # As much as a command line may hold.
    text = path.read_bytes().replace(b"\0", b"")[: 2**17 - 1].decode("utf-8", "surrogateescape")
    named("cli.evaluate.read_parameters")([[text]])


def _clips(path: Path) -> None:
    from unisono.datasets.vegas import Clip
    from unisono.media import video

    for found in named("datasets.vegas.archive.clips")(str(path)):
        if isinstance(found, Clip) and found.id.startswith("cat"):
            video.duration(found.video)


def _video(path: Path) -> None:
    from unisono.media import video

    data = path.read_bytes()
    for look in (video.duration, video.frames, video.listen, lambda each: video.cut(each, 0.2, 1.2)):
        look(data)


def _recipe(path: Path) -> None:
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


_ARROW, _MUSIC = ("pyarrow.parquet", "pyarrow.compute"), ("mido", "pretty_midi")
_SOUND = ("soundfile", "av", "scipy.signal", "urllib3", *_ARROW)
_SOUND_COVERS = ("features.query.reading.read_sound",)

READERS: dict[str, Reader] = {
    "lists of clips": Reader(
        inputs.youtube_list,
        "clips.csv",
        "csv",
        call("datasets.vegas.youtube.read_list"),
        ("datasets.vegas.youtube.read_list",),
    ),
    "vocabularies": Reader(
        inputs.vocabulary, "vocabulary.csv", "csv", _vocabulary, ("datasets.mv10k.rules.read_vocabulary",)
    ),
    "tags": Reader(
        inputs.pairs,
        "tags.csv",
        "csv",
        call("datasets.mv10k.tagged.read_pairs", ("id", "tag")),
        ("datasets.mv10k.tagged.read_pairs",),
    ),
    "download plans": Reader(
        inputs.plan,
        "plan.json",
        "json",
        call("datasets.mv10k.youtube8m.read_plan", partition="train", mirrors=["http://x/{partition}/{name}"]),
        ("datasets.mv10k.youtube8m.read_plan", "io.texts.from_json"),
    ),
    "params.yaml": Reader(
        inputs.params,
        "params.yaml",
        "yaml",
        call("evaluation.params_file.check_params_file"),
        (
            "config.read_yaml",
            "config.TopLevel.load",
            "config.experiments.load_experiments",
            "config.models.load_models",
            "evaluation.params_file.load_all",
        ),
    ),
    "recipes": Reader(inputs.recipe, "recipe.yaml", "yaml", _recipe, ("config.read_yaml", "evaluation.recipe.merged")),
    "arguments": Reader(
        inputs.arguments, "argument", "argument", _argument, ("cli.evaluate.read_parameters", "config.parse_yaml")
    ),
    "MusicXML": Reader(
        inputs.scores,
        "score.musicxml",
        "score",
        content("datasets.mtm.sources.read_score", "score.musicxml"),
        ("datasets.mtm.musicxml.read", "datasets.mtm.sources.read_score", "datasets.mtm.sources.read_songs"),
    ),
    "MXL": Reader(
        inputs.compressed_scores,
        "score.mxl",
        "mxl",
        content("datasets.mtm.musicxml.read", "score.mxl"),
        ("datasets.mtm.musicxml.read",),
    ),
    "lyrics and melodies": Reader(
        inputs.song,
        "song.npy",
        "pickled npy",
        content("datasets.mtm.lmd.read", "song.npy", rule="dissertation", limit="beats"),
        ("datasets.mtm.lmd.read",),
    ),
    "npy": Reader(inputs.plain_npy, "array.npy", "npy", call("io.unpickle.load_npy"), ("io.unpickle.load_npy",)),
    "pickles": Reader(inputs.pickles, "content.pkl", "pickle", call("io.unpickle.load"), ("io.unpickle.load",)),
    "zip": Reader(
        lambda: [inputs.zipped(inputs.layout_d())], "x.zip", "zip", call("io.archive.members"), ("io.archive.members",)
    ),
    "tar": Reader(lambda: [inputs.tarred(inputs.layout_d())], "x.tar", "tar", call("io.archive.members"), ()),
    "tar.gz": Reader(
        lambda: [inputs.tarred(inputs.layout_d(), "w:gz")], "x.tar.gz", "tar.gz", call("io.archive.members"), ()
    ),
    "TFRecord": Reader(
        inputs.tfrecords, "x.tfrecord", "tfrecord", _records, ("io.tfrecord.read", "io.tfrecord.records")
    ),
    "SequenceExample": Reader(inputs.examples, "example.pb", "example", _frames, ("io.sequence_example.parse",)),
    "features": Reader(
        inputs.features,
        "features.parquet",
        "parquet",
        call("datasets.user.load_features"),
        ("datasets.user.load_features", "io.parquet.read", "io.parquet.iterate", "io.parquet.metadata"),
        _ARROW,
    ),
    "ready-made samples": Reader(
        inputs.samples,
        "part-00000.parquet",
        "parquet",
        call("datasets.mtm.ready.read"),
        ("datasets.mtm.ready.read",),
        _ARROW,
    ),
    "ready-made clips": Reader(
        inputs.clips,
        "part-00000.parquet",
        "parquet",
        call("datasets.vegas.ready.look"),
        ("datasets.vegas.ready.look",),
        _ARROW,
    ),
    "ready-made videos": Reader(
        inputs.videos,
        "part-00000.parquet",
        "parquet",
        _shard,
        ("datasets.mv10k.ready.from_parquet",),
        _ARROW,
    ),
    "token vectors": Reader(
        inputs.skipgram_table,
        "syllables.parquet",
        "parquet",
        call("features.skipgram.load"),
        ("features.skipgram.load",),
        _ARROW,
    ),
    "published HDF5": Reader(
        inputs.published_hdf5,
        "published.h5",
        "hdf5",
        call("io.published.read"),
        ("io.published.read", "io.hdf5.read"),
        ("h5py",),
    ),
    "published zip": Reader(
        lambda: [inputs.zipped(inputs.layout_d())],
        "published.zip",
        "zip",
        _published,
        ("io.published.read", "datasets.mv10k.ready.from_published"),
        _ARROW,
    ),
    "published tar.gz": Reader(
        lambda: [inputs.tarred(inputs.layout_d(), "w:gz")], "published.tar.gz", "tar.gz", call("io.published.read"), ()
    ),
    "Keras weights": Reader(
        inputs.keras_weights, "inception.h5", "hdf5", _keras, ("features.inception.load_h5",), ("h5py",)
    ),
    "VGGish PCA": Reader(
        inputs.vggish_pca,
        "pca.npz",
        "npz",
        _pca,
        ("io.archive.zip_members", "features.vggish.load_pca", "features.whitening.load_vggish"),
    ),
    "whitenings": Reader(
        inputs.whitening,
        "whitening.safetensors",
        "safetensors",
        call("features.whitening.Whitening.load"),
        ("features.whitening.Whitening.load", "io.tensors.read", "io.tensors.read_header"),
    ),
    "YouTube-8M matrices": Reader(
        inputs.youtube8m_matrices,
        "yt8m_pca.tgz",
        "tar.gz",
        call("features.whitening.load_youtube8m"),
        ("features.whitening.load_youtube8m",),
    ),
    "skip-gram models": Reader(
        inputs.gensim_model,
        "model.bin",
        "old pickle",
        call("features.skipgram.read_pretrained"),
        ("features.skipgram.read_pretrained", "features._gensim_pickle.load"),
        _ARROW,
    ),
    "ASMCMR parameters": Reader(
        inputs.asmcmr_published,
        "params.pkl",
        "pickle",
        call("features.asmcmr.from_published"),
        ("features.asmcmr.from_published",),
    ),
    "ASMCMR encoders": Reader(
        inputs.asmcmr_encoder,
        "asmcmr.safetensors",
        "safetensors",
        call("features.asmcmr.Encoder.load"),
        ("features.asmcmr.Encoder.load",),
    ),
    "pictures": Reader(
        inputs.pictures,
        "query.png",
        "picture",
        queried("mtm", "sheet"),
        ("features.asmcmr.input.read_picture", "media.pictures.opened"),
        ("PIL.ImageOps", *_ARROW),
    ),
    "WAV": Reader(inputs.sound("WAV"), "query.wav", "wav", queried("mtm", "audio"), _SOUND_COVERS, _SOUND),
    "FLAC": Reader(inputs.sound("FLAC"), "query.flac", "flac", queried("mtm", "audio"), _SOUND_COVERS, _SOUND),
    "MP3": Reader(inputs.sound("MP3"), "query.mp3", "mp3", queried("mtm", "audio"), _SOUND_COVERS, _SOUND),
    "Ogg": Reader(inputs.sound("OGG"), "query.ogg", "ogg", queried("vegas", "audio"), _SOUND_COVERS, _SOUND),
    "sounds of shards": Reader(
        inputs.sound("FLAC"),
        "audio.flac",
        "flac",
        content("features.asmcmr.input.read_audio", "audio.flac"),
        ("media.audio.decode", "features.asmcmr.input.read_audio"),
        _SOUND,
    ),
    "MIDI": Reader(
        inputs.midi,
        "query.mid",
        "midi",
        queried("mtm", "audio"),
        ("features.query.reading.read_midi",),
        (*_MUSIC, *_ARROW),
    ),
    "lyrics": Reader(inputs.lyrics, "query.txt", "lyrics", queried("mtm", "lyrics"), (), _ARROW),
    "score queries": Reader(inputs.scores, "query.musicxml", "score", queried("mtm", "lyrics"), (), _ARROW),
    "videos": Reader(
        inputs.films,
        "clip.mp4",
        "film",
        _video,
        (
            "media.video.frames",
            "media.video.sound",
            "media.video.listen",
            "media.video.duration",
            "media.video.cut",
            "media.streams.opened",
        ),
        _SOUND,
    ),
    "video queries": Reader(inputs.films, "query.mp4", "film", queried("vegas", "audio"), (), _SOUND),
    "archives of clips": Reader(
        inputs.clip_archives, "clips.zip", "films", _clips, ("datasets.vegas.archive.clips",), _SOUND
    ),
    "PDF": Reader(
        inputs.pdf,
        "page.pdf",
        "pdf",
        call("media.raster.pages", resolution_dpi=100),
        ("media.raster.pages", "media.raster.count_pages"),
        ("pypdfium2",),
    ),
    "saved models": Reader(
        inputs.models,
        "model.safetensors",
        "safetensors",
        call("models.load", convert=lambda path: path.parent),
        ("models.load", "models.parts.saved.read", "models.parts.saved.read_header"),
        ("torch", "scipy.linalg"),
    ),
    "torch state dicts": Reader(
        inputs.torch_state, "weights.pt", "state", _torch, ("features.torch_weights.load",), ("torch",)
    ),
    "torch safetensors": Reader(
        inputs.torch_safetensors,
        "weights.safetensors",
        "safetensors",
        _torch,
        ("features.torch_weights.load",),
        ("torch",),
    ),
    "chunk attention": Reader(
        inputs.chunk_attention,
        "model.safetensors",
        "safetensors",
        call("features.chunk_attention.Model.load"),
        ("features.chunk_attention.Model.load",),
        ("torch",),
    ),
    "VGGish checkpoints": Reader(
        inputs.vggish_checkpoint,
        "vggish.ckpt",
        "checkpoint",
        _checkpoint,
        ("features.vggish.load_checkpoint",),
        ("tensorflow",),
    ),
    "frozen graphs": Reader(
        inputs.frozen_graph,
        "inception.tgz",
        "graph",
        _graph,
        ("features.frozen_graph.read", "features.inception.Extractor.from_graph"),
        ("tensorflow",),
    ),
}

#: Functions of such names that read only what the pipeline itself wrote, or no file.
OURS: dict[str, str] = {
    "datasets.dealing.read": "the stage's own folds",
    "datasets.dealing.read_outside": "the stage's own folds",
    "datasets.items.heard": "by the readers of sounds and videos",
    "datasets.loading.load_dataset": "a built data set",
    "datasets.loading.load_folder": "a built data set",
    "datasets.mtm.corpus.members": "scores that the package music21 brings",
    "datasets.mtm.samples.cut": "notes in memory",
    "datasets.mv10k.build.from_records": "by the readers of TFRecord and SequenceExample",
    "evaluation.embeddings.read": "embeddings of experiments",
    "features.asmcmr.pairs.read_pairs": "the stages' own shards",
    "features.inception.Extractor.from_weights": "arrays in memory",
    "features.query.reading.heard": "two numbers",
    "models.parts.deep.from_arrays": "arrays in memory",
    "planning.dag.read": "the project's dvc.yaml",
    "report.chunk_scores.from_vectors": "the stage's own vectors",
    "report.curves.read_curve": "results of experiments",
    "report.curves.read_recall": "results of experiments",
    "report.html.items.read": "a built data set",
    "report.html.media.sound": "samples in memory",
    "report.html.result_tables.read": "the stage's own tables",
    "store.fits.opened": "the store's own folder",
    "store.fits.read": "the store's own folder",
    "store.pieces.opened": "the store's own folder",
    "store.results.read_results": "results of experiments",
}

# ---- One input, in a process of its own ----


class Outcome(NamedTuple):
    """What became of an input: kind (of `KINDS`), what was said, seconds, bytes above the process's own."""

    kind: str
    text: str
    seconds: float
    memory_bytes: int


#: The first two are as it should be.
KINDS = ("read", "refused", "traceback", "hang", "memory", "executed", "written", "died")
_STARTS = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
}
_STARTS |= {"socket.connect", "socket.bind", "webbrowser.open"}
#: Events of the file system, by how many of their first arguments are paths.
_CHANGES = {
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.truncate": 1,
}
_CHANGES |= {"os.chmod": 1, "os.chown": 1, "os.utime": 1, "shutil.rmtree": 1}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def attempt(
    read: Callable[[Path], Any],
    path: Path,
    *,
    elsewhere: Path,
    time_s: float = TIME_S,
    memory_bytes: int = MEMORY_BYTES,
) -> Outcome:
    """Read a file in a forked process and tell what became of it.

    Parameters
    ----------
    read : callable
    path : Path
        In a folder of its own, where all may be written.
    elsewhere : Path
        The folder to run in, where nothing may be.
    time_s, memory_bytes : float, int
        The limits.
    """
    receiver, sender = os.pipe()
    base = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    before, started = sorted(os.listdir(elsewhere)), time.monotonic()  # noqa: PTH208
    child = os.fork()
    if child == 0:
        os.close(receiver)
        try:
            _in_child(read, path, elsewhere, sender)
        finally:
            os._exit(70)
    os.close(sender)
    ended, ran_s, waited_s, peak, pause_s = "", 0.0, 0.0, 0, 0.001
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        ran_s, waited_s, now = _used(child, ran_s, waited_s)
        peak = max(peak, now)
        clock_s = time.monotonic() - started - waited_s
        if not ended and (ran_s > time_s or clock_s > time_s):
            ended = "hang"
        elif not ended and now > 3 * memory_bytes + 2**30:
            ended = "memory"
        if ended:
            os.kill(child, signal.SIGKILL)
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.05)
    with os.fdopen(receiver, "rb") as file:
        said = file.read()
    seconds = max(usage.ru_utime + usage.ru_stime, min(time.monotonic() - started - waited_s, time_s * 2))
    found = json.loads(said) if said.endswith(b"}") else {"kind": "died", "text": f"status {status}", "base": base}
    used = max(usage.ru_maxrss * 1024, peak) - found["base"]
    kind, text = found["kind"], found["text"]
    noted = found.get("noted") or [["written", each] for each in os.listdir(elsewhere) if each not in before]  # noqa: PTH208
    if ended == "hang":
        kind, text = "hang", f"more than {time_s:g} s"
    elif ended or used > memory_bytes:
        kind, text = "memory", f"{used / 2**20:,.0f} MB; {text}"
    elif noted:
        kind, text = noted[0][0], "; ".join(what for _, what in noted[:5])
    return Outcome(kind, text, seconds, max(used, 0))


def _used(process: int, ran_s: float, waited_s: float) -> tuple[float, float, int]:
    """Give seconds that a process ran and waited for a processor, and its memory; as before where it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        waited = int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
        ran = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return ran, max(waited, waited_s), int(fields[21]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return ran_s, waited_s, 0


def _in_child(read: Callable[[Path], Any], path: Path, elsewhere: Path, sender: int) -> None:
    """Read the file, watched, and say what became of it."""
    faulthandler.disable()
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    temporary = path.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    os.environ["TMPDIR"], tempfile.tempdir, sys.dont_write_bytecode = str(temporary), None, True
    os.chdir(elsewhere)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pages, resident = map(int, Path("/proc/self/statm").read_text().split()[:2])
    size = resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (pages * size + NET_BYTES, resource.RLIM_INFINITY))
    noted: list[tuple[str, str]] = []
    sys.addaudithook(functools.partial(_watch, noted, os.path.realpath(path.parent)))
    found: dict[str, Any]
    try:
        result = read(path)
        if isinstance(result, Iterator):
            collections.deque(result, maxlen=0)
        found = {"kind": "read", "text": ""}
    except UnisonoError as error:
        line = errors._said(error)
        fault = isinstance(error, MachineError) or errors.machine_fault(error) or len(line) > LINE or not line
        found = {"kind": "traceback" if fault else "refused", "text": f"{type(error).__name__}: {line}"[:3000]}
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in where if "/unisono/" in frame.filename] or list(where)
        last = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
        found = {"kind": "traceback", "text": f"{type(error).__name__}: {str(error)[:300]} ({last})"}
    watched = list(noted)
    data = json.dumps({**found, "base": resident * size, "noted": watched[:5]}).encode("utf-8", "replace")
    os.write(sender, data[:60_000])
    os._exit(0)


def _watch(noted: list[tuple[str, str]], folder: str, event: str, args: Sequence[Any]) -> None:
    """Note what starts a program, connects, or changes files outside of the input's folder."""
    if event in _STARTS:
        noted.append(("executed", f"{event} {args[:2]!r}"[:300]))
        return
    if event == "open":
        changed = args[:1] if (args[2] or 0) & _WRITES else ()
    else:
        changed = args[: _CHANGES.get(event, 0)]
    for each in changed:
        if not isinstance(each, str | bytes | os.PathLike):
            continue
        name = os.fsdecode(each)
        handle = next((arg for arg in reversed(args) if isinstance(arg, int) and arg > 2), -1)
        if not name.startswith("/") and event != "open" and handle > 2:
            name = os.path.join(f"/proc/self/fd/{handle}", name)  # noqa: PTH118
        place = os.path.realpath(name)
        if place != os.devnull and place != folder and not place.startswith(folder + "/"):
            noted.append(("written", f"{event} {place}"[:300]))


# ---- Many inputs ----


class Input(NamedTuple):
    """A changed file, by whom it was changed (aware of the format or not), and how."""

    path: Path
    aware: bool
    said: str


def in_fork(function: Callable[[], None]) -> None:
    """Call a function in a process of its own, so that this one uses no library."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        sys.setrecursionlimit(20_000)
        try:
            function()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("the inputs could not be made")


def make(name: str, reader: Reader, n: int, seed: int, folder: Path) -> tuple[list[Path], list[Input]]:
    """Write the good files of a reader and `n` changed ones, each into a folder of its own."""
    notes = folder / "notes.json"

    def write() -> None:
        good, said = reader.good(), []
        for index, data in enumerate(good):
            _write(folder / f"good{index}" / reader.file, data)
        for index in range(n):
            # Of its own, so that one can be made again alone.
            draw = random.Random(f"{seed} {name} {index}")
            aware = index % 5 < 3
            mutator = draw.choice(mutators.AWARE[reader.format] if aware else fields.BLIND)
            data, what = mutator(draw, draw.choice(good))
            _write(folder / f"{index:03d}" / reader.file, data)
            said.append([aware, f"{mutator.__name__}: {what}"])
        notes.write_text(json.dumps([len(good), said]), encoding="utf-8")

    in_fork(write)
    n_good, said = json.loads(notes.read_text(encoding="utf-8"))
    paths = [folder / f"good{index}" / reader.file for index in range(n_good)]
    return paths, [Input(folder / f"{i:03d}" / reader.file, *each) for i, each in enumerate(said)]


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


class Row(NamedTuple):
    """What became of a reader's inputs."""

    name: str
    inputs: list[Input]
    outcomes: list[Outcome]

    def faults(self) -> Iterator[tuple[Input, Outcome]]:
        """Yield what is not as it should be."""
        for each, outcome in zip(self.inputs, self.outcomes, strict=True):
            if outcome.kind not in KINDS[:2]:
                yield each, outcome

    def cells(self) -> list[str]:
        """Write the row of the table."""
        kinds = collections.Counter(outcome.kind for outcome in self.outcomes)
        slowest = max(outcome.seconds for outcome in self.outcomes)
        largest = max(outcome.memory_bytes for outcome in self.outcomes) / 2**20
        aware = sum(each.aware for each in self.inputs)
        faults = len(self.outcomes) - kinds["read"] - kinds["refused"]
        counts = [len(self.inputs), aware, kinds["read"], kinds["refused"], faults]
        return [self.name, *map(str, counts), f"{slowest:.1f}", f"{largest:,.0f}"]


def run(names: Iterable[str], n: int, seed: int, folder: Path) -> Iterator[Row]:
    """Fuzz readers one after the other; the files of what went well are removed."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).parents[1] / "params.yaml", elsewhere)
    # What needs large libraries last: they are imported, and never unloaded.
    chosen = sorted(names, key=lambda name: [big in READERS[name].needs for big in ("tensorflow", "torch")])
    with tqdm(total=len(chosen) * n, unit=" inputs", disable=None) as bar:
        for name in chosen:
            reader, place = READERS[name], folder / name.replace(" ", "_")
            bar.set_description(name)
            for module in (*reader.needs, *(f"unisono.{each.rpartition('.')[0]}" for each in reader.covers)):
                _import(module)
            good, files = make(name, reader, n, seed, place)
            for path in good:
                outcome = attempt(reader.read, path, elsewhere=elsewhere)
                if outcome.kind != "read":
                    raise SystemExit(f"{name}: a good file is not read: {outcome.kind}: {outcome.text}")
            outcomes = []
            for each in files:
                outcomes.append(attempt(reader.read, each.path, elsewhere=elsewhere))
                if outcomes[-1].kind in KINDS[:2]:
                    shutil.rmtree(each.path.parent)
                bar.update()
            yield Row(name, files, outcomes)


def _import(module: str) -> None:
    while module:
        try:
            importlib.import_module(module)
            return
        except ModuleNotFoundError:
            module = module.rpartition(".")[0]  # the name of a class


def found(names: Sequence[str], n: int, seed: int, folder: Path, rows: list[Row]) -> Iterator[Row]:
    """Fuzz readers, print every fault, and keep the rows."""
    for row in run(names, n, seed, folder):
        rows.append(row)
        for each, outcome in row.faults():
            said = f"{outcome.text[:300]} | {each.said[:200]} | {each.path}"
            tqdm.write(f"{row.name}: {outcome.kind}: {said}", file=sys.stdout)
        yield row


def main() -> int:
    """Print the seed, a row per reader and every fault; exit status 1 where there is one, or too few inputs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=60, help="of each reader")
    parser.add_argument("--only", nargs="+", choices=sorted(READERS), metavar="NAME", help="readers")
    parser.add_argument("--keep", type=Path, help="folder for the inputs with faults (default: a temporary one)")
    parser.add_argument("--smoke", action="store_true", help="two inputs each, of the readers that import little")
    args = parser.parse_args()
    tqdm.monitor_interval = 0  # no thread: a process with one cannot be forked safely
    names, n = args.only or list(READERS), args.inputs
    if args.smoke:
        names = [name for name in names if not {"tensorflow", "torch"} & set(READERS[name].needs)]
        n = 2
    folder = args.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    print(f"seed {args.seed}, {n} inputs for each of {len(names)} readers", flush=True)
    # Row by row: a run that is interrupted has said what it found.
    widths = [max(map(len, names)), 6, 6, 6, 7, 6, 11, 12]
    header = ["reader", "inputs", "aware", "read", "refused", "faults", "slowest (s)", "largest (MB)"]
    rows: list[Row] = []
    for cells in itertools.chain([header], map(Row.cells, found(names, n, args.seed, folder.resolve(), rows))):
        line = "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])])
        tqdm.write(line, file=sys.stdout)
        sys.stdout.flush()
    total, faults = sum(len(row.inputs) for row in rows), sum(len(list(row.faults())) for row in rows)
    aware = sum(each.aware for row in rows for each in row.inputs)
    print(f"seed {args.seed}: {total} inputs, {aware} aware, {faults} faults")
    few = not (args.only or args.smoke) and (total < FLOOR_IN_ALL or any(len(row.inputs) < FLOOR for row in rows))
    if few:
        print(f"fewer than {FLOOR} inputs of a reader, or {FLOOR_IN_ALL} in all")
    if not faults and args.keep is None:
        shutil.rmtree(folder)
    return int(faults > 0 or few)


if __name__ == "__main__":
    raise SystemExit(main())
