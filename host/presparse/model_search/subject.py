"""What all trials of a search are about: samples in three parts, and what networks are trained for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.arrays import names_of
from presparse.contract.build import Mode
from presparse.data.splits import TEST, VALIDATION
from presparse.errors import DataError
from presparse.fitting.holding_out import Part, Validation, hold_out, parted
from presparse.model import Model
from presparse.support.digests import digest
from presparse.validation import Labels, checked_features, checked_labels, checked_samples, classes_of, labels_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """Samples X (k, width) and class numbers y (k,): to train on, to choose networks by, and to report."""

    train: Part
    validation: Part
    test: Part
    """Looked at once, when the front is known."""
    classes_: Labels
    """(classes,): the labels of the class numbers."""
    names: tuple[str, ...]
    """(width,): of the columns of X; none given: they have none."""
    medians: NDArray[np.float64]
    """(width,): what stands for numbers that are missing; none: none may be."""
    mode: Mode
    """Networks learn as a board does ("train"), or in PyTorch, for boards that only infer."""

    @property
    def width(self) -> int:
        return self.train[0].shape[1]

    @property
    def classes(self) -> int:
        return len(self.classes_)

    @property
    def seen(self) -> Part:
        """Whatever the search itself has looked at: both parts but the test part."""
        parts = self.train, self.validation
        return np.concatenate([X for X, _ in parts]), np.concatenate([y for _, y in parts])

    def noted(self, model: Model) -> Model:
        """A model that was trained on class numbers, with the user's names of classes and columns, and what stands for
        missing numbers."""
        inputs = replace(model.inputs, names=self.names, medians=self.medians)
        return replace(model, inputs=inputs, classes_=self.classes_)

    @property
    def digest(self) -> str:
        """Tells it from others."""
        parts = self.train, self.validation, self.test
        return digest(*(array for part in parts for array in part), self.classes_.astype(str))


def subject_of(
    X: ArrayLike,
    y: ArrayLike,
    *,
    mode: Mode,
    seed: int,
    samples: int | None = None,
    validation: Validation = None,
    test: Validation = None,
    names: tuple[str, ...] = (),
    medians: NDArray[np.float64] | None = None,
) -> Subject:
    """X (k, width) and labels y (k,) in three parts, every class in proportion.

    `validation` and `test` are samples of their own, or shares of X, or numbers of samples. Of more than `samples` that
    are left to train on and to choose by, as many are drawn. `names` are those of X's columns, if X itself has none.
    Raises FeatureError, DataError (one class), ArgumentError.
    """
    labels = labels_of(y)
    found = np.unique(labels)
    if len(found) < 2:
        only = f": {found[0]}" if len(found) else ""
        raise DataError(f"all samples are of one class{only}; a network needs at least two to tell apart")
    names = names_of(X) or names
    values = checked_features(X, np.shape(X)[1] if np.ndim(X) == 2 else 0, names)
    classes_ = classes_of(labels, len(found))

    def checked(X: ArrayLike, y: ArrayLike) -> Part:
        return checked_samples(X, y, values.shape[1], classes_, names)

    whole = values, checked_labels(labels, len(values), classes_)
    rest, tested = parted(whole, TEST if test is None else test, seed, checked)
    if samples is not None and samples < len(rest[1]):
        _, drawn = hold_out(rest[1], samples, seed)
        rest = rest[0][drawn], rest[1][drawn]
    learned, chosen_by = parted(rest, VALIDATION if validation is None else validation, seed, checked)
    assert tested is not None
    assert chosen_by is not None
    return Subject(
        train=learned,
        validation=chosen_by,
        test=tested,
        classes_=classes_,
        names=names,
        medians=np.zeros(0) if medians is None else medians,
        mode=mode,
    )
