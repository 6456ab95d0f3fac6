"""Encoder and decoder against the cobs package."""

from __future__ import annotations

import random

import pytest
from amaranth.sim import Simulator, SimulatorContext
from cobs import cobs

from presparse_hw.link.cobs import CobsDecoder, CobsEncoder

pytestmark = pytest.mark.slow


ZERO_FREE = bytes(1 + i % 255 for i in range(1100))


def encode_in_gateware(frames: list[bytes], *, pause: float) -> tuple[bytes, int]:
    """(encoded bytes, cycles); `pause` is the probability of a pause per cycle on either side."""
    encoder = CobsEncoder()
    rng = random.Random(7)
    received = bytearray()
    cycles = 0

    async def send(ctx: SimulatorContext) -> None:
        for body in frames:
            for i, byte in enumerate(body):
                while rng.random() < pause:
                    await ctx.tick()
                ctx.set(encoder.i.payload, {"data": byte, "last": i == len(body) - 1})
                ctx.set(encoder.i.valid, 1)
                await ctx.tick().until(encoder.i.ready)
                ctx.set(encoder.i.valid, 0)

    async def receive(ctx: SimulatorContext) -> None:
        nonlocal cycles
        while received.count(0) < len(frames):
            ctx.set(encoder.o.ready, rng.random() >= pause)
            _, _, valid, ready, byte = await ctx.tick().sample(encoder.o.valid, encoder.o.ready, encoder.o.payload)
            cycles += 1
            if valid and ready:
                received.append(byte)

    simulator = Simulator(encoder)
    simulator.add_clock(1e-8)
    simulator.add_testbench(send)
    simulator.add_testbench(receive)
    simulator.run()
    return bytes(received), cycles


@pytest.mark.parametrize("pause", [0.0, 0.5, pytest.param(0.9, marks=pytest.mark.nightly)])
def test_encodes_as_the_package_does(pause: float) -> None:
    rng = random.Random(3)
    lengths = [1, 2, 253, 254, 255, 256, 507, 508, 509, 762, 1031]
    frames = [ZERO_FREE[:length] for length in lengths]
    frames += [bytes(length) for length in (1, 2, 300)]
    frames += [ZERO_FREE[:length] + b"\0" for length in (253, 254, 255)]
    frames += [ZERO_FREE[:length] + b"\0" + ZERO_FREE[:length] for length in (253, 254, 255)]
    frames += [bytes(rng.choice([0, 0xFF, rng.randrange(256)]) for _ in range(rng.randint(1, 40))) for _ in range(60)]
    encoded, _ = encode_in_gateware(frames, pause=pause)
    assert encoded == b"".join(cobs.encode(body) + b"\0" for body in frames)


def test_a_byte_per_cycle() -> None:
    encoded, cycles = encode_in_gateware([ZERO_FREE[:1031]] * 8, pause=0.0)
    assert cycles <= len(encoded) + 255 + 10


def decode_in_gateware(encoded: bytes, *, pause: float) -> list[bytes | None]:
    """Frames in order; None for a broken one."""
    decoder = CobsDecoder()
    rng = random.Random(8)
    frames: list[bytes | None] = []
    frame = bytearray()

    async def send(ctx: SimulatorContext) -> None:
        for byte in encoded:
            while rng.random() < pause:
                await ctx.tick()
            ctx.set(decoder.i.payload, byte)
            ctx.set(decoder.i.valid, 1)
            await ctx.tick()
            ctx.set(decoder.i.valid, 0)
        await ctx.tick().repeat(2)

    async def receive(ctx: SimulatorContext) -> None:
        outputs = decoder.valid, decoder.data, decoder.end, decoder.broken
        async for _, _, valid, byte, end, broken in ctx.tick().sample(*outputs):
            assert not (valid and end)
            if valid:
                frame.append(byte)
            if end:
                frames.append(None if broken else bytes(frame))
                frame.clear()

    simulator = Simulator(decoder)
    simulator.add_clock(1e-8)
    simulator.add_testbench(send)
    simulator.add_testbench(receive, background=True)
    simulator.run()
    return frames


@pytest.mark.parametrize("pause", [0.0, 0.3])
def test_decodes_what_the_package_encodes(pause: float) -> None:
    frames = [ZERO_FREE[:length] for length in (0, 1, 2, 253, 254, 255, 256, 507, 508, 509)]
    frames += [ZERO_FREE[:length] + b"\0" + ZERO_FREE[: 600 - length] for length in (0, 1, 253, 254, 255)]
    frames += [bytes(length) for length in (1, 2, 255)]
    assert decode_in_gateware(b"".join(cobs.encode(body) + b"\0" for body in frames), pause=pause) == frames


def test_decodes_random_bytes_as_the_package_does() -> None:
    rng = random.Random(9)
    pieces = [bytes(rng.choice([1, 2, 3, 4, 5, 255]) for _ in range(rng.randint(1, 12))) for _ in range(300)]
    expected: list[bytes | None] = []
    for piece in pieces:
        try:
            expected.append(cobs.decode(piece))
        except cobs.DecodeError:
            expected.append(None)
    assert {None} < set(expected)
    assert decode_in_gateware(b"".join(piece + b"\0" for piece in pieces), pause=0.0) == expected
