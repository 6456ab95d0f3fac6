"""The UART: both directions, clocks that differ, lines that misbehave."""

from __future__ import annotations

import gc

import pytest
from amaranth.hdl import ClockDomain, DomainRenamer, Module
from amaranth.sim import Simulator, SimulatorContext

from presparse_hw.link.uart import UartLink, UartReceiver, UartTransmitter

pytestmark = pytest.mark.slow


BYTES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, 0x7F, 0xFE, 0x12, 0xED] * 3


@pytest.mark.parametrize("mismatch", [0.98, 1.0, 1.02])
@pytest.mark.parametrize("divisor", [4, 5, 8, 13, 40])
def test_loop_back_between_clocks(divisor: int, mismatch: float) -> None:
    """A transmitter whose clock runs off by 2 % sends without pauses; every byte arrives."""
    m = Module()
    m.domains.far = ClockDomain(reset_less=True)
    transmitter, receiver = UartTransmitter(divisor), UartReceiver(divisor)
    m.submodules.transmitter = DomainRenamer("far")(transmitter)
    m.submodules.receiver = receiver
    m.d.comb += receiver.rx.eq(transmitter.tx)
    received: list[int] = []

    async def send(ctx: SimulatorContext) -> None:
        await ctx.tick("far").repeat(3 * divisor)
        for byte in BYTES:
            ctx.set(transmitter.i.payload, byte)
            ctx.set(transmitter.i.valid, 1)
            await ctx.tick("far").until(transmitter.i.ready)
        ctx.set(transmitter.i.valid, 0)

    async def receive(ctx: SimulatorContext) -> None:
        ctx.set(receiver.o.ready, 1)
        async for _, _, valid, byte in ctx.tick().sample(receiver.o.valid, receiver.o.payload):
            if valid:
                received.append(byte)

    async def end(ctx: SimulatorContext) -> None:
        await ctx.tick().repeat(int((len(BYTES) + 2) * 10.5 * divisor))

    simulator = Simulator(m)
    simulator.add_clock(1e-8, phase=0.3e-8)
    simulator.add_clock(1e-8 * mismatch, domain="far")
    simulator.add_testbench(send)
    simulator.add_testbench(receive, background=True)
    simulator.add_testbench(end)
    simulator.run()
    assert received == BYTES


def test_glitches_breaks_and_wrong_stop_bits_give_no_byte() -> None:
    divisor = 8
    uart = UartLink(divisor)
    received: list[int] = []

    async def line(ctx: SimulatorContext) -> None:
        async def hold(level: int, cycles: int) -> None:
            ctx.set(uart.rx, level)
            await ctx.tick().repeat(cycles)

        async def send(byte: int, *, stop: int = 1) -> None:
            for bit in (0, *(byte >> i & 1 for i in range(8)), stop):
                await hold(bit, divisor)

        ctx.set(uart.received.ready, 1)
        await hold(1, 20)
        await send(0x31)
        await hold(0, 2)  # shorter than half a start bit
        await hold(1, 30)
        await send(0x32)
        await hold(0, 50 * divisor)  # break
        await hold(1, 2 * divisor)
        await send(0x33, stop=0)
        await hold(1, 2 * divisor)
        await send(0x34)
        await send(0x35)
        await hold(1, 2 * divisor)

    async def receive(ctx: SimulatorContext) -> None:
        async for _, _, valid, byte in ctx.tick().sample(uart.received.valid, uart.received.payload):
            if valid:
                received.append(byte)

    simulator = Simulator(uart)
    simulator.add_clock(1e-8)
    simulator.add_testbench(line)
    simulator.add_testbench(receive, background=True)
    simulator.run()
    assert received == [0x31, 0x32, 0x34, 0x35]


def test_the_line_as_it_is_sent() -> None:
    """Two bytes, without a pause between them."""
    divisor = 5
    uart = UartLink(divisor)
    line: list[int] = []

    async def send(ctx: SimulatorContext) -> None:
        for byte in (0b0100_1101, 0b1010_0110):
            ctx.set(uart.sent.payload, byte)
            ctx.set(uart.sent.valid, 1)
            await ctx.tick().until(uart.sent.ready)
        ctx.set(uart.sent.valid, 0)

    async def listen(ctx: SimulatorContext) -> None:
        async for _, _, level in ctx.tick().sample(uart.tx):
            line.append(level)
            if len(line) == 22 * divisor:
                return

    simulator = Simulator(uart)
    simulator.add_clock(1e-8)
    simulator.add_testbench(send)
    simulator.add_testbench(listen)
    simulator.run()
    levels = [*(0, 1, 0, 1, 1, 0, 0, 1, 0, 1), *(0, 0, 1, 1, 0, 0, 1, 0, 1, 1)]
    start = line.index(0)
    assert line[start : start + 20 * divisor] == [level for level in levels for _ in range(divisor)]
    assert all(line[:start])
    assert all(line[start + 20 * divisor :])


def test_refuses_a_divisor_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UartReceiver, "_MustUse__silence", True)  # Amaranth warns of what was made and not used
    message = r"^divisor must be at least 4 cycles per bit, and is 3; use a lower baud rate$"
    with pytest.raises(ValueError, match=message):
        UartReceiver(3)
    gc.collect()
