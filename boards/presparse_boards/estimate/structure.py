"""What the logic of a build is made of, counted from the contract's numbers alone, component by component.

Nothing is elaborated: each function below follows one component of `presparse_hw` and counts the bits of its adders,
of its multiplexers and of its registers. What these become in an FPGA is for calibration to weigh: the sums need to be
right in proportion only.
"""

from __future__ import annotations

from dataclasses import dataclass

from presparse.contract.build import Build
from presparse.contract.lane_memories import lane_groups
from presparse.contract.network import Junction
from presparse.contract.sample_words import SampleFormat
from presparse.contract.schedule import (
    BACKPROPAGATE,
    EDGE_READ,
    FETCH,
    MULTIPLY,
    OPERANDS,
    READ,
    SPREAD,
    UPDATE,
    forward_latency,
    tree_levels,
)
from presparse_boards.resources.inventory import unread_delta_bits

_WORD = 32


@dataclass
class Structure:
    """Bits of a build's logic, summed over all instances; multipliers and memories are counted elsewhere."""

    adder_bits: float = 0
    """Of carry chains: adders, subtractors, comparisons."""
    choice_bits: float = 0
    """Of two-way multiplexers, and of logic that costs as much per bit."""
    register_bits: float = 0

    def add(self, count: float = 1, *, adder: float = 0, choice: float = 0, register: float = 0) -> None:
        self.adder_bits += count * adder
        self.choice_bits += count * choice
        self.register_bits += count * register


def bits(values: int) -> int:
    """Bits that tell `values` values apart."""
    return max(0, values - 1).bit_length()


def structure(build: Build) -> Structure:
    """Count a build. What is the same in every build that has it is left to calibration: link, store, control of the
    decoder."""
    parts = Structure()
    for index, junction in enumerate(build.junctions):
        _lanes(parts, build, index)
        _groups(parts, build, index)
        _control(parts, build, index)
        _right_neurons(parts, build, junction)
        if build.training:
            _bias_update(parts, build, junction)
            _delta_source(parts, build, index)
    _ports(parts, build)
    if build.sample_format:
        _decoder(parts, build.sample_format)
    return parts


def _lanes(parts: Structure, build: Build, index: int) -> None:
    """Way of an edge through a lane, update of its weight, sum of its delta."""
    j, plan, f = build.junctions[index], build.schedule.junctions[index], build.network.formats
    weight, row, z = f.weight.width, bits(j.rows), j.lanes
    parts.add(z, register=(EDGE_READ - READ) * weight + row)
    if not build.training:
        parts.add(z, register=READ * f.operand.width)
        return
    change = _scaled(build) + f.activation.width - _dropped_by_update(build) + 1
    parts.add(z, register=row + (READ + MULTIPLY + 1) * weight)  # the old weight waits for its change
    parts.add(z, adder=change + weight + 1, choice=3 * weight, register=change + 2 * weight + 4)
    if index:
        total, address = build.network.delta_sum_width(j), row + bits(plan.delta_sets)
        parts.add(z, register=(row + 1) * (EDGE_READ - READ + MULTIPLY) + READ + 2 * READ * row)
        parts.add(z, adder=total, choice=4 * total + address * (READ + 2), register=total * (READ + 2) + 2)


