"""Arrays, pickles and safetensors of odd types, shapes and sizes."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import random
import re
import struct
from typing import Any

import numpy as np

from fuzzing import inputs
from fuzzing.fields import flip
from fuzzing.texts import json_values, text_numbers

_SHAPES = ((), (0,), (2**31,), (2**62,), (-1, 4), (2**32, 2**32), (1,) * 40, (10**30,), (3, 4, 1), (0, 2**40), (True,))
_TYPES = (
    "<f8",
    ">f4",
    "|O",
    "<U1000000",
    "|S0",
    "<M8[ns]",
    "<c16",
    "|V8",
    "|b1",
    "<f2",
    "<u8",
    "f4,f4",
    "(2,)f4",
    "x",
    ">i3",
)


def npy_header(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    length = int.from_bytes(data[8:10], "little")
    header, said = data[10 : 10 + length], ""
    what = draw.choice(("shape", "type", "order", "text", "length", "version", "deep", "big"))
    if what == "shape":
        said = repr(draw.choice(_SHAPES))
        header = re.sub(rb"\([^)]*\)", lambda _: said.encode(), header, count=1)
    elif what == "type":
        said = repr(draw.choice(_TYPES))
        header = re.sub(rb"'descr': '[^']*'", lambda _: b"'descr': " + said.encode(), header)
    elif what == "order":
        header = header.replace(b"False", b"True")
    elif what == "text":
        header, said = text_numbers(draw, header)
    elif what == "deep":
        header = b"{'descr': " + b"[" * draw.choice((90, 250, 9000)) + b"\n"
    elif what == "big":
        header = header.rstrip() + b" " * draw.choice((9000, 60_000))
    elif what == "version":
        version = bytes([draw.choice((0, 2, 3, 255)), draw.choice((0, 1))])
        return data[:6] + version + data[8:], f"version {version!r}"
    stated = len(header) if what != "length" else draw.choice((0, 1, 65535, length + 1, length - 1))
    return data[:8] + struct.pack("<H", min(stated, 65535)) + header + data[
        10 + length :
    ], f"header: {what} {said[:80]}"


def _embedded(data: bytes) -> int:
    """Where the pickle in a file begins: at once, or behind the header of a .npy file."""
    return 10 + int.from_bytes(data[8:10], "little") if data[:6] == b"\x93NUMPY" else 0


def pickle_codes(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    start = _embedded(data)
    try:
        codes = list(pickletools.genops(data[start:]))
    except Exception:
        return flip(draw, data)
    changed, said = bytearray(data), []
    for _ in range(draw.choice((1, 1, 2, 4))):
        index = draw.randrange(len(codes))
        code, _, place = codes[index]
        assert place is not None
        end = codes[index + 1][2] if index + 1 < len(codes) else len(data) - start
        assert end is not None
        if draw.random() < 0.5 and end > place + 1:  # the argument, or the length of one
            width = min(end - place - 1, draw.choice((1, 2, 4, 8)))
            new = draw.choice((b"\xff", b"\0", b"\x7f")) * width
            changed[start + place + 1 : start + place + 1 + width] = new
            said.append(f"argument of {code.name} at {place} -> {new!r}")
        else:
            other = draw.choice(pickletools.opcodes)
            changed[start + place] = ord(other.code)
            said.append(f"{code.name} at {place} -> {other.name}")
    return bytes(changed), "; ".join(said)


def pickle_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R"
    kind = b"cnumpy\ndtype\nX\x02\0\0\0f4K\0K\x01\x87R"
    text = b"cnumpy\ndtype\nX\x02\0\0\0U1K\0K\x01\x87R(K\x03X\x01\0\0\0<NNNJ\xff\xff\xff\x7fK\x04K\x08tb"
    made: dict[str, bytes] = {
        "a call": b"cos\nsystem\nX\x07\0\0\0touch x\x85R.",
        "a deep list": b"]" * 100_000 + b"a" * 99_999 + b".",
        "a deep tuple": b")" + b"\x85" * 100_000 + b".",
        "a deep dict": b"}" + b"K\x01}" * 20_000 + b"s" * 20_000 + b".",
        "deep arrays": b"(" * 50_000 + array + b"l" * 50_000 + b".",
        "an array deep in lists": b"]" * 5000 + array + b"a" * 5000 + b".",
        "an array in tuples": array + b"\x85" * 5000 + b".",
        "a memo of 2^31": b"]r\xff\xff\xff\x7f.",
        "a memo of 2^28": b"]r\0\0\0\x10.",
        "a text memo": b"]p99999999999\n.",
        "8 GB of bytes": b"\x8e\0\0\0\0\x02\0\0\0x.",
        "2^62 bytes": b"\x8e\0\0\0\0\0\0\0\x40x.",
        "8 GB of bytearray": b"\x96\0\0\0\0\x02\0\0\0x.",
        "8 GB of text": b"\x8d\0\0\0\0\x02\0\0\0x.",
        "a frame of 2^62": b"\x80\x04\x95\0\0\0\0\0\0\0\x40K\x01.",
        "a long integer": b"\x8b\xff\xff\xff\x7fx.",
        "a number of 400 digits": b"L" + b"9" * 400 + b"L\n.",
        "a number of 50,000 digits": b"L" + b"9" * 50_000 + b"L\n.",
        "doubling": b"]q\0" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(40)) + b".",
        "doubled tuples": b")q\0" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(40)) + b".",
        "doubled tuples of arrays": array
        + b"q\0"
        + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(40))
        + b".",
        "doubled sets": b")q\0" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(40)) + b"}h\x28K\x01s.",
        "a shape of 2^40": array + b"(K\x01\x8a\x06\0\0\0\0\0\x01\x85" + kind + b"\x89C\x04xxxxtb.",
        "an odd shape": array + b"(K\x01G?\xf0\0\0\0\0\0\0\x85" + kind + b"\x89C\x04xxxxtb.",
        "a type of 8 GB": array + b"(K\x01K\x01\x85" + text + b"\x89C\x04xxxxtb.",
        "a state of no tuple": array + b"K\x01b.",
        "bytes of a number": b"c__builtin__\nbytes\n\x8a\x05\0\0\0\0\x02\x85R.",
        "a set of a number": b"c__builtin__\nset\n\x8a\x05\0\0\0\0\x02\x85R.",
        "a complex text": b"c__builtin__\ncomplex\nX\x04\0\0\0nan1\x85R.",
        "a scalar of nothing": b"cnumpy.core.multiarray\nscalar\n" + kind + b"C\0\x86R.",
        "an endless text": b"X\xff\xff\xff\xffabc.",
        "a persistent id": b"Pabc\n.",
        "an extension": b"\x82\x01.",
        "a buffer": b"\x80\x05\x97.",
        "aliases for a key": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9))
        + b"? *j\n: 1\n",
        "merged aliases": b"a: &a {x: 1}\n"
        + b"".join(b"%c: &%c {<<: [%s]}\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)),
        "a cycle": b"]q\0h\0a.",
        "a cycle with an array": b"]q\0" + array + b"ah\0a.",
        "a tuple in itself": b"]q\0h\0\x85q\x01a" + array + b"h\0\x86.",
        "a dict for a list": pickle.dumps({"a": 1}),
        "numbers for arrays": pickle.dumps([1.0] * 100, 2),
        "texts for arrays": pickle.dumps(["x"] * 100, 2),
        "ragged lists": pickle.dumps([[[1], [1, 2]]] * 100, 2),
        "big arrays of nothing": pickle.dumps([np.empty((0, 2**40))] * 100, 2),
        "numbers of 400 digits": pickle.dumps([[10**400]] * 100, 2),
        "complex arrays": pickle.dumps([np.zeros(3, np.complex128)] * 100, 2),
        "dates": b"cnumpy\ndtype\nX\x02\0\0\0M8K\0K\x01\x87R.",
    }
    name = draw.choice(sorted(made))
    start = _embedded(data)
    return data[:start] + made[name], name


def pickle_leaves(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Unpickle a good file (our own), change one value in it, pickle it again."""
    start = _embedded(data)
    content = pickle.loads(data[start:])  # noqa: S301 (made by `inputs`)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any, depth: int) -> None:
        if isinstance(value, np.ndarray) and value.dtype == object:
            keys: Any = list(np.ndindex(value.shape))
        else:
            keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        for key in keys:
            places.append((value, key))
            if depth < 6:
                walk(value[key], depth + 1)

    walk(content, 0)
    odd = (
        None,
        0,
        -1,
        10**400,
        float("nan"),
        float("inf"),
        "",
        "x" * 100_000,
        b"\xff",
        [],
        [[]],
        {},
        (),
        {1, 2},
        1j,
        True,
        np.zeros((2, 0)),
        np.zeros(3, "O"),
        np.array(["a"]),
        np.float32("nan"),
        np.zeros((1, 1, 1, 1)),
        np.zeros((), "S3"),
    )
    holder, key = draw.choice(places)
    new = draw.choice(odd)
    try:
        holder[key] = new
    except (ValueError, TypeError):
        return flip(draw, data)
    return data[:start] + pickle.dumps(content, protocol=draw.choice((2, 4))), f"{str(key)[:40]} -> {repr(new)[:40]}"


