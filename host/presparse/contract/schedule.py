"""The pipeline's static schedule, for gateware and reference: when each junction works on which sample, and how much it
stores.

Time is counted in cycles inside blocks of T = `period` cycles; in every block each junction does FF of
one sample and BP and UP of an older one. Junction i starts `start` cycles into the block, so that
T = C works (no idle cycles) although FF takes C + latency: the next junction starts later instead.

    block b, junction i (training):
    |-- start --|-- prologue --|-- C cycles of edges --|-- latency: results land --|
                ^ delta fetch  ^ edge addresses
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from presparse.contract.errors import BuildError
from presparse.contract.network import Junction

SPREAD = 2
"""Fan-out registers: cycles from a junction's control to all of its lanes. They stand beside what they drive, so that
no signal has to reach the whole chip and feed logic in one cycle."""
LANE_GROUP = 8
"""Neighboring lanes that share these registers."""
READ = 2
"""Cycles from address to data of a memory: block RAM, which is slow without its output register."""
EDGE_READ = READ + 1
"""Cycles from an edge's address to its weight and row: edge memory, then a register beside the lane's logic."""
OPERANDS = SPREAD + EDGE_READ + READ
"""Cycles from an edge's turn (its issue cycle) to its multiplier operands: to the lane, edge memory, then activation
bank."""
MULTIPLY = 3
"""Cycles of a multiplier: input, pipeline and output registers of a DSP block."""
ACCUMULATE = 1
"""Cycles of the register that adds the sums of one right neuron's cycles, and its bias."""
ACTIVATE = 2 + READ
"""Cycles to round a sum, to saturate it, then to apply the activation (a table read)."""
BACKPROPAGATE = OPERANDS + MULTIPLY + 1
"""Cycles from an edge's turn to the write of its delta sum: add, write."""
UPDATE = OPERANDS + MULTIPLY + 3
"""Cycles from an edge's turn to the write of its new weight: round, subtract, saturate."""
FETCH = SPREAD + READ + 2 + MULTIPLY + 4
"""Cycles from a delta's turn to the lanes' side of its junction: to the next junction's banks, read, select twice,
derivative, round, saturate, scale by the rate twice."""
DELTAS = OPERANDS - SPREAD
"""Cycles from an edge's turn to the delta it needs, which still has to be spread over the lanes."""
PROLOGUE = FETCH - DELTAS
"""Prefetch distance: cycles by which fetching deltas runs ahead of the edges that use them (training builds)."""
ERROR = 2
"""Cycles from an output activation to the write of its delta: subtract and round, saturate."""
RESULT = READ + 2
"""Cycles from an output activation to its transfer out of the core: through the queue of scores, if that is empty, and
a stage behind it."""
DECIDE = 1
"""Cycles from the last features of a sample on their way to junction 1's banks to the decision to start a block."""
START = 2
"""Cycles from the decision to start a block to the block's first cycle (junction 1's first turn)."""
STATISTICS = 16
"""Cycles that counters and the comparison with the label may lag behind what they count."""


def tree_levels(inputs: int) -> int:
    """Registered levels of an adder tree with this many inputs."""
    return (inputs - 1).bit_length()


def forward_latency(junction: Junction) -> int:
    """Cycles from the turn of a right neuron's last edges to its activation (its write comes SPREAD later)."""
    return OPERANDS + MULTIPLY + tree_levels(min(junction.lanes, junction.in_degree)) + ACCUMULATE + ACTIVATE


