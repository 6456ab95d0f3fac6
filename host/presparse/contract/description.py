"""What networks, builds and formats have in common: they are frozen, know all their keys, and refuse in one line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from itertools import islice
from reprlib import Repr
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from presparse.contract.errors import NetworkError, PresparseError

_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is no key here; remove it or correct its spelling",
}
"""For pydantic's kinds of error whose own words do not say what to do."""
LARGEST_FILE = 1 << 16
"""Bytes of a description; a network of 128 layers takes some 6,000."""
_MOST_DOTS = 128
"""In a line: parts of a key, of which descriptions have three at most, while the parser takes for ever over thousands.
"""
_PRINTED_BITS = 1000
"""Of integers that are shown; Python refuses to print those of some thousand digits."""


class Description(BaseModel):
    """Base of descriptions. Made in Python, one that breaks a rule raises `refusal` with a one-line message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    refusal: ClassVar[type[PresparseError]] = NetworkError

    def __init__(self, **fields: object) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise self.refusal(problems(error)) from None

    @classmethod
    def from_table(cls, table: Mapping[str, Any], where: str) -> Self:
        """Of values by key, as TOML gives them. Raises `refusal`, beginning with `where` they stand."""
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            raise cls.refusal(f"{where}: {problems(error)}") from error

    # Only for a direct call: parts of a description are validated as pydantic does, which knows where they stand.
    __init__.__pydantic_base_init__ = True  # pyright: ignore[reportFunctionMemberAccess]


def toml_table(text: str, what: str, where: str, refusal: type[PresparseError]) -> dict[str, Any]:
    """What a TOML text says. Raises `refusal` for one that is none, or no description; `what` it should be."""
    if len(text) > LARGEST_FILE:
        raise refusal(f"{where}: not {what}: it has {len(text):,} characters, and at most {LARGEST_FILE:,} are read")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MOST_DOTS:
            raise refusal(
                f"{where}: not {what}: line {number} has {line.count('.'):,} dots; keys have three parts at most"
            )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError, a number too long another
        raise refusal(f"{where}: not valid TOML: {error}") from error


def problems(error: ValidationError) -> str:
    """All that pydantic found, in one line: where, what, and the value."""
    found = []
    for e in error.errors():
        where = ".".join(part if isinstance(part, str) and part.isprintable() else repr(part) for part in e["loc"])
        message = _MESSAGES.get(e["type"], e["msg"].removeprefix("Value error, "))
        value = "" if e["type"] in ("value_error", *_MESSAGES) else f" (got {shortened(e['input'])})"
        between = " " if e["type"] in _MESSAGES else ": " if where else ""
        found.append(f"{where}{between}{message}{value}")
    return "; ".join(found)


def shortened(value: object) -> str:
    """A value as Python writes it, in one line, with what is long in it left out."""
    return _SHORTENED.repr(value).replace("\n", " ")


def listed(names: Iterable[object], most: int = 12) -> str:
    """Names in a message: the first of many."""
    names = iter(names)
    return ", ".join([*map(str, islice(names, most)), *(["..."] if any(True for _ in names) else [])])


class _Shortened(Repr):
    def repr_int(self, x: int, level: int) -> str:
        return super().repr_int(x, level) if x.bit_length() <= _PRINTED_BITS else f"<{x.bit_length()} bits>"


_SHORTENED = _Shortened()
