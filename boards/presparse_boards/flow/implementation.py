"""From a build to a placed and routed design whose clock is set: all tools but the packer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from presparse.contract.build import Build
from presparse.messages.bundle import Step
from presparse_boards.boards.definition import Board
from presparse_boards.clocking.clock import Clock, divisor_bits
from presparse_boards.errors import ClockError, DoesNotFit, TooSlow
from presparse_boards.flow.plan import Plan, make_plan
from presparse_boards.flow.retiming import fastest_clock, set_clock
from presparse_boards.flow.routing.local import local_runs
from presparse_boards.flow.routing.route import Routed, packed_use, route_all
from presparse_boards.flow.routing.run import Begin
from presparse_boards.flow.sites import for_placement
from presparse_boards.flow.synthesis import Netlist, synthesize
from presparse_boards.flow.tools import Workshop

Progress = Callable[[Step], None]
_RETIMED = "retimed"
USB_MHZ = 60
"""Of a high-speed PHY's clock."""


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """A design on an FPGA; its files are in the flow's folder."""

    plan: Plan
    netlist: Netlist
    routes: tuple[Routed, ...]
    """Of every seed that found a way."""
    taken: Routed
    """The fastest of them, with its clock set."""
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One run of the tools in the folder `work`."""

    build: Build
    board: Board
    build_id: str
    clock_hz: float | None
    """That has to be reached; None: the fastest that is."""
    seeds: Sequence[int]
    fill: float
    """Share of the LUTs that the design may take; with more, it is not even placed."""
    progress: Progress
    work: Path
    begin: Begin = local_runs
    """How runs of place-and-route begin, here or elsewhere."""

    def run(self) -> Implementation:
        """Raises ClockError, ToolFailed, DoesNotFit, TooSlow."""
        if self.clock_hz is not None:
            plan, netlist, routes = self._routed(self.clock_hz)
            return self._clocked(plan, netlist, routes, plan.clock)
        plan, netlist, routes = self._routed(self.board.default_clock_hz)
        fmax_hz = routes[0].fmax_mhz * 1e6
        try:
            clock = fastest_clock(self.board, fmax_hz, plan.clock, plan.clocks)
        except ClockError:
            if plan.clocks:  # slower than it was made for
                plan, netlist, routes = self._routed(fmax_hz)
                clock = fastest_clock(self.board, routes[0].fmax_mhz * 1e6, plan.clock, plan.clocks)
            else:  # slower than the PLL can be: without one
                plan, netlist, routes = self._routed(self.board.oscillator_hz)
                clock = plan.clock
        return self._clocked(plan, netlist, routes, clock)

    def _routed(self, clock_hz: float) -> tuple[Plan, Netlist, list[Routed]]:
        """Elaborate for a clock, synthesize, place and route; the fastest route first."""
        self._begin("elaborating")
        plan = make_plan(self.build, self.board, clock_hz, self.build_id)
        plan.write(self.work)
        self._end("elaborated", f"for {self.board.title}")

        self._begin("synthesising")
        with Workshop(self.work) as workshop:
            netlist = synthesize(workshop, plan.toolchain)
        self._end("synthesized", f"{netlist.counts.total():,} cells, {netlist.flip_flops:,} of them flip-flops")

        self._begin("fitting")
        use = packed_use(Workshop(self.work), plan, self.board, netlist.path.name, netlist.flip_flops)
        if use.lut.share > self.fill:
            raise DoesNotFit(
                f"the design takes {use.lut.share:.0%} of the LUTs of {self.board.name}, and place-and-route can be "
                f"hoped to fill {self.fill:.0%}",
                use,
            )
        self._end("fits", ", ".join(f"{name} {r.share:.0%}" for name, r in use.items() if r.available))

        plan = plan.for_size(use)
        file = for_placement(netlist.path, plan.toolchain, self.board.device)
        many = f", {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
        name = f"placing and routing{many}"
        self._begin(name)
        routes = self._route(plan, netlist, file, self.seeds, name, self._told)
        return plan, netlist, sorted(routes, key=lambda routed: (-routed.fmax_mhz, routed.seed))

    def _clocked(self, plan: Plan, netlist: Netlist, routes: Sequence[Routed], clock: Clock) -> Implementation:
        """The fastest route, with the PLL at `clock`. Raises TooSlow if that is too fast for it."""
        best = routes[0]
        _check(self.board, best, clock)
        taken = best if clock == plan.clock else self._retimed(plan, netlist, best, clock)
        _check(self.board, taken, clock)
        return Implementation(
            plan=plan,
            netlist=netlist,
            routes=tuple(sorted(routes, key=lambda routed: routed.seed)),
            taken=taken,
            clock=clock,
        )

    def _retimed(self, plan: Plan, netlist: Netlist, best: Routed, clock: Clock) -> Routed:
        name = f"setting the clock to {float(clock.hz) / 1e6:.2f} MHz"
        self._begin(name)
        if patched := plan.toolchain.clock.patched:
            design = (self.work / best.design).read_text()
            (self.work / _RETIMED).write_text(patched(design, plan.clock, clock, divisor_bits(self.board)))
            taken = replace(best, design=_RETIMED)
        else:
            set_clock(netlist.path, self.work / _RETIMED, self.board, clock)
            [taken] = self._route(plan, netlist, _RETIMED, [best.seed], name, lambda seed, routed: None)
        self._end("clock set", f"{float(clock.hz) / 1e6:.2f} MHz, of {taken.fmax_mhz:.2f} MHz possible")
        return taken

    def _route(
        self,
        plan: Plan,
        netlist: Netlist,
        file: str,
        seeds: Sequence[int],
        step: str,
        done: Callable[[int, Routed | None], None],
    ) -> list[Routed]:
        return route_all(
            self.work,
            plan,
            self.board,
            file,
            seeds,
            netlist.flip_flops,
            begin=self.begin,
            under_way=lambda state: self.progress(Step(name=step, found=state)),
            done=done,
        )

    def _told(self, seed: int, routed: Routed | None) -> None:
        self._end(f"seed {seed}", f"{routed.fmax_mhz:.2f} MHz" if routed else "no place, or no route in time; left out")

    def _begin(self, name: str) -> None:
        self.progress(Step(name=name))

    def _end(self, name: str, found: str) -> None:
        self.progress(Step(name=name, done=True, found=found))


def _check(board: Board, routed: Routed, clock: Clock) -> None:
    """Raises TooSlow if the routed design does not reach the clock, or its USB not that of its PHY."""
    if routed.usb_fmax_mhz < USB_MHZ:
        raise TooSlow(
            f"{board.name}: the USB part reaches {routed.usb_fmax_mhz:.2f} MHz after place-and-route, and {USB_MHZ} "
            "MHz are needed; try more --seeds, or fewer --lanes",
            routed.usb_fmax_mhz,
        )
    if clock.hz <= Fraction(routed.fmax_mhz * 1e6):
        return
    path = routed.critical_path
    raise TooSlow(
        f"{board.name}: the design reaches {routed.fmax_mhz:.2f} MHz after place-and-route, and "
        f"{float(clock.hz) / 1e6:g} MHz are needed. Its slowest path: {path.text} ({path.delay_ns:.1f} ns, "
        f"{path.routing_ns:.1f} of it wires). Leave --clock out to get the fastest clock that it reaches, or try "
        "more --seeds",
        routed.fmax_mhz,
    )
