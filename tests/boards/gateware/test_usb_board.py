"""A whole board on USB at its pins, and the real driver on the other side of the cable: load, predict, train and read
back, exact."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Fragment, Module
from amaranth.sim import Simulator, SimulatorContext
from luna.gateware.interface.ulpi import UTMITranslator
from luna.gateware.usb.usb2.reset import USBResetSequencer

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.device.session import Session
from presparse.reference.pytorch import Reference
from presparse_boards.boards.registry import find_board
from presparse_boards.gateware.top import RESET_SECONDS, BoardTop
from tests.boards.gateware.test_top import Pins
from tests.boards.gateware.ulpi_phy import UlpiBus
from tests.boards.gateware.usb_host import HZ, UsbHost
from tests.networks import random_model, random_samples

pytestmark = pytest.mark.slow

NETWORK = Network(
    features=8, classes=4, layers=(8, 4, 4), out_degree=(2, 2), lanes=(4, 2), activations=("relu", "sigmoid")
)
BUILD = Build(network=NETWORK, feature_port=2)
BUILD_ID = "0123456789abcdef"


class SimulatedUsb:
    """A `Link` and a `Clock`: time passes on the simulated bus while somebody waits."""

    def __init__(self) -> None:
        board = find_board("ecpix5-45f").with_link("usb")
        top = BoardTop(BUILD, board, 100e6, build_id=BUILD_ID)
        self._pins = Pins(board)
        fragment = Fragment.get(top, self._pins)
        ulpi = self._pins.groups["ulpi_0"]
        self._bus = UlpiBus(ulpi, domain="phy")
        self.host = UsbHost(self._bus, seed=5, stalls=0.05)
        self._enumerated = False
        m = Module()
        m.submodules.top = fragment
        m.domains.phy = ClockDomain(reset_less=True)
        m.d.comb += ulpi.clk.i.eq(ClockSignal("phy") & ~ulpi.rst.o)  # a PHY in reset has no clock
        self._simulator = Simulator(m)
        self._simulator.add_clock(1 / HZ, domain="phy")
        self._simulator.add_clock(1 / float(top.clock.hz), domain="pll")
        self._simulator.add_testbench(self._run)
        while not self._enumerated:
            self._simulator.advance()

    async def _run(self, ctx: SimulatorContext) -> None:
        self._pins.press(ctx, False)
        ctx.set(self._pins.pll.locked, 1)
        await ctx.delay(float(RESET_SECONDS) * 0.9)
        assert ctx.get(self._pins.groups["ulpi_0"].rst.o) == 1
        await ctx.delay(float(RESET_SECONDS) * 0.2)
        assert ctx.get(self._pins.groups["ulpi_0"].rst.o) == 0
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
        return self._bus.cycles / HZ

    def sleep(self, seconds: float, /) -> None:
        raise AssertionError("nobody has to wait for a link that never closes")


@pytest.mark.nightly
def test_the_driver_on_a_board_on_usb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some packets are lost or harmed on the bus; the driver repeats nothing, for USB already has."""
    monkeypatch.setattr(USBResetSequencer, "_CYCLES_2_MILLISECONDS", 600)
    monkeypatch.setattr(UTMITranslator, "_CYCLES_1_MILLISECONDS", 60)
    link = SimulatedUsb()
    session = Session(lambda: link, BUILD, timeout=0.01, retries=0, clock=link)
    assert session.identify().build == BUILD_ID
    assert session.identify().window == 16
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