def npz_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    vectors, means = inputs.npy(inputs.numbers(128, 128)), inputs.npy(inputs.numbers(128, 1))
    what = draw.choice(("header", "header", "bomb", "object", "name", "type"))
    if what == "header":
        vectors, said = npy_header(draw, vectors)
    elif what == "bomb":
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }\n" % (2**28)
        vectors, said = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(2**30), "1 GB of zeros"
    elif what == "object":
        vectors, said = inputs.npy(np.array([None, {}], dtype=object)), "objects"
    elif what == "type":
        kind = draw.choice(("c16", "S4", "M8[s]", "f2", "b1", "u8"))
        vectors, said = inputs.npy(np.zeros((128, 128), kind)), kind
    else:
        return inputs.zipped({"pca_eigen_vectors": vectors, "pca_means.npy": means}), "a member that is no .npy"
    return inputs.zipped({"pca_eigen_vectors.npy": vectors, "pca_means.npy": means}), said


def safetensors_header(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    what = draw.choice(("header", "metadata", "metadata", "metadata", "array", "array", "length", "deep", "twice"))
    said = ""
    if what == "metadata" and header.get("__metadata__"):
        key = draw.choice(sorted(header["__metadata__"]))
        if draw.random() < 0.2:
            odd = ("null", "[]", "1", "", "{", "NaN", "[" * 100_000, '{"a":' * 5000, "9" * 5000, '"x"', "{}")
            header["__metadata__"][key] = draw.choice(odd)
            said = header["__metadata__"][key][:40]
        else:
            content, said = json_values(draw, json.loads(header["__metadata__"][key]))
            header["__metadata__"][key] = json.dumps(content)
    elif what == "array" and (names := [each for each in header if each != "__metadata__"]):
        name = draw.choice(names)
        entry = header[name]
        part = draw.choice(("dtype", "shape", "data_offsets", "name", "gone"))
        if part == "dtype":
            entry[part] = draw.choice(("F64", "BF16", "F16", "I8", "U64", "BOOL", "F8_E4M3", "X", 1))
        elif part == "shape":
            entry[part] = draw.choice(
                ([], [0], [2**63], [2**32, 2**32], [-1], entry[part][::-1], [*entry[part], 1], "x")
            )
        elif part == "data_offsets":
            start, stop = entry[part]
            entry[part] = draw.choice(([0, 0], [start, stop + 4], [stop, start], [0, 2**63], [start, 10**30], []))
        else:
            moved = header.pop(name)
            if part == "name":
                header[draw.choice(("", "../x", "é\0", name.upper()))] = moved
        said = f"{name}: {part} {str(entry.get(part))[:40]}"
    elif what == "header":
        header, said = json_values(draw, header)
    encoded = json.dumps(header).encode()
    if what == "deep":
        encoded = b'{"a":' * draw.choice((100, 100_000))
    elif what == "twice":
        encoded = encoded[:-1] + b"," + encoded[1:]
    stated = draw.choice((0, 1, 2**31, 2**63, len(encoded) - 1)) if what == "length" else len(encoded)
    return stated.to_bytes(8, "little") + encoded + data[8 + length :], f"{what} {said}"


def safetensors_values(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    start = 8 + int.from_bytes(data[:8], "little")
    new = draw.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\x01\0\0\0", b"\0\0\0\x80"))
    place = start + 4 * draw.randrange((len(data) - start) // 4)
    n = draw.choice((1, 4, 10_000))
    stop = min(place + 4 * n, len(data))
    return data[:place] + (new * n)[: stop - place] + data[stop:], f"numbers at {place} -> {new!r}, {n} times"


def state_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    """Write a torch state dict anew with other keys, types and shapes."""
    import torch

    content = torch.load(io.BytesIO(data), weights_only=True)["state_dict"]
    name = draw.choice(sorted(content))
    tensor = content[name]
    odd: dict[str, Any] = {
        "none": None,
        "a number": 3,
        "complex": tensor.to(torch.complex64),
        "int": tensor.to(torch.int64),
        "bool": tensor > 0,
        "bfloat16": tensor.to(torch.bfloat16),
        "float8": tensor.float().to(torch.float8_e4m3fn),
        "quantised": torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.qint8),
        "sparse": tensor.float().reshape(-1).to_sparse(),
        "expanded": torch.zeros(1).expand(2**33),
        "expanded as it should be": torch.zeros(1).expand(tensor.shape or (1,)),
        "meta": tensor.to("meta"),
        "empty": tensor.float()[:0] if tensor.ndim else torch.empty(0),
        "NaN": torch.full(tuple(tensor.shape), torch.nan),
        "nested": {"a": tensor},
        "a list": [tensor],
    }
    what = draw.choice((*sorted(odd), "whole", "keys", "no zip"))
    with io.BytesIO() as file:
        if what == "whole":
            torch.save(
                draw.choice((None, [], {}, {"state_dict": None}, {"state_dict": [tensor]}, tensor, {1: tensor})), file
            )
        elif what == "keys":
            torch.save({1: tensor, (2,): tensor, **content}, file)
        elif what == "no zip":
            torch.save(content, file, _use_new_zipfile_serialization=False)
        else:
            torch.save({**content, name: odd[what]}, file)
        return file.getvalue(), f"{name}: {what}"
