"""The reference as a `Device`: the same bits as a board, without one (needs the `train` extra)."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from presparse import inference
from presparse.contract.address_map import Counter
from presparse.contract.build import Build
from presparse.contract.sample_words import Palettes
from presparse.contract.samples import Samples
from presparse.contract.store import Contents, StoreState
from presparse.contract.wire import PROTOCOL_VERSION, WINDOW, Identity, ResultForm, RunState, SampleKind, StoredRun
from presparse.device.acceptance import check_form, check_palettes, check_samples, check_store
from presparse.device.clock import Clock
from presparse.device.protocol import CLOSED, Parameters
from presparse.errors import LinkClosed, MissingExtra, ModelError, StoreError
from presparse.model import Model
from presparse.reference.native.native_reference import NativeReference
from presparse.support.interrupts import deferred_interrupts

try:
    from presparse.reference.pytorch import Reference
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise MissingExtra("the emulator needs PyTorch: pip install 'presparse[train]'") from error

_TRAINED_AT_ONCE = 64
_AT_ONCE = 4096
"""Samples between two places where Ctrl-C is let through: trained in PyTorch; predicted, or computed in C."""


class Emulator:
    """A board of `build` in software. Counters that depend on timing, and the link's, are left out.

    Unlike a board it holds no weights before `load`: `feed`, `flush` and `read` raise ModelError then.
    `reference` computes: that to be read, or the same in C, for hundreds of thousands of samples.
    """

    def __init__(self, build: Build, *, reference: type[Reference] | type[NativeReference] = Reference) -> None:
        self.build = build
        self.clock: Clock = time
        self._make = reference
        self._reference: Reference | NativeReference | None = None
        self._accepted = 0
        self._in_flight = False
        self._cancelled = False
        self._waiting: list[NDArray[np.int64]] = []
        """Scores (m, N_L) that came out while the pipeline was flushed for `load`, `read` or a run."""
        self._form = ResultForm.SCORES
        self._predicted = 0
        """Predictions whose results were not returned yet."""
        self._palettes: Palettes | None = None
        self._stored: Contents | None = None
        self._run: Samples | None = None
        """Of the run that is on, its samples in order."""
        self._fed = 0
        self._runs = 0

    def identify(self) -> Identity:
        return Identity(
            protocol=PROTOCOL_VERSION,
            window=WINDOW,
            result_capacity=self.build.result_capacity,
            contract_hash=self.build.hash,
            build="0" * 16,
            accepted=self._accepted,
            store=self.store_state(),
            read_phase=0,
        )

    def load(self, model: Model) -> None:
        """Raises ModelError for a model of another network, PatternError if its pattern clashes on the lanes."""
        reference = self._make(self.build, model)
        if self._reference is not None:
            self._drain()
            reference.counters = self._reference.counters
        self._reference = reference

    def read(self) -> Parameters:
        reference = self._loaded()
        self._drain()
        model = reference.model()
        return Parameters(left=model.left, weights=model.weights, biases=model.biases)

    @property
    def palettes(self) -> Palettes | None:
        return self._palettes

    def set_palettes(self, palettes: Palettes) -> None:
        check_palettes(self.build, palettes, None if self._stored is None else self._stored.palettes)
        self._drain()
        self._palettes = palettes

    def feed(self, samples: Samples, form: ResultForm = ResultForm.SCORES) -> NDArray[np.int64]:
        self._loaded()
        self.stop()
        if (samples.kinds == SampleKind.PREDICT).any():
            check_form(self._predicted, self._form, form)
            self._form = form
        step = self._at_once(samples)
        scores = self._waiting
        self._waiting = []
        for first in range(0, len(samples), step):
            with deferred_interrupts():
                scores.append(self._compute(samples[first : first + step]))
        return self._results(scores)

    def store_state(self) -> StoreState:
        return StoreState.NONE if self.build.store is None else StoreState.READY

    def store(self, contents: Contents, told: Callable[[int, int], None] = lambda done, of: None) -> None:
        check_store(self.build, self.store_state())
        self._drain()
        self._stored, self._palettes = contents, contents.palettes

    def begin(self, run: StoredRun) -> None:
        if self._stored is None:
            raise StoreError("nothing is stored; store samples first")
        self._loaded()
        self._drain()
        samples = self._stored.samples(run)
        check_samples(self.build, samples)
        self._run, self._fed, self._runs = samples, 0, (self._runs + 1) % (1 << 32)

    def follow(self) -> RunState:
        with deferred_interrupts():
            if self._run is not None:
                part = self._run[self._fed : self._fed + self._at_once(self._run)]
                self._compute(part)
                self._fed += len(part)
                if self._fed == len(self._run):
                    self._finish_run()
        return self._run_state()

    def stop(self) -> RunState:
        with deferred_interrupts():
            self._finish_run()
        return self._run_state()

    def flush(self) -> NDArray[np.int64]:
        self._loaded()
        self.stop()
        with deferred_interrupts():
            self._finish()
            scores = self._waiting
            self._waiting = []
        return self._results(scores)

    def counters(self) -> dict[Counter, int]:
        return dict(self._reference.counters) if self._reference is not None else {}

    def clear_counters(self) -> None:
        if self._reference is not None:
            self._reference.counters = dict.fromkeys(self._reference.counters, 0)

    def reset(self) -> None:
        if self._reference is not None:
            self._reference = self._make(self.build, self._reference.model())
        self._accepted = self._fed = self._runs = 0
        self._in_flight = False
        self._run = None
        self._waiting = []
        self._predicted = 0

    def cancel(self) -> None:
        self._cancelled = True

    def close(self) -> None:
        self.cancel()

    def _at_once(self, samples: Samples) -> int:
        slow = self._make is Reference and bool((samples.kinds == SampleKind.TRAIN).any())
        return _TRAINED_AT_ONCE if slow else _AT_ONCE

    def _compute(self, samples: Samples) -> NDArray[np.int64]:
        self._in_flight = True
        scores = self._loaded().run(samples)
        self._predicted += int(np.count_nonzero(samples.kinds == SampleKind.PREDICT))
        self._accepted = (self._accepted + len(samples)) % (1 << 32)
        return scores

    def _finish_run(self) -> None:
        if self._run is not None:
            self._loaded().flush()
            self._run, self._in_flight = None, False

    def _run_state(self) -> RunState:
        return RunState(running=self._run is not None, fed=self._fed, runs=self._runs)

    def _drain(self) -> None:
        self.stop()
        if self._in_flight:
            with deferred_interrupts():
                self._finish()

    def _finish(self) -> None:
        """Empty the pipeline."""
        self._waiting.append(self._loaded().flush())
        self._in_flight = False

    def _loaded(self) -> Reference | NativeReference:
        if self._cancelled:
            raise LinkClosed(CLOSED)
        if self._reference is None:
            raise ModelError("the emulator holds no model yet; load one")
        return self._reference

    def _results(self, scores: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Of scores that leave the device."""
        found = np.concatenate([np.zeros((0, self.build.network.layers[-1]), dtype=np.int64), *scores])
        self._predicted -= len(found)
        return inference.classes(self.build.network, found) if self._form == ResultForm.CLASS else found
