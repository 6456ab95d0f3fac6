"""Successive halving by Pareto rank: many candidates are trained for a short time, the best third of them longer, and
the best third of those longest.

A plan for `presparse.trials.conduct`: which trials come next depends on the results of those before alone, in the order
of the plan, never on when they came. It is made of blocks. The results of block b decide block b + 2: who is promoted,
and with them goes the next group of new candidates. So while a block's last trials are made there is a whole block to
go on with, and no worker waits for a rung.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np

from presparse.contract.description import shortened
from presparse.errors import ArgumentError
from presparse.model_search.ranking.objectives import ACCURACY, Objectives
from presparse.model_search.ranking.pareto import best_first

if TYPE_CHECKING:
    from presparse.trials.trial import Done, Figures, Trial

LADDER = (3, 9, 27)
"""Epochs of a candidate's training in all, rung by rung."""
GROUP = 9
"""Results of a rung after which the best third of those that are left is promoted."""
_GOOD = 0.75
"""Quantile of what candidates gain that counts as good."""
_AHEAD = 2
"""Blocks that are planned before the first is done."""


@dataclass(kw_only=True)
class _Rung:
    """What came of the trials of a rung."""

    planned: int = 0
    results: int = 0
    """Of planned ones, those that were made."""
    figures: dict[int, Figures] = field(default_factory=dict)
    """By candidate, in the order of the plan: of those that were trained and are possible."""
    promoted: set[int] = field(default_factory=set)


class Halving:
    """The plan of a search.

    A trial is {"candidate": number, "epochs": trained in all, "after": how many of them it had at the last rung}; its
    figures have the accuracy after these, if it was trained, and what is known without training
    (`ranking.objectives`). A candidate that does not fit, or misses a bound that training does not change, need not be
    trained: its figures come without an accuracy, and it takes nobody's place.

    Parameters
    ----------
    candidates : how many; None: for ever
    group : new candidates in a block; a multiple of 3

    Raises ArgumentError for a ladder that does not rise, a group that is no multiple of 3, or no candidates.
    """

    def __init__(
        self,
        *,
        candidates: int | None,
        objectives: Objectives | None = None,
        ladder: Sequence[int] = LADDER,
        group: int = GROUP,
    ) -> None:
        if not ladder or ladder[0] < 1 or any(a >= b for a, b in pairwise(ladder)):
            raise ArgumentError(f"ladder must be ascending numbers of epochs, and is {shortened(list(ladder))}")
        if group < 3 or group % 3:
            raise ArgumentError(f"group must be a multiple of 3, of which a third is promoted, and is {group}")
        if candidates is not None and candidates < 1:
            raise ArgumentError(f"candidates must be 1 or more, and is {candidates}")
        self.candidates, self.ladder, self.group = candidates, tuple(ladder), group
        self.objectives = objectives or Objectives()
        self._begin()

    def plan(self, done: Done) -> list[Trial]:
        """All trials that are known after those that are done, which are the plan's first; it ends when these are all.

        More results only ever add to a plan.
        """
        if self._seen != done[: len(self._seen)]:
            self._begin()
        while len(done) >= (end := self._ends[self._block]):
            for trial, figures in done[len(self._seen) : end]:
                self._take(trial, figures)
            self._seen = done[:end]
            self._block += 1
            if not self._extend() and end == len(self._planned):
                self._block -= 1  # nothing is left
                break
        return list(self._planned)

    def close(self) -> None:
        """No more candidates than those that are planned: it ends with these."""
        self.candidates = self._proposed

    # How a plan grows

    def _begin(self) -> None:
        self._planned: list[Trial] = []
        self._ends: list[int] = []
        """Of the blocks, in the plan."""
        self._block = 0
        """The first that is not done."""
        self._seen: Done = []
        """Up to there."""
        self._proposed = 0
        self._rungs = [_Rung() for _ in self.ladder]
        for _ in range(_AHEAD):
            self._extend()

    def _take(self, trial: Trial, figures: Figures) -> None:
        rung = self._rungs[self.ladder.index(int(trial["epochs"]))]
        rung.results += 1
        if self._counts(figures):
            rung.figures[int(trial["candidate"])] = figures

    def _counts(self, figures: Figures) -> bool:
        return ACCURACY in figures and self.objectives.possible(figures)

    def _extend(self) -> bool:
        """The next block, long trainings first; whether there is anything in it."""
        before = len(self._planned)
        chosen = self._promotions()
        for number in reversed(range(1, len(self.ladder))):
            self._plan(number, chosen[number])
        last = self._proposed + self.group
        fresh = range(self._proposed, last if self.candidates is None else min(last, self.candidates))
        self._proposed += len(fresh)
        self._plan(0, fresh)
        self._ends.append(len(self._planned))
        return len(self._planned) > before

    def _plan(self, number: int, candidates: Sequence[int]) -> None:
        after = self.ladder[number - 1] if number else 0
        self._rungs[number].planned += len(candidates)
        self._planned += [
            {"candidate": candidate, "epochs": self.ladder[number], "after": after} for candidate in candidates
        ]

    def _promotions(self) -> list[list[int]]:
        """Of every rung the candidates that come to it now."""
        chosen: list[list[int]] = [[] for _ in self.ladder]
        more = self.candidates is None or self._proposed < self.candidates
        for number, rung in enumerate(self._rungs[:-1]):
            more = more or rung.planned + len(chosen[number]) > rung.results
            whole = len(rung.figures) // self.group * self.group if more else len(rung.figures)
            wanted = -(-whole // 3) - len(rung.promoted)
            if wanted > 0:
                best = (candidate for candidate in self._best_first(number) if candidate not in rung.promoted)
                chosen[number + 1] = list(islice(best, wanted))
                rung.promoted |= set(chosen[number + 1])
        return chosen

    def _best_first(self, number: int) -> list[int]:
        """Candidates of a rung, those that were promoted, too: who is like one of these is not needed as much.

        Whoever will probably miss the accuracy that is asked for comes after all others, and the nearest to it first
        (constrained domination).
        """
        figures, gain = self._rungs[number].figures, self._gain(number)
        candidates = np.array(list(figures), dtype=np.int64)
        short = np.array([self.objectives.short_of(each[ACCURACY] + gain) for each in figures.values()])
        points = np.array([self.objectives.point(each) for each in figures.values()])
        fine = np.flatnonzero(short == 0)
        order = [*fine[best_first(points[fine])], *np.argsort(short, kind="stable")[len(fine) :]]
        return candidates[order].tolist()

    def _gain(self, number: int) -> float:
        """What a good candidate gains in accuracy from here to the last rung, as far as some have come."""
        gain = 0.0
        for here, above in pairwise(self._rungs[number:]):
            gains = [above.figures[each][ACCURACY] - here.figures[each][ACCURACY] for each in above.figures]
            gain += float(np.quantile(gains, _GOOD)) if gains else 0.0
        return gain
