"""A user's files: contents, and an error that names the mend for everything that can be wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from presparse.data import load, load_features, load_splits, load_table
from presparse.errors import DataError


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


def test_labels_are_those_of_the_file(tmp_path: Path) -> None:
    """From any number, or names; names of features come with the table."""
    X = np.array([[1.5, -2], [3, 40], [5, 6]])
    for y in (np.array([1, -7, 70_000]), np.array(["a", "b", "a"]), np.array([1.0, 2.0, 1.0])):
        np.savez(tmp_path / "a.npz", X=X, y=y)
        assert load(tmp_path / "a.npz")[1].tolist() == y.tolist()
    (tmp_path / "a.csv").write_text("kind;p;q\na;1,5;-2\nb;3;\na;5;6\n")
    table = load_table(tmp_path / "a.csv", target="kind", missing="median")
    assert (table.names, table.target, table.X.tolist()) == (("p", "q"), "kind", [[1.5, -2], [3, 2], [5, 6]])
    for name in ("A.CSV", "a.tsv"):
        (tmp_path / "a.csv").rename(tmp_path / name)
        assert load_table(tmp_path / name, target="kind", missing="median").names == ("p", "q")
        (tmp_path / name).rename(tmp_path / "a.csv")
    np.savez(tmp_path / "a.npz", X=np.where(X == 40, np.nan, X), y=np.arange(3))
    assert load(tmp_path / "a.npz", missing="median")[0].tolist() == [[1.5, -2], [3, 2], [5, 6]]
    for source in (tmp_path / "a.npz", "digits"):
        with pytest.raises(DataError, match="target is for csv files; leave it out"):
            load(source, target="kind")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "give digits, mnist, mnist-test, cifar10, cifar10-test, morse, morse-difficult, or a file"),
        ("a.csv", "1,2\n3\n", "every line needs equally many cells, and line 2 has 1 after lines of 2"),
        ("a.csv", "", "holds no samples; write one per line, as numbers with commas between them"),
        ("a.csv", "a,b\n", "holds no samples; write one per line, as numbers with commas between them"),
        ("a.csv", "1\n2\n", "every line needs at least one feature and the class, and has one cell"),
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


def test_names_that_no_file_has_and_what_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.npz").mkdir()
    for path, reason in (
        (tmp_path / "pipe.csv", "is a pipe or a device; write what comes out of it into a file first"),
        (tmp_path / "folder.npz", "is a folder"),
        (tmp_path / f"{'n' * 300}.csv", "File name too long"),
        (Path("n\0n.csv"), "no file has such a name: embedded null byte"),
    ):
        for read in (load, lambda source: load_features(source, 2), load_splits):
            with pytest.raises(DataError) as error:
                read(path)
            assert f"cannot be read ({reason})" in str(error.value)


@pytest.mark.parametrize("source", [None, 3, {"X": 1}, np.zeros((2, 3))])
def test_what_is_no_source(source: object) -> None:
    for read in (load, lambda other: load_features(other, 2), load_splits):
        with pytest.raises(DataError, match=r"is no data set; give its name or the path of its file$"):
            read(source)  # pyright: ignore[reportArgumentType]


def test_files_that_are_too_large(tmp_path: Path) -> None:
    """They have holes: nothing is on the disk."""
    for name, size in (("a.csv", 1 << 31), ("a.npz", 1 << 33)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
        with pytest.raises(DataError, match=f"cannot be read .holds {size:,} bytes, and such a file at most"):
            load(tmp_path / name)


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


@pytest.mark.parametrize("labeled", [True, False])
def test_features_with_and_without_classes(tmp_path: Path, labeled: bool) -> None:
    X, y = np.array([[1.5, -2], [3, 40]]), np.array([0, 2])
    table, names = (np.column_stack([X, y]), "p,q,class") if labeled else (X, "p,q")
    np.savetxt(tmp_path / "a.csv", table, delimiter=",", header=names, comments="")
    np.savez(tmp_path / "a.npz", X=X, y=y) if labeled else np.savez(tmp_path / "a.npz", X=X)
    for name in ("a.csv", "a.npz"):
        found, has_classes = load_features(tmp_path / name, 2)
        assert (found.tolist(), has_classes) == (X.tolist(), labeled)


def test_features_of_another_network(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2,3,4\n")
    with pytest.raises(DataError) as error:
        load_features(tmp_path / "a.csv", 2)
    assert str(error.value) == (
        f"{tmp_path / 'a.csv'}: every line needs 2 features, or 3 cells with the class, and has 4; "
        "give data of this network"
    )


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        load(tmp_path / "none.csv")
    assert str(error.value) == (
        f"{tmp_path / 'none.csv'}: cannot be read (No such file or directory); give the path of a data file"
    )


PARTS = {
    "xtr": np.array([[0.0, 1], [2, 3], [4, 5]]), "ytr": np.array([0, 2, 1]),
    "xva": np.array([[6.0, 7]]), "yva": np.array([2]),
    "xte": np.array([[8.0, 9], [10, 11]]), "yte": np.array([1, 0]),
}  # fmt: skip
ONE_HOT = {name: np.eye(3)[array] if name[0] == "y" else array for name, array in PARTS.items()}


@pytest.mark.parametrize("arrays", [PARTS, ONE_HOT], ids=["classes", "one-hot"])
def test_npz_with_its_own_split(tmp_path: Path, arrays: dict) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    splits = load_splits(tmp_path / "a.npz")
    for (X, y), part in ((splits.train, "tr"), (splits.validation, "va"), (splits.test, "te")):
        assert X.tolist() == PARTS[f"x{part}"].tolist()
        assert (y.tolist(), y.dtype) == (PARTS[f"y{part}"].tolist(), np.int64)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"yva": None}, ": a split data set holds xtr, ytr, xva, yva, xte, yte, and yva is not there"),
        ({"ytr": np.array([[1, 0], [0, 0], [0, 1]])},
         ": xtr, ytr: labels of shape (3, 2) must be one-hot, a single 1 among zeros, and row 1 is not"),
        ({"ytr": np.array([[1, 0], [0, 1], [1, 1]])},
         ": xtr, ytr: labels of shape (3, 2) must be one-hot, a single 1 among zeros, and row 2 is not"),
        ({"ytr": np.array([[1, 0.5], [0, 1], [0, 1]])},
         ": xtr, ytr: labels of shape (3, 2) must be one-hot, a single 1 among zeros, and row 0 is not"),
        ({"yte": np.array([0, 1.5])},
         ": xte, yte: y must hold labels, whole numbers or texts, and one is 1.5; give classes"),
        ({"yte": np.array([0])},
         ": xte, yte: X must have shape (samples, features) and y (samples,), and have (2, 2), (1,)"),
        ({"xva": np.zeros((1, 3))}, ": xva, yva: has 3 features, and xtr has 2"),
        ({"xva": np.zeros((0, 2)), "yva": np.zeros(0)}, ": xva, yva: must hold samples, and xva has shape (0, 2)"),
        ({"xte": np.array([["a", "b"]])}, ": not an npz file of numbers (xte has dtype <U1); "),
    ],
)  # fmt: skip
def test_npz_with_a_split_that_is_wrong(tmp_path: Path, changed: dict, message: str) -> None:
    arrays = {name: array for name, array in {**PARTS, **changed}.items() if array is not None}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError) as error:
        load_splits(tmp_path / "a.npz")
    assert str(error.value).startswith(f"{tmp_path / 'a.npz'}{message}")


def test_npz_with_a_split_where_one_set_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **PARTS)
    message = (
        f"{path}: holds a split data set (xtr, ytr, xva, yva, xte, yte), and one set of samples is needed; "
        "write the part that is meant with np.savez(path, X=X, y=y), or read all with presparse.data.load_splits"
    )
    for read in (load, lambda source: load_features(source, 2)):
        with pytest.raises(DataError) as error:
            read(path)
        assert str(error.value) == message
