"""Archives that claim, climb, nest and explode."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Callable

from fuzzing import inputs
from fuzzing.fields import Mutator, flip


def zip_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    name = sorted(files)[0]
    stem = name.rpartition(".")
    made: dict[str, Callable[[], bytes]] = {
        "a bomb": lambda: inputs.zipped({**files, name: bytes(2**28 + 1)}),
        "a small bomb": lambda: inputs.zipped({**files, name: bytes(2**27)}),
        "a bomb of bzip2": lambda: inputs.zipped({name: bytes(2**26)}, zipfile.ZIP_BZIP2),
        "a bomb of LZMA": lambda: inputs.zipped({name: bytes(2**26)}, zipfile.ZIP_LZMA),
        "LZMA": lambda: inputs.zipped(files, zipfile.ZIP_LZMA),
        "two names": lambda: inputs.zipped({**files, name.upper(): b""}),
        "climbing": lambda: inputs.zipped({draw.choice(("../x", "/x", "a/../../x", "C:/x", "..\\x")): b"x", **files}),
        "many": lambda: inputs.zipped({f"{stem[0]}{i}.{stem[2]}": b"" for i in range(30_000)}, zipfile.ZIP_STORED),
        "deep": lambda: inputs.zipped({"a/" * 20_000 + name: files[name]}),
        "odd names": lambda: inputs.zipped({f"\udcff\x1b{name}".encode("utf-8", "replace").decode(): b"x", **files}),
        "a member in place of a folder": lambda: inputs.zipped({"folds": b"x", "vgg": b"", **files}),
        "within": lambda: inputs.zipped({name: data, f"x/{name}": data}),
        "changed members": lambda: inputs.zipped({k: flip(draw, v)[0] if v else v for k, v in files.items()}),
        "empty members": lambda: inputs.zipped(dict.fromkeys(files, b"")),
        "more members": lambda: inputs.zipped({f"{i}/{k}": v for i in range(300) for k, v in files.items()}),
    }
    chosen = draw.choice(sorted(made))
    return made[chosen](), chosen


def tar_fields(data: bytes) -> list[tuple[int, int]]:
    found, place = [], 0
    while place + 512 <= len(data) and data[place]:
        found += [(place + 124, 12), (place + 156, 1), (place + 100, 8), (place, 20), (place + 157, 20)]
        size = int(data[place + 124 : place + 135].strip(b"\0 ") or b"0", 8)
        place += 512 + -(-size // 512) * 512
    return found


def tar_repair(data: bytes, place: int) -> bytes:
    start = place // 512 * 512
    head = data[start : start + 148] + b" " * 8 + data[start + 156 : start + 512]
    return data[: start + 148] + b"%06o\0 " % sum(head) + data[start + 156 :]


def tar_edited(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    found = tar_fields(data)
    if not found:
        return flip(draw, data)
    place, size = draw.choice(found)
    values = {
        12: (
            b"77777777777\0",
            b"\x80" + b"\0" * 3 + b"\x7f" * 8,
            b"\xff" * 12,
            b"0" * 11 + b"\0",
            b"-0000000001\0",
            b"x" * 12,
        ),
        1: [bytes([code]) for code in b"0123456789gxLKSXDVM\0"],
        8: (b"0007777\0", b"x" * 8, b"\xff" * 8),
        20: (b"../../../x" + bytes(10), b"/etc/x" + bytes(14), b"\xff" * 20, b"a" * 20, b"C:\\x" + bytes(16)),
    }
    new = draw.choice(values[size])
    return tar_repair(data[:place] + new + data[place + size :], place), f"{size} bytes at {place} -> {new!r}"


def tar_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]
    name = sorted(files)[0]

    def with_(info: tarfile.TarInfo, content: bytes = b"", kind: int = tarfile.GNU_FORMAT) -> bytes:
        info.size = len(content)
        with io.BytesIO() as file:
            with tarfile.open(fileobj=file, mode="w", format=kind) as made:
                made.addfile(info, io.BytesIO(content))
            return file.getvalue()[: -20 * 512] + data

    def info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", **headers: str) -> tarfile.TarInfo:
        made = tarfile.TarInfo(name)
        made.type, made.linkname, made.pax_headers = kind, target, headers
        return made

    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x", "GNU.sparse.realsize": "9" * 12}
    made: dict[str, Callable[[], bytes]] = {
        "zeros": lambda: with_(info(name), bytes(2**27)),
        "a link": lambda: with_(
            info("x.npy", tarfile.SYMTYPE, draw.choice(("../x", "/etc/passwd", name, ".", "x.npy")))
        ),
        "a hard link": lambda: with_(info("x.npy", tarfile.LNKTYPE, draw.choice(("../x", name)))),
        "a device": lambda: with_(info("x.npy", draw.choice((tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)))),
        "a long name": lambda: with_(info("a" * 900_000 + ".npy"), b"x"),
        "a longer name": lambda: with_(info("a" * 5_000_000 + ".npy"), b"x"),
        "pax": lambda: with_(info(name, **{"path": "é" * 1000, "size": "9" * 20}), b"x", tarfile.PAX_FORMAT),
        "pax numbers": lambda: with_(info(name, **{"mtime": "nan", "uid": "x"}), b"x", tarfile.PAX_FORMAT),
        "sparse": lambda: with_(info(name, **sparse), b"1\n0\n99999999999\n", tarfile.PAX_FORMAT),
        "many": lambda: inputs.tarred({f"{i}/{name}": b"" for i in range(20_000)}),
        "twice": lambda: inputs.tarred(files)[: -20 * 512] + data,
        "climbing": lambda: with_(info(draw.choice(("../x.npy", "/x.npy", "a/../../x.npy"))), b"x"),
        "changed members": lambda: inputs.tarred({k: flip(draw, v)[0] if v else v for k, v in files.items()}),
        "empty members": lambda: inputs.tarred(dict.fromkeys(files, b"")),
        "no end": lambda: data.rstrip(b"\0"),
    }
    chosen = draw.choice(sorted(made))
    return made[chosen](), chosen


def inside_gzip(*mutators: Mutator) -> Mutator:
    def mutate(draw: random.Random, data: bytes) -> tuple[bytes, str]:
        inner, said = draw.choice(mutators)(draw, gzip.decompress(data))
        return gzip.compress(inner, 9, mtime=0), f"inside gzip: {said}"

    return mutate


def gzip_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    made: dict[str, Callable[[], bytes]] = {
        "2 GB of zeros": lambda: b"".join([gzip.compress(bytes(2**26), 9)] * 32),
        "zeros after it": lambda: data + gzip.compress(bytes(2**28), 9),
        "several": lambda: data * 20,
        "another after it": lambda: data + data[: len(data) // 2],
        "a wrong checksum": lambda: data[:-8] + bytes(8),
        "a wrong length": lambda: data[:-4] + b"\xff" * 4,
        "a name without end": lambda: data[:3] + b"\x08" + data[4:10] + b"a" * 3_000_000,
        "an extra field": lambda: data[:3] + b"\x04" + data[4:10] + b"\xff\xff" + bytes(65535) + data[10:],
        "twice compressed": lambda: gzip.compress(data),
    }
    name = draw.choice(sorted(made))
    return made[name](), name
