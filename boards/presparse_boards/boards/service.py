"""What `presparse boards` calls (entry point group "presparse.builder")."""

from __future__ import annotations

from presparse.messages.bundle import BoardInfo, BoardList, Use
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import known_boards


def boards() -> BoardList:
    """All boards, and those that cannot be used."""
    known = known_boards()
    return BoardList(boards=tuple(map(_info, known.boards.values())), unusable=dict(known.unusable))


def _info(board: Board) -> BoardInfo:
    return BoardInfo(
        name=board.name,
        title=board.title,
        family=board.family.name,
        device=board.full_device,
        capacity={kind: getattr(board.capacity, kind) for kind in Use.model_fields},
        sdram_bytes=2 * board.sdram.words if board.sdram else 0,
        oscillator_mhz=board.oscillator_hz / 1e6,
        clock_mhz=board.default_clock_hz / 1e6,
        baud=board.baud,
        links=board.links,
        link=f"{board.usb.chip} on USB" if board.usb else "a UART adapter on two pins",
        bitstream="open tools" if board.family.toolchain else board.family.vendor_tool,
        program=f"openFPGALoader {' '.join(board.program)}",
    )
