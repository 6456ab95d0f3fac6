"""SDR SDRAM chips: their sizes and times from datasheets, and what those times are in cycles of a clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class SdramChip:
    """A chip, or several beside each other that share all pins but their data. Times are the shortest allowed.

    Raises ValueError if it has too many columns.
    """

    name: str
    rows: int
    """Address bits of a row within a bank."""
    columns: int
    """Address bits of a column within a row."""
    banks: int
    """How many: 2 or 4."""
    width: int
    """Data bits: 16 or 32."""
    clocks_mhz: Mapping[int, float]
    """CAS latency -> the highest clock at which it may be used."""
    t_rcd_ns: float
    """From ACTIVATE to READ or WRITE."""
    t_rp_ns: float
    """From PRECHARGE to ACTIVATE or REFRESH."""
    t_ras_ns: float
    """From ACTIVATE to PRECHARGE."""
    t_rc_ns: float
    """From ACTIVATE to ACTIVATE of the same bank."""
    t_rrd_ns: float
    """From ACTIVATE to ACTIVATE of another bank."""
    t_rfc_ns: float
    """From REFRESH to any command."""
    t_wr_ns: float
    """From WRITE to PRECHARGE; at least `wr_cycles`."""
    wr_cycles: int = 2
    mrd_cycles: int = 2
    """From MODE REGISTER SET to any command."""
    refresh_us: float
    """Between two REFRESH, at most: one refreshes one row of every bank, and each needs one per round."""
    power_up_us: float = 200.0
    """Before the first command."""
    source: str
    """Of the numbers."""

    def __post_init__(self) -> None:
        if self.columns > 10:  # A10 is none of a column's bits
            raise ValueError(
                f"{self.name}: a column must have at most 10 address bits, and has {self.columns}; use part of it"
            )

    @property
    def bank_bits(self) -> int:
        return (self.banks - 1).bit_length()

    @property
    def address_pins(self) -> int:
        """A0 and up; A10 has a meaning of its own whatever the sizes are."""
        return max(self.rows, self.columns, 11)

    @property
    def words(self) -> int:
        """16-bit words of the chip."""
        return self.banks * self.width // 16 << self.rows + self.columns


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """A chip's times in cycles, as `SdramController` keeps them: each from one command to the next."""

    cas: int
    """READ to its data at the chip's pins."""
    rcd: int
    """ACTIVATE to READ or WRITE."""
    ras: int
    """ACTIVATE to PRECHARGE, and to READ or WRITE with precharge."""
    rrd: int
    """ACTIVATE to ACTIVATE of another bank."""
    rp: int
    """PRECHARGE to ACTIVATE or REFRESH."""
    close: int
    """READ or WRITE with precharge to ACTIVATE or REFRESH."""
    rfc: int
    """REFRESH to any command."""
    mrd: int
    """MODE REGISTER SET to any command."""
    refresh: int
    """Between two REFRESH."""
    power_up: int
    """Before the first command."""


@dataclass(frozen=True, kw_only=True)
class Sdram:
    """A chip at the clock of the gateware. Raises ValueError if that clock is too fast for the chip."""

    chip: SdramChip
    clock_hz: float
    pad_cycles: int = 0
    """Cycles that registers at the pads add between the controller and the chip, out and back together."""

    def __post_init__(self) -> None:
        if self.clock_hz > 1e6 * max(self.chip.clocks_mhz.values()):
            raise ValueError(
                f"{self.chip.name} runs at no more than {max(self.chip.clocks_mhz.values()):g} MHz, "
                f"and the clock is {self.clock_hz / 1e6:g} MHz; use a slower clock"
            )

    @cached_property
    def cycles(self) -> Cycles:
        chip = self.chip
        cas = min(latency for latency, mhz in chip.clocks_mhz.items() if self.clock_hz <= 1e6 * mhz)
        rp = self._at_least(chip.t_rp_ns)
        write = max(chip.wr_cycles, self._at_least(chip.t_wr_ns))
        return Cycles(
            cas=cas,
            rcd=self._at_least(chip.t_rcd_ns),
            ras=max(self._at_least(chip.t_ras_ns), self._at_least(chip.t_rc_ns) - rp),
            rrd=self._at_least(chip.t_rrd_ns),
            rp=rp,
            # Some makers let a precharge follow a read after cas - 1 cycles only; the others are earlier.
            close=max(write, cas - 1) + rp,
            rfc=self._at_least(max(chip.t_rfc_ns, chip.t_rc_ns)),
            mrd=chip.mrd_cycles,
            # A refresh waits for the commands before it, so all of a round are a little early.
            refresh=math.floor(chip.refresh_us * self.clock_hz / 1e6) - 1,
            power_up=self._at_least(1000 * chip.power_up_us),
        )

    def _at_least(self, nanoseconds: float) -> int:
        cycles = nanoseconds * self.clock_hz / 1e9
        return max(1, math.ceil(cycles - 1e-9))  # a whole number stays one


