"""Where the multipliers and memory blocks of an ECP5 stand (Project Trellis' database, as nextpnr names them)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Site(NamedTuple):
    """Of a hard block, in columns and rows of tiles."""

    x: int
    y: int
    name: str

    @property
    def bel(self) -> str:
        """As nextpnr calls it."""
        return f"X{self.x}/Y{self.y}/{self.name}"


_MULTIPLIERS = ((0, "MULT18_0"), (1, "MULT18_1"), (4, "MULT18_4"), (5, "MULT18_5"))
_BLOCKS = ((0, "EBR0"), (2, "EBR1"), (4, "EBR2"), (6, "EBR3"))
"""Four of them in nine columns: from which one each, and its name."""


@dataclass(frozen=True, kw_only=True)
class Die:
    """Rows of multipliers and rows of memory blocks, all with the same columns."""

    columns: tuple[int, ...]
    """Where four of them begin."""
    multiplier_rows: tuple[int, ...]
    block_rows: tuple[int, ...]

    @property
    def multipliers(self) -> list[Site]:
        """MULT18X18D, row by row to and fro, so that each is beside the one before."""
        rows = [self._row(y, _MULTIPLIERS) for y in self.multiplier_rows]
        return [site for number, row in enumerate(rows) for site in (row[::-1] if number % 2 else row)]

    @property
    def blocks(self) -> list[Site]:
        """DP16KD."""
        return [site for y in self.block_rows for site in self._row(y, _BLOCKS)]

    def _row(self, y: int, four: tuple[tuple[int, str], ...]) -> list[Site]:
        return [Site(column + offset, y, name) for column in self.columns for offset, name in four]


DIES = {
    "25F": Die(columns=(4, 13, 22, 33, 42, 51, 60), multiplier_rows=(13,), block_rows=(25, 37)),
    "45F": Die(columns=(4, 13, 22, 31, 42, 51, 60, 69, 78), multiplier_rows=(22, 46), block_rows=(10, 34, 58)),
    "85F": Die(
        columns=(4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114),
        multiplier_rows=(10, 34, 58),
        block_rows=(22, 46, 70, 82),
    ),
}
DIES["12F"] = DIES["25F"]
