"""MNIST as a board learns it: one sample at a time, with the pipeline's delays, every bit the board's.

    PRESPARSE_DATA=folder python -m presparse.demo.mnist

trains network `mnist` for 15 epochs of 60,000 images with the reference in C, measures accuracy on the 10,000
held-out images after every epoch, and writes model, curve and pictures. `--check` lets the simulated core, the gateware
itself, train the same beside it, and compares every weight after every epoch. Run again, it goes on where it stopped.

The recipes were chosen with `--validate`: trained on the first 50,000 training images, judged by the other 10,000.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from presparse import data
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.demo.long_run import MODEL, EpochDone, LongRun
from presparse.demo.outcome import Split
from presparse.errors import ArgumentError, DataError, OutputError, PresparseError
from presparse.features.inputs import Inputs
from presparse.model import Model
from presparse.support import atomic_files
from presparse.terminal.options import AsJson
from presparse.terminal.output import bar, fail, put, say

NETWORK = "mnist"
EPOCHS = 15
_SIGMOID = (*[2] * 4, *[3] * 4, *[4] * 3, *[5] * 2, *[6] * 2)
_RELU = (*[5] * 6, *[6] * 4, *[7] * 3, *[8] * 2)
_NARROW = (*[3] * 8, *[4] * 3, *[5] * 2, *[6] * 2)
RATE_EXPONENTS = {"mnist-dey-narrow": _NARROW, "mnist-dey": _SIGMOID, "mnist": _RELU, "mnist-windows": _SIGMOID}
"""By network, one per epoch: the learning rate is 2^-k; larger where hidden neurons are sigmoids, whose slopes are
small."""
GAIN = 1 / 255
"""Grey levels to features 0 to 1."""
SEED = 0
"""Of the pattern, the first weights, and the order of images."""
LEAST = {"mnist-dey-narrow": 0.95, "mnist-dey": 0.955, "mnist": 0.985, "mnist-windows": 0.98}
"""By network, the accuracy that must be exceeded."""
VALIDATION = 10_000
"""Training images kept for choosing the recipe."""


def start(network: Network, seed: int = SEED) -> Model:
    """The untrained model: every hidden neuron of the first layer sees a window."""
    return Model.initial(network, random_state=seed, inputs=Inputs.plain(network.features, gain=GAIN))


def load_split(*, validate: bool) -> Split:
    """All training images and the held-out ones; with `validate` the last training images are held out instead."""
    X, y = data.load_mnist("train")
    if validate:
        if len(X) <= VALIDATION:
            raise DataError(f"validation takes {VALIDATION:,} of the training images, and there are {len(X):,}")
        held = X[-VALIDATION:], y[-VALIDATION:]
        X, y = X[:-VALIDATION], y[:-VALIDATION]
    else:
        held = data.load_mnist("test")
    return Split(X=X, y=y, held_X=held[0], held_y=held[1])


def main(
    name: Annotated[str, typer.Option("--network", help=f"One of {', '.join(RATE_EXPONENTS)}.")] = NETWORK,
    output: Annotated[Path, typer.Option(help="Folder for model, curve and pictures; made if it is missing.")] = Path(
        "mnist-run"
    ),
    epochs: Annotated[int, typer.Option(help="At most all of the recipe.", min=1)] = EPOCHS,
    check: Annotated[bool, typer.Option(help="Let the simulated core train the same, and compare every bit.")] = False,
    validate: Annotated[bool, typer.Option(help="Hold out training images; the test images stay unseen.")] = False,
    least: Annotated[
        float | None,
        typer.Option(help="Exit status 1 unless the last accuracy is above this (default: the recipe's own)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a network as a board does, and judge it on held-out images."""
    if name not in RATE_EXPONENTS:
        raise ArgumentError(f"--network must be one of {', '.join(RATE_EXPONENTS)}, and is {name!r}")
    if epochs > EPOCHS:
        raise ArgumentError(f"--epochs must be at most {EPOCHS}, the epochs of the recipe, and is {epochs}")
    least = LEAST[name] if least is None else least
    network = Network.load(name)
    split = load_split(validate=validate)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: cannot be made ({error.strerror or error}); choose another") from error
    atomic_files.check_writable(output / "curve.png")
    run = LongRun(
        build=Build(network=network, feature_port=network.lanes[0]),
        start=start(network),
        split=split,
        rate_exponents=RATE_EXPONENTS[name][:epochs],
        seed=SEED,
        folder=output,
        check=check,
    )
    with bar("") as shown:
        at = 0

        def tell(epoch: int, done: int, of: int, note: str) -> None:
            nonlocal at
            if epoch != at:
                at = epoch
                shown.restart(f"epoch {epoch} of {epochs}")
            shown.show(done, of, note)

        curve = run.go(tell, lambda epoch: shown.done(f"{epoch.held_out:.2%} of held-out images"))
    reached = curve[-1].held_out
    _draw(curve, output / "curve.png")
    _draw_fields(Model.load(output / MODEL), output / "fields.png")
    figures = {
        "network": network.name,
        "epochs": [asdict(epoch) for epoch in curve],
        "trained_on": len(split.y),
        "held_out": len(split.held_y),
        "held_out_accuracy": reached,
        "least": least,
        "checked_by_simulated_core": all(epoch.checked for epoch in curve),
    }
    atomic_files.write(output / "mnist.json", json.dumps(figures, indent=1) + "\n")
    put(figures, as_json=as_json, text=f"{reached:.2%} of {len(split.held_y):,} held-out images, after {epochs} epochs")
    if reached <= least:
        say(f"that is not above {least:.2%}")
        raise typer.Exit(1)


def _draw(curve: list[EpochDone], file: Path) -> None:
    from presparse.report.curves import Curve, curves
    from presparse.report.style import BLUE, SOFT, png

    learned = Curve(name="images being learned", color=SOFT, accuracies=[epoch.learned for epoch in curve])
    held_out = Curve(name="held-out images", color=BLUE, accuracies=[epoch.held_out for epoch in curve])
    atomic_files.write(file, png(curves([learned, held_out], measured="right answers (%)")))


def _draw_fields(model: Model, file: Path) -> None:
    from presparse.report.receptive_fields import receptive_fields
    from presparse.report.style import png

    atomic_files.write(file, png(receptive_fields(model)))


if __name__ == "__main__":
    try:
        typer.run(main)
    except PresparseError as problem:
        fail(problem)
        raise SystemExit(2) from None
