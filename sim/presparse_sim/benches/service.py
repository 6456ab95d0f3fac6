"""`presparse sim`: every bench of a build on one simulator, from outside."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.messages.simulation import Level, Verdict
from presparse.messages.simulation import Simulator as SimulatorName
from presparse.support.child_processes import ChildProcesses
from presparse.support.scratch import scratch_folder
from presparse_boards.boards.registry import find_board
from presparse_boards.clocking.clock import Clock, plan_clock
from presparse_sim.benches import designs
from presparse_sim.benches.journal import Reader
from presparse_sim.benches.simulators import SIMULATORS, Simulator
from presparse_sim.benches.task import VARIABLE, Task
from presparse_sim.design import Design, core_design
from presparse_sim.errors import ToolMissing

SMALL = Path(__file__).parent / "small.toml"
"""The network that is simulated if none is named."""
_POLL = 0.1
_LOG_LINES = 15

Tell = Callable[[str, int, int, str], None]
"""Receives a bench's name, steps done, steps in all (0: unknown), and what it is doing."""


@dataclass(frozen=True, kw_only=True)
class _Bench:
    name: str
    level: Level
    build: Build
    design: Design
    index: int = 0
    clock: Clock | None = None


def simulate(
    network: Network | None,
    *,
    simulator: SimulatorName,
    levels: Sequence[Level],
    board: str,
    lanes: tuple[int, ...],
    mode: str,
    samples: int,
    seed: int,
    waves: Path | None,
    tell: Tell,
) -> Iterator[Verdict]:
    """Run the benches one after the other; their verdicts as they come, failed ones too.

    `network`: None for a small one of the benches' own. `board`: whose clock and baud rate the pins have. `lanes`:
    none for the network's. `waves`: a folder for waveforms. Raises ToolMissing, CompileError, CacheError, BuildError,
    BoardError, ClockError.
    """
    if importlib.util.find_spec("torch") is None:
        raise ToolMissing(
            "the Python package 'torch', which the reference runs on, is missing; "
            "install it with: pip install 'presparse[sim,train]'"
        )
    tool = SIMULATORS[simulator]()
    shape = Network.load(SMALL) if network is None else network
    for bench in list(_benches(shape, levels, board, lanes, mode)):
        file = None if waves is None else waves.absolute() / f"{bench.name.replace(' ', '-')}{tool.suffix}"
        yield _run(bench, tool, samples, seed, file, tell)


def _benches(
    network: Network, levels: Sequence[Level], board: str, lanes: tuple[int, ...], mode: str
) -> Iterator[_Bench]:
    """Smallest first: what is wrong in a lane is wrong in all that follow."""
    target = find_board(board)
    clock = plan_clock(target, target.default_clock_hz)
    fields = {"network": network, "lanes": lanes, "mode": mode}
    # The core is fed as fast as it takes samples, so that no cycle of the pipeline is idle.
    alone = Build(**fields, feature_port=Build(**fields).lanes[0])
    for level in levels:
        if level in ("lane", "junction"):
            make = designs.lane_design if level == "lane" else designs.junction_design
            for index in range(len(alone.junctions)):
                name = f"{level} {index + 1}" if level == "junction" else f"lane of junction {index + 1}"
                yield _Bench(name=name, level=level, build=alone, index=index, design=make(alone, index))
        elif level == "core":
            yield _Bench(name="core", level=level, build=alone, design=core_design(alone))
        else:
            build = Build(**fields)
            design = designs.pins_design(build, clock.divisor, target.window)
            yield _Bench(name=f"pins of {board}", level=level, build=build, design=design, clock=clock)


def _run(bench: _Bench, tool: Simulator, samples: int, seed: int, waves: Path | None, tell: Tell) -> Verdict:
    tell(bench.name, 0, 0, "preparing")
    program = tool.compile(bench.design, waves, lambda stage: tell(bench.name, 0, 0, stage))
    with scratch_folder() as folder:
        task = Task(
            build=bench.build,
            index=bench.index,
            seed=seed,
            samples=samples,
            clock_hz=100e6 if bench.clock is None else float(bench.clock.hz),
            baud=0.0 if bench.clock is None else float(bench.clock.baud),
            journal=folder / "journal",
        )
        (folder / "task.json").write_text(task.model_dump_json())
        environment = {VARIABLE: str(folder / "task.json")}
        reader, end, began = Reader(task.journal), None, time.perf_counter()
        with ThreadPoolExecutor(1) as pool, ChildProcesses() as children:
            module = f"presparse_sim.benches.{bench.level}"
            running = pool.submit(program.run, module, folder, environment, seed, children)
            over = False
            while not over:
                over = bool(wait([running], timeout=_POLL).done)
                for line in reader.lines():
                    end = line.get("end", end)
                    if "done" in line:
                        tell(bench.name, line["done"], line["of"], line["note"])
            running.result()
        return Verdict(
            bench=bench.name,
            simulator=tool.name,
            seconds=round(time.perf_counter() - began, 3),
            waves="" if waves is None else str(waves),
            **_found(end, folder),
        )


def _found(end: dict[str, Any] | None, folder: Path) -> dict[str, Any]:
    """What the journal's last line and cocotb's own results say."""
    results = folder / "results.xml"
    cases = list(ElementTree.parse(results).iter("testcase")) if results.exists() else []
    if end is None or not cases:
        return {"passed": False, "failure": f"the simulator ended early: {_last_words(folder / 'log')}"}
    failures = [found for case in cases for kind in ("failure", "error") for found in case.iter(kind)]
    failure = "" if not failures else failures[0].get("message") or failures[0].get("type") or "cocotb says no more"
    return {"passed": not failures, "failure": failure, **end}


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(line for line in lines[-_LOG_LINES:]) or "it said nothing"
