"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from presparse.devices import DEFAULT_DEVICE

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Device = Annotated[
    str, typer.Option("--device", "-d", help="sim (the simulated board), emulator, serial:PORT, tcp:HOST:PORT.")
]
ModelFile = Annotated[Path, typer.Argument(help="A model file that `presparse train` wrote.", show_default=False)]
DataSource = Annotated[
    str, typer.Argument(help="digits, mnist, mnist-test, or an .npz or .csv file.", show_default=False)
]

__all__ = ["DEFAULT_DEVICE", "AsJson", "DataSource", "Device", "ModelFile"]
