"""The endpoint against a host written with the cobs package and zlib."""

from __future__ import annotations

import random
import struct

import pytest

from presparse.contract.address_map import CORE_COUNTERS, COUNTERS, LINK_COUNTERS, bias_address, edge_address
from presparse.contract.formats import Format, Formats
from presparse.contract.operations import MAX_PAYLOAD, Operation, Status
from presparse.contract.wire import WINDOW, Identity, SampleKind
from presparse_hw.link.identity import identity_of
from tests.hw.link.bench import CLASSES, SCORES, TIME_LIMIT, Answer, Bench, frame, record, small_build
from tests.hw.link.fake_core import POWER_ON, TakenSample, scores_of

pytestmark = pytest.mark.slow


FEATURES = [1, -1, 511, -512, 0, 77, -300, 256]


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def read(address: int, count: int) -> bytes:
    return struct.pack("<IH", address, count)


def test_identify() -> None:
    async def test(bench: Bench) -> None:
        for accepted in range(2):
            payload = await bench.ask(Operation.IDENTIFY)
            expected = identity_of(bench.build, build_id="0123456789abcdef", accepted=accepted)
            assert Identity.unpack(payload) == expected
            assert expected.contract_hash == bench.build.hash
            await bench.ask(Operation.SAMPLES, record(bench.build, SampleKind.PREDICT, FEATURES))

    Bench().run(test)


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_write_then_read_every_region(stall: float) -> None:
    async def test(bench: Bench) -> None:
        rng = random.Random(5)
        for region, memory in bench.core.memory.items():
            values = [rng.getrandbits(32) for _ in memory]
            await bench.ask(Operation.WRITE, words(region << 24, *values))
            assert bench.core.memory[region] == values
            assert await bench.ask(Operation.READ, read(region << 24, len(values))) == words(*values)
        assert bench.core.writes == sum(map(len, bench.core.memory.values()))
        assert await bench.ask(Operation.READ, read(bias_address(1, 3), 2)) == words(*bench.core.memory[2][3:5])

    Bench(core_stall=stall, gaps=stall).run(test)


def test_a_request_that_leaves_its_region_changes_nothing() -> None:
    async def test(bench: Bench) -> None:
        for address, count in [
            (edge_address(1, 31), 2),
            (edge_address(1, 32), 1),
            (bias_address(2, 0), 5),
            (5 << 24, 1),
            (0xFF << 24, 1),
            (edge_address(1, (1 << 24) - 1), 3),
            (0, 2 * len(COUNTERS) + 1),
            (2 * len(COUNTERS), 1),
        ]:
            await bench.ask(Operation.WRITE, words(address, *[7] * count), status=Status.BAD_ADDRESS)
            await bench.ask(Operation.READ, read(address, count), status=Status.BAD_ADDRESS)
            assert bench.core.writes == 0

    Bench().run(test)


def test_counters_are_not_written() -> None:
    async def test(bench: Bench) -> None:
        await bench.ask(Operation.WRITE, words(0, 1), status=Status.BAD_ADDRESS)

    Bench().run(test)


def test_bad_lengths() -> None:
    async def test(bench: Bench) -> None:
        for operation, payload in [
            (Operation.IDENTIFY, b"\0"),
            (Operation.READ, b""),
            (Operation.READ, read(0, 1)[:5]),
            (Operation.READ, read(0, 1) + b"\0"),
            (Operation.READ, read(edge_address(1), 0)),
            (Operation.READ, read(edge_address(1), 257)),
            (Operation.READ, read(edge_address(1), 0x100 + 0x8000)),
            (Operation.WRITE, b""),
            (Operation.WRITE, words(edge_address(1))),
            (Operation.WRITE, words(edge_address(1), 1) + b"\0"),
            (Operation.SAMPLES, b""),
            (Operation.RESULTS, b""),
            (Operation.RESULTS, b"\0\0"),
            (Operation.RESULTS, b"\2"),
            (Operation.RESULTS, b"\x80"),
            (Operation.FLUSH, b"\0\0"),
            (Operation.CLEAR_COUNTERS, bytes(MAX_PAYLOAD)),
            (Operation.RESET, b"\0"),
        ]:
            await bench.ask(operation, payload, status=Status.BAD_LENGTH)
            assert await bench.ask(Operation.READ, read(edge_address(1), 1)) == words(0)
        assert (bench.core.restarts, bench.core.flushes, bench.core.writes) == (POWER_ON, 0, 0)

    Bench().run(test)


