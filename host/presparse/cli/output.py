"""What commands print: messages for people on stderr, results on stdout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

people = Console(stderr=True, highlight=False)


def fail(error: Exception) -> None:
    """One line that says what is wrong."""
    people.print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)


def say(text: str) -> None:
    """A message for people."""
    people.print(Text(text), soft_wrap=True)


def put(figures: Mapping[str, object], *, as_json: bool, text: str) -> None:
    """The result on stdout: one JSON object, or text."""
    print(json.dumps(figures) if as_json else text)


@contextmanager
def bar(what: str) -> Iterator[Bar]:
    """A progress bar on stderr; in a file or a pipe nothing is drawn."""
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
        self._task = progress.add_task(what, total=None, note="", visible=bool(what))

    def restart(self, what: str) -> None:
        """Something else begins."""
        self._what = what
        self._progress.reset(self._task, description=what, total=None, visible=True, note="")

    def show(self, done: int, of: int, note: str) -> None:
        self._progress.update(self._task, completed=done, total=of, note=note)

    def note(self, note: str) -> None:
        self._progress.update(self._task, note=note)

    def done(self, found: str) -> None:
        """A line that stays: what was done, and what it found."""
        self._progress.update(self._task, visible=False)
        self._progress.print(Text.assemble(("✓ ", "green"), f"{self._what}: {found}"), soft_wrap=True)
