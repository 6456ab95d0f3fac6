"""`presparse program`: a bundle's bitstream into its board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from presparse.messages.bundle import Manifest
from presparse.plugins import builder
from presparse.terminal.options import AsJson
from presparse.terminal.output import bar, put

NAME = "program"


def run(
    bundle: Annotated[Path, typer.Argument(help="A folder that `presparse build` made.", show_default=False)],
    flash: Annotated[
        bool | None,
        typer.Option(
            "--flash/--ram", help="Kept without power, or until then (default: as is usual).", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load a bundle into the board it was built for; the board must be plugged in."""
    manifest = Manifest.load(bundle)
    with bar(f"programming {manifest.board}"):
        builder(NAME)(bundle, flash=flash)
    put(
        {"bundle": str(bundle), "board": manifest.board, "build_id": manifest.build_id},
        as_json=as_json,
        text=f"{manifest.board} runs {manifest.name} at {manifest.clock_mhz:.2f} MHz; "
        f"open it with --device serial:PORT --bundle {bundle}",
    )