def test_unknown_operations() -> None:
    async def test(bench: Bench) -> None:
        for operation in (0, 9, 0x42, 255):
            await bench.ask(operation, b"whatever", status=Status.UNKNOWN_OPERATION)
        await bench.ask(Operation.IDENTIFY)

    Bench().run(test)


@pytest.mark.parametrize("feature_port", [1, 2, 4, 8])
@pytest.mark.parametrize("width", [5, 10, 17, *(pytest.param(width, marks=pytest.mark.nightly) for width in (8, 16))])
def test_samples_arrive_whole_however_they_are_cut(feature_port: int, width: int) -> None:
    fmt = Format(width=width, frac=4)
    formats = Formats(activation=fmt, output=Format(width=width, frac=3))
    build = small_build(formats=formats, feature_port=feature_port, result_capacity=64)

    async def test(bench: Bench) -> None:
        rng = random.Random(width)
        sent, stream = [], b""
        for _ in range(12):
            kind = rng.choice([SampleKind.PREDICT, SampleKind.TRAIN, SampleKind.EVALUATE])
            features = [rng.choice([fmt.min, fmt.max, -1, 0, rng.randint(fmt.min, fmt.max)]) for _ in range(8)]
            label = 0 if kind == SampleKind.PREDICT else rng.randrange(3)
            rate = rng.randint(2, 8) if kind == SampleKind.TRAIN else 0
            sent.append(TakenSample(kind, rate, label, tuple(features)))
            stream += record(build, kind, features, label=label, rate=rate)
        while stream:
            cut = rng.randint(1, 40)
            waiting = await bench.ask(Operation.SAMPLES, stream[:cut])
            assert int.from_bytes(waiting, "little") <= sum(s.kind == SampleKind.PREDICT for s in sent)
            stream = stream[cut:]
        assert bench.core.samples == sent
        await bench.ask(Operation.FLUSH)
        results = await bench.ask(Operation.RESULTS, SCORES)
        size = 1 if width <= 8 else 2 if width <= 16 else 4
        predicted = [sample for sample in sent if sample.kind == SampleKind.PREDICT]
        expected = [score for sample in predicted for score in scores_of(build, sample.features)]
        assert results == b"".join(score.to_bytes(size, "little", signed=True) for score in expected)
        assert await bench.ask(Operation.RESULTS, SCORES) == b""

    Bench(build, seed=width, gaps=0.1, core_stall=0.3, compiled=False).run(test)


def test_results_are_whole_and_as_many_as_fit() -> None:
    build = small_build(outputs=256, result_capacity=8)

    async def test(bench: Bench) -> None:
        for i in range(5):
            await bench.ask(Operation.SAMPLES, record(build, SampleKind.PREDICT, [i] * 8))
        await bench.ask(Operation.FLUSH)
        for group in ([0, 1], [2, 3], [4]):
            results = await bench.ask(Operation.RESULTS, SCORES)
            expected = [score for i in group for score in scores_of(build, (i,) * 8)]
            assert struct.unpack(f"<{len(results) // 2}h", results) == tuple(expected)
        assert await bench.ask(Operation.RESULTS, SCORES) == b""

    Bench(build, core_stall=0.2).run(test)


