"""Changes that break files the way people, disks and enemies do: whole words, numbers and brackets, not only bits.

Everything is drawn from a `random.Random`, so that hypothesis and libFuzzer can both be the source of chance.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

_TOKEN = re.compile(rb"[A-Za-z_]+|[-+0-9.eE]+|\s+|.", re.DOTALL)
"""Words, numbers, white space, and every other byte alone."""

_HOSTILE = (
    *(b"0", b"-1", b"1", b"3", b"255", b"65536", b"65537", b"4294967296", b"9223372036854775808", b"1000000000000"),
    *(
        b"0.5",
        b"1e400",
        b"-1e308",
        b"nan",
        b"inf",
        b"NaN",
        b"Infinity",
        b"1_0",
        b"9" * 400,
        b"9" * 5000,
        b"0x" + b"f" * 5000,
    ),
    *(b'""', b'"\\u0000"', b'"\\ud800"', b'"../up"', b'"/dev/zero"', b"true", b"null", b"[]", b"{}", b"[1, 2, 3]"),
    *(b"[" * 3000, b'{"a":' * 3000, b"{a=" * 3000, b"1979-05-27T07:32:00Z", b"'''", b"#", b"\\", b"\r", b"\n"),
    *("é".encode(), "\u2028".encode(), b"\xff\xfe", b"\0", b"\x1b[2J"),
    *(b"BF16", b"F8_E5M2", b"C64", b"U64", b"BOOL", b"I8", b"<f2", b">u8", b"<c16", b"|O", b"|S3", b"<M8[s]", b"|V0"),
    *(b"[" + b"1," * 99 + b"1]", b"(" + b"1," * 99 + b")", b"[0, 4294967296]", b"(0, 4294967296)"),
    *(b"a." * 4000 + b"a", b'"".' * 60 + b"a", b"[" + b"a." * 100 + b"a]"),
    *(b",", b";", b"\t", b",,", b"0,1,2", b",0,1,2", b"Unnamed: 0", b"class", b"1,5", b'"1"2', b'"'),
)
"""What a parser may stumble over when it stands in the place of a word: numbers, brackets, dtypes, dimensions, keys of
many parts, headers."""

_INTEGERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 1 << 15, (1 << 16) - 1, 1 << 31, (1 << 32) - 1, 1 << 60, (1 << 64) - 1)
"""Lengths and counts in binary headers."""


def edited(data: bytes, chance: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """`data` after one to four changes; pieces of `others` may get into it."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = chance.choice(_EDITS)(data, chance, others)
    return data


def _put_hostile(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Another word, number or bracket in the place of one."""
    tokens = _TOKEN.findall(data)
    if not tokens:
        return chance.choice(_HOSTILE)
    tokens[chance.randrange(len(tokens))] = chance.choice(_HOSTILE)
    return b"".join(tokens)


def _move_token(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """A word of this file or of another at a second place, or nothing there."""
    tokens = _TOKEN.findall(data)
    if not tokens:
        return data
    source = _TOKEN.findall(chance.choice(others)) if others and chance.random() < 0.3 else tokens
    tokens[chance.randrange(len(tokens))] = chance.choice(source) if source and chance.random() < 0.7 else b""
    return b"".join(tokens)


def _overwrite_integer(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """1, 2, 4 or 8 bytes, of either order; headers are struck more often than what follows."""
    size = chance.choice((1, 2, 4, 8))
    at = chance.randrange(min(len(data), 64) if chance.random() < 0.5 else len(data)) if data else 0
    value = chance.choice(_INTEGERS) % (1 << 8 * size)
    return data[:at] + value.to_bytes(size, chance.choice(("little", "big"))) + data[at + size :]


def _flip(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _remove(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def _repeat(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    start, end = _span(data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 1, 2, 50)) + data[end:]


def _truncate(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _splice(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """The beginning of this file and the end of another."""
    if not others:
        return data
    other = chance.choice(others)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _insert_random(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.choice((1, 2, 4, 16))) + data[at:]


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((1, 4, 16, 64, 512)))


_EDITS: tuple[Callable[[bytes, random.Random, Sequence[bytes]], bytes], ...] = (
    *(_put_hostile, _put_hostile, _put_hostile, _move_token, _move_token),  # these get deepest
    *(_overwrite_integer, _flip, _remove, _repeat, _truncate, _splice, _insert_random),
)
