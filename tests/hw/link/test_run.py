"""Stored samples and runs, from the link: what is fed, what is refused meanwhile, and how a run ends."""

from __future__ import annotations

import random
import struct
from typing import Literal

import numpy as np
import pytest

from presparse.contract.address_map import SAMPLE_PALETTES, STORE_WORDS, edge_address
from presparse.contract.build import Build
from presparse.contract.operations import Operation, Status
from presparse.contract.store import Contents, StoreState
from presparse.contract.wire import Identity, RunState, SampleKind, StoredRun
from tests.host.device.protocol_store import ProtocolStore
from tests.hw.link.bench import SCORES, STORE_BUILD, Answer, Bench, few_valued, frame, record, small_build
from tests.hw.link.fake_core import TakenSample

pytestmark = pytest.mark.slow


BUILD = STORE_BUILD
SAMPLES = BUILD.store_samples
FEW = 12


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def read(address: int, count: int) -> bytes:
    return struct.pack("<IH", address, count)


def contents(build: Build, seed: int = 0, count: int = SAMPLES) -> Contents:
    assert build.store is not None
    labels = np.random.default_rng(seed).integers(build.network.classes, size=count)
    return Contents.encode(build.store, few_valued(build, count, seed), labels)


async def state(bench: Bench, operation: Operation = Operation.RUN_STATE) -> RunState:
    return RunState.unpack(await bench.ask(operation))


async def finished(bench: Bench) -> RunState:
    for _ in range(100):
        now = await state(bench)
        if not now.running:
            return now
    raise AssertionError(f"the run does not end: {now}")


def expected(stored: Contents, run: StoredRun) -> list[TakenSample]:
    samples = stored.samples(run)
    headers = zip(samples.kinds.tolist(), samples.rates.tolist(), samples.labels.tolist(), strict=True)
    return [
        TakenSample(kind, rate, label, tuple(features))
        for (kind, rate, label), features in zip(headers, samples.features.tolist(), strict=True)
    ]


SHAPES = [
    (1, 3, "per feature"),
    (8, 2, "per feature"),
    (4, 5, "shared"),
    *(
        pytest.param(*shape, marks=pytest.mark.nightly)
        for shape in [
            (1, 1, "per feature"),
            (2, 4, "per feature"),
            (4, 5, "per feature"),
            (8, 5, "shared"),
            (4, 2, "shared"),
            (1, 5, "shared"),
            (2, 9, "shared"),
        ]
    ),
]


@pytest.mark.parametrize(("port", "bits", "palettes"), SHAPES)
def test_runs_feed_what_was_stored(port: int, bits: int, palettes: Literal["per feature", "shared"]) -> None:
    build = small_build(feature_port=port, store_samples=FEW, sample_bits=bits, sample_palettes=palettes)
    stored = contents(build, port, FEW)
    runs = [
        StoredRun(kind=SampleKind.TRAIN, rate=3, slot=stored.slot, count=FEW),
        StoredRun(kind=SampleKind.EVALUATE, slot=stored.slot, first=4, count=8, seed=0x12345678),
        StoredRun(kind=SampleKind.TRAIN, rate=8, slot=stored.slot, first=11, count=1, seed=5),
        StoredRun(kind=SampleKind.TRAIN, rate=2, slot=stored.slot, first=2, count=9, seed=0xFFFFFFFF),
    ]

    async def test(bench: Bench) -> None:
        await bench.upload(stored.words)
        accepted = 0
        for number, run in enumerate(runs, start=1):
            bench.core.samples.clear()
            await bench.ask(Operation.RUN, run.pack())
            assert await finished(bench) == RunState(running=False, fed=run.count, runs=number)
            assert bench.core.samples == expected(stored, run)
            assert bench.core.flushes == number
            accepted += run.count
        identity = Identity.unpack(await bench.ask(Operation.IDENTIFY))
        assert (identity.accepted, identity.store, identity.read_phase) == (accepted, StoreState.READY, 0)

    Bench(build, core_stall=0.3, compiled=False).run(test)


