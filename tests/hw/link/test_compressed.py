"""Records of sample words, among others: what reaches the core, and what becomes of words that are none."""

from __future__ import annotations

import random
import struct
from typing import Literal

import numpy as np
import pytest

from presparse.contract.address_map import SAMPLE_PALETTES, edge_address
from presparse.contract.build import Build
from presparse.contract.operations import Operation, Status
from presparse.contract.sample_words import to_words
from presparse.contract.wire import Identity, SampleKind
from tests.hw.link.bench import (
    SCORES,
    STORE_BUILD,
    Answer,
    Bench,
    compressed,
    few_valued,
    frame,
    palettes_of,
    record,
    small_build,
)
from tests.hw.link.fake_core import TakenSample, scores_of

pytestmark = pytest.mark.slow

FEATURES = few_valued(STORE_BUILD, 40)
PALETTES = palettes_of(STORE_BUILD, FEATURES)
FORMAT = PALETTES.format
WORDS = {SAMPLE_PALETTES: PALETTES.words}


def read(address: int, count: int) -> bytes:
    return struct.pack("<IH", address, count)


def words_of(number: int, label: int) -> list[int]:
    """Of `FEATURES[number]`."""
    words, _ = to_words(FORMAT, PALETTES.encode(FEATURES[number : number + 1]), np.array([label]))
    return words.tolist()


def trained(number: int, *, label: int = 1) -> bytes:
    return compressed(SampleKind.TRAIN, words_of(number, label), rate=3)


def taken(number: int, *, label: int = 1) -> TakenSample:
    return TakenSample(SampleKind.TRAIN, 3, label, tuple(FEATURES[number].tolist()))


@pytest.mark.parametrize("stored", [0, 4], ids=["no store", "store"])
@pytest.mark.parametrize(
    ("port", "bits", "palettes"),
    [
        (1, 3, "per feature"),
        (8, 1, "shared"),
        pytest.param(2, 9, "shared", marks=pytest.mark.nightly),
        pytest.param(4, 5, "per feature", marks=pytest.mark.nightly),
    ],
)
def test_records_of_both_kinds_arrive_in_order_however_they_are_cut(
    port: int, bits: int, palettes: Literal["per feature", "shared"], stored: int
) -> None:
    build = small_build(
        features=7, feature_port=port, sample_bits=bits, sample_palettes=palettes, store_samples=stored,
        result_capacity=64,
    )  # fmt: skip
    rng = random.Random(port)
    features = few_valued(build, 30, port)
    colors = palettes_of(build, features)
    stream, sent = b"", []
    for values, codes in zip(features.tolist(), colors.encode(features), strict=True):
        kind = rng.choice([SampleKind.PREDICT, SampleKind.TRAIN, SampleKind.EVALUATE])
        label = 0 if kind == SampleKind.PREDICT else rng.randrange(3)
        rate = rng.randint(2, 8) if kind == SampleKind.TRAIN else 0
        sent.append(TakenSample(kind, rate, label, tuple(values)))
        if rng.random() < 0.7:
            words, _ = to_words(colors.format, codes[None], np.array([label]))
            stream += compressed(kind, words.tolist(), rate=rate)
        else:
            stream += record(build, kind, values, label=label, rate=rate)

    async def test(bench: Bench) -> None:
        nonlocal stream
        await bench.upload({SAMPLE_PALETTES: colors.words})
        while stream:
            cut = rng.randint(1, 30)
            await bench.ask(Operation.SAMPLES, stream[:cut])
            whole = len(bench.core.samples)
            assert bench.core.samples == sent[:whole]
            stream = stream[cut:]
        assert bench.core.samples == sent
        await bench.ask(Operation.FLUSH)
        results = await bench.ask(Operation.RESULTS, SCORES)
        scores = [scores_of(build, sample.features) for sample in sent if sample.kind == SampleKind.PREDICT]
        assert results == np.array(scores, "<i2").tobytes()
        assert Identity.unpack(await bench.ask(Operation.IDENTIFY)).accepted == len(sent)

    Bench(build, seed=bits, gaps=0.1, core_stall=0.3, compiled=False).run(test)


