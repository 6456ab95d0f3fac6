"""Place-and-route: one netlist, several seeds at once, and what each reached."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any, NoReturn

from presparse.messages.bundle import CriticalPath, Resource, Route, Use
from presparse_boards.boards.definition import Board
from presparse_boards.errors import DoesNotFit, ToolFailed
from presparse_boards.families.toolchain import Toolchain
from presparse_boards.flow.critical_path import critical_path
from presparse_boards.flow.plan import TOP, Plan, toolchain_of
from presparse_boards.flow.routing.local import local_runs
from presparse_boards.flow.routing.run import Begin, Ended, Job, UnderWay, log_of, report_of
from presparse_boards.flow.tools import Workshop, last_words

_NO_PLACE = ("Unable to find legal placement", "no BELs remaining", "Failed to route", "failed to place")
"""How place-and-route says that a design is too large, or too dense."""
_PACKED = "fit.json"
_UTILISATION = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%$", re.MULTILINE)
_USB_CLOCK = "usb_clk"
"""How the name of that net ends: the clock of the domain "usb"."""
_LOOK_SECONDS = 1.0
"""Between two words of how far the runs are."""
PATIENCE = 2.0
"""Times as long as the fastest seed that another may take: now and then a router stands still before its last wires.
And, while others wait for its place, times as long as it took to route nearly all of its wires."""
_NEARLY = 0.99
"""Share of the wires behind which the last ones come."""


@dataclass(frozen=True, kw_only=True)
class Routed:
    """What one run of place-and-route made."""

    toolchain: Toolchain
    seed: int
    design: str
    """File with the placed and routed design."""
    log: str
    report: dict[str, Any]

    @cached_property
    def clock_net(self) -> str:
        """The slowest clock; there is one, and perhaps the oscillator's beside it. That of a USB PHY is not counted."""
        clocks: dict[str, dict[str, float]] = self.report["fmax"]
        own = [net for net in clocks if not net.endswith(_USB_CLOCK)]
        return min(own, key=lambda net: (clocks[net]["achieved"], net))

    @property
    def usb_fmax_mhz(self) -> float:
        """What the part of a USB PHY's clock could run at; infinite if there is none."""
        clocks: dict[str, dict[str, float]] = self.report["fmax"]
        return min((clocks[net]["achieved"] for net in clocks if net.endswith(_USB_CLOCK)), default=inf)

    @property
    def fmax_mhz(self) -> float:
        return self.report["fmax"][self.clock_net]["achieved"]

    @property
    def route(self) -> Route:
        return Route(seed=self.seed, fmax_mhz=round(self.fmax_mhz, 3))

    @cached_property
    def critical_path(self) -> CriticalPath:
        return critical_path(self.report, self.clock_net, self.toolchain.cell_names)


def packed_use(workshop: Workshop, plan: Plan, board: Board, netlist: str, flip_flops: int) -> Use:
    """What the design takes, before it is placed (1 to 10 s).

    Raises DoesNotFit, which place-and-route itself finds out only after many attempts, and ToolFailed.
    """
    with workshop:
        workshop.check(
            plan.toolchain.place_and_route, [*_inputs(plan, netlist), "--pack-only", "--report", _PACKED], "fit.log"
        )
    use = use_in_report(board, json.loads((workshop.folder / _PACKED).read_bytes()), flip_flops)
    if not use.fits:
        raise DoesNotFit(f"the design does not fit {board.name}: {use.short}", use)
    return use


def route_all(
    folder: Path,
    plan: Plan,
    board: Board,
    netlist: str,
    seeds: Sequence[int],
    flip_flops: int,
    *,
    begin: Begin = local_runs,
    under_way: Callable[[str], None] = lambda state: None,
    done: Callable[[int, Routed | None], None] = lambda seed, routed: None,
) -> list[Routed]:
    """Place and route with every seed, as many at once as `begin` has room for; in the order of `seeds`.

    Seeds that find no place or no route, or take `PATIENCE` times as long as the fastest, are left out, as long as
    one is not; so are those that stand still before their last wires while others have no room to begin. `under_way`
    is told every second how far the runs are, `done` what came of a seed, None if it is left out. Raises DoesNotFit,
    ToolFailed, and what `begin` does.
    """
    patience = _Patience()
    states: dict[int, UnderWay] = {}
    ended: dict[int, Ended] = {}
    routes: dict[int, Routed] = {}
    stopped: set[int] = set()
    job = _job(plan, netlist)
    with begin(folder, job, seeds) as runs:
        told = time.monotonic()
        while len(ended) < len(seeds):
            heard = runs.next(_LOOK_SECONDS)
            if isinstance(heard, Ended):
                ended[heard.seed] = heard
                if not heard.status:
                    patience.ended(heard.seconds)
                    routes[heard.seed] = _routed(folder, plan.toolchain, job, heard.seed)
                done(heard.seed, routes.get(heard.seed))
            elif heard:
                states[heard.seed] = heard
                others_wait = any(seed not in states and seed not in ended for seed in seeds)
                if patience.is_over(heard, others_wait=others_wait):
                    stopped.add(heard.seed)
                    runs.stop(heard.seed)
            if len(ended) < len(seeds) and time.monotonic() - told >= _LOOK_SECONDS:
                told = time.monotonic()
                under_way(_told([states.get(seed) for seed in seeds if seed not in ended]))
    if not routes:
        first = next(seed for seed in seeds if seed not in stopped)
        _explain(folder / log_of(first), ended[first].status, board, flip_flops)
    return [routes[seed] for seed in seeds if seed in routes]


