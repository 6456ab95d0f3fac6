"""What the user's API drives: a board behind a link (`presparse.device.session`), or the reference
(`presparse.reference.emulator`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from presparse.contract.address_map import Counter
from presparse.contract.build import Build
from presparse.contract.sample_words import Palettes
from presparse.contract.samples import Samples
from presparse.contract.store import Contents, StoreState
from presparse.contract.wire import Identity, ResultForm, RunState, StoredRun
from presparse.device.clock import Clock
from presparse.model import Model

CLOSED = "this device was closed; open it again"


@dataclass(frozen=True, eq=False, kw_only=True)
class Parameters:
    """The integers that a device holds, per junction; a `Model` without scaling."""

    left: tuple[NDArray[np.int64], ...]
    """(right, in_degree): the left neuron of every edge."""
    weights: tuple[NDArray[np.int64], ...]
    """(right, in_degree), weight format."""
    biases: tuple[NDArray[np.int64], ...]
    """(right,), weight format."""


class Device(Protocol):
    """Samples go through a pipeline in order; results of predictions come out in the same order.

    What a device holds depends on the order of samples, rates, loads, flushes and runs only. A run feeds stored
    samples while time passes, until it is followed to its end or stopped; every call but `follow`, `counters`,
    `clear_counters` and `identify` stops it first.
    """

    build: Build
    clock: Clock
    """What the speed of training is measured with."""

    def identify(self) -> Identity:
        """What the device says about itself. Keeps everything, samples in flight included."""
        ...

    def load(self, model: Model) -> None:
        """Write weights, biases and pattern, read them back and compare. Flushes first if samples are in flight."""
        ...

    def read(self) -> Parameters:
        """The current weights, biases and pattern. Flushes first if samples are in flight."""
        ...

    @property
    def palettes(self) -> Palettes | None:
        """What compressed samples go by; None: they are not known, and samples come as they are."""
        ...

    def set_palettes(self, palettes: Palettes) -> None:
        """From now on samples whose values these hold come compressed. Flushes first. Only for a build with
        `sample_bits`."""
        ...

    def feed(self, samples: Samples, form: ResultForm = ResultForm.SCORES) -> NDArray[np.int64]:
        """Feed samples; returns the results that have come out: scores (m, N_L) in the output format, or classes (m,).

        All predictions whose results wait must be of one form: flush before another is asked for.
        """
        ...

    def flush(self) -> NDArray[np.int64]:
        """Drain the pipeline; returns the results of all predictions that had not come out, in their form."""
        ...

    def store_state(self) -> StoreState:
        """Whether there is a store, and whether it can be used; may wait a second for the end of its test."""
        ...

    def store(self, contents: Contents, told: Callable[[int, int], None]) -> None:
        """Write stored samples and their palettes, read them back and compare; `told(done, of)` is called in between.
        Flushes first.

        Only for a build with a store, as the next three.
        """
        ...

    def begin(self, run: StoredRun) -> None:
        """Begin to feed stored samples, with a flush behind them. Flushes first."""
        ...

    def follow(self) -> RunState:
        """Let a little time pass; how far the run is. When it is over, the pipeline is drained."""
        ...

    def stop(self) -> RunState:
        """End the run, if one is on, after the samples under way; how far it came. The pipeline is drained."""
        ...

    def counters(self) -> dict[Counter, int]:
        """Counters since the last clear; a device leaves out those that it does not have."""
        ...

    def clear_counters(self) -> None:
        """All counters to zero."""
        ...

    def reset(self) -> None:
        """Forget samples and results in flight and clear counters; weights stay."""
        ...

    def cancel(self) -> None:
        """From another thread: the call that is under way ends with LinkClosed, soon, and so does every later one."""
        ...

    def close(self) -> None:
        """Give the device back. Closing twice is allowed."""
        ...
