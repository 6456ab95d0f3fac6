"""`presparse demo`: the main job from end to end, every bit checked, and a report to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from presparse.cli.outputs import REPORT, check_outputs, replayed
from presparse.errors import MissingExtra
from presparse.terminal.options import DEFAULT_DEVICE, AsJson, Device, Force
from presparse.terminal.output import Bar, bar, put, say
from presparse.terminal.status import Status
from presparse.validation import LARGEST_SEED, MOST_EPOCHS

NAME = "demo"


class Narrator:
    """Tells a person what the demo does: a line per part, and a bar while it lasts."""

    def __init__(self, shown: Bar) -> None:
        self._bar = shown

    def stage(self, title: str) -> None:
        self._bar.restart(title)

    def progress(self, done: int, of: int, note: str) -> None:
        self._bar.show(done, of, note)

    def doing(self, note: str) -> None:
        self._bar.note(note)

    def result(self, text: str) -> None:
        self._bar.done(text)


def run(
    device: Device = DEFAULT_DEVICE,
    epochs: Annotated[
        int, typer.Option(help="Passes over the digits while learning on the board.", min=1, max=MOST_EPOCHS)
    ] = 20,
    seed: Annotated[int, typer.Option(help="Of split, pattern, first weights and order.", min=0, max=LARGEST_SEED)] = 0,
    report: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a sparse network on handwritten digits, run and train it on the simulated board, check every bit."""
    check_outputs((report, REPORT), inputs=(replayed(device),), force=force)
    with bar("importing PyTorch") as shown:
        try:
            from presparse.demo.page import write_report
            from presparse.demo.run import run as run_demo
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"the demo needs the Python package {error.name}, which is not installed: pip install 'presparse[demo]'"
            ) from error
        narrator = Narrator(shown)
        outcome = run_demo(narrator, device=device, epochs=epochs, seed=seed)
        narrator.stage("Writing the report")
        write_report(outcome, report)
        narrator.result(str(report))
    for difference in outcome.comparison.differences:
        say(f"differs: {difference}")
    verdict = "Every bit is equal." if outcome.equal else "NOT every bit is equal."
    put({**outcome.figures(), "report": str(report)}, as_json=as_json, text=f"{verdict} Open {report} in a browser.")
    if not outcome.equal:
        raise typer.Exit(Status.NO)
