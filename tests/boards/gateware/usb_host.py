"""A USB 2.0 host at high speed, in Amaranth's simulator, on the other side of a bus at UTMI level or at a PHY's pins.

It knows the bus by the USB specification, chapters 8 and 9, and nothing of the device but its bulk endpoint's number.
It may harm what passes, as a bad cable does: then whoever does not hear an answer repeats, and nothing may come twice
or be lost.
"""

from __future__ import annotations

import enum
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from amaranth.sim import SimulatorContext
from luna.gateware.interface.utmi import UTMIInterface

HZ = 60e6
TIMEOUT_CYCLES = 102
"""816 bit times without an answer: none comes."""
CHIRP_CYCLES = 300
"""Of a chirp of the host's: 5 us, a tenth of what hosts take; the device counts any of 2.5 us."""
SE0, J, K = 0b00, 0b01, 0b10
"""States of the line; SE0 is silence at high speed."""
_MICROFRAME_CYCLES = 7500
_TRIES = 100
FULL = 512


class Pid(enum.IntEnum):
    OUT, IN, SOF, SETUP = 0b0001, 0b1001, 0b0101, 0b1101
    DATA0, DATA1 = 0b0011, 0b1011
    ACK, NAK, STALL, NYET = 0b0010, 0b1010, 0b1110, 0b0110
    PING = 0b0100

    @property
    def byte(self) -> int:
        return self | (self ^ 0xF) << 4


class Stalled(Exception):
    """The device refuses a request."""


class Bus(Protocol):
    """What carries packets. `stalls` says of each cycle whether it passes without a byte."""

    cycles: int
    """Of the bus since the simulation began."""

    async def idle(self, ctx: SimulatorContext, cycles: int) -> None: ...

    async def send(self, ctx: SimulatorContext, packet: bytes, stalls: Callable[[], bool]) -> None: ...

    async def heard(self, ctx: SimulatorContext, stalls: Callable[[], bool]) -> bytes:
        """The device's packet; empty if none comes in time."""
        ...

    async def reset(self, ctx: SimulatorContext) -> None:
        """Reset, and agree on high speed: the device chirps K, the host answers with K and J."""
        ...


class UtmiBus:
    """The host's side of UTMI signals."""

    def __init__(self, utmi: UTMIInterface) -> None:
        self.utmi = utmi
        self.cycles = 0

    async def idle(self, ctx: SimulatorContext, cycles: int) -> None:
        for _ in range(cycles):
            await ctx.tick("usb")
            self.cycles += 1

    async def send(self, ctx: SimulatorContext, packet: bytes, stalls: Callable[[], bool]) -> None:
        utmi = self.utmi
        ctx.set(utmi.line_state, J)
        ctx.set(utmi.rx_active, 1)
        await self.idle(ctx, 1)
        for byte in packet:
            while stalls():
                ctx.set(utmi.rx_valid, 0)
                await self.idle(ctx, 1)
            ctx.set(utmi.rx_data, byte)
            ctx.set(utmi.rx_valid, 1)
            await self.idle(ctx, 1)
        ctx.set(utmi.rx_valid, 0)
        ctx.set(utmi.rx_active, 0)
        ctx.set(utmi.line_state, SE0)
        await self.idle(ctx, 2)

    async def heard(self, ctx: SimulatorContext, stalls: Callable[[], bool]) -> bytes:
        utmi, packet = self.utmi, bytearray()
        ctx.set(utmi.tx_ready, 0)
        end = self.cycles + TIMEOUT_CYCLES
        while not ctx.get(utmi.tx_valid):
            if self.cycles == end:
                return b""
            await self.idle(ctx, 1)
        while ctx.get(utmi.tx_valid):
            ready = not stalls()
            ctx.set(utmi.tx_ready, ready)
            if ready:
                packet.append(ctx.get(utmi.tx_data))
            await self.idle(ctx, 1)
        ctx.set(utmi.tx_ready, 0)
        await self.idle(ctx, 2)
        return bytes(packet)

    async def reset(self, ctx: SimulatorContext) -> None:
        utmi = self.utmi
        ctx.set(utmi.line_state, SE0)
        ctx.set(utmi.tx_ready, 1)
        while not ctx.get(utmi.tx_valid):
            await self.idle(ctx, 1)
        assert ctx.get(utmi.op_mode) == 2, "a chirp goes without bit stuffing"
        while ctx.get(utmi.tx_valid):
            assert ctx.get(utmi.tx_data) == 0
            await self.idle(ctx, 1)
        for state in (K, J) * 3:
            ctx.set(utmi.line_state, state)
            await self.idle(ctx, CHIRP_CYCLES)
        ctx.set(utmi.line_state, SE0)
        await self.idle(ctx, 10)
        mode = ctx.get(utmi.xcvr_select), ctx.get(utmi.term_select), ctx.get(utmi.op_mode)
        assert mode == (0, 0, 0), "the device does not agree on high speed"


