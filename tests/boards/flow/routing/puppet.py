"""Place-and-route on strings: it says what its test lets it say, and ends when that lets it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from presparse.support import atomic_files
from presparse_boards.boards.registry import find_board
from presparse_boards.families.toolchain import Tool
from presparse_boards.flow.plan import Plan, make_plan
from tests.boards.networks import NANO_INFERENCE

BOARD = find_board("ulx3s-12f")
TOOL = Tool(name="puppet", package="tests.boards.flow.routing.puppet", function="puppet")
_FORGOTTEN_SECONDS = 120


@dataclass(frozen=True)
class Stage:
    """The test's end of the strings; wherever the puppets are, they see this folder."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Stage:
        """Beside what the puppets are given to read."""
        (folder / "top.json").write_text("a netlist")
        (folder / "top.lpf").touch()
        (folder / "stage").mkdir()
        return cls(folder / "stage")

    def plan(self) -> Plan:
        plan = make_plan(NANO_INFERENCE, BOARD, BOARD.default_clock_hz, "0" * 16)
        toolchain = replace(plan.toolchain, place_and_route=TOOL)
        return replace(plan, toolchain=toolchain, device_options=("--stage", str(self.folder)))

    def end(self, seed: int, status: int = 0) -> None:
        """Now, or as soon as it begins."""
        atomic_files.write(self.folder / f"end-{seed}", str(status))

    def begun(self) -> set[int]:
        """Seeds."""
        return {int(path.stem.removeprefix("began-")) for path in self.folder.glob("began-*")}

    def processes(self, seed: int) -> list[int]:
        """That have begun, and perhaps ended."""
        return [int(path.suffix[1:]) for path in self.folder.glob(f"began-{seed}.*")]

    def all_ended(self, seed: int) -> bool:
        """Within some seconds."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if not any(_lives(process) for process in self.processes(seed)):
                return True
            time.sleep(0.05)
        return False


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def puppet(arguments: list[str]) -> int:
    """Instead of nextpnr."""
    given = dict(pairwise(arguments))
    stage, seed = Path(given["--stage"]), given["--seed"]
    assert Path(given["--json"]).read_text() == "a netlist"
    print("Info: Routing 1000 arcs.", flush=True)
    print("Info:       1000 |      106        893 |  106   893 |        25|       9.02       9.02|", flush=True)
    (stage / f"began-{seed}.{os.getpid()}").touch()
    until = time.monotonic() + _FORGOTTEN_SECONDS
    while not (stage / f"end-{seed}").exists():
        if time.monotonic() > until:
            print("ERROR: the test forgot this puppet", flush=True)
            return 1
        time.sleep(0.05)
    status = int((stage / f"end-{seed}").read_text())
    if status:
        print(f"ERROR: seed {seed} is unlucky", flush=True)
        return status
    Path(given["--report"]).write_text(json.dumps({"fmax": {"clk": {"achieved": 100.0 + int(seed)}}}))
    Path(given["--textcfg"]).write_text(f"routed with seed {seed}")
    return 0