def use_of(board: Board, cells: Iterable[tuple[str, int, int]], flip_flops: int) -> Use:
    """From place-and-route's cells (kind, used, available). Raises MakeError for a board without open tools."""
    counted = {kind: (used, available) for kind, used, available in cells}
    kinds = toolchain_of(board).counted

    def resource(what: str) -> Resource:
        if what in kinds:
            used, available = counted[kinds[what]]
            return Resource(used=used, available=available)
        return Resource(used=flip_flops if what == "ff" else 0, available=getattr(board.capacity, what))

    return Use(**{what: resource(what) for what in Use.model_fields})


def use_in_report(board: Board, report: dict[str, Any], flip_flops: int) -> Use:
    return use_of(board, ((k, v["used"], v["available"]) for k, v in report["utilization"].items()), flip_flops)


def _inputs(plan: Plan, netlist: str) -> list[str]:
    option, suffix = plan.toolchain.constraints
    return [*plan.device_options, "--json", netlist, option, TOP + suffix]


def _job(plan: Plan, netlist: str) -> Job:
    toolchain = plan.toolchain
    return Job(
        tool=toolchain.place_and_route,
        arguments=tuple(_inputs(plan, netlist)),
        inputs=(netlist, TOP + toolchain.constraints[1]),
        routed=toolchain.routed,
    )


class _Patience:
    """How long a seed is waited for."""

    def __init__(self) -> None:
        self._seconds = inf
        self._nearly: dict[int, float] = {}
        """Seconds after which a seed had but its last wires left."""

    def ended(self, seconds: float) -> None:
        """After so many; PATIENCE times as many are enough for any other."""
        self._seconds = min(self._seconds, PATIENCE * seconds)

    def is_over(self, run: UnderWay, *, others_wait: bool) -> bool:
        """It has taken too long so far; sooner if `others_wait` until it makes room."""
        enough = self._seconds
        if run.routed is not None and run.routed >= _NEARLY:
            nearly = self._nearly.setdefault(run.seed, run.seconds)
            if others_wait:
                enough = min(enough, PATIENCE * nearly)
        return run.seconds > enough


def _routed(folder: Path, toolchain: Toolchain, job: Job, seed: int) -> Routed:
    """By the files of a run that ended well."""
    report = json.loads((folder / report_of(seed)).read_bytes())
    return Routed(toolchain=toolchain, seed=seed, design=job.design_of(seed), log=log_of(seed), report=report)


def _told(states: Sequence[UnderWay | None]) -> str:
    """Of all that have not ended; None: it has not begun."""
    waiting = states.count(None)
    return ", ".join([*(str(state) for state in states if state), *([f"{waiting} waiting"] if waiting else [])])


def _explain(log: Path, status: int, board: Board, flip_flops: int) -> NoReturn:
    """Why place-and-route failed: too little of something, or what it said."""
    text = log.read_text(errors="replace")
    cells = [(kind, int(used), int(available)) for kind, used, available in _UTILISATION.findall(text)]
    if cells and any(words in text for words in _NO_PLACE):
        use = use_of(board, cells, flip_flops)
        counts = use.short or ", ".join(f"{name}: {r.used:,} of {r.available:,}" for name, r in use.items())
        raise DoesNotFit(f"the design does not fit {board.name} ({counts}): {last_words(log)}", use)
    if status < 0:
        raise ToolFailed(
            f"place-and-route was ended by signal {-status}; is there too little memory? Fewer runs at once help: "
            "--seeds, or fewer workers on a computer of a cluster"
        )
    raise ToolFailed(f"place-and-route ended with status {status}: {last_words(log)}")
