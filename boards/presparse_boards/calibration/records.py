"""What real builds came to: the data behind the estimate, in `builds.json`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from pydantic import Field, RootModel

from presparse.messages.bundle import Use
from presparse.support import atomic_files
from presparse_boards.calibration.designs import Design

_FILE = "builds.json"


class Record(Design):
    """One real build: synthesis, and place-and-route as far as it came."""

    fits: bool = Field(description="place-and-route found a place for everything")
    use: Use = Field(description="as place-and-route counted it, whether it fitted or not")
    fmax_mhz: float | None = Field(description="None if it did not fit")


def record(design: Design, use: Use, fmax_mhz: float | None) -> Record:
    """Of a design that was built; without an fmax, of one that did not fit."""
    return Record(
        **design.model_dump(), fits=fmax_mhz is not None, use=use, fmax_mhz=fmax_mhz and round(fmax_mhz, 3)
    )


class Records(RootModel[tuple[Record, ...]]):
    """In the order in which they were built."""


def shipped() -> tuple[Record, ...]:
    """The builds that the shipped coefficients were fitted to."""
    return Records.model_validate_json((files("presparse_boards.calibration") / _FILE).read_text()).root


def write(folder: Path, records: Sequence[Record]) -> None:
    """Replace the shipped file, one build a line."""
    lines = ",\n".join(record.model_dump_json() for record in records)
    atomic_files.write(folder / _FILE, f"[\n{lines}\n]\n")
