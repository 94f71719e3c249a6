"""External programs, run so that none can hang, fill the memory or see more than it needs.

**Conventions.** A program gets an argument list (never a shell), a folder of its own to work in, a bare
environment, nothing on its standard input, a time limit that ends its whole process group, and, where asked,
a memory limit. What it says (standard output and error together) goes through a file, so that a child it
leaves behind cannot block us. An exit status is reported, not judged: programs here end with 0 after failures
too, so callers check what was made.

A run may fail for want of space, memory, processes or time, which says nothing about its input: `Completed.fault` is
then set, and callers raise it as a `MachineError` rather than give an item up. The time limit is of processor time, so
that what never ends is told from what is slow on a busy machine: by the clock a program has `PATIENCE` times as long.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from unisono.errors import MachineError, ProgramError, machine_fault, pass_machine
from unisono.io.files import temporary_folder

OUTPUT_BYTES = 65_536
"""How much of a program's output is kept unless said otherwise."""
PATIENCE = 3
"""How much longer than its processor time a program may take by the clock."""
SPARE_BYTES = 32 * 2**20
"""With less free space where it works, a program's failure may be for want of it."""


class Completed(NamedTuple):
    """How a run ended."""

    returncode: int
    """Exit status; minus the signal's number when a signal ended it."""
    output: str
    """The end of standard output and error together."""
    timed_out: bool
    """Whether it was still running at the time limit, and was killed."""
    fault: str = ""
    """Why its failure, if it failed, may be the machine's; empty where nothing says so."""


def find(name: str, package: str) -> str:
    """Find a program on ``PATH``.

    Parameters
    ----------
    name : str
        The command, ``"timidity"``.
    package : str
        Debian packages that bring it, as given to ``apt-get install``.

    Returns
    -------
    str
        Absolute path of the program.

    Raises
    ------
    ProgramError
        It is not there; the message says what to install.
    """
    path = shutil.which(name)
    if path is None:
        raise ProgramError(
            f"{name}: program not found on PATH; on Debian or Ubuntu install it with "
            f"`apt-get install --no-install-recommends {package}`"
        )
    return str(Path(path).absolute())


def version(name: str) -> str:
    """First line that ``<name> --version`` prints, for the metadata of what the program makes.

    Raises
    ------
    ProgramError
        The program cannot be started, fails, or prints nothing within 30 s.
    """
    with temporary_folder() as folder:
        done = run([name, "--version"], cwd=folder, timeout_s=30)
    lines = done.output.strip().splitlines()
    if done.timed_out or done.returncode != 0 or not lines:
        raise ProgramError(f"{name} --version: expected one line and exit status 0, got {describe(done)}")
    return lines[0].strip()


@functools.cache
def fixed_addresses() -> tuple[str, ...]:
    """Say what is put before a command so that its memory has the same addresses in every run.

    For programs whose output depends on where their memory lies, by a fault of theirs.

    Returns
    -------
    tuple of str
        ``setarch -R``; empty where there is none, or the system forbids it (some containers do).
    """
    command = shutil.which("setarch")
    if command is None:
        return ()
    try:
        done = subprocess.run([command, "-R", "true"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        pass_machine(error)
        return ()
    return (command, "-R") if done.returncode == 0 else ()


def run(
    arguments: Sequence[str],
    *,
    cwd: Path,
    timeout_s: float,
    memory_bytes: int | None = None,
    env: Mapping[str, str] | None = None,
    output_bytes: int = OUTPUT_BYTES,
) -> Completed:
    """Run a program to its end or its time limit.

    Parameters
    ----------
    arguments : sequence of str
        The program (a path from `find`) and its arguments.
    cwd : Path
        Folder it works in, its own: also its ``HOME`` and ``TMPDIR``.
    timeout_s : float
        Seconds of processor time (Linux; elsewhere not enforced), and a `PATIENCE`-th of those by the clock, after
        which the program and every process of its group are killed.
    memory_bytes : int, optional
        Limit on its address space, in bytes (Linux; elsewhere not enforced); a smaller hard limit stays.
    env : mapping of str to str, optional
        Variables added to the bare environment (``PATH``, ``HOME``, ``TMPDIR``, a UTF-8 locale).
    output_bytes : int
        How much of its output is kept: its end.

    Returns
    -------
    Completed
        A program over its time limit is reported, not raised, so that callers can split the work and go on.

    Raises
    ------
    ProgramError
        The program cannot be started at all.
    MachineError
        Because no process or memory is left.
    """
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(cwd),
        "TMPDIR": str(cwd),
        "LC_ALL": "C.UTF-8",
        **(env or {}),
    }
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                list(arguments),
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            kind = MachineError if machine_fault(error) else ProgramError
            raise kind(f"{arguments[0]}: cannot be started: {error.strerror or error}") from None
        timed_out = False
        try:
            # At the hard limit the kernel kills without saying why.
            _limit(process.pid, "RLIMIT_CPU", math.ceil(timeout_s), spare=5)
            if memory_bytes is not None:
                _limit(process.pid, "RLIMIT_AS", memory_bytes)
            process.wait(timeout=PATIENCE * timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            # Also after a normal end: children left behind must not outlive the folder they work in.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(max(0, said.seek(0, os.SEEK_END) - output_bytes))
        output = said.read().decode("utf-8", errors="replace")
    return Completed(process.returncode, output, timed_out, _fault(process.returncode, output, timed_out, cwd))


def _fault(returncode: int, output: str, timed_out: bool, cwd: Path) -> str:
    """Say why a failure may be the machine's, while the folder is still there."""
    if timed_out:
        return "it is still running at the time limit; let the machine do less at once, or raise the limit"
    if shutil.disk_usage(cwd).free < SPARE_BYTES:
        return f"no space is left at {cwd.parent}; free space"
    if returncode == -signal.SIGKILL:
        return "it was killed; free memory"
    if machine_fault(output) or "MemoryError" in output:
        return "it lacks memory, space or processes; free some, or let the machine do less at once"
    return ""


def describe(done: Completed) -> str:
    """How a run ended, as a clause for a message: status or signal, and the last line it printed."""
    if done.timed_out:
        ending = "still running at the time limit"
    elif done.returncode < 0:
        ending = f"killed by signal {-done.returncode}"
    else:
        ending = f"exit status {done.returncode}"
    lines = done.output.strip().splitlines()
    return f"{ending}, {lines[-1].strip()[:200]!r}" if lines else f"{ending}, no output"


def _limit(pid: int, name: str, value: int, spare: int = 0) -> None:
    """Limit a process just started (``preexec_fn`` would be unsafe beside threads); lower limits stay as they are."""
    if hasattr(resource, "prlimit"):
        which = getattr(resource, name)
        with contextlib.suppress(ProcessLookupError):
            old = [sys.maxsize if each == resource.RLIM_INFINITY else each for each in resource.prlimit(pid, which)]
            resource.prlimit(pid, which, (min(value, old[0]), min(value + spare, old[1])))
