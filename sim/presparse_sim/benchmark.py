"""The simulated core as a contestant of `presparse bench`."""

from __future__ import annotations

from collections.abc import Callable

from presparse.contract.build import Build
from presparse.contract.samples import Samples
from presparse_sim.core import Parameters, SimulatedCore


def simulated_core(build: Build, parameters: Parameters) -> tuple[Callable[[Samples], None], Callable[[], int]]:
    """(train, cycles): trains on samples as fast as the core takes them; clock cycles so far. One thread."""
    core = SimulatedCore(build)
    core.load(parameters)

    def train(samples: Samples) -> None:
        core.run(samples)

    return train, lambda: core.cycles
