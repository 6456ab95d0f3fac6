"""Every board's whole top at its pins, in real time: an oscillator, a serial port that keeps the board's nominal baud,
eyes on the LEDs and a finger on the button. Only the PLL is a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Fragment, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator, SimulatorContext

from presparse.contract.build import Build
from presparse.contract.operations import Operation, Status
from presparse.contract.store import StoreState
from presparse.contract.wire import Identity
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import BOARDS, find_board
from presparse_boards.clocking.clock import plan_clock
from presparse_boards.clocking.solver import Settings
from presparse_boards.gateware.leds import TICK_CYCLES
from presparse_boards.gateware.top import RESET_SECONDS, BoardTop
from presparse_hw.link.identity import identity_of
from presparse_hw.store.sdram.chip import Sdram, SdramChip
from presparse_hw.store.sdram.ports import SdramPadSignature
from presparse_sim.chips.sdram import PINS, SdramModel
from tests.boards.boards.pins import BUILD
from tests.hw.link.bench import Answer, frame

pytestmark = pytest.mark.slow


BUILD_ID = "0123456789abcdef"
BLINK_CYCLES = 8 * TICK_CYCLES
LOCK_SECONDS = 3e-6


class PllModel(wiring.Component):
    """A clock of the right frequency, and `locked` after a while: both are the test's."""

    o_clk: Signal
    locked: Signal

    def __init__(self) -> None:
        super().__init__({"o_clk": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.pll = ClockDomain(reset_less=True)
        m.d.comb += self.o_clk.eq(ClockSignal("pll"))
        return m


class PadsModel(wiring.Component):
    """Pads without registers; what is at them is the test's."""

    pads: Any

    def __init__(self, chip: SdramChip) -> None:
        super().__init__({"pads": In(SdramPadSignature(chip))})

    def elaborate(self, platform: object) -> Module:
        return Module()


class Pins:
    """A platform whose ports are signals; what there is and which way round comes from the real one."""

    def __init__(self, board: Board) -> None:
        real: Any = board.platform()
        self.device = real.device
        self.resources = real.resources
        self.default_clk = real.default_clk
        self.default_rst = real.default_rst
        self.ports: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        """Ports that belong together, as the board requests them."""
        self.pll = PllModel()
        self.pll_settings: list[Settings] = []
        self.sdram: PadsModel | None = None

    def get_pll(self, settings: Settings, pin: io.PortLike) -> PllModel:
        self.pll_settings.append(settings)
        return self.pll

    def get_sdram_phy(self, chip: SdramChip, port: Any) -> PadsModel:
        self.sdram = PadsModel(chip)
        return self.sdram

    def request(self, name: str, number: int = 0, *, dir: str) -> Any:
        assert dir == "-"
        found = [self._port(f"{name}_{number}", pins) for pins in self.resources[name, number].ios]
        if len(found) == 1 and not isinstance(found[0], tuple):
            return found[0]
        group: Any = type("Group", (), {})()
        for key, port in found:
            setattr(group, key, port)
        self.groups[f"{name}_{number}"] = group
        return group

    def _port(self, path: str, pins: Any) -> Any:
        if hasattr(pins, "ios"):  # a signal of a group
            return pins.name, self._port(f"{path}.{pins.name}", pins.ios[0])
        direction = {"i": io.Direction.Input, "o": io.Direction.Output, "io": io.Direction.Bidir}[pins.dir]
        self.ports[path] = io.SimulationPort(direction, len(pins.names), invert=pins.invert, name=path)
        return self.ports[path]

    def press(self, ctx: SimulatorContext, pressed: bool) -> None:
        """The board's button, as a finger sees it."""
        button = self.ports[f"{self.default_rst}_0"]
        ctx.set(button.i, pressed ^ button.invert[0])

    def lit(self, ctx: SimulatorContext, number: int) -> bool:
        led = self.ports[f"led_{number}"]
        return bool(ctx.get(led.o)) ^ led.invert[0]


class SerialPort:
    """A USB serial port: knows the baud rate, not the board's clock."""

    def __init__(self, pins: Pins, baud: int) -> None:
        self._rx, self._tx = pins.ports["uart_0.rx"].i, pins.ports["uart_0.tx"].o
        self._bit = 1 / baud
        self.received = bytearray()

    async def send(self, ctx: SimulatorContext, data: bytes) -> None:
        for byte in data:
            for level in (0, *(byte >> bit & 1 for bit in range(8)), 1):
                ctx.set(self._rx, level)
                await ctx.delay(self._bit)

    async def listen(self, ctx: SimulatorContext) -> None:
        """Runs in the background."""
        while True:
            await ctx.negedge(self._tx)
            await ctx.delay(self._bit * 1.5)
            byte = 0
            for bit in range(8):
                byte |= ctx.get(self._tx) << bit
                await ctx.delay(self._bit)
            assert ctx.get(self._tx) == 1, "the stop bit is wrong"
            self.received.append(byte)

    async def identity(self, ctx: SimulatorContext, sequence: int) -> Identity:
        """What the board says of itself."""
        self.received.clear()
        await self.send(ctx, frame(sequence, Operation.IDENTIFY))
        for _ in range(200):
            if self.received.endswith(b"\0"):
                break
            await ctx.delay(10 * self._bit)
        answer = Answer.parse(bytes(self.received[:-1]))
        assert (answer.sequence, answer.operation, answer.status) == (sequence, Operation.IDENTIFY, Status.OK)
        return Identity.unpack(answer.payload)


# One of every kind of board (sizes differ in nothing that is simulated here), and cycles per bit of the clock that is
# wanted. They are few, so that little has to be simulated; the baud rate is the board's own. Some clocks are as wrong
# for it as is allowed, either way.
KINDS = {
    "ulx3s-85f": 8.0,
    "ecpix5-45f": 8.159,
    "icebreaker": 8.0,
    "colorlight-i5": 7.85,
    "colorlight-5a-75b": 8.0,
    "icepi-zero": 8.0,
    "icesugar-pro": 8.0,
    "arty-a7-35t": 6.119,
}
FIRST = ("ulx3s-85f", "icebreaker", "arty-a7-35t")
"""One per family; the others are nightly's."""


def test_every_kind_is_tried() -> None:
    assert {name.rsplit("-", 1)[0] for name in BOARDS} == {name.rsplit("-", 1)[0] for name in KINDS}


def test_some_clocks_are_as_wrong_as_is_allowed() -> None:
    errors = [
        float(plan_clock(find_board(name), cycles * find_board(name).baud).baud_error) for name, cycles in KINDS.items()
    ]
    assert min(errors) < -0.015
    assert max(errors) > 0.015


@pytest.mark.parametrize(
    "name", [name if name in FIRST else pytest.param(name, marks=pytest.mark.nightly) for name in KINDS]
)
def test_answers_blinks_and_resets(name: str) -> None:
    board = find_board(name)
    clock_hz = KINDS[name] * board.baud
    blink_hz = round(clock_hz / BLINK_CYCLES)
    top = BoardTop(BUILD, board, clock_hz, build_id=BUILD_ID, blink_hz=blink_hz)
    pins = Pins(board)
    fragment = Fragment.get(top, pins)
    port = SerialPort(pins, board.baud)
    has_activity = ("led", 1) in pins.resources
    assert pins.pll_settings == [top.clock.pll]

    async def identify(ctx: SimulatorContext, sequence: int) -> None:
        found = await port.identity(ctx, sequence)
        assert found == identity_of(BUILD, build_id=BUILD_ID, accepted=0, window=board.window)

    async def blinks(ctx: SimulatorContext) -> list[bool]:
        """The heartbeat, four times per period, for two periods."""
        seen = []
        for _ in range(8):
            seen.append(pins.lit(ctx, 0))
            await ctx.delay(1 / (4 * blink_hz))
        return seen

    async def user(ctx: SimulatorContext) -> None:
        if pins.default_rst:
            pins.press(ctx, False)
        ctx.set(pins.ports["uart_0.rx"].i, 1)
        await ctx.delay(LOCK_SECONDS)
        assert await blinks(ctx) == [False] * 8, "nothing lives before the PLL has locked"

        ctx.set(pins.pll.locked, 1)
        await ctx.delay(float(RESET_SECONDS) * 1.05)
        assert not (has_activity and pins.lit(ctx, 1))
        await identify(ctx, 0)
        assert not has_activity or pins.lit(ctx, 1)
        seen = await blinks(ctx)
        assert seen[:4] == seen[4:]
        assert sum(seen) == 4

        if pins.default_rst:
            pins.press(ctx, True)
            await ctx.delay(1e-6)
            assert await blinks(ctx) == [False] * 8
            assert not (has_activity and pins.lit(ctx, 1))
            pins.press(ctx, False)
            await ctx.delay(float(RESET_SECONDS) * 1.05)
            await identify(ctx, 0)

    simulator = Simulator(fragment)
    simulator.add_clock(1 / float(top.clock.hz), domain="pll")
    simulator.add_testbench(user)
    simulator.add_testbench(port.listen, background=True)
    simulator.run()


def test_it_tests_its_sdram() -> None:
    """At start-up, and tells by IDENTIFY when it is ready, and in which phase it is read."""
    real = find_board("ulx3s-85f")
    assert real.sdram is not None
    board = replace(real, sdram=replace(real.sdram, power_up_us=1.0))
    build = Build(network=BUILD.network, store_memory="sdram", store_samples=1000)
    top = BoardTop(build, board, 4.0 * board.baud, build_id=BUILD_ID)
    pins = Pins(board)
    fragment = Fragment.get(top, pins)
    port = SerialPort(pins, board.baud)
    assert top.sdram is not None
    assert board.sdram is not None
    assert pins.sdram is not None
    pads = pins.sdram.pads
    chip = SdramModel(
        Sdram(chip=board.sdram, clock_hz=float(top.clock.hz), pad_cycles=top.sdram.sdram.pad_cycles), late=2
    )

    async def memory(ctx: SimulatorContext) -> None:
        while True:
            _, _, *values = await ctx.tick("pll").sample(*(getattr(pads, name) for name in PINS))
            both = chip.step(dict(zip(PINS, values, strict=True)))
            for half, value in zip(pads.dq_i, both, strict=True):
                ctx.set(half, value)

    async def user(ctx: SimulatorContext) -> None:
        pins.press(ctx, False)
        ctx.set(pins.ports["uart_0.rx"].i, 1)
        ctx.set(pins.pll.locked, 1)
        await ctx.delay(float(RESET_SECONDS) * 1.05)
        for sequence in range(8):
            found = await port.identity(ctx, sequence)
            if found.store != StoreState.TESTING:
                break
        assert sequence, "it is ready before it can have been tested"
        assert (found.store, found.read_phase) == (StoreState.READY, 2)
        assert chip.broken == []

    simulator = Simulator(fragment)
    simulator.add_clock(1 / float(top.clock.hz), domain="pll")
    simulator.add_testbench(user)
    for background in (port.listen, memory):
        simulator.add_testbench(background, background=True)
    simulator.run()
