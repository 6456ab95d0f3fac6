"""The memory model of `harness/sdram.hpp` for testbenches in Python: Amaranth's simulator and cocotb."""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from presparse.support.cache import Cache
from presparse.support.child_processes import ChildProcesses
from presparse_hw.store.sdram.chip import Sdram
from presparse_sim.errors import CompileError
from presparse_sim.toolchain import find_toolchain

_SOURCES = tuple(Path(__file__).parents[1] / "harness" / name for name in ("sdram.cpp", "sdram.hpp"))
_FLAGS = ("-O2", "-std=c++20", "-fPIC", "-shared", "-fvisibility=hidden")
_LIBRARY = "sdram.so"


PINS = ("cke", "cs", "ras", "cas", "we", "ba", "a", "dqm", "dq_o", "dq_oe")
"""The outputs of `SdramPadSignature`: what `SdramModel.step` takes."""


class Broken(NamedTuple):
    """A rule of the chip, and the cycle in which it was broken."""

    rule: str
    cycle: int


@dataclass(frozen=True, kw_only=True)
class SdramFaults:
    """What is wrong with the chip or its wires; nothing by default. Masks say which bits, values what they are."""

    data_mask: int = 0
    """Data pins that are stuck."""
    data_value: int = 0
    address_mask: int = 0
    """Pins A that are stuck."""
    address_value: int = 0
    bank_mask: int = 0
    """Pins BA that are stuck."""
    bank_value: int = 0
    silent: bool = False
    """The chip never drives its data pins."""
    weak_bank: int = 0
    weak_row: int = 0
    weak_column: int = 0
    weak_mask: int = 0
    """Bits of that cell which are 0 `weak_ns` after they were written."""
    weak_ns: float = 0.0


class SdramModel:
    """A chip at its pins, cycle by cycle.

    Parameters
    ----------
    sdram : Sdram
    late : half cycles by which its data come after the middle of the cycle in which an ideal chip has them, 0 to 3
    stay : 1 or 2 half cycles in which they are there
    faults : SdramFaults

    Raises ToolMissing, CacheError, CompileError.
    """

    def __init__(self, sdram: Sdram, *, late: int = 0, stay: int = 2, faults: SdramFaults | None = None) -> None:
        self._library = _load()
        self._handle = self._library.sdram_open(native_chip(sdram, late=late, stay=stay))
        self._pins = _Pins()
        self._both = (ctypes.c_uint32 * 2)()
        if faults is not None:
            self.fail(faults)

    def step(self, pins: Mapping[str, int]) -> tuple[int, int]:
        """One cycle with these values of `SdramPadSignature`; returns what is on the data pins in its middle and at
        its end."""
        for name, value in pins.items():
            setattr(self._pins, name, value)
        self._library.sdram_step(self._handle, self._pins, self._both)
        return self._both[0], self._both[1]

    def fail(self, faults: SdramFaults) -> None:
        """From now on these faults, and no others."""
        self._library.sdram_fail(self._handle, native_faults(faults))

    @property
    def broken(self) -> list[Broken]:
        """All rules that were broken so far, up to 1000."""
        cycle = ctypes.c_uint64()
        found: list[Broken] = []
        while (rule := self._library.sdram_broken(self._handle, len(found), ctypes.byref(cycle))) is not None:
            found.append(Broken(rule.decode(), cycle.value))
        return found

    @property
    def cycles(self) -> int:
        """Steps so far."""
        return self._library.sdram_cycles(self._handle)

    def read(self, bank: int, row: int, column: int) -> int:
        """What the chip holds there."""
        return self._library.sdram_column(self._handle, bank, row, column)[0]

    def write(self, bank: int, row: int, column: int, value: int) -> None:
        """Put a value there, past the pins."""
        self._library.sdram_column(self._handle, bank, row, column)[0] = value

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            self._library.sdram_close(self._handle)


