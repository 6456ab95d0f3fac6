"""What hosts do to boards, mixed at random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind, StoredRun
from presparse_sim.campaigns.builds import random_contents, random_model, random_samples
from presparse_sim.campaigns.twins import Twins

_LONGEST = 150
"""Samples in one call: several frames, several times the pipeline."""


class Workload:
    """Random calls to twins, each as often as the numbers in `_calls` say."""

    def __init__(self, twins: Twins, rng: np.random.Generator) -> None:
        self.done: Counter[str] = Counter()
        """Calls made, by name."""
        self.samples = 0
        """Samples asked for, those of runs too."""
        self._twins, self._rng, self._build = twins, rng, twins.build
        self._stored = self._slot = 0
        """Samples in the store."""
        calls: dict[str, tuple[int, Callable[[], None]]] = {
            "train": (8, lambda: self._feed(SampleKind.TRAIN)),
            "predict": (4, lambda: self._feed(SampleKind.PREDICT)),
            "evaluate": (2, lambda: self._feed(SampleKind.EVALUATE)),
            "all kinds": (8, lambda: self._feed(SampleKind.TRAIN, SampleKind.PREDICT, SampleKind.EVALUATE)),
            "flush": (4, twins.flush),
            "compare": (1, twins.compare),
            "load": (1, lambda: twins.load(random_model(rng, self._build.network))),
            "clear counters": (1, twins.clear_counters),
            "reset": (1, twins.reset),
            "reconnect": (1, twins.reconnect),
        }
        if self._build.store is not None:
            calls |= {"store": (1, self._store), "run": (6, self._play)}
        self._calls = calls
        weights = np.array([weight for weight, _ in calls.values()])
        self._chances = weights / weights.sum()

    def step(self) -> None:
        """One call. Raises Mismatch."""
        name = list(self._calls)[int(self._rng.choice(len(self._calls), p=self._chances))]
        self._calls[name][1]()
        self.done[name] += 1

    def _feed(self, *kinds: SampleKind) -> None:
        count, coarse = int(self._rng.integers(1, _LONGEST)), bool(self._rng.random() < 0.5)
        samples: Samples = random_samples(self._rng, self._build, count, kinds, coarse=coarse)
        self.samples += len(samples)
        self._twins.feed(samples)

    def _store(self) -> None:
        self._stored = int(self._rng.integers(1, self._build.store_samples + 1))
        contents = random_contents(self._rng, self._build, self._stored)
        self._slot = contents.slot
        self._twins.store(contents)

    def _play(self) -> None:
        if not self._stored:
            self._store()
        first = int(self._rng.integers(self._stored))
        count = int(self._rng.integers(1, self._stored - first + 1))
        training = self._rng.random() < 0.7
        rates = self._build.network.rates
        run = StoredRun(
            kind=SampleKind.TRAIN if training else SampleKind.EVALUATE,
            rate=int(self._rng.integers(rates.least, rates.most + 1)) if training else 0,
            slot=self._slot,
            first=first,
            count=count,
            seed=int(self._rng.integers(1 << 32)) if self._rng.random() < 0.5 else None,
        )
        self.samples += count
        self._twins.play(run, stop_after=int(self._rng.choice([0, 1, 2, 1000])))
