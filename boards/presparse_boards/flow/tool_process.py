"""The process a tool runs in: `python -m presparse_boards.flow.tool_process MODULE FUNCTION ARGUMENT ...`."""

from __future__ import annotations

import sys
from importlib import import_module

if __name__ == "__main__":
    _, module, function, *arguments = sys.argv
    sys.exit(getattr(import_module(module), function)(arguments))
