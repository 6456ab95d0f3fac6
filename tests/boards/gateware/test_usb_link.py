"""The USB device at its UTMI bus, with a host that knows the specification: how it enumerates, and that no byte is
lost, comes twice or waits, whatever the cable, the host and the accelerator do."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest
from amaranth.sim import Simulator, SimulatorContext
from luna.gateware.interface.utmi import UTMIInterface
from luna.gateware.usb.usb2.reset import USBResetSequencer

from presparse_boards.gateware.usb_link import SILENCE_CYCLES, UsbLink
from tests.boards.gateware.usb_host import FULL, HZ, Stalled, UsbHost, UtmiBus

pytestmark = pytest.mark.slow

PRODUCT, SERIAL = "ecpix5-45f digits", "0123456789abcdef"
Scene = Callable[[SimulatorContext], Awaitable[None]]


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of resets and chirps, which take milliseconds: nothing depends on how many, as long as they are more than the
    125 us between two starts of a frame."""
    monkeypatch.setattr(USBResetSequencer, "_CYCLES_200_MICROSECONDS", 300)
    monkeypatch.setattr(USBResetSequencer, "_CYCLES_2_MILLISECONDS", 600)
    monkeypatch.setattr(USBResetSequencer, "_CYCLES_3_MILLISECONDS", 9000)


class Bench:
    """A device, the host on its bus, and a core that takes bytes and gives them back, with stalls."""

    def __init__(self, *, core_hz: float, seed: int = 0, stalls: float = 0.0) -> None:
        utmi = UTMIInterface()
        self.link = UsbLink(utmi, product=PRODUCT, serial=SERIAL)
        self.host = UsbHost(UtmiBus(utmi), seed=seed, stalls=stalls)
        self.taken = bytearray()
        """What came out of the link, in order."""
        self.taking = True
        self.given = bytearray()
        """What is still to be sent."""
        self._random = random.Random(seed)
        self._core_hz = core_hz

    def run(self, scene: Scene) -> None:
        simulator = Simulator(self.link)
        simulator.add_clock(1 / HZ, domain="usb")
        simulator.add_clock(1 / self._core_hz)
        simulator.add_testbench(scene)
        simulator.add_testbench(self._core, background=True)
        simulator.run()

    async def _core(self, ctx: SimulatorContext) -> None:
        received, sent = self.link.received, self.link.sent
        while True:
            takes = self.taking and self._random.random() < 0.9
            ctx.set(received.ready, takes)
            # What is offered stays until it is taken.
            gives = bool(self.given) and (bool(ctx.get(sent.valid)) or self._random.random() < 0.9)
            ctx.set(sent.valid, gives)
            if gives:
                ctx.set(sent.payload, self.given[0])
            _, _, valid, byte, taken = await ctx.tick().sample(received.valid, received.payload, sent.ready)
            if takes and valid:
                self.taken.append(byte)
                self.given.append(byte)
            if gives and taken:
                del self.given[0]

    async def until(self, ctx: SimulatorContext, done: Callable[[], bool]) -> None:
        """Let the host carry bytes. AssertionError after half a millisecond."""
        end = self.host.bus.cycles + 30_000
        while not done():
            await self.host.carry_once(ctx)
            assert self.host.bus.cycles < end, self.host.seen

    async def echo(self, ctx: SimulatorContext, data: bytes) -> None:
        """There and back, whole and nothing more."""
        self.host.to_device += data
        await self.until(ctx, lambda: len(self.host.from_device) >= len(data))
        assert self.host.from_device == data
        self.host.from_device.clear()


def test_enumeration() -> None:
    """Every byte that a host is told, by the USB specification, chapter 9, and Microsoft's for its descriptors."""
    bench = Bench(core_hz=100e6)
    host = bench.host

    async def scene(ctx: SimulatorContext) -> None:
        await host.reset_bus(ctx)
        device = await host.descriptor(ctx, 1, 0, 64)
        assert device.hex(" ") == "12 01 00 02 00 00 00 40 09 12 01 00 00 00 01 02 03 01"
        await host.set_up(ctx)
        configuration = await host.descriptor(ctx, 2, 0, 255)
        assert configuration.hex(" ") == (
            "09 02 20 00 01 01 00 c0 00 "  # one interface, needs no power
            "09 04 00 00 02 ff ff ff 00 "  # two endpoints, of nobody's class
            "07 05 01 02 00 02 00 07 05 81 02 00 02 00"  # both bulk, 512 bytes
        )
        assert await host.descriptor(ctx, 2, 0, 9) == configuration[:9]
        strings = [await host.descriptor(ctx, 3, index, 255) for index in (1, 2, 3, 0xEE)]
        assert all(text[:2] == bytes([len(text), 3]) for text in strings)
        assert [text[2:].decode("utf-16-le") for text in strings] == ["Presparse", PRODUCT, SERIAL, "MSFT100\u00ee"]
        compatible = await host.control(ctx, 0xC0, 0xEE, 0, 4, 40)
        assert compatible == bytes([40, 0, 0, 0, 0, 1, 4, 0, 1, *[0] * 7, 0, 1]) + b"WINUSB".ljust(22, b"\0")
        with pytest.raises(Stalled):
            await host.control(ctx, 0xC0, 0x77, 0, 0, 8)

    bench.run(scene)


