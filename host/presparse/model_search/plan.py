"""Which trainings a search makes: a ladder that fewer and fewer networks climb, then those that confirm the front."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from presparse.experiments.intervals import interval
from presparse.model import Model
from presparse.model_search.fitting_candidates import FittingCandidates
from presparse.model_search.found import Entry, Found
from presparse.model_search.ranking.expectation import expected
from presparse.model_search.ranking.halving import Halving
from presparse.model_search.ranking.objectives import ACCURACY, Objectives
from presparse.model_search.ranking.pareto import best_first, ranks
from presparse.trials.trial import Done, Figures, Trial

STAGES = ((72, (0,)), (36, (1,)), (24, (2, 3, 4)))
"""How many networks are confirmed, and on which parts of the samples: the best of the ladder, then the best of those.
Networks that come with Presparse are confirmed besides."""
SPLITS = sum(len(splits) for _, splits in STAGES)
_LADDER = -1
"""The part that the ladder measures by, among the splits."""
SHOWN = 8
"""Networks that make the front, at most."""
TESTED = "tested"
"""Of the figures of such a training: its accuracy on the test part."""
_CONFIRMING = 0.6
"""Share of the time after which no more networks are proposed: the rest is for those under way, and to confirm."""


class Plan:
    """A plan for `presparse.trials.conduct`; what it plans depends on results alone, and on the time if there is a
    limit to that.

    Parameters
    ----------
    candidates, halving : who climbs, and how
    seconds : how long the search may take; None: until all candidates of `halving` have climbed
    seed : of all trainings on the ladder
    samples : that an accuracy is measured by
    """

    def __init__(
        self, candidates: FittingCandidates, halving: Halving, *, seconds: float | None, seed: int, samples: int
    ) -> None:
        self._candidates, self._halving, self._seed, self._samples = candidates, halving, seed, samples
        self._ends = None if seconds is None else time.monotonic() + _CONFIRMING * seconds
        self._ladder: list[Trial] = []
        self._confirming: list[Trial] = []
        self._stage = 0

    def __call__(self, done: Done) -> list[Trial]:
        """All trials that are known after those that are done, which are the plan's first."""
        if not self._stage:
            if self._ends is not None and time.monotonic() >= self._ends:
                self._halving.close()
            climbed = self._halving.plan(done)
            self._ladder += [self._rung(each) for each in climbed[len(self._ladder) :]]
        if len(done) == len(self._ladder) + len(self._confirming) and self._stage < len(STAGES):
            most, splits = STAGES[self._stage]
            self._stage += 1
            self._confirming += [self._split(number, split) for number in self._best(done, most) for split in splits]
        return [*self._ladder, *self._confirming]

    @property
    def objectives(self) -> Objectives:
        return self._halving.objectives

    def known(self, trial: Trial) -> Figures:
        """What is known of its network without training."""
        return self._candidates[trial["candidate"]].known

    def words(self, trial: Trial) -> str:
        """For people."""
        network = self._candidates[trial["candidate"]].network
        what = f"{network.name}, {network.edges:,} edges"
        return f"confirming {what}" if "split" in trial else f"{what}, {trial['epochs']} epochs"

    def found(self, done: Done, model_of: Callable[[Trial], Model]) -> Found:
        """Of all trials, with the models that they left."""
        ladder = [each for each in done if "split" not in each[0]]
        climbed = {trial["candidate"]: figures[ACCURACY] for trial, figures in ladder}  # the last rung's
        accuracies = self._expected(done)
        entries = [
            self._entry(number, of, accuracies[number], model_of)
            for number, of in _confirmed(done).items()
            if len(of) == SPLITS
        ]
        front = self._front(entries)
        return Found(
            front=sorted(front, key=lambda entry: entry.speed),
            references=sorted(
                (entry for entry in entries if entry.shipped and entry not in front), key=lambda entry: entry.speed
            ),
            tried=[(accuracy, self._candidates[number].known["speed"]) for number, accuracy in climbed.items()],
            trials=len(done),
        )

    def _front(self, entries: Sequence[Entry]) -> list[Entry]:
        """By the accuracies that networks are chosen by: the test part chooses nothing. If all miss the accuracy that
        is asked for, the nearest alone."""
        if not entries:
            return []
        short = [self.objectives.short_of(entry.chosen_by) for entry in entries]
        suiting = [entry for entry, by in zip(entries, short, strict=True) if by == min(short)]
        points = [self.objectives.point({**entry.figures, ACCURACY: entry.chosen_by}) for entry in suiting]
        of = ranks(points)
        return [suiting[place] for place in best_first(points) if of[place] == 0][:SHOWN]

    # Trials

    def _rung(self, climbing: Trial) -> Trial:
        return {**climbing, **self._of(climbing["candidate"]), "seed": self._seed}

    def _split(self, number: int, split: int) -> Trial:
        return {
            "candidate": number,
            "split": split,
            "epochs": self._halving.ladder[-1],
            "after": 0,
            **self._of(number),
            "seed": self._seed + split,
        }

    def _of(self, number: int) -> Trial:
        candidate = self._candidates[number]
        return {
            "of": self._halving.ladder[-1],
            "rate": candidate.rate,
            "network": candidate.network.model_dump(mode="json"),
        }

    def _best(self, done: Done, most: int) -> list[int]:
        """So many of the candidates that came as far as any, and those that come with Presparse."""
        shipped = [n for n in sorted({trial["candidate"] for trial, _ in done}) if self._candidates[n].shipped]
        accuracies, confirmed = self._expected(done), _confirmed(done)
        furthest = max((len(of) for of in confirmed.values()), default=0)
        numbers = [n for n in accuracies if len(confirmed.get(n, ())) == furthest]
        points = [self.objectives.point({**self._candidates[n].known, ACCURACY: accuracies[n]}) for n in numbers]
        order = sorted(best_first(points), key=lambda place: self.objectives.short_of(accuracies[numbers[place]]))
        return list(dict.fromkeys([*(numbers[place] for place in order[:most]), *shipped]))

    def _expected(self, done: Done) -> Mapping[int, float]:
        """The accuracies of all candidates that came to the end of the ladder or were confirmed."""
        whole = [(t, f[ACCURACY]) for t, f in done if t["epochs"] == self._halving.ladder[-1] and ACCURACY in f]
        if not whole:
            return {}
        row = {number: place for place, number in enumerate(dict.fromkeys(t["candidate"] for t, _ in whole))}
        accuracies = expected(
            [self.objectives.likeness(self._candidates[number].known) for number in row],
            [row[trial["candidate"]] for trial, _ in whole],
            [trial.get("split", _LADDER) for trial, _ in whole],
            [accuracy for _, accuracy in whole],
            self._samples,
        )
        return dict(zip(row, accuracies.tolist(), strict=True))

    def _entry(self, number: int, of: Done, chosen_by: float, model_of: Callable[[Trial], Model]) -> Entry:
        candidate = self._candidates[number]
        accuracy, half = interval([figures[TESTED] for _, figures in of])
        return Entry(
            network=candidate.network,
            model=model_of(of[0][0]),
            accuracy=accuracy,
            interval=half,
            chosen_by=chosen_by,
            estimate=candidate.estimate,
            rate=candidate.rate,
            epochs=self._halving.ladder[-1],
            shipped=candidate.shipped,
        )


def _confirmed(done: Done) -> dict[int, Done]:
    """The trainings that confirm, by candidate."""
    found: dict[int, Done] = {}
    for trial, figures in done:
        if "split" in trial:
            found.setdefault(trial["candidate"], []).append((trial, figures))
    return found