def native_chip(sdram: Sdram, *, late: int = 0, stay: int = 2) -> ctypes.Structure:
    """A chip as native code takes it (`sdram::Chip`); `late`, `stay` as in `SdramModel`."""
    chip = sdram.chip
    return _Chip(
        rows=chip.rows,
        columns=chip.columns,
        banks=chip.banks,
        width=chip.width,
        wr_cycles=chip.wr_cycles,
        mrd_cycles=chip.mrd_cycles,
        clock=1e9 / sdram.clock_hz,
        shortest_2=1e3 / chip.clocks_mhz[2] if 2 in chip.clocks_mhz else 0.0,
        shortest_3=1e3 / chip.clocks_mhz[3] if 3 in chip.clocks_mhz else 0.0,
        rcd=chip.t_rcd_ns,
        rp=chip.t_rp_ns,
        ras=chip.t_ras_ns,
        rc=chip.t_rc_ns,
        rrd=chip.t_rrd_ns,
        rfc=chip.t_rfc_ns,
        wr=chip.t_wr_ns,
        refresh=1e3 * chip.refresh_us,
        power_up=1e3 * chip.power_up_us,
        late=late + 2 * sdram.pad_cycles,
        stay=stay,
    )


def native_faults(faults: SdramFaults) -> ctypes.Structure:
    """Faults as native code takes them (`sdram::Faults`)."""
    return _Faults(**asdict(faults))


class _Chip(ctypes.Structure):
    """`sdram::Chip`."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("rows", "columns", "banks", "width", "wr_cycles", "mrd_cycles")),
        *((name, ctypes.c_double) for name in ("clock", "shortest_2", "shortest_3")),
        *((name, ctypes.c_double) for name in ("rcd", "rp", "ras", "rc", "rrd", "rfc", "wr", "refresh", "power_up")),
        *((name, ctypes.c_uint32) for name in ("late", "stay")),
    )


class _Faults(ctypes.Structure):
    """`sdram::Faults`."""

    _fields_ = (
        *((f"{pins}_{part}", ctypes.c_uint32) for pins in ("data", "address", "bank") for part in ("mask", "value")),
        *((name, ctypes.c_uint32) for name in ("silent", "weak_bank", "weak_row", "weak_column", "weak_mask")),
        ("weak_ns", ctypes.c_double),
    )


class _Pins(ctypes.Structure):
    """`sdram::Pins`."""

    _fields_ = tuple((name, ctypes.c_uint32) for name in PINS)


def _load() -> ctypes.CDLL:
    """The compiled model; compiled if no process has done so before with these sources and this compiler."""
    toolchain = find_toolchain()
    origin = "\0".join((*toolchain.fingerprint, *_FLAGS, *(path.read_text() for path in _SOURCES)))
    key = f"sdram-{hashlib.sha256(origin.encode()).hexdigest()[:32]}"

    def compile_into(folder: Path) -> None:
        command = [toolchain.gxx, *_FLAGS, _SOURCES[0], "-o", folder / _LIBRARY]
        with ChildProcesses() as children:
            status, said = children.listen(command, env={**os.environ, "TMPDIR": str(folder), "LC_ALL": "C"})
        if status:
            words = "\n".join(said.strip().splitlines()[:20])
            raise CompileError(f"g++ ended with status {status}: {words}")

    library = ctypes.CDLL(str(Cache("simulation").fetch(key, compile_into) / _LIBRARY))
    model = ctypes.c_void_p
    for name, result, arguments in (
        ("sdram_open", model, (ctypes.POINTER(_Chip),)),
        ("sdram_close", None, (model,)),
        ("sdram_step", None, (model, ctypes.POINTER(_Pins), ctypes.POINTER(ctypes.c_uint32))),
        ("sdram_fail", None, (model, ctypes.POINTER(_Faults))),
        ("sdram_broken", ctypes.c_char_p, (model, ctypes.c_size_t, ctypes.POINTER(ctypes.c_uint64))),
        ("sdram_cycles", ctypes.c_uint64, (model,)),
        ("sdram_column", ctypes.POINTER(ctypes.c_uint32), (model, *(ctypes.c_uint32,) * 3)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
