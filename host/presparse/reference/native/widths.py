"""Which integer types hold every number of a build exactly: the narrower, the more of them fit a vector."""

from __future__ import annotations

import numpy as np

from presparse.contract.activation import derivative_frac, derivative_width
from presparse.contract.build import Build
from presparse.contract.formats import signed_width
from presparse.contract.network import Junction
from presparse.model import Model

STEP_DROP = 15
"""Bits that the rounding multiplication of vectors of 16 bits drops."""
_MOST_SPLIT = 12
"""Bits that, times a derivative, fit 32."""


def is_narrow(build: Build, model: Model) -> bool:
    """Whether 16 bits hold weights, activations and deltas, 32 all sums, and vectors can round steps."""
    formats, rates = build.network.formats, build.network.rates
    width = formats.delta.width + formats.activation.width
    drops = step_drop(build) + rates.least, step_drop(build) + rates.most
    # Both operands are shifted so that 15 bits are to be dropped; the product of the two least numbers must stay below.
    steps_fit = width - 16 <= drops[0] and drops[1] <= STEP_DROP
    widest = max(f.width for f in (formats.activation, formats.weight, formats.delta, formats.output))
    return steps_fit and widest <= 16 and sum_bits(build, model) <= 32


def sum_bits(build: Build, model: Model) -> int:
    """Bits, sign included, that hold every sum, product and step of board.c for this pattern.

    Of BP's sums times derivatives without the bits that board.c drops before they are added up (`delta_split`).
    """
    network, formats = build.network, build.network.formats
    drop, bias_drop = step_drop(build) + network.rates.least, bias_step_drop(build) + network.rates.least
    widths = [
        formats.delta.width + formats.activation.width + max(0, -drop),
        step_drop(build) + network.rates.most,
        max(formats.delta.width, formats.weight.width) + max(0, -bias_drop),
        bias_step_drop(build) + network.rates.most,
        max(formats.output.width, formats.output.frac + 2) + max(0, formats.delta.frac - formats.output.frac),
        formats.output.frac - formats.delta.frac,
    ]
    for j, left in zip(build.junctions, model.left, strict=True):
        right_frac = formats.right(j).frac
        widths.append(network.sum_width(j) + max(0, right_frac - network.sum_frac))
        widths.append(network.sum_frac - right_frac + 2)  # half an LSB of a sigmoid's input
        if j.index > 1:  # the first has no BP
            widths += _delta_sum_bits(build, left), _delta_bits(build, j, left) - delta_split(build, j, left) - 1
    return max(widths) + 1  # a weight, or half an LSB, is added


def delta_drop(build: Build, junction: Junction) -> int:
    """Bits dropped from BP's sums of this junction times derivatives of its left neurons."""
    network, before = build.network, build.junctions[junction.index - 2]
    right = network.formats.right(before)
    return network.delta_sum_frac + derivative_frac(before.activation, right) - network.formats.delta.frac


def delta_split(build: Build, junction: Junction, left: np.ndarray) -> int:
    """How many of them board.c drops first, so that 32 bits hold the rest."""
    return max(0, min(_delta_bits(build, junction, left) - 32, delta_drop(build, junction) - 1, _MOST_SPLIT))


def _delta_bits(build: Build, junction: Junction, left: np.ndarray) -> int:
    """Of BP's sums of this junction times derivatives of its left neurons, and half an LSB."""
    before = build.junctions[junction.index - 2]
    right = build.network.formats.right(before)
    derivative = derivative_width(before.activation, right) if before.activation == "sigmoid" else 0
    return _delta_sum_bits(build, left) + derivative + 1


def step_drop(build: Build) -> int:
    """Bits dropped from delta times activation at rate 1."""
    formats = build.network.formats
    return formats.delta.frac + formats.activation.frac - formats.weight.frac


def bias_step_drop(build: Build) -> int:
    """Bits dropped from a delta at rate 1."""
    return build.network.formats.delta.frac - build.network.formats.weight.frac


def _delta_sum_bits(build: Build, left: np.ndarray) -> int:
    """Of the left neuron that has most edges."""
    formats = build.network.formats
    total = int(np.bincount(left.reshape(-1)).max()) * formats.operand.min * formats.delta.min
    return signed_width(-total, total)
