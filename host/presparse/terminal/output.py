"""What commands print: messages for people on stderr, results on stdout."""

from __future__ import annotations

import io
import json
import math
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import IO, TYPE_CHECKING, cast

from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from presparse.errors import OutputError, PresparseError

if TYPE_CHECKING:
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
NARROW = 40
"""Columns of a terminal that are too few for a table."""
_LINE_SECONDS = 10.0
"""Between two lines about progress where no bar can be drawn."""
_SILENT_SECONDS = (1.0, 10.0, 20.0, 40.0, 60.0)
"""Without a line there, until one says what is being done; the last again and again."""
_last_line = time.monotonic()
"""When something was said; in the beginning, when the program began."""


def fail(error: PresparseError, *, as_json: bool = False) -> None:
    """One line that says what is wrong; for programs also an object, with what to do as `mend`."""
    people.print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)
    if as_json:
        with suppress(OutputError, BrokenPipeError):  # stdout itself may be what is wrong
            put({"error": str(error), "mend": error.mend}, as_json=True, text="")


def say(text: str) -> None:
    """A message for people."""
    _print(people, Text(text))


def _print(console: Console | Progress, line: Text) -> None:
    """A line that stays; silence begins anew."""
    global _last_line
    _last_line = time.monotonic()
    console.print(line, soft_wrap=True)


def put(figures: Mapping[str, object], *, as_json: bool, text: str) -> None:
    """The result on stdout: one JSON object, or text. Raises OutputError if stdout cannot take it (a full disk)."""
    try:
        print(json.dumps(_finite(figures), allow_nan=False) if as_json else text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"the result cannot be written to stdout ({error.strerror or error})") from error


def _finite(value: object) -> object:
    """The same with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def drawn(parts: Sequence[Table | Text], *, width: int | None = None) -> str:
    """Tables and lines as the text that a terminal shows; `width`: columns, else those of stdout's terminal.

    In a narrow terminal the cells of a table wrap, between words. In a very narrow one every row is a block of lines,
    one a cell. Nothing is cut off.
    """
    stdout, text = Console(), io.StringIO()
    columns = stdout.width if width is None else width
    console = Console(file=text, force_terminal=stdout.is_terminal, width=columns, highlight=False)
    for part in parts:
        if isinstance(part, Text):
            console.print(part, soft_wrap=True)
            continue
        if min(columns, stdout.width) < NARROW:
            for line in _block_lines(part):
                console.print(line, soft_wrap=True)
            continue
        for column in part.columns:
            column.overflow = "fold"
        least = Measurement.get(console, console.options.update(width=_WIDE), part).minimum
        console.width = max(columns, least)
        console.print(part)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _block_lines(table: Table) -> Iterator[str | Text]:
    """For each row its first cell, and below it the others with their headings; bars are left out."""
    for row in zip(*(column.cells for column in table.columns), strict=True):
        for number, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
            if isinstance(cell, str | Text) and str(cell):
                heading = f"{column.header}: " if number and str(column.header) else ""
                yield Text.assemble("  " if number else "", heading, cell)


def counted(number: int, what: str) -> str:
    """1 epoch, 2 epochs."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


@contextmanager
def bar(what: str) -> Iterator[Bar]:
    """A progress bar on stderr; in a file or a pipe a line now and then."""
    columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}")]
    if people.width < NARROW:
        columns += [TaskProgressColumn()]
    else:
        columns += [BarColumn(bar_width=28), MofNCompleteColumn(), TimeRemainingColumn()]
        columns += [TextColumn("[dim]{task.fields[note]}")]
    progress = Progress(
        *columns,
        console=people,
        transient=True,
        disable=not people.is_terminal,
    )
    with progress:
        shown = Bar(progress, what)
        with shown.reminding() if progress.disable else nullcontext():
            yield shown


class Bar:
    """How far something is, with a note such as samples per second."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=None, note="", visible=bool(what))
        self._begin(what)

    def _begin(self, what: str) -> None:
        self._what, self._state, self._began = what, "", time.monotonic()
        self._right: float | None = None
        self._silent = iter(_SILENT_SECONDS)
        self._patience = next(self._silent)

    def restart(self, what: str) -> None:
        """Something else begins."""
        self._begin(what)
        self._progress.reset(self._task, description=what, total=None, visible=True, note="")

    def show(self, done: int, of: int, note: str) -> None:
        self._progress.update(self._task, completed=done, total=of, note=note)
        self._state = f"{done:,} of {of:,}, {note}"
        if self._progress.disable and time.monotonic() - max(self._began, _last_line) >= _LINE_SECONDS:
            say(f"{self._what}: {self._state}")

    def follow(self, training: TrainingProgress) -> None:
        """A training: the samples of all its epochs, and how many of the last whole one are right (while there is none,
        of the first so far); before them, those rates are tried on."""
        if training.epoch == 0:
            self.show(training.samples, training.of, f"trying lr {training.lr:g}")
            return
        right = training.accuracy if training.validation is None else training.validation
        if training.ended:
            self._right = right
        elif self._right is not None:
            right = self._right  # an epoch that has just begun knows of a few samples only
        self.show(
            (training.epoch - 1) * training.of + training.samples,
            training.epochs * training.of,
            f"{training.samples_per_second:,.0f} samples/s, {right:.1%} right",
        )

    def note(self, note: str) -> None:
        self._progress.update(self._task, note=note)
        self._state = note

    def done(self, found: str) -> None:
        """A line that stays: what was done, and what it found."""
        self._progress.update(self._task, visible=False)
        _print(self._progress, Text.assemble(("✓ ", "green"), f"{self._what}: {found}"))

    @contextmanager
    def reminding(self) -> Iterator[None]:
        """Where no bar moves: a line when something takes long, and again from time to time."""
        ended = threading.Event()

        def remind() -> None:
            while not ended.wait(0.1):
                self.remind()

        thread = threading.Thread(target=remind, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def remind(self) -> None:
        """A line if nothing was said for too long."""
        now = time.monotonic()
        if self._what and now - _last_line >= self._patience:
            self._patience = next(self._silent, _SILENT_SECONDS[-1])
            say(f"{': '.join(filter(None, (self._what, self._state)))} ... {now - self._began:.0f} s")