@pytest.mark.parametrize(("classes", "outputs", "size"), [(3, 4, 1), (256, 256, 1), (257, 272, 2), (2, 4, 1)])
def test_results_as_classes(classes: int, outputs: int, size: int) -> None:
    """The first of the highest scores; outputs beyond the classes do not count."""
    formats = Formats(output=Format(width=8, frac=3))
    build = small_build(formats=formats, classes=classes, outputs=outputs, result_capacity=8)
    rng = random.Random(classes)
    samples = [[rng.choice([-500, -128, 0, 100, 127, 511]) for _ in range(8)] for _ in range(7)] + [[511] * 8]

    async def test(bench: Bench) -> None:
        for features in samples:
            await bench.ask(Operation.SAMPLES, record(build, SampleKind.PREDICT, features))
        await bench.ask(Operation.FLUSH)
        results = await bench.ask(Operation.RESULTS, CLASSES)
        scores = [scores_of(build, tuple(features))[:classes] for features in samples]
        assert results == b"".join(own.index(max(own)).to_bytes(size, "little") for own in scores)
        assert await bench.ask(Operation.RESULTS, CLASSES) == b""

    Bench(build, core_stall=0.2, compiled=False).run(test)


BAD_HEADERS = [(0, 0, 0), (4, 0, 0), (0x81, 0, 0), (1, 1, 0), (1, 0, 1), (2, 1, 0), (2, 9, 0), (2, 0x82, 0), (2, 2, 3),
               (2, 2, 0x100), (3, 0, 3), (3, 0, 0xFFFF), (3, 4, 0)]  # fmt: skip


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_a_bad_record_ends_its_request_and_spares_the_one_before(cut: int) -> None:
    """`cut`: the bad record begins, with as many bytes, in the request before."""

    async def test(bench: Bench) -> None:
        good = record(bench.build, SampleKind.TRAIN, FEATURES, label=2, rate=2)
        for header in BAD_HEADERS:
            stream = good + struct.pack("<BBH", *header) + bytes(16) + good
            if cut:
                await bench.ask(Operation.SAMPLES, stream[: len(good) + cut])
                stream = stream[len(good) + cut :]
            await bench.ask(Operation.SAMPLES, stream, status=Status.BAD_SAMPLE)
            assert bench.core.samples == [TakenSample(2, 2, 2, tuple(FEATURES))]
            await bench.ask(Operation.SAMPLES, record(bench.build, SampleKind.EVALUATE, FEATURES, label=1))
            assert bench.core.samples[1:] == [TakenSample(3, 0, 1, tuple(FEATURES))]
            bench.core.samples.clear()

    Bench(core_stall=0.8).run(test)


def test_a_bad_header_that_ends_its_request() -> None:
    async def test(bench: Bench) -> None:
        await bench.ask(Operation.SAMPLES, bytes(4), status=Status.BAD_SAMPLE)
        await bench.ask(Operation.SAMPLES, record(bench.build, SampleKind.PREDICT, FEATURES))

    Bench().run(test)


def test_a_build_that_only_infers_refuses_training() -> None:
    async def test(bench: Bench) -> None:
        training = record(bench.build, SampleKind.TRAIN, FEATURES, rate=2)
        await bench.ask(Operation.SAMPLES, training, status=Status.BAD_SAMPLE)
        await bench.ask(Operation.SAMPLES, record(bench.build, SampleKind.EVALUATE, FEATURES))
        assert len(bench.core.samples) == 1

    Bench(small_build(mode="infer"), compiled=False).run(test)


def test_memory_waits_for_a_drained_pipeline() -> None:
    async def test(bench: Bench) -> None:
        await bench.ask(Operation.SAMPLES, record(bench.build, SampleKind.EVALUATE, FEATURES))
        await bench.ask(Operation.WRITE, words(edge_address(1), 1), status=Status.NOT_DRAINED)
        await bench.ask(Operation.READ, read(edge_address(1), 1), status=Status.NOT_DRAINED)
        await bench.ask(Operation.READ, read(0, 1))
        await bench.ask(Operation.FLUSH)
        assert bench.core.flushes == 1
        await bench.ask(Operation.WRITE, words(edge_address(1), 1))
        assert bench.core.writes == 1

    Bench().run(test)


