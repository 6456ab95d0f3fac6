"""MNIST: from files, which may be broken in any way, and from OpenML when that is asked for."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path
from typing import Literal
from urllib.error import URLError

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.data import DATA_VARIABLE, load, load_mnist
from presparse.errors import DataError

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint32).reshape(3, 28, 28).astype(np.uint8)
LABELS = np.array([7, 0, 9], dtype=np.uint8)
FILES = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


def idx(array: NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(
    folder: Path, part: Literal["train", "t10k"], first_pixels: NDArray[np.int64], labels: NDArray[np.int64]
) -> None:
    """Images that are dark but for their first pixel."""
    images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    images[:, 0, 0] = first_pixels
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels.astype(np.uint8))))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / FILES[0]).write_bytes(gzip.compress(idx(IMAGES)))
    (tmp_path / FILES[1]).write_bytes(gzip.compress(idx(LABELS)))
    return tmp_path


def test_mnist_from_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_mnist("test", folder)
    assert X.tolist() == IMAGES.reshape(3, 784).tolist()
    assert y.tolist() == LABELS.tolist()
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    assert np.array_equal(load("mnist-test")[0], X)


def test_mnist_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(DataError) as error:
        load("mnist")
    assert str(error.value) == (
        "MNIST's folder is not known; set PRESPARSE_DATA to a folder that holds train-images-idx3-ubyte.gz and "
        "train-labels-idx1-ubyte.gz, or allow the download (download=True in Python)"
    )


def test_mnist_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        load_mnist("test", tmp_path)
    assert str(error.value) == (
        f"{tmp_path / FILES[0]}: cannot be read (No such file or directory); set PRESPARSE_DATA to the folder of MNIST"
    )


WHOLE = gzip.compress(idx(IMAGES), mtime=0)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (WHOLE[:-20], "truncated or not gzip ("),
        (WHOLE[:5], "truncated or not gzip ("),
        (b"", "not an IDX file of bytes (starts with )"),
        (b"not gzip at all", "truncated or not gzip ("),
        (gzip.compress(b"\0\0\x0d\x03" + bytes(12)), "not an IDX file of bytes (starts with 00 00 0d 03)"),
        (gzip.compress(idx(IMAGES)[:-1]), "is shorter or longer than its header says; get it again"),
        (gzip.compress(idx(IMAGES) + b"1"), "is shorter or longer than its header says; get it again"),
        (gzip.compress(idx(IMAGES)[:9]), "is shorter or longer than its header says; get it again"),
        (gzip.compress(idx(IMAGES[:, :0])), "holds 0 bytes of shape (3, 0, 28), says its header; get it again"),
        (gzip.compress(idx(IMAGES[:0])), "holds 0 bytes of shape (0, 28, 28), says its header; get it again"),
        (gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12), "holds 79,228,162,458,924,105,385,300,197,375 bytes"),
        (WHOLE[:60] + bytes([WHOLE[60] ^ 255]) + WHOLE[61:], "truncated or not gzip ("),
    ],
    ids=[
        "cut",
        "cut in the header",
        "empty",
        "text",
        "floats",
        "one byte less",
        "one byte more",
        "no dimensions",
        "no rows",
        "no images",
        "10^28",
        "one byte changed",
    ],
)
def test_mnist_that_is_not_whole(folder: Path, content: bytes, problem: str) -> None:
    (folder / FILES[0]).write_bytes(content)
    with pytest.raises(DataError) as error:
        load_mnist("test", folder)
    assert str(error.value).startswith(f"{folder / FILES[0]}: {problem}")
    assert str(error.value).endswith("; get it again")


def test_mnist_with_too_few_labels(folder: Path) -> None:
    (folder / FILES[1]).write_bytes(gzip.compress(idx(LABELS[:2])))
    with pytest.raises(DataError) as error:
        load_mnist("test", folder)
    assert str(error.value) == (
        f"{folder}: {FILES[0]} holds images of shape (3, 28, 28), {FILES[1]} labels of shape (2,); get both again"
    )


@pytest.fixture
def openml(monkeypatch: pytest.MonkeyPatch) -> NDArray[np.float64]:
    """What stands in for OpenML: 70,000 images as floats, labels as text, and only for the right request."""
    images = np.zeros((70_000, 784))
    images[:, 0] = np.arange(70_000)
    labels = (np.arange(70_000) % 10).astype(str).astype(object)

    def fetch(name: str, **options: object) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
        assert (name, options) == (
            "mnist_784",
            {"version": 1, "return_X_y": True, "as_frame": False, "parser": "liac-arff"},
        )
        return images, labels

    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    return images


@pytest.mark.slow
@pytest.mark.parametrize(("part", "source", "first", "count"), [
    ("train", "mnist", 0, 60_000), ("test", "mnist-test", 60_000, 10_000),
])  # fmt: skip
def test_download(
    openml: NDArray[np.float64], part: Literal["train", "test"], source: str, first: int, count: int
) -> None:
    for X, y in (load_mnist(part, download=True), load(source, download=True)):
        assert np.array_equal(X, openml[first : first + count])
        assert (y.dtype, y.tolist()) == (np.int64, [label % 10 for label in range(count)])


@pytest.mark.usefixtures("openml")
def test_a_folder_comes_before_the_download(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(load_mnist("test", folder, download=True)[0]) == 3
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    assert len(load("mnist-test", download=True)[0]) == 3


@pytest.mark.usefixtures("openml")
def test_no_download_unasked() -> None:
    with pytest.raises(DataError, match=r"^MNIST's folder is not known; set PRESPARSE_DATA "):
        load("mnist")


@pytest.mark.parametrize("error", [URLError("no network"), TimeoutError("timed out"), ValueError("md5 differs")])
def test_download_that_fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fail)
    with pytest.raises(DataError) as raised:
        load_mnist(download=True)
    assert str(raised.value) == (
        f"MNIST could not be downloaded from OpenML ({error}); set PRESPARSE_DATA to a folder that holds "
        "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz"
    )


def test_download_of_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda *_, **__: (np.zeros((5, 784)), np.zeros(5)))
    with pytest.raises(DataError) as raised:
        load_mnist(download=True)
    assert str(raised.value) == (
        "MNIST from OpenML has shape (5, 784) instead of (70000, 784); set PRESPARSE_DATA to the folder of MNIST"
    )


def test_download_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError) as raised:
        load_mnist(download=True)
    assert str(raised.value) == (
        "scikit-learn downloads MNIST, and is not installed: pip install 'presparse[train]', "
        "or set PRESPARSE_DATA to the folder of MNIST"
    )
