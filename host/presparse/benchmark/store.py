"""From the board's sample store: cycles per sample of the whole simulated board, measured with its own counters."""

from __future__ import annotations

from dataclasses import dataclass

from presparse.benchmark.clock import Clock
from presparse.benchmark.errors import BenchmarkError
from presparse.contract.build import Build
from presparse.contract.samples import Samples
from presparse.contract.store import Contents
from presparse.contract.wire import SampleKind, StoredRun
from presparse.device.session import Session

_STORED = 128
"""Samples of a build that has no store of its own."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """Training from the store."""

    cycles_per_sample: float
    """In steady state: the difference between a long run and a short one."""
    samples_per_second: float | None
    """At the routed design's fmax; None if no clock is known of a design with a store."""

    @classmethod
    def of(cls, cycles: float, clock: Clock | None) -> Store:
        return cls(cycles_per_sample=cycles, samples_per_second=clock.fmax_mhz * 1e6 / cycles if clock else None)


def with_store(build: Build) -> Build:
    """The build, with a store if it has none."""
    if build.store is not None:
        return build
    return Build(network=build.network, lanes=build.lanes, gap=build.gap, store_samples=_STORED)


def stored_cycles(session: Session, samples: Samples) -> float:
    """Cycles per sample, trained from the store of a board whose model is loaded."""
    layout = session.build.store
    count = 0 if layout is None else min(layout.capacity(layout.largest_slot), len(samples))
    if layout is None or count < 2:
        raise BenchmarkError(f"a board must store at least 2 samples to be measured, and this one stores {count}")
    contents = Contents.encode(layout, samples.features[:count], samples.labels[:count])
    session.store(contents)
    few = count // 8
    return (_cycles(session, count, contents.slot) - _cycles(session, few, contents.slot)) / (count - few)


def _cycles(session: Session, count: int, slot: int) -> int:
    """Of a run over the first `count` samples, from its first to the drained pipeline."""
    session.clear_counters()
    rate = session.build.network.rates.most
    session.begin(StoredRun(kind=SampleKind.TRAIN, rate=rate, slot=slot, count=count))
    while session.follow().running:
        pass
    return session.counters()["cycles"]