@dataclass(frozen=True, kw_only=True)
class JunctionSchedule:
    """When one junction works, in blocks after a sample's own block and cycles after the block's start."""

    start: int
    """Cycles from a block's start to this junction's (delta fetch first, then edges)."""
    forward: int
    """FF of sample k runs in block k + forward."""
    update: int
    """BP and UP of sample k run in block k + update (training builds)."""
    activation_slots: int
    """Samples whose left activations are held at once, until UP has read them (inference builds: FF)."""
    forward_slots: int
    """Of these, those that FF has not read yet."""
    derivative_slots: int
    """Samples whose right derivatives (output junction: right deltas) are queued at once."""
    delta_sets: int
    """Samples whose left deltas are held at once (0 in junction 1, and in inference builds)."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The whole network's schedule."""

    period: int
    """Cycles per block, T: one sample per period in steady state."""
    gap: int
    """T - max C: cycles in which even the slowest junction idles."""
    prologue: int
    """Cycles from a junction's start to its first edge address."""
    settle: int
    """Drain time: cycles from the decision to start a block until everything that the block began has landed."""
    junctions: tuple[JunctionSchedule, ...]

    @property
    def depth(self) -> int:
        """Pipeline depth: blocks that a sample stays in flight after its own; a flush drains with as many empty
        blocks."""
        return max(max(j.forward, j.update) for j in self.junctions)


def schedule(junctions: Sequence[Junction], *, training: bool, gap: int = 0) -> Schedule:
    """Compute the schedule with the smallest gap that is at least `gap` and leaves no hazard.

    Raises BuildError if `gap` is negative.
    """
    if gap < 0:
        raise BuildError(f"gap must be 0 or more cycles, and is {gap}")
    longest = max(j.cycles for j in junctions)
    prologue = PROLOGUE if training else 0
    # UP's write of a row must land before the row is read again, and starts must not overlap.
    period = max(longest + gap, UPDATE - SPREAD + 1 if training else 2)

    starts, forward = [], []
    absolute = 0
    for j in junctions:
        forward.append(absolute // period)
        starts.append(absolute % period)
        # The next junction's lanes read their banks SPREAD and EDGE_READ after its first turn.
        absolute += j.cycles + forward_latency(j) - EDGE_READ
    edges = [start + prologue for start in starts]

    last = len(junctions) - 1
    update = [0] * len(junctions)
    delta_sets = [0] * len(junctions)
    if training:
        for i in range(last, -1, -1):
            j = junctions[i]
            if i == last:  # the output's deltas are queued in the order in which they are fetched
                ready = prologue + j.cycles_per_step + forward_latency(j) + ERROR
                update[i] = forward[i] + _blocks(ready, period)
                continue
            following = junctions[i + 1]
            written = edges[i + 1] + following.cycles + BACKPROPAGATE  # first cycle that reads all sums
            fetched = starts[i] + SPREAD
            wait = max(0, _blocks(written - fetched, period))
            update[i] = update[i + 1] + wait
            last_fetch = fetched + wait * period + (j.steps - 1) * j.cycles_per_step
            delta_sets[i + 1] = max(1, wait, _blocks(last_fetch + 1 - edges[i + 1] - BACKPROPAGATE, period))

    activation_slots, forward_slots = [], []
    for i, j in enumerate(junctions):
        last_read = edges[i] + j.cycles - 1 + SPREAD + EDGE_READ
        if i == 0:  # the loader may write a sample as soon as the one before is started, START cycles ahead
            writing, first_write = -1, SPREAD - START
        else:
            left = junctions[i - 1]
            landed = forward_latency(left) + SPREAD
            writing, first_write = forward[i - 1], edges[i - 1] + left.cycles_per_step - 1 + landed
        longer = max(0, _blocks(last_read + 1 - first_write, period))
        forward_slots.append(max(2, forward[i] - writing + longer))
        activation_slots.append(max(2, update[i] - writing + longer) if training else forward_slots[i])

    return Schedule(
        period=period,
        gap=period - longest,
        prologue=prologue,
        settle=START
        + STATISTICS
        + max(
            e + j.cycles + max(forward_latency(j) + SPREAD, UPDATE) + tree_levels(j.lanes + j.group)
            for e, j in zip(edges, junctions, strict=True)
        ),
        junctions=tuple(
            JunctionSchedule(
                start=starts[i],
                forward=forward[i],
                update=update[i],
                activation_slots=activation_slots[i],
                forward_slots=forward_slots[i],
                derivative_slots=max(1, update[i] - forward[i]) if training else 0,
                delta_sets=delta_sets[i],
            )
            for i in range(len(junctions))
        ),
    )


def _blocks(cycles: int, period: int) -> int:
    """Whole blocks that cover `cycles` (rounded up; negative for negative cycles)."""
    return -(-cycles // period)