def test_a_flush_of_an_idle_core_is_answered_when_it_is_through() -> None:
    """The core takes it at once, and says a cycle later that it is not drained any more."""

    async def test(bench: Bench) -> None:
        bench.core.stuck = True
        bench.send(frame(bench.sequence, Operation.FLUSH))
        await bench.silence(100)
        bench.core.stuck = False
        assert await bench.answer() == Answer(bench.sequence, Operation.FLUSH, Status.OK, b"")

    Bench(STORE_BUILD).run(test)


def test_a_request_is_answered_when_its_whole_records_were_taken() -> None:
    async def test(bench: Bench) -> None:
        await bench.upload(WORDS)
        for count in (1, 5, 3, 20):
            stream = b"".join(trained(number) for number in range(count))
            await bench.ask(Operation.SAMPLES, stream + trained(count)[:7])
            assert bench.core.samples == [taken(number) for number in range(count)]
            assert Identity.unpack(await bench.ask(Operation.IDENTIFY)).accepted == count
            await bench.ask(Operation.RESET)
            bench.core.samples.clear()

    Bench(STORE_BUILD, core_stall=0.8).run(test)


def bad_records() -> dict[str, bytes]:
    """The format: 2 bits of label; 4 blocks of 2 codes of 3 bits, the last one of which has but one feature."""
    good = next(words for words in (words_of(i, 1) for i in range(40)) if len(words) == 6)
    kinds = {f"kind {kind:#x}": struct.pack("<BB", kind, 2) for kind in (0x04, 0x86, 0x0E, 0xFC)}
    rates = [(5, 1), (6, 1), (6, 9), (6, 0x83), (7, 2)]
    headers = kinds | {f"kind {kind}, rate {rate}": struct.pack("<BB", kind, rate) for kind, rate in rates}
    words = {
        "no length": [1, *good[1:]],
        "one word": [1 | 1 << 2, *good[1:]],
        "a word too few": [1 | 5 << 2, *good[1:]],
        "a word too many": [1 | 7 << 2, *good[1:]],
        "words behind the last block": [1 | 6 << 2, 0b0111, *good[2:5], 5],
        "the longest there is": [1 | 0x3FFF << 2, *good[1:]],
        "no such class": [3 | 6 << 2, *good[1:]],
        "a block that is not": [good[0], 0b11111, *good[2:]],
        "a block of zeros": [*good[:3], 0, *good[4:]],
        "bits above the codes": [*good[:3], 0o100, *good[4:]],
        "a code of no feature": [*good[:5], 0o10],
    }
    body = b"".join(word.to_bytes(2, "little") for word in good)
    found = {name: header + body for name, header in headers.items()}
    found |= {name: compressed(SampleKind.TRAIN, bad, rate=3) for name, bad in words.items()}
    return found | {"a label to predict": compressed(SampleKind.PREDICT, good)}


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 6])
def test_bad_words_end_their_request_and_spare_the_records_before(cut: int) -> None:
    """`cut`: the bad record begins, with as many bytes, in the request before; which fails if it sees that much."""

    async def test(bench: Bench) -> None:
        await bench.upload(WORDS)
        raw = record(STORE_BUILD, SampleKind.EVALUATE, FEATURES[1].tolist(), label=2)
        raw_taken = TakenSample(SampleKind.EVALUATE, 0, 2, tuple(FEATURES[1].tolist()))
        for name, bad in bad_records().items():
            good = trained(5) + raw + trained(6)
            for behind in (trained(7), raw, b""):
                bench.core.samples.clear()
                bench.request(Operation.SAMPLES, good + bad[:cut])
                first = (await bench.answer()).status
                if first == Status.OK:
                    bench.request(Operation.SAMPLES, bad[cut:] + behind)
                    padding = 0
                    while (status := (await bench.answer()).status) == Status.OK and not behind:
                        padding += 1
                        assert padding < 20, name
                        bench.request(Operation.SAMPLES, bytes(2))  # it wants more words
                    assert status == Status.BAD_SAMPLE, name
                else:
                    assert first == Status.BAD_SAMPLE
                    assert cut
                assert bench.core.samples == [taken(5), raw_taken, taken(6)], name
                await bench.ask(Operation.SAMPLES, raw + trained(8))
                assert bench.core.samples[3:] == [raw_taken, taken(8)], name

    Bench(STORE_BUILD, core_stall=0.3 if cut else 0.0).run(test)


