"""All that is known of a family of FPGAs, in one object per family: nothing else in this package names one.

A new family is a folder beside this file, or in a package of its own, with one `FpgaFamily` in it (docs/boards.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from presparse.contract.build import Build
from presparse_boards.clocking.solver import Limits, Settings
from presparse_boards.errors import BoardError
from presparse_boards.families.toolchain import Toolchain
from presparse_boards.resources.capacity import Capacity
from presparse_boards.resources.inferred_memory import MemoryCells, Storage
from presparse_boards.resources.inventory import Memory
from presparse_boards.resources.multipliers import DspBlock, logic_multiplier
from presparse_hw.store.sdram.chip import SdramChip

if TYPE_CHECKING:
    from amaranth.hdl import Module, Signal
    from amaranth.lib import io


CALIBRATED = ("ecp5", "ice40")
"""Families with coefficients of their own in `estimate/coefficients.json`, fitted to real builds."""


class Pll(Protocol):
    """A PLL fed by a pin: an Amaranth component."""

    o_clk: Signal
    """Out(1): the clock."""
    locked: Signal
    """Out(1): high once the clock is right; asynchronous."""

    def elaborate(self, platform: object) -> Module: ...


class SdramPhy(Protocol):
    """The pins of an SDRAM: an Amaranth component."""

    pads: Any
    """In(presparse_hw.store.sdram.ports.SdramPadSignature)."""

    def elaborate(self, platform: object) -> Module: ...


@dataclass(frozen=True, kw_only=True)
class SdramPads:
    """How an FPGA's pins drive an SDRAM."""

    cycles: int
    """That registers at the pins add, out and back together (`presparse_hw.store.sdram.chip.Sdram`)."""
    phy: Callable[[SdramChip, Any], SdramPhy]
    """The component for a chip and the platform's resource `sdram`, requested with `dir="-"` (imports Amaranth)."""


TakenMemories = Callable[[Memory], Storage | None]
"""What becomes of memories that a family's platform makes itself, asked in the order of `inventory.memories`; None:
left to synthesis."""


def left_to_synthesis(build: Build, capacity: Capacity, window: int) -> TakenMemories:
    """All memories are."""
    return lambda memory: None


@dataclass(frozen=True, kw_only=True, eq=False)
class FpgaFamily:
    """One family of FPGAs. Making one imports no Amaranth: what needs it imports it when it is called."""

    name: str
    """Of files that hold something by family, and in tables: "ecp5"."""

    pll_limits: Limits
    pll: Callable[[Settings, io.SingleEndedPort], Pll]
    """The component for given settings and the pin of the oscillator (imports Amaranth)."""

    sdram: SdramPads | None = None
    """None: its boards have no SDRAM that is used."""

    primitives: Callable[[], type] | None = None
    """A class to be mixed into an Amaranth platform (imports Amaranth), whose methods `plan(build, capacity, window)`,
    `get_multiplier` and `get_registered_memory` give gateware the family's own multipliers and memories; None: all are
    left to synthesis."""
    dsp: DspBlock
    lut_multiplier: Callable[[int, int], tuple[float, float]] = logic_multiplier
    """(LUTs, registers) of a multiplier of operands of so many bits without a block."""
    memory: MemoryCells
    taken_memories: Callable[[Build, Capacity, int], TakenMemories] = left_to_synthesis
    """Of a build on an FPGA, with a link of so many requests: what `primitives` make themselves."""

    fillable: float
    """Of the LUTs, as far as place-and-route can be hoped to find a place for each."""
    usual_path_ns: float = 10.0
    """Of a critical path: where calibration begins, before it has seen any build."""
    fast_grades: frozenset[str] = frozenset()
    """Speed grades that are faster than the usual one."""
    estimated_as: str = CALIBRATED[0]
    """Name of the family whose coefficients stand in as long as it has none of its own."""

    toolchain: Toolchain | None = None
    """None: bitstreams need `vendor_tool`."""
    vendor_tool: str = ""

    def __post_init__(self) -> None:
        """Raises BoardError for a stand-in that is none."""
        if self.estimated_as not in CALIBRATED:
            raise BoardError(
                f"FPGA family {self.name}: estimated_as must be {' or '.join(CALIBRATED)}, and is {self.estimated_as!r}"
            )

    @property
    def calibrated(self) -> bool:
        """Real builds stand behind its estimates."""
        return self.name in CALIBRATED
