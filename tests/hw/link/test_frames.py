"""Frames, good and bad, at every length and speed."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from cobs import cobs

from presparse.contract.address_map import LINK_COUNTERS, edge_address
from presparse.contract.operations import MAX_PAYLOAD, Operation, Status
from presparse.contract.wire import WINDOW, SampleKind
from tests.hw.link.bench import SCORES, WATCHDOG_CYCLES, Bench, encode, frame, record, small_build
from tests.hw.link.fake_core import POWER_ON

pytestmark = pytest.mark.slow


GOOD = bytes([0, Operation.RESULTS]) + SCORES


async def link_counters(bench: Bench) -> dict[str, int]:
    """Those that are not zero."""
    counts = {name: await bench.counter(name) for name in LINK_COUNTERS}
    return {name: count for name, count in counts.items() if count}


def with_crc(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


BAD_FRAMES = {
    "frames_corrupt": [
        cobs.encode(GOOD + bytes(4)) + b"\0",
        cobs.encode(with_crc(GOOD)[:-1] + bytes([with_crc(GOOD)[-1] ^ 1])) + b"\0",
        cobs.encode(bytes([1]) + with_crc(GOOD)[1:]) + b"\0",
    ],
    "frames_malformed": [
        encode(GOOD[:1]),
        encode(b""),
        b"\1\0",
        b"\5ab\0",
        b"\xff" + b"x" * 253 + b"\0",
        encode(GOOD + bytes(MAX_PAYLOAD + 1)),
        encode(GOOD + b"x" * (MAX_PAYLOAD + 1)),
        encode(GOOD + b"x" * 2 * MAX_PAYLOAD),
    ],
    "frames_unexpected": [encode(bytes([100]) + GOOD[1:]), encode(bytes([250]) + GOOD[1:])],
}


@pytest.mark.parametrize("counter", BAD_FRAMES)
def test_bad_frames_are_dropped_and_counted(counter: str) -> None:
    async def test(bench: Bench) -> None:
        for sent in BAD_FRAMES[counter]:
            await bench.ask(Operation.CLEAR_COUNTERS)
            bench.send(2 * sent)
            await bench.silence(100)
            assert await link_counters(bench) == {"frames_accepted": 1, counter: 2}

    Bench().run(test)


def test_every_bit_of_a_frame_is_protected() -> None:
    """One flipped bit: the frame is dropped, whatever it becomes, and the next one is executed."""

    async def test(bench: Bench) -> None:
        damaged = 0
        for byte in range(len(frame(0, Operation.RESULTS, SCORES)) - 1):
            for bit in range(8):
                sent = bytearray(frame(bench.sequence, Operation.RESULTS, SCORES))
                sent[byte] ^= 1 << bit
                bench.send(bytes(sent) + b"\0")
                damaged += 1
            await bench.ask(Operation.RESULTS, SCORES)
        counts = await link_counters(bench)
        assert counts.pop("frames_accepted") == len(frame(0, Operation.RESULTS, SCORES)) - 1 + 1
        assert set(counts) == {"frames_corrupt", "frames_malformed"}
        assert sum(counts.values()) >= damaged

    Bench().run(test)


@pytest.mark.parametrize("behind", [b"\1\0", b"\2x\0", b"\1\1\0", b"\0\1\0", b"\5x\0"])
def test_a_bad_frame_right_behind_a_good_one_does_not_change_it(behind: bytes) -> None:
    """Shorter than a header, it ends while the good frame is being judged."""

    async def test(bench: Bench) -> None:
        bench.send(frame(0, Operation.READ, struct.pack("<IH", 0, 2)) + behind)
        bench.sequence = 1
        answer = await bench.answer()
        assert (answer.status, len(answer.payload)) == (Status.OK, 8)
        assert await link_counters(bench) == {"frames_accepted": 2, "frames_malformed": 1}

    Bench().run(test)


def test_extra_zeros_are_ignored() -> None:
    async def test(bench: Bench) -> None:
        for zeros in (0, 1, 2, 50):
            bench.send(bytes(zeros))
            await bench.ask(Operation.RESULTS, SCORES)
        assert await link_counters(bench) == {"frames_accepted": 5}

    Bench().run(test)


def test_a_frame_that_stops_is_abandoned_and_the_next_needs_no_delimiter() -> None:
    async def test(bench: Bench) -> None:
        whole = frame(0, Operation.READ, struct.pack("<IH", edge_address(1), 4))
        for cut in range(1, len(whole) - 1):
            bench.send(whole[:cut])
            await bench.silence(WATCHDOG_CYCLES + 10)
        await bench.ask(Operation.RESULTS, SCORES)
        half = frame(bench.sequence, Operation.RESULTS, SCORES)
        bench.send(half[:3])
        await bench.silence(WATCHDOG_CYCLES - 10)
        bench.send(half[3:])
        assert (await bench.answer()).sequence == bench.sequence
        bench.sequence += 1
        assert await link_counters(bench) == {"frames_accepted": 3, "frames_abandoned": len(whole) - 2}

    Bench().run(test)


def test_no_watchdog_between_frames() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(3):
            await bench.ask(Operation.RESULTS, SCORES)
            await bench.wait(2 * WATCHDOG_CYCLES)
        assert await link_counters(bench) == {"frames_accepted": 4}

    Bench().run(test)


def test_runs_around_254_bytes() -> None:
    """Memory holds long runs without a zero, and comes back equal; test_cobs has every length."""
    build = small_build(outputs=256)

    async def test(bench: Bench) -> None:
        for run in (247, 248, 251, 254):
            content = b"x" * run + b"\0" + b"y" * run
            content += bytes(-len(content) % 4)
            await bench.ask(Operation.WRITE, struct.pack("<I", edge_address(2)) + content)
            command = struct.pack("<IH", edge_address(2), len(content) // 4)
            assert await bench.ask(Operation.READ, command) == content

    Bench(build, seed=1, gaps=0.1).run(test)


def test_random_bytes_then_a_good_frame() -> None:
    """Whatever comes: after a delimiter the endpoint answers, and nothing was executed before."""

    async def test(bench: Bench) -> None:
        rng = random.Random(11)
        await bench.ask(Operation.IDENTIFY)
        accepted = 1
        for _ in range(25):
            alphabet = rng.choice([bytes(range(256)), b"\0\1\2\3", b"\0\xff", b"\1", bytes(range(1, 256))])
            bench.send(bytes(rng.choice(alphabet) for _ in range(rng.randrange(400))) + b"\0")
            await bench.ask(Operation.RESULTS, SCORES)
            accepted += 1
        counts = await link_counters(bench)
        assert counts["frames_accepted"] == accepted + 1
        assert counts["frames_malformed"] > 100
        assert (bench.core.samples, bench.core.writes, bench.core.restarts) == ([], 0, POWER_ON)

    Bench(seed=2, gaps=0.1).run(test)


@pytest.mark.parametrize("feature_port", [1, 8])
def test_samples_take_three_cycles_more_than_their_bytes(feature_port: int) -> None:
    """Full frames back to back, at one byte per cycle: an answer per frame time, none late."""
    build = small_build(feature_port=feature_port)

    async def test(bench: Bench) -> None:
        one = record(build, SampleKind.TRAIN, [-1, 1, 511, -512, 257, -255, 300, 77], label=1, rate=3)
        stream = one * 512
        frames = 10
        for i in range(frames):
            payload = stream[i * MAX_PAYLOAD : (i + 1) * MAX_PAYLOAD]
            if i >= WINDOW:
                assert (await bench.answer()).status == Status.OK
            bench.request(Operation.SAMPLES, payload)
        for _ in range(WINDOW):
            assert (await bench.answer()).status == Status.OK
        assert len(bench.core.samples) == frames * MAX_PAYLOAD // len(one)
        size = len(frame(0, Operation.SAMPLES, stream[:MAX_PAYLOAD]))
        assert bench.first_byte_at is not None
        assert bench.answered_at[0] - bench.first_byte_at <= size + MAX_PAYLOAD + 40
        assert bench.answered_at[-1] - bench.answered_at[0] <= (frames - 1) * (size + 3)

    Bench(build).run(test)


@pytest.mark.parametrize("words", [126, 127, 128, 255, 256])
def test_long_answers_over_a_slow_link(words: int) -> None:
    """Answers longer than the encoder's ring, taken more slowly than they are made: each is whole, to its end."""
    build = small_build(outputs=256)

    async def test(bench: Bench) -> None:
        for _ in range(2):
            assert len(await bench.ask(Operation.READ, struct.pack("<IH", edge_address(2), words))) == 4 * words

    Bench(build, seed=words, gaps=0.9).run(test)


def test_a_runt_right_behind_a_request_leaves_it_alone() -> None:
    """Byte by byte without a pause: a frame too short to be one ends while the request before it is looked at."""

    async def test(bench: Bench) -> None:
        for runt in (b"\x44\0", b"\x01\0", b"\x02\x07\0", b"\x03\x01\x01\0", b"\x44\0\x44\0\x44\0"):
            sequence = bench.request(Operation.READ, struct.pack("<IH", edge_address(1), 4))
            bench.send(runt)
            answer = await bench.answer()
            assert (answer.sequence, answer.status, len(answer.payload)) == (sequence, Status.OK, 16)

    Bench().run(test)
