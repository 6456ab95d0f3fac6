"""`presparse sim`: the gateware of a network, simulated at every level and compared with the reference."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, get_args
from xml.etree import ElementTree

import typer
from rich.table import Table
from rich.text import Text

from presparse.cli.build_options import Mode
from presparse.cli.outputs import RESULTS, check_outputs
from presparse.contract.network import Network
from presparse.errors import ArgumentError, OutputError
from presparse.messages.simulation import Level, Simulator, Verdict
from presparse.plugins import benches
from presparse.support import atomic_files
from presparse.terminal.options import NETWORK_HELP, AsJson, Force
from presparse.terminal.output import bar, drawn, put
from presparse.terminal.status import Status
from presparse.validation import LARGEST_SEED

NAME = "sim"
BOARD = "ulx3s-85f"
_LEVELS: tuple[Level, ...] = get_args(Level)


def run(
    network: Annotated[
        str,
        typer.Argument(
            help=f"{NETWORK_HELP} Default: a small one that takes a minute.",
            show_default=False,
        ),
    ] = "",
    simulator: Annotated[Simulator, typer.Option(help="Compiled, or event by event.")] = "verilator",
    level: Annotated[Literal["lane", "junction", "core", "pins", "all"], typer.Option(help="Which benches.")] = "all",
    samples: Annotated[int, typer.Option(help="Samples that each bench feeds.", min=1)] = 60,
    seed: Annotated[int, typer.Option(help="Of weights, samples and pauses.", min=0, max=LARGEST_SEED)] = 0,
    board: Annotated[
        str | None,
        typer.Option(help=f"Whose clock and baud rate the pins have (default: {BOARD}).", show_default=False),
    ] = None,
    mode: Mode = "train",
    lanes: Annotated[
        str, typer.Option(help="One number per junction, such as 32,16; default: the network's.", show_default=False)
    ] = "",
    junit: Annotated[
        Path | None, typer.Option(help="Write the results here, as JUnit XML for CI.", show_default=False)
    ] = None,
    waves: Annotated[Path | None, typer.Option(help="Write waveforms into this folder.", show_default=False)] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a network's gateware against the PyTorch reference, bit by bit; exit status 1 if anything differs."""
    shape = Network.load(network) if network else None
    verdicts: list[Verdict] = []
    if board is not None and level not in ("pins", "all"):
        raise ArgumentError(f"--board is for the pins, and --level {level} has none; leave one of them out")
    check_outputs((junit, RESULTS), inputs=(network or None,), force=force)
    if waves is not None:
        _check_folder(waves, force)
    with bar("loading the benches") as shown:
        simulate = benches()
        at = ""

        def tell(bench: str, done: int, of: int, note: str) -> None:
            nonlocal at
            if bench != at:
                at = bench
                shown.restart(bench)
            if of:
                shown.show(done, of, note)
            else:
                shown.note(note)

        for verdict in simulate(
            shape,
            simulator=simulator,
            levels=_LEVELS if level == "all" else (level,),
            board=board or BOARD,
            lanes=_lanes(lanes),
            mode=mode,
            samples=samples,
            seed=seed,
            waves=waves,
            tell=tell,
        ):
            verdicts.append(verdict)
            if verdict.passed:
                shown.done(f"{verdict.compared:,} numbers equal")
    passed = all(verdict.passed for verdict in verdicts)
    if junit is not None:
        atomic_files.write(junit, _junit(verdicts))
    figures = {"passed": passed, "benches": [verdict.model_dump(mode="json") for verdict in verdicts]}
    put(figures, as_json=as_json, text=_table(verdicts))
    if not passed:
        raise typer.Exit(Status.NO)


def _check_folder(waves: Path, force: bool) -> None:
    """Raises ArgumentError or OutputError if waveforms cannot be written there, or others would be lost."""
    if not os.path.isdir(waves):  # a name that is too long is none
        raise ArgumentError(f"--waves {waves}: there is no such folder; make it, or choose another")
    before = next((file for suffix in ("vcd", "fst") for file in waves.glob(f"*.{suffix}")), None)
    if before and not force:
        raise OutputError(f"{before}: exists already; choose another folder, or replace waveforms with --force")


def _lanes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise ArgumentError(f"--lanes must be whole numbers such as 32,16, and is {text!r}") from error


def _table(verdicts: list[Verdict]) -> str:
    """One line per bench; below, what differs."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("bench", "simulator", ""):
        table.add_column(heading, no_wrap=True)
    for heading in ("samples", "cycles", "compared", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for v in verdicts:
        verdict = Text("passed", "green") if v.passed else Text("failed", "bold red")
        numbers = (f"{v.samples:,}", f"{v.cycles:,}", f"{v.compared:,}", f"{v.seconds:.1f}")
        table.add_row(v.bench, v.simulator, verdict, *numbers)
    return "\n".join([drawn([table]), *(f"{v.bench}: {v.failure}" for v in verdicts if not v.passed)])


def _junit(verdicts: list[Verdict]) -> str:
    """JUnit's XML, as CI servers read it."""
    failures, seconds = sum(not v.passed for v in verdicts), sum(v.seconds for v in verdicts)
    root = ElementTree.Element("testsuites")
    counts = {"tests": str(len(verdicts)), "failures": str(failures), "errors": "0", "time": f"{seconds:.3f}"}
    suite = ElementTree.SubElement(root, "testsuite", {"name": "presparse sim", **counts})
    for v in verdicts:
        name = {"classname": f"presparse.sim.{v.simulator}", "name": v.bench, "time": f"{v.seconds:.3f}"}
        case = ElementTree.SubElement(suite, "testcase", name)
        if not v.passed:
            ElementTree.SubElement(case, "failure", message=v.failure.partition("\n")[0]).text = v.failure
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