def test_flush_inside_a_record_is_refused() -> None:
    async def test(bench: Bench) -> None:
        whole = record(bench.build, SampleKind.PREDICT, FEATURES)
        for cut in (1, 4, 9):
            await bench.ask(Operation.SAMPLES, whole[:cut])
            await bench.ask(Operation.FLUSH, status=Status.BAD_SAMPLE)
            await bench.ask(Operation.SAMPLES, whole[cut:])
        assert bench.core.samples == [TakenSample(1, 0, 0, tuple(FEATURES))] * 3
        await bench.ask(Operation.FLUSH)

    Bench().run(test)


def test_identify_drops_half_a_record() -> None:
    async def test(bench: Bench) -> None:
        whole = record(bench.build, SampleKind.TRAIN, FEATURES, label=1, rate=5)
        for session, cut in enumerate((1, 3, 4, 5, 6, 8, 19)):
            await bench.ask(Operation.SAMPLES, whole + whole[:cut])
            identity = Identity.unpack(await bench.ask(Operation.IDENTIFY))
            assert identity.accepted == 2 * session + 1
            await bench.ask(Operation.SAMPLES, record(bench.build, SampleKind.EVALUATE, FEATURES, label=2))
            assert bench.core.samples == [TakenSample(2, 5, 1, tuple(FEATURES)), TakenSample(3, 0, 2, tuple(FEATURES))]
            bench.core.samples.clear()

    Bench(small_build(feature_port=2), compiled=False).run(test)


def test_reset() -> None:
    async def test(bench: Bench) -> None:
        whole = record(bench.build, SampleKind.PREDICT, FEATURES)
        await bench.ask(Operation.WRITE, words(edge_address(1), 99))
        await bench.ask(Operation.SAMPLES, 5 * whole + whole[:9])
        await bench.ask(Operation.RESET)
        assert bench.core.restarts == POWER_ON + 1
        assert await bench.counter("blocks") == 0
        assert await bench.counter("frames_accepted") == 2
        assert await bench.ask(Operation.RESULTS, SCORES) == b""
        assert Identity.unpack(await bench.ask(Operation.IDENTIFY)).accepted == 0
        assert await bench.ask(Operation.READ, read(edge_address(1), 1)) == words(99)
        await bench.ask(Operation.SAMPLES, whole)
        assert len(bench.core.samples) == 6

    Bench().run(test)


@pytest.mark.parametrize("cycles", [1, 2, 50])
def test_restart_in_the_middle_of_everything(cycles: int) -> None:
    """An answer waits to be sent, a record and a frame are half received; all are forgotten, weights are not."""

    async def test(bench: Bench) -> None:
        whole = record(bench.build, SampleKind.PREDICT, FEATURES)
        await bench.ask(Operation.WRITE, words(edge_address(1), 99))
        await bench.ask(Operation.SAMPLES, 5 * whole + whole[:9])
        bench.hold_output = True
        bench.request(Operation.READ, read(edge_address(1), 1))
        bench.send(frame(bench.sequence, Operation.SAMPLES, whole)[:10])
        await bench.wait(400)
        await bench.restart(cycles)
        bench.hold_output = False
        await bench.silence()
        assert bench.core.restarts == POWER_ON + cycles
        assert Identity.unpack(await bench.ask(Operation.IDENTIFY)).accepted == 0
        assert await bench.counter("frames_accepted") == 2
        for name in LINK_COUNTERS:
            assert name == "frames_accepted" or await bench.counter(name) == 0
        assert await bench.ask(Operation.RESULTS, SCORES) == b""
        assert await bench.ask(Operation.READ, read(edge_address(1), 1)) == words(99)
        await bench.ask(Operation.SAMPLES, whole)
        assert [sample.features for sample in bench.core.samples] == [tuple(FEATURES)] * 6

    Bench().run(test)


