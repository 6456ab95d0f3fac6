"""`presparse experiment`: questions to sparse networks, answered with seeds, confidence intervals and pictures."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from presparse.cli.outputs import FIGURES, JOURNAL, PICTURE, check_outputs
from presparse.cli.trial_workers import check_workers, open_workers
from presparse.errors import ArgumentError, MissingExtra
from presparse.experiments.catalogue import EXPERIMENTS
from presparse.support import atomic_files
from presparse.terminal.options import AsJson, Force, Jobs, Scheduler
from presparse.terminal.output import bar, drawn, people, put, say
from presparse.trials.conduct import conduct
from presparse.trials.journal import Journal

NAME = "experiment"
FOLDER = "experiments"


def run(
    name: Annotated[
        str | None, typer.Argument(help="Which one; without a name, they are listed.", show_default=False)
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(help="How many seeds (default: the experiment's own).", min=1, max=1000, show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=f"Folder for the trials, the figures and the picture (default: {FOLDER}).",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make an experiment. Ctrl-C stops it, and the same command goes on where it was."""
    if name is None:
        given = {
            "--seeds": seeds,
            "--output": output,
            "--jobs": jobs,
            "--scheduler": scheduler,
            "--force": force or None,
        }
        for option, value in given.items():
            if value is not None:
                raise ArgumentError(f"{option} is for an experiment, and none is named; leave it out to list them")
        _list(as_json)
        return
    if name not in EXPERIMENTS:
        raise ArgumentError(f"{name}: no such experiment; there are {', '.join(EXPERIMENTS)}")
    check_workers(jobs, scheduler)
    say(EXPERIMENTS[name].question)
    folder = output or Path(FOLDER)
    trials, figures, picture = (folder / f"{name}.{suffix}" for suffix in ("jsonl", "json", "png"))
    if os.path.exists(folder):  # else it will be made
        check_outputs((trials, JOURNAL), (figures, FIGURES), (picture, PICTURE), force=force)
    with bar("importing PyTorch") as shown:
        try:
            from presparse.report.style import png

            experiment = EXPERIMENTS[name].load()
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"experiments need the Python package {error.name}, which is not installed: "
                "pip install 'presparse[train,report]'"
            ) from error
        shown.restart(name)
        try:
            with Journal.alone(trials) as journal, open_workers(jobs, scheduler) as workers:
                done = conduct(
                    partial(experiment.plan, seeds or experiment.seeds),
                    experiment.run,
                    journal,
                    workers,
                    told=lambda made, of, trial: shown.show(made, of, ", ".join(f"{k} {v}" for k, v in trial.items())),
                )
        except KeyboardInterrupt:
            say(f"The trials that were made are in {trials}; the same command goes on from there.")
            raise
    found = {"experiment": name, "seeds": list(range(seeds or experiment.seeds)), **experiment.report(done)}
    atomic_files.write(figures, json.dumps(found, indent=1) + "\n")
    atomic_files.write(picture, png(experiment.picture(found)))
    if not as_json:
        say(drawn([_table(found["rows"])], width=people.width))
        say("95 % confidence intervals of the mean, by Student's t")
    put(
        {**found, "trials": str(trials), "picture": str(picture)},
        as_json=as_json,
        text=f"{figures}, {picture}: {len(done)} trials",
    )


def _list(as_json: bool) -> None:
    questions = {name: entry.question for name, entry in EXPERIMENTS.items()}
    width = max(map(len, questions))
    lines = [f"{name:<{width}}  {question}" for name, question in questions.items()]
    put({"experiments": questions}, as_json=as_json, text="\n".join(lines))


def _table(rows: dict[str, dict[str, Any]]) -> Table:
    """A row for each row, a column for each figure that all have."""
    keys = [
        key.removesuffix("_mean")
        for key in dict.fromkeys(key for figures in rows.values() for key in figures)
        if key.endswith("_mean")
    ]
    table = Table("", *(key.replace("_", " ") for key in keys), "n", box=None, header_style="bold")
    for name, figures in rows.items():
        cells = [
            _cell(figures[f"{key}_mean"], figures[f"{key}_ci95"]) if f"{key}_mean" in figures else "" for key in keys
        ]
        table.add_row(name.replace("_", " "), *cells, str(figures["n"]))
    return table


def _cell(mean: float, half: float) -> str:
    if mean == round(mean) or abs(mean) >= 10:
        return f"{mean:,.1f}".removesuffix(".0")
    return f"{mean:.4f}" + (f" ± {half:.4f}" if half < float("inf") else "")
