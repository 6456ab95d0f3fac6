"""A ULPI PHY with its cable, in Amaranth's simulator: what it does at the pins of an FPGA (ULPI 1.1, chapter 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.sim import SimulatorContext

from tests.boards.gateware.usb_host import CHIRP_CYCLES, SE0, TIMEOUT_CYCLES, J, K

_FUNCTION_CONTROL = 0x04
_FULL_SPEED, _CHIRP, _HIGH_SPEED = 0b0100_0101, 0b0101_0100, 0b0100_0000
"""Of the register: SuspendM, OpMode, TermSelect, XcvrSelect."""
_TRANSMIT, _WRITE = 0b01, 0b10
"""The upper bits of a command."""
_VBUS = 0b1100
_RECEIVES = 0b1_0000


class UlpiBus:
    """What a `UsbHost` uses; the pins are simulated ports.

    Parameters
    ----------
    pins : clk, data, dir, nxt, stp, rst
    domain : that the PHY makes the clock of
    """

    def __init__(self, pins: Any, *, domain: str) -> None:
        self._pins, self._domain = pins, domain
        self.cycles = 0
        self.registers: dict[int, int] = {}
        """As the FPGA wrote them."""

    async def idle(self, ctx: SimulatorContext, cycles: int) -> None:
        for _ in range(cycles):
            if self._command(ctx) == _WRITE:
                await self._write(ctx)
            else:
                await self._tick(ctx)

    async def send(self, ctx: SimulatorContext, packet: bytes, stalls: Callable[[], bool]) -> None:
        await self._until_quiet(ctx)
        self._drive(ctx, 0, valid=True)
        await self._tick(ctx)  # the bus turns round
        self._drive(ctx, _VBUS | _RECEIVES | J)
        await self._tick(ctx)
        for byte in packet:
            while stalls():
                self._drive(ctx, _VBUS | _RECEIVES | J)
                await self._tick(ctx)
            self._drive(ctx, byte, valid=True)
            await self._tick(ctx)
        await self._tell(ctx, SE0)

    async def heard(self, ctx: SimulatorContext, stalls: Callable[[], bool]) -> bytes:
        end = self.cycles + TIMEOUT_CYCLES
        while self._command(ctx) != _TRANSMIT:
            if self.cycles >= end:
                return b""
            await self.idle(ctx, 1)
        pid, *rest = await self._transmitted(ctx, stalls)
        return bytes([pid & 0xF | (pid & 0xF ^ 0xF) << 4, *rest])

    async def reset(self, ctx: SimulatorContext) -> None:
        await self._told(ctx, J)  # plugged in: what the device's own pull-up makes of the line
        await self.idle(ctx, 10)
        await self._told(ctx, SE0)
        while self._command(ctx) != _TRANSMIT:
            await self.idle(ctx, 1)
        assert self.registers[_FUNCTION_CONTROL] == _CHIRP
        assert not any((await self._transmitted(ctx, lambda: False))[1:])
        for state in (K, J) * 3:
            await self._told(ctx, state)
            await self.idle(ctx, CHIRP_CYCLES)
        await self._told(ctx, SE0)
        await self.idle(ctx, 20)
        assert self.registers[_FUNCTION_CONTROL] == _HIGH_SPEED

    async def _told(self, ctx: SimulatorContext, line: int) -> None:
        """The FPGA hears of another state of the line."""
        await self._until_quiet(ctx)
        self._drive(ctx, 0)
        await self._tick(ctx)
        await self._tell(ctx, line)

    async def _tell(self, ctx: SimulatorContext, line: int) -> None:
        """As the last of what the PHY says; then the bus is the FPGA's again."""
        self._drive(ctx, _VBUS | line)
        await self._tick(ctx)
        ctx.set(self._pins.dir.i, 0)
        ctx.set(self._pins.nxt.i, 0)
        await self._tick(ctx)

    def _drive(self, ctx: SimulatorContext, byte: int, *, valid: bool = False) -> None:
        ctx.set(self._pins.dir.i, 1)
        ctx.set(self._pins.nxt.i, valid)
        ctx.set(self._pins.data.i, byte)

    def _command(self, ctx: SimulatorContext) -> int:
        """Of the FPGA; 0: none."""
        assert ctx.get(self._pins.data.oe) == 0xFF, "while the PHY does not drive the bus, the FPGA does"
        return ctx.get(self._pins.data.o) >> 6

    async def _until_quiet(self, ctx: SimulatorContext) -> None:
        while self._command(ctx):
            await self.idle(ctx, 1)

    async def _write(self, ctx: SimulatorContext) -> None:
        address = ctx.get(self._pins.data.o) & 0x3F
        await self._tick(ctx)
        ctx.set(self._pins.nxt.i, 1)
        await self._tick(ctx)
        value = ctx.get(self._pins.data.o)
        await self._tick(ctx)
        ctx.set(self._pins.nxt.i, 0)
        assert ctx.get(self._pins.stp.o)
        self.registers[address] = value
        await self._tick(ctx)

    async def _transmitted(self, ctx: SimulatorContext, stalls: Callable[[], bool]) -> bytes:
        """The command and all bytes behind it."""
        taken = bytearray()
        await self._tick(ctx)
        while not ctx.get(self._pins.stp.o):
            takes = not stalls()
            ctx.set(self._pins.nxt.i, takes)
            if takes:
                taken.append(ctx.get(self._pins.data.o))
            await self._tick(ctx)
        ctx.set(self._pins.nxt.i, 0)
        await self._tick(ctx)
        await self._tick(ctx)
        return bytes(taken)

    async def _tick(self, ctx: SimulatorContext) -> None:
        await ctx.tick(self._domain)
        self.cycles += 1
