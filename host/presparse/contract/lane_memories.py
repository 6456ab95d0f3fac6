"""The memories of a lane: what is stored side by side, and how deep. Gateware, planner and estimate use these."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from presparse.contract.build import Build
from presparse.contract.network import Junction
from presparse.contract.schedule import LANE_GROUP

Purpose = Literal["edges", "forward", "update", "deltas"]


@dataclass(frozen=True, kw_only=True)
class MemoryGroup:
    """Equal memories of one junction, each with one write and one read port."""

    junction: int
    """Counted from 1."""
    purpose: Purpose
    count: int
    widths: tuple[int, ...]
    """Bits of the fields that are written each by itself."""
    depth: int
    one_port: bool
    """Never read while it is written: one port is enough."""


def row_bits(build: Build, index: int) -> int:
    """Bits of a row in the banks of junction `index` (from 0)."""
    return (build.junctions[index].rows - 1).bit_length()


def lane_groups(junction: Junction) -> list[range]:
    """The lanes of each group of neighbors."""
    lanes = range(junction.lanes)
    return [lanes[first : first + LANE_GROUP] for first in range(0, len(lanes), LANE_GROUP)]


def edge_fields(build: Build, index: int) -> tuple[int, int]:
    """Bits of what edge memory holds for a lane of junction `index` (from 0): weight; row and first."""
    return build.network.formats.weight.width, row_bits(build, index) + 1


def forward_bank_depth(build: Build, index: int) -> int:
    """Words of FF's activation bank of junction `index` (from 0): slots times rows, rows rounded to a power of two."""
    return build.schedule.junctions[index].forward_slots << row_bits(build, index)


def update_bank_depth(build: Build, index: int) -> int:
    """Words of UP's activation bank of junction `index` (from 0), likewise; training builds only."""
    return build.schedule.junctions[index].activation_slots << row_bits(build, index)


def delta_bank_depth(build: Build, index: int) -> int:
    """Words of a delta bank of junction `index` (from 0): sets times rows, rows rounded to a power of two."""
    return build.schedule.junctions[index].delta_sets << row_bits(build, index)


def lane_memories(build: Build) -> tuple[MemoryGroup, ...]:
    """All memories of all lanes, in order of junctions. The edges of a group of lanes are one memory: they are read
    and written at the same addresses. Activations and delta sums are stored once per reader: FF and UP, BP and the
    fetch of deltas. Without UP only the host writes edges, and no block runs then."""
    f = build.network.formats
    groups = []
    for index, j in enumerate(build.junctions):
        wanted: list[tuple[Purpose, int, tuple[int, ...], int]] = []
        for size, alike in groupby(len(lanes) for lanes in lane_groups(j)):
            wanted.append(("edges", len(list(alike)), size * edge_fields(build, index), j.cycles))
        wanted.append(("forward", j.lanes, (f.activation.width,), forward_bank_depth(build, index)))
        if build.training:
            wanted.append(("update", j.lanes, (f.activation.width,), update_bank_depth(build, index)))
        if build.training and index > 0:
            sums = build.network.delta_sum_width(j)
            wanted.append(("deltas", 2 * j.lanes, (sums,), delta_bank_depth(build, index)))
        groups += [
            MemoryGroup(
                junction=index + 1,
                purpose=purpose,
                count=count,
                widths=widths,
                depth=depth,
                one_port=purpose == "edges" and not build.training,
            )
            for purpose, count, widths, depth in wanted
        ]
    return tuple(groups)