def test_half_a_record_of_words() -> None:
    """It is completed, or dropped by IDENTIFY; there is no flush in it, and no memory."""
    build, whole = STORE_BUILD, trained(2)

    async def test(bench: Bench) -> None:
        await bench.upload(WORDS)
        for cut in range(1, len(whole)):
            await bench.ask(Operation.SAMPLES, whole[:cut])
            await bench.ask(Operation.FLUSH, status=Status.BAD_SAMPLE)
            for address in (edge_address(1), SAMPLE_PALETTES):
                status = Status.NOT_DRAINED if cut >= 4 else Status.OK
                await bench.ask(Operation.READ, read(address, 1), status=status)
            await bench.ask(Operation.SAMPLES, whole[cut:] + whole[:cut])
            await bench.ask(Operation.IDENTIFY)
            await bench.ask(Operation.SAMPLES, record(build, SampleKind.EVALUATE, FEATURES[0].tolist(), label=2))
            await bench.ask(Operation.FLUSH)
            await bench.ask(Operation.READ, read(SAMPLE_PALETTES, 1))
            evaluated = TakenSample(SampleKind.EVALUATE, 0, 2, tuple(FEATURES[0].tolist()))
            assert bench.core.samples == [taken(2), evaluated]
            bench.core.samples.clear()

    Bench(build).run(test)


def test_stalled_samples_are_not_accepted() -> None:
    """More predictions than there is room for."""
    words = [words_of(number, 0) for number in range(20)]

    async def test(bench: Bench) -> None:
        await bench.upload(WORDS)
        stream = b"".join(compressed(SampleKind.PREDICT, each) for each in words)
        await bench.ask(Operation.SAMPLES, stream, status=Status.STALLED)
        accepted = Identity.unpack(await bench.ask(Operation.IDENTIFY)).accepted
        assert accepted == len(bench.core.samples) == 12  # 8 results, 3 in the pipeline, 1 that cannot enter
        await bench.ask(Operation.RESULTS, SCORES)
        await bench.ask(Operation.SAMPLES, b"".join(compressed(SampleKind.PREDICT, each) for each in words[12:14]))
        assert [sample.features for sample in bench.core.samples] == [tuple(row) for row in FEATURES[:14].tolist()]

    Bench(STORE_BUILD).run(test)


def test_reset_drops_words_and_keeps_palettes() -> None:
    async def test(bench: Bench) -> None:
        await bench.upload(WORDS)
        await bench.ask(Operation.SAMPLES, trained(3) + trained(4)[:9])
        await bench.ask(Operation.RESET)
        bench.core.samples.clear()
        await bench.ask(Operation.SAMPLES, trained(5))
        assert bench.core.samples == [taken(5)]

    Bench(STORE_BUILD).run(test)


def test_a_build_that_only_infers_refuses_training() -> None:
    build: Build = small_build(mode="infer", sample_bits=2)

    async def test(bench: Bench) -> None:
        words = [1 | 2 << 2, 0]  # all codes are 0
        await bench.ask(Operation.SAMPLES, compressed(SampleKind.TRAIN, words, rate=2), status=Status.BAD_SAMPLE)
        await bench.ask(Operation.SAMPLES, compressed(SampleKind.EVALUATE, words))
        assert bench.core.samples == [TakenSample(SampleKind.EVALUATE, 0, 1, (0,) * 8)]

    Bench(build, compiled=False).run(test)
