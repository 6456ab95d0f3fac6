"""Samples per second by source, worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse_boards.boards.registry import find_board
from presparse_boards.estimate.sources import sources

MNIST = Network.load("mnist-dey")  # 784 features in 1,024 input neurons
CLOCK = Fraction(100_000_000)


def test_what_a_uart_brings() -> None:
    """Bytes of a record, a little more in frames, ten bits each."""
    board = find_board("ulx3s-85f")
    [plain] = sources(Build(network=MNIST), board, CLOCK)
    assert plain.dense == plain.sparse
    assert (plain.source, plain.dense.words, plain.dense.bound) == ("link", 0, "link")
    assert plain.dense.samples_per_second == pytest.approx(3e6 / 10 / (4 + 2 * 1024) * 1024 / 1036)

    packed = Build(network=MNIST, sample_bits=4)
    assert packed.sample_format is not None
    [link] = sources(packed, board, CLOCK)
    words = packed.sample_format.most_words, packed.sample_format.least_words
    assert (link.dense.words, link.sparse.words) == words
    for rate in (link.dense, link.sparse):
        assert rate.samples_per_second == pytest.approx(3e6 / 10 / (2 + 2 * rate.words) * 1024 / 1036)


def test_what_a_store_brings() -> None:
    board = find_board("ulx3s-85f")
    build = Build(network=MNIST, store_memory="sdram", store_samples=1000)
    link, stored = sources(build, board, CLOCK)
    assert (link.source, stored.source) == ("link", "SDRAM")
    assert (stored.dense.bound, stored.sparse.bound) == ("memory", "core")
    assert stored.sparse.samples_per_second == pytest.approx(1e8 / 64)
    # A word per cycle, one cycle for its row, and less than 4 % of refreshes.
    assert 0.96 < stored.dense.samples_per_second * (stored.dense.words + 1) / 1e8 < 1

    wide = sources(build, find_board("colorlight-i5"), CLOCK)[1]
    assert wide.dense.bound == "decoder"  # two words are read per cycle, and one is decoded
    assert wide.dense.samples_per_second == pytest.approx(1e8 / wide.dense.words)

    blocks = sources(Build(network=MNIST, store_samples=30), board, CLOCK)[1]
    assert (blocks.source, blocks.dense.samples_per_second) == ("block RAM", pytest.approx(1e8 / blocks.dense.words))


def test_few_lanes_are_slower_than_any_store() -> None:
    build = Build(network=MNIST, lanes=(8, 2), store_memory="sdram", store_samples=1000)
    _, stored = sources(build, find_board("colorlight-i5"), CLOCK)
    assert stored.dense.bound == stored.sparse.bound == "core"
    assert stored.dense.samples_per_second == pytest.approx(1e8 / 512)
