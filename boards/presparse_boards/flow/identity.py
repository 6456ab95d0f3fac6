"""What tells one bitstream from another: design, board, tools, and the sources that all of it is made by."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from presparse.contract.build import Build
from presparse_boards.boards.definition import Board

_DESIGN = ("presparse_hw", "presparse.contract", "presparse_boards")
_FLOW = ("presparse_boards.flow",)
_ELSEWHERE = ("flow", "estimate", "calibration")
"""Folders of `presparse_boards` that do not shape a design."""


def build_id(build: Build, board: Board, tools: Mapping[str, str]) -> str:
    """16 hexadecimal digits. The clock and the seeds do not change them: they change no function."""
    return _digest([build.hash, board.name, json.dumps(tools, sort_keys=True), _sources(_DESIGN, _ELSEWHERE)])[:16]


def bundle_key(identity: str, build: Build, clock_hz: float | None, seeds: Iterable[int]) -> str:
    """Names everything that shapes a bundle."""
    return _digest([identity, build.network.name, str(clock_hz), str(list(seeds)), _sources(_FLOW)])[:32]


def _sources(packages: Iterable[str], left_out: Iterable[str] = ()) -> str:
    digest = hashlib.sha256()
    for package in packages:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            root = Path(folder)
            for path in sorted(root.rglob("*.py")):
                inside = path.relative_to(root)
                if inside.parts[0] not in left_out:
                    digest.update(f"{package}/{inside.as_posix()}\0".encode())
                    digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
