"""What commands print in terminals of any width."""

from __future__ import annotations

import re

import pytest
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from presparse.terminal.output import drawn

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


@pytest.mark.parametrize("width", [1, 5, 10, 20, 30, 39, 40, 60, 80, 200])
def test_no_letter_of_a_table_is_cut_off(width: int) -> None:
    """Whatever wraps: every letter and digit is there, as often as in a terminal with room."""
    found = drawn([table()], width=width)
    assert "…" not in found
    assert sorted(re.findall(r"\w", found)) == sorted(re.findall(r"\w", drawn([table()], width=200)))


def test_a_wide_terminal_has_one_line_per_row() -> None:
    lines = drawn([table(), Text("x" * 500)], width=120).splitlines()
    assert len(lines) == 1 + len(CELLS) + 1
    assert lines[-1] == "x" * 500
