"""What happens behind a call is told to who listens, and to nobody else."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from presparse.accelerator import Accelerator
from presparse.device import session as session_module
from presparse.device.session import Session
from presparse.support.cache import Cache
from tests.host import small
from tests.host.device.cable import Cable
from tests.host.device.protocol_board import BoardLink, ProtocolBoard


def test_reconnects_and_repeats(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "RECONNECT_DELAY", 0.001)
    cable = Cable(BoardLink(ProtocolBoard(small.BUILD)), cuts=(2000, None))
    with caplog.at_level(logging.INFO, logger="presparse"):
        board = Accelerator(Session(cable, small.BUILD))
        board.load(small.model())
        board.predict(np.zeros((40, small.NETWORK.features)))
    assert any("the link closed" in line and "opening it again, attempt 1 of 5" in line for line in caplog.messages)


def test_the_cache(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    cache = Cache("things", tmp_path)
    with caplog.at_level(logging.INFO, logger="presparse"):
        for _ in range(2):
            cache.fetch("key", lambda folder: (folder / "file").touch())
    assert caplog.messages == [f"making {tmp_path / 'things' / 'key'}"]


def test_nobody_listens() -> None:
    """A library prints nothing by itself, warnings included."""
    program = "import logging, presparse; logging.getLogger('presparse.device').warning('heard')"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")
