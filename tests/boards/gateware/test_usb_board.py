"""A whole board on USB, and the real driver on the other side of the bus: load, predict, train and read back, exact."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator, SimulatorContext
from luna.gateware.interface.utmi import UTMIInterface
from luna.gateware.usb.usb2.reset import USBResetSequencer

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.device.session import Session
from presparse.reference.pytorch import Reference
from presparse_boards.gateware.usb_link import UsbLink
from presparse_hw.accelerator import Accelerator
from tests.boards.gateware.usb_host import HZ, UsbHost
from tests.networks import random_model, random_samples

pytestmark = pytest.mark.slow

NETWORK = Network(
    features=8, classes=4, layers=(8, 4, 4), out_degree=(2, 2), lanes=(4, 2), activations=("relu", "sigmoid")
)
BUILD = Build(network=NETWORK, feature_port=2)
WINDOW, BUILD_ID = 16, "0123456789abcdef"


class Board(wiring.Component):
    """An accelerator behind a USB device."""

    def __init__(self, utmi: UTMIInterface) -> None:
        self._link = UsbLink(utmi, product="ecpix5-45f network", serial=BUILD_ID)
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = accelerator = Accelerator(BUILD, build_id=BUILD_ID, window=WINDOW)
        m.submodules.link = self._link
        wiring.connect(m, self._link.received, accelerator.i_bytes)
        wiring.connect(m, accelerator.o_bytes, self._link.sent)
        return m


class SimulatedUsb:
    """A `Link` and a `Clock`: time passes on the simulated bus while somebody waits."""

    def __init__(self) -> None:
        utmi = UTMIInterface()
        self.host = UsbHost(utmi, seed=5, stalls=0.05)
        self._enumerated = False
        self._simulator = Simulator(Board(utmi))
        self._simulator.add_clock(1 / HZ, domain="usb")
        self._simulator.add_clock(1e-8)
        self._simulator.add_testbench(self._bus)
        while not self._enumerated:
            self._simulator.advance()

    async def _bus(self, ctx: SimulatorContext) -> None:
        await self.host.reset_bus(ctx)
        await self.host.set_up(ctx)
        self._enumerated, self.host.harm = True, 0.03
        while True:
            await self.host.carry_once(ctx)

    def write(self, data: bytes) -> None:
        self.host.to_device += data

    def read(self, limit: int, timeout: float) -> bytes:
        end = self.monotonic() + timeout
        while not self.host.from_device and self.monotonic() < end:
            self._simulator.advance()
        data = bytes(self.host.from_device[:limit])
        del self.host.from_device[:limit]
        return data

    def close(self) -> None:
        pass

    def monotonic(self) -> float:
        return self.host.cycles / HZ

    def sleep(self, seconds: float, /) -> None:
        raise AssertionError("nobody has to wait for a link that never closes")


def test_the_driver_on_a_board_on_usb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some packets are lost or harmed on the bus; the driver repeats nothing, for USB already has."""
    monkeypatch.setattr(USBResetSequencer, "_CYCLES_2_MILLISECONDS", 600)
    link = SimulatedUsb()
    session = Session(lambda: link, BUILD, timeout=0.01, retries=0, clock=link)
    assert session.identify().build == BUILD_ID
    assert session.identify().window == WINDOW
    rng = np.random.default_rng(6)
    model = random_model(rng, NETWORK)
    reference = Reference(BUILD, model)
    session.load(model)
    samples = random_samples(rng, BUILD, 60)
    scores = [reference.run(samples), reference.flush()]
    np.testing.assert_array_equal(np.concatenate([session.feed(samples), session.flush()]), np.concatenate(scores))
    held, expected = session.read(), reference.model()
    for kind in ("left", "weights", "biases"):
        for own, other in zip(getattr(held, kind), getattr(expected, kind), strict=True):
            np.testing.assert_array_equal(own, other, err_msg=kind)
    assert any((a != b).any() for a, b in zip(held.weights, model.weights, strict=True))
    counters = session.counters()
    assert {name: counters[name] for name in reference.counters} == reference.counters
    assert counters["frames_repeated"] == counters["frames_corrupt"] == 0
    assert link.host.seen["repeated by the device"] + link.host.seen["lost to the host"] > 3
