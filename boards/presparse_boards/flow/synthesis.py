"""From an elaborated top to a netlist of the FPGA's cells, and what became of memories and multipliers."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from presparse_boards.errors import ToolFailed
from presparse_boards.families.toolchain import YOSYS, Toolchain
from presparse_boards.flow.names import readable
from presparse_boards.flow.plan import TOP
from presparse_boards.flow.tools import Workshop

NETLIST = f"{TOP}.json"
LOG = "synthesis.log"
_MAPPED = re.compile(r"^mapping memory (\S+) via (\S+)$", re.MULTILINE)
_FLIP_FLOPS = re.compile(
    r"^Mapping memory \\(\S+) in module .*:\n +created (\d+) \$\S+ cells and \d+ static cells of width (\d+)\.",
    re.MULTILINE,
)
_CONFLICT = re.compile(r"^Warning: (Driver-driver conflict .*)$", re.MULTILINE)
_FEW_BITS = 128
"""Memories up to this size are as good in flip-flops."""
_READ_ONLY = ".rom"
"""How luna calls memories that nothing writes: they become logic, not flip-flops."""
_CELL_TYPE = re.compile(r'^ +"type": "([A-Z][A-Z0-9_]*)",$')


@dataclass(frozen=True)
class Netlist:
    """The flattened netlist that Yosys wrote: JSON, up to hundreds of megabytes, so it stays a file."""

    path: Path
    toolchain: Toolchain

    @cached_property
    def counts(self) -> Counter[str]:
        """Cells by type."""
        counts: Counter[str] = Counter()
        with self.path.open() as lines:
            for line in lines:
                if found := _CELL_TYPE.match(line):
                    counts[found[1]] += 1
        return counts

    @property
    def flip_flops(self) -> int:
        return sum(count for kind, count in self.counts.items() if kind.startswith(self.toolchain.flip_flop_cells))


def synthesize(workshop: Workshop, toolchain: Toolchain) -> Netlist:
    """Run Yosys on the plan's files. Raises ToolFailed, also for a net with two drivers, of which Yosys drops one."""
    workshop.check(YOSYS, ["-q", "-l", LOG, f"{TOP}.ys"], "synthesis.out")
    log = (workshop.folder / LOG).read_text(errors="replace")
    if conflict := _CONFLICT.search(log):
        raise ToolFailed(f"synthesis found a net with two drivers: {conflict[1]}. That is a fault of Presparse")
    return Netlist(workshop.folder / NETLIST, toolchain)


def notes(log: str, netlist: Netlist, *, planned_dsp: int, family_dsp: int) -> tuple[str, ...]:
    """What synthesis did that nobody planned: memories made of flip-flops, multipliers made of LUTs.

    Parameters
    ----------
    log : what Yosys said
    planned_dsp : multipliers that should be DSP blocks
    family_dsp : DSP blocks that the board has
    """
    cells = netlist.toolchain.cell_names
    found = [
        f"memory {readable(name, cells)} ({words} words of {width} bits) is made of flip-flops: its ports suit no "
        "memory of this FPGA, or there are none left of those"
        for name, words, width in _FLIP_FLOPS.findall(log)
        if int(words) * int(width) > _FEW_BITS and not name.endswith(_READ_ONLY)
    ]
    used = netlist.counts[netlist.toolchain.dsp_cell]
    if used < min(planned_dsp, family_dsp):
        found.append(f"{used} DSP blocks are used where {planned_dsp} multipliers were planned for them")
    return tuple(found)


def memories(log: str) -> dict[str, str]:
    """Memories in RAM cells: name, and the kind of cell that Yosys chose."""
    return {name: kind.strip("$_") for name, kind in _MAPPED.findall(log)}
