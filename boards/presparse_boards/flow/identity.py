"""What tells one bitstream from another: design, board, tools, and the sources that all of it is made by."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from presparse.contract.build import Build
from presparse_boards.boards.definition import Board

_DESIGN = ("presparse_hw", "presparse.contract", "presparse_boards")
_FLOW = ("presparse_boards.flow",)
_ELSEWHERE = ("flow", "estimate", "calibration")
"""Folders of `presparse_boards` that do not shape a design."""
_KNOWN = {"", "amaranth", "amaranth_boards", "presparse_boards"}
"""Packages whose sources or versions an identity holds anyway."""


def build_id(build: Build, board: Board, tools: Mapping[str, str]) -> str:
    """16 hexadecimal digits. The clock and the seeds do not change them: they change no function.

    Raises BoardError, as `Board.platform` does.
    """
    sources = _sources((*_DESIGN, *_others(board)), _ELSEWHERE)
    return _digest([build.hash, board.name, board.link, json.dumps(tools, sort_keys=True), sources])[:16]


def bundle_key(identity: str, build: Build, clock_hz: float | None, seeds: Iterable[int]) -> str:
    """Names everything that shapes a bundle."""
    return _digest([identity, build.network.name, str(clock_hz), str(list(seeds)), _sources(_FLOW)])[:32]


def _others(board: Board) -> list[str]:
    """Packages that a board of another package is made by: their sources say which pins it has, too."""
    homes = [kind.__module__ for kind in type(board.platform()).__mro__]
    homes += [getattr(board.pins, "__module__", "")]
    return sorted({home.partition(".")[0] for home in homes} - _KNOWN - sys.stdlib_module_names)


def _sources(packages: Iterable[str], left_out: Iterable[str] = ()) -> str:
    digest = hashlib.sha256()
    for package in packages:
        spec = importlib.util.find_spec(package)
        folders = (spec.submodule_search_locations or ()) if spec else ()
        if spec and spec.origin and not folders:  # a package of one file
            digest.update(Path(spec.origin).read_bytes())
        for folder in folders:
            root = Path(folder)
            for path in sorted(root.rglob("*.py")):
                inside = path.relative_to(root)
                if inside.parts[0] not in left_out:
                    digest.update(f"{package}/{inside.as_posix()}\0".encode())
                    digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