def test_counters_and_clearing_them() -> None:
    async def test(bench: Bench) -> None:
        await bench.ask(Operation.SAMPLES, record(bench.build, SampleKind.PREDICT, FEATURES))
        counted = {name: 7 * i for i, name in enumerate(CORE_COUNTERS)}
        bench.core.events |= counted
        await bench.wait(max(counted.values()))
        everything = await bench.ask(Operation.READ, read(0, 2 * len(COUNTERS)))
        values = dict(zip(COUNTERS, struct.unpack(f"<{len(COUNTERS)}Q", everything), strict=True))
        counted["blocks"] += 1
        assert values == counted | dict.fromkeys(LINK_COUNTERS, 0) | {"frames_accepted": 2}
        await bench.ask(Operation.CLEAR_COUNTERS)
        assert await bench.counter("frames_accepted") == 1
        everything = await bench.ask(Operation.READ, read(0, 2 * len(COUNTERS)))
        values = dict(zip(COUNTERS, struct.unpack(f"<{len(COUNTERS)}Q", everything), strict=True))
        assert values == dict.fromkeys(COUNTERS, 0) | {"frames_accepted": 2}

    Bench().run(test)


def test_stalled_samples_drop_half_a_record_and_say_how_many_were_accepted() -> None:
    build = small_build(result_capacity=3)

    async def test(bench: Bench) -> None:
        stream = b"".join(record(build, SampleKind.PREDICT, [i] * 8) for i in range(10))
        await bench.ask(Operation.SAMPLES, stream, status=Status.STALLED)
        accepted = Identity.unpack(await bench.ask(Operation.IDENTIFY)).accepted
        assert accepted == len(bench.core.samples) == 7  # 3 results, 3 in the pipeline, 1 that cannot enter
        assert len(await bench.ask(Operation.RESULTS, SCORES)) == 3 * 4 * 2
        await bench.ask(Operation.SAMPLES, record(build, SampleKind.PREDICT, [7] * 8))
        assert [s.features[0] for s in bench.core.samples] == list(range(8))

    Bench(build).run(test)


def test_stalled_flush_and_silent_memory() -> None:
    build = small_build(result_capacity=3)

    async def test(bench: Bench) -> None:
        for i in range(5):
            await bench.ask(Operation.SAMPLES, record(build, SampleKind.PREDICT, [i] * 8))
        await bench.ask(Operation.FLUSH, status=Status.STALLED)
        assert len(await bench.ask(Operation.RESULTS, SCORES)) == 3 * 4 * 2
        await bench.ask(Operation.FLUSH)
        assert len(await bench.ask(Operation.RESULTS, SCORES)) == 2 * 4 * 2
        bench.core.deaf = True
        await bench.ask(Operation.READ, read(edge_address(1), 1), status=Status.STALLED)
        bench.core.deaf = False
        assert await bench.ask(Operation.READ, read(edge_address(1), 1)) == words(0)

    Bench(build).run(test)


def test_a_repeat_is_answered_again_and_not_executed() -> None:
    async def test(bench: Bench) -> None:
        whole = record(bench.build, SampleKind.TRAIN, FEATURES, label=1, rate=5)
        requests = [
            (Operation.IDENTIFY, b""),
            (Operation.SAMPLES, whole),
            (Operation.READ, read(edge_address(1), 1)),
            (Operation.SAMPLES, whole + whole),
            (Operation.WRITE, words(bias_address(1), 5)),
            (Operation.READ, read(2, 2)),
        ]
        frames = [frame(i, *request) for i, request in enumerate(requests)]
        answers = []
        for sent in frames:
            bench.send(sent)
            answers.append(await bench.answer())
        for first in range(2, 6):
            for sent, answer in zip(frames[first:], answers[first:], strict=True):
                bench.send(sent)
                assert await bench.answer() == answer
        bench.send(b"".join(frames[2:]))
        for answer in answers[2:]:
            assert await bench.answer() == answer
        assert len(bench.core.samples) == 3
        bench.send(frames[1])
        await bench.silence()
        bench.sequence = len(requests)
        assert await bench.counter("frames_repeated") == 4 + 3 + 2 + 1 + 4
        assert await bench.counter("frames_unexpected") == 1
        assert await bench.counter("frames_accepted") == len(requests) + 3

    Bench().run(test)


