"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from presparse.contract.network import SHIPPED
from presparse.opening import DEFAULT_DEVICE

NETWORK_HELP = f"A TOML file, or {', '.join(SHIPPED)}."
NetworkName = Annotated[str, typer.Argument(help=NETWORK_HELP, show_default=False)]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        "-d",
        help="sim (the simulated board), emulator, emulator:c (faster, needs a C compiler), a board such as ulx3s-85f, "
        "serial:PORT, tcp:HOST:PORT, replay:FILE.",
    ),
]
Bundle = Annotated[
    Path | None,
    typer.Option("--bundle", help="The bundle that the board was programmed with.", show_default=False),
]
Record = Annotated[
    Path | None,
    typer.Option(
        "--record", help="Write the session down in this file; -d replay:FILE repeats it.", show_default=False
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there, whatever it is.")]
ModelFile = Annotated[Path, typer.Argument(help="A model file that `presparse train` wrote.", show_default=False)]
DataSource = Annotated[
    str,
    typer.Argument(
        help="digits, morse, mnist(-test), cifar10(-test), an .npz or .csv file, or - for CSV from standard input.",
        show_default=False,
    ),
]

Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        help="The column of the class in a .csv file: its name, or its number from 1 on (default: one called class, "
        "label, target or y, else the last).",
        show_default=False,
    ),
]
MissingNumbers = Annotated[
    Literal["refuse", "median"],
    typer.Option("--missing", help="What stands for a number that is not there: the median of its column, or nothing."),
]

Jobs = Annotated[
    int | None,
    typer.Option(help="Trials at a time (default: one per processor).", min=1, max=1000, show_default=False),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="On the workers of a dask scheduler instead, by its address, such as tcp://host:8786.", show_default=False
    ),
]

__all__ = [
    "DEFAULT_DEVICE",
    "NETWORK_HELP",
    "AsJson",
    "Bundle",
    "DataSource",
    "Device",
    "Force",
    "Jobs",
    "MissingNumbers",
    "ModelFile",
    "NetworkName",
    "Record",
    "Scheduler",
    "Target",
]
