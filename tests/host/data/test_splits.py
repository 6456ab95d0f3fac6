"""Splits: every sample in exactly one part, with its own label, every class in proportion, and by the seed alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.data import DATA_VARIABLE, Splits, hold_out, load_splits, split
from presparse.errors import ArgumentError, MissingExtra
from tests.host.data.test_mnist import write_mnist

COUNTS = (200, 120, 80)
"""Samples per class."""


def numbered() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Samples whose features name them: column 0 is the number, column 1 the class."""
    y = np.repeat(np.arange(len(COUNTS)), COUNTS)
    return np.column_stack([np.arange(len(y)), y]).astype(np.float64), y


def parts(splits: Splits) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    return [splits.train, splits.validation, splits.test]


def test_sizes_name_the_parts() -> None:
    """A widely used implementation hands out the wrong part: here all three differ in size."""
    splits = split(*numbered(), validation=0.1, test=0.3)
    assert [len(X) for X, _ in parts(splits)] == [240, 40, 120]
    assert [np.bincount(y).tolist() for _, y in parts(splits)] == [[120, 72, 48], [20, 12, 8], [60, 36, 24]]


@pytest.mark.parametrize("seed", range(5))
def test_every_sample_once_and_with_its_label(seed: int) -> None:
    splits = split(*numbered(), seed=seed)
    for X, y in parts(splits):
        assert np.array_equal(X[:, 1], y)
    samples = np.concatenate([X[:, 0] for X, _ in parts(splits)])
    assert sorted(samples) == list(range(sum(COUNTS)))


def test_samples_are_drawn_by_the_seed() -> None:
    first, again, other = (split(*numbered(), seed=seed) for seed in (1, 1, 2))
    for (X, y), (X_again, y_again), (X_other, _) in zip(parts(first), parts(again), parts(other), strict=True):
        assert np.array_equal(X, X_again)
        assert np.array_equal(y, y_again)
        assert set(X[:, 0]) != set(X_other[:, 0])
        assert not np.array_equal(np.sort(X[:, 0]), X[:, 0])


def test_what_is_held_out_comes_second() -> None:
    (X, y), (X_held, y_held) = hold_out(*numbered(), 0.25)
    assert (len(X), len(y), len(X_held), len(y_held)) == (300, 300, 100, 100)


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (0.5, 0.5, "validation and test must leave samples to train on: less than 1 together, and are 0.5 and 0.5"),
        (0.2, 0.0, "the fraction held out must lie between 0 and 1, and is 0.0"),
        (-0.1, 0.5, "the fraction held out must lie between 0 and 1, and is -0.1"),
        (float("nan"), 0.5, "the fraction held out must lie between 0 and 1, and is nan"),
        (0.2, 0.001, "0 of 400 samples cannot be held out with every class in proportion ("),
    ],
)
def test_fractions_that_cannot_be(validation: float, test: float, message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        split(*numbered(), validation=validation, test=test)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("seed", [-1, 2**32, 2**63, 10**23, 0.5, None])
def test_seeds_that_are_none(seed: int) -> None:
    for draw in (lambda: split(*numbered(), seed=seed), lambda: hold_out(*numbered(), 0.5, seed=seed)):
        with pytest.raises(ArgumentError, match=r"^seed must be a whole number, 0 to 4294967295, and is "):
            draw()


def test_fractions_that_are_no_numbers() -> None:
    for fraction in ("0.2", True, [0.2]):
        with pytest.raises(ArgumentError, match=r"^the fraction held out must lie between 0 and 1, and is "):
            split(*numbered(), test=fraction)  # pyright: ignore[reportArgumentType]


def test_a_class_of_one() -> None:
    X, y = numbered()
    y[0] = 3
    with pytest.raises(ArgumentError, match=r"^100 of 400 samples cannot be held out with every class in prop"):
        split(X, y)


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.model_selection", None)
    with pytest.raises(MissingExtra) as error:
        hold_out(*numbered(), 0.5)
    assert str(error.value) == "splitting a data set needs scikit-learn: pip install 'presparse[train]'"


def test_splits_of_a_file_without_parts(tmp_path: Path) -> None:
    X, y = numbered()
    np.savez(tmp_path / "a.npz", X=X, y=y)
    np.savetxt(tmp_path / "a.csv", np.column_stack([X, y]), delimiter=",")
    expected = split(X, y, validation=0.1, test=0.2, seed=3)
    for name in ("a.npz", "a.csv"):
        found = load_splits(tmp_path / name, validation=0.1, test=0.2, seed=3)
        for (X_part, y_part), (X_expected, y_expected) in zip(parts(found), parts(expected), strict=True):
            assert np.array_equal(X_part, X_expected)
            assert np.array_equal(y_part, y_expected)


def test_splits_of_digits() -> None:
    assert [len(X) for X, _ in parts(load_splits("digits"))] == [1078, 270, 449]


def test_mnist_keeps_its_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation images come from the training files; the test images are the test files', whole and in order."""
    write_mnist(tmp_path, "train", np.arange(40), np.arange(40) % 2)
    write_mnist(tmp_path, "t10k", np.arange(100, 106), np.array([1, 0, 0, 1, 1, 1]))
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    splits = load_splits("mnist", validation=0.2, test=0.9, seed=1)
    assert [len(X) for X, _ in parts(splits)] == [32, 8, 6]
    assert sorted([*splits.train[0][:, 0], *splits.validation[0][:, 0]]) == list(range(40))
    assert splits.test[0][:, 0].tolist() == list(range(100, 106))
    assert splits.test[1].tolist() == [1, 0, 0, 1, 1, 1]
    assert np.bincount(splits.validation[1]).tolist() == [4, 4]
