"""The memory map: the board's address space, and how edges and biases are packed into its 32-bit words.

An address is region << 24 | word offset. Region 0 holds counters; junction i (from 1) has its edges in region
2i - 1, one row of lanes per cycle, and its biases in region 2i, one row of right neurons per step. Rows start
at multiples of a power of two, so that gateware splits an address without dividing; the words between the
rows (none if lanes and groups are powers of two) ignore writes and read as 0. The last two regions are the stored
samples (`presparse.contract.store`) and the palettes (`presparse.contract.sample_words`).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from presparse.contract.network import Junction
from presparse.contract.pattern import first_touches, from_rows, to_rows

Counter = Literal[
    "cycles",
    "blocks",
    "trained",
    "predicted",
    "evaluated",
    "correct",
    "stalls_sample",
    "stalls_result",
    "saturated_activation",
    "saturated_weight",
    "saturated_delta",
    "frames_accepted",
    "frames_repeated",
    "frames_corrupt",
    "frames_malformed",
    "frames_abandoned",
    "frames_unexpected",
]
"""Counters in the order of their registers: those of the core, then (`frames_*`) those of the link.

`cycles` counts while any sample is in flight. `stalls_sample` counts cycles in which a block could start
but no sample is there (while others are in flight); `stalls_result`, cycles in which results are not taken.
`saturated_*` counts values of real samples: right activations (not sigmoid's table input, nor what ReLU
cuts at zero), stored weights and biases, deltas.
"""

COUNTERS: tuple[Counter, ...] = get_args(Counter)
CORE_COUNTERS: tuple[Counter, ...] = tuple(c for c in COUNTERS if not c.startswith("frames_"))
LINK_COUNTERS: tuple[Counter, ...] = tuple(c for c in COUNTERS if c.startswith("frames_"))
COUNTER_BITS = 48
"""Width of a counter; it takes two words, low word first (reading the low word holds the high one)."""

REGION_SHIFT = 24
STORE_REGION, PALETTE_REGION = 0xFE, 0xFF
"""Of builds with a store, and of those that know compressed samples."""
STORE_WORDS, SAMPLE_PALETTES = (region << REGION_SHIFT for region in (STORE_REGION, PALETTE_REGION))
WEIGHT_BITS = 18
"""Bits 0 .. 17 of an edge word: the weight, sign-extended."""
WEIGHT_MASK = (1 << WEIGHT_BITS) - 1
ROW_BITS = 13
"""Bits 18 .. 30 of an edge word: the row of its left neuron."""
FIRST_BIT = 31
"""Set where BP overwrites a delta instead of adding to it."""


def edge_address(junction: int, word: int = 0) -> int:
    """Address of a word among a junction's edges; `junction` counts from 1."""
    return (2 * junction - 1) << REGION_SHIFT | word


def bias_address(junction: int, word: int = 0) -> int:
    """Address of a word among a junction's biases; `junction` counts from 1."""
    return (2 * junction) << REGION_SHIFT | word


def row_stride(columns: int) -> int:
    """Words from one row to the next, for rows of `columns` words: the next power of two."""
    return 1 << (columns - 1).bit_length()


def edge_words(junction: Junction) -> int:
    """Words of a junction's edge region."""
    return junction.cycles * row_stride(junction.lanes)


def bias_words(junction: Junction) -> int:
    """Words of a junction's bias region."""
    return junction.steps * row_stride(junction.group)


def counter_address(counter: Counter) -> int:
    """Address of a counter's low word."""
    return 2 * COUNTERS.index(counter)


def pack_edges(junction: Junction, left: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.uint32]:
    """A junction's edge region as a build with its lanes stores it, shape (edge_words,).

    Raises PatternError if the pattern is not clash-free for `junction.lanes`.
    """
    rows = to_rows(junction, left)
    first = first_touches(junction, left).astype(np.int64)
    weights = weights.reshape(junction.cycles, junction.lanes)
    return _pad((weights & WEIGHT_MASK) | rows << WEIGHT_BITS | first << FIRST_BIT)


def unpack_edges(junction: Junction, words: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(left, weights), both of shape (right, in_degree), from a junction's edge region."""
    values = words.astype(np.int64).reshape(junction.cycles, -1)[:, : junction.lanes]
    rows = (values >> WEIGHT_BITS) & ((1 << ROW_BITS) - 1)
    return from_rows(junction, rows), _signed_weight(values).reshape(junction.right, junction.in_degree)


def pack_biases(junction: Junction, biases: NDArray[np.int64]) -> NDArray[np.uint32]:
    """A junction's bias region, shape (bias_words,)."""
    return _pad(biases.reshape(junction.steps, junction.group) & WEIGHT_MASK)


def unpack_biases(junction: Junction, words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Biases, shape (right,), from a junction's bias region."""
    return _signed_weight(words.astype(np.int64).reshape(junction.steps, -1)[:, : junction.group]).reshape(-1)


def _pad(rows: NDArray[np.int64]) -> NDArray[np.uint32]:
    padded = np.zeros((rows.shape[0], row_stride(rows.shape[1])), dtype=np.uint32)
    padded[:, : rows.shape[1]] = rows
    return padded.reshape(-1)


def _signed_weight(values: NDArray[np.int64]) -> NDArray[np.int64]:
    sign = 1 << (WEIGHT_BITS - 1)
    return ((values & WEIGHT_MASK) ^ sign) - sign
