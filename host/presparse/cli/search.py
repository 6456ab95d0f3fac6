"""`presparse search`: networks of which no other is both more accurate and faster, for a data set and a board."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from presparse.cli.build_options import Mode, Store, parsed_store
from presparse.cli.image_shape import image_shape
from presparse.cli.outputs import FOLDER, check_outputs
from presparse.cli.samples import called, file_of, to_search
from presparse.cli.trial_workers import check_workers, open_workers
from presparse.data import IMAGES
from presparse.errors import ArgumentError, MissingExtra
from presparse.support import atomic_files
from presparse.terminal.options import AsJson, DataSource, Jobs, MissingNumbers, Scheduler, Target
from presparse.terminal.output import bar, drawn, put, say
from presparse.validation import LARGEST_SEED

if TYPE_CHECKING:
    from presparse.model_search.found import Entry, Found
    from presparse.model_search.search import Task

NAME = "search"
OUTPUT = "search"


def run(
    samples: DataSource,
    board: Annotated[str, typer.Option("--board", "-b", help="`presparse boards` lists them.", show_default=False)],
    mode: Mode = "train",
    trials: Annotated[
        int | None, typer.Option(help="Networks to try (default: 120).", min=1, max=1_000_000, show_default=False)
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="How long to try networks, instead of --trials; the last tenths confirm.", show_default=False
        ),
    ] = None,
    at_least: Annotated[
        list[str] | None,
        typer.Option(
            "--at-least",
            metavar="FIGURE=BOUND",
            help="accuracy=0.96, speed=1e6 (samples/s); or at most: lut=20000, latency=2 (µs), edges=5000. Several "
            "times, if need be.",
            show_default=False,
        ),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(
            help="Name the network that Dey's f takes with this w_c: 0 the most accurate.", min=0.0, show_default=False
        ),
    ] = None,
    objectives: Annotated[
        str, typer.Option(help="What no other network may be better in: accuracy and speed, lut, latency, edges.")
    ] = "accuracy,speed",
    space: Annotated[
        Path | None, typer.Option(help="A TOML file that says which networks there are.", show_default=False)
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="SHAPE",
            help="Samples are images of this shape, 28x28 or 32x32x3: neurons may see windows (digits, mnist and "
            "cifar10 are known).",
            show_default=False,
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            "--samples", help="Learn from so many samples at most (default: from all).", min=10, show_default=False
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Of a whole training, a multiple of 9 (default: 27 or more).", min=9, show_default=False),
    ] = None,
    route: Annotated[
        int, typer.Option(help="Networks of the front to place and route: their speeds are real then.", min=0, max=8)
    ] = 0,
    store: Store = "auto",
    target: Target = None,
    missing: MissingNumbers = "refuse",
    seed: Annotated[int, typer.Option(help="Of parts, proposals and trainings.", min=0, max=LARGEST_SEED)] = 0,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for all trials, networks, models and the report.")
    ] = Path(OUTPUT),
    as_json: AsJson = False,
) -> None:
    """Search accurate networks that are fast on a board.

    Ctrl-C stops it, and the same command goes on where it was. The folder then holds networks/*.toml for `presparse
    build`, models/*.safetensors, front.png and report.html.
    """
    began = time.monotonic()
    bounds = _bounds(at_least or [])
    check_workers(jobs, scheduler)
    check_outputs((output, FOLDER), inputs=(file_of(samples), space))
    with bar("importing PyTorch"):
        try:
            from presparse.model_search import page, picture
            from presparse.model_search.folder import Folder
            from presparse.model_search.routing import routed
            from presparse.model_search.search import run as search
            from presparse.model_search.search import task_of
            from presparse.report.style import png
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"a search needs the Python package {error.name}, which is not installed: "
                "pip install 'presparse[train,build,report]'"
            ) from error
    subject = to_search(samples, mode=mode, seed=seed, samples=most, target=target, missing=missing)
    task = task_of(
        subject,
        board=board,
        store=parsed_store(store),
        space=space,
        image=IMAGES.get(samples) if image is None else image_shape("--image", image),
        seed=seed,
        trials=trials,
        minutes=minutes,
        epochs=epochs,
        objectives=[name.strip() for name in objectives.split(",")],
        at_least=bounds,
    )
    folder = Folder(output)
    with bar("searching") as shown, open_workers(jobs, scheduler) as workers:
        try:
            found = search(task, subject, folder, workers, shown.show)
        except KeyboardInterrupt:
            say(f"What was tried is in {folder.journal}; the same command goes on from there.")
            raise
    if route:
        with bar("placing and routing") as shown:
            found = routed(found, task, output / "bundles", most=route, weight=weight, told=shown.note)
            folder.write(found)
    atomic_files.write(output / "front.png", png(picture.front(found, board)))
    if found.front:
        atomic_files.write(output / "weights.png", png(picture.weights(found)))
    page.write(
        output / "report.html",
        found,
        data=called(samples),
        board=board,
        mode=mode,
        details=_details(found, task, time.monotonic() - began),
    )
    chosen = found.best(weight=weight, **bounds)
    put(
        {**found.as_json(), "chosen": chosen.name, "folder": str(output)},
        as_json=as_json,
        text=drawn([_table(found, chosen), Text(f"{output}: networks, models, {output / 'report.html'}")]),
    )


def _bounds(texts: list[str]) -> dict[str, float]:
    """What --at-least says. Raises ArgumentError."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError as error:
            raise ArgumentError(
                f"--at-least takes a figure and its bound, such as speed=1e6, and is {text!r}"
            ) from error
    return found


def _details(found: Found, task: Task, seconds: float) -> dict[str, str]:
    """Of this run, for the page."""
    bounds = ", ".join(f"{name} {value:g}" for name, value in task.objectives.at_least.items())
    return {
        "Networks tried": f"{len(found.tried):,}, in {found.trials:,} trainings",
        "Whole trainings": f"{task.epochs} epochs",
        "Objectives": ", ".join(task.objectives.names) + (f"; at least {bounds}" if bounds else ""),
        "Seed": str(task.seed),
        "Time of this run": f"{seconds:,.0f} s",
    }


def _table(found: Found, chosen: Entry) -> Table:
    """The front, and what ships with Presparse beside it."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("network", "right (%)", "samples/s", "edges", "layers", "LUT", "MHz", ""):
        table.add_column(heading, justify="left" if heading in ("network", "") else "right")
    for entry in [*found.front, *found.references]:
        note = "chosen" if entry is chosen else "shipped" if entry.shipped else ""
        table.add_row(
            entry.name,
            f"{100 * entry.accuracy:.2f} ± {100 * entry.interval:.2f}",
            f"{entry.speed:,.0f}",
            f"{entry.network.edges:,}",
            "-".join(map(str, entry.network.layers)),
            f"{entry.estimate.use.lut.share:.0%}",
            f"{entry.on_board.clock_mhz:.0f}" + (" routed" if entry.routed else ""),
            note,
        )
    return table