def _groups(parts: Structure, build: Build, index: int) -> None:
    """What a group of lanes keeps beside itself."""
    j, plan, f = build.junctions[index], build.schedule.junctions[index], build.network.formats
    address, row, column = bits(j.cycles), bits(j.rows), bits(j.lanes)
    forward, update = _slots(build, index)
    data = f.weight.width + row + 1
    left = _left_values(build, index)
    for size in map(len, lane_groups(j)):
        neurons = -(-size * j.group // j.lanes)
        near = 2 * address + forward
        near += size + forward + update + row + min(size, left) * f.activation.width
        near += 1 + column + data + size + _WORD
        if build.training:
            near += 1 + update + neurons * _scaled(build)
        if build.training and index:
            sums, banks = bits(plan.delta_sets), row + bits(plan.delta_sets)
            near += (1 + sums) * (1 + 2 * READ)
            near += 2 * banks + 2 + banks + neurons * f.delta.width
        parts.add(register=near, choice=size * (data / 2 + 3))


def _control(parts: Structure, build: Build, index: int) -> None:
    """The way to the groups, counters of the block, and what waits for the results."""
    j, plan, f = build.junctions[index], build.schedule.junctions[index], build.network.formats
    address, row = bits(j.cycles), bits(j.rows)
    forward, update = _slots(build, index)
    item = 2 + bits(build.network.rates.span + 1) + bits(build.network.classes)
    far = 2 * address + 2 * forward + update + row + bits(j.lanes) + _WORD
    far += _left_values(build, index) * f.activation.width
    summed = OPERANDS + MULTIPLY + tree_levels(min(j.lanes, j.in_degree))
    waits = forward_latency(j) * (item + 1) + summed + forward * EDGE_READ
    if build.training:
        waits += j.group * f.weight.width * (summed - READ) + update * EDGE_READ + (address + 2) * (UPDATE - SPREAD)
        if index:
            waits += (1 + bits(plan.delta_sets)) * (BACKPROPAGATE - 1 - READ - SPREAD)
        far += j.group * (_scaled(build) + (f.delta.width if index else 0)) + update
        waits += 2 * item + bits(j.steps) * OPERANDS
        flags = j.lanes + j.group
        parts.add(adder=2 * flags, register=2 * flags)  # saturations are counted
    parts.add(register=(SPREAD - 1) * far + waits + _WORD, choice=2 * address, adder=2 * address + 2 * row)


def _right_neurons(parts: Structure, build: Build, j: Junction) -> None:
    """Adder trees, accumulators and activations."""
    network, f = build.network, build.network.formats
    right = f.right(j)
    inputs, width = min(j.lanes, j.in_degree), f.operand.width + f.activation.width
    while inputs > 1:
        width += 1
        parts.add(j.group * (inputs // 2), adder=width)
        inputs = (inputs + 1) // 2
        parts.add(j.group * inputs, register=width)
    total = network.sum_width(j)
    rounded = max(1, total - network.sum_frac + right.frac) + 1
    parts.add(j.group, adder=total, choice=total, register=total)
    parts.add(j.group, adder=rounded, choice=right.width, register=rounded + right.width)
    if j.activation != "sigmoid":
        parts.add(j.group, register=READ * (right.width + 2) + 1)


def _bias_update(parts: Structure, build: Build, j: Junction) -> None:
    weight = build.network.formats.weight.width
    parts.add(j.group, adder=2 * weight, choice=2 * weight, register=3 * weight + 2)


def _delta_source(parts: Structure, build: Build, index: int) -> None:
    """Deltas of the right neurons: from the next junction's banks, or from the output."""
    j, f = build.junctions[index], build.network.formats
    delta, scaled = f.delta.width, _scaled(build)
    shifts = bits(build.network.rates.span + 1)
    parts.add(j.group, choice=scaled * shifts / 2, register=2 * scaled + (2 * delta if index else 0))
    parts.add(register=shifts * FETCH)
    if j.is_output:
        parts.add(j.group, adder=delta, choice=2 * delta, register=delta * (2 + FETCH - 2 - READ))
        return
    following = build.junctions[index + 1]
    total = build.network.delta_sum_width(following) - unread_delta_bits(build, index + 1)
    columns = following.lanes // j.group
    few = -(-columns // 4)
    parts.add(j.group, choice=total * (columns + few) / 2, register=total * (1 + few))
    parts.add(j.group, adder=delta, choice=2 * delta, register=2 * delta + 2)
    if j.activation != "sigmoid":
        parts.add(j.group, register=total * MULTIPLY, choice=total if j.activation == "relu" else 0)


def _ports(parts: Structure, build: Build) -> None:
    """Samples in, scores out, and the search for the largest."""
    value = build.network.formats.activation.width
    parts.add(register=(build.feature_port + _left_values(build, 0)) * value, choice=build.feature_port * value)
    j, width = build.junctions[-1], build.network.formats.output.width
    parts.add(j.group, adder=width, choice=2 * width, register=2 * width)


def _decoder(parts: Structure, fmt: SampleFormat) -> None:
    """Codes of a transfer, and the values that palettes say of them."""
    codes, values = fmt.port * fmt.bits, fmt.port * fmt.value_bits
    parts.add(choice=2 * codes + values, register=3 * codes + 3 * values)


def _slots(build: Build, index: int) -> tuple[int, int]:
    """Bits that number the slots of FF's banks, and of UP's."""
    plan = build.schedule.junctions[index]
    return bits(plan.forward_slots), bits(plan.activation_slots) if build.training else 0


def _left_values(build: Build, index: int) -> int:
    """Left activations that are written at once."""
    return build.junctions[index - 1].group if index else min(build.feature_port, build.lanes[0])


def _scaled(build: Build) -> int:
    """Bits of a delta times the rate."""
    return build.network.formats.delta.width + build.network.rates.span


def _dropped_by_update(build: Build) -> int:
    f = build.network.formats
    return f.delta.frac + build.network.rates.most + f.activation.frac - f.weight.frac
