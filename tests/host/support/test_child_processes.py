"""Programs beside this process: what they say, how they end, and that they end with it, and all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from presparse.support.child_processes import ChildProcesses, NotStarted

COMPILER = ("sh", "-c", "sleep 600 & echo $! > pid.new; mv pid.new pid; wait")
"""As g++ does, it starts another program, whose process id it writes to the file `pid`."""
PARENT = f"""
from presparse.support.child_processes import ChildProcesses

with ChildProcesses() as children:
    children.listen({COMPILER})
"""


def _pid(folder: Path) -> int:
    """Of what COMPILER started, once it is there."""
    for _ in range(600):
        if (folder / "pid").exists():
            return int((folder / "pid").read_text())
        time.sleep(0.02)
    raise AssertionError("it never began")


def _ended(pid: int) -> bool:
    for _ in range(600):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:  # init has not asked how it ended yet
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("echo out; echo err >&2", 0, "out\nerr\n"),
        ("exit 3", 3, ""),
        ("kill -9 $$", -signal.SIGKILL, ""),
        ("kill -15 $$", -signal.SIGTERM, ""),
        ("cat; pwd; echo $NAME", 0, "{folder}\nvalue\n"),
    ],
)
def test_status_words_folder_and_environment(tmp_path: Path, script: str, status: int, said: str) -> None:
    with ChildProcesses() as children:
        ended = children.listen(["sh", "-c", script], folder=tmp_path, env={**os.environ, "NAME": "value"})
    assert ended == (status, said.format(folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_cannot_be_started() -> None:
    with ChildProcesses() as children:
        assert children.listen(["no-such-program"]) == (
            127,
            "no-such-program cannot be started: No such file or directory\n",
        )


def test_leaving_the_block_ends_programs_and_what_they_started(tmp_path: Path) -> None:
    ended: list[tuple[int, str]] = []
    with ChildProcesses() as children:
        thread = threading.Thread(target=lambda: ended.append(children.listen(COMPILER, folder=tmp_path)))
        thread.start()
        pid = _pid(tmp_path)
    thread.join(30)
    assert ended == [(-signal.SIGKILL, "")]
    assert _ended(pid)
    with pytest.raises(NotStarted, match="sh: not started, because another step had failed"):
        children.listen(COMPILER, folder=tmp_path)


def test_what_is_overdue_ends(tmp_path: Path) -> None:
    with ChildProcesses() as children, (tmp_path / "log").open("wb") as log:
        status = children.run(COMPILER, log, folder=tmp_path, overdue=(tmp_path / "pid").exists)
    assert status == -signal.SIGKILL
    assert _ended(_pid(tmp_path))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_all_end_with_the_process_that_started_them(tmp_path: Path, how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=tmp_path, stderr=subprocess.DEVNULL) as parent:
        try:
            pid = _pid(tmp_path)
            parent.send_signal(how)
            assert parent.wait(30) == -how
            assert _ended(pid)
        finally:
            parent.kill()
