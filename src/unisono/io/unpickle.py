"""Reading pickles and ``.npy`` files from outside without running what they say.

A pickle is a program. Here it may build numbers, text, containers and numpy arrays of these, and nothing else:
every name that it looks up is checked against a list. Even numpy's own entry points are replaced, since the
state of a real ``dtype`` can be forged so that an array takes bytes for object pointers: types are rebuilt from
their code alone, and an array's shape must agree with the data that is there, before memory is asked for.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from unisono.errors import DataError, pass_machine

_REMEDY = "only numpy arrays and plain containers are read; do not trust this file, or get the original again"


#: So many tuples are built by the fast unpickler; most values of one, where there are more.
FEW_TUPLES, MAX_IN_TUPLE = 20, 10_000


class _Foreign(pickle.UnpicklingError):
    """A pickle names something that is not on the list."""


class _Allowed:
    """A function that a pickle may call, but not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise _Foreign("changes a function")


class _Dtype:
    """A numpy type as a pickle builds it: a code such as ``f4``, then its byte order and length."""

    __slots__ = ("dtype",)

    def __init__(self, code: str | bytes, align: Any = False, copy: Any = True) -> None:
        text = code.decode("ascii") if isinstance(code, bytes) else str(code)
        self.dtype = np.dtype(text)
        if self.dtype.kind not in "biufcSUO" or self.dtype.fields or self.dtype.subdtype:
            raise _Foreign(f"builds the type {text!r}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order: Any = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if state[2:5] != (None, None, None):
            raise _Foreign("builds a structured type")
        if self.dtype.kind in "SU":
            unit = np.dtype(f"{self.dtype.kind}1").itemsize
            self.dtype = np.dtype(f"{self.dtype.kind}{int(state[5]) // unit}")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """An array whose state is checked before it is believed."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, kind, fortran, data = state[-4:]
        dtype = kind.dtype
        size = math.prod(shape)
        if dtype.hasobject:
            fits = isinstance(data, list) and len(data) == size
        else:
            data = data.encode("latin1") if isinstance(data, str) else data
            fits = isinstance(data, bytes) and len(data) == size * dtype.itemsize
        if not fits or min(shape, default=0) < 0:
            raise pickle.UnpicklingError(f"an array of shape {shape} and type {dtype} does not fit its data")
        checked: Any = (1, shape, dtype, bool(fortran), data)
        super().__setstate__(checked)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Do what ``_codecs.encode`` does in Python-2 style pickles: bytes written as text."""
    if encoding not in ("latin1", "latin-1"):
        raise _Foreign(f"calls the codec {encoding!r}")
    return text.encode("latin1")


def _scalar(kind: _Dtype, data: bytes | str) -> Any:
    """Build a numpy scalar."""
    raw = data.encode("latin1") if isinstance(data, str) else data
    if kind.dtype.hasobject:
        raise _Foreign("builds an object scalar")
    return np.frombuffer(raw, kind.dtype)[0]


def _from_buffer(data: bytes | bytearray, kind: _Dtype, shape: Any, order: str, axes: Any = None) -> np.ndarray:
    """Build an array of protocol 5."""
    if kind.dtype.hasobject:
        raise _Foreign("builds objects from bytes")
    flat = np.frombuffer(bytearray(data), kind.dtype)
    if axes is not None:
        return flat.reshape(shape).transpose(axes)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _empty_bytes() -> bytes:
    """Build what ``bytes()`` is in old protocols; with an argument it could ask for any amount of memory."""
    return b""


#: Stands for ``numpy.ndarray``, which pickles name but need not call.
_NDARRAY = object()


#: Operations of a pickle whose arguments have a fixed size (an index below 2^24), as many as follow each other.
_FIXED = re.compile(
    rb"(?:[()012NRQabdelosu\]}\x81\x88\x89\x8f-\x94\x97\x98]|[Khq\x82].|[M\x83]..|[Jj\x84].{4}|r.{3}\0|[G\x95].{8})+",
    re.DOTALL,
)
#: Those with a length of so many bytes before their argument.
_LENGTHS = {**dict.fromkeys(b"UC\x8a\x8c", 1), **dict.fromkeys(b"TXB\x8b", 4), **dict.fromkeys(b"\x8d\x8e\x96", 8)}
#: Those with lines of text as arguments.
_LINES = {**dict.fromkeys(b"FILSVgpP", 1), **dict.fromkeys(b"ci", 2)}


def _count_tuples(data: bytes) -> int:
    """Count tuples that are built, and look at lengths and indices before the unpickler takes memory for them."""
    place = count = 0
    while place < len(data):
        if found := _FIXED.match(data, place):
            place = found.end()
            continue
        code = data[place]
        if code in _LENGTHS:
            start = place + 1 + _LENGTHS[code]
            place = start + int.from_bytes(data[place + 1 : start], "little")
            if place > len(data):
                raise pickle.UnpicklingError(f"claims {place - start} bytes, {max(len(data) - start, 0)} are left")
        elif code in _LINES:
            for _ in range(_LINES[code]):
                start, place = place + 1, data.find(b"\n", place + 1)
                if place < 0:
                    return count  # the unpickler says what is wrong
            if code == ord("p") and len(data[start:place]) > 8:
                raise pickle.UnpicklingError("remembers more objects than it can hold")
            place += 1
        elif code == ord("\x80"):
            place += 2
        elif code == ord("r"):
            raise pickle.UnpicklingError("remembers more objects than it can hold")
        elif code in b"t\x85\x86\x87":
            count, place = count + 1, place + 1
        else:
            return count
    return count


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows a dozen names."""

    def __init__(self, data: bytes, encoding: str) -> None:
        super().__init__(io.BytesIO(data), encoding=encoding)
        self.data, self.text_encoding = data, encoding
        self.n_arrays = 0
        reconstruct, scalar = _Allowed(self._reconstruct), _Allowed(_scalar)
        self.allowed: dict[tuple[str, str], Any] = {
            ("numpy", "ndarray"): _NDARRAY,
            ("numpy", "dtype"): _Allowed(_Dtype),
            ("_codecs", "encode"): _Allowed(_encode),
        }
        for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            self.allowed |= {(module, "_reconstruct"): reconstruct, (module, "scalar"): scalar}
        for module in ("numpy.core.numeric", "numpy._core.numeric"):
            self.allowed[module, "_frombuffer"] = _Allowed(_from_buffer)
        for module in ("builtins", "__builtin__"):
            self.allowed |= {(module, kind.__name__): _Allowed(kind) for kind in (set, frozenset, complex)}
            self.allowed[module, "bytes"] = _Allowed(_empty_bytes)

    def load(self) -> Any:
        """Read the pickle, unless it claims more than is there."""
        if _count_tuples(self.data) > FEW_TUPLES:
            return _Careful(self).load()
        return super().load()

    def _reconstruct(self, subtype: Any, shape: Any, code: Any) -> _Array:
        if subtype is not _NDARRAY:
            raise _Foreign("builds an array of a class of its own")
        self.n_arrays += 1
        return _Array((0,), np.int8)

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up in the list of allowed ones."""
        try:
            return self.allowed[module, name]
        except KeyError:
            raise _Foreign(f"names {module}.{name}, which could run code") from None


class _Careful(pickle._Unpickler):
    """The same, slower: no tuple may hold more than `MAX_IN_TUPLE`, counted through tuples that stand in it again.

    A key of tuples within tuples, each twice, is short to write and takes for ever to hash.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, fast: _Unpickler) -> None:
        super().__init__(io.BytesIO(fast.data), encoding=fast.text_encoding)
        self.fast = fast
        self.sizes: dict[int, tuple[int, Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up in the same list."""
        return self.fast.find_class(module, name)

    def measure(self) -> None:
        """Measure the tuple that was just built."""
        made = self.stack[-1]  # type: ignore[attr-defined]
        size = sum(self.sizes.get(id(item), (1,))[0] for item in made) + 1
        if size > MAX_IN_TUPLE:
            raise pickle.UnpicklingError(f"a tuple of more than {MAX_IN_TUPLE:,} values")
        self.sizes[id(made)] = (size, made)  # kept, so that no other gets its id


def _measured(build: Callable[[Any], None]) -> Callable[[_Careful], None]:
    def run(unpickler: _Careful) -> None:
        build(unpickler)
        unpickler.measure()

    return run


for _code in b"t\x85\x86\x87":
    _Careful.dispatch[_code] = _measured(_Careful.dispatch[_code])


def load(source: Path | bytes, *, encoding: Literal["ASCII", "latin1"] = "ASCII", name: str = "") -> Any:
    """Read a pickle of numbers, text, containers and numpy arrays; run nothing.

    Parameters
    ----------
    source : Path or bytes
        A file, or its content.
    encoding : {"ASCII", "latin1"}
        How to read the byte strings of Python 2; ``latin1`` for arrays that Python 2 wrote.
    name : str, optional
        What to call the source in messages, when it is not a path.

    Returns
    -------
    object
        What was pickled; arrays are `np.ndarray`.

    Raises
    ------
    DataError
        The file is missing or damaged, or names anything but numpy's array builders and plain containers; then
        nothing was run.
    """
    label = name or (str(source) if isinstance(source, Path) else "pickle")
    unpickler = _Unpickler(_bytes(source), encoding)
    try:
        result = unpickler.load()
        if isinstance(result, _Array) and unpickler.n_arrays == 1:
            return result.view(np.ndarray)
        return _plain(result, {}) if unpickler.n_arrays else result
    except _Foreign as error:
        raise DataError(f"{label}: the pickle {error}; {_REMEDY}") from None
    except Exception as error:
        pass_machine(error)
        # A damaged pickle can raise nearly anything.
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise DataError(f"{label}: not a pickle, or damaged ({reason}); get the file again") from error


def load_npy(source: Path | bytes, *, name: str = "") -> np.ndarray:
    """Read a ``.npy`` file; arrays of objects go through `load`.

    Parameters
    ----------
    source : Path or bytes
        A file, or its content.
    name : str, optional
        What to call the source in messages, when it is not a path.

    Returns
    -------
    np.ndarray

    Raises
    ------
    DataError
        The file is missing, empty, truncated or not ``.npy``, or its pickle names anything foreign.
    """
    label = name or (str(source) if isinstance(source, Path) else ".npy file")
    data = _bytes(source)
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    except Exception as error:
        pass_machine(error)
        raise DataError(f"{label}: not a .npy file, or damaged ({error}); get the file again") from error
    body = data[stream.tell() :]
    if dtype == np.dtype(object):
        array = load(body, encoding="latin1", name=label)
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise DataError(f"{label}: its pickle is not the array of shape {shape} that its header says")
        return array
    expected = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or len(body) != expected:
        raise DataError(f"{label}: has {len(body)} bytes of data, expected {expected}; get the file again")
    return np.frombuffer(bytearray(body), dtype).reshape(shape, order="F" if fortran else "C")


def _bytes(source: Path | bytes) -> bytes:
    """Read a file whole."""
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as error:
        pass_machine(error)
        raise DataError(f"{source}: cannot be read: {error.strerror or error}; correct the path") from None


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """Turn every `_Array` inside containers into an `np.ndarray`."""
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, _Array):
        done[id(value)] = array = value.view(np.ndarray)
        if array.dtype.hasobject:
            flat = array.reshape(-1, order="A")
            for i in range(flat.size):
                flat[i] = _plain(flat[i], done)
        return array
    if isinstance(value, list):
        done[id(value)] = value
        value[:] = [_plain(item, done) for item in value]
    elif isinstance(value, dict):
        done[id(value)] = value
        for key, item in value.items():
            value[key] = _plain(item, done)
    elif isinstance(value, tuple):
        result = tuple(_plain(item, done) for item in value)
        done[id(value)] = result
        return result
    return value
