"""Shuffling by a pseudorandom permutation, the order of an epoch: one of 0 .. n - 1 for every n and seed, cheap enough
for gateware.

Let k be the bits of n - 1. A few rounds of steps that can be undone mix the numbers 0 .. 2^k - 1 (bits above k
are dropped), and of what they give, in order, what is not below n is left out:

    y = x ^ (x >> s) ^ key        s, a: the round's; key: the low k bits of the seed, rotated right by 11 per round
    x = y + (y << a)              y times the odd number 1 + 2^a

At most every second number is left out, since n > 2^(k - 1). Gateware does a round per stage.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDS = ((1, 5), (4, 5), (1, 1), (2, 2), (2, 3), (4, 2))
"""(s, a) of each round: of a hundred random choices the one whose orders were nearest to random ones, for 16 to 60,000
samples (tests/contract/test_permutation.py)."""
SEED_BITS = 32
KEY_ROTATION = 11
"""Bits by which the seed is rotated from round to round."""


def permutation(count: int, seed: int) -> NDArray[np.int64]:
    """The permutation of 0 .. count - 1 that `seed` (32 bits) chooses."""
    mask = np.uint64((1 << (count - 1).bit_length()) - 1)
    x = np.arange(int(mask) + 1, dtype=np.uint64)
    for number, (s, a) in enumerate(ROUNDS):
        y = x ^ (x >> np.uint64(s)) ^ (np.uint64(round_key(seed, number)) & mask)
        x = (y + (y << np.uint64(a))) & mask
    return x[x < count].astype(np.int64)


def order(count: int, seed: int | None) -> NDArray[np.int64]:
    """Samples 0 .. count - 1 as an epoch has them: permuted, or in their order if `seed` is None."""
    return np.arange(count) if seed is None else permutation(count, seed)


def round_key(seed: int, number: int) -> int:
    """The seed as round `number` adds it: rotated right."""
    turn = KEY_ROTATION * number % SEED_BITS
    return (seed >> turn | seed << (SEED_BITS - turn)) & ((1 << SEED_BITS) - 1)


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of an epoch's order, from the user's seed (0 or more) and the epoch's number, from 1."""
    return int(np.random.SeedSequence(entropy=seed, spawn_key=(epoch,)).generate_state(1, np.uint32)[0])
