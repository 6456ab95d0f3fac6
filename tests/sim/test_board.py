"""The simulated board's byte stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.operations import Operation
from presparse.contract.samples import Samples
from presparse.contract.wire import Identity
from presparse.device.frames import AnswerReader, encode_request
from presparse.device.session import Session
from presparse.device.transport import Transport
from presparse.device.wire_records import raw_records, record_bytes
from presparse.errors import ArgumentError, LinkClosed
from presparse.reference.pytorch import Reference
from presparse_sim.board import SimulatedBoard, open_link
from presparse_sim.chips.sdram import SdramFaults
from presparse_sim.design import simulated_sdram
from presparse_sim.errors import DesignFault, SimulationError
from tests.networks import random_model
from tests.sim.stand_ins import echo_design, impatient_design, small_build

pytestmark = pytest.mark.slow


DATA = bytes(range(256)) * 4
PLUS_ONE = bytes((b + 1) % 256 for b in DATA)


def _read_all(board: SimulatedBoard, limit: int = 4096) -> bytes:
    got = b""
    while part := board.read(limit, 0.001):
        got += part
    return got


@pytest.mark.parametrize("stall", [0.0, 0.8])
def test_bytes_go_through_in_order(stall: float) -> None:
    board = SimulatedBoard(echo_design(), stall=stall, seed=3)
    board.write(DATA[:1])
    board.write(DATA[1:])
    assert _read_all(board) == PLUS_ONE


def test_read_returns_at_most_its_limit() -> None:
    board = SimulatedBoard(echo_design())
    board.write(DATA)
    assert board.read(10, 1) == PLUS_ONE[:10]
    assert _read_all(board, 7) == PLUS_ONE[10:]


def test_a_timeout_is_counted_in_cycles() -> None:
    board = SimulatedBoard(echo_design(), clock_hz=5000)
    assert board.read(1, 2.0) == b""
    assert board.cycles == 10_000


def test_the_same_calls_take_the_same_cycles() -> None:
    cycles = []
    for seed in (1, 1, 2):
        board = SimulatedBoard(echo_design(), stall=0.5, seed=seed)
        board.write(DATA)
        _read_all(board)
        cycles.append(board.cycles)
    assert cycles[0] == cycles[1] != cycles[2]


def test_a_closed_board_says_so() -> None:
    board = SimulatedBoard(echo_design())
    board.close()
    board.close()
    for use in (lambda: board.read(1, 0), lambda: board.write(b"x"), lambda: board.cycles):
        with pytest.raises(LinkClosed, match="the simulated board: this device was closed; open it again"):
            use()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stall": 1}, r"stall, a probability, must be a number, 0\.0 to 0\.99, and is 1"),
        ({"stall": "x"}, "and is 'x'"),
        ({"stall": float("nan")}, "and is nan"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": 2**70}, "seed must be a whole number"),
        ({"seed": "1"}, "seed must be a whole number"),
        ({"clock_hz": 0}, "clock_hz must be a number"),
        ({"clock_hz": float("inf")}, "clock_hz must be a number"),
        ({"sdram_faults": SdramFaults()}, "sdram_faults or sdram_late are given, and this design has"),
        ({"sdram_late": 4}, "sdram_late must be a whole number"),
        ({"trace": 5}, "trace must be the name of a file, and is 5"),
        ({"progress": 5}, "progress must be a function or None, and is 5"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        open_link(small_build(), **options)


def test_a_broken_rule_of_the_sdram_ends_the_simulation() -> None:
    board = SimulatedBoard(impatient_design())
    rule = "a command before the power-up time is over"
    for _ in range(2):
        with pytest.raises(DesignFault, match=f"broke a rule of its SDRAM in cycle 50: {rule}"):
            board.read(1, 1)


@pytest.mark.parametrize("samples", [1, 8192, 60_000, 131_072])
def test_the_simulated_sdram_has_room_for_the_store(samples: int) -> None:
    build = Build(network=Network.load("mnist-dey"), store_samples=samples, store_memory="sdram", sample_bits=4)
    sdram = simulated_sdram(build)
    assert sdram is not None
    assert build.store is not None
    assert sdram.chip.words // 2 < max(build.store.words, 2**17) <= sdram.chip.words
    assert simulated_sdram(small_build()) is None


def test_the_accelerator_identifies_itself() -> None:
    build: Build = small_build()
    board = open_link(build)
    board.write(b"\0" + encode_request(7, Operation.IDENTIFY, b""))
    reader = AnswerReader()
    reader.feed(board.read(1024, 0.1))
    answer = reader.next()
    assert answer is not None
    assert answer.sequence == 7
    assert Identity.unpack(answer.payload).contract_hash == build.hash


def test_a_half_sent_record_leaves_no_trace() -> None:
    """Cut after every byte by another session, which then predicts as if nothing had been."""
    rng = np.random.default_rng(1)
    build = small_build()
    network = build.network
    model, board = random_model(rng, network), open_link(build)
    Session(lambda: board, build).load(model)
    features = rng.integers(network.formats.activation.min, network.formats.activation.max + 1, (3, network.features))
    samples = Samples.predict(features)
    expected = Reference(build, model).scores(features)
    for sent in range(1, record_bytes(network)):
        cut = Transport(board, first_sequence=sent, timeout=1, retries=0)
        cut.start()
        cut.request(Operation.SAMPLES, raw_records(network, samples).data[:sent])
        session = Session(lambda: board, build)
        scores = np.concatenate([session.feed(samples), session.flush()])
        np.testing.assert_array_equal(scores, expected, err_msg=f"after {sent} bytes")


def test_a_trace_that_cannot_be_written_is_refused_before_a_compile(tmp_path: Path) -> None:
    stages: list[str] = []
    with pytest.raises(SimulationError, match="cannot be written"):
        SimulatedBoard(echo_design(), trace=tmp_path / "no" / "run.vcd", progress=stages.append)
    assert stages == []
