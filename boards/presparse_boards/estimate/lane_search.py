"""`--lanes auto`: the lanes of a build that make it fastest on a board, and what else would fit if none do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from presparse.contract.build import Build, Mode
from presparse.contract.errors import BuildError
from presparse.contract.formats import Format, Formats
from presparse.contract.network import Network
from presparse.messages.bundle import Use
from presparse.sizing.lanes import Lanes, lane_choices
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import known_boards
from presparse_boards.errors import BoardError
from presparse_boards.estimate.coefficients import coefficients
from presparse_boards.estimate.model import Figures, figures

_TRIED_PER_PERIOD = 64
"""Lanes of one speed that are tried; they differ in how long faster junctions idle, the fewest lanes come first."""
_FMAX_SPREAD = 2.0
"""No build of a network reaches a clock so many times that of another on the same board."""
_HOPELESS = 1.5
"""Share of an FPGA's resource that the fewest lanes take, from which on no others are tried: they take more of most."""
_LEAST_BITS = 6
"""Narrower operands and deltas are not worth proposing."""


class NoFit(BoardError):
    """A network that no lanes make fit a board."""


def best_build(network: Network, board: Board, *, mode: Mode = "train", **options: Any) -> Build:
    """The build with the most samples per second that safely fits, as the estimate knows it.

    Lanes divide the network's, so that its patterns stay valid. "Safely": with the LUTs and flip-flops to spare that
    the estimate may be short of (margins from calibration). Of equally fast builds the one with the fewest lanes is
    taken: more would only idle. `options` are those of `Build`.

    Raises NoFit, saying what is short with the fewest lanes, and what would fit.
    """
    best: tuple[float, Build] | None = None
    fastest_clock = 0.0
    smallest = smallest_build(network, mode=mode, **options)
    least = figures(smallest, board)
    hopeless = any(resource.share > _HOPELESS for _, resource in least.use.items())
    for period, candidates in () if hopeless else _by_period(network, mode, options).items():
        if best and fastest_clock * _FMAX_SPREAD / period < best[0]:
            break  # periods ascend: nothing later can be faster
        for lanes in candidates[:_TRIED_PER_PERIOD]:
            build = _valid(network, lanes, mode, options)
            if build is None:
                continue
            found = figures(build, board)
            fastest_clock = max(fastest_clock, found.fmax_mhz)
            if not fits_safely(found, board):
                continue
            speed = found.fmax_mhz / build.schedule.period
            if best is None or speed > best[0]:
                best = speed, build
            break  # the rest of this speed has more lanes
    if best is None:
        raise NoFit(
            f"{network.name} ({'training' if mode == 'train' else 'inference'}) does not fit {board.title}, even with "
            f"lanes {_listed(smallest.lanes)}: {least.short or 'too little is left over to route it'}. "
            + " ".join(what_would_fit(smallest, board))
        )
    return best[1]


def fits_safely(found: Figures, board: Board) -> bool:
    """Every kind fits with what the estimate may be short of."""
    margins = coefficients(board.family)
    use = found.use
    return (
        found.fits
        and use.lut.used * (1 + margins.lut_margin) <= use.lut.available
        and use.ff.used * (1 + margins.ff_margin) <= use.ff.available
    )


def smallest_build(network: Network, *, mode: Mode = "train", **options: Any) -> Build:
    """The build with the fewest lanes."""
    lanes = min(lane_choices(network), key=lambda lanes: (sum(lanes), lanes))
    return Build(network=network, lanes=lanes, mode=mode, **options)


def what_would_fit(build: Build, board: Board) -> tuple[str, ...]:
    """Sentences: fewer lanes on this board, narrower formats on these lanes, inference alone, a larger board."""
    found = []
    fewer = None if fits_safely(figures(build, board), board) else fewer_lanes(build, board)
    if fewer:
        found.append(f"Lanes {_listed(fewer.lanes)} would fit ({fewer.schedule.period:,} cycles per sample).")
    narrower = _narrower(build, board)
    if narrower:
        found.append(f"Formats with {narrower} would fit.")
    options = _options(build)
    if build.training and not fewer:
        infer = Build(network=build.network, lanes=build.lanes, mode="infer", **options)
        if fits_safely(figures(infer, board), board):
            found.append("An inference build (--mode infer) would fit.")
    wherever = Build(network=build.network, lanes=build.lanes, mode=build.mode, **options)
    other = next((b for b in _boards_by_size(build) if b is not board and fits_safely(figures(wherever, b), b)), None)
    if other:
        found.append(f"It would fit {other.title} (--board {other.name}).")
    return tuple(found) or ("No board, lanes or formats known here would fit.",)


