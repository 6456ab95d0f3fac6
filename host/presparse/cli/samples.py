"""A command's data, checked against the network before anything takes time; messages name the file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from presparse import data
from presparse.contract.build import Mode
from presparse.contract.description import listed
from presparse.contract.network import Network
from presparse.data import Missing, Splits, Table
from presparse.data.files import load_file_splits
from presparse.data.splits import OWN_TEST, VALIDATION
from presparse.errors import ArgumentError, DataError, FeatureError
from presparse.history import TrainedOn
from presparse.model import Model
from presparse.support.scratch import scratch_folder
from presparse.terminal.output import bar, say
from presparse.validation import Labels, checked_features, checked_labels, classes_of

if TYPE_CHECKING:
    from presparse.model_search.subject import Subject

_STDIN = "-"
_shown = partial(listed, most=8)


@dataclass(frozen=True, kw_only=True)
class Labeled:
    """Samples with classes."""

    X: NDArray[np.float64]
    """(k, width)"""
    numbers: NDArray[np.int64]
    """(k,): of the classes, output by output."""
    classes_: Labels
    """(classes,): their labels."""
    names: tuple[str, ...]
    """(width,): of the columns of X; none given: they have none."""
    medians: NDArray[np.float64]
    """(width,): what stands for numbers that are missing; none: none may be."""

    @property
    def y(self) -> Labels:
        """(k,): the labels."""
        return self.classes_[self.numbers]


def labeled(
    source: str,
    network: Network,
    model: Model | None = None,
    *,
    width: int | None = None,
    target: str | None,
    missing: Missing = "refuse",
) -> Labeled:
    """X (k, width) and classes: a model's, if there is one, else those that a training of the network begins with.

    `width` None: the model's, or the network's features. A model's features are found by their names, and its medians
    stand for what is missing. Raises DataError,
    FeatureError.
    """
    with _read(source) as place:
        if model is None:
            table = data.load_table(place, target=target, missing=missing)
        else:
            table = _known(place, target, model)
        assert table.y is not None
        columns, names = (network.features, ()) if model is None else (model.width, model.inputs.names)
        X = checked_features(table.X, width or columns)
        classes_ = classes_of(table.y, network.classes) if model is None else model.classes_
        numbers = checked_labels(table.y, len(X), classes_)
    _tell(called(source), table, names)
    _tell_class(called(source), table, classes_)
    return Labeled(X=X, numbers=numbers, classes_=classes_, names=table.names or names, medians=table.medians)


def sized(source: str, *, target: str | None, missing: Missing = "refuse") -> tuple[NDArray[np.float64], Labels]:
    """X (k, width) and y (k,), which say how wide a network must be. Raises DataError, FeatureError."""
    with _read(source) as place:
        table = data.load_table(place, target=target, missing=missing)
        assert table.y is not None
        X = checked_features(table.X, table.X.shape[1])
    _tell(called(source), table, ())
    classes = np.unique(table.y)
    if len(classes) < 2:
        raise DataError(f"{called(source)}: all samples are of one class, {classes[0]}; give data with at least two")
    _tell_class(called(source), table, classes)
    return X, table.y


def to_search(
    source: str,
    *,
    mode: Mode,
    seed: int,
    samples: int | None,
    target: str | None,
    missing: Missing,
) -> Subject:
    """What a search is about: the data set's own parts if it comes in parts, else shares of it.

    Raises DataError, FeatureError.
    """
    from presparse.model_search.subject import subject_of

    names, medians, given = (), None, {}
    with _read(source) as place:
        in_parts = load_file_splits(place)
        if in_parts is not None:
            (X, y), given = in_parts.train, {"validation": in_parts.validation, "test": in_parts.test}
        else:
            table = data.load_table(place, target=target, missing=missing)
            X, y, names, medians = table.X, table.y, table.names, table.medians
            if place in OWN_TEST:
                given = {"test": data.load(f"{place}-test")}
        assert y is not None
        found = subject_of(X, y, mode=mode, seed=seed, samples=samples, names=names, medians=medians, **given)
    if in_parts is None:
        _tell(called(source), table, ())
        _tell_class(called(source), table, found.classes_)
    return found


def unlabeled(source: str, model: Model, *, target: str | None) -> Table:
    """Samples (k, width) with or without classes. Raises DataError, FeatureError."""
    with _read(source) as place:
        table = _known(place, target, model, features=model.width)
        checked_features(table.X, model.width)
    _tell(called(source), table, model.inputs.names)
    return table


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Samples to train on, to choose by and to measure; labels are numbers of classes."""

    splits: Splits
    classes_: Labels
    """(classes,): their labels."""
    names: tuple[str, ...]
    """(width,): of the columns of X; none given: they have none."""
    whole: TrainedOn | None
    """What they are parts of, to be known again; None if they came in parts."""


