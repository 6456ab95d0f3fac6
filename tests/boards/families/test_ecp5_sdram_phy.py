"""The ECP5's SDRAM pins: what is at them when, in both directions."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Elaboratable,
    Fragment,
    Module,
    Mux,
    Signal,
)
from amaranth.lib import io, wiring
from amaranth.sim import Simulator, SimulatorContext

from presparse_boards.families.ecp5.cells import INPUT_CYCLES, OUTPUT_CYCLES
from presparse_boards.families.ecp5.sdram_phy import Ecp5SdramPhy
from presparse_hw.store.sdram.access import SdramAccess
from presparse_hw.store.sdram.chip import IS42S16160, Sdram, SdramChip
from presparse_hw.store.sdram.ports import READ_PHASES
from presparse_sim.chips.sdram import SdramModel

Testbench = Callable[[SimulatorContext], Awaitable[None]]

PERIOD = 10e-9
CYCLES = 60
CHIP = IS42S16160
NAMES = {"cke": "clk_en", "cs": "cs", "ras": "ras", "cas": "cas", "we": "we", "ba": "ba", "a": "a", "dqm": "dqm"} | {
    "dq_o": "dq"
}
"""Pins by the names that the controller has for them."""


class DdrCells(Elaboratable):
    """ODDRX1F, IDDRX1F and the register of an output enable, as Lattice's models of them are."""

    def __init__(self, buffer: io.DDRBuffer) -> None:
        self._buffer = buffer

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.falling = falling = ClockDomain(clk_edge="neg", local=True, reset_less=True)
        m.d.comb += falling.clk.eq(ClockSignal())
        buffer, port = self._buffer, self._buffer.port
        inverted = Const(sum(bit << i for i, bit in enumerate(port.invert)), len(port))
        if buffer.direction is not io.Direction.Input:
            shown = Cat(buffer.o.as_value(), buffer.oe)
            for stage in range(3):
                register = Signal(len(shown), name=f"stage{stage}")
                m.d.sync += register.eq(shown)
                shown = register
            first, second = shown[: len(port)], shown[len(port) : 2 * len(port)]
            m.d.comb += [
                port.o.eq(Mux(ClockSignal(), first, second) ^ inverted),
                port.oe.eq(shown[-1].replicate(len(port))),
            ]
        if buffer.direction is not io.Direction.Output:
            rise, fall = Signal(len(port)), Signal(len(port))
            m.d.sync += rise.eq(port.i ^ inverted)
            m.d.falling += fall.eq(port.i ^ inverted)
            m.d.sync += [buffer.i[0].eq(rise), buffer.i[1].eq(fall)]
        return m


class Cells:
    """A platform that has them."""

    def get_io_buffer(self, buffer: io.DDRBuffer) -> DdrCells:
        assert isinstance(buffer, io.DDRBuffer), "a pin without registers"
        return DdrCells(buffer)


