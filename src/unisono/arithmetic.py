"""Arithmetic that depends on the processor as little as can be: the kernels that numerical libraries choose.

**Conventions.** numpy, BLAS, torch and TensorFlow choose kernels by the processor they meet, and each kernel rounds in
its own order. A process that calls `pin` before it imports any of them gets the kernels of every x86-64 processor
since 2013 (AVX2 and FMA, as Intel's Haswell has them), in whatever processes it starts, too. That is what the
pipeline's stages and the command ``unisono`` do; ``compute.reproducible: false`` in params.yaml turns it off.
Importing `unisono` changes nothing. Standard library and PyYAML only: this module runs before all others.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

#: Variables that libraries read when they are loaded, or at their first call, and the kernels they are pinned to.
PINS = {
    # torch's own kernels.
    "ATEN_CPU_CAPABILITY": "avx2",
    # Intel MKL (matrix products and LAPACK of torch). On processors of other makers it takes a branch of its
    # own (AUTO), whose numbers are others; asking for COMPATIBLE everywhere would double the time of training.
    "MKL_CBWR": "AVX2",
    # oneDNN (convolutions of torch and TensorFlow, matrix products of TensorFlow).
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # TensorFlow's use of oneDNN, by default only where the processor has instructions for networks: VGGish takes 27 %
    # less time, Inception 18 %.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # The BLAS and LAPACK of numpy and of scipy (which scikit-learn and gensim use).
    "OPENBLAS_CORETYPE": "Haswell",
    # Its sums are divided among threads: with another number of cores a decomposition has other bytes.
    "OPENBLAS_NUM_THREADS": "1",
}
#: The variable of numpy's own kernels (exponentials, sums, sorting) and what it disables, by numpy's version.
NUMPY_VARIABLE = "NPY_DISABLE_CPU_FEATURES"
NUMPY_FEATURES = {
    (2, 4): "X86_V4 AVX512_ICL AVX512_SPR",
    (2, 3): "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
    (0, 0): "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
}
#: A process that has loaded one of these is past being pinned.
LIBRARIES = ("numpy", "torch", "tensorflow")


def pin(params: Path = Path("params.yaml")) -> bool:
    """Pin the kernels of this process and of those it will start, before it loads a numerical library.

    The variables of `PINS` are set whatever they were before. Nothing is set where ``compute.reproducible`` of
    `params` is false, where numpy, torch or TensorFlow is loaded (in a notebook, say), and on machines other than
    x86-64 Linux with AVX2.

    Parameters
    ----------
    params : Path
        File of parameters. One that is missing or no YAML turns nothing off: who reads it next says what is wrong.

    Returns
    -------
    bool
        Whether the kernels are pinned.
    """
    if any(name in sys.modules for name in LIBRARIES) or not _has_kernels() or not _wanted(params):
        return False
    os.environ.update(pins())
    return True


def pins() -> dict[str, str]:
    """Return the variables that `pin` sets, numpy's among them."""
    try:
        version = tuple(int(part) for part in importlib.metadata.version("numpy").split(".")[:2])
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return dict(PINS)
    return PINS | {NUMPY_VARIABLE: next(names for since, names in NUMPY_FEATURES.items() if version >= since)}


def facts() -> list[str]:
    """Return what decides how this process rounds, for the fingerprint of a kept result.

    Returns
    -------
    list of str
        The machine, whether it has an NVIDIA GPU, the pins in force and, where one is not, the vector instructions of
        its processor. Nothing is imported for it.
    """
    wanted = pins()
    found = [f"{name}={value}" for name, value in wanted.items() if os.environ.get(name) == value]
    if len(found) < len(wanted):
        found += sorted(_features())
    gpu = ["cuda"] if Path("/proc/driver/nvidia/version").exists() else []
    return [platform.system(), platform.machine(), *gpu, *found]


def describe() -> dict[str, Any]:
    """Say which kernels the libraries loaded in this process use, as they report it themselves.

    Returns
    -------
    dict of str to object
        ``numpy``: its newest vector instructions. ``openblas``: kernel per library (numpy's, scipy's).
        ``torch``: its own kernels. ``mkl``: number of MKL's branch (1 none, 2 AUTO, 3 COMPATIBLE, 10 AVX2).
        ``pins``: the variables as they are set. What is not loaded, or does not report, is left out.
    """
    found: dict[str, Any] = {"pins": {name: os.environ[name] for name in pins() if name in os.environ}}
    readers: dict[str, Callable[[], Any]] = {"numpy": _numpy, "torch": _torch, "mkl": _mkl, "openblas": _openblas}
    for name, read in readers.items():
        try:
            found[name] = read()
        except (KeyError, ImportError, AttributeError, OSError):
            continue
    return found


def _wanted(params: Path) -> bool:
    """Read the switch; only a plain ``false`` turns the pins off."""
    try:
        with params.open(encoding="utf-8") as stream:
            # libyaml where there is one: ten times as fast.
            raw = yaml.load(stream, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return raw["compute"]["reproducible"] is not False
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return True


def _has_kernels() -> bool:
    """Whether this is a machine that has what is pinned to: forced upon another, libraries would crash."""
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "AMD64"):
        return False
    return {"avx2", "fma"} <= _features()


@functools.cache
def _features(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Vector instructions of the processor, as Linux names them; none where it is not Linux."""
    try:
        with cpuinfo.open(encoding="utf-8") as stream:
            flags = next((line.partition(":")[2].split() for line in stream if line.startswith("flags")), [])
    except OSError:
        flags = []
    return frozenset(flag for flag in flags if flag.startswith(("avx", "fma", "sse", "amx")))


def _numpy() -> str:
    features = sys.modules["numpy"]._core._multiarray_umath.__cpu_features__
    known = ("AVX512_SPR", "AVX512_ICL", "AVX512_SKX", "X86_V4", "X86_V3", "AVX2", "X86_V2", "SSE42", "ASIMD")
    return next((name for name in known if features.get(name)), "baseline")


def _torch() -> str:
    return str(sys.modules["torch"].backends.cpu.get_cpu_capability())


def _mkl() -> int:
    import ctypes

    folder = Path(sys.modules["torch"].__file__ or "").parent / "lib"
    # Linked into torch, so that there is no Python door to it; 1 asks for the branch.
    return int(ctypes.CDLL(str(folder / "libtorch_cpu.so")).mkl_serv_cbwr_get(1))


def _openblas() -> dict[str, str]:
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    libraries = [each for each in threadpool_info() if each["internal_api"] == "openblas"]
    return {Path(each["filepath"]).parent.name: str(each["architecture"]) for each in libraries}
