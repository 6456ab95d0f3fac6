"""Lanes that junctions can have together: those of a build, and the most that new patterns should allow."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache

from presparse.contract.network import Network, lanes_fit

Lanes = tuple[int, ...]


def lane_choices(network: Network) -> Iterator[Lanes]:
    """All lanes that divide the network's and are valid together (`presparse.contract.network.check_lanes`)."""
    junctions = network.junctions
    options = [
        [z for z in range(1, j.lanes + 1) if j.lanes % z == 0 and lanes_fit(j.left, j.in_degree, z)] for j in junctions
    ]

    def extend(chosen: Lanes, group: int) -> Iterator[Lanes]:
        if len(chosen) == len(junctions):
            yield chosen
            return
        j = junctions[len(chosen)]
        for z in options[len(chosen)]:
            if z % group == 0:
                yield from extend((*chosen, z), max(1, z // j.in_degree))

    return extend((), 1)


def fastest_lanes(
    edges: Sequence[int], in_degrees: Sequence[int], allowed: Sequence[Sequence[int]], most: int
) -> Lanes | None:
    """The fewest lanes with which a sample takes as few cycles as `most` lanes in all allow; None: no lanes are valid
    together, or not with so few.

    `edges` and `in_degrees` are those of the junctions, `allowed` the lanes that each can have by itself.
    """

    def within(period: int) -> tuple[int, Lanes] | None:
        # So far, by the right neurons that are finished at once: (lanes in all, lanes), the fewest.
        ends: dict[int, tuple[int, Lanes]] = {1: (0, ())}
        for count, in_degree, options in zip(edges, in_degrees, allowed, strict=True):
            longer: dict[int, tuple[int, Lanes]] = {}
            for z in options:
                if z * period < count:
                    continue
                own = max(1, z // in_degree)
                for group, (total, lanes) in ends.items():
                    if z % group == 0 and (own not in longer or (total + z, (*lanes, z)) < longer[own]):
                        longer[own] = total + z, (*lanes, z)
            ends = longer
        found = min(ends.values(), default=None)
        return found if found and found[0] <= most else None

    # Whatever is within a period is within a longer one, too.
    periods = sorted({-(-count // z) for count, options in zip(edges, allowed, strict=True) for z in options})
    first = bisect_left(periods, True, key=lambda period: within(period) is not None)
    found = within(periods[first]) if first < len(periods) else None
    return found[1] if found else None


@cache
def divisors(number: int) -> tuple[int, ...]:
    """Ascending."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return tuple(sorted({*small, *(number // d for d in small)}))
