"""Tables as text: csv files as people have them, with or without a header, with classes as numbers or as names.

Nothing goes wrong silently: a cell that is no number is refused with its place and what to change, no line is left out,
and columns that a model does not take are left out by their names alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import listed, shortened
from presparse.data.header import (
    INFINITE,
    MISSING,
    NAME_THE_CLASS,
    NOT_THERE,
    TRUTHS,
    header_of,
    is_class,
    is_index,
    is_name,
    target_of,
)
from presparse.data.lines import Row, delimiter_of, rows
from presparse.data.missing import Missing, fill, refuses
from presparse.errors import DataError
from presparse.support import input_files
from presparse.validation import Labels

_LARGEST = 1 << 30
"""Bytes; larger tables belong into npz files."""
_LARGEST_LABEL = 1 << 53
"""Up to which float64 holds every whole number."""

_FEW, _PER_CLASS = 20, 3
"""Classes that may be as rare as they are; samples that each of more should have, in the mean."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""Fewer than Python takes: not 1_0, nor nan, nor the digits of other scripts."""
_NO_NUMBERS = re.compile(r"[^\d.,;eE+ \t-]", re.ASCII)
"""A character that lines of numbers do not have: quicker than to look at every cell."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Samples, and what is known of them."""

    X: NDArray[np.float64]
    """(k, features)"""
    y: Labels | None
    """(k,) whole numbers or names; None: there are no classes."""
    names: tuple[str, ...] = ()
    """(features,): what the columns of X are called; none: nobody has named them."""
    target: str = ""
    """What the column of y is called; empty: nobody has named it."""
    left_out: tuple[str, ...] = ()
    """Names of columns that are neither."""
    medians: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """(features,): what stands for numbers that are missing; none: none may be."""


def read_table(
    path: Path,
    *,
    target: str | int | None = None,
    missing: Missing = "refuse",
    features: int | None = None,
    names: Sequence[str] = (),
    classes: Iterable[object] = (),
) -> Table:
    """The samples of a csv file. Raises OSError, and DataError that says what to change.

    `target` is the name of the column of the classes, or its number, from 1 on. By default it is the one that is called
    class, label or target (or y, first or last), else the last; all others are features.

    With `names`, a model's, the features of a file that has a header are those, in their order, and other columns are
    left out. With `features`, how many a model takes, classes need not be there. `classes` are labels that are known.
    """
    content = input_files.read(path, _LARGEST)
    try:
        cells = _Cells(delimiter_of(content), missing)
        lines = rows(content, cells.delimiter)
        start = list(islice(lines, 2))
        header = header_of(start[0], start[1] if len(start) > 1 else None) if start else None
        start = start if header is None else start[1:]
        if not start:
            raise DataError("holds no samples; write one per line, as numbers with commas between them")
        if header and names:
            columns = _columns_by_name(header, names, target, labeled=features is None)
        else:
            columns = _columns(header, len(start[0][1]), target, features)
        X, texts = cells.read(chain(start, lines), columns)
        medians = fill(X, missing, lambda feature: columns.called(columns.features[feature]))
        y = None
        if columns.label is not None:
            y = _labels(texts, columns)
            known = {str(label) for label in classes}
            if header is None:
                _check_first_label(y, start[0], columns.label, known)
            else:
                _check_header(header, y, columns.label)
            asked_for = target is not None or known or (header and is_class(header[columns.label]))
            if features is None and not asked_for:
                _check_repeated(y, columns.called(columns.label))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return Table(
        X=X,
        y=y,
        names=tuple(header[column] for column in columns.features) if header else (),
        target=header[columns.label] if header and columns.label is not None else "",
        left_out=columns.left_out,
        medians=medians,
    )


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """What the columns of a file are."""

    count: int
    header: list[str] | None
    features: list[int]
    label: int | None

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of columns that are neither."""
        used = {*self.features, self.label}
        return tuple(name for column, name in enumerate(self.header or ()) if column not in used)

    def called(self, column: int) -> str:
        return f"column {column + 1}" + (f" ({self.header[column]})" if self.header else "")


def _columns(header: list[str] | None, count: int, target: str | int | None, features: int | None) -> _Columns:
    """In order. Raises DataError unless there are as many as are needed."""
    usable = range(1 if header and is_index(header[0]) else 0, count)
    if features is not None and len(usable) == features and target is None:
        return _Columns(count=count, header=header, features=list(usable), label=None)
    if features is not None and len(usable) != features + 1:
        raise DataError(
            f"every line needs {features} features, or {features + 1} cells with the class, and has {len(usable)}; "
            "give data of this network"
        )
    if len(usable) < 2:
        raise DataError(
            "every line needs at least one feature and the class, and has one cell; put a comma, a semicolon or a tab "
            "between cells"
        )
    label = target_of(header, count, target)
    return _Columns(count=count, header=header, features=[column for column in usable if column != label], label=label)


def _columns_by_name(header: list[str], names: Sequence[str], target: str | int | None, *, labeled: bool) -> _Columns:
    """A model's, wherever they are, and the class if it is wanted. Raises DataError if one is not there."""
    places = {name: column for column, name in enumerate(header)}
    missing = [name for name in names if name not in places]
    if missing:
        raise DataError(
            f"has no column {shortened(missing[0])}, which the model takes; it has {listed(header)}; "
            "give every column the name that it had in training"
        )
    features = [places[name] for name in names]
    if not labeled:
        return _Columns(count=len(header), header=header, features=features, label=None)
    others = [name for name in header if name not in set(names) and not is_index(name)]
    if not others:
        raise DataError("has no column beside the features of the model; give one with the class")
    if target is None:
        label = places[others[target_of(others, len(others), None)]]
    else:
        label = target_of(header, len(header), target)
    if label in features:
        raise DataError(f"column {shortened(header[label])} is a feature of the model; {NAME_THE_CLASS}")
    return _Columns(count=len(header), header=header, features=features, label=label)


