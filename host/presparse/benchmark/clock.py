"""How fast a board's clock runs: from a bundle, or from results of place-and-route that ship with Presparse."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.messages.bundle import Manifest

RECORDED = Path(__file__).parent / "recorded.toml"


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A routed design's clock."""

    board: str
    fmax_mhz: float
    """After place-and-route."""
    baud: int
    """Of the board's UART."""
    source: str
    """The bundle, or the command that measures it again."""


def of_bundle(folder: Path) -> tuple[Build, Clock]:
    """The build in a bundle, and how fast it runs. Raises BundleError."""
    manifest = Manifest.load(folder)
    clock = Clock(board=manifest.board, fmax_mhz=manifest.fmax_mhz, baud=manifest.baud, source=str(folder))
    return manifest.build, clock


def recorded(
    network: Network, file: Path = RECORDED, *, board: str | None = None, memory: str | None = None
) -> tuple[Build, Clock] | None:
    """The fastest recorded training build of a network that ships, by samples per second; None if there is none.

    Of those on `board`, and with a store in `memory`, or "none" without one, if these are given.
    """
    found = [
        (build, clock)
        for build, clock in _routes(file)
        if build.network.hash == network.hash
        and build.training
        and board in (None, clock.board)
        and memory in (None, build.store.memory if build.store else "none")
    ]
    return max(found, key=_speed, default=None)


def alike(network: Network, file: Path = RECORDED) -> list[tuple[Build, Clock]]:
    """Recorded builds of networks with the same layers and edges, whatever their formats; the fastest of each network,
    board and mode, fastest first."""
    best: dict[tuple[str, str, str], tuple[Build, Clock]] = {}
    for build, clock in sorted(_routes(file), key=_speed):
        if (build.network.layers, build.network.out_degree) == (network.layers, network.out_degree):
            best[build.network.name, clock.board, build.mode] = build, clock
    return sorted(best.values(), key=_speed, reverse=True)


def with_a_store(build: Build, file: Path = RECORDED) -> list[Clock]:
    """Recorded training builds of the same network on the same lanes that have a store: the fastest of each board,
    fastest first."""
    best: dict[str, Clock] = {}
    for other, clock in sorted(_routes(file), key=_speed):
        same = (other.network.hash, other.lanes) == (build.network.hash, build.lanes)
        if same and other.training and other.store:
            best[clock.board] = clock
    return sorted(best.values(), key=lambda clock: -clock.fmax_mhz)


def _routes(file: Path) -> list[tuple[Build, Clock]]:
    found = []
    for entry in tomllib.loads(file.read_text(encoding="utf-8")).get("route", []):
        build = Build(network=Network.load(entry["network"]), lanes=tuple(entry["lanes"]), **entry.get("options", {}))
        clock = Clock(board=entry["board"], fmax_mhz=entry["fmax_mhz"], baud=entry["baud"], source=entry["command"])
        found.append((build, clock))
    return found


def _speed(route: tuple[Build, Clock]) -> float:
    return route[1].fmax_mhz / route[0].schedule.period