@pytest.mark.parametrize(("core_hz", "seed"), [(25e6, 14), pytest.param(100e6, 13, marks=pytest.mark.nightly)])
def test_no_byte_is_lost_or_comes_twice(core_hz: float, seed: int) -> None:
    """Every seventh packet is lost or harmed, in either direction; a slow core makes the device say NAK."""
    bench = Bench(core_hz=core_hz, seed=seed, stalls=0.15)
    host, rng = bench.host, random.Random(1)

    async def scene(ctx: SimulatorContext) -> None:
        await host.reset_bus(ctx)
        await host.set_up(ctx)
        host.harm = 0.15
        data = rng.randbytes(2500)
        left = data
        while left or len(host.from_device) < len(data):
            if left and not host.to_device:
                size = rng.choice((1, 3, 40, 150, 150, FULL, 700))
                host.to_device += left[:size]
                left = left[size:]
            await host.carry_once(ctx)
            assert host.bus.cycles < 100_000, host.seen
        assert bench.taken == data
        assert host.from_device == data

    bench.run(scene)
    assert host.seen["repeated by the device"], host.seen
    assert host.seen["harmed to the device"], host.seen
    assert host.seen["lost to the host"], host.seen


def test_what_waits_where_and_for_how_long() -> None:
    bench = Bench(core_hz=100e6)
    host = bench.host

    async def scene(ctx: SimulatorContext) -> None:
        await host.reset_bus(ctx)
        await host.set_up(ctx)

        # A full packet is sent at once, and no empty one behind it; what is less waits for a little silence.
        for size in (FULL, 1, FULL + 1):
            host.packets.clear()
            await bench.echo(ctx, bytes(range(256)) * 2 + b"x" if size > FULL else b"y" * size)
            full, rest = divmod(size, FULL)
            assert host.packets == [FULL] * full + [rest] * bool(rest)
        bench.given += b"z"
        began = host.bus.cycles
        await bench.until(ctx, lambda: bool(host.from_device))
        assert host.bus.cycles - began < SILENCE_CYCLES + 50
        host.from_device.clear()

        # A core that takes nothing: two packets less a byte fit, the queue takes some; the rest stays with the host.
        bench.taking = False
        data = random.Random(2).randbytes(3000)
        host.to_device += data
        for _ in range(30):
            await host.carry_once(ctx)
        assert len(data) - len(host.to_device) in (FULL, 2 * FULL)
        assert host.seen["PING without room"] > 10
        # A host that reads nothing: what the core gives stays with the core, once two packets are full.
        host.reading, bench.taking = False, True
        await bench.until(ctx, lambda: bench.taken.endswith(data) and not host.to_device)
        await host.bus.idle(ctx, 300)
        assert 2 * FULL <= len(data) - len(bench.given) <= 2 * FULL + 20
        host.reading = True
        await bench.echo(ctx, b"")
        await bench.until(ctx, lambda: len(host.from_device) >= len(data))
        assert host.from_device == data

    bench.run(scene)


def test_a_new_host_begins_anew() -> None:
    """After a reset of the bus, and after the halt of both endpoints is cleared, a DATA0 comes first, whatever was
    before."""
    bench = Bench(core_hz=100e6)
    host = bench.host

    async def scene(ctx: SimulatorContext) -> None:
        await host.reset_bus(ctx)
        await host.set_up(ctx)
        await bench.echo(ctx, b"an odd number of packets")
        for address in (0x01, 0x81):
            await host.clear_halt(ctx, address)
        await bench.echo(ctx, b"and again")
        await host.reset_bus(ctx)
        await host.set_up(ctx, address=9)
        await bench.echo(ctx, b"once more")

    bench.run(scene)
