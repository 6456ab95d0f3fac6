"""Coverage of the gateware: what random workloads on simulated cores and boards exercise, counted by Verilator."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from presparse.contract.build import Build
from presparse.device.links.faulty import DAMAGE, Faults, FaultyLink
from presparse_sim.board import CLOCK_HZ, SimulatedBoard
from presparse_sim.campaigns.builds import DEEP, STORED
from presparse_sim.campaigns.garbage import Garbage
from presparse_sim.campaigns.twins import BoardTime, Twins
from presparse_sim.campaigns.workload import Workload
from presparse_sim.core import SimulatedCore, Stalls
from presparse_sim.design import Design, board_design, core_design, pins_design
from presparse_sim.verilog import to_sourced_verilog
from tests.networks import random_build, random_model, random_samples
from tests.verification.coverage.verilator import Point, Sources, read

Counts = dict[Point, int]
"""How often each point of the gateware was exercised."""

_PINS_HZ = 250 * CLOCK_HZ
"""At the pins a byte takes 250 cycles: as many more are in each timeout."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A design, and what is done with it."""

    name: str
    design: Design
    drive: Callable[[Design, Path], int]
    """Returns the cycles that it took."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    name: str
    cycles: int
    seconds: float
    counts: Counts


def runs(cores: int) -> list[Run]:
    """Random cores of all kinds; boards with and without a store; the store's board behind its UART."""
    found: list[Run] = []
    for seed in range(cores):
        build = random_build(np.random.default_rng([77, seed]), neurons=32, mode="infer" if seed % 4 == 3 else "train")
        found.append(Run(name=f"core {seed}", design=core_design(build), drive=_core(build, seed)))
    for build in (STORED, DEEP):
        found.append(
            Run(name=f"board, {build.network.name}", design=board_design(build), drive=_board(build, 150, garbage=2))
        )
    found.append(Run(name="pins", design=pins_design(STORED), drive=_board(STORED, 4, garbage=0, clock_hz=_PINS_HZ)))
    return found


def measure(run: Run) -> Measured:
    """Compile a design that counts, drive it, and read what it counted."""
    began = time.monotonic()
    design = replace(
        run.design,
        name=f"{run.design.name}-sourced",
        translate=to_sourced_verilog,
        optimization="-O1",  # runs for a million cycles at most
    )
    with tempfile.TemporaryDirectory(prefix="presparse-coverage-") as folder:
        file = Path(folder) / "coverage.dat"
        cycles = run.drive(design, file)
        counts = read(file, Sources(design.translate(design.component())))
    return Measured(name=run.name, cycles=cycles, seconds=time.monotonic() - began, counts=counts)


def together(measured: list[Measured]) -> Counts:
    """What any of the runs exercised."""
    found: Counts = {}
    for one in measured:
        for point, count in one.counts.items():
            found[point] = found.get(point, 0) + count
    return found


def _core(build: Build, seed: int) -> Callable[[Design, Path], int]:
    """Models loaded, samples of all kinds with and without stalls, everything read back, a restart in between."""

    def drive(design: Design, file: Path) -> int:
        rng = np.random.default_rng([78, seed])
        slow = Stalls(samples=0.3, results=0.5, commands=0.3, answers=0.3, seed=seed)
        with SimulatedCore(build, design=design, coverage=file) as core:
            for stalls in (Stalls(), slow, Stalls(results=0.9, seed=seed)):
                core.load(random_model(rng, build.network), stalls=stalls)
                core.run(random_samples(rng, build, 150), stalls)
                core.access(np.arange(4, dtype=np.uint32), stalls=stalls)  # refused: samples are in flight
                core.flush(stalls)
                core.read(stalls=stalls)
                core.access(np.array([0xFFFFFFFF, 1 << 24, 0x01FFFFFF], dtype=np.uint32), stalls=stalls)
                core.run(random_samples(rng, build, 20), stalls)
                core.restart()
                core.clear_counters()
            return core.cycles

    return drive


def _board(build: Build, steps: int, *, garbage: int, clock_hz: float = CLOCK_HZ) -> Callable[[Design, Path], int]:
    """A mixed workload, compared with the reference, over a link that does harm now and then; then pieces of
    garbage."""

    def drive(design: Design, file: Path) -> int:
        rng = np.random.default_rng([79, steps])
        board = SimulatedBoard(design, stall=0.1, coverage=file, clock_hz=clock_hz)
        try:
            _work(build, board, steps, rng)
            source = Garbage(rng, header=2)
            for _ in range(garbage):
                piece = source.piece()
                board.write(piece)
                board.read(1 << 12, len(piece) / board.clock_hz)
            return board.cycles
        finally:
            board.close()

    return drive


def _work(build: Build, board: SimulatedBoard, steps: int, rng: np.random.Generator) -> None:
    """Raises Mismatch if the board differs from the reference."""
    clock = BoardTime(board)
    faults = Faults(rng, 0.0, DAMAGE)
    twins = Twins(build, lambda: FaultyLink(board, faults, clock=clock), clock, rng)
    workload = Workload(twins, rng)
    for step in range(steps):
        faults.probability = 0.05 if step % 3 == 0 else 0.0
        workload.step()
    faults.probability = 0.0
    twins.compare()
