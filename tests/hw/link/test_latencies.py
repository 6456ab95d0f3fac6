"""Cycles between the stages of the link, as their docstrings give them."""

from __future__ import annotations

import random

from amaranth.hdl import Cat
from amaranth.sim import SimulatorContext

from presparse.contract.operations import Operation, Status
from presparse_hw.link.deframer import Deframer
from presparse_hw.link.slots import SlotMemory
from presparse_hw.link.window import Window
from tests.hw.bench import simulate
from tests.hw.link.bench import encode, frame


def test_a_slot_streams_from_the_fourth_cycle_after_start_and_drops_what_was_left() -> None:
    dut = SlotMemory(2)
    payloads = [bytes(range(10, 40)), bytes(range(100, 105))]

    async def stream(ctx: SimulatorContext, slot: int, count: int, rng: random.Random | None) -> bytes:
        """The first `count` bytes; without pauses, checks that they come in their cycles."""
        ctx.set(dut.slot, slot)
        ctx.set(dut.length, len(payloads[slot]))
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        received, cycle = bytearray(), 0
        while len(received) < count:
            cycle += 1
            ctx.set(dut.bytes.ready, rng is None or rng.random() < 0.5)
            _, _, valid, ready, byte = await ctx.tick().sample(dut.bytes.valid, dut.bytes.ready, dut.bytes.payload)
            assert rng is not None or valid == (cycle >= 4)
            if valid and ready:
                received.append(byte.data)
                assert byte.last == (len(received) == len(payloads[slot]))
        ctx.set(dut.bytes.ready, 0)
        return bytes(received)

    async def testbench(ctx: SimulatorContext) -> None:
        for slot, payload in enumerate(payloads):
            ctx.set(dut.write_slot, slot)
            ctx.set(dut.write.en, 1)
            for offset, byte in enumerate(payload):
                ctx.set(dut.write.addr, offset)
                ctx.set(dut.write.data, byte)
                await ctx.tick()
            ctx.set(dut.write.en, 0)
        for rng in (None, random.Random(3)):
            for slot, count in ((0, 30), (1, 5), (0, 7), (1, 5), (1, 2), (0, 30)):
                assert await stream(ctx, slot, count, rng) == payloads[slot][:count]

    simulate(dut, testbench)


def test_a_frame_arrives_3_cycles_after_its_delimiter_and_stays_while_the_next_comes() -> None:
    dut = Deframer(watchdog_cycles=1000)
    bodies = [(7, Operation.RESULTS, b""), (8, Operation.SAMPLES, b"\1\0\2"), (0, Operation.FLUSH, b"")]
    line = b"".join(frame(*body) for body in bodies)
    delimiters = [i for i, byte in enumerate(line) if byte == 0]
    arrivals: list[tuple[int, int, int, int]] = []

    async def testbench(ctx: SimulatorContext) -> None:
        stays = 0
        for cycle in range(len(line) + 8):
            ctx.set(dut.i.valid, cycle < len(line))
            ctx.set(dut.i.payload, line[cycle] if cycle < len(line) else 0)
            _, _, arrived, seen = await ctx.tick().sample(dut.arrived, dut.frame)
            header = (seen.sequence, seen.operation, seen.length)
            if arrived:
                arrivals.append((cycle, *header))
                stays = 2
            elif stays:
                assert arrivals[-1][1:] == header
                stays -= 1

    simulate(dut, testbench)
    assert [cycle for cycle, *_ in arrivals] == [delimiter + 3 for delimiter in delimiters]
    assert [tuple(header) for _, *header in arrivals] == [(s, o, len(payload)) for s, o, payload in bodies]


def test_bad_frames_are_reported_3_cycles_after_their_delimiter() -> None:
    dut = Deframer(watchdog_cycles=1000)
    corrupt = bytearray(frame(0, Operation.SAMPLES, b"abc"))
    corrupt[4] ^= 1
    line = bytes(corrupt) + encode(b"x")
    delimiters = [i for i, byte in enumerate(line) if byte == 0]
    reports: list[tuple[int, int]] = []

    async def testbench(ctx: SimulatorContext) -> None:
        for cycle in range(len(line) + 8):
            ctx.set(dut.i.valid, cycle < len(line))
            ctx.set(dut.i.payload, line[cycle] if cycle < len(line) else 0)
            outputs = Cat(dut.arrived, dut.corrupt, dut.malformed, dut.abandoned)
            _, _, events = await ctx.tick().sample(outputs)
            if events:
                reports.append((cycle, events))

    simulate(dut, testbench)
    assert reports == [(delimiters[0] + 3, 0b0010), (delimiters[1] + 3, 0b0100)]


def test_a_frame_is_judged_2_cycles_after_it_arrived_and_counts_in_the_cycle_after() -> None:
    dut = Window(2)

    async def arrive(ctx: SimulatorContext, sequence: int) -> None:
        ctx.set(dut.frame, {"sequence": sequence, "operation": Operation.SAMPLES, "length": 4, "stored": 1})
        ctx.set(dut.arrived, 1)
        await ctx.tick()
        ctx.set(dut.arrived, 0)

    async def testbench(ctx: SimulatorContext) -> None:
        verdicts = Cat(dut.accepted, dut.repeated, dut.unexpected)
        for sequence, verdict, full in ((0, 0b001, 0), (5, 0b100, 0), (0, 0b010, 0), (1, 0b001, 1)):
            slot = ctx.get(dut.slot)
            await arrive(ctx, sequence)
            seen = []
            for _ in range(4):
                _, _, judged, full_then = await ctx.tick().sample(verdicts, dut.full)
                seen.append((judged, full_then))
            assert [judged for judged, _ in seen] == [0, verdict, 0, 0]
            assert [f for _, f in seen] == [0, full, full, full]
            assert ctx.get(dut.slot) == (slot + (verdict == 0b001)) % 2
        assert ctx.get(dut.requests.valid)
        assert ctx.get(dut.requests.payload.sequence) == 0
        ctx.set(dut.status, Status.OK)
        ctx.set(dut.length, 2)
        ctx.set(dut.requests.ready, 1)
        await ctx.tick()
        assert ctx.get(dut.requests.valid)  # the next one, at once
        assert ctx.get(dut.requests.payload.sequence) == 1
        await ctx.tick()
        ctx.set(dut.requests.ready, 0)
        assert not ctx.get(dut.requests.valid)
        ctx.set(dut.answers.ready, 1)
        answered = []
        for _ in range(8):
            _, _, valid, answer = await ctx.tick().sample(dut.answers.valid, dut.answers.payload)
            if valid:
                answered.append((answer.sequence, answer.length))
        assert answered == [(0, 2), (1, 2)]

    simulate(dut, testbench)
