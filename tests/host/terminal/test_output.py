"""What commands print in terminals of any width."""

from __future__ import annotations

import re
import time

import pytest
from rich.progress import Progress
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from presparse.history import Progress as TrainingProgress
from presparse.terminal import output
from presparse.terminal.output import Bar, bar, drawn, people

CELLS = [
    ("distributed RAM", "274 of 3,036", "100%"),
    ("junction 1", "11,210 of 24,288", "9%"),
    ("LFE5UM5G-85F-CABGA554", "never idles", "46%"),
]


def table() -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("what", "", "used", "share"):
        made.add_column(heading)
    for name, used, share in CELLS:
        made.add_row(name, ProgressBar(total=1, completed=0.5, width=24), used, share)
    return made


@pytest.mark.parametrize("width", [1, 10, 39])
def test_in_a_very_narrow_terminal_every_row_is_a_block(width: int) -> None:
    """Bars are left out; a column without a heading gives its cells alone."""
    assert drawn([table(), Text("and more")], width=width).splitlines() == [
        "distributed RAM", "  used: 274 of 3,036", "  share: 100%",
        "junction 1", "  used: 11,210 of 24,288", "  share: 9%",
        "LFE5UM5G-85F-CABGA554", "  used: never idles", "  share: 46%",
        "and more",
    ]  # fmt: skip


def test_a_terminal_that_is_very_narrow_gets_blocks_whatever_the_table_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "39")
    assert drawn([table()], width=200).splitlines()[1] == "  used: 274 of 3,036"


@pytest.mark.parametrize("width", [40, 50, 60, 80, 200])
def test_no_letter_of_a_table_is_cut_off(width: int) -> None:
    """Whatever wraps: every letter and digit is there, as often as in a terminal with room."""
    found = drawn([table()], width=width)
    assert "…" not in found
    assert sorted(re.findall(r"\w", found)) == sorted(re.findall(r"\w", drawn([table()], width=200)))


def test_a_wide_terminal_has_one_line_per_row() -> None:
    lines = drawn([table(), Text("x" * 500)], width=120).splitlines()
    assert len(lines) == 1 + len(CELLS) + 1
    assert lines[-1] == "x" * 500


def test_where_no_bar_moves_a_line_comes_when_something_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a second in which nothing was said, and again ever more seldom, with what is known by then."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(output, "_last_line", now)

    def said(seconds: float) -> list[str]:
        """In so many seconds more."""
        nonlocal now
        for _ in range(round(seconds * 10)):
            now += 0.1
            shown.remind()
        return capsys.readouterr().err.splitlines()

    shown = Bar(Progress(console=people, disable=True), "reading digits")
    assert said(0.8) == []
    assert said(11) == ["reading digits ... 1 s", "reading digits ... 11 s"]
    shown.restart("core")
    shown.note("translating to C++")
    assert said(0.9) == ["core: translating to C++ ... 0 s"]
    shown.show(3, 10, "samples")
    assert [line.split(" ... ")[0] for line in said(120)] == ["core: 3 of 10, samples"] * 3
    output.say("something else")
    capsys.readouterr()
    assert said(50) == []


def test_a_bar_that_cannot_move_speaks_by_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_SILENT_SECONDS", (0.0, 3600.0))
    with bar("compiling"):
        for _ in range(100):
            time.sleep(0.05)
            if told := capsys.readouterr().err:
                break
    assert told == "compiling ... 0 s\n"


def test_a_training_tells_how_many_of_its_last_whole_epoch_are_right(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few samples of an epoch that has just begun say nothing; of the first epoch there is nothing better."""
    monkeypatch.setattr(output, "_LINE_SECONDS", 0.0)
    shown = Bar(Progress(console=people, disable=True), "training")

    def told(epoch: int, samples: int, accuracy: float, validation: float | None = None) -> str:
        shown.follow(
            TrainingProgress(
                epoch=epoch,
                epochs=3,
                samples=samples,
                of=100,
                samples_per_second=50.0,
                lr=0.25,
                accuracy=accuracy,
                validation=validation,
            )
        )
        return capsys.readouterr().err.strip().rpartition(", ")[2]

    assert told(1, 40, 0.5) == "50.0% right"
    assert told(1, 100, 0.7, validation=0.75) == "75.0% right"
    assert told(2, 1, 0.0) == "75.0% right"
    assert told(2, 60, 0.9) == "75.0% right"
    assert told(2, 100, 0.9) == "90.0% right"
    shown.restart("another training")
    assert told(1, 10, 0.1) == "10.0% right"
