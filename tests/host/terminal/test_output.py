"""What commands print in terminals of any width."""

from __future__ import annotations

import re
import time

import pytest
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from presparse.terminal import output
from presparse.terminal.output import bar, drawn

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
    """And again from time to time, with what is known by then."""
    monkeypatch.setattr(output, "_SILENT_SECONDS", (0.2, 0.3))
    with bar("reading digits") as shown:
        time.sleep(0.45)
        shown.restart("core")
        shown.note("translating to C++")
        time.sleep(0.45)
        shown.show(3, 10, "samples")
        time.sleep(0.35)
    with bar("quick"), bar(""):
        pass
    assert [re.sub(r" \d s$", "", line) for line in capsys.readouterr().err.splitlines()] == [
        "reading digits ...",
        "core: translating to C++ ...",
        "core: 3 of 10, samples ...",
    ]
