"""From a build and a board to figures: exact counts where the contract decides, fitted sums where tools do."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from presparse.contract.build import Build
from presparse.messages.bundle import Resource, Use
from presparse_boards.boards.definition import Board
from presparse_boards.estimate.coefficients import Coefficients, coefficients
from presparse_boards.estimate.features import (
    DELAY_FEATURES,
    FF_FEATURES,
    LUT_FEATURES,
    Features,
    delay_features,
    features,
)


@dataclass(frozen=True)
class Figures:
    """What a build uses of a board, and the clock that it reaches."""

    use: Use
    lut_limit: int
    """LUTs that place-and-route can fill."""
    fmax_mhz: float

    @property
    def fits(self) -> bool:
        return self.use.fits and self.use.lut.used <= self.lut_limit

    @property
    def short(self) -> str:
        """What does not fit; empty if everything does."""
        lut = self.use.lut
        if self.use.fits and not self.fits:
            return f"LUT: {lut.used:,} of {lut.available:,}, of which place-and-route can fill {self.lut_limit:,}"
        return self.use.short


def figures(build: Build, board: Board) -> Figures:
    """With the coefficients of the board's family."""
    counted = features(build, board)
    return predict(counted, board, coefficients(board.family))


def predict(counted: Features, board: Board, weights: Coefficients) -> Figures:
    """Apply coefficients to what was counted."""
    has, room = board.capacity, board.room
    lut = round(weighted(weights.lut, LUT_FEATURES, counted.lut))
    lut += board.family.memory.cell_luts * counted.distributed_ram + has.lut - room.lut
    ff = round(weighted(weights.ff, FF_FEATURES, counted.ff)) + has.ff - room.ff
    log_delay = weighted(weights.delay, DELAY_FEATURES, delay_features(counted, board, lut))
    use = Use.model_construct(
        lut=_resource(lut, has.lut),
        ff=_resource(ff, has.ff),
        dsp=_resource(counted.dsp, has.dsp),
        block_ram=_resource(counted.block_ram + has.block_ram - room.block_ram, has.block_ram),
        distributed_ram=_resource(counted.distributed_ram, has.distributed_ram),
        single_port_ram=_resource(counted.single_port_ram, has.single_port_ram),
    )
    return Figures(use, int(board.family.fillable * has.lut), 1000 / math.exp(log_delay))


def _resource(used: int, available: int) -> Resource:
    return Resource.model_construct(used=used, available=available)  # planning makes thousands: no validation


def weighted(weights: dict[str, float], names: Iterable[str], values: Iterable[float]) -> float:
    return sum(weights[name] * value for name, value in zip(names, values, strict=True))
