"""The driver's speed, measured on a board that acknowledges everything."""

from __future__ import annotations

from presparse.benchmark.driver import measure
from presparse.benchmark.workload import sent_samples
from presparse.contract.build import Build
from presparse.contract.sample_words import Palettes
from presparse.device.wire_records import compressed_records, record_bytes
from tests.host import small


def test_bytes_are_those_of_records_and_frames() -> None:
    for bits in (0, 4):
        build = Build(network=small.NETWORK, result_capacity=16, sample_bits=bits)
        samples, what = sent_samples(build)
        assert what == "random images"
        driver, link = measure(build, samples, 3_000_000, 0.0)
        size = float(record_bytes(small.NETWORK))
        if build.sample_format is not None:
            records = compressed_records(Palettes.of(build.sample_format, samples.features), samples)
            size = len(records.data) / len(samples)
        assert driver.compressed == bool(bits)
        frame = 2 + 4 + 2  # number and operation, CRC, what COBS adds and the delimiter, of 1,024 bytes and some more
        assert size * (1 + frame / 1024) <= link.bytes_per_sample < size * (1 + 2 * frame / 1024)
        assert link.samples_per_second == 3e5 / link.bytes_per_sample
        assert driver.samples_per_second > 100