def parts(source: str, width: int, classes: int, *, target: str | None, held_out: float | None, seed: int) -> Parts:
    """X (k, width) in three parts, of which the last two are a share `held_out` each.

    Data that comes in parts keeps them, and allows no `held_out`. Raises DataError, FeatureError, ArgumentError.
    """
    share = VALIDATION if held_out is None else held_out
    with _read(source) as place:
        in_parts = load_file_splits(place) is not None
        if in_parts and held_out is not None:
            raise ArgumentError(f"--held-out is for data in one piece, and {source} comes in parts; leave it out")
        splits = data.load_splits(place, target=target, validation=share, test=share, seed=seed)
        three = [(checked_features(X, width), y) for X, y in (splits.train, splits.validation, splits.test)]
        classes_ = classes_of(np.concatenate([y for _, y in three]), classes)
        train, validation, test = ((X, checked_labels(y, len(X), classes_)) for X, y in three)
        names, whole = (), None
        if not in_parts:
            table = data.load_table(place, target=target)
            names = table.names
            numbers = checked_labels(table.y, len(table.X), classes_)
            whole = TrainedOn.of(table.X, numbers, validation=None, random_state=seed)
    return Parts(
        splits=Splits(train=train, validation=validation, test=test), classes_=classes_, names=names, whole=whole
    )


def _known(place: str, target: str | None, model: Model, features: int | None = None) -> Table:
    """What a model takes."""
    return data.load_table(
        place,
        target=target,
        missing=model.inputs.medians if model.inputs.medians.size else "refuse",
        features=features,
        names=model.inputs.names,
        classes=model.classes_.tolist(),
    )


def _tell(source: str, table: Table, names: tuple[str, ...]) -> None:
    """What is not looked at, and what is taken on trust."""
    if table.left_out:
        say(f"{source}: left out: {_shown([name or 'column 1, which has no name' for name in table.left_out])}")
    if names and not table.names:
        say(f"note: {source} does not name its columns; they are taken in the order of training: {_shown(names)}")


def _tell_class(source: str, table: Table, classes_: Labels) -> None:
    """Which column is the class, where columns have names."""
    if table.target:
        say(f"{source}: {_shown(table.names)}; class: {table.target} ({_shown(classes_)})")


def file_of(source: str) -> Path | None:
    """The file that a source is; None for a data set that has a name, and for standard input."""
    return Path(source) if Path(source).suffix else None


def called(source: str) -> str:
    """What people call it."""
    return "standard input" if source == _STDIN else source


@contextmanager
def _read(source: str) -> Iterator[str]:
    """What `data` reads while the block lasts; its errors name the source as the user knows it."""
    name = called(source)
    with bar(f"reading {name}"), _stdin_as_file() if source == _STDIN else nullcontext(source) as place:
        try:
            yield place
        except FeatureError as error:
            raise FeatureError(f"{name}: {error}") from error
        except DataError as error:
            raise DataError(str(error).replace(place, name)) from error


@contextmanager
def _stdin_as_file() -> Iterator[str]:
    """A CSV file with what comes from standard input, so that one reader reads all."""
    with scratch_folder() as folder:
        file = folder / "stdin.csv"
        try:
            file.write_bytes(sys.stdin.buffer.read() if sys.stdin else b"")
        except OSError as error:
            raise DataError(
                f"standard input: cannot be read ({error.strerror or error}); give a file, or pipe lines of numbers in"
            ) from error
        yield str(file)
