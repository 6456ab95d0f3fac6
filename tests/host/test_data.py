"""Data sets: shapes and contents, and an error that names the mend for everything that can be wrong."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.data import DATA_VARIABLE, load, load_digits, load_features, load_mnist, scaling
from presparse.errors import DataError

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint32).reshape(3, 28, 28).astype(np.uint8)
LABELS = np.array([7, 0, 9], dtype=np.uint8)
FILES = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


def idx(array: NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / FILES[0]).write_bytes(gzip.compress(idx(IMAGES)))
    (tmp_path / FILES[1]).write_bytes(gzip.compress(idx(LABELS)))
    return tmp_path


def test_digits() -> None:
    X, y = load("digits")
    assert X.shape == (1797, 64)
    assert (X.min(), X.max()) == (0, 16)
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.array_equal(load_digits()[0], X)


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError) as error:
        load_digits()
    assert str(error.value) == (
        "digits comes with scikit-learn, which is not installed: pip install 'presparse[train]'"
    )


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
        "train-labels-idx1-ubyte.gz"
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
        (gzip.compress(idx(IMAGES)[:-1]), "holds 2367 bytes, which is not what its header says; get it again"),
        (gzip.compress(idx(IMAGES)[:9]), "holds 9 bytes, which is not what its header says; get it again"),
        (WHOLE[:60] + bytes([WHOLE[60] ^ 255]) + WHOLE[61:], "truncated or not gzip ("),
    ],
    ids=["cut", "cut in the header", "empty", "text", "floats", "one byte less", "no dimensions", "one byte changed"],
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


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, X=np.array([[1, 2], [3, 4]], dtype=np.float32), y=np.array([1, 0]))
    X, y = load(path)
    assert (X.tolist(), y.tolist(), y.dtype) == ([[1, 2], [3, 4]], [1, 0], np.int64)


@pytest.mark.parametrize("header", ["", "width,height,class\n"])
def test_csv(tmp_path: Path, header: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(f"{header}1.5,-2,0\n3,4e1,2\n\n")
    X, y = load(str(path))
    assert (X.tolist(), y.tolist()) == ([[1.5, -2], [3, 40]], [0, 2])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "give digits, mnist, mnist-test, or a file that ends in .npz or .csv"),
        ("a.csv", "1,2\n3\n", "every line needs equally many numbers, and line 2 has 1 after lines of 2"),
        ("a.csv", "b,c\n\n1,x\n", "line 3 must hold numbers with commas between them ("),
        ("a.csv", "", "holds no samples; write one per line, as numbers with commas between them"),
        ("a.csv", "a,b\n", "holds no samples; write one per line, as numbers with commas between them"),
        ("a.csv", "1\n2\n", "every line needs at least one feature and the class, and has one number"),
        ("a.csv", "1,0.5\n", "classes must be whole numbers from 0; number them"),
        ("a.csv", "1,-1\n", "classes must be whole numbers from 0; number them"),
        ("a.csv", "1,nan\n", "classes must be whole numbers from 0; number them"),
        ("a.npz", "not a zip file", "not an npz file of numbers ("),
        ("a.npz", "", "not an npz file of numbers ("),
    ],
)
def test_files_that_hold_no_data(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: {message}")


def test_binary_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match=r"a\.csv: not text "):
        load(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.zeros((2, 3))}, "has no array named y; write it with np.savez(path, X=X, y=y)"),
        ({"y": np.zeros(2)}, "has no array named X; write it with np.savez(path, X=X, y=y)"),
        ({"X": np.array([["1"]]), "y": np.zeros(1)}, "not an npz file of numbers (X has dtype <U1); "),
        ({"X": np.ones((1, 1)), "y": np.array([1j])}, "not an npz file of numbers (y has dtype complex128); "),
        ({"X": np.zeros((2, 3)), "y": np.zeros(3)},
         "X must have shape (samples, features) and y (samples,), and have (2, 3), (3,)"),
        ({"X": np.array([["a"]]), "y": np.zeros(1)}, "not an npz file of numbers ("),
        ({"X": np.array([[{}]]), "y": np.zeros(1)}, "not an npz file of numbers ("),
    ],
)  # fmt: skip
def test_npz_that_holds_other_things(tmp_path: Path, arrays: dict, message: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: {message}")


def test_an_array_that_is_called_npz(tmp_path: Path) -> None:
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.zeros((2, 3)))
    with pytest.raises(
        DataError, match=r"a\.npz: not an npz file of numbers \(a single array\); write it with np\.savez"
    ):
        load(tmp_path / "a.npz")


@pytest.mark.parametrize("labelled", [True, False])
def test_features_with_and_without_classes(tmp_path: Path, labelled: bool) -> None:
    X, y = np.array([[1.5, -2], [3, 40]]), np.array([0, 2])
    np.savetxt(tmp_path / "a.csv", np.column_stack([X, y]) if labelled else X, delimiter=",", header="p,q", comments="")
    np.savez(tmp_path / "a.npz", X=X, y=y) if labelled else np.savez(tmp_path / "a.npz", X=X)
    for name in ("a.csv", "a.npz"):
        found, has_classes = load_features(tmp_path / name, 2)
        assert (found.tolist(), has_classes) == (X.tolist(), labelled)


def test_features_of_another_network(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2,3,4\n")
    with pytest.raises(DataError) as error:
        load_features(tmp_path / "a.csv", 2)
    assert str(error.value) == (
        f"{tmp_path / 'a.csv'}: every line needs 2 features, or 3 numbers with the class last, and has 4; "
        "give data of this network"
    )


def test_features_of_named_data() -> None:
    X, has_classes = load_features("digits", 64)
    assert has_classes
    assert np.array_equal(X, load_digits()[0])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        load(tmp_path / "none.csv")
    assert str(error.value) == (
        f"{tmp_path / 'none.csv'}: cannot be read (No such file or directory); give the path of a data file"
    )


def test_scaling() -> None:
    X = np.array([[0.0, 10, 5], [4, 30, 5], [2, 20, 5]])
    offset, gain = scaling(X)
    assert offset.tolist() == [2, 20, 5]
    assert gain.tolist() == [0.25, 0.05, 1]
    offset, gain = scaling(X, "overall")
    assert (offset.tolist(), gain.tolist()) == ([15] * 3, [1 / 30] * 3)
    offset, gain = scaling(X, "none")
    assert (offset.tolist(), gain.tolist()) == ([0] * 3, [1] * 3)
    with pytest.raises(DataError, match=r"^scale must be 'per feature', 'overall' or 'none', and is 'no'$"):
        scaling(X, "no")  # pyright: ignore[reportArgumentType]