@pytest.mark.parametrize("port", [1, 2, 4])
def test_what_no_feature_fills_is_zero(port: int) -> None:
    """5 features of 8 neurons: the last transfers, or the end of one, are padding, which is not stored."""
    build = small_build(feature_port=port, features=5, store_samples=FEW, sample_bits=5, sample_palettes="shared")
    stored = contents(build, port, FEW)

    async def test(bench: Bench) -> None:
        await bench.upload(stored.words)
        run = StoredRun(kind=SampleKind.TRAIN, rate=3, slot=stored.slot, count=FEW)
        await bench.ask(Operation.RUN, run.pack())
        await finished(bench)
        assert bench.core.samples == expected(stored, run)
        assert all(not any(sample.features[5:]) for sample in bench.core.samples)

    Bench(build, core_stall=0.3, compiled=False).run(test)


@pytest.mark.parametrize(("port", "bits", "palettes"), SHAPES[:-1])  # not the largest palette, word by word
def test_every_word_is_kept_as_the_protocol_says(
    port: int, bits: int, palettes: Literal["per feature", "shared"]
) -> None:
    build = small_build(feature_port=port, store_samples=3, sample_bits=bits, sample_palettes=palettes)
    model = ProtocolStore(build)

    async def test(bench: Bench) -> None:
        rng = random.Random(port)
        for region, held in model.words.items():
            for first in range(0, len(held), 200):
                values = np.array([rng.getrandbits(32) for _ in held[first : first + 200]], np.uint32)
                assert model.write(region, first, values)
                await bench.ask(Operation.WRITE, words(region << 24 | first, *values.tolist()))
        for region, held in model.words.items():
            for first in range(0, len(held), 256):
                part = held[first : first + 256]
                found = await bench.ask(Operation.READ, read(region << 24 | first, len(part)))
                assert found == words(*part.tolist())
        assert bench.core.writes == 0

    Bench(build, compiled=False).run(test)