class _Cells:
    """Cells of text to numbers, as one file writes them."""

    def __init__(self, delimiter: str, missing: Missing) -> None:
        self.delimiter = delimiter
        self._refuse = refuses(missing)
        self._points: int | None = None
        self._commas: int | None = None
        """The first line with such numbers: a file has one kind."""

    def read(self, lines: Iterable[Row], columns: _Columns) -> tuple[NDArray[np.float64], list[tuple[int, str]]]:
        """(k, features), NaN for what is missing; and line and text of every class. Raises DataError."""
        chosen = columns.features
        in_order = chosen == list(range(chosen[0], chosen[0] + len(chosen)))
        part = slice(chosen[0], chosen[0] + len(chosen))
        values: list[NDArray[np.float64]] = []
        labels: list[tuple[int, str]] = []
        for line, cells in lines:
            if len(cells) != columns.count:
                raise DataError(
                    f"every line needs equally many cells, and line {line} has {len(cells)} after lines of "
                    f"{columns.count}; leave no cell out"
                )
            # A slice is quicker, and nearly all files have the features side by side.
            wanted = cells[part] if in_order else [cells[column] for column in chosen]
            values.append(self._numbers(line, wanted, columns))
            if columns.label is not None:
                labels.append((line, self._label(cells[columns.label].strip())))
        return np.array(values), labels

    def _numbers(self, line: int, wanted: list[str], columns: _Columns) -> NDArray[np.float64]:
        text = ";".join(wanted)
        if self.delimiter == ";" and "," in text:
            self._check_marks(line, text)
            wanted = [cell.replace(",", ".") for cell in wanted]
        elif self.delimiter == ";" and "." in text:
            self._check_marks(line, text)
        if not _NO_NUMBERS.search(text):
            try:
                values = np.array(list(map(float, wanted)))
            except ValueError:
                pass  # the cell is found below
            else:
                if np.isfinite(values).all():
                    return values
        return np.array(
            [self._number(line, c, cell, columns) for c, cell in zip(columns.features, wanted, strict=True)]
        )

    def _number(self, line: int, column: int, cell: str, columns: _Columns) -> float:
        cell = cell.strip(" \t")
        if _NUMBER.fullmatch(cell) and np.isfinite(float(cell)):
            return float(cell)
        if cell.casefold() in TRUTHS:
            return TRUTHS[cell.casefold()]
        if cell.casefold() in MISSING and not self._refuse:
            return np.nan
        what = f"holds {shortened(cell)}, which is no number" if cell else "is empty"
        last = column == columns.count - 1
        raise DataError(f"line {line}, {columns.called(column)} {what}; {_mend(cell, self.delimiter, last=last)}")

    def _label(self, text: str) -> str:
        """With a point in it if it is a number."""
        number = text.replace(",", ".") if self.delimiter == ";" else text
        return number if _NUMBER.fullmatch(number) else text

    def _check_marks(self, line: int, text: str) -> None:
        """Where 1,5 is a number, 1.500 may be another: a file must not have both."""
        self._commas = self._commas or (line if "," in text else None)
        self._points = self._points or (line if "." in text else None)
        if self._commas and self._points:
            raise DataError(
                f"line {self._commas} has numbers with a comma, and line {self._points} with a point; write all "
                "decimals alike, and thousands without a sign"
            )


