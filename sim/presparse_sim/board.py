"""The simulated board: the accelerator behind a byte stream, in this process (device `sim`)."""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path

from presparse.contract.build import Build
from presparse.contract.description import shortened
from presparse.device.protocol import CLOSED
from presparse.errors import ArgumentError, LinkClosed
from presparse.validation import checked_callback, checked_number
from presparse_sim.chips.sdram import SdramFaults, native_chip, native_faults
from presparse_sim.design import Design, board_design
from presparse_sim.errors import DesignFault
from presparse_sim.library import Progress, load_library, output_file
from presparse_sim.netlist import netlist_design
from presparse_sim.outcome import Outcome, check

CLOCK_HZ = 1_000_000
"""Cycles that one second of a timeout stands for. A board's clock is faster, but nobody waits for a simulator."""
MOST_CLOCK_HZ = 1e12
MOST_STALL = 0.99
MOST_LATE = 3
MOST_SEED = (1 << 64) - 1
_QUIET_CYCLES = 32
"""Cycles without a byte after which those that came are returned."""


class SimulatedBoard:
    """A `presparse.device.links.link.Link` to `presparse_hw.accelerator.Accelerator(build)`.

    Time passes only inside `read`, and is counted in cycles: the same calls give the same bytes.

    Parameters
    ----------
    design : an accelerator, or anything with the byte streams `i_bytes` and `o_bytes`
    stall : probability, per cycle, that a stream stalls from outside
    seed : of the stalls
    trace : write a VCD of everything to this file (another, slower library)
    sdram_faults : what is wrong with its SDRAM or the wires to it
    sdram_late : half cycles by which its data come late, 0 to 3
    coverage : write Verilator's counts of executed lines and changed bits to this file at the end (the same)
    clock_hz : cycles per second of a timeout
    progress : receives the name of each stage of a compile

    Raises ToolMissing, CacheError, CompileError, and ArgumentError for what is no such number, file or function.
    """

    def __init__(
        self,
        design: Design,
        *,
        stall: float = 0.0,
        seed: int = 0,
        trace: str | Path | None = None,
        coverage: str | Path | None = None,
        sdram_faults: SdramFaults | None = None,
        sdram_late: int = 0,
        clock_hz: float = CLOCK_HZ,
        progress: Progress = lambda stage: None,
    ) -> None:
        stall = checked_number("stall, a probability,", stall, 0.0, MOST_STALL)
        seed = checked_number("seed", seed, 0, MOST_SEED)
        checked_callback("progress", progress)
        for name, file in (("trace", trace), ("coverage", coverage)):
            if file is not None and not isinstance(file, str | Path):
                raise ArgumentError(f"{name} must be the name of a file, and is {shortened(file)}")
        sdram_late = checked_number("sdram_late", sdram_late, 0, MOST_LATE)
        if (sdram_faults is not None or sdram_late) and design.sdram is None:
            raise ArgumentError("sdram_faults or sdram_late are given, and this design has no SDRAM; leave them out")
        self.clock_hz = checked_number("clock_hz", clock_hz, 1.0, MOST_CLOCK_HZ)
        files = output_file(trace), output_file(coverage)  # before a compile
        self._library = _declare(
            load_library(design, trace=trace is not None, coverage=coverage is not None, progress=progress)
        )
        self._lock = threading.RLock()  # native code does not notice that another thread closes it
        self._handle: int | None = self._library.board_open(*files)
        self._library.board_stall(self._handle, stall, seed)
        if design.sdram is not None:
            self._library.board_sdram(self._handle, ctypes.byref(native_chip(design.sdram, late=sdram_late)))
            self._library.board_sdram_fail(self._handle, ctypes.byref(native_faults(sdram_faults or SdramFaults())))

    def write(self, data: bytes) -> None:
        """Queue bytes; they enter the board as `read` lets time pass."""
        with self._lock:
            self._library.board_write(self._open(), data, len(data))

    def read(self, limit: int, timeout: float) -> bytes:
        """Step the board until bytes come out; b"" if none did in `timeout` seconds of simulated time.

        Even without any timeout, what is under way in the board gets a few cycles to come out.
        """
        buffer = ctypes.create_string_buffer(limit)
        count = ctypes.c_size_t()
        budget = max(_QUIET_CYCLES, int(timeout * self.clock_hz))
        with self._lock:
            outcome = self._library.board_read(self._open(), buffer, limit, ctypes.byref(count), budget, _QUIET_CYCLES)
            cycle = ctypes.c_uint64()
            rule = self._library.board_sdram_broken(self._open(), ctypes.byref(cycle))
        if outcome == Outcome.BROKEN_MEMORY:
            raise DesignFault(
                f"the simulated design broke a rule of its SDRAM in cycle {cycle.value}: {rule.decode()}; this is a "
                "fault of the gateware"
            )
        check(outcome, "sending bytes")
        return buffer.raw[: count.value]

    def close(self) -> None:
        """Free the design and end its trace. Closing twice is allowed; waits for a read in another thread."""
        with self._lock:
            if self._handle is not None:
                self._library.board_close(self._handle)
                self._handle = None

    @property
    def cycles(self) -> int:
        """Clock cycles since this object was made."""
        with self._lock:
            return self._library.board_cycles(self._open())

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()

    def _open(self) -> int:
        if self._handle is None:
            raise LinkClosed(f"the simulated board: {CLOSED}")
        return self._handle


def open_link(
    build: Build,
    *,
    netlist: str | None = None,
    stall: float = 0.0,
    seed: int = 0,
    trace: str | Path | None = None,
    coverage: str | Path | None = None,
    sdram_faults: SdramFaults | None = None,
    sdram_late: int = 0,
    clock_hz: float = CLOCK_HZ,
    progress: Progress = lambda stage: None,
) -> SimulatedBoard:
    """The device `sim`: a simulated board with this build. Options are those of SimulatedBoard, and `netlist`: the
    name of a board, whose synthesized netlist of the build is simulated (slow; BoardError, SimulationError)."""
    design = board_design(build)
    if netlist is not None:
        design = netlist_design(design, build, netlist)
    return SimulatedBoard(
        design,
        stall=stall,
        seed=seed,
        trace=trace,
        coverage=coverage,
        sdram_faults=sdram_faults,
        sdram_late=sdram_late,
        clock_hz=clock_hz,
        progress=progress,
    )


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    """The C functions of harness/board.cpp."""
    board, size, u64 = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64
    for name, result, arguments in (
        ("board_open", board, (ctypes.c_char_p, ctypes.c_char_p)),
        ("board_close", None, (board,)),
        ("board_stall", None, (board, ctypes.c_double, u64)),
        ("board_sdram", None, (board, ctypes.c_void_p)),
        ("board_sdram_fail", None, (board, ctypes.c_void_p)),
        ("board_sdram_broken", ctypes.c_char_p, (board, ctypes.POINTER(u64))),
        ("board_write", None, (board, ctypes.c_char_p, size)),
        ("board_read", ctypes.c_int, (board, ctypes.c_char_p, size, ctypes.POINTER(size), u64, u64)),
        ("board_cycles", u64, (board,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
