"""Pickles from outside: real ones come out right, hostile ones run nothing."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from unisono.errors import DataError
from unisono.io import unpickle

PLAIN = {
    "text": "é",
    "bytes": b"\x00\xff",
    "numbers": [1, 2.5, True, None, 10**30, 1 + 2j],
    "nested": ({1, 2}, frozenset({3}), (4, (5,))),
}
ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(4, dtype=">i4"),
    np.array(["la", "lé"]),
    np.array([b"ab", b"c"]),
    np.array([True, False]),
    np.array(1.5),
    np.zeros((0, 3)),
    np.array([1 + 2j]),
]


def same(a: object, b: object) -> bool:
    """Compare nested containers of arrays, types included."""
    if isinstance(a, np.ndarray):
        return (
            type(a) is type(b) is np.ndarray
            and a.dtype == b.dtype
            and a.shape == b.shape
            and (all(map(same, a.flat, b.flat)) if a.dtype == object else bool(np.all(a == b)))
        )
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_and_arrays_come_back(protocol: int) -> None:
    objects = np.empty((2, 2), dtype=object)
    objects[:] = [[["I", "am"], [1.0, 2.0]], [{"k": ARRAYS[0]}, None]]
    value = [PLAIN, ARRAYS, (ARRAYS[0], {"a": ARRAYS[1]}), objects, np.float32(0.1), np.int64(7)]
    pickled = pickle.dumps(value, protocol)
    # What pickle itself makes of it, since numpy turns foreign byte orders to the machine's own.
    assert same(unpickle.load(pickled), pickle.loads(pickled))  # noqa: S301


def test_one_array_twice_stays_one_and_loops_end() -> None:
    array = np.arange(3)
    value: list = [array, array, (array,)]
    value.append(value)
    got = unpickle.load(pickle.dumps(value, 2))
    assert got[0] is got[1] is got[2][0]
    assert got[3] is got


def test_an_array_can_be_written_to() -> None:
    array = unpickle.load(pickle.dumps(np.arange(3), 2))
    array[0] = 5
    assert array.tolist() == [5, 1, 2]


class Payload:
    """Pickles as a call of `function`."""

    def __init__(self, function: object, *args: object, state: object = None) -> None:
        self.call = (function, args) if state is None else (function, args, state)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "function, name",
    [
        (os.system, r"(posix|nt)\.system"),
        (eval, r"(builtins|__builtin__)\.eval"),
        (getattr, r"(builtins|__builtin__)\.getattr"),
        (np.fromfile, r"numpy.*fromfile"),
        (np.load, r"numpy.*load"),
        (bytearray, r"(builtins|__builtin__)\.bytearray"),
    ],
)
def test_a_foreign_name_is_named_and_not_run(tmp_path: Path, function: object, name: str, protocol: int) -> None:
    marker = tmp_path / "ran"
    payload = pickle.dumps([np.arange(3), Payload(function, f"touch {marker}")], protocol)
    path = tmp_path / "hostile.pkl"
    path.write_bytes(payload)
    with pytest.raises(DataError, match=rf"hostile.pkl: the pickle names {name}, which could run code; only numpy"):
        unpickle.load(path)
    assert not marker.exists()


def test_an_object_array_in_npy_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "song.npy"
    np.save(path, np.array([Payload(os.system, f"touch {marker}")], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"song.npy: the pickle names posix.system"):
        unpickle.load_npy(path)
    assert not marker.exists()


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
FORGED = {
    # A void type told to hold objects but flagged as plain bytes: pointers out of thin air.
    "type": b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR(I3\nS'|'\nN(S'f'\nt(dS'f'\n(cnumpy\ndtype\n(S'O'\nI0\nI1\ntRI0\nts"
    b"I8\nI1\nI0\ntb.",
    "structured": b"cnumpy\ndtype\n(S'i8'\nI0\nI1\ntR(I3\nS'|'\nN(S'f'\nt(dS'f'\nI0\nsI8\nI1\nI0\ntb.",
    "object bytes": ARRAY + b"(I1\n(I1\ntcnumpy\ndtype\n(S'O'\nI0\nI1\ntRI00\nS'AAAAAAAA'\ntb.",
    "shape": ARRAY + b"(I1\n(L1000000000000L\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntRI00\nS'AAAAAAAA'\ntb.",
    "negative": ARRAY + b"(I1\n(I-1\nI-1\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntRI00\nS'AAAAAAAA'\ntb.",
    "ndarray called": b"cnumpy\nndarray\n((L1000000000000L\ntt R.".replace(b" ", b""),
    "function changed": b"cnumpy\ndtype\n(N(dS'_function'\nNstb.",
    "own class": b"cnumpy.core.multiarray\n_reconstruct\n(c__builtin__\nset\n(I0\ntS'b'\ntR.",
    "codec": b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.",
    "bytes asked for": b"c__builtin__\nbytes\n(L1000000000000L\ntR.",
    "object buffer": b"cnumpy._core.numeric\n_frombuffer\n(S'AAAAAAAA'\ncnumpy\ndtype\n(S'O'\nI0\nI1\ntR(I1\nt"
    b"S'C'\ntR.",
    "object scalar": b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O'\nI0\nI1\ntRS'AAAAAAAA'\ntR.",
}


@pytest.mark.parametrize("forged", FORGED)
def test_forged_states_of_numpy_are_refused(forged: str) -> None:
    with pytest.raises(DataError, match=r"^evil: (the pickle|not a pickle)"):
        unpickle.load(FORGED[forged], encoding="latin1", name="evil")


@pytest.mark.parametrize("damage", [b"", b"not a pickle", b"\x80\x02]q\x00(K\x01", b"\x80\x09.", b"."])
def test_a_damaged_pickle_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(damage)
    with pytest.raises(DataError, match=r"x.pkl: not a pickle, or damaged"):
        unpickle.load(path)
    with pytest.raises(DataError, match=r"gone.pkl: cannot be read: No such file"):
        unpickle.load(tmp_path / "gone.pkl")


@pytest.mark.parametrize("array", [*ARRAYS, np.array([["a", [1]], [None, 2.5]], dtype=object)])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy_files_come_back(array: np.ndarray, version: tuple[int, int]) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    got = unpickle.load_npy(stream.getvalue())
    assert same(got, array)
    assert got.flags.writeable


@pytest.mark.parametrize("array", [np.arange(5.0), np.array([["a"], [1]], dtype=object)])
def test_a_damaged_npy_is_named(tmp_path: Path, array: np.ndarray) -> None:
    path = tmp_path / "song.npy"
    np.save(path, array, allow_pickle=True)
    whole = path.read_bytes()
    for damaged in (
        b"",
        b"id,window",
        whole[:20],
        whole[:100],
        whole[:-7],
        whole.replace(b"(5,)", b"(9,)")[:-1],
    ):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"song.npy: (not a|has \d+ bytes)"):
            unpickle.load_npy(path)


def test_a_header_that_claims_too_much_asks_for_no_memory() -> None:
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**13,)}
    np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(DataError, match="expected 80000000000000"):
        unpickle.load_npy(stream.getvalue() + bytes(8))


def test_an_object_header_must_fit_its_pickle() -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (3,)})
    with pytest.raises(DataError, match=r"not the array of shape \(3,\)"):
        unpickle.load_npy(stream.getvalue() + pickle.dumps([1, 2, 3]))


@pytest.mark.parametrize(
    "claim",
    [
        b"]r\xff\xff\xff\x7f.",
        b"]p99999999999\n.",
        b"\x8e\0\0\0\0\x02\0\0\0x.",
        b"\x96\0\0\0\0\0\0\0\x40x.",
        b"B\xff\xff\xff\x7fx.",
    ],
    ids=["memo", "memo as text", "8 GB", "2^62 bytes", "2 GB"],
)
def test_what_a_pickle_claims_asks_for_no_memory(claim: bytes) -> None:
    with pytest.raises(DataError, match="damaged"):
        unpickle.load(claim)


@pytest.mark.parametrize("tuples", [b")q\0" + b"h\0h\0\x86q\0" * 60, b")" + b"2\x86" * 60], ids=["memo", "copies"])
def test_a_key_that_takes_for_ever_to_hash_is_refused(tuples: bytes) -> None:
    with pytest.raises(DataError, match="a tuple of more than"):
        unpickle.load(b"}" + tuples + b"K\x01s.")


@pytest.mark.parametrize("protocol", range(6))
def test_many_tuples_come_back(protocol: int) -> None:
    content = [*((i, (i, "a", 2.5)) for i in range(100)), {1, 2}, {"a": (1, 2)}]
    assert unpickle.load(pickle.dumps(content, protocol)) == content
