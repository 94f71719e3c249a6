"""The same numbers on another processor: extractors and a fit of every method, here and on an emulated Haswell.

Each item runs on small real inputs (scikit-learn's digits; whole trainings: every epoch and step of params.yaml) in
two processes, natively and under ``qemu-x86_64 -cpu Haswell`` (Debian: qemu-user), both with pinned kernels, and its
outputs are compared byte by byte. Both name the kernels that they use. The control does the same with the items of
`CONTROLS` without pins: one of them must differ, else the comparison proves nothing and the script fails.

What an item gave is kept in ``.unisono/arithmetic`` for as long as its code stays the same.

    python benchmarks/arithmetic.py --only tnn c_dcca vggish
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import inspect
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]

ROOT = Path(__file__).resolve().parents[1]
KEPT = Path(".unisono/arithmetic")
EMULATOR = ("qemu-x86_64", "-cpu", "Haswell")
SIDES = ("native", "emulated", "native-unpinned", "emulated-unpinned")
#: Items that must differ without pins, on a processor that has more than a Haswell; none needs torch.
CONTROLS = ("logmel", "skipgram", "whitening")
N_TRAIN, N_TEST = 80, 40
#: What is said of a method's embeddings beside the bytes.
MEASURES = ("map", "recall_at_1", "median_rank")


def digits(views: Sequence[str], *, sequences: bool = False) -> tuple[Arrays, Arrays]:
    """Cut handwritten digits into parts, a view each; return views and labels, for training and for testing."""
    import numpy as np
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    pictures = pictures.reshape(-1, 8, 8).astype(np.float32)
    parts = np.array_split(pictures, len(views), axis=2)
    arrays = {
        view: np.ascontiguousarray(part if sequences else part.reshape(len(part), -1))
        for view, part in zip(views, parts, strict=True)
    }
    arrays["labels"] = labels
    return {k: a[:N_TRAIN] for k, a in arrays.items()}, {k: a[N_TRAIN : N_TRAIN + N_TEST] for k, a in arrays.items()}


#: Methods of one view of frames and one of vectors.
ONE_OF_FRAMES = ("joint_dcca", "tag_attention")


def fit(name: str) -> Arrays:
    """Train a method with the hyper-parameters of params.yaml, and embed what it has not seen."""
    import numpy as np

    from unisono import metrics, models
    from unisono.config.models import load_models

    views = ("audio", "visual", "lyrics")[: models.method(name).n_views or 2]
    if name in ("baseline", "baseline_gan", "darlearning"):
        views = ("lyrics", "audio", "visual")
    train, test = digits(views, sequences=name in ("lstm_c_cca", *ONE_OF_FRAMES))
    if name in ONE_OF_FRAMES:
        train, test = ({**arrays, views[1]: arrays[views[1]].mean(axis=1)} for arrays in (train, test))
    labels = train.pop("labels")
    model = models.create(name, seed=0, **load_models(ROOT / "params.yaml").get(name, {}))
    model.progress = False
    model.fit(train, labels)
    wanted = test.pop("labels")
    found = model.transform(test)
    embedded: Arrays = {f"embedding {view}": array for view, array in found.items()}
    first, second = list(found)[:2]
    embedded["map"] = np.array(metrics.mean_average_precision(found[first], found[second], wanted, wanted))
    embedded["recall_at_1"] = np.array(metrics.recall_at_k(found[first], found[second], 1))
    embedded["median_rank"] = np.array(metrics.median_rank(found[first], found[second]))
    return embedded


def patches(n: int) -> np.ndarray:
    """Pictures of digits in the size of a log-mel patch."""
    import numpy as np

    train, _ = digits(["audio"])
    return np.kron(train["audio"][:n].reshape(-1, 8, 8), np.ones((1, 12, 8), np.float32)) / 16


def vggish() -> Arrays:
    """Send two patches through the whole network, with the weights of the default run."""
    from unisono.features import vggish

    return {"embedding": vggish.Extractor(vggish.untrained(0), batch_size=2).embed(patches(2))}


def logmel() -> Arrays:
    """Take the log-mel spectrogram of a rising tone at 44.1 kHz, resampling included."""
    import numpy as np

    from unisono.features import logmel

    seconds = np.arange(2 * 44_100) / 44_100
    sound = np.sin(2 * np.pi * (200 + 400 * seconds) * seconds).astype(np.float32)
    return {"patches": logmel.patches(logmel.resample(sound, 44_100), logmel.SAMPLE_RATE)}


def inception() -> Arrays:
    """Send one picture through the whole network."""
    import numpy as np

    from unisono.features import inception

    picture = (255 * patches(1)).astype(np.uint8)[..., None].repeat(3, axis=3)
    extractor = inception.Extractor.from_weights(inception.untrained(0), batch_size=1)
    return {"embedding": extractor.embed(extractor.resize(picture))}


def skipgram() -> Arrays:
    """Train skip-gram with the settings of the default run, on pictures as sentences of shades of grey."""
    from unisono.config.mtm import Mtm
    from unisono.features import skipgram

    train, test = digits(["lyrics"])
    lines = [[str(int(value)) for value in row] for row in (*train["lyrics"], *test["lyrics"])]
    encoder = skipgram.train(lines, Mtm.load(ROOT / "params.yaml").features.skipgram)
    return {"vectors": encoder.vectors}


def asmcmr() -> Arrays:
    """Take all steps of ASMCMR's training, in small batches."""
    import numpy as np

    from unisono.config.mtm import Mtm
    from unisono.features.asmcmr import training
    from unisono.features.asmcmr.pairs import Pairs

    pictures = digits(["sheet"])[0]["sheet"][:12].reshape(-1, 8, 8)
    strips = [[255 - np.kron(each, np.full((20, 32), 15)).astype(np.uint8)] for each in pictures]
    sounds = [np.kron(each, np.ones((12, 10), np.float32))[:92] / 16 for each in pictures]
    pairs = Pairs(strips, [[np.array([60.0, 190.0])]] * 12, sounds, [np.array([0.0, 38.0])] * 12)
    params = Mtm.load(ROOT / "params.yaml").features.asmcmr
    encoder, history = training.train(
        pairs,
        steps=params.steps,
        batch_size=6,
        learning_rate=params.learning_rate,
        margin=params.margin,
        seed=params.seed,
    )
    losses = np.array([each["loss"] for each in history])
    return {"losses": losses, **encoder.arrays}


