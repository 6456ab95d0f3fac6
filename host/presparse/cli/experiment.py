"""`presparse experiment`: questions to sparse networks, answered with seeds, confidence intervals and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from presparse.errors import ArgumentError, MissingExtra
from presparse.support import atomic_files
from presparse.support.processors import processors
from presparse.terminal.options import AsJson
from presparse.terminal.output import bar, drawn, people, put, say

NAME = "experiment"


def run(
    name: Annotated[
        str | None, typer.Argument(help="Which one; without a name, they are listed.", show_default=False)
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="How many seeds (default: the experiment's own).", min=1, show_default=False)
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the trials, the figures and the picture.")
    ] = Path("experiments"),
    jobs: Annotated[int, typer.Option(help="Trials at a time.", min=1)] = processors(),
    as_json: AsJson = False,
) -> None:
    """Make an experiment. Ctrl-C stops it, and the same command goes on where it was."""
    try:
        from presparse.experiments.catalogue import EXPERIMENTS
        from presparse.experiments.conduct import conduct
        from presparse.experiments.journal import Journal
        from presparse.report.style import png
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"experiments need the Python package {error.name}, which is not installed: "
            "pip install 'presparse[train,report]'"
        ) from error
    if name is None:
        questions = {each.name: each.question for each in EXPERIMENTS.values()}
        width = max(map(len, questions))
        lines = [f"{each:<{width}}  {question}" for each, question in questions.items()]
        put({"experiments": questions}, as_json=as_json, text="\n".join(lines))
        return
    if name not in EXPERIMENTS:
        raise ArgumentError(f"{name}: no such experiment; there are {', '.join(EXPERIMENTS)}")
    experiment = EXPERIMENTS[name]
    say(experiment.question)
    journal = Journal(output / f"{name}.jsonl")
    with bar(name) as shown:
        done = conduct(
            experiment,
            journal,
            seeds=seeds or experiment.seeds,
            jobs=jobs,
            told=lambda made, of, trial: shown.show(made, of, ", ".join(f"{k} {v}" for k, v in trial.items())),
        )
    found = {"experiment": name, "seeds": list(range(seeds or experiment.seeds)), **experiment.report(done)}
    figures, picture = output / f"{name}.json", output / f"{name}.png"
    atomic_files.write(figures, json.dumps(found, indent=1) + "\n")
    atomic_files.write(picture, png(experiment.picture(found)))
    if not as_json:
        say(drawn([_table(found["rows"])], width=people.width))
        say("95 % confidence intervals of the mean, by Student's t")
    put(
        {**found, "trials": str(journal.path), "picture": str(picture)},
        as_json=as_json,
        text=f"{figures}, {picture}: {len(done)} trials",
    )


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
