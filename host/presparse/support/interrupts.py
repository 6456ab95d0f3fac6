"""Requests to end, from Ctrl-C, `kill`, a closed terminal or a batch system: heard at a safe place only."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

REQUESTS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The signals that ask a program to end; Windows has no SIGHUP."""

Handler = Callable[[int, FrameType | None], object]
T = TypeVar("T")


def end_as_by_ctrl_c() -> list[int]:
    """From now on SIGTERM and SIGHUP raise KeyboardInterrupt, too: for programs, which own their process.

    What this process was told to ignore (`nohup`, background jobs) stays ignored. Returns the list that the numbers
    of the signals that came are added to.
    """
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    for number in REQUESTS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, end)
    return came


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Hold back requests to end until the block has ended, so that it leaves nothing half done.

    Other threads than the main one get none, and a caller's own handler other than Python's is called then.
    """
    pending: list[tuple[Handler, int, FrameType | None]] = []

    def held_back(handler: Handler) -> Handler:
        return lambda number, frame: pending.append((handler, number, frame))

    try:
        with _handled_by(held_back):
            yield
    finally:
        if pending:
            handler, number, frame = pending[0]
            handler(number, frame)


class Ending:
    """Whether somebody asks for the end."""

    def __init__(self) -> None:
        self._held = self._wanted = False

    def hold(self) -> None:
        """There is something to lose: from now on requests to end are only noted."""
        self._held = True

    def wanted(self) -> bool:
        """Whether there was one."""
        return self._wanted

    def after(self, tell: Callable[[T], object]) -> Callable[[T], bool]:
        """A callback of long work, which with its first call has something to lose: it tells, then says whether to
        end."""

        def told(progress: T) -> bool:
            self.hold()
            tell(progress)
            return self.wanted()

        return told

    def _handled(self, handler: Handler, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._wanted = True
        else:
            handler(number, frame)


@contextmanager
def noted_interrupts() -> Iterator[Ending]:
    """Once there is something to lose, only note requests to end; the block asks for them, and saves what it has.

        with noted_interrupts() as ending:
            model = fit(..., progress=ending.after(show))
            model.save(...)

    However many come, they cut off neither the training's last step nor the saving.
    """
    ending = Ending()

    def noted(handler: Handler) -> Handler:
        return lambda number, frame: ending._handled(handler, number, frame)

    with _handled_by(noted):
        yield ending


def _end_process(number: int, frame: FrameType | None) -> None:
    """What the operating system does if nobody handles a signal."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


@contextmanager
def _handled_by(instead_of: Callable[[Handler], Handler]) -> Iterator[None]:
    """Other handlers than there are, but for what is ignored; the main thread alone may set them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # None: a handler that is not Python's, which nobody could put back.
    before = {number: signal.getsignal(number) for number in REQUESTS}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number, handler in before.items():
        signal.signal(number, instead_of(handler if callable(handler) else _end_process))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
