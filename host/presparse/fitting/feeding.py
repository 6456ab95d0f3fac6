"""One pass (an epoch) through a device, from this computer or from the board's store, then a drained pipeline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from presparse.contract.samples import Samples
from presparse.contract.wire import ResultForm, SampleKind, StoredRun
from presparse.device.protocol import Device
from presparse.errors import DeviceFault, ResultsLost
from presparse.fitting.compression import Encoded, compress
from presparse.fitting.meter import LARGEST_CHUNK, Meter
from presparse.model import Model

FIRST_CHUNK = 32
"""Samples handed to the device first, to see how fast it is."""
_ATTEMPTS = 4
"""Times that samples are predicted whose results were lost with the connection."""

Labels = NDArray[np.int64]


class Feeding:
    """What an `Accelerator` does with its device. After an exception, Ctrl-C too, `drain` ends what is under way."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._drained = True

    def drain(self) -> None:
        """Flush, if an earlier call has not: it was interrupted, or ended with an error."""
        if not self._drained:
            self._device.flush()
            self._drained = True

    @property
    def compresses(self) -> bool:
        """Whether the device was built for compressed samples."""
        return self._device.build.sample_format is not None

    def compress(self, model: Model, features: Encoded, passes: int = 1) -> str:
        """Compress what is fed from now on, if that pays for features (k, N_0) that are fed so many times. In words,
        what a sample takes, and why."""
        self.drain()
        return compress(self._device, model, features, passes)

    def predict(self, samples: Samples, form: ResultForm) -> NDArray[np.int64]:
        """Scores (k, N_L) or classes (k,). Predicting changes no weight, so what a cut lost is predicted again."""
        for attempt in range(_ATTEMPTS):
            self._drained = False
            try:
                results = np.concatenate([self._device.feed(samples, form), self._device.flush()])
            except ResultsLost:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            break
        self._drained = True
        if len(results) != len(samples):
            raise DeviceFault(
                f"{len(samples)} samples were predicted, and the device gives {len(results)} results; reset it"
            )
        return results

    def evaluate(self, features: Encoded, labels: Labels) -> float:
        """Accuracy; the board itself counts, so no score crosses the link."""

        def feed() -> None:
            self._drained = False
            for first in range(0, len(labels), LARGEST_CHUNK):
                part = slice(first, first + LARGEST_CHUNK)
                self._device.feed(Samples.evaluate(features[part], labels[part]))
            self.drain()

        return self._accuracy(feed, len(labels))

    def evaluate_stored(self, first: int, count: int, slot: int) -> float:
        """Accuracy on stored samples, in slots of 2^slot words."""
        run = StoredRun(kind=SampleKind.EVALUATE, slot=slot, first=first, count=count)
        return self._accuracy(lambda: self._play(run, lambda fed: None), count)

    def train(self, features: Encoded, labels: Labels, order: NDArray[np.int64], exponent: int, meter: Meter) -> None:
        """One pass in this order, then a flush."""
        meter.begin()
        self._drained = False
        done, chunk = 0, FIRST_CHUNK
        while done < len(order):
            part = order[done : done + chunk]
            self._device.feed(Samples.train(features[part], labels[part], exponent))
            done += len(part)
            chunk = meter.sent(done)
        self.drain()
        meter.total()

    def train_stored(self, count: int, slot: int, seed: int | None, exponent: int, meter: Meter) -> None:
        """One pass over the first `count` stored samples, in slots of 2^slot words, then a flush."""
        meter.begin()
        self._play(StoredRun(kind=SampleKind.TRAIN, rate=exponent, slot=slot, count=count, seed=seed), meter.sent)
        meter.total()

    def _play(self, run: StoredRun, told: Callable[[int], object]) -> None:
        """A run from its beginning to its end."""
        self._drained = False
        self._device.begin(run)
        while (state := self._device.follow()).running:
            if state.fed:
                told(state.fed)
        self._drained = True
        if state.fed != run.count:
            raise DeviceFault(
                f"the device's run ended after {state.fed} of {run.count} samples: something else used the device "
                f"meanwhile, for example a progress callback that does more than to read counters"
            )

    def _accuracy(self, feed: Callable[[], None], count: int) -> float:
        before = self._device.counters()
        feed()
        after = self._device.counters()
        counted = after["evaluated"] - before["evaluated"]
        if counted != count:
            raise DeviceFault(f"{count} samples were evaluated, and the device counts {counted}; reset it")
        return (after["correct"] - before["correct"]) / counted