def whitening() -> Arrays:
    """Fit a whitening of pictures, and whiten them."""
    from unisono.features import whitening

    vectors = digits(["visual"])[0]["visual"]
    fitted = whitening.fit(vectors, components=32, epsilon=0.01)
    return {"mean": fitted.mean, "projection": fitted.projection, "whitened": fitted.apply(vectors)}


def chunk_attention() -> Arrays:
    """Train chunk attention, on rows of digits as seconds of sound."""
    from unisono.features import chunk_attention

    train, _ = digits(["audio"], sequences=True)
    audios = [each.repeat(2, axis=0).repeat(2, axis=1) for each in train["audio"]]
    model = chunk_attention.train(audios, [f"mood {label % 3}" for label in train["labels"]])
    outputs = model.apply(audios[:10])
    return {f"{field} {i}": getattr(each, field) for i, each in enumerate(outputs) for field in each._fields}


EXTRACTORS: Mapping[str, tuple[Callable[[], Arrays], str]] = {
    "logmel": (logmel, "unisono.features.logmel"),
    "vggish": (vggish, "unisono.features.vggish"),
    "inception": (inception, "unisono.features.inception"),
    "skipgram": (skipgram, "unisono.features.skipgram"),
    "asmcmr": (asmcmr, "unisono.features.asmcmr.training"),
    "whitening": (whitening, "unisono.features.whitening"),
    "chunk_attention": (chunk_attention, "unisono.features.chunk_attention"),
}


def items() -> dict[str, tuple[Callable[[], Arrays], str]]:
    """Every extractor and method: what runs it, and the module whose code it is."""
    from unisono import models

    methods = {
        name: (functools.partial(fit, name), f"unisono.models.{name}")
        for name in models.available()
        if name not in ("identity", "overlap", "popularity", "random")
    }
    return {**EXTRACTORS, **methods}


def place(side: str, name: str, item: tuple[Callable[[], Arrays], str]) -> Path:
    """File of what an item gave on a side; named after its code."""
    from unisono.store.code import code_version

    function, module = item
    source = inspect.getsource(getattr(function, "func", function)) + inspect.getsource(digits)
    facts = source + code_version(module)
    return KEPT / side / f"{name}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}.npz"