def fewer_lanes(build: Build, board: Board, synthesized: Use | None = None) -> Build | None:
    """The build with fewer lanes and the fewest cycles per sample that safely fits; None if none does.

    `synthesized`: what `build` itself was found to take. The others are then taken to be underestimated as much; if
    none fits by that, it is the one with the fewest lanes.
    """
    options, fewest = _options(build), None
    scale = synthesized.lut.used / figures(build, board).use.lut.used if synthesized else 1.0
    for candidates in _by_period(build.network, build.mode, options).values():
        for lanes in candidates[:_TRIED_PER_PERIOD]:
            if lanes == build.lanes or any(z > own for z, own in zip(lanes, build.lanes, strict=True)):
                continue
            fewer = _valid(build.network, lanes, build.mode, options)
            if fewer is None:
                continue
            found = figures(fewer, board)
            if not fits_safely(found, board):
                continue
            if found.use.lut.used * scale <= found.lut_limit:
                return fewer
            if fewest is None or sum(lanes) < sum(fewest.lanes):
                fewest = fewer
    return fewest


def _by_period(network: Network, mode: Mode, options: Mapping[str, Any]) -> dict[int, list[Lanes]]:
    """Lanes by cycles per sample, the fastest first, and of those the fewest lanes first."""
    found: dict[int, list[Lanes]] = defaultdict(list)
    edges = [j.edges for j in network.junctions]
    for lanes in lane_choices(network):
        found[max(e // z for e, z in zip(edges, lanes, strict=True))].append(lanes)
    return {period: sorted(found[period], key=lambda z: (sum(z), z)) for period in sorted(found)}


def _narrower(build: Build, board: Board) -> str:
    """The widest operands and deltas with which these lanes fit, in words; empty if none or if they fit as they are."""
    network, options = build.network, _options(build)
    formats = network.formats
    least = max(_LEAST_BITS, formats.weight.width - formats.weight.frac)
    for fewer in range(1, max(formats.operand_bits, formats.delta.width) - _LEAST_BITS + 1):
        operand = max(least, formats.operand_bits - fewer)
        width = max(_LEAST_BITS, formats.delta.width - fewer)
        delta = Format(width=width, frac=max(0, formats.delta.frac - (formats.delta.width - width)))
        narrow = Formats(**{**_fields(formats), "operand_bits": operand, "delta": delta})
        changed = Network(**{**_fields(network), "formats": narrow})
        candidate = _valid(changed, build.lanes, build.mode, options)
        if candidate and fits_safely(figures(candidate, board), board):
            words = f"operand_bits = {operand}"
            return words + f" and {width}-bit deltas" if build.training else words
    return ""


def _fields(description: Network | Formats) -> dict[str, Any]:
    return {key: getattr(description, key) for key in type(description).model_fields}


def _options(build: Build) -> dict[str, Any]:
    """Those that were chosen; the others follow from lanes and network, and so does what fills an SDRAM."""
    options = {key: getattr(build, key) for key in build.model_fields_set - {"network", "lanes", "mode"}}
    return options | ({"store_samples": 1} if build.store and build.store.memory == "sdram" else {})


def _valid(network: Network, lanes: Lanes, mode: Mode, options: Mapping[str, Any]) -> Build | None:
    try:
        return Build(network=network, lanes=lanes, mode=mode, **options)
    except BuildError:
        return None


def _boards_by_size(build: Build) -> list[Board]:
    """Those that have SDRAM, if the build stores samples there."""
    anyhow = build.store is None or build.store.memory != "sdram"
    boards = (board for board in known_boards().boards.values() if board.family.toolchain and (anyhow or board.sdram))
    return sorted(boards, key=lambda board: (board.capacity.lut, board.name))


def _listed(lanes: Lanes) -> str:
    return ",".join(map(str, lanes))
