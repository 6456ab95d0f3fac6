"""Interleaved benchmarking, fair on a machine that does other things too: all contestants in turn, several rounds,
medians.

Time is the processor's that this process used: nearly all contestants are one thread that never waits, so on an idle
machine it is the time that passes, and on a busy one other programs' turns do not count. Of contestants with several
threads it is the time that passes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

Trainer = Callable[[int], None]
"""Trains so many samples, one step after the other."""
Tell = Callable[[int, int, str], None]
"""Receives steps done, steps in all, and what comes next."""


def three_digits(value: float) -> str:
    """More would say nothing: rounds differ by some percent."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:.3g}"


@dataclass(frozen=True)
class Rates:
    """Samples per second of one contestant, one number per round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def times(self, other: Rates) -> float:
        """How many times as fast as `other`: the median over the rounds, each compared within itself."""
        return statistics.median(own / others for own, others in zip(self.rounds, other.rounds, strict=True))


def interleave(
    contestants: Mapping[str, Trainer],
    *,
    rounds: int,
    seconds: float,
    least: int = 8,
    threaded: Collection[str] = (),
    tell: Tell = lambda done, of, note: None,
) -> dict[str, Rates]:
    """Warm each contestant up, then time all in turn, `rounds` times, each for about `seconds`, and `least` samples.

    `threaded`: names of those that have several threads.
    """
    steps = (rounds + 1) * len(contestants)
    counts: dict[str, int] = {}
    for name, train in contestants.items():
        tell(len(counts), steps, f"warming up {name}")
        counts[name] = _count_for(train, seconds, least, name in threaded)
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    done = len(contestants)
    for number in range(rounds):
        for name, train in contestants.items():
            tell(done, steps, f"round {number + 1} of {rounds}: {name}")
            rates[name].append(counts[name] / _timed(train, counts[name], name in threaded))
            done += 1
    return {name: Rates(tuple(found)) for name, found in rates.items()}


def _count_for(train: Trainer, seconds: float, least: int, threaded: bool) -> int:
    """Samples that take about `seconds`."""
    count = least
    while True:
        elapsed = _timed(train, count, threaded)
        if elapsed > seconds / 8:
            return max(least, round(count * seconds / elapsed))
        count *= 4


def _timed(train: Trainer, count: int, threaded: bool) -> float:
    clock = time.perf_counter if threaded else time.process_time
    start = clock()
    train(count)
    return clock() - start