def work(side: str, names: Sequence[str]) -> None:
    """Run items in this process, and print the kernels that it has used."""
    import numpy as np

    from unisono import arithmetic

    every = items()
    for name in names:
        path = place(side, name, every[name])
        if path.is_file():
            continue
        started = time.perf_counter()
        try:
            arrays = every[name][0]()
        except Exception as error:  # the others go on
            print(f"{side}: {name}: {type(error).__name__}: {error}", flush=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part.npz")
        np.savez(temporary, **arrays)
        temporary.replace(path)
        print(f"{side}: {name}: {time.perf_counter() - started:.0f} s", flush=True)
    print(f"{side}: kernels: {json.dumps(arithmetic.describe())}", flush=True)


def start(side: str, names: Sequence[str]) -> None:
    """Run items in a process of their own, on one thread, with pins or without."""
    pins = KEPT / side
    pins.mkdir(parents=True, exist_ok=True)
    (pins / "params.yaml").write_text(f"compute: {{reproducible: {str(not side.endswith('unpinned')).lower()}}}\n")
    # Emulated, the interpreter itself with the environment's packages: an emulator starts no script.
    python = [*EMULATOR, os.path.realpath(sys.executable)] if side.startswith("emulated") else [sys.executable]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), *(p for p in sys.path[1:] if p)])
    command = [*python, str(Path(__file__).resolve()), "--side", side, "--only", *names]
    run = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{side}: ended with status {run.returncode}: {run.stderr[-2000:]}")


def compare(first: Path, second: Path) -> dict[str, float]:
    """Return what differs: measures, and as ``features`` the arrays that are not equal byte by byte.

    Of arrays it is the largest difference relative to the largest entry, of ranks relative to the rank, as the gate
    has it.
    """
    import numpy as np

    with np.load(first) as a, np.load(second) as b:
        differences: dict[str, float] = {}
        for name in a.files:
            one, other = a[name], b[name]
            if one.tobytes() == other.tobytes():
                continue
            key = name if name in MEASURES else "features"
            relative = key == "features" or "rank" in key
            scale = max(float(np.abs(one).max()), np.finfo(float).tiny) if relative else 1.0
            largest = float(np.abs(one - other).max()) / scale if one.shape == other.shape else np.inf
            differences[key] = max(differences.get(key, 0.0), largest)
    return differences


def digest(path: Path) -> str:
    """SHA-256 of all arrays of a file."""
    import numpy as np

    with np.load(path) as arrays:
        return hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays.files))).hexdigest()


def main() -> int:
    """Print the table; exit status 1 where the control does not differ or an item could not be run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", help="items (default: all)")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, help="JSON file for what is unequal: the gate's .ci/arithmetic.json")
    args = parser.parse_args()
    if args.side:
        from unisono import arithmetic

        arithmetic.pin(KEPT / args.side / "params.yaml")
        work(args.side, args.only)
        return 0
    names = args.only or list(items())
    for side in SIDES:
        start(side, CONTROLS if side.endswith("unpinned") else names)
    every = items()
    paths = {side: {name: place(side, name, every[name]) for name in every} for side in SIDES}
    allowed: dict[str, dict[str, dict[str, float]]] = {"extractors": {}, "methods": {}}
    missing = []
    print("\n| | pinned, native against emulated Haswell | SHA-256 |\n|---|---|---|")
    for name in names:
        if not (paths["native"][name].is_file() and paths["emulated"][name].is_file()):
            missing.append(name)
            print(f"| `{name}` | could not be run | |")
            continue
        found = compare(paths["native"][name], paths["emulated"][name])
        if found:
            allowed["extractors" if name in EXTRACTORS else "methods"][name] = found
        text = ", ".join(f"{key} {value:.2g}" for key, value in found.items()) or "equal bytes"
        print(f"| `{name}` | {text} | {digest(paths['native'][name])[:12]} |")
    control = {name: compare(paths["native-unpinned"][name], paths["emulated-unpinned"][name]) for name in CONTROLS}
    print(f"\ncontrol, without pins: {json.dumps(control)}")
    if args.write:
        args.write.write_text(json.dumps(allowed, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if not any(control.values()):
        print("the control does not differ: this processor has nothing beyond a Haswell, and the table proves nothing")
        return 1
    return int(bool(missing))


if __name__ == "__main__":
    raise SystemExit(main())
