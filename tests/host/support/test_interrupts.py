"""Requests to end: held back, or noted, and given back to who handled them before."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from presparse.support.interrupts import REQUESTS, deferred_interrupts, end_as_by_ctrl_c, noted_interrupts


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in REQUESTS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_all_end_a_program_as_ctrl_c_does() -> None:
    came = end_as_by_ctrl_c()
    for number in REQUESTS:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert came == REQUESTS


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_as_by_ctrl_c()
    signal.raise_signal(signal.SIGHUP)
    with noted_interrupts() as ending, deferred_interrupts():
        ending.hold()
        signal.raise_signal(signal.SIGHUP)
        assert not ending.wanted()


def test_they_are_held_back_and_the_first_is_heard() -> None:
    came = end_as_by_ctrl_c()
    done = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():  # noqa: PT012 (the order is what is tested)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        done.append(True)
    assert (came, done) == ([signal.SIGTERM], [True])


def test_an_error_does_not_swallow_the_one_that_was_held_back() -> None:
    end_as_by_ctrl_c()
    with pytest.raises(KeyboardInterrupt) as caught, deferred_interrupts():  # noqa: PT012 (likewise)
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("mine")
    assert isinstance(caught.value.__context__, ValueError)


@pytest.mark.parametrize("number", REQUESTS)
def test_they_are_noted_once_there_is_something_to_lose(number: int) -> None:
    end_as_by_ctrl_c()
    before = signal.getsignal(number)
    with noted_interrupts() as ending:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert not ending.wanted()
        ending.hold()
        assert not ending.wanted()
        for _ in range(3):
            signal.raise_signal(number)
        assert ending.wanted()
        with deferred_interrupts():  # what is held back within is noted, too
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_other_threads_are_left_alone() -> None:
    found: list[bool] = []

    def other() -> None:
        with noted_interrupts() as ending, deferred_interrupts():
            ending.hold()
            found.append(ending.wanted())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found == [False]


def test_a_signal_that_nobody_handles_is_held_back_too() -> None:
    """It ends the process after the block, not in it."""
    code = (
        "import signal\n"
        "from presparse.support.interrupts import deferred_interrupts\n"
        "with deferred_interrupts():\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    print('whole', flush=True)\n"
        "print('never')\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (-signal.SIGTERM, "whole\n")
