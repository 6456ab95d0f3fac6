"""`presparse evaluate`: how many samples a model gets right on a device, class by class."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from presparse.cli.opened_device import opened
from presparse.cli.outputs import PICTURE, RECORDING, check_outputs, replayed
from presparse.cli.samples import file_of, labeled
from presparse.errors import ArgumentError, MissingExtra
from presparse.fitting.holding_out import hold_out
from presparse.model import Model
from presparse.report.by_class import ClassFigures, by_class, counts
from presparse.support import atomic_files
from presparse.terminal.options import (
    DEFAULT_DEVICE,
    AsJson,
    Bundle,
    DataSource,
    Device,
    Force,
    ModelFile,
    Record,
    Target,
)
from presparse.terminal.output import bar, drawn, put, say
from presparse.validation import checked_labels

NAME = "evaluate"
_MOST_SHOWN = 16
"""Classes whose confusion matrix a terminal has room for."""


def run(
    model_file: ModelFile,
    samples: DataSource,
    target: Target = None,
    device: Device = DEFAULT_DEVICE,
    bundle: Bundle = None,
    record: Record = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only the samples that the training of this data held out.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the confusion matrix into this PNG file.", show_default=False)
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Load a model into a device and measure its accuracy there; the device counts the right answers itself.

    Then it predicts the same samples, for the figures of each class: how many of its samples are found (recall), and
    how many of the answers that name it are right (precision).
    """
    inputs = (model_file, file_of(samples), bundle, replayed(device))
    check_outputs((record, RECORDING), (picture, PICTURE), inputs=inputs, force=force)
    if picture is not None and find_spec("matplotlib") is None:
        raise MissingExtra("--picture needs matplotlib, which is not installed: pip install 'presparse[report]'")
    model = Model.load(model_file)
    given = labeled(samples, model.network, model, target=target)
    X, y = given.X, given.numbers
    trained_on = model.trained_on is not None and model.trained_on.matches(X, y)
    if held_out:
        rows = _held_out(model, trained_on, samples, y)
        X, y = X[rows], y[rows]
    elif trained_on:
        say(f"note: {samples} is what this model was trained on; others, or --held-out, say how good it is")
    with opened(device, model.network, bundle, record) as board, bar(f"evaluating on {device}"):
        board.load(model)
        board.clear_counters()
        began = time.perf_counter()
        accuracy = board.score(X, model.classes_[y])
        seconds = time.perf_counter() - began
        counters = board.counters()
        answers = checked_labels(board.predict(X), len(X), model.classes_)
    confusion = counts(y, answers, model.network.classes)
    classes, names = by_class(confusion), list(map(str, model.classes_))
    if picture is not None:
        _draw(picture, y, answers, names)
    figures = {
        "model": str(model_file),
        "device": device,
        "samples": len(y),
        "trained_on": trained_on and not held_out,
        "held_out": held_out,
        "accuracy": accuracy,
        "correct": counters["correct"],
        "samples_per_second": round(len(y) / seconds, 1),
        "counters": counters,
        "classes": [
            {"label": label, **asdict(each)} for label, each in zip(model.classes_.tolist(), classes, strict=True)
        ],
        "confusion": confusion.tolist(),
        "picture": None if picture is None else str(picture),
    }
    title = f"{accuracy:.2%} of {len(y):,} samples right ({len(y) / seconds:,.0f} samples/s)"
    put(figures, as_json=as_json, text="" if as_json else drawn([Text(title), *_shown(names, classes, confusion)]))


def _held_out(model: Model, trained_on: bool, samples: str, y: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of the samples that the model's training held out."""
    noted = model.trained_on
    if noted is None:
        raise ArgumentError(
            "--held-out: the model file does not say what the model was trained on; train it with `presparse train`, "
            "or give samples that were put aside"
        )
    if not trained_on:
        raise ArgumentError(f"--held-out: {samples} is not what the model was trained on; give that, or leave it out")
    if noted.validation is None:
        raise ArgumentError(
            "--held-out: `presparse prune` draws its parts by another rule, and told the accuracy on what it held out; "
            "give samples that were put aside"
        )
    if not noted.validation:
        raise ArgumentError("--held-out: the training held no samples out; give others, and leave it out")
    return hold_out(y, noted.validation, noted.random_state)[1]


def _draw(picture: Path, labels: NDArray[np.int64], answers: NDArray[np.int64], names: list[str]) -> None:
    from presparse.report import confusion  # matplotlib, where it is needed only
    from presparse.report.style import png

    atomic_files.write(picture, png(confusion.confusion(labels, answers, names)))


def _shown(names: list[str], classes: list[ClassFigures], confusion: NDArray[np.int64]) -> Iterator[Table | Text]:
    """A row per class: its figures, and below what its samples were taken for."""
    rows = _table("class", "samples", "precision", "recall")
    for name, each in zip(names, classes, strict=True):
        rows.add_row(Text(name), f"{each.samples:,}", _share(each.precision), _share(each.recall))
    yield rows
    if len(classes) > _MOST_SHOWN:
        yield Text(f"What the samples of {len(classes)} classes were taken for: in --json, or with --picture FILE.")
        return
    yield Text("What the samples of each class were taken for:")
    taken_for = _table("class", *names)
    for name, counted in zip(names, confusion, strict=True):
        taken_for.add_row(Text(name), *(Text(f"{count:,}", "" if count else "dim") for count in counted))
    yield taken_for


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(Text(heading), justify="right", no_wrap=True)
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
