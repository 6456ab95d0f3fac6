"""The fitted coefficients, one set per family of FPGAs, as `coefficients.json` holds them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field, RootModel

from presparse.contract.description import Description
from presparse.support import atomic_files
from presparse_boards.families.family import FpgaFamily

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


def coefficients(family: FpgaFamily) -> Coefficients:
    """Those of a family, or of the one that stands in for it; estimates say so."""
    return _shipped()[family.name if family.calibrated else family.estimated_as]


@cache
def _shipped() -> dict[str, Coefficients]:
    return AllCoefficients.model_validate_json((files("presparse_boards.estimate") / _FILE).read_text()).root


def write(folder: Path, fitted: Mapping[str, Coefficients]) -> None:
    """Replace the shipped file."""
    atomic_files.write(folder / _FILE, AllCoefficients(dict(fitted)).model_dump_json(indent=2) + "\n")
