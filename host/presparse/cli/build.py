"""`presparse build`: a bitstream of a network for a board."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from presparse.cli.build_options import Lanes, Mode, SampleBits, Store, Wanted
from presparse.cli.outputs import FOLDER, check_outputs
from presparse.cli.rates import told
from presparse.errors import ArgumentError
from presparse.messages.bundle import Manifest, Project, Step
from presparse.plugins import builder
from presparse.terminal.options import AsJson, NetworkName, Scheduler
from presparse.terminal.output import drawn, people, put

NAME = "build"


def run(
    network: NetworkName,
    board: Annotated[str, typer.Option("--board", "-b", help="`presparse boards` lists them.", show_default=False)],
    mode: Mode = "train",
    lanes: Lanes = "auto",
    link: Annotated[
        Literal["uart", "usb"] | None,
        typer.Option(
            help="What the board is reached by; the usual one of the board, unless given.", show_default=False
        ),
    ] = None,
    clock: Annotated[
        str, typer.Option(help="auto: the fastest that is reached; or MHz that must be reached.")
    ] = "auto",
    seeds: Annotated[
        int,
        typer.Option(
            help="Place-and-route runs, in parallel, here or with --scheduler; the fastest is taken.", min=1, max=1000
        ),
    ] = 1,
    scheduler: Scheduler = None,
    store: Store = "auto",
    sample_bits: SampleBits = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The bundle's folder (default: NETWORK-BOARD.bundle). A bundle or an empty folder is replaced, "
            "nothing else ever is.",
            show_default=False,
        ),
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build again, even if the cache has it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Synthesize, place and route; write a bundle: the bitstream, a manifest with its figures, the network, logs.

    For a board that needs Vivado: write a project for that.
    """
    wanted = Wanted.of(network, mode=mode, lanes=lanes, store=store, sample_bits=sample_bits)
    make = builder(NAME)
    folder = output or Path(f"{wanted.network.name}-{board}.bundle")
    check_outputs((folder, FOLDER), inputs=(network,))
    with Steps() as steps:
        made: Manifest | Project = make(
            **vars(wanted),
            board=board,
            folder=folder,
            link=link,
            clock_hz=_clock(clock),
            seeds=seeds,
            scheduler=scheduler,
            force=rebuild,
            progress=steps.show,
        )
    text = _told(made, folder) if isinstance(made, Project) else _drawn(made, folder)
    put(figures(made, folder), as_json=as_json, text=text)


def figures(made: Manifest | Project, folder: Path) -> dict[str, object]:
    """What `--json` prints."""
    what = "project" if isinstance(made, Project) else "bundle"
    return {what: str(folder), **made.model_dump(mode="json", exclude={"build"})}


def _clock(text: str) -> float | None:
    """Hertz."""
    if text == "auto":
        return None
    try:
        mhz = float(text)
    except ValueError:
        mhz = 0.0
    if not 0 < mhz < 10_000:
        raise ArgumentError(f"--clock must be auto, or a number of MHz such as 100, and is {text!r}")
    return mhz * 1e6


class Steps:
    """Steps as they begin and end, with the time each took; on a terminal also how far the one under way is."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=people,
            transient=True,
            disable=not people.is_terminal,
        )
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, step: Step) -> None:
        if step.done:
            seconds = time.monotonic() - self._began
            self._say(Text.assemble(("✓ ", "green"), f"{step.name}: {step.found}", (f"  {seconds:.1f} s", "dim")))
            return
        if step.found:
            for task in self._progress.task_ids:
                self._progress.update(task, description=f"{step.name}: {step.found}")
            return
        self._began = time.monotonic()
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        self._progress.add_task(step.name)
        if self._progress.disable:
            self._say(Text(f"  {step.name} ..."))

    def _say(self, text: Text) -> None:
        self._progress.print(text, soft_wrap=True) if not self._progress.disable else people.print(text, soft_wrap=True)


def _told(project: Project, folder: Path) -> str:
    return (
        f"{folder}: a {project.tool} project for {project.board}, lanes {','.join(map(str, project.lanes))}, "
        f"{project.cycles_per_sample:,} cycles per sample, {project.clock_mhz:g} MHz\n"
        f"There is no bitstream yet: {project.board} needs {project.tool}, which is not part of Presparse and was not "
        f"run.\nRun it with: cd {folder} && {project.command}\nThen load what it made: {project.program}"
    )


def _drawn(manifest: Manifest, folder: Path) -> str:
    use = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for name, resource in manifest.use.items():
        if resource.available or resource.used:
            use.add_row(name, f"{resource.used:,} of {resource.available:,}", f"{resource.share:.0%}")
    what = "trained" if manifest.mode == "train" else "predicted"
    path = manifest.critical_path
    seeds = len(manifest.routes)
    median = f" (median of {seeds} seeds: {manifest.median_fmax_mhz:.2f})" if seeds > 1 else ""
    return drawn(
        [
            Text(
                f"{manifest.samples_per_second:,.0f} {what} samples/s: {manifest.cycles_per_sample:,} cycles per "
                f"sample at {manifest.clock_mhz:.2f} MHz, lanes {','.join(map(str, manifest.lanes))}"
            ),
            *map(told, manifest.sources),
            Text(f"one inference takes {manifest.latency_us:,.2f} µs in the core: {manifest.latency_cycles:,} cycles"),
            Text(
                f"fmax {manifest.fmax_mhz:.2f} MHz{median}; slowest path: {path.text} ({path.delay_ns:.1f} ns, "
                f"{path.routing_ns:.1f} of it wires)"
            ),
            use,
            *(Text(f"note: {note}", "yellow") for note in manifest.notes),
            Text(f"{folder}: load it into the board with: presparse program {folder}"),
        ]
    )