def test_words_that_do_not_exist() -> None:
    assert BUILD.store is not None
    sizes = {STORE_WORDS: BUILD.store.words // 2, SAMPLE_PALETTES: BUILD.store.format.palette_words}

    async def test(bench: Bench) -> None:
        for start, size in sizes.items():
            for first, count in ((size, 1), (size - 1, 2), (1 << 23, 1), (0xFFFFFF, 3)):
                await bench.ask(Operation.READ, read(start + first, count), status=Status.BAD_ADDRESS)
                await bench.ask(Operation.WRITE, words(start + first, *[1] * count), status=Status.BAD_ADDRESS)
            assert await bench.ask(Operation.READ, read(start + size - 1, 1)) == words(0)
        await bench.ask(Operation.READ, read(5 << 24, 1), status=Status.BAD_ADDRESS)
        await bench.ask(Operation.READ, read(0xFD << 24, 1), status=Status.BAD_ADDRESS)

    Bench(BUILD).run(test)


def test_bad_runs() -> None:
    stored = contents(BUILD)
    good = StoredRun(kind=SampleKind.TRAIN, rate=3, slot=3, count=2)
    assert stored.slot == stored.layout.largest_slot == good.slot

    def packed(**changes: int) -> bytes:
        fields = {"kind": 2, "rate": 3, "order": 0, "slot": 3, "first": 0, "count": 2, "seed": 0} | changes
        return struct.pack("<BBBBIII", *fields.values())

    async def test(bench: Bench) -> None:
        await bench.upload(stored.words)
        assert packed() == good.pack()
        for changes in (
            {"kind": 0},
            {"kind": 1, "rate": 0},
            {"kind": 4},
            {"kind": 130},
            {"kind": 3},
            {"rate": 1},
            {"rate": 9},
            {"rate": 131},
            {"order": 2},
            {"order": 255},
            {"slot": 0},
            {"slot": 4},
            {"slot": 19},
            {"slot": 131},
            {"slot": 2, "first": 2 * SAMPLES - 1},
            {"slot": 1, "first": 4 * SAMPLES - 2, "count": 3},
            {"count": 0},
            {"count": SAMPLES + 1},
            {"first": SAMPLES},
            {"first": SAMPLES - 1},
            {"first": 0xFFFFFFFF},
            {"count": 0xFFFFFFFF},
            {"first": 0xFFFFFFFF, "count": 0xFFFFFFFF},
        ):
            await bench.ask(Operation.RUN, packed(**changes), status=Status.BAD_RUN)
        for payload in (b"", packed()[:-1], packed() + b"\0"):
            await bench.ask(Operation.RUN, payload, status=Status.BAD_LENGTH)
        for operation in (Operation.STOP, Operation.RUN_STATE):
            await bench.ask(operation, b"\0", status=Status.BAD_LENGTH)
        assert await state(bench) == await state(bench, Operation.STOP) == RunState(running=False, fed=0, runs=0)
        assert bench.core.samples == []
        await bench.ask(Operation.RUN, packed(first=SAMPLES - 2))
        assert (await finished(bench)).fed == 2

    Bench(BUILD).run(test)


def test_a_build_that_only_infers_runs_evaluations() -> None:
    build = small_build(mode="infer", store_samples=4, sample_bits=2)
    stored = contents(build, count=4)

    async def test(bench: Bench) -> None:
        await bench.upload(stored.words)
        training = StoredRun(kind=SampleKind.TRAIN, rate=2, slot=stored.slot, count=1)
        await bench.ask(Operation.RUN, training.pack(), status=Status.BAD_RUN)
        await bench.ask(Operation.RUN, StoredRun(kind=SampleKind.EVALUATE, slot=stored.slot, count=3).pack())
        assert (await finished(bench)).fed == 3

    Bench(build, compiled=False).run(test)


def test_without_a_store_there_are_no_runs() -> None:
    async def test(bench: Bench) -> None:
        run = StoredRun(kind=SampleKind.EVALUATE, slot=1, count=1)
        for operation, payload in ((Operation.RUN, run.pack()), (Operation.STOP, b""), (Operation.RUN_STATE, b"")):
            await bench.ask(operation, payload, status=Status.UNKNOWN_OPERATION)
        for address in (STORE_WORDS, SAMPLE_PALETTES):
            await bench.ask(Operation.READ, read(address, 1), status=Status.BAD_ADDRESS)

    Bench().run(test)


def test_what_is_refused_during_a_run() -> None:
    stored = contents(BUILD)
    run = StoredRun(kind=SampleKind.TRAIN, rate=4, slot=stored.slot, count=SAMPLES)
    sample = record(BUILD, SampleKind.TRAIN, [1] * 8, label=1, rate=3)

    async def test(bench: Bench) -> None:
        await bench.upload(stored.words)
        bench.core.stuck = True
        await bench.ask(Operation.RUN, run.pack())
        for operation, payload in ((Operation.SAMPLES, sample), (Operation.FLUSH, b""), (Operation.RUN, run.pack())):
            await bench.ask(operation, payload, status=Status.RUNNING)
        for address in (edge_address(1), STORE_WORDS, SAMPLE_PALETTES):
            await bench.ask(Operation.READ, read(address, 1), status=Status.NOT_DRAINED)
            await bench.ask(Operation.WRITE, words(address, 7), status=Status.NOT_DRAINED)
        await bench.ask(Operation.READ, read(0, 4))
        await bench.ask(Operation.CLEAR_COUNTERS)
        assert await bench.ask(Operation.RESULTS, SCORES) == b""
        half_way = await state(bench)
        assert half_way.running
        assert 0 < half_way.fed < SAMPLES
        accepted = Identity.unpack(await bench.ask(Operation.IDENTIFY)).accepted
        assert accepted == half_way.fed
        bench.core.stuck = False
        assert await finished(bench) == RunState(running=False, fed=SAMPLES, runs=1)
        assert bench.core.samples == expected(stored, run)
        assert bench.core.writes == 0
        for start, region in stored.words.items():
            assert await bench.ask(Operation.READ, read(start, 1)) == words(int(region[0]))
        await bench.ask(Operation.SAMPLES, sample)
        assert bench.core.samples[SAMPLES:] == [TakenSample(2, 3, 1, (1,) * 8)]

    Bench(BUILD).run(test)


def test_a_run_needs_a_drained_pipeline() -> None:
    stored = contents(BUILD)
    run = StoredRun(kind=SampleKind.EVALUATE, slot=stored.slot, count=2).pack()
    sample = record(BUILD, SampleKind.EVALUATE, [1] * 8, label=1)

    async def test(bench: Bench) -> None:
        await bench.upload(stored.words)
        await bench.ask(Operation.SAMPLES, sample)
        await bench.ask(Operation.RUN, run, status=Status.NOT_DRAINED)
        await bench.ask(Operation.READ, read(STORE_WORDS, 1), status=Status.NOT_DRAINED)
        await bench.ask(Operation.FLUSH)
        for cut in (1, 4, 5, 9):
            await bench.ask(Operation.SAMPLES, sample[:cut])
            await bench.ask(Operation.RUN, run, status=Status.NOT_DRAINED)
            await bench.ask(Operation.SAMPLES, sample[cut:])
            await bench.ask(Operation.FLUSH)
        await bench.ask(Operation.RUN, run)
        assert await finished(bench) == RunState(running=False, fed=2, runs=1)
        assert len(bench.core.samples) == 7

    Bench(BUILD).run(test)


@pytest.mark.parametrize("wait", [1, 3, 20])
def test_stop_ends_a_run_with_whole_samples(wait: int) -> None:
    stored = contents(BUILD)
    run = StoredRun(kind=SampleKind.TRAIN, rate=4, slot=stored.slot, count=SAMPLES, seed=9)

    async def test(bench: Bench) -> None:
        await bench.upload(stored.words)
        for number in (1, 2):
            bench.core.samples.clear()
            bench.core.stuck = True
            bench.request(Operation.RUN, run.pack())
            await bench.wait(wait)
            bench.request(Operation.STOP)
            assert (await bench.answer()).status == (await bench.answer()).status == Status.OK
            await bench.wait(100)
            bench.core.stuck = False
            end = await finished(bench)
            assert end.fed < SAMPLES
            assert end.runs == bench.core.flushes == 2 * number - 1
            assert bench.core.samples == expected(stored, run)[: end.fed]
            bench.core.samples.clear()
            await bench.ask(Operation.RUN, run.pack())
            assert (await finished(bench)).fed == SAMPLES
            assert bench.core.samples == expected(stored, run)

    Bench(BUILD).run(test)


def test_reset_ends_a_run_and_keeps_what_is_stored() -> None:
    stored = contents(BUILD)
    run = StoredRun(kind=SampleKind.TRAIN, rate=4, slot=stored.slot, count=SAMPLES)

    async def test(bench: Bench) -> None:
        await bench.upload(stored.words)
        for waited in (1, 17, 40):
            bench.core.stuck = True
            bench.request(Operation.RUN, run.pack())
            await bench.wait(waited)
            bench.request(Operation.RESET)
            assert (await bench.answer()).status == (await bench.answer()).status == Status.OK
            bench.core.stuck = False
            assert await state(bench) == RunState(running=False, fed=0, runs=0)
            assert Identity.unpack(await bench.ask(Operation.IDENTIFY)).accepted == 0
            bench.core.samples.clear()
            await bench.wait(50)
            assert bench.core.samples == []
        await bench.ask(Operation.RUN, run.pack())
        assert await finished(bench) == RunState(running=False, fed=SAMPLES, runs=1)
        assert bench.core.samples == expected(stored, run)

    Bench(BUILD).run(test)


def test_a_repeated_run_is_not_executed_again() -> None:
    stored = contents(BUILD)
    run = StoredRun(kind=SampleKind.EVALUATE, slot=stored.slot, count=3)

    async def test(bench: Bench) -> None:
        await bench.upload(stored.words)
        sequence = bench.request(Operation.RUN, run.pack())
        answer = await bench.answer()
        for _ in range(3):
            bench.send(frame(sequence, Operation.RUN, run.pack()))
            assert await bench.answer() == answer == Answer(sequence, Operation.RUN, Status.OK, b"")
        assert await finished(bench) == RunState(running=False, fed=3, runs=1)
        bench.send(frame(bench.sequence - 1, Operation.RUN_STATE))
        await bench.answer()
        assert len(bench.core.samples) == 3

    Bench(BUILD).run(test)


def test_a_silent_core_does_not_silence_the_store() -> None:
    async def test(bench: Bench) -> None:
        bench.core.deaf = True
        await bench.ask(Operation.READ, read(edge_address(1), 1), status=Status.STALLED)
        for address in (STORE_WORDS, SAMPLE_PALETTES):
            assert await bench.ask(Operation.READ, read(address, 1)) == words(0)
        bench.core.deaf = False
        assert await bench.ask(Operation.READ, read(edge_address(1), 1)) == words(0)

    Bench(BUILD).run(test)
