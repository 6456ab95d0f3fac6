"""`presparse predict`: the classes that a model gives to samples, on a device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from presparse.cli.opened_device import opened
from presparse.cli.outputs import CLASSES, RECORDING, check_outputs, replayed
from presparse.cli.samples import called, file_of, unlabeled
from presparse.model import Model
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
from presparse.terminal.output import bar, put, say

NAME = "predict"


def run(
    model_file: ModelFile,
    samples: DataSource,
    target: Target = None,
    device: Device = DEFAULT_DEVICE,
    bundle: Bundle = None,
    record: Record = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the classes to this file, one per line.", show_default=False),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Load a model into a device and predict the class of every sample, in order, one per line.

    Classes are given as they were in training. The data may hold some or not: a .csv line of exactly as many cells as
    the network has features has none, and an .npz file needs no y. Columns with names are put in order by them.
    """
    inputs = (model_file, file_of(samples), bundle, replayed(device))
    check_outputs((output, CLASSES), (record, RECORDING), inputs=inputs, force=force)
    model = Model.load(model_file)
    table = unlabeled(samples, model, target=target)
    with opened(device, model.network, bundle, record) as board, bar(f"predicting on {device}"):
        board.load(model)
        classes = board.predict(table.X).tolist()
    without = "" if table.left_out else " without classes"
    say(
        f"{called(samples)}: {len(classes):,} samples"
        + (without if table.y is None else " (their classes are left out)")
    )
    lines = "\n".join(str(c) for c in classes)
    if output is not None:
        atomic_files.write(output, lines + "\n")
        say(f"{output}: the classes of {len(classes):,} samples")
    figures: dict[str, object] = {
        "model": str(model_file),
        "device": device,
        "samples": len(classes),
        "labeled": table.y is not None,
        "left_out": list(table.left_out),
    }
    figures |= {"output": str(output)} if output is not None else {"classes": classes}
    if as_json or output is None:
        put(figures, as_json=as_json, text=lines)