def _mend(cell: str, delimiter: str, *, last: bool) -> str:
    """What to do about a cell that is no number."""
    if not cell and last:
        return f"leave out the {delimiter!r} at the end of the line, or --missing median (missing= in Python) fills it"
    if cell.casefold() in MISSING:
        return "leave the sample out, or let the column's median stand for it: --missing median (missing= in Python)"
    if cell.casefold() in INFINITE:
        return "leave the sample out"
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), (" ", "spaces")):
        if separator in cell and not is_name(cell):
            return f"separate numbers by commas, not by {name}, and write decimals with a point"
    if "," in cell and not is_name(cell):
        return "write decimals with a point"
    if is_name(cell):
        return (
            "if that is the class, name its column with --target (target= in Python), else leave the column out, or "
            "make columns of 0 and 1 of it, one for each of its values"
        )
    return "write numbers as 12, -0.5 or 1e-3"


def _labels(texts: list[tuple[int, str]], columns: _Columns) -> Labels:
    """(k,) whole numbers if all classes are numbers, else texts. Raises DataError."""
    assert columns.label is not None
    seen = {text: line for line, text in reversed(texts)}  # the first line of each
    for text, line in seen.items():
        if text.casefold() in NOT_THERE | INFINITE or not text.isprintable():  # a name is one line, and printed
            what = f"holds {shortened(text)}" if text else "is empty"
            last = columns.label == columns.count - 1 and not text
            mend = "leave out the sign at the end of the line, or the sample" if last else "leave the sample out"
            raise DataError(f"line {line}, {columns.called(columns.label)} {what}, and should hold a class; {mend}")
    if not all(map(_NUMBER.fullmatch, seen)):
        return np.array([text for _, text in texts])
    numbers: dict[str, int] = {}
    for text, line in seen.items():
        value = float(text)
        if not abs(value) < _LARGEST_LABEL or value != int(value):
            raise DataError(
                f"line {line}, {columns.called(columns.label)} holds {text}, and classes are whole numbers or names; "
                f"{NAME_THE_CLASS}"
            )
        numbers[text] = int(value)
    return np.array([numbers[text] for _, text in texts])


def _check_first_label(y: Labels, first: Row, column: int, known: set[str]) -> None:
    """A class that no other line has may be the name of its column, and the first line a header."""
    if y.dtype.kind == "U" and np.count_nonzero(y == y[0]) == 1 and str(y[0]) not in known:
        raise DataError(
            f"line {first[0]} may be a header or a sample: no other line has its class {shortened(str(y[0]))} (column "
            f"{column + 1}); write a line of names before the first sample, names alone"
        )


def _check_header(header: list[str], y: Labels, column: int) -> None:
    """Numbers and a class that other lines have, too, may be a sample."""
    if y.dtype.kind == "U" and header[column] in y and not all(map(is_name, header)):
        raise DataError(
            f"line 1 may be a header or a sample: other lines have its {shortened(header[column])} as their class; "
            "write a line of names before the first sample, names alone"
        )


def _check_repeated(y: Labels, called: str) -> None:
    """A last column of which hardly two lines have the same holds something else: measured values, names of samples."""
    classes = len(np.unique(y))
    if classes > _FEW and classes * _PER_CLASS > len(y):
        raise DataError(
            f"{called} is taken for the class, and has {classes} different values in {len(y)} lines; {NAME_THE_CLASS}"
        )
