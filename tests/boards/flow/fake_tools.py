"""Programs that stand in for tools (tests/boards/flow/test_tools.py)."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path


def sleeper(arguments: list[str]) -> int:
    new = Path("pid.new")
    new.write_text(str(os.getpid()))
    new.rename("pid")
    time.sleep(600)
    return 0


def refuser(arguments: list[str]) -> int:
    print("Info: looking at it", flush=True)
    print("ERROR: too big", flush=True)
    print("1 warning, 1 error", flush=True)
    return 3


def router(arguments: list[str]) -> int:
    """Place-and-route, which stands still before the last wires of seed 2; seed 1 ends when it does, or alone."""
    stands_still = Path("stands-still")
    print("Info: Routing 1000 arcs.", flush=True)
    if arguments[arguments.index("--seed") + 1] == "2":
        print("Info:       1000 |      106        893 |  106   893 |        25|       9.02       9.02|", flush=True)
        stands_still.touch()
        time.sleep(600)
    for _ in range(100):
        if stands_still.exists():
            break
        time.sleep(0.05)
    report = {"fmax": {"clk": {"achieved": 100.0}}}
    Path(arguments[arguments.index("--report") + 1]).write_text(json.dumps(report))
    return 0
