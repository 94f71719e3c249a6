"""The authors' published feature files: every layout, every damage."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from unisono.errors import DataError
from unisono.io import published


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def write_h5(path: Path, **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


@pytest.fixture
def layout_a(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Arrays of layout A: six training and four test clips."""
    arrays = {}
    for part, n in (("train", 6), ("test", 4)):
        arrays[f"audio_{part}"] = rng.uniform(-2, 2, (n, 128))
        arrays[f"visual_{part}"] = rng.uniform(0, 1, (n, 1024))
        arrays[f"lab_{part}"] = np.arange(n) % 3
    return arrays


def test_layout_a(tmp_path: Path, layout_a: dict[str, np.ndarray]) -> None:
    data = published.read(write_h5(tmp_path / "vegas_feature.h5", **layout_a))
    assert (data.layout, data.folds, data.split) == ("A", None, ["train"] * 6 + ["test"] * 4)
    assert data.labels == [*"012012", *"0120"]
    assert len(set(data.ids)) == 10
    np.testing.assert_allclose(data.audio[6], layout_a["audio_test"][:1], rtol=1e-6)
    assert data.visual[0].shape == (1, 1024)
    assert data.scales == {"audio": "dequantised", "visual": "unit interval"}


def test_padded_sequences_get_their_real_length(tmp_path: Path, layout_a: dict[str, np.ndarray]) -> None:
    for name, array in layout_a.items():
        if not name.startswith("lab"):
            frames = np.repeat(array[:, None, :], 10, axis=1)
            frames[1, 4:] = 0
            layout_a[name] = frames
    data = published.read(write_h5(tmp_path / "squence.h5", **layout_a))
    assert [len(audio) for audio in data.audio] == [10, 4, 10, 10, 10, 10, 10, 4, 10, 10]
    assert [len(visual) for visual in data.visual] == [len(audio) for audio in data.audio]


@pytest.mark.parametrize(
    ("key", "values"), [("Train_test", [1, 0, 1]), ("Split", ["1", "0", "1"]), ("Split", [b"1", b"0", b"1"])]
)
def test_layout_b(tmp_path: Path, rng: np.random.Generator, key: str, values: list[Any]) -> None:
    path = write_h5(
        tmp_path / "b.h5",
        audio_feat=rng.integers(0, 256, (3, 128)),
        visual_feat=rng.uniform(-0.5, 0.5, (3, 1024)),
        Label_ID=np.array([[2.0], [0.0], [2.0]]),
        **{key: values},
    )
    data = published.read(path)
    assert (data.layout, data.labels, data.split) == ("B", ["2", "0", "2"], ["train", "test", "train"])
    assert data.scales == {"audio": "8-bit", "visual": "centred"}
    assert data.audio[0].dtype == np.uint8
    assert data.visual[0].dtype == np.float32


def test_layout_c_takes_the_test_part_of_every_fold(tmp_path: Path, rng: np.random.Generator) -> None:
    for fold in range(3):
        for part, n in (("train", 4), ("test", 2)):
            arrays = {"featN1": rng.normal(0, 5, (n, 10)), "featN2": rng.normal(0, 5, (n, 10)), "testLs": [fold] * n}
            write_h5(tmp_path / f"{part}_{fold:02d}s.h5", **arrays)
    data = published.read(tmp_path)
    assert (data.layout, data.folds, data.labels) == ("C", [0, 0, 1, 1, 2, 2], [*"001122"])
    assert data.scales["audio"] == "other"


def write_clips(folder: Path, rng: np.random.Generator) -> None:
    """Layout D: five clips in two folds, the fold files named against their order of listing."""
    for name in ("vgg", "inception", "VEGAS_classes", "folds"):
        (folder / name).mkdir(parents=True)
    for i in range(5):
        np.save(folder / "vgg" / f"c{i}.npy", rng.integers(0, 256, (i + 2, 128)).astype(float))
        np.save(folder / "inception" / f"c{i}.npy", rng.uniform(-2, 2, (i + 3, 1024)))
        np.save(folder / "VEGAS_classes" / f"c{i}.npy", np.array(i % 2))
    (folder / "folds" / "b.txt").write_text("c0\nc3\n")
    (folder / "folds" / "a.txt").write_text("c4\r\nc1\r\nc2\r\n")


