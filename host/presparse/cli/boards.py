"""`presparse boards`: the boards that bitstreams can be built for."""

from __future__ import annotations

from rich.table import Table

from presparse.messages.bundle import BoardInfo, BoardList
from presparse.plugins import builder
from presparse.terminal.options import AsJson
from presparse.terminal.output import drawn, put, say

NAME = "boards"


def run(as_json: AsJson = False) -> None:
    """List the boards: FPGA, what it holds, clock, link, and what programs it."""
    found: BoardList = builder(NAME)()
    warn_of_unusable(found)
    put(found.model_dump(mode="json"), as_json=as_json, text=_drawn(found.boards))


def warn_of_unusable(found: BoardList) -> None:
    """A line for each board, or package of boards, that cannot be used."""
    for reason in found.unusable.values():
        say(f"warning: {reason}")


def _drawn(boards: tuple[BoardInfo, ...]) -> str:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("name", "FPGA", "LUT", "DSP", "block RAM", "SDRAM", "MHz", "link", "bitstream", "programmed by"):
        table.add_column(heading, justify="right" if heading in ("LUT", "DSP", "block RAM", "SDRAM", "MHz") else "left")
    for board in boards:
        held = board.capacity
        sdram = f"{board.sdram_bytes >> 20} MiB" if board.sdram_bytes else "-"
        numbers = (f"{held['lut']:,}", str(held["dsp"]), str(held["block_ram"]), sdram, f"{board.clock_mhz:g}")
        link = f"{board.link}, {board.baud:,} baud" + (", or USB" if "usb" in board.links else "")
        table.add_row(board.name, board.device, *numbers, link, board.bitstream, board.program)
    return drawn([table], width=200)
