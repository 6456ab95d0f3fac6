"""The fitted coefficients, one set per family of FPGAs, as `coefficients.json` holds them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field, RootModel

from presparse.contract.description import Description
from presparse_boards.boards.definition import Family

_FILE = "coefficients.json"


class Coefficients(Description):
    """Of one family. `lut`, `ff` and `delay` by feature (`features`)."""

    lut: dict[str, float]
    ff: dict[str, float]
    delay: dict[str, float] = Field(description="natural logarithm of nanoseconds, in sum")
    lut_margin: float = Field(ge=0, description="by how much LUTs may be underestimated: the planner keeps it free")
    ff_margin: float = Field(ge=0)
    builds: int = Field(description="real builds behind these numbers")


class AllCoefficients(RootModel[dict[str, Coefficients]]):
    """By family."""


@cache
def coefficients(family: Family) -> Coefficients:
    """Those of a family. No open tool places and routes an xc7: the ECP5's stand in, and estimates say so."""
    fitted = AllCoefficients.model_validate_json((files("presparse_boards.estimate") / _FILE).read_text()).root
    return fitted[family if family in fitted else "ecp5"]


def write(folder: Path, fitted: Mapping[str, Coefficients]) -> None:
    """Replace the shipped file."""
    (folder / _FILE).write_text(AllCoefficients(dict(fitted)).model_dump_json(indent=2) + "\n")


def calibrated(family: Family) -> bool:
    return family != "xc7"
