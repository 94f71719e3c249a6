"""Failures that are the machine's are told from those of the input, everywhere."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from unisono import errors
from unisono.errors import MachineError, machine_fault, pass_machine

PACKAGE = Path(errors.__file__).parent
#: What is caught so may be the machine's.
BROAD = {
    "BaseException",
    "Exception",
    "MemoryError",
    "OSError",
    "RuntimeError",
    "av.FFmpegError",
    "pa.ArrowException",
    "pypdfium2.PdfiumError",
    "soundfile.SoundFileError",
    "tf.errors.OpError",
}
#: Where it is looked at.
LOOKS = ("pass_machine", "pass_shortage", "machine_fault", "cannot_write")
#: Handlers that blame nothing and keep nothing: a probe, an estimate, an error that is passed on, or made anew.
HARMLESS = {
    "arithmetic.py": 3,
    "errors.py": 2,
    "evaluation/experiments.py": 1,
    "evaluation/running.py": 1,
    "evaluation/search.py": 1,
    "io/connections.py": 1,
    "io/download.py": 3,
    "io/files.py": 3,
    "media/mp4.py": 1,
    "planning/costs.py": 1,
    "planning/dag.py": 2,
    "planning/sizes.py": 3,
    "store/executors.py": 2,
    "store/fits.py": 1,
    "store/jobs.py": 2,
    "store/shards.py": 3,
    "testing.py": 2,
}


def silent(path: Path) -> Iterator[ast.ExceptHandler]:
    """Handlers that catch what may be the machine's, and neither look at it nor raise it again."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            again = any(isinstance(part, ast.Raise) and part.exc is None for part in ast.walk(node))
            looks = any(name in ast.unparse(node) for name in LOOKS)
            if {ast.unparse(kind) for kind in kinds} & BROAD and not again and not looks:
                yield node


def test_every_handler_tells_the_machines_failures() -> None:
    found = {path.relative_to(PACKAGE).as_posix(): len(list(silent(path))) for path in sorted(PACKAGE.rglob("*.py"))}
    assert {name: count for name, count in found.items() if count} == HARMLESS


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
        OSError("Unable to write (errno = 28, error message = 'No space left on device')"),
        RuntimeError("can't start new thread"),
        ImportError("libxcb.so.0: failed to map segment from shared object"),
        pa.ArrowException("Unknown error: Failed to launch worker thread: Resource temporarily unavailable"),
        MachineError("LilyPond: no space"),
    ],
)
def test_what_is_the_machines(error: Exception) -> None:
    assert machine_fault(error)
    with pytest.raises(type(error)) as caught:
        pass_machine(error)
    assert caught.value is error
    hidden = ValueError("damaged")
    hidden.__cause__ = error
    assert machine_fault(hidden)


@pytest.mark.parametrize(
    "error",
    [ValueError("out of memory"), FileNotFoundError(2, "No such file"), OSError("truncated"), RuntimeError("x")],
)
def test_what_is_not(error: Exception) -> None:
    assert not machine_fault(error)
    pass_machine(error)


def test_arrows_and_ffmpegs_own() -> None:
    import av
    import pyarrow as pa

    assert machine_fault(pa.lib.ArrowMemoryError("malloc of size 64 failed"))
    assert machine_fault(pa.lib.ArrowInvalid("thread creation failed: Resource temporarily unavailable"))
    assert machine_fault(av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory"))
    # FFmpeg says so of damaged packets.
    assert not machine_fault(av.error.BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"))


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        ("MemoryError('Unable to allocate 3 GiB')", "error: not enough memory (Unable to allocate 3 GiB)"),
        ("OSError(28, 'No space left on device', '/x')", "error: [Errno 28] No space left on device: '/x'"),
        ("PermissionError(13, 'Permission denied', '/x')", "error: [Errno 13] Permission denied: '/x'"),
        ("RuntimeError('cannot start new thread: Resource temporarily unavailable')", "error: cannot start"),
        ("UnisonoError('a\\x1b[2Jb\\x00\\udcff: no')", "error: a\ufffd[2Jb\ufffd\ufffd: no"),
    ],
)
def test_a_command_ends_in_one_line(raised: str, line: str) -> None:
    code = f"from unisono.errors import *\ndef main(): raise {raised}\nrun(main)"
    env = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=env)
    text = done.stderr.decode("utf-8")
    assert (done.returncode, text.count("\n")) == (2, 1)
    assert text.startswith(line)


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    code = "from unisono.errors import *\ndef main(): raise RuntimeError('a mistake')\nrun(main)"
    env = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=env, text=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_line_of_an_error_ends(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise errors.DataError(f"x.csv: got {'9' * 200_000}, expected a number; correct it")

    with pytest.raises(SystemExit):
        errors.run(main)
    line = capsys.readouterr().err
    assert len(line) < 1500
    assert line.startswith("error: x.csv: got 999")
    assert line.endswith("a number; correct it\n")


def test_a_warning_is_one_line() -> None:
    code = (
        "import warnings\nfrom unisono import errors\nerrors.run(lambda: warnings.warn('much\\nto say', stacklevel=1))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "warning: much to say\n"


@pytest.mark.parametrize(
    ("raised", "status"),
    [("MemoryError('no more')", 2), ("OSError(12, 'Cannot allocate memory')", 2), ("errors.DataError('wrong')", -6)],
)
def test_after_a_limit_of_the_machine_nothing_that_crashes_is_cleared_away(raised: str, status: int) -> None:
    script = (
        "import atexit, os\nfrom unisono import errors\natexit.register(os.abort)\nerrors.end_at_once()\n"
        f"def main():\n    raise {raised}\nerrors.run(main)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status
    assert done.stderr.startswith("error: ")
    assert done.stderr.partition("Fatal")[0].count("\n") == 1
