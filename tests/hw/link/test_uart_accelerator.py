"""The whole accelerator at its pins: bits in on `rx`, bits out on `tx`, nothing else."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from amaranth.sim import Simulator, SimulatorContext

from presparse.contract.address_map import bias_address, edge_address, pack_biases, pack_edges
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.operations import Operation, Status
from presparse.contract.samples import Samples
from presparse.contract.wire import Identity, SampleKind
from presparse.model import Model
from presparse.reference.pytorch import Reference
from presparse_hw.accelerator import UartAccelerator
from presparse_hw.link.identity import identity_of
from tests.hw.link.bench import SCORES, Answer, frame, record
from tests.networks import random_model

pytestmark = pytest.mark.slow


DIVISOR = 4
BUILD_ID = "fedcba9876543210"
NETWORK = Network(features=4, classes=2, layers=(4, 2), out_degree=(1,), lanes=(2,), activations=("sigmoid",))
BUILD = Build(network=NETWORK, feature_port=2)


class Host:
    """A serial port, bit by bit, and requests on it, one at a time."""

    def __init__(self, dut: UartAccelerator) -> None:
        self._dut = dut
        self._sequence = 0
        self._line: list[int] = []

    async def listen(self, ctx: SimulatorContext) -> None:
        """Runs in the background: notes the level of `tx` in every cycle."""
        async for _, _, level in ctx.tick().sample(self._dut.tx):
            self._line.append(level)

    def received(self) -> bytes:
        """What the levels mean: start bit, eight data bits from the lowest, stop bit, taken in their middle."""
        received, at = bytearray(), 0
        while 0 in self._line[at:]:
            middle = self._line.index(0, at) + DIVISOR // 2
            levels = self._line[middle : middle + 10 * DIVISOR : DIVISOR]
            if len(levels) < 10:
                break  # still on its way
            start, *bits, stop = levels
            assert (start, stop) == (0, 1)
            received.append(sum(level << i for i, level in enumerate(bits)))
            at = middle + 9 * DIVISOR
        return bytes(received)

    async def ask(self, ctx: SimulatorContext, operation: Operation, payload: bytes = b"") -> bytes:
        """Send a request, wait for its answer, check its header; returns its payload."""
        for byte in frame(self._sequence, operation, payload):
            for level in (0, *(byte >> bit & 1 for bit in range(8)), 1):
                ctx.set(self._dut.rx, level)
                await ctx.tick().repeat(DIVISOR)
        for _ in range(200):  # bytes: more than any answer here, and than a flush takes
            if self.received().endswith(b"\0"):
                break
            await ctx.tick().repeat(10 * DIVISOR)
        answer = Answer.parse(self.received()[:-1])
        assert (answer.sequence, answer.operation, answer.status) == (self._sequence, operation, Status.OK)
        self._sequence += 1
        self._line.clear()
        return answer.payload


def regions(model: Model) -> list[tuple[int, bytes]]:
    """Address and words of every junction's edges and biases."""
    found = []
    for j, left, weights, biases in zip(BUILD.junctions, model.left, model.weights, model.biases, strict=True):
        found.append((edge_address(j.index), pack_edges(j, left, weights).astype("<u4").tobytes()))
        found.append((bias_address(j.index), pack_biases(j, biases).astype("<u4").tobytes()))
    return found


def test_identify_load_train_and_predict_through_the_pins() -> None:
    dut = UartAccelerator(BUILD, DIVISOR, build_id=BUILD_ID)
    host = Host(dut)
    model = random_model(np.random.default_rng(2), NETWORK)
    trained, predicted = [200, -17, 3, 511], [-90, 256, 0, 31]
    reference = Reference(BUILD, model)
    reference.run(Samples.train(np.array([trained]), 1, 3))
    scores = reference.run(Samples.predict(np.array([predicted])))
    reference.flush()
    assert scores.shape == (1, 2)
    before, after = regions(model), regions(reference.model())
    assert before != after

    async def testbench(ctx: SimulatorContext) -> None:
        identity = Identity.unpack(await host.ask(ctx, Operation.IDENTIFY))
        assert identity == identity_of(BUILD, build_id=BUILD_ID, accepted=0)
        for address, words in before:
            await host.ask(ctx, Operation.WRITE, struct.pack("<I", address) + words)
        for address, words in before:
            assert await host.ask(ctx, Operation.READ, struct.pack("<IH", address, len(words) // 4)) == words
        to_train = record(BUILD, SampleKind.TRAIN, trained, label=1, rate=3)
        await host.ask(ctx, Operation.SAMPLES, to_train + record(BUILD, SampleKind.PREDICT, predicted))
        await host.ask(ctx, Operation.FLUSH)
        assert await host.ask(ctx, Operation.RESULTS, SCORES) == scores.astype("<i2").tobytes()
        for address, words in after:
            assert await host.ask(ctx, Operation.READ, struct.pack("<IH", address, len(words) // 4)) == words

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.add_testbench(host.listen, background=True)
    simulator.run()
