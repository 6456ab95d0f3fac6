"""What the host uses and never imports: simulators, boards and what builds for them, found as entry points.

So a computer that only drives a board needs neither Amaranth nor a simulator, and other packages can add devices
and boards. All entry points are loaded here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from presparse.errors import MissingExtra

if TYPE_CHECKING:
    from presparse.device.links.link import Link
    from presparse.device.usb_ports import Board
    from presparse.messages.simulation import Verdict

DEVICES = "presparse.devices"
"""Callables `(build, **options) -> Link`; the name is the device's."""
BOARDS = "presparse.boards"
"""Mappings of names to boards."""
BUILDER = "presparse.builder"
"""What `presparse build`, `boards`, `estimate`, `program` and `export` call; returns `presparse.messages`."""
SIMULATIONS = "presparse.simulations"
"""`benches`, for `presparse sim`."""
BENCHMARKS = "presparse.benchmarks"
"""Callables `(build, model) -> core`, with `run(samples)`, `flush()` and `read()`; the name is the table row's."""


def device_names() -> list[str]:
    """Devices that packages add, such as "sim"."""
    return sorted({point.name for point in entry_points(group=DEVICES)})


def device(name: str) -> Callable[..., Link] | None:
    """What opens the link to a device; None if nothing has this name. Raises MissingExtra."""
    for point in entry_points(group=DEVICES, name=name):
        return _load(point, f"device {name!r}", f"pip install 'presparse[{name}]'")
    return None


@dataclass(frozen=True)
class Boards:
    """What the installed packages have of boards, by name."""

    boards: Mapping[str, Board]
    packages: Mapping[str, str]
    """Which package has it, in words."""
    unusable: Mapping[str, str]
    """Why a board cannot be used, and how to mend that; or a package, if none of its boards could be read."""


_BROKEN = (ImportError, AttributeError, SyntaxError, NameError, TypeError, ValueError, LookupError, OSError)
"""What importing the module of another package may end in: something is missing, it is no Python, or it makes a board
of values that no board has."""


def boards() -> Boards:
    """All boards of all installed packages. A package that is broken takes no other's boards away."""
    from presparse.device.usb_ports import Board  # imports pyserial

    found: dict[str, Board] = {}
    packages: dict[str, str] = {}
    unusable: dict[str, str] = {}
    for point in entry_points(group=BOARDS):
        package = f"package {point.dist.name}" if point.dist else f"the entry point {point.name}"
        mend = f"mend {package} or uninstall it"
        try:
            given = point.load()
        except _BROKEN as error:
            unusable[package] = f"{package}: {point.value} cannot be loaded ({type(error).__name__}: {error}); {mend}"
            continue
        if not isinstance(given, Mapping):
            unusable[package] = (
                f"{package}: {point.value} must map names to boards, and is a {type(given).__name__}; {mend}"
            )
            continue
        for name, board in given.items():
            if not isinstance(board, Board) or board.name != name:
                held = f"the board {board.name!r}" if isinstance(board, Board) else f"a {type(board).__name__}"
                unusable[str(name)] = (
                    f"{package}: {point.value} must hold boards by their names, and holds {held} as {name!r}; {mend}"
                )
            elif found.setdefault(name, board) is not board:
                unusable[name] = (
                    f"{packages[name]} and {package} both have a board {name!r}, and nothing tells which is meant; "
                    "rename the one that is yours, or uninstall its package"
                )
            else:
                packages[name] = package
    usable = {name: board for name, board in found.items() if name not in unusable}
    return Boards(usable, packages, unusable)


def builder(name: str) -> Callable[..., Any]:
    """What `presparse NAME` calls: build, program, boards or estimate. Raises MissingExtra."""
    return _required(BUILDER, name, f"presparse {name}", "pip install 'presparse[build]'")


def exporter() -> Callable[..., Any]:
    """`presparse_sim.export.service.export`. Raises MissingExtra."""
    return _required(BUILDER, "export", "presparse export", "pip install 'presparse[sim]'")


def benches() -> Callable[..., Iterator[Verdict]]:
    """`presparse_sim.benches.service.simulate`. Raises MissingExtra."""
    return _required(SIMULATIONS, "benches", "presparse sim", "pip install 'presparse[sim,train]'")


def simulated_cores() -> dict[str, Callable[..., Any]]:
    """The whole core, simulated, by name: to be measured and to be compared with."""
    return {point.name: point.load() for point in entry_points(group=BENCHMARKS)}


def _required(group: str, name: str, user: str, mend: str) -> Callable[..., Any]:
    for point in entry_points(group=group, name=name):
        return _load(point, user, mend)
    raise MissingExtra(f"{user} needs a part of Presparse that is not installed: {mend}")


def _load(point: EntryPoint, user: str, mend: str) -> Callable[..., Any]:
    try:
        return point.load()
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{user} needs the Python package {error.name}, which is not installed: {mend}") from error
