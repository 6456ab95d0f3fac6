"""Frames, tensors and sparse matrices as arrays of numbers; what holds no numbers is refused, by the name of its
column where it has one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

from presparse.accelerator import Accelerator
from presparse.arrays import in_order, names_of, numbers
from presparse.errors import FeatureError
from presparse.reference.emulator import Emulator
from presparse.train import SparseNetwork, fit
from presparse.validation import labels_of
from tests.host.small import BUILD, NETWORK, clusters

COLUMNS = {"a": [1, 2], "b": [True, False], "c": [0.5, None]}
X = np.array([[1.0, 1.0, 0.5], [2.0, 0.0, np.nan]])
FRAMES = [pd.DataFrame, pl.DataFrame]


@pytest.mark.parametrize("frame", FRAMES)
def test_columns_of_any_kind_of_number(frame: Any) -> None:
    np.testing.assert_array_equal(numbers(frame(COLUMNS), "X"), X)
    decimals = numbers(frame({"a": [Decimal("1.5"), None], "b": [None, True], "c": [None, 3]}), "X")
    np.testing.assert_array_equal(decimals, [[1.5, np.nan, np.nan], [np.nan, 1, 3]])


def test_pandas_own_kinds_of_number() -> None:
    frame = pd.DataFrame(COLUMNS).astype({"a": "Int64", "b": "boolean", "c": "category"})
    frame.loc[0, "a"] = pd.NA
    np.testing.assert_array_equal(numbers(frame, "X"), [[np.nan, 1, 0.5], [2, 0, np.nan]])


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("column", [["red", "blue"], ["1.5", "2"], [date(2020, 1, 1), date(2021, 1, 1)], [[1], [2]]])
def test_a_column_without_numbers_is_named(frame: Any, column: list[Any]) -> None:
    with pytest.raises(FeatureError) as error:
        numbers(frame({**COLUMNS, "color": column}), "X")
    assert str(error.value).startswith("X: column 'color' must hold numbers, and ")
    assert error.value.mend == "convert it, leave it out, or make columns of 0 and 1 of it, one for each of its values"


@pytest.mark.parametrize("frame", FRAMES)
def test_names_put_columns_in_order(frame: Any) -> None:
    given = frame({**COLUMNS, "color": ["red", "blue"]})
    assert names_of(given) == ("a", "b", "c", "color")
    np.testing.assert_array_equal(numbers(in_order(given, ("c", "a")), "X"), X[:, [2, 0]])
    assert in_order(given, ()) is given
    assert in_order(X, ("c", "a")) is X
    with pytest.raises(FeatureError) as error:
        in_order(given, ("a", "q"))
    assert str(error.value).startswith("X has no column 'q', which the model takes; it has a, b, c, color; give every")


def test_frames_without_names() -> None:
    assert names_of(pd.DataFrame(X)) == names_of(X) == names_of(X.tolist()) == ()
    np.testing.assert_array_equal(numbers(pd.DataFrame(X), "X"), X)
    with pytest.raises(FeatureError, match="two columns of X are called 'a'; give each its own name"):
        names_of(pd.DataFrame(X, columns=["a", "b", "a"]))


@pytest.mark.parametrize(
    ("labels", "same"),
    [
        *((series(["a", "b"]), ["a", "b"]) for series in (pd.Series, pl.Series)),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        (pl.Series(["a", "b"], dtype=pl.Enum(["b", "a"])), ["a", "b"]),
        (np.array(["a", "b"], dtype=np.dtypes.StringDType()), ["a", "b"]),
        (pd.Series([7, -5], dtype="Int64"), [7, -5]),
        (pd.Series([7, -5], dtype=object), [7, -5]),
        (pd.Series([True, False], dtype=object), [True, False]),
    ],
)
def test_labels_of_any_kind(labels: Any, same: list[Any]) -> None:
    assert labels_of(labels).tolist() == same


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (pd.Series(["a", None]), "y must hold a label for every sample, and that of sample 1 is missing; leave"),
        (pl.Series(["a", None]), "y must hold a label for every sample, and that of sample 1 is missing; leave"),
        (pd.Series([5, pd.NA], dtype="Int64"), "y must hold labels, whole numbers or texts, and one is nan; give"),
        (pd.Series([5, "a"]), "y must hold labels, whole numbers or texts, and has dtype object; convert it with"),
        (pd.Series([5, 10**400]), "y must hold labels, whole numbers or texts, and has dtype object; convert it with"),
        (pd.DataFrame({"kind": ["a", "b"]}), "y must have one label per sample, shape (samples,), and has (2, 1)"),
    ],
)
def test_what_are_no_labels(labels: Any, message: str) -> None:
    with pytest.raises(FeatureError) as error:
        labels_of(labels)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "sparse",
    [
        *(getattr(scipy.sparse, f"{kind}_array") for kind in ("csr", "csc", "coo", "lil")),
        scipy.sparse.csr_matrix,
        lambda dense: torch.tensor(dense).to_sparse(),
        lambda dense: torch.tensor(dense).to_sparse_csr(),
    ],
)
def test_sparse_matrices(sparse: Any) -> None:
    dense = np.array([[0, 1.5], [2, 0]])
    assert numbers(sparse(dense), "X").tolist() == dense.tolist()


def test_a_sparse_matrix_that_would_fill_the_memory() -> None:
    for large in (
        scipy.sparse.csr_array((20_000, 20_000)),
        torch.zeros(1, 1).to_sparse().sparse_resize_((20_000, 20_000), 2, 0),
    ):
        with pytest.raises(FeatureError) as error:
            numbers(large, "X")
        assert str(error.value) == (
            "X is a sparse matrix of shape (20000, 20000): with its zeros it has 3,200,000,000 bytes, and may have "
            "2,147,483,648; give fewer samples at a time, or fewer features"
        )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, 2], [3]], "X must be one array; its rows have unequal lengths"),
        (None, "X must hold real numbers, and has dtype object; convert it with X.astype(float)"),
        ("text", "X must hold real numbers, and has dtype <U4; convert it with X.astype(float)"),
        ([10**400], "X must hold real numbers, and has dtype object; convert it with X.astype(float)"),
        ([1j], "X must hold real numbers, and has dtype complex128; convert it with X.astype(float)"),
        (torch.tensor([1j]), "X must hold real numbers, and has dtype complex64; convert it with X.astype(float)"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "X must hold real numbers, and has dtype datetime64[D]; convert"),
        (np.array([5], dtype="m8[s]"), "X must hold real numbers, and has dtype timedelta64[s]; convert"),
        (np.zeros(2, dtype=[("a", int)]), "X must hold real numbers, and has dtype [('a', '<i8')]; convert"),
        (np.ma.MaskedArray([1.0, 2.0], mask=np.array([False, True])), "X has masked entries; impute them"),
        (torch.zeros(2, device="meta"), "X must be one array of real numbers (Cannot copy out of meta tensor"),
        ([torch.zeros(2, requires_grad=True)], "X must be one array of real numbers (Can't call numpy() on Tensor"),
    ],
)  # fmt: skip
def test_what_holds_no_numbers(values: object, message: str) -> None:
    with pytest.raises(FeatureError) as error:
        numbers(values, "X")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("trainer", ["PyTorch", "board"])
def test_a_model_puts_columns_in_the_order_of_its_training(frame: Any, trainer: str) -> None:
    X, y = clusters(0, 60)
    names = [f"f{number}" for number in range(7)]
    given = frame(dict(zip(names, X.T, strict=True)))
    turned = given[names[::-1]]
    board = Accelerator(Emulator(BUILD))
    if trainer == "PyTorch":
        model = fit(NETWORK, given, y, epochs=1, validation=(turned, y))
        board.load(model)
    else:
        board.fit(given, y, epochs=1, lr=2**-4, validation=(turned, y))
        model = board.read_model()
    assert model.inputs.names == tuple(names)
    answers = model.predict(X)
    assert len(set(answers.tolist())) > 1
    for holder in (model, board, SparseNetwork.from_model(model)):
        assert (holder.predict(turned) == holder.predict(X)).all()
        assert holder.score(turned, y) == holder.score(X, y)
    with pytest.raises(FeatureError, match="X has no column 'f3', which the model takes; it has f0, f1, f2, width, f4"):
        board.predict(frame(dict(zip(["f0", "f1", "f2", "width", "f4", "f5", "f6"], X.T, strict=True))))
