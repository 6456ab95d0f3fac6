"""`presparse estimate`: whether a network fits a board, and how fast it runs there, before synthesis."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from presparse.cli.boards import warn_of_unusable
from presparse.cli.build_options import Lanes, Mode, SampleBits, Store, Wanted
from presparse.cli.rates import told
from presparse.errors import ArgumentError
from presparse.messages.bundle import Resource
from presparse.messages.estimate import Estimate
from presparse.plugins import builder
from presparse.terminal.options import AsJson, NetworkName
from presparse.terminal.output import drawn, put
from presparse.terminal.status import Status

NAME = "estimate"
_BAR = 24


def run(
    network: NetworkName,
    board: Annotated[str, typer.Option("--board", "-b", help="`presparse boards` lists them.")] = "",
    mode: Mode = "train",
    lanes: Lanes = "auto",
    store: Store = "auto",
    sample_bits: SampleBits = 0,
    all_boards: Annotated[bool, typer.Option("--all-boards", help="Compare all boards.")] = False,
    as_json: AsJson = False,
) -> None:
    """Estimate use, clock and speed in a moment; docs/performance.md says how far that agrees with real builds.

    Exit status 1 if it does not fit the board, or any of all boards.
    """
    if bool(board) == all_boards:
        raise ArgumentError("estimate needs one of --board NAME and --all-boards; `presparse boards` lists the names")
    if all_boards:
        warn_of_unusable(builder("boards")())
    wanted = Wanted.of(network, mode=mode, lanes=lanes, store=store, sample_bits=sample_bits)
    found: tuple[Estimate, ...] = builder(NAME)(**vars(wanted), boards=() if all_boards else (board,))
    shown = _compared(found) if all_boards else _single(found[0])
    figures = [estimate.model_dump(mode="json") for estimate in found]
    put({"estimates": figures} if all_boards else figures[0], as_json=as_json, text="" if as_json else drawn(shown))
    if not any(estimate.fits for estimate in found):
        raise typer.Exit(Status.NO)


def _single(found: Estimate) -> list[Table | Text]:
    """One board in detail: verdict, speed, use, junctions."""
    what = "training" if found.mode == "train" else "inference"
    verdict = Text("fits", "bold green") if found.fits else Text(f"does not fit ({found.short})", "bold red")
    title = Text.assemble(
        (found.network, "bold"), f", {what}, lanes {_listed(found.lanes)}, on {found.board}: ", verdict
    )
    speed = Text(
        f"{found.samples_per_second:,.0f} samples/s: {found.cycles_per_sample:,} cycles per sample at "
        f"{found.clock_mhz:.1f} MHz (fmax about {found.fmax_mhz:.0f} MHz)"
    )
    latency = Text(f"one inference takes {found.latency_us:,.2f} µs in the core: {found.latency_cycles:,} cycles")
    sources = map(told, found.sources)
    lines: list[Table | Text] = [title, speed, *sources, latency, _use(found), _junctions(found)]
    if not found.calibrated:
        lines.append(Text("A rough guess: no open tool places and routes this FPGA.", "yellow"))
    lines += [Text(line) for line in found.advice]
    return lines


def _use(found: Estimate) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, resource in found.use.items():
        if resource.available or resource.used:
            counts = f"{resource.used:,} of {resource.available:,}"
            table.add_row(name, _bar(resource), _percent(resource), counts, style="" if resource.fits else "red")
    return table


def _junctions(found: Estimate) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for load in found.junctions:
        idle = f"idles {load.idle:,} of {found.cycles_per_sample:,} cycles" if load.idle else "never idles"
        lanes = f"{load.lanes} lane" if load.lanes == 1 else f"{load.lanes} lanes"
        table.add_row(f"junction {load.junction}", lanes, f"{load.cycles:,} cycles", idle)
    return table


def _compared(found: tuple[Estimate, ...]) -> list[Table | Text]:
    """All boards, one line each."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading, right in (("board", 0), ("", 0), ("lanes", 0), ("MHz", 1), ("samples/s", 1), ("LUT", 1), ("DSP", 1)):
        table.add_column(heading, justify="right" if right else "left")
    table.add_column("block RAM", justify="right")
    for estimate in found:
        use = estimate.use
        verdict = Text("fits", "green") if estimate.fits else Text("too small", "red")
        speed = (f"{estimate.fmax_mhz:.0f}", f"{estimate.samples_per_second:,.0f}") if estimate.fits else ("", "")
        shares = (_percent(resource) for resource in (use.lut, use.dsp, use.block_ram))
        star = "" if estimate.calibrated else " *"
        table.add_row(estimate.board + star, verdict, _listed(estimate.lanes), *speed, *shares)
    if all(estimate.calibrated for estimate in found):
        return [table]
    return [table, Text("* a rough guess: no open tool places and routes this FPGA")]


def _bar(resource: Resource) -> ProgressBar:
    return ProgressBar(total=1, completed=min(1.0, resource.share), width=_BAR)


def _percent(resource: Resource) -> str:
    return f"{resource.share:.0%}" if resource.available else ("none there" if resource.used else "-")


def _listed(lanes: tuple[int, ...]) -> str:
    return ",".join(map(str, lanes))
