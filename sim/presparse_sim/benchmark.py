"""The simulated core for `presparse bench` and the MNIST run."""

from __future__ import annotations

from presparse.contract.build import Build
from presparse_sim.core import Parameters, SimulatedCore


def simulated_core(build: Build, parameters: Parameters) -> SimulatedCore:
    """A core that is loaded and waits for samples. Raises ToolMissing, CacheError, CompileError."""
    core = SimulatedCore(build)
    core.load(parameters)
    return core
