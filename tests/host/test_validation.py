"""Whatever holds numbers becomes the same array; all else is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from presparse.contract.network import Network
from presparse.errors import ArgumentError, FeatureError, ModelError
from presparse.features.inputs import Inputs
from presparse.model import Model
from presparse.validation import (
    checked_count,
    checked_epochs,
    checked_features,
    checked_labels,
    checked_lr,
    checked_seed,
    real_numbers,
    whole_numbers,
)

X = np.array([[1.5, -2.0, 3.0], [0.0, 0.25, 8.0]])


class Frame:
    """What pandas, polars and others have in common."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._values


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.setflags(write=False)
    return array


@pytest.mark.parametrize(
    "same",
    [
        X.tolist(),
        [torch.tensor(row) for row in X],
        X.astype(">f4"),
        X.astype(np.float16),
        X.astype(np.longdouble),
        np.asfortranarray(X),
        X[::-1][::-1],
        X[:, ::-1].copy()[:, ::-1],
        read_only(X),
        np.ma.MaskedArray(X, mask=False),
        Frame(X),
        *(torch.tensor(X, dtype=dtype) for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)),
        torch.tensor(X, requires_grad=True),
        torch.tensor(X).T.contiguous().T,
    ],
)
def test_features_come_out_the_same(same: object) -> None:
    values = checked_features(same, 3)
    assert (values.dtype, values.tolist()) == (np.float64, X.tolist())
    assert (values.flags.c_contiguous, values.flags.writeable) == (True, True)
    assert torch.from_numpy(values).tolist() == X.tolist()


@pytest.mark.parametrize(
    "same",
    [
        *([2, 0, 1], Frame(np.array([2, 0, 1])), np.array([1, 0, 2], dtype=np.uint64)[::-1]),
        *(torch.tensor([2, 0, 1], dtype=dtype) for dtype in (torch.int32, torch.uint8, torch.bfloat16)),
    ],
)
def test_labels_come_out_the_same(same: object) -> None:
    assert checked_labels(same, 3, np.arange(3)).tolist() == [2, 0, 1]


def test_features_that_claim_terabytes() -> None:
    with pytest.raises(FeatureError, match=r"^X, of shape \(1000000000000, 100\), needs more memory than there is"):
        checked_features(np.broadcast_to(np.float64(1), (10**12, 100)), 100)


@pytest.mark.parametrize("kind", ["u1", "f4", "f8", ">f4"])
def test_a_memory_mapped_array_stays_in_its_file(tmp_path: Path, kind: str) -> None:
    np.save(tmp_path / "X.npy", np.arange(12_000).reshape(6000, 2) % 200 * np.ones(1, kind).astype(kind))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    checked = checked_features(mapped, 2)
    assert np.shares_memory(checked, mapped)
    network = Network(features=2, classes=2, layers=(2, 2), out_degree=(2,), lanes=(2,), activations=("sigmoid",))
    model = Model.initial(network, inputs=Inputs.fit(np.array(mapped, dtype=np.float64)))
    assert (model.encode(mapped) == model.encode(np.array(mapped))).all()


def test_the_first_number_that_is_none_is_named(tmp_path: Path) -> None:
    values = np.zeros((6000, 3))
    values[5000, 2] = values[5999, 0] = np.nan
    np.save(tmp_path / "X.npy", values)
    for given in (values, np.load(tmp_path / "X.npy", mmap_mode="r")):
        with pytest.raises(FeatureError, match=r"sample 5000, feature 2 is nan \(2 such in all\)"):
            checked_features(given, 3)


def test_numbers_beyond_float64() -> None:
    with pytest.raises(FeatureError, match=r"^X must be finite, and sample 0, feature 0 is inf"):
        checked_features(np.array([[np.longdouble("1e4000")]]), 1)


def test_numbers_of_a_model() -> None:
    assert real_numbers(2, "gain", (3,), ModelError).tolist() == [2, 2, 2]
    assert not whole_numbers([1], "left", (1,), ModelError).flags.writeable
    for call, message in (
        (lambda: real_numbers([1, 2], "gain", (3,), ModelError), r"^gain must have shape \(3,\), and has \(2,\)$"),
        (lambda: real_numbers("1", "gain", (3,), ModelError), r"^gain must hold real numbers, and has dtype <U1"),
        (lambda: real_numbers([1, np.nan, 2], "gain", (3,), ModelError), r"^gain must be finite, and has nan$"),
        (lambda: whole_numbers([1.0], "left", (1,), ModelError), r"^left must be integers, and have dtype float64$"),
        (lambda: whole_numbers([True], "left", (1,), ModelError), r"^left must be integers, and have dtype bool$"),
        (lambda: whole_numbers(np.array([2**64 - 1], dtype=np.uint64), "left", (1,), ModelError),
         r"^left must be integers of 64 bits with sign, and one is 18446744073709551615$"),
        (lambda: real_numbers(np.broadcast_to(1.0, (10**12, 3)), "gain", (3,), ModelError), r"^gain must have shape"),
        (lambda: whole_numbers(np.broadcast_to(1, (10**12, 3)), "left", (3,), ModelError), r"^left must have shape"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=message):
            call()


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (checked_epochs, 10**10, "epochs must be at most 1,000,000, and is 10000000000"),
        (checked_epochs, np.float64(3), "epochs must be a whole number, at least 1, and is np.float64(3.0)"),
        (checked_epochs, True, "epochs must be a whole number, at least 1, and is True"),
        (checked_epochs, None, "epochs must be a whole number, at least 1, and is None"),
        (checked_seed, 2**63, "random_state must be a whole number, 0 to 4294967295, and is 9223372036854775808"),
        (checked_seed, int("9" * 23), "random_state must be a whole number, 0 to 4294967295, and is 99999999"),
        (checked_seed, "7", "random_state must be a whole number, 0 to 4294967295, and is '7'"),
        (checked_lr, 10**400, "lr, the learning rate, must be a positive number, such as 0.01, and is <1329 bits>"),
        (checked_lr, np.nan, "lr, the learning rate, must be a positive number, such as 0.01, and is nan"),
        (checked_lr, [0.1], "lr, the learning rate, must be a positive number, such as 0.01, and is [0.1]"),
    ],
)
def test_arguments_that_are_refused(check: Callable[[object], object], value: object, message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        check(value)
    assert str(error.value).startswith(message)


def test_a_seed_that_python_does_not_print() -> None:
    with pytest.raises(ArgumentError, match=r"and is <33220 bits>$"):
        checked_seed(10**10_000)


def test_arguments_that_are_taken() -> None:
    assert checked_seed(2**32 - 1) == 2**32 - 1
    assert checked_seed(np.uint64(7)) == 7
    assert checked_epochs(1_000_000) == 1_000_000
    assert checked_count("batch_size", np.int8(5)) == 5
    assert (checked_lr(Fraction(1, 4)), checked_lr(np.float32(0.5))) == (0.25, 0.5)
