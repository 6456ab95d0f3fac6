"""What commands print: messages for people on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, cast

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from presparse.errors import OutputError
from presparse.history import Progress as TrainingProgress


class _Stderr:
    """stderr as it is at the moment. What it does not take, closed or on a full disk, is lost and ends nothing."""

    @property
    def encoding(self) -> str:
        return "utf-8" if sys.stderr is None else sys.stderr.encoding

    def write(self, text: str) -> int:
        with self._losing():
            return 0 if sys.stderr is None else sys.stderr.write(text)
        return 0

    def flush(self) -> None:
        with self._losing():
            if sys.stderr is not None:
                sys.stderr.flush()

    def isatty(self) -> bool:
        with self._losing():
            return sys.stderr is not None and sys.stderr.isatty()
        return False

    @contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # ValueError: closed in this process
            sys.stderr = None  # else Python tries once more in the end, and ends with status 120


people = Console(file=cast("IO[str]", _Stderr()), highlight=False)

_WIDE = 1000
"""Columns of a terminal in which no table has to wrap."""
_LINE_SECONDS = 10.0
"""Between two lines about progress where no bar can be drawn."""


def fail(error: Exception) -> None:
    """One line that says what is wrong."""
    people.print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)


def say(text: str) -> None:
    """A message for people."""
    people.print(Text(text), soft_wrap=True)


def put(figures: Mapping[str, object], *, as_json: bool, text: str) -> None:
    """The result on stdout: one JSON object, or text. Raises OutputError if stdout cannot take it (a full disk)."""
    try:
        print(json.dumps(figures) if as_json else text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"the result cannot be written to stdout ({error.strerror or error})") from error


def drawn(parts: Sequence[Table | Text], *, width: int | None = None) -> str:
    """Tables and lines as the text that a terminal shows; `width`: columns, else those of stdout's terminal.

    In a narrow terminal the cells of a table wrap, between words. Where even that leaves no room, its lines are longer
    than the terminal's, which goes on below: nothing is cut off.
    """
    console = Console(highlight=False, width=width)
    columns = console.width
    with console.capture() as capture:
        for part in parts:
            if isinstance(part, Text):
                console.print(part, soft_wrap=True)
                continue
            for column in part.columns:
                column.overflow = "fold"
            least = Measurement.get(console, console.options.update(width=_WIDE), part).minimum
            console.width = max(columns, least)
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def counted(number: int, what: str) -> str:
    """1 epoch, 2 epochs."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


@contextmanager
def bar(what: str) -> Iterator[Bar]:
    """A progress bar on stderr; in a file or a pipe a line now and then."""
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
        console=people,
        transient=True,
        disable=not people.is_terminal,
    )
    with progress:
        yield Bar(progress, what)


class Bar:
    """How far something is, with a note such as samples per second."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._what = what
        self._told = time.monotonic()
        self._task = progress.add_task(what, total=None, note="", visible=bool(what))

    def restart(self, what: str) -> None:
        """Something else begins."""
        self._what = what
        self._progress.reset(self._task, description=what, total=None, visible=True, note="")

    def show(self, done: int, of: int, note: str) -> None:
        self._progress.update(self._task, completed=done, total=of, note=note)
        if self._progress.disable and time.monotonic() - self._told >= _LINE_SECONDS:
            self._told = time.monotonic()
            say(f"{self._what}: {done:,} of {of:,}, {note}")

    def follow(self, training: TrainingProgress) -> None:
        """A training: the samples of all its epochs, and how many were right."""
        right = training.accuracy if training.validation is None else training.validation
        self.show(
            (training.epoch - 1) * training.of + training.samples,
            training.epochs * training.of,
            f"{training.samples_per_second:,.0f} samples/s, {right:.1%} right",
        )

    def note(self, note: str) -> None:
        self._progress.update(self._task, note=note)

    def done(self, found: str) -> None:
        """A line that stays: what was done, and what it found."""
        self._progress.update(self._task, visible=False)
        self._progress.print(Text.assemble(("✓ ", "green"), f"{self._what}: {found}"), soft_wrap=True)