def test_layout_d_in_a_folder_and_in_an_archive(tmp_path: Path, rng: np.random.Generator) -> None:
    write_clips(tmp_path / "vegas", rng)
    with tarfile.open(tmp_path / "vegas.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "vegas", "vegas")
    for location in (tmp_path / "vegas", tmp_path / "vegas.tar.gz"):
        data = published.read(location)
        assert (data.layout, data.ids, data.folds) == ("D", [f"c{i}" for i in range(5)], [1, 0, 0, 1, 0])
        assert data.labels == [*"01010"]
        assert [a.shape for a in data.audio] == [(i + 2, 128) for i in range(5)]
        assert [v.shape for v in data.visual] == [(i + 2, 1024) for i in range(5)]
        assert data.audio[0].dtype == np.uint8
        assert data.scales == {"audio": "8-bit", "visual": "dequantised"}


@pytest.mark.parametrize("key", ["audio_train", "visual_test", "lab_test"])
def test_a_missing_key_is_named(tmp_path: Path, layout_a: dict[str, np.ndarray], key: str) -> None:
    del layout_a[key]
    with pytest.raises(DataError, match=f"has no key '{key}'"):
        published.read(write_h5(tmp_path / "a.h5", **layout_a))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_named_with_its_row(tmp_path: Path, layout_a: dict[str, np.ndarray], value: float) -> None:
    layout_a["visual_train"][3, 7] = value
    with pytest.raises(DataError, match=r"a\.h5: visual_train: row 3 holds NaN or infinite"):
        published.read(write_h5(tmp_path / "a.h5", **layout_a))


def test_views_that_do_not_fit_are_named(tmp_path: Path, layout_a: dict[str, np.ndarray]) -> None:
    layout_a["lab_test"] = np.zeros(3)
    with pytest.raises(DataError, match="hold 4, 4 and 3 rows"):
        published.read(write_h5(tmp_path / "a.h5", **layout_a))


def test_damaged_and_foreign_files(tmp_path: Path, layout_a: dict[str, np.ndarray]) -> None:
    whole = write_h5(tmp_path / "a.h5", **layout_a).read_bytes()
    path = tmp_path / "b.h5"
    for content in (b"", b"a text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not an HDF5 file or damaged"):
            published.read(path)
    with pytest.raises(DataError, match="no published key"):
        published.read(write_h5(tmp_path / "c.h5", something=[1]))
    with pytest.raises(DataError, match=r"holds 3 \.h5 files"):
        published.read(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no features"):
        published.read(tmp_path / "empty")


def test_links_to_other_files_are_not_followed(tmp_path: Path, layout_a: dict[str, np.ndarray]) -> None:
    other = write_h5(tmp_path / "other.h5", audio_train=layout_a.pop("audio_train"))
    path = write_h5(tmp_path / "a.h5", **layout_a)
    with h5py.File(path, "a") as file:
        file["audio_train"] = h5py.ExternalLink(str(other), "audio_train")
    with pytest.raises(DataError, match="'audio_train' is a link to another place"):
        published.read(path)


def test_an_array_that_claims_terabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("audio_train", shape=(2**33, 128), dtype="f4", chunks=(1, 128))
    with pytest.raises(DataError, match=r"'audio_train' claims \d{13} bytes"):
        published.read(path)


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("executed",))


def test_pickles_are_never_executed(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clips(tmp_path, rng)
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    buffer.write(pickle.dumps(_Evil()))
    (tmp_path / "vgg" / "c1.npy").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"vgg/c1\.npy"):
        published.read(tmp_path)
    assert "executed" not in capsys.readouterr().out


def test_damaged_folders_of_clips(tmp_path: Path, rng: np.random.Generator) -> None:
    def fresh(name: str) -> Path:
        write_clips(tmp_path / name, rng)
        return tmp_path / name

    folder = fresh("missing")
    (folder / "inception" / "c2.npy").unlink()
    with pytest.raises(DataError, match=r"inception/c2\.npy is missing \(1 of 5"):
        published.read(folder)
    folder = fresh("twice")
    (folder / "folds" / "b.txt").write_text("c0\nc1\n")
    with pytest.raises(DataError, match=r"b\.txt: c1 is also in folds/a\.txt"):
        published.read(folder)
    folder = fresh("width")
    np.save(folder / "vgg" / "c3.npy", np.ones((2, 100)))
    with pytest.raises(DataError, match=r"vgg/c3\.npy has another width"):
        published.read(folder)
    folder = fresh("label")
    np.save(folder / "VEGAS_classes" / "c3.npy", np.ones(2))
    with pytest.raises(DataError, match=r"c3\.npy: holds 2 values, expected one label"):
        published.read(folder)
    folder = fresh("nan")
    np.save(folder / "vgg" / "c3.npy", np.full((2, 128), np.nan))
    with pytest.raises(DataError, match=r"vgg/c3\.npy: row 0 holds NaN"):
        published.read(folder)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 255, "8-bit"),
        (-1.992, 2.008, "dequantised"),
        (-0.5, 0.496, "centred"),
        (0, 1, "unit interval"),
        (-30, 40, "other"),
        (0, 300, "other"),
    ],
)
def test_scale(low: float, high: float, expected: str) -> None:
    assert published.scale([np.array([[low]]), np.array([[high]])]) == expected