def port(chip: SdramChip, *, all_pins: bool) -> Any:
    """The pins of a chip, or as few as boards connect."""
    widths = {"clk": 1, "we": 1, "ras": 1, "cas": 1, "ba": chip.bank_bits, "a": chip.address_pins}
    if all_pins:
        widths |= {"clk_en": 1, "cs": 1, "dqm": chip.width // 8}
    low = {"cs", "we", "ras", "cas"}
    pins = {name: io.SimulationPort("o", width, invert=name in low, name=name) for name, width in widths.items()}
    return SimpleNamespace(**pins, dq=io.SimulationPort("io", chip.width, name="dq"))


def simulate(component: Elaboratable, user: Testbench, *others: Testbench) -> None:
    m = Module()
    m.domains.accelerator = ClockDomain(reset_less=True)
    m.submodules.component = DomainRenamer("accelerator")(component)
    simulator = Simulator(Fragment.get(m, Cells()))
    simulator.add_clock(PERIOD, domain="accelerator")
    simulator.add_testbench(user)
    for other in others:
        simulator.add_testbench(other, background=True)
    simulator.run()


def test_outputs_stand_still_around_the_edge_of_the_memorys_clock() -> None:
    pins = port(CHIP, all_pins=True)
    phy = Ecp5SdramPhy(CHIP, pins)
    rng = random.Random(1)

    async def user(ctx: SimulatorContext) -> None:
        given: list[dict[str, int]] = []

        def shown(pin: Any) -> int:
            return ctx.get(pin.o) ^ (pin.invert[0] * ((1 << len(pin)) - 1))

        for cycle in range(CYCLES):
            await ctx.tick("accelerator")
            values = {name: rng.getrandbits(len(getattr(phy.pads, name))) for name in (*NAMES, "dq_oe")}
            for name, value in values.items():
                ctx.set(getattr(phy.pads, name), value)
            given.append(values)
            now = 0.0
            for moment in (0.05, 0.45, 0.55, 0.95):
                await ctx.delay(PERIOD * (moment - now))
                now = moment
                if cycle >= OUTPUT_CYCLES:
                    found = {name: shown(getattr(pins, pin)) for name, pin in NAMES.items()}
                    found["dq_oe"] = ctx.get(pins.dq.oe) & 1
                    assert found == given[cycle - OUTPUT_CYCLES], (cycle, moment)
                    assert ctx.get(pins.dq.oe) in (0, (1 << CHIP.width) - 1)
                    assert ctx.get(pins.clk.o) == (moment > 0.5)

    simulate(phy, user)


def test_samples_of_the_middle_and_the_end_of_a_cycle_come_together() -> None:
    pins = port(CHIP, all_pins=False)
    phy = Ecp5SdramPhy(CHIP, pins)
    rng = random.Random(2)

    async def user(ctx: SimulatorContext) -> None:
        halves: list[tuple[int, int]] = []
        for cycle in range(CYCLES):
            await ctx.tick("accelerator")
            halves.append((rng.getrandbits(CHIP.width), rng.getrandbits(CHIP.width)))
            ctx.set(pins.dq.i, halves[-1][0])
            await ctx.delay(PERIOD * 0.45)
            if cycle > INPUT_CYCLES:
                shown = tuple(ctx.get(half) for half in phy.pads.dq_i)
                assert shown == halves[cycle - 1 - INPUT_CYCLES]
            await ctx.delay(PERIOD * 0.1)
            ctx.set(pins.dq.i, halves[-1][1])

    simulate(phy, user)


@pytest.mark.slow
@pytest.mark.parametrize("late", [0, 1])
def test_a_controller_finds_a_chip_behind_them(late: int) -> None:
    """With the cycles that the family says the pins add: writes arrive, and data are there in two of the read phases,
    the earlier the less late the chip is. Here it is two half cycles later than its model."""
    sdram = Sdram(chip=replace(CHIP, power_up_us=1.0), clock_hz=1 / PERIOD, pad_cycles=OUTPUT_CYCLES + INPUT_CYCLES)
    pins = port(CHIP, all_pins=True)
    model = SdramModel(replace(sdram, pad_cycles=0), late=late)
    access = SdramAccess(sdram, length_shift=4, most_words=100)
    m = Module()
    m.submodules.access = access
    m.submodules.phy = phy = Ecp5SdramPhy(CHIP, pins)
    wiring.connect(m, access.pads, phy.pads)

    async def chip(ctx: SimulatorContext) -> None:
        while True:
            await ctx.posedge(pins.clk.o)
            shown = {name: ctx.get(getattr(pins, pin).o) for name, pin in NAMES.items()}
            for name in ("cs", "ras", "cas", "we"):
                shown[name] ^= 1
            middle, end = model.step({**shown, "dq_oe": ctx.get(pins.dq.oe) & 1})
            ctx.set(pins.dq.i, middle)
            await ctx.delay(PERIOD / 2)
            ctx.set(pins.dq.i, end)

    async def host(ctx: SimulatorContext) -> None:
        async def command(data: int = 0, *, write: bool) -> int:
            ctx.set(access.commands.payload, {"address": 0x1234, "data": data, "write": int(write)})
            ctx.set(access.commands.valid, 1)
            await ctx.tick("accelerator").until(access.commands.ready)
            ctx.set(access.commands.valid, 0)
            ctx.set(access.answers.ready, 1)
            [answer] = await ctx.tick("accelerator").sample(access.answers.payload).until(access.answers.valid)
            ctx.set(access.answers.ready, 0)
            return answer

        await command(0xCAFE1234, write=True)
        found = []
        for phase in range(READ_PHASES):
            ctx.set(access.phase, phase)
            found.append(await command(write=False) == 0xCAFE1234)
        assert found == [phase in (late + 1, late + 2) for phase in range(READ_PHASES)]
        assert model.broken == []

    simulate(m, host, chip)
