"""Text to lines of cells: encodings, and the sign that separates cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from presparse.errors import DataError

Row = tuple[int, list[str]]
"""The number of a line, and its cells."""

_MOST_COLUMNS = 1 << 17
"""Networks take 65,536 features at most."""
_DELIMITERS = ("\t", ";", ",")
"""In this order: where another sign separates cells, a comma may stand in a name or for a decimal point."""
_LOOKED_AT = 20
"""Lines that tell which sign it is."""
_QUOTED = re.compile(r'"[^"]*"')


def rows(content: bytes, delimiter: str) -> Iterator[Row]:
    """All lines but empty ones. Raises DataError."""
    reader = csv.reader(_lines(content, delimiter), strict=True, skipinitialspace=True, delimiter=delimiter)
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"line {reader.line_num} cannot be read ({error}); leave quotes out") from error


def delimiter_of(content: bytes) -> str:
    """Tab, semicolon or comma: the one of which each of the first lines has equally many, else the one that the first
    line has most of. Raises DataError for what is no text."""
    lines = (line for line in _lines(content, "") if line.strip())
    first = [_QUOTED.sub("", line) for line in islice(lines, _LOOKED_AT)]
    for delimiter in _DELIMITERS:
        counts = {line.count(delimiter) for line in first}
        if len(counts) == 1 and counts != {0}:
            return delimiter
    return max(reversed(_DELIMITERS), key=first[0].count) if first else ","


def _lines(content: bytes, delimiter: str) -> Iterator[str]:
    """With their ends. A line is looked at before all of its cells take memory."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("is text in UTF-16; save it in UTF-8 (Excel calls that CSV UTF-8)")
    try:
        for number, line in enumerate(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""), start=1):
            columns = line.count(delimiter) + 1 if delimiter else 1
            if columns > _MOST_COLUMNS:
                raise DataError(f"line {number} has {columns:,} columns, and at most {_MOST_COLUMNS:,} are read")
            yield line
    except UnicodeDecodeError as error:
        raise DataError(f"not text in UTF-8 ({error}); save it so, as numbers with commas between them") from error
