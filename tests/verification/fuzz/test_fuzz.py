"""Readers of files and of a board's bytes take anything: edited seeds for a few seconds, and all that was found.

`make fuzz` does the same for longer, guided by the branches that inputs reach.
"""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from presparse.contract.operations import Operation
from presparse.device.session import Session
from presparse.errors import DeviceFault, PresparseError
from tests.verification.fuzz import __main__ as command
from tests.verification.fuzz.bounds import TooSlow, bounded
from tests.verification.fuzz.edits import edited
from tests.verification.fuzz.findings import FINDINGS, Finding, bomb_idx, bomb_npz
from tests.verification.fuzz.liar import LyingBoard, identity
from tests.verification.fuzz.targets import PLANTED, TARGETS, BadMessage, Target
from tests.verification.recordings.scenes import STORED

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fuzz")]  # its fixture takes long: once is enough


BY_NAME = {target.name: target for target in TARGETS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_seeds_are_taken(target: Target, folder: Path) -> None:
    for seed in target.seeds():
        assert target.try_out(seed, folder) is None


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_edited_seeds_are_taken_or_refused(target: Target, folder: Path) -> None:
    seeds = target.seeds()

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.randoms(use_true_random=False))
    def any_input(chance: random.Random) -> None:
        data = edited(chance.choice(seeds), chance, seeds)
        with bounded():
            target.try_out(data, folder)

    any_input()


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: f"{finding.target}: {finding.what}")
def test_what_was_found_is_refused(finding: Finding, folder: Path) -> None:
    with bounded():
        error = BY_NAME[finding.target].try_out(finding.data, folder)
    assert finding.message in str(error)
    assert len(str(error)) < 3100


@pytest.mark.parametrize(("name", "bomb"), [("npz", bomb_npz), ("idx", bomb_idx)])
def test_a_file_that_unpacks_to_more_than_the_memory(name: str, bomb: Callable[[int], bytes], folder: Path) -> None:
    data = bomb(200 << 20)
    assert len(data) < 1 << 20
    with bounded(memory=64 << 20):
        error = BY_NAME[name].try_out(data, folder)
    assert "needs more memory than there is" in str(error)


def test_a_board_whose_results_never_end() -> None:
    """It has predicted for somebody else before, and never ends to give results."""
    earlier = replace(identity(STORED), accepted=5).pack()
    board = LyingBoard(STORED, always={Operation.IDENTIFY: earlier, Operation.RESULTS: bytes(STORED.result_bytes())})
    with bounded(), pytest.raises(DeviceFault, match="the board has more results than it has room for; power-cycle it"):
        Session(lambda: board, STORED, timeout=0.05, retries=2, first_sequence=0, clock=board)


def test_a_board_that_answers_half_a_word() -> None:
    board = LyingBoard(STORED, always={Operation.READ: bytes(3)})
    session = Session(lambda: board, STORED, timeout=0.05, retries=2, first_sequence=0, clock=board)
    with pytest.raises(DeviceFault, match=r"the board answers READ of \d+ words at 0x00000000 with 3 bytes"):
        session.counters()


# The harness itself


def _reader(read: Callable[[Path], None]) -> Target:
    return Target(name="own", file="own.file", read=lambda data, path: read(path), seeds=list)


def _raise(error: Exception) -> None:
    raise error


def test_other_errors_are_findings(folder: Path) -> None:
    with pytest.raises(KeyError):
        _reader(lambda path: _raise(KeyError("key"))).try_out(b"", folder)


@pytest.mark.parametrize("text", ["no name", "{}: \x1b[2J", "{}: two\nlines"])
def test_bad_messages_are_findings(text: str, folder: Path) -> None:
    class Raw(PresparseError):
        __str__ = Exception.__str__

    with pytest.raises(BadMessage):
        _reader(lambda path: _raise(Raw(text.format(path)))).try_out(b"", folder)


def test_time_and_memory_are_findings() -> None:
    with pytest.raises(MemoryError), bounded(memory=1 << 24):
        bytearray(1 << 26)
    with pytest.raises(TooSlow), bounded(seconds=0.05):
        time.sleep(5)


def test_edits_change_seeds_in_many_ways() -> None:
    seed = gzip.compress(b"layers = [8, 12, 4]", mtime=0) + b"layers = [8, 12, 4]"
    assert len({edited(seed, random.Random(number), [b"other"]) for number in range(300)}) > 200


def test_the_guided_run_finds_what_was_planted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reader that fails at a certain byte: exit status 1, and the input in a file."""
    findings = tmp_path / "findings"
    assert command.main([PLANTED.name, "--seconds", "20", "--json", "--findings", str(findings)]) == 1
    [outcome] = json.loads(capsys.readouterr().out)["targets"]
    assert "ZeroDivisionError" in outcome["said"]
    assert Path(outcome["finding"]).read_bytes().startswith(b"Pa")
    assert Path(outcome["finding"]).parent == findings
