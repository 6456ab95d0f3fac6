"""Fits the coefficients to real builds, and tells honestly how good they are: each build judged by all the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from presparse.messages.bundle import Use
from presparse_boards.families.family import FpgaFamily
from presparse_boards.estimate.coefficients import Coefficients
from presparse_boards.estimate.features import (
    DELAY_FEATURES,
    FF_FEATURES,
    LUT_FEATURES,
    Features,
    delay_features,
    features,
)
from presparse_boards.estimate.model import Figures, predict
from presparse_boards.calibration.records import Record
from presparse_boards.calibration.regression import Matrix, Vector, logarithmic, non_negative, spearman

_QUANTITIES: dict[str, Callable[[Use], int]] = {
    "LUT": lambda use: use.lut.used,
    "FF": lambda use: use.ff.used,
    "DSP": lambda use: use.dsp.used,
    "block RAM": lambda use: use.block_ram.used,
    "distributed RAM": lambda use: use.distributed_ram.used,
}
FMAX = "fmax (MHz)"
_TRUST = 1e-3
"""In the expected coefficients: twice as many LUTs per bit cost as much as an error of 3 % in one build."""


@dataclass(frozen=True)
class Observation:
    """A real build, and what was counted of it beforehand."""

    record: Record
    counted: Features


@dataclass(frozen=True)
class Comparison:
    """One real build against the estimate that the other builds give for it."""

    record: Record
    estimated: Figures

    def pairs(self) -> dict[str, tuple[float, float]]:
        """(real, estimated) by quantity."""
        found = {name: (float(of(self.record.use)), float(of(self.estimated.use))) for name, of in _QUANTITIES.items()}
        if self.record.fmax_mhz is not None:
            found[FMAX] = self.record.fmax_mhz, self.estimated.fmax_mhz
        return found

    @property
    def verdict_is_right(self) -> bool:
        return self.record.fits == self.estimated.fits


@dataclass(frozen=True)
class Agreement:
    """How well one quantity is estimated."""

    quantity: str
    builds: int
    spearman: float
    median_error: float
    """Relative; of builds that have any."""
    worst_error: float


def observe(records: Sequence[Record]) -> list[Observation]:
    return [Observation(record, features(record.build, record.on)) for record in records]


def fit(observations: Sequence[Observation]) -> Coefficients:
    """Coefficients of one family, from at least one build. Margins are left at 0."""
    family = observations[0].record.on.family
    cell_luts = family.memory.cell_luts
    lut = np.array([float(o.record.use.lut.used - cell_luts * o.counted.distributed_ram) for o in observations])
    lut_weights = _weights(np.array([o.counted.lut for o in observations]), lut, LUT_FEATURES)
    ff = np.array([float(o.record.use.ff.used) for o in observations])
    ff_weights = _weights(np.array([o.counted.ff for o in observations]), ff, FF_FEATURES)
    placed = [o for o in observations if o.record.fmax_mhz is not None]
    delay = np.array([1000 / (o.record.fmax_mhz or 1) for o in placed])
    counted = [delay_features(o.counted, o.record.on, o.record.use.lut.used) for o in placed]
    expected = np.array([math.log(family.usual_path_ns), *[0.0] * (len(DELAY_FEATURES) - 1)])
    delay_weights = logarithmic(np.array(counted), delay, expected)
    return Coefficients(
        lut=dict(zip(LUT_FEATURES, map(float, lut_weights), strict=True)),
        ff=dict(zip(FF_FEATURES, map(float, ff_weights), strict=True)),
        delay=dict(zip(DELAY_FEATURES, map(float, delay_weights), strict=True)),
        lut_margin=0,
        ff_margin=0,
        builds=len(observations),
    )


def _weights(counted: Matrix, real: Vector, expected: Mapping[str, float]) -> Vector:
    return non_negative(counted, real, np.array(list(expected.values())), trust=_TRUST)


def by_family(observations: Sequence[Observation]) -> dict[FpgaFamily, list[Observation]]:
    found: dict[FpgaFamily, list[Observation]] = {}
    for observation in observations:
        found.setdefault(observation.record.on.family, []).append(observation)
    return found


def leave_one_out(observations: Sequence[Observation]) -> list[Comparison]:
    """Every build against an estimate that has not seen it, in the order given."""
    compared: dict[int, Comparison] = {}
    for family in by_family(observations).values():
        for left_out in family:
            weights = fit([o for o in family if o is not left_out])
            estimated = predict(left_out.counted, left_out.record.on, weights)
            compared[id(left_out)] = Comparison(left_out.record, estimated)
    return [compared[id(o)] for o in observations]


def calibrate(records: Sequence[Record]) -> tuple[dict[str, Coefficients], list[Comparison]]:
    """Coefficients by family, with margins that cover nine of ten underestimates, and what they are worth."""
    observations = observe(records)
    comparisons = leave_one_out(observations)
    found = {}
    for family, own in by_family(observations).items():
        ours = [c for c in comparisons if c.record.on.family is family]
        margins = {f"{name.lower()}_margin": round(_short(ours, name), 3) for name in ("LUT", "FF")}
        found[family.name] = fit(own).model_copy(update=margins)
    return found, comparisons


def _short(comparisons: Sequence[Comparison], quantity: str) -> float:
    """By how much of the estimate a build was larger, in nine of ten builds at most: of those that fit, or were
    thought to, as nobody needs to know by how much the others do not."""
    near = [c.pairs()[quantity] for c in comparisons if c.record.fits or c.estimated.fits]
    excess = [real / estimated - 1 for real, estimated in near]
    return max(0.0, float(np.quantile(excess, 0.9)))


def agreements(comparisons: Sequence[Comparison]) -> list[Agreement]:
    """One line per quantity, over all builds that have it."""
    lines = []
    for quantity in (*_QUANTITIES, FMAX):
        pairs = [c.pairs()[quantity] for c in comparisons if quantity in c.pairs()]
        real, estimated = (np.array(column) for column in zip(*pairs, strict=True))
        errors = [abs(e / r - 1) for r, e in pairs if r]
        lines.append(Agreement(quantity, len(pairs), spearman(real, estimated), median(errors), max(errors)))
    return lines
