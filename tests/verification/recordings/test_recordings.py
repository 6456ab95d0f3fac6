"""Recorded sessions run again, byte for byte, and give what the reference gives."""

from __future__ import annotations

import numpy as np
import pytest

import presparse as ps
from presparse.accelerator import Accelerator
from presparse.device.links.recorded import Replayer
from presparse.model import Model
from presparse.opening import recorded_session
from tests.verification.recordings.scenes import SCENES, SIMULATED, Seen, recording


def assert_same(own: Seen, other: Seen) -> None:
    assert own.keys() == other.keys()
    for name, value in own.items():
        expected = other[name]
        if isinstance(value, Model):
            assert isinstance(expected, Model)
            assert value.differences(expected) == []
        else:
            np.testing.assert_array_equal(np.asarray(value), np.asarray(expected), err_msg=name)


@pytest.mark.parametrize("name", SCENES)
def test_recorded_boards_equal_the_reference(name: str) -> None:
    build, play = SCENES[name]
    tape = Replayer(recording(name))
    with Accelerator(recorded_session(tape)) as board:
        seen = play(board)
        assert board.build == build
    assert tape.finished
    with ps.open("emulator", build) as emulator:
        assert_same(seen, play(emulator))


@pytest.mark.parametrize("name", SCENES)
def test_recordings_say_that_they_are_simulated(name: str) -> None:
    """Until a board has recorded them: then this test goes, scene by scene."""
    assert Replayer(recording(name)).heading.remark == SIMULATED
