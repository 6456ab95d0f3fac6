"""CIFAR-10's binary batches: every pixel where it belongs, and files that are broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.data import DATA_VARIABLE, load, load_cifar10, load_splits
from presparse.data.cifar import CIFAR10_FILES, CIFAR10_SHAPE
from presparse.errors import DataError

Batches = dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]
"""Of every file: classes (k,) and images (k, 3, 32, 32)."""


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Batches:
    """Six files of 20 images each, in a folder that PRESPARSE_DATA names."""
    rng = np.random.default_rng(0)
    written: Batches = {}
    for name in (*CIFAR10_FILES["train"], *CIFAR10_FILES["test"]):
        classes = rng.permutation(np.arange(20) % 10).astype(np.uint8)
        images = rng.integers(256, size=(20, 3, 32, 32), dtype=np.uint8)
        records = [bytes([label]) + image.tobytes() for label, image in zip(classes, images, strict=True)]
        (tmp_path / name).write_bytes(b"".join(records))
        written[name] = classes, images
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    return written


def test_all_batches_in_order(batches: Batches) -> None:
    X, y = load("cifar10")
    files = [batches[name] for name in CIFAR10_FILES["train"]]
    assert (X.dtype, y.dtype) == (np.float64, np.int64)
    planes = np.concatenate([images for _, images in files])
    assert np.array_equal(X.reshape(-1, *CIFAR10_SHAPE), np.moveaxis(planes, 1, 3))
    assert np.array_equal(y, np.concatenate([classes for classes, _ in files]))


def test_the_test_part(batches: Batches) -> None:
    classes, planes = batches["test_batch.bin"]
    for X, y in (load("cifar10-test"), load_splits("cifar10").test):
        assert np.array_equal(X.reshape(-1, *CIFAR10_SHAPE), np.moveaxis(planes, 1, 3))
        assert np.array_equal(y, classes)


def test_a_validation_part_is_drawn_from_the_batches(batches: Batches) -> None:
    parts = load_splits("cifar10", validation=0.2, seed=1)
    assert (len(parts.train[1]), len(parts.validation[1])) == (80, 20)
    assert np.bincount(parts.validation[1]).tolist() == [2] * 10


def test_in_the_folder_that_the_archive_unpacks_to(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    (folder / "test_batch.bin").write_bytes(bytes([7]) + bytes(3072))
    X, y = load_cifar10("test", tmp_path)
    assert (X.shape, X.any(), y.tolist()) == ((1, 3072), False, [7])


def test_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(DataError) as error:
        load("cifar10-test")
    assert str(error.value) == (
        "CIFAR-10's folder is not known; set PRESPARSE_DATA to a folder that holds test_batch.bin (the binary version)"
    )


def test_a_batch_that_is_missing(batches: Batches, tmp_path: Path) -> None:
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(DataError) as error:
        load_cifar10("train", tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'data_batch_4.bin'}: cannot be read (No such file or directory); "
        "set PRESPARSE_DATA to the folder of CIFAR-10's binary version"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "holds 0 bytes, and a batch is records of 3,073 bytes; get it again"),
        (bytes(3073 + 3072), "holds 6,145 bytes, and a batch is records of 3,073 bytes; get it again"),
        (bytes(3073) + bytes([10]) + bytes(3072), "classes are 0 to 9, and that of record 1 is 10; get it again"),
    ],
    ids=["empty", "cut", "another class"],
)
def test_a_batch_that_is_not_whole(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "test_batch.bin").write_bytes(content)
    with pytest.raises(DataError) as error:
        load_cifar10("test", tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'test_batch.bin'}: {problem}")