MT48LC16M16A2 = SdramChip(
    name="MT48LC16M16A2",
    rows=13,
    columns=9,
    banks=4,
    width=16,
    clocks_mhz={2: 100.0, 3: 133.0},
    t_rcd_ns=21.0,
    t_rp_ns=21.0,
    t_ras_ns=44.0,
    t_rc_ns=66.0,
    t_rrd_ns=15.0,
    t_rfc_ns=66.0,
    t_wr_ns=15.0,
    refresh_us=64_000 / 8192,
    source="the slower of Micron MT48LC16M16A2-75 and Alliance AS4C32M16SB-7 (of which half the columns are used)",
)
IS42S16160 = SdramChip(
    name="IS42S16160",
    rows=13,
    columns=9,
    banks=4,
    width=16,
    clocks_mhz={2: 100.0, 3: 143.0},
    t_rcd_ns=20.0,
    t_rp_ns=20.0,
    t_ras_ns=45.0,
    t_rc_ns=70.0,
    t_rrd_ns=15.0,
    t_rfc_ns=70.0,
    t_wr_ns=15.0,
    refresh_us=64_000 / 8192,
    source="ISSI IS42S16160B-7",
)
W9825G6KH = SdramChip(
    name="W9825G6KH",
    rows=13,
    columns=9,
    banks=4,
    width=16,
    clocks_mhz={2: 100.0, 3: 166.0},
    t_rcd_ns=18.0,
    t_rp_ns=18.0,
    t_ras_ns=42.0,
    t_rc_ns=60.0,
    t_rrd_ns=15.0,
    t_rfc_ns=60.0,
    t_wr_ns=12.0,
    refresh_us=64_000 / 8192,
    source="Winbond W9825G6KH-6I",
)
EM638325 = SdramChip(
    name="EM638325",
    rows=11,
    columns=8,
    banks=4,
    width=32,
    clocks_mhz={2: 100.0, 3: 166.0},
    t_rcd_ns=18.0,
    t_rp_ns=18.0,
    t_ras_ns=42.0,
    t_rc_ns=60.0,
    t_rrd_ns=12.0,
    t_rfc_ns=60.0,
    t_wr_ns=12.0,
    refresh_us=64_000 / 4096,
    source="Etron EM638325-6",
)
M12L16161A_PAIR = SdramChip(
    name="two M12L16161A",
    rows=11,
    columns=8,
    banks=2,
    width=32,
    clocks_mhz={2: 100.0, 3: 166.0},
    t_rcd_ns=18.0,
    t_rp_ns=18.0,
    t_ras_ns=42.0,
    t_rc_ns=60.0,
    t_rrd_ns=12.0,
    t_rfc_ns=60.0,
    t_wr_ns=12.0,
    refresh_us=32_000 / 2048,
    source="the slower of ESMT M12L16161A-5T and Winbond W9816G6JH-6",
)
M12L64322A = replace(
    IS42S16160,
    name="M12L64322A",
    rows=11,
    columns=8,
    width=32,
    refresh_us=64_000 / 4096,
    source="ESMT M12L64322A-7: sizes, clocks, refreshes; times as of IS42S16160-7, which are not shorter",
)