class UsbHost:
    """Resets the bus, enumerates, and carries bytes: `to_device` out, and in to `from_device`.

    Parameters
    ----------
    stalls : probability of a cycle without a byte while a packet passes, either way
    """

    def __init__(self, bus: Bus, *, seed: int = 0, stalls: float = 0.0) -> None:
        self.bus = bus
        self.harm = 0.0
        """Probability that a packet is lost or comes with a wrong bit, either way."""
        self.to_device, self.from_device = bytearray(), bytearray()
        self.reading = True
        """False: the host asks for no bytes."""
        self.packets: list[int] = []
        """Bytes of every packet that the bulk endpoint sent."""
        self.seen: Counter[str] = Counter()
        """What happened, by its name."""
        self._random = random.Random(seed)
        self._stalls = lambda: self._random.random() < stalls
        self._address = 0
        self._frame = self._sof_at = 0
        self._out_toggle = self._in_toggle = False
        self._ping = False

    # Packets, which may be harmed

    async def send(self, ctx: SimulatorContext, packet: bytes) -> None:
        struck = self._random.random() < self.harm
        if struck and self._random.random() < 0.5:
            self.seen["lost to the device"] += 1
            return
        if struck:
            self.seen["harmed to the device"] += 1
            packet = self._harmed(packet)
        await self.bus.send(ctx, packet, self._stalls)

    async def heard(self, ctx: SimulatorContext) -> bytes:
        packet = await self.bus.heard(ctx, self._stalls)
        if not packet:
            self.seen["no answer"] += 1
        elif self._random.random() < self.harm:
            self.seen["lost to the host"] += 1
            return b""
        return packet

    def _harmed(self, packet: bytes) -> bytes:
        bit = self._random.randrange(8 * len(packet))
        return bytes(byte ^ (1 << bit % 8 if index == bit // 8 else 0) for index, byte in enumerate(packet))

    # Transactions

    async def token(self, ctx: SimulatorContext, pid: Pid, endpoint: int) -> None:
        await self.send(ctx, _token(pid, self._address | endpoint << 7))

    async def out(
        self, ctx: SimulatorContext, data: bytes, *, endpoint: int, toggle: bool, setup: bool = False
    ) -> bool:
        """Whether the device has taken it, as far as the host has heard."""
        await self.token(ctx, Pid.SETUP if setup else Pid.OUT, endpoint)
        await self.send(ctx, _data(data, toggle))
        return await self._handshake(ctx)

    async def ping(self, ctx: SimulatorContext, *, endpoint: int) -> bool:
        """Whether the device has room for a packet."""
        await self.token(ctx, Pid.PING, endpoint)
        return await self._handshake(ctx)

    async def in_(self, ctx: SimulatorContext, *, endpoint: int, toggle: bool) -> bytes | None:
        """What the device sends, acknowledged; None if it has nothing, or only what it has sent before."""
        await self.token(ctx, Pid.IN, endpoint)
        packet = await self.heard(ctx)
        if not packet:
            return None
        if len(packet) == 1:
            self._refusal(packet)
            return None
        assert packet[0] in (Pid.DATA0.byte, Pid.DATA1.byte), packet.hex()
        assert packet[-2:] == crc16(packet[1:-2]), "the device's CRC is wrong"
        await self.send(ctx, bytes([Pid.ACK.byte]))
        if (packet[0] == Pid.DATA1.byte) != toggle:
            self.seen["repeated by the device"] += 1
            return None
        return packet[1:-2]

    async def _handshake(self, ctx: SimulatorContext) -> bool:
        packet = await self.heard(ctx)
        assert len(packet) <= 1, packet.hex()
        return packet == bytes([Pid.ACK.byte]) or bool(packet and self._refusal(packet))

    def _refusal(self, packet: bytes) -> bool:
        if packet == bytes([Pid.STALL.byte]):
            raise Stalled
        assert packet == bytes([Pid.NAK.byte]), packet.hex()
        self.seen["NAK"] += 1
        return False

    # Control transfers

    async def control(
        self, ctx: SimulatorContext, kind: int, request: int, value: int, index: int, length: int
    ) -> bytes:
        """A request without data, or one whose data come from the device."""
        setup = bytes([kind, request, *value.to_bytes(2, "little"), *index.to_bytes(2, "little"), length, 0])
        await self._until(ctx, lambda: self.out(ctx, setup, endpoint=0, toggle=False, setup=True))
        data, toggle = b"", True
        while kind & 0x80:
            packet = await self._until(ctx, lambda toggle=toggle: self.in_(ctx, endpoint=0, toggle=toggle))
            data, toggle = data + packet, not toggle
            if len(packet) < 64 or len(data) >= length:
                await self._until(ctx, lambda: self.out(ctx, b"", endpoint=0, toggle=True))
                return data
        await self._until(ctx, lambda: self.in_(ctx, endpoint=0, toggle=True))
        return data

    async def descriptor(self, ctx: SimulatorContext, kind: int, index: int, length: int) -> bytes:
        return await self.control(ctx, 0x80, 6, kind << 8 | index, 0x409 if kind == 3 and index else 0, length)

    async def _until(self, ctx: SimulatorContext, attempt):  # noqa: ANN001, ANN202  an async attempt, and what it gives
        for _ in range(_TRIES):
            done = await attempt()
            if done is not None and done is not False:
                return done
            await self.bus.idle(ctx, 5)
        raise AssertionError(f"{_TRIES} attempts in vain: {self.seen}")

    # What a host does

    async def reset_bus(self, ctx: SimulatorContext) -> None:
        self._address = 0
        self._out_toggle = self._in_toggle = self._ping = False
        await self.bus.reset(ctx)

    async def set_up(self, ctx: SimulatorContext, address: int = 5) -> None:
        await self.control(ctx, 0x00, 5, address, 0, 0)
        self._address = address
        await self.configure(ctx)

    async def configure(self, ctx: SimulatorContext) -> None:
        await self.control(ctx, 0x00, 9, 1, 0, 0)
        self._out_toggle = self._in_toggle = self._ping = False

    async def clear_halt(self, ctx: SimulatorContext, address: int) -> None:
        await self.control(ctx, 0x02, 1, 0, address, 0)
        if address & 0x80:
            self._in_toggle = False
        else:
            self._out_toggle = False

    async def carry_once(self, ctx: SimulatorContext) -> None:
        """One packet each way, at most, and a start of frame when it is time."""
        if self.bus.cycles >= self._sof_at:
            self._sof_at += _MICROFRAME_CYCLES
            self._frame += 1
            await self.send(ctx, _token(Pid.SOF, self._frame // 8 % 2048))
        if self.to_device:
            await self._bulk_out(ctx)
        if self.reading:
            packet = await self.in_(ctx, endpoint=1, toggle=self._in_toggle)
            if packet is not None:
                self._in_toggle = not self._in_toggle
                self.packets.append(len(packet))
                self.from_device += packet
        await self.bus.idle(ctx, 5)

    async def _bulk_out(self, ctx: SimulatorContext) -> None:
        if self._ping and not await self.ping(ctx, endpoint=1):
            self.seen["PING without room"] += 1
            return
        packet = bytes(self.to_device[:FULL])
        if await self.out(ctx, packet, endpoint=1, toggle=self._out_toggle):
            self._out_toggle, self._ping = not self._out_toggle, False
            del self.to_device[: len(packet)]
        else:
            self._ping = True


def crc16(data: bytes) -> bytes:
    """Of a data packet, as it is sent."""
    crc = 0xFFFF
    for bit in _bits(data):
        crc = crc >> 1 ^ (0xA001 if (crc ^ bit) & 1 else 0)
    return (crc ^ 0xFFFF).to_bytes(2, "little")


def crc5(value: int) -> int:
    """Of the 11 bits of a token."""
    crc = 0x1F
    for index in range(11):
        crc = crc >> 1 ^ (0x14 if (crc ^ value >> index) & 1 else 0)
    return crc ^ 0x1F


def _token(pid: Pid, value: int) -> bytes:
    return bytes([pid.byte, *(value | crc5(value) << 11).to_bytes(2, "little")])


def _data(data: bytes, toggle: bool) -> bytes:
    return bytes([(Pid.DATA1 if toggle else Pid.DATA0).byte]) + data + crc16(data)


def _bits(data: bytes) -> Iterator[int]:
    return (byte >> index & 1 for byte in data for index in range(8))
