"""The process a tool runs in: `python -m presparse_boards.flow.tool_process MODULE FUNCTION ARGUMENT ...`."""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module


def _end_with_parent() -> None:
    """Our standard input is a pipe from the process that started us, and nothing is ever written to it."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _, module, function, *arguments = sys.argv
    os._exit(getattr(import_module(module), function)(arguments))  # not sys.exit: that waits for the thread above
