"""The cycles of one inference, as the contract has them, are those of the core."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import SimulatorContext

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.wire import SampleKind
from presparse_hw.core.core import Core
from tests.hw.bench import simulate
from tests.networks import random_build

pytestmark = pytest.mark.slow


BUILDS = {
    **{f"random {seed}": random_build(np.random.default_rng(seed), neurons=12) for seed in range(12)},
    "features wider than the banks": Build(
        network=Network(
            features=8, classes=2, layers=(8, 4, 2), out_degree=(2, 1), lanes=(4, 2), activations=("relu", "sigmoid")
        ),
        lanes=(2, 2),
        feature_port=8,
    ),
}


def measured(build: Build) -> int:
    """Cycles from the transfer of the first features of a lone sample to that of its last scores."""
    core = Core(build)
    transfers = build.network.layers[0] // build.feature_port
    took: list[int] = []

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(core.results.ready, 1)
        for _ in range(2):  # the first one also waits until the core has cleared its delta sums
            while not ctx.get(core.drained):
                await ctx.tick()
            sent, began, cycle = 0, 0, 0
            while True:
                kind = SampleKind.PREDICT if sent < transfers else SampleKind.FLUSH
                ctx.set(core.samples.valid, sent <= transfers)
                ctx.set(core.samples.payload.kind, kind)
                if ctx.get(core.samples.ready) and sent <= transfers:
                    began = began if sent else cycle
                    sent += 1
                ended = ctx.get(core.results.valid) and ctx.get(core.results.payload.last)
                await ctx.tick()
                if ended:
                    break
                cycle += 1
            ctx.set(core.samples.valid, 0)
            took.append(cycle - began)
            await ctx.tick().repeat(2)  # until `drained` knows of the sample

    simulate(core, testbench)
    return took[-1]


@pytest.mark.parametrize("name", BUILDS)
def test_latency_of_a_lone_sample(name: str) -> None:
    build = BUILDS[name]
    assert measured(build) == build.latency


def test_latency_worked_out_by_hand() -> None:
    """8 features one by one; a start in 1 + 2 cycles; 16 edges on 2 lanes, of which the last have their turn 7 cycles
    after the first; operands, product and sum of 2 take 7 + 3 + 1 + 1, the activation 4; the queue and a stage 4."""
    network = Network(features=8, classes=4, layers=(8, 4), out_degree=(2,), lanes=(2,), activations=("sigmoid",))
    assert Build(network=network, mode="infer").latency == 8 + 3 + 7 + (7 + 3 + 1 + 1 + 4) + 4
