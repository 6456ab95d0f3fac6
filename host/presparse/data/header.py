"""What a first line is, names or a sample, and which column holds the class.

A first line is judged by all of its cells. What could be either is refused: a sample is never taken for a header, nor
the other way round.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from presparse.contract.description import listed, shortened
from presparse.data.lines import Row
from presparse.errors import DataError

NOT_THERE = {"", "nan", "na", "n/a", "#n/a", "null", "?"}
"""What stands for a number, or a class, that is not there; in small letters."""
MISSING = NOT_THERE | {"none", "-"}
"""The same of a number alone: a class may well be called None."""
INFINITE = {sign + word for sign in ("", "+", "-") for word in ("inf", "infinity")}

TRUTHS = {"true": 1.0, "false": 0.0}
"""Numbers, too, as pandas writes them; in small letters."""

_MEANT_AS_NUMBER = re.compile(r"[+-]?(0[xob][0-9a-f]+|[.,]?\d[\d.,;_\s]*(e[+-]?\d+)?)|true|false", re.IGNORECASE)
_CLASS = {"class", "classes", "label", "labels", "target", "targets"}
"""Names of the column that holds the class; y is another, first or last: elsewhere it may be a coordinate, beside x."""
_CHANCE = 3
"""Columns, of which the first may count from 0 in a sample, too."""
NAME_THE_CLASS = "name the column of the class with --target (target= in Python)"


def header_of(first: Row, second: Row | None) -> list[str] | None:
    """The names of the columns, of which a first one may be empty (`is_index`); None if the first line is a sample.

    Raises DataError for what may be either, and for names that are not one for each column.
    """
    cells = [cell.strip() for cell in first[1]]
    if not _is_header(cells):
        return None
    if second and len(second[1]) != len(cells):
        raise DataError(
            f"line {first[0]} names {len(cells)} columns, and line {second[0]} has {len(second[1])} cells; "
            "give every column a name"
        )
    if "" in cells[1:]:
        unnamed = cells.index("", 1)
        mend = (
            "give every column a name" if any(cells[unnamed:]) else "name it, or leave out the sign at the end of lines"
        )
        raise DataError(f"line {first[0]} has no name for column {unnamed + 1}; {mend}")
    name, count = Counter(cells).most_common(1)[0]
    if count > 1:
        raise DataError(f"{count} columns are called {shortened(name)}; give each its own name")
    return cells


def is_index(name: str) -> bool:
    """Of a first column: pandas numbers lines there, and gives it no name. It is no feature."""
    return not name or name.startswith("Unnamed:")


def is_name(cell: str) -> bool:
    """Text that can be nothing but a name."""
    return cell.casefold() not in MISSING | INFINITE and not _MEANT_AS_NUMBER.fullmatch(cell)


def _is_header(cells: list[str]) -> bool:
    """Names; or names beside numbers, if these are pandas' own or one of the names tells that it is a class's."""
    numbered = [str(column) for column in range(len(cells))]
    if cells == numbered:
        raise DataError(
            f"line 1 counts from 0 to {numbered[-1]}, as pandas numbers columns that have no names: it may be a header "
            "or a sample; write a line of names before the first sample (to_csv(path, header=names, index=False))"
        )
    names = [is_name(cell) for cell in cells]
    if len(cells) > 1 and is_index(cells[0]) and cells[1:] == numbered[:-1]:
        return True
    return any(names) and (
        not any(map(_MEANT_AS_NUMBER.fullmatch, cells))  # Na is a name, too, beside others
        or any(map(is_class, cells))
        or (
            len(cells) > _CHANCE
            and all(name or cell == n for name, cell, n in zip(names, cells, numbered, strict=True))
        )
    )


def is_class(name: str) -> bool:
    """It says that its column holds the class."""
    return name.casefold() in _CLASS


def target_of(names: Sequence[str] | None, count: int, target: str | int | None) -> int:
    """The column of the class, from 0 on, of `count` that have `names`. Raises DataError if there is none such."""
    if target is None:
        return count - 1 if names is None else _usual_target(names)
    for column, name in enumerate(names or ()):
        if name == target:
            return column
    number = int(target) if str(target).isdecimal() and len(str(target)) < 10 else 0
    if 1 <= number <= count:
        return number - 1
    there = f"its columns are {listed(names)}" if names else "its columns have no names"
    raise DataError(f"there is no column {shortened(target)}; {there}, and numbers 1 to {count}")


def _usual_target(names: Sequence[str]) -> int:
    last = len(names) - 1
    found = [column for column, name in enumerate(names) if is_class(name)]
    found = found or [column for column in (0, last) if names[column].casefold() == "y"][-1:]
    if len(found) > 1:
        raise DataError(f"columns {listed([names[column] for column in found])} may all be the class; {NAME_THE_CLASS}")
    return found[0] if found else last
