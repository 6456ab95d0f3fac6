"""Programs that stand in for tools (tests/boards/flow/test_tools.py)."""

from __future__ import annotations

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
