"""The core: cycles per sample, measured in simulation, and with a routed design's clock samples per second."""

from __future__ import annotations

from dataclasses import dataclass

from presparse.benchmark.clock import Clock
from presparse.benchmark.work import Work
from presparse.contract.build import Build


@dataclass(frozen=True, kw_only=True)
class Core:
    """A core in steady state. What needs a clock is None if no routed design is known."""

    lanes: tuple[int, ...]
    cycles_per_sample: float
    """Measured in the simulated core."""
    latency_cycles: int
    """Of one inference alone (`Build.latency`), as calculated."""
    latency_us: float | None
    """The same in microseconds at fmax."""
    products_per_sample: int
    multipliers: int
    utilization: float
    """Useful products over multipliers times cycles."""
    board: str | None
    fmax_mhz: float | None
    fmax_source: str | None
    """The bundle, or the command that measures it again."""
    samples_per_second: float | None
    limit_samples_per_second: float | None
    """Every multiplier with a useful product in every cycle."""
    distance_to_limit: float | None
    """1 - samples per second over the limit."""

    @classmethod
    def of(cls, build: Build, cycles: float, clock: Clock | None) -> Core:
        work = Work.of(build)
        speed = limit = None
        if clock is not None:
            speed, limit = clock.fmax_mhz * 1e6 / cycles, work.limit(clock.fmax_mhz * 1e6)
        return cls(
            lanes=build.lanes,
            cycles_per_sample=cycles,
            latency_cycles=build.latency,
            latency_us=build.latency / clock.fmax_mhz if clock else None,
            products_per_sample=work.products,
            multipliers=work.multipliers,
            utilization=work.utilization(cycles),
            board=clock.board if clock else None,
            fmax_mhz=clock.fmax_mhz if clock else None,
            fmax_source=clock.source if clock else None,
            samples_per_second=speed,
            limit_samples_per_second=limit,
            distance_to_limit=None if speed is None or limit is None else 1 - speed / limit,
        )
