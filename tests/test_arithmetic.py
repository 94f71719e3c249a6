"""The kernels of numerical libraries are pinned where a process starts, and nowhere else."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from unisono import arithmetic
from unisono.config.compute import Compute
from unisono.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
#: Whether the processor has AVX-512, so that kernels differ with and without pins.
DIFFERS = "avx512f" in arithmetic._features()
INTEL = "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else False
pinned_here = pytest.mark.skipif(not arithmetic._has_kernels(), reason="nothing is pinned on this machine")


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes a params.yaml with the switch and returns its folder."""

    def write(reproducible: object = True) -> Path:
        (tmp_path / "params.yaml").write_text(f"compute:\n  reproducible: {json.dumps(reproducible)}\n")
        return tmp_path

    return write


def python(code: str, folder: Path, **variables: str) -> dict:
    """Run Python code that sets `found` in a fresh process, without the pins that this one may have."""
    environment = {name: value for name, value in os.environ.items() if name not in arithmetic.pins()}
    environment |= {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", **variables}
    run = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", f"{code}\nimport json\nprint(json.dumps(found))"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


DESCRIBED = "import numpy, scipy.linalg, torch\nfrom unisono import arithmetic\nfound = arithmetic.describe()"


@pinned_here
def test_libraries_report_the_pinned_kernels(folder):
    """A stage's process uses the kernels of Haswell, in numpy, both BLAS libraries, torch and MKL."""
    found = python(f"import stages\n{DESCRIBED}", folder())
    assert found["numpy"] in ("X86_V3", "AVX2")
    assert found["torch"] == "AVX2"
    # On other makers' processors MKL takes none of Intel's branches, and says AUTO or COMPATIBLE.
    assert found["mkl"] == 10 if INTEL else found["mkl"] in (2, 3)
    assert set(found["openblas"]) == {"numpy.libs", "scipy.libs"}
    assert set(found["openblas"].values()) == {"Haswell"}
    assert found["pins"] == arithmetic.pins()


@pinned_here
@pytest.mark.skipif(not DIFFERS, reason="needs AVX-512")
def test_without_the_switch_libraries_choose(folder):
    """The control: the same process with the switch off has other kernels, all of them."""
    found = python(f"import stages\n{DESCRIBED}", folder(reproducible=False))
    assert found["pins"] == {}
    assert found["numpy"].startswith(("AVX512", "X86_V4"))
    assert found["torch"] == "AVX512"
    assert found["mkl"] == 1
    assert "Haswell" not in found["openblas"].values()


@pinned_here
@pytest.mark.skipif(not DIFFERS, reason="needs AVX-512")
def test_pins_change_bytes(folder):
    """A product in single precision rounds otherwise with other kernels; that is why they are pinned."""
    code = (
        "import stages, hashlib, numpy\nx = numpy.random.default_rng(0).standard_normal((300, 300)).astype('f')\n"
        "found = hashlib.sha256((numpy.exp(x @ x / 300)).tobytes()).hexdigest()"
    )
    assert python(code, folder()) != python(code, folder(reproducible=False))


@pinned_here
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_the_number_of_threads_outside_changes_no_bytes(folder):
    """Another machine has other cores. The control: with all pins but this one, two threads differ from one."""
    code = (
        "from unisono import arithmetic\n{}arithmetic.pin()\nimport hashlib, numpy\n"
        "x = numpy.random.default_rng(0).standard_normal((885, 2048)).astype('f')\n"
        "found = hashlib.sha256(numpy.linalg.svd(x, full_matrices=False)[2].tobytes()).hexdigest()"
    )
    without = "arithmetic.PINS.pop('OPENBLAS_NUM_THREADS')\n"
    one, two = (python(code.format(""), folder(), OMP_NUM_THREADS=n) for n in ("1", "2"))
    assert one == two
    one, two = (python(code.format(without), folder(), OMP_NUM_THREADS=n) for n in ("1", "2"))
    assert one != two


@pinned_here
@pytest.mark.parametrize(("reproducible", "expected"), [(True, "AVX2"), (False, "SSE4_2")])
def test_a_value_from_outside_counts_only_without_the_switch(folder, reproducible, expected):
    code = "import stages, os\nfound = os.environ['MKL_CBWR']"
    assert python(code, folder(reproducible=reproducible), MKL_CBWR="SSE4_2") == expected


def test_importing_the_package_changes_nothing(folder):
    """A user's notebook keeps its environment, also when it reads parameters and makes methods."""
    code = (
        "import os\nbefore = dict(os.environ)\nimport unisono, unisono.config, unisono.models, unisono.metrics\n"
        "unisono.models.create('cca')\nfound = dict(os.environ) == before"
    )
    assert python(code, folder()) is True


def test_a_process_with_numpy_is_left_alone(folder, monkeypatch):
    """Half of the libraries pinned would be neither fast nor the same."""
    monkeypatch.chdir(folder())
    before = dict(os.environ)
    assert not arithmetic.pin()
    assert dict(os.environ) == before


@pinned_here
@pytest.mark.parametrize(
    "door",
    ["import stages", "from unisono.cli import main\ntry:\n    main(['--version'])\nexcept SystemExit:\n    pass"],
    ids=["stage", "command"],
)
def test_doors_pin_before_any_library(folder, door):
    """What a door imports before it pins is no numerical library, and afterwards all variables are set."""
    code = (
        f"{door}\nimport os, sys\nfound = [sorted({{'numpy', 'scipy', 'torch'}} & set(sys.modules)), dict(os.environ)]"
    )
    loaded, environment = python(code, folder())
    assert loaded == []
    assert arithmetic.pins().items() <= environment.items()


WORKERS = """
import stages
from unisono import arithmetic
from unisono.config.compute import Compute
from unisono.store.jobs import map_jobs
if __name__ == "__main__":
    jobs = ["__import__('unisono.arithmetic').arithmetic.describe()"] * 2
    done = map_jobs(eval, jobs, compute=Compute(workers=2), description="t", at_once=True)
    found = [each.value for each in done] + [arithmetic.describe()]
"""


@pinned_here
@pytest.mark.parametrize("reproducible", [True, False])
def test_workers_have_what_their_parent_has(folder, reproducible):
    first, second, parent = python(WORKERS, folder(reproducible=reproducible))
    # Threads are fixed in workers, whatever the pins.
    assert first.pop("pins") == second.pop("pins") == {"OPENBLAS_NUM_THREADS": "1"} | parent.pop("pins")
    assert first == second == parent
    assert (first["openblas"]["numpy.libs"] == "Haswell") == (reproducible or not DIFFERS)


@pytest.mark.parametrize("text", ["", "a: [", "compute: 3", "compute: {}", "- a", "compute: {reproducible: 0}"])
def test_only_false_turns_it_off(tmp_path, text):
    """A file that says nothing, or nothing legible, leaves the pins on: the run itself says what is wrong with it."""
    file = tmp_path / "params.yaml"
    file.write_text(text)
    assert arithmetic._wanted(file)
    assert arithmetic._wanted(tmp_path / "missing.yaml")
    file.write_text("compute: {reproducible: false}")
    assert not arithmetic._wanted(file)


def test_the_switch_is_validated(tmp_path):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert "  reproducible: true\n" in text
    file = tmp_path / "params.yaml"
    file.write_text(text.replace("  reproducible: true\n", "  reproducible: perhaps\n"))
    with pytest.raises(ConfigError, match=r"compute\.reproducible: .*boolean.*'perhaps'"):
        Compute.load(file)


@pytest.mark.parametrize(
    ("system", "machine"), [("Linux", "aarch64"), ("Darwin", "arm64"), ("Darwin", "x86_64"), ("Windows", "AMD64")]
)
def test_other_machines_pin_nothing(monkeypatch, system, machine):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(arithmetic, "LIBRARIES", ())
    before = dict(os.environ)
    assert not arithmetic.pin()
    assert dict(os.environ) == before
    assert arithmetic.facts()[:2] == [system, machine]


def test_a_processor_without_avx2_pins_nothing(monkeypatch, tmp_path):
    """Kernels forced upon a processor that lacks their instructions end in a crash."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu sse sse2 avx\nprocessor\t: 1\nflags\t\t: fpu avx2 fma\n")
    features = arithmetic._features(cpuinfo)
    assert features == {"sse", "sse2", "avx"}
    monkeypatch.setattr(arithmetic, "_features", lambda: features)
    monkeypatch.setattr(arithmetic, "LIBRARIES", ())
    assert not arithmetic.pin()


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.2.6", "AVX512_SKX"), ("2.3.5", "AVX512_SKX"), ("2.4.6", "X86_V4"), ("2.10.0", "X86_V4"), ("3.0.0", "X86_V4")],
)
def test_numpy_is_told_in_its_own_words(monkeypatch, version, expected):
    """Up to 2.3 numpy names single instruction sets, later groups of them; a name it does not know is a warning."""
    monkeypatch.setattr(arithmetic.importlib.metadata, "version", lambda name: version)
    assert expected in arithmetic.pins()[arithmetic.NUMPY_VARIABLE].split()


def test_all_that_numpy_has_beyond_avx2_is_off():
    dispatched = np._core._multiarray_umath.__cpu_dispatch__
    beyond = [name for name in dispatched if name.startswith(("AVX512", "X86_V4"))]
    assert arithmetic.pins()[arithmetic.NUMPY_VARIABLE].split() == beyond


def test_facts_are_the_pins_or_the_processor(monkeypatch):
    """A result is kept for the arithmetic it was made with; without pins that is the processor's."""
    for name, value in arithmetic.pins().items():
        monkeypatch.setenv(name, value)
    pinned = arithmetic.facts()
    assert pinned[:2] == [platform.system(), platform.machine()]
    assert {f"{name}={value}" for name, value in arithmetic.pins().items()} == set(pinned[2:]) - {"cuda"}
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    assert set(arithmetic.facts()) == set(pinned) - {"MKL_CBWR=AVX2"} | arithmetic._features()
    assert json.loads(json.dumps(pinned)) == pinned