def test_a_repeat_of_a_request_that_is_executed_or_being_answered_is_dropped() -> None:
    async def test(bench: Bench) -> None:
        for i in range(8):
            await bench.ask(Operation.SAMPLES, record(bench.build, SampleKind.PREDICT, [i] * 8))
        bench.core.stuck = True
        flush = frame(bench.sequence, Operation.FLUSH)
        bench.send(3 * flush)
        await bench.wait(TIME_LIMIT // 2)
        bench.core.stuck = False
        assert await bench.answer() == Answer(bench.sequence, Operation.FLUSH, Status.OK, b"")
        await bench.silence()
        bench.sequence += 1

        bench.hold_output = True  # longer than the encoder's memory: the answer stays under way
        results = frame(bench.sequence, Operation.RESULTS, SCORES)
        bench.send(3 * results)
        await bench.wait(1500)
        bench.hold_output = False
        assert len((await bench.answer()).payload) == 2 * 2 * 256
        await bench.silence()
        bench.sequence += 1
        assert await bench.counter("frames_repeated") == 4

    Bench(small_build(outputs=256)).run(test)


def test_an_answer_that_is_sent_again_is_not_changed_by_a_new_request_in_its_slot() -> None:
    async def test(bench: Bench) -> None:
        await bench.ask(Operation.WRITE, words(edge_address(2), *range(200)))
        long = read(edge_address(2), 256)
        first = bench.request(Operation.READ, long)
        answer = await bench.answer()
        bench.hold_output = True
        bench.send(frame(first, Operation.READ, long))
        await bench.wait(1000)
        others = [bench.request(Operation.RESULTS, SCORES) for _ in range(WINDOW - 1)]
        bench.request(Operation.READ, read(edge_address(2, 256), 256))
        await bench.wait(1000)
        bench.hold_output = False
        assert await bench.answer() == answer
        for sequence in others:
            assert await bench.answer() == Answer(sequence, Operation.RESULTS, Status.OK, b"")
        assert (await bench.answer()).payload == bytes(1024)

    Bench(small_build(outputs=256)).run(test)


def test_go_back_n_after_a_lost_frame() -> None:
    async def test(bench: Bench) -> None:
        records = [record(bench.build, SampleKind.TRAIN, [i] * 8, label=1, rate=3) for i in range(4)]
        frames = [frame(i, Operation.SAMPLES, r) for i, r in enumerate(records)]
        damaged = bytes([frames[1][0], frames[1][1] ^ 0x55]) + frames[1][2:]
        bench.send(frames[0] + damaged + frames[2] + frames[3])
        first = await bench.answer()
        assert (first.sequence, first.status) == (0, Status.OK)
        await bench.silence()
        bench.send(b"\0\0" + b"".join(frames[1:]))
        for i in range(1, 4):
            assert (await bench.answer()).sequence == i
        assert [s.features[0] for s in bench.core.samples] == [0, 1, 2, 3]
        bench.sequence = 4
        assert await bench.counter("frames_corrupt") == 1
        assert await bench.counter("frames_unexpected") == 2

    Bench().run(test)


def test_identify_starts_a_session_with_any_number() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(3):
            await bench.ask(Operation.RESULTS, SCORES)
        bench.sequence = 200
        identity = await bench.ask(Operation.IDENTIFY)
        bench.send(frame(200, Operation.IDENTIFY))  # a repeat of the newest
        assert await bench.answer() == Answer(200, Operation.IDENTIFY, Status.OK, identity)
        await bench.ask(Operation.RESULTS, SCORES)
        bench.send(frame(200, Operation.IDENTIFY))  # a session with the number of an older request
        assert (await bench.answer()).payload == identity
        bench.sequence = 201
        bench.send(frame(202, Operation.RESULTS, SCORES))
        await bench.silence()
        await bench.ask(Operation.RESULTS, SCORES)
        bench.send(frame(201, Operation.IDENTIFY))  # the newest request's number, but that was no IDENTIFY
        assert (await bench.answer()).payload == identity
        bench.send(frame(200, Operation.IDENTIFY))
        assert (await bench.answer()).payload == identity
        bench.sequence = 201
        assert await bench.counter("frames_repeated") == 1
        assert await bench.counter("frames_accepted") == 11
        assert await bench.counter("frames_unexpected") == 1

    Bench().run(test)


def test_sequence_numbers_wrap() -> None:
    async def test(bench: Bench) -> None:
        bench.sequence = 253
        await bench.ask(Operation.IDENTIFY)
        for _ in range(6):
            await bench.ask(Operation.RESULTS, SCORES)
        for sequence in (3, 2, 1, 0):
            bench.send(frame(sequence, Operation.RESULTS, SCORES))
            assert (await bench.answer()).sequence == sequence
        bench.send(frame(255, Operation.RESULTS, SCORES))
        await bench.silence()

    Bench().run(test)


def test_a_frame_beyond_the_window_is_dropped_and_its_repeat_executed() -> None:
    build = small_build(result_capacity=3)

    async def test(bench: Bench) -> None:
        await bench.ask(Operation.SAMPLES, b"".join(record(build, SampleKind.PREDICT, [i] * 8) for i in range(6)))
        bench.request(Operation.FLUSH)  # stalls, while the window fills
        sent = [bench.request(Operation.SAMPLES, record(build, SampleKind.EVALUATE, [i] * 8)) for i in range(3)]
        late = bench.request(Operation.SAMPLES, record(build, SampleKind.EVALUATE, [9] * 8))
        assert (await bench.answer()).status == Status.STALLED
        for sequence in sent:
            answer = await bench.answer()
            assert (answer.sequence, answer.status) == (sequence, Status.STALLED)
        await bench.silence()
        bench.send(frame(late, Operation.RESULTS, SCORES))
        assert (await bench.answer()).sequence == late
        assert await bench.counter("frames_unexpected") == 1

    Bench(build).run(test)


def test_a_frame_beyond_the_window_spares_the_payload_whose_slot_it_would_have() -> None:
    async def test(bench: Bench) -> None:
        records = [record(bench.build, SampleKind.TRAIN, [i] * 8, label=1, rate=3) for i in range(16)]
        bench.core.stuck = True  # the first request waits for the core in the middle of its payload
        sent = [bench.request(Operation.SAMPLES, b"".join(records[:8]))]
        sent += [bench.request(Operation.RESULTS, SCORES) for _ in range(WINDOW - 1)]
        bench.request(Operation.SAMPLES, b"".join(records[8:]))
        await bench.silence(20)
        bench.core.stuck = False
        for sequence in sent:
            answer = await bench.answer()
            assert (answer.sequence, answer.status) == (sequence, Status.OK)
        await bench.silence()
        assert [s.features[0] for s in bench.core.samples] == list(range(8))

    Bench().run(test)


@pytest.mark.parametrize("window", [1, 8, pytest.param(2, marks=pytest.mark.nightly)])
def test_other_windows(window: int) -> None:
    """IDENTIFY says it; as many requests wait, one more is dropped; as many answers are kept, no more."""

    async def test(bench: Bench) -> None:
        identity = identity_of(bench.build, build_id="0123456789abcdef", accepted=0, window=window)
        assert Identity.unpack(await bench.ask(Operation.IDENTIFY)) == identity
        long = read(edge_address(2), 256)
        await bench.ask(Operation.WRITE, words(edge_address(2), *range(7, 207)))
        bench.core.stuck = True  # the first request waits for the core in the middle of its payload
        records = [record(bench.build, SampleKind.TRAIN, [i] * 8, label=1, rate=3) for i in range(8)]
        sent = [bench.request(Operation.SAMPLES, b"".join(records))]
        sent += [bench.request(Operation.RESULTS, SCORES) for _ in range(window - 1)]
        late = frame(bench.sequence, Operation.READ, long)
        bench.send(late)
        await bench.silence(20)
        bench.core.stuck = False
        answers = [await bench.answer() for _ in sent]
        assert [(a.sequence, a.status) for a in answers] == [(sequence, Status.OK) for sequence in sent]
        await bench.silence()
        assert await bench.ask(Operation.FLUSH) == b""
        bench.request(Operation.READ, long)
        newest = await bench.answer()
        assert newest.payload == words(*range(7, 207), *[0] * 56)
        bench.send(frame(sent[0], Operation.SAMPLES, b"".join(records)))  # forgotten
        bench.send(frame(bench.sequence - 1, Operation.READ, long))
        assert await bench.answer() == newest
        await bench.silence()
        assert [s.features[0] for s in bench.core.samples] == list(range(8))
        assert await bench.counter("frames_accepted") == 2 + window + 2 + 1  # the last one reads
        assert await bench.counter("frames_repeated") == 1
        assert await bench.counter("frames_unexpected") == 2

    Bench(small_build(outputs=256), window=window).run(test)


@pytest.mark.filterwarnings("ignore::amaranth.UnusedElaboratable")
@pytest.mark.parametrize("window", [0, 3, 128])
def test_windows_that_cannot_be(window: int) -> None:
    with pytest.raises(ValueError, match=f"window must be one of 1, 2, .* and is {window}"):
        Bench(window=window)


@pytest.mark.parametrize("gaps", [0.0, 0.3, 0.7])
def test_full_window_of_random_requests(gaps: float) -> None:
    """Window kept full; every answer is compared with what one request at a time would give."""

    async def test(bench: Bench) -> None:
        rng = random.Random(int(gaps * 10))
        memory = {region: list(values) for region, values in bench.core.memory.items()}
        expected: list[tuple[int, bytes]] = []
        sent = done = 0
        while done < 40:
            if sent < 40 and sent - done < WINDOW:
                region = rng.choice(list(memory))
                start = rng.randrange(len(memory[region]))
                count = rng.randint(1, len(memory[region]) - start)
                if rng.random() < 0.5:
                    values = [rng.choice([0, 1, 0xFF00, rng.getrandbits(32)]) for _ in range(count)]
                    memory[region][start : start + count] = values
                    bench.request(Operation.WRITE, words(region << 24 | start, *values))
                    expected.append((Operation.WRITE, b""))
                else:
                    bench.request(Operation.READ, read(region << 24 | start, count))
                    expected.append((Operation.READ, words(*memory[region][start : start + count])))
                sent += 1
                continue
            answer = await bench.answer()
            assert answer == Answer(done, expected[done][0], Status.OK, expected[done][1])
            done += 1
        assert bench.core.memory == memory

    Bench(seed=3, gaps=gaps, core_stall=gaps / 2).run(test)


def test_largest_payloads_both_ways() -> None:
    """WRITE of 255 words and READ of 256, of all zeros and of no zero: COBS at its extremes."""
    build = small_build(outputs=256)  # 256 biases in the second junction, 512 edges

    async def test(bench: Bench) -> None:
        for value in (0, 0x01010101, 0xFF00FF00):
            await bench.ask(Operation.WRITE, words(edge_address(2), *[value] * 255))
            await bench.ask(Operation.WRITE, words(edge_address(2, 255), value))
            assert await bench.ask(Operation.READ, read(edge_address(2), 256)) == words(*[value] * 256)

    Bench(build).run(test)
