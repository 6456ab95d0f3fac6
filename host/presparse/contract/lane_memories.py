"""The memories of a lane: what is stored side by side, and how deep. Gateware, planner and estimate use these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from presparse.contract.build import Build

Purpose = Literal["edges", "activations", "deltas"]


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


def activation_bank_depth(build: Build, index: int) -> int:
    """Words of an activation bank of junction `index` (from 0): slots times rows, rows rounded to a power of two."""
    return build.schedule.junctions[index].activation_slots << row_bits(build, index)


def delta_bank_depth(build: Build, index: int) -> int:
    """Words of a delta bank of junction `index` (from 0): sets times rows, rows rounded to a power of two."""
    return build.schedule.junctions[index].delta_sets << row_bits(build, index)


def lane_memories(build: Build) -> tuple[MemoryGroup, ...]:
    """All memories of all lanes, in order of junctions. Activations and delta sums are stored once per reader: FF and
    UP, BP and the fetch of deltas. Without UP only the host writes edges, and no block runs then."""
    f = build.network.formats
    groups = []
    for index, j in enumerate(build.junctions):
        rows = row_bits(build, index)
        wanted: list[tuple[Purpose, int, tuple[int, ...], int]] = [("edges", 1, (f.weight.width, rows + 1), j.cycles)]
        banks = 2 if build.training else 1
        wanted.append(("activations", banks, (f.activation.width,), activation_bank_depth(build, index)))
        if build.training and index > 0:
            sums = build.network.delta_sum_width(j)
            wanted.append(("deltas", 2, (sums,), delta_bank_depth(build, index)))
        groups += [
            MemoryGroup(
                junction=index + 1,
                purpose=purpose,
                count=copies * j.lanes,
                widths=widths,
                depth=depth,
                one_port=purpose == "edges" and not build.training,
            )
            for purpose, copies, widths, depth in wanted
        ]
    return tuple(groups)
