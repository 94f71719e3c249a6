"""The authors' published audio-visual feature files, in every layout in which they circulate.

**Conventions.** Four layouts are told apart by their content:

- A, one HDF5 file with ``audio_train``, ``audio_test``, ``visual_train``, ``visual_test``, ``lab_train``, ``lab_test``;
- B, one HDF5 file with ``audio_feat``, ``visual_feat``, ``Label_ID`` and ``Train_test`` or ``Split`` ("1" train, "0"
  test);
- C, one HDF5 file per fold (``03s.h5``, ``test_03s.h5``) with ``featN1`` (audio), ``featN2`` (visual), ``testLs``;
- D, folders of .npy files, one per clip: ``vgg/<id>.npy``, ``inception/<id>.npy``, ``<name>_classes/<id>.npy``, and
  ``folds/``, text files of one id per line, taken in order of their names.

Numbers are left as they are. What they look like (8-bit, dequantised, ...) is found out and said, as no file
says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from unisono.errors import DataError
from unisono.io import archive, memory, unpickle
from unisono.io import hdf5 as hdf5_file

Layout = Literal["A", "B", "C", "D"]
_KEYS: Mapping[Layout, tuple[str, ...]] = {
    "A": ("audio_train", "visual_train", "lab_train", "audio_test", "visual_test", "lab_test"),
    "B": ("audio_feat", "visual_feat", "Label_ID"),
    "C": ("featN1", "featN2", "testLs"),
}
_SPLIT_KEYS = ("Train_test", "Split")
_ALL_KEYS = {*_SPLIT_KEYS, *(key for keys in _KEYS.values() for key in keys)}
_FOLD_FILE = re.compile(r"(?P<part>train_|test_)?(?P<fold>\d{1,2})s\.h5")
#: A file or array that claims more is refused before it is read.
MAX_BYTES = 8 * 2**30


@dataclass(frozen=True)
class Published:
    """A published data set.

    Attributes
    ----------
    layout : {"A", "B", "C", "D"}
    ids : list of str
        The clips' names in layout D; numbers, with the part or fold before them, in the others.
    labels : list of str
    audio, visual : list of np.ndarray [shape=(n_frames, width), dtype=uint8 or float32]
        One frame where the files hold one vector per clip; zero padding at the end of sequences is taken off.
    split : list of {"train", "test"}, or None
    folds : list of int, or None
    scales : mapping of str to str
        What the numbers of ``audio`` and ``visual`` look like, see `scale`.
    """

    layout: Layout
    ids: list[str]
    labels: list[str]
    audio: list[np.ndarray]
    visual: list[np.ndarray]
    split: list[str] | None
    folds: list[int] | None
    scales: Mapping[str, str]


def read(location: str | Path, *, sha256: str = "") -> Published:
    """Read a published data set of any layout.

    Parameters
    ----------
    location : str or Path
        An .h5 file, a folder, a zip or tar, or the URL of one.
    sha256 : str, optional
        Expected checksum of a file; empty = not checked.

    Returns
    -------
    Published

    Raises
    ------
    DataError
        Nothing that looks like one of the layouts is there, or several data sets are; a key or file is
        missing; an array is damaged, holds NaN or infinite values, or does not fit the others; a pickle
        names a foreign global.
    """
    name = str(location)
    hdf5: dict[str, bytes] = {}
    clips = _Clips(name)
    largest = min(MAX_BYTES, int(memory.SHARE * memory.spare()))
    for member, data in archive.members(location, only=_is_wanted, sha256=sha256, max_member_bytes=largest):
        path = PurePosixPath(member)
        if _is_hdf5(path):
            hdf5[member] = data
        else:
            clips.add(path, data)
    if hdf5:
        return _from_hdf5(hdf5, name)
    return clips.finish()


def _is_hdf5(path: PurePosixPath) -> bool:
    return path.suffix.lower() in (".h5", ".hdf5", ".hdf")


def _is_wanted(name: str) -> bool:
    """Say whether a file may belong to one of the layouts: no other is read."""
    path = PurePosixPath(name)
    clip = path.suffix == ".npy" and (path.parent.name in ("vgg", "inception") or path.parent.name.endswith("classes"))
    return _is_hdf5(path) or clip or path.parent.name == "folds"


def scale(arrays: Sequence[np.ndarray]) -> str:
    """Tell what numbers look like from their range.

    Parameters
    ----------
    arrays : sequence of np.ndarray

    Returns
    -------
    str
        ``8-bit`` (0-255, as YouTube-8M stores them), ``dequantised`` (-2 to 2), ``centred`` ((x - 128) /
        256, as the authors' code uses them), ``unit interval`` (min-max normalised) or ``other``.
    """
    low = min(float(array.min()) for array in arrays)
    high = max(float(array.max()) for array in arrays)
    if low >= 0 and 2.1 < high <= 255:
        return "8-bit"
    if low >= 0 and high <= 1:
        return "unit interval"
    if -0.5 <= low < 0 and high <= 0.5:
        return "centred"
    # The published dequantisation reaches from -1.992 to 2.008.
    return "dequantised" if -2.01 <= low < -0.5 and high <= 2.01 else "other"


def _from_hdf5(files: Mapping[str, bytes], name: str) -> Published:
    """Tell A, B and C apart and read them."""
    folds = {member: match for member in sorted(files) if (match := _FOLD_FILE.fullmatch(PurePosixPath(member).name))}
    if len(folds) == len(files):
        # train_03s.h5 holds the other folds' clips in the space of fold 3: the test files alone are all clips once.
        tests = {m: match for m, match in folds.items() if match["part"] != "train_"}
        return _join_folds({int(match["fold"]): (m, files[m]) for m, match in tests.items()}, name)
    if len(files) > 1:
        raise DataError(f"{name}: holds {len(files)} .h5 files ({', '.join(sorted(files))}); name one of them")
    ((member, data),) = files.items()
    where = name if name.endswith(member) else f"{name}: {member}"
    arrays, present = hdf5_file.read(data, where, _ALL_KEYS.__contains__)
    layout = next((layout for layout, keys in _KEYS.items() if any(key in arrays for key in keys)), None)
    if layout is None:
        raise DataError(
            f"{where}: holds {sorted(present)}, no published key (audio_train, audio_feat, featN1) at its top"
        )
    if layout == "A":
        parts = [_part(arrays, (f"audio_{p}", f"visual_{p}", f"lab_{p}"), where) for p in ("train", "test")]
        sizes = [len(labels) for _, _, labels in parts]
        ids = [f"{p}-{i:05d}" for p, size in zip(("train", "test"), sizes, strict=True) for i in range(size)]
        return _published("A", ids, parts, split=["train"] * sizes[0] + ["test"] * sizes[1])
    part = _part(arrays, _KEYS[layout], where)
    ids = [f"{i:05d}" for i in range(len(part[2]))]
    return _published(layout, ids, [part], split=_split(arrays, len(ids), where) if layout == "B" else None)


def _join_folds(files: Mapping[int, tuple[str, bytes]], name: str) -> Published:
    """Read layout C: the test part of every fold."""
    if not files:
        raise DataError(f"{name}: holds only train_ files of folds; the test_ files are needed")
    parts, ids, folds = [], [], []
    for fold, (member, data) in sorted(files.items()):
        arrays, _ = hdf5_file.read(data, f"{name}: {member}", _ALL_KEYS.__contains__)
        part = _part(arrays, _KEYS["C"], f"{name}: {member}")
        parts.append(part)
        ids += [f"fold{fold}-{i:05d}" for i in range(len(part[2]))]
        folds += [fold] * len(part[2])
    return _published("C", ids, parts, folds=folds)


Part = tuple[list[np.ndarray], list[np.ndarray], list[str]]


def _part(arrays: Mapping[str, np.ndarray], keys: Sequence[str], where: str) -> Part:
    """Take audio, visual and labels out of an HDF5 file and check that they fit together."""
    for key in keys:
        if key not in arrays:
            raise DataError(f"{where}: has no key {key!r}; expected {', '.join(keys)}, got {', '.join(sorted(arrays))}")
    audio, visual = (_features(arrays[key], f"{where}: {key}") for key in keys[:2])
    labels = _labels(arrays[keys[2]], f"{where}: {keys[2]}")
    if not len(audio) == len(visual) == len(labels):
        raise DataError(f"{where}: {', '.join(keys)} hold {len(audio)}, {len(visual)} and {len(labels)} rows")
    if audio.ndim == visual.ndim == 3 and audio.shape[1] == visual.shape[1]:
        lengths = _real_lengths(audio, visual)
        return (
            [row[:n] for row, n in zip(audio, lengths, strict=True)],
            [row[:n] for row, n in zip(visual, lengths, strict=True)],
            labels,
        )
    return [np.atleast_2d(row) for row in audio], [np.atleast_2d(row) for row in visual], labels


def _real_lengths(*views: np.ndarray) -> np.ndarray:
    """Frames up to the last that is not zero in some view, at least one, of zero-padded (n, T, d) arrays."""
    filled = np.any([view.any(axis=2) for view in views], axis=0)
    lengths = filled.shape[1] - np.argmax(filled[:, ::-1], axis=1)
    return np.where(filled.any(axis=1), lengths, 1)


def _features(array: np.ndarray, where: str) -> np.ndarray:
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiu" or not array.size:
        raise DataError(
            f"{where}: is {array.dtype} {array.shape}, expected numbers (clips, width) or (clips, frames, width)"
        )
    _check_finite(array, where)
    return array


def _check_finite(array: np.ndarray, where: str) -> None:
    if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise DataError(f"{where}: row {row} holds NaN or infinite values; remove it, or fetch the file again")


def _labels(array: np.ndarray, where: str) -> list[str]:
    flat = array.reshape(-1)
    if not array.ndim or flat.size != len(array):
        raise DataError(f"{where}: has shape {array.shape}, expected one label per clip")
    return [_text(value, where) for value in flat.tolist()]


def _text(value: Any, where: str) -> str:
    """Write a label as text: 3, 3.0, b"3" and "3" are the same one."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, float):
        if not value.is_integer():
            raise DataError(f"{where}: {value} is not a label; expected whole numbers or names")
        value = int(value)
    if not isinstance(value, (int, str)):
        raise DataError(f"{where}: holds {type(value).__name__}, expected whole numbers or names")
    return str(value)


def _split(arrays: Mapping[str, np.ndarray], n: int, where: str) -> list[str]:
    key = next((key for key in _SPLIT_KEYS if key in arrays), None)
    if key is None:
        raise DataError(f"{where}: has no key 'Train_test' or 'Split'; got {', '.join(sorted(arrays))}")
    values = _labels(arrays[key], f"{where}: {key}")
    names = {"1": "train", "0": "test", "train": "train", "test": "test"}
    if len(values) != n or not set(values) <= names.keys():
        raise DataError(f"{where}: {key} holds {len(values)} values {sorted(set(values))[:4]}, expected {n} of 1 and 0")
    return [names[value] for value in values]


class _Clips:
    """Layout D, gathered file by file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrays: dict[str, dict[str, np.ndarray]] = {"vgg": {}, "inception": {}}
        self.labels: dict[str, str] = {}
        self.fold_files: dict[str, list[str]] = {}

    def add(self, path: PurePosixPath, data: bytes) -> None:
        """Take one file; files of other folders are none of ours."""
        folder, where = path.parent.name, f"{self.name}: {path}"
        if folder == "folds" and not path.name.startswith("."):
            self.fold_files[path.name] = [line.strip() for line in data.decode("utf-8", "replace").split("\n")]
        elif path.suffix != ".npy":
            return
        elif folder in self.arrays:
            array = np.atleast_2d(unpickle.load_npy(data, name=where))
            if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
                raise DataError(f"{where}: is {array.dtype} {array.shape}, expected numbers (frames, width)")
            _check_finite(array, where)
            self.arrays[folder][path.stem] = _compact(array)
        elif folder.endswith("classes"):
            values = np.asarray(unpickle.load_npy(data, name=where)).reshape(-1).tolist()
            if len(values) != 1:
                raise DataError(f"{where}: holds {len(values)} values, expected one label")
            self.labels[path.stem] = _text(values[0], where)

    def finish(self) -> Published:
        """Join what was gathered."""
        found: dict[str, Mapping[str, Any]] = {
            "vgg/": self.arrays["vgg"],
            "inception/": self.arrays["inception"],
            "*_classes/": self.labels,
        }
        if not any(found.values()):
            raise DataError(
                f"{self.name}: holds no features; expected .h5, .hdf5 or .hdf (a .mat file: save it as HDF5 with these "
                "names), or folders vgg/, inception/, *_classes/ of .npy (data/README.md)"
            )
        folds = dict(self._folds())
        ids = sorted(folds or self.arrays["vgg"])
        for folder, entries in found.items():
            if missing := [identifier for identifier in ids if identifier not in entries]:
                raise DataError(
                    f"{self.name}: {folder}{missing[0]}.npy is missing ({len(missing)} of {len(ids)} clips lack theirs)"
                )
        views = [[self.arrays[folder][i] for i in ids] for folder in ("vgg", "inception")]
        for folder, arrays in zip(("vgg", "inception"), views, strict=True):
            odd = next((i for i, a in zip(ids, arrays, strict=True) if a.shape[1] != arrays[0].shape[1]), None)
            if odd:
                raise DataError(f"{self.name}: {folder}/{odd}.npy has another width than {folder}/{ids[0]}.npy")
        # One frame a second in both: where one view is longer, its last seconds have no partner.
        lengths = [min(len(audio), len(visual)) for audio, visual in zip(*views, strict=True)]
        audio, visual = ([a[:n] for a, n in zip(arrays, lengths, strict=True)] for arrays in views)
        part = (audio, visual, [self.labels[i] for i in ids])
        return _published("D", ids, [part], folds=[folds[i] for i in ids] if folds else None)

    def _folds(self) -> Iterator[tuple[str, int]]:
        """Fold of each listed clip; fold files are numbered in order of their names."""
        seen: dict[str, str] = {}
        for fold, file in enumerate(sorted(self.fold_files)):
            for identifier in filter(None, self.fold_files[file]):
                if identifier in seen:
                    raise DataError(f"{self.name}: folds/{file}: {identifier} is also in folds/{seen[identifier]}")
                seen[identifier] = file
                yield identifier, fold


def _compact(array: np.ndarray) -> np.ndarray:
    """Keep 8-bit numbers as such, a quarter of the memory; all else as float32."""
    if array.dtype != np.uint8 and (array.min() < 0 or array.max() > 255 or (array != np.rint(array)).any()):
        return array.astype(np.float32)
    return array.astype(np.uint8)


def _published(
    layout: Layout,
    ids: list[str],
    parts: Sequence[Part],
    *,
    split: list[str] | None = None,
    folds: list[int] | None = None,
) -> Published:
    """Join parts, bring each view to one type, and tell its scale."""
    audio = _one_type([array for audio, _, _ in parts for array in audio], "audio")
    visual = _one_type([array for _, visual, _ in parts for array in visual], "visual")
    labels = [label for _, _, names in parts for label in names]
    scales = {"audio": scale(audio), "visual": scale(visual)}
    return Published(layout, ids, labels, audio, visual, split, folds, scales)


def _one_type(arrays: Sequence[np.ndarray], name: str) -> list[np.ndarray]:
    """Bring all clips of a view to uint8 if all are 8-bit numbers, to float32 otherwise."""
    widths = {array.shape[1] for array in arrays}
    if len(widths) > 1:
        raise DataError(f"{name}: vectors of different widths {sorted(widths)} in one data set")
    compact = [_compact(array) for array in arrays]
    if all(array.dtype == np.uint8 for array in compact) and scale(compact) == "8-bit":
        return compact
    return [array.astype(np.float32) for array in compact]