def elsewhere(path: Path, how: str, other: Path) -> Path:
    """Layout B whose labels lie in another file."""
    n = 4
    with h5py.File(path, "w") as file:
        file["audio_feat"], file["visual_feat"] = np.ones((n, 3)), np.ones((n, 5))
        file["Train_test"] = np.array([1, 1, 0, 0])
        if how == "external storage":
            file.create_dataset("Label_ID", (n,), "i4", external=[(str(other), 0, h5py.h5f.UNLIMITED)])
        elif how == "external link":
            file["Label_ID"] = h5py.ExternalLink(str(other), "/secret")
        elif how == "soft link":
            file["Label_ID"] = h5py.SoftLink("/Train_test")
        else:
            layout = h5py.VirtualLayout((n,), "i4")
            layout[:] = h5py.VirtualSource(str(other), "secret", (n,))
            file.create_virtual_dataset("Label_ID", layout)
    return path


@pytest.mark.parametrize("how", ["external storage", "external link", "soft link", "virtual"])
def test_nothing_that_lies_elsewhere_is_read(tmp_path: Path, how: str) -> None:
    other = tmp_path / "secret"
    write_h5(other, secret=np.arange(4, dtype="i4"))
    with pytest.raises(DataError, match=r"'Label_ID' .*store the numbers themselves"):
        published.read(elsewhere(tmp_path / "a.h5", how, other))


def test_a_small_file_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for key in ("audio_feat", "visual_feat"):
            file.create_dataset(key, (2**20, 1024), "f8", chunks=(1024, 1024), compression="gzip")
        file["Label_ID"] = np.zeros(4)
    with pytest.raises(DataError, match="claims"):
        published.read(path)


def test_texts_that_all_point_to_one_place_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unisono.io import memory

    monkeypatch.setattr(memory, "SMALL", 2**16)
    monkeypatch.setattr(memory, "RATIO", 4)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["Label_ID"] = np.array(["x" * 1000] * 4, dtype=object)
    with pytest.raises(DataError, match="audio_feat"):
        published.read(tmp_path / "a.h5")  # all is well with its texts
    monkeypatch.setattr(memory, "SMALL", 100)
    monkeypatch.setattr(memory, "RATIO", 0)
    with pytest.raises(DataError, match="claims"):
        published.read(tmp_path / "a.h5")


def test_a_label_that_is_one_number_is_one_line(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", audio_feat=np.ones((4, 3)), visual_feat=np.ones((4, 5)), Label_ID=np.int64(3))
    with pytest.raises(DataError, match="expected one label per clip"):
        published.read(path)


def test_a_sparse_member_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("a.h5")
    header.size = 512
    header.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[386:398], block[398:410] = b"00000000000\0", b"00000001000\0"
    block[483:495] = b"77777777777\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    (tmp_path / "a.tar").write_bytes(bytes(block) + bytes(512) + bytes(1024))
    with pytest.raises(DataError, match="sparse file"):
        published.read(tmp_path / "a.tar")
