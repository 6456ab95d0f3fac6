"""Tables of numbers as text: csv files, with or without a header.

Nothing is guessed: a first line of names is a header, a first line of numbers a sample. What could be either is
refused, as is every cell that is no number, with its place and what to change.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import shortened
from presparse.errors import DataError
from presparse.support import input_files

_LARGEST = 1 << 30
"""Bytes; larger tables belong into npz files."""

_MOST_COLUMNS = 1 << 17
"""Networks take 65,536 features at most."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""Fewer than Python takes: not 1_0, nor nan, nor the digits of other scripts."""
_NO_NUMBERS = re.compile(r"[^\d.eE+, \t-]", re.ASCII)
"""A character that lines of numbers do not have: quicker than to look at every cell."""
_MISSING = {"", "nan", "na", "n/a", "#n/a", "null", "none", "inf", "+inf", "-inf", "infinity", "-infinity", "?", "-"}
"""What stands for a number that is not there."""
_MEANT_AS_NUMBER = re.compile(r"[+-]?(0[xob][0-9a-f]+|[.,]?\d[\d.,;_\s]*(e[+-]?\d+)?)", re.IGNORECASE)
_CLASS = {"class", "classes", "label", "labels", "target", "targets"}
"""Names of the column that must be the last."""

_NO_INDEX = "leave pandas' index out: to_csv(path, index=False)"

Row = tuple[int, list[str]]
"""The number of a line, and its cells."""


def read_table(path: Path) -> NDArray[np.float64]:
    """(lines, numbers per line), a header left out. Raises OSError, and DataError that says what to change."""
    content = input_files.read(path, _LARGEST)
    try:
        rows = _rows(content)
        start = list(islice(rows, 2))
        if start and _is_header(start[0][1]):
            _check_header(*start)
            start = start[1:]
        table = _table(chain(start, rows))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return table


def _rows(content: bytes) -> Iterator[Row]:
    """All lines but empty ones."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("is text in UTF-16; save it in UTF-8 (Excel calls that CSV UTF-8)")
    reader = csv.reader(_lines(content), strict=True, skipinitialspace=True)
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield reader.line_num, cells
    except UnicodeDecodeError as error:
        raise DataError(f"not text in UTF-8 ({error}); save it so, as numbers with commas between them") from error
    except csv.Error as error:
        raise DataError(f"line {reader.line_num} cannot be read ({error}); leave quotes out") from error


def _lines(content: bytes) -> Iterator[str]:
    """With their ends. A line is looked at before all of its cells take memory."""
    for number, line in enumerate(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""), start=1):
        columns = line.count(",") + 1
        if columns > _MOST_COLUMNS:
            raise DataError(f"line {number} has {columns:,} columns, and at most {_MOST_COLUMNS:,} are read")
        yield line


def _table(rows: Iterable[Row]) -> NDArray[np.float64]:
    table: list[NDArray[np.float64]] = []
    for line, cells in rows:
        table.append(_numbers(line, cells))
        width = len(table[0])
        if len(cells) != width:
            raise DataError(
                f"every line needs equally many numbers, and line {line} has {len(cells)} after lines of {width}"
            )
    if not table:
        raise DataError("holds no samples; write one per line, as numbers with commas between them")
    return np.array(table)


def _is_header(cells: list[str]) -> bool:
    """Names, perhaps with numbers where pandas numbered columns. Raises DataError for what may be a header or not."""
    cells = [cell.strip() for cell in cells]
    numbered = [str(column) for column in range(len(cells))]
    if cells == numbered:
        raise DataError(
            f"line 1 counts from 0 to {numbered[-1]}, as pandas numbers columns that have no names: it may be a header "
            "or a sample; write a line of names before the first sample (to_csv(path, header=names, index=False))"
        )
    names = [_is_name(cell) for cell in cells]
    if not cells[0] and len(cells) > 1 and (any(names) or cells[1:] == numbered[:-1]):
        raise DataError(f"line 1 has no name for column 1; {_NO_INDEX}")
    return any(names) and all(name or cell == number for name, cell, number in zip(names, cells, numbered, strict=True))


def _is_name(cell: str) -> bool:
    return cell.casefold() not in _MISSING and not _MEANT_AS_NUMBER.fullmatch(cell)


def _check_header(header: Row, first: Row | None = None) -> None:
    names, columns = [cell.strip() for cell in header[1]], len(header[1])
    if first and len(first[1]) != columns:
        raise DataError(
            f"line {header[0]} names {columns} columns, and line {first[0]} has {len(first[1])} numbers; "
            "give every column a name"
        )
    if names[0].startswith("Unnamed:"):
        raise DataError(f"column 1 is called {names[0]}; {_NO_INDEX}")
    places = [column for column, name in enumerate(names, start=1) if name.casefold() in _CLASS]
    if places and columns not in places:
        raise DataError(
            f"the class is the last number of a line, and column {places[0]} of {columns} is called "
            f"{names[places[0] - 1]}; move it to the end"
        )


def _numbers(line: int, cells: list[str]) -> NDArray[np.float64]:
    if not _NO_NUMBERS.search(",".join(cells)):
        try:
            values = np.array([float(cell) for cell in cells])
        except ValueError:
            pass  # the cell is found below
        else:
            if np.isfinite(values).all():
                return values
    for column, cell in enumerate(cells, start=1):
        if not _NUMBER.fullmatch(cell.strip(" \t")) or not np.isfinite(float(cell)):
            what = f"holds {shortened(cell)}, which is no number" if cell.strip() else "is empty"
            raise DataError(f"line {line}, column {column} {what}; {_mend(cell.strip(), last=column == len(cells))}")
    return np.array([float(cell) for cell in cells])


def _mend(cell: str, *, last: bool) -> str:
    """What to do about a cell that is no number."""
    if not cell and last:
        return "leave out the comma at the end of the line, or impute what is missing"
    if cell.casefold() in _MISSING:
        return "impute it, or leave the sample out"
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), (" ", "spaces")):
        if separator in cell:
            return f"separate numbers by commas, not by {name}, and write decimals with a point"
    if "," in cell:
        return "write decimals with a point"
    if _is_name(cell) and last:
        return "number the classes from 0 (and where this is a header, give all of its columns names)"
    return "write numbers as 12, -0.5 or 1e-3; only a first line may hold names, and then no numbers"
