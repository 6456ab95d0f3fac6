"""MNIST as a board learns it: one sample at a time, with the pipeline's delays, every bit the board's.

    PRESPARSE_DATA=folder python -m presparse.demo.mnist

trains network `mnist` for 15 epochs of 60,000 images with the reference in C, measures accuracy on the 10,000
held-out images after every epoch, and writes model, curve and picture. `--check` lets the simulated core, the gateware
itself, train the same beside it, and compares every weight after every epoch. Run again, it goes on where it stopped.

The recipe was chosen with `--validate`: trained on the first 50,000 training images, judged by the other 10,000.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from presparse import data
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.demo.long_run import EpochDone, LongRun
from presparse.demo.outcome import Split
from presparse.demo.receptive_fields import receptive_fields
from presparse.errors import ArgumentError, DataError, OutputError, PresparseError
from presparse.features.inputs import Inputs
from presparse.model import Model, initial_weights
from presparse.support import atomic_files
from presparse.terminal.options import AsJson
from presparse.terminal.output import bar, fail, put, say

NETWORK = "mnist"
RATE_EXPONENTS = (*[6] * 8, *[7] * 4, *[8] * 3)
"""One per epoch: the learning rate is 2^-k."""
GAIN = 1 / 255
"""Grey levels to features 0 to 1."""
WIDTH = 28
"""Pixels of an image's side."""
MARGIN = 4.0
"""Pixels at every edge, mostly dark, in which no receptive field has its center."""
SEED = 0
"""Of the order of pixels, the pattern, the first weights, and the order of images."""
LEAST = 0.976
"""Accuracy that must be exceeded."""
VALIDATION = 10_000
"""Training images kept for choosing the recipe."""


def pixels(features: int, seed: int = SEED) -> np.ndarray:
    """The order (features,) in which pixels become features.

    Shuffled, neighbors are in different banks, so that a hidden neuron, which has one pixel from each, can have both.
    """
    return np.random.default_rng(seed).permutation(features)


def start(network: Network, seed: int = SEED) -> Model:
    """The untrained model: every hidden neuron sees one neighborhood."""
    fresh = Model.initial(network, random_state=seed, inputs=Inputs.plain(network.features, gain=GAIN))
    rng = np.random.default_rng(seed)
    order = pixels(network.features, seed)
    places = np.stack([order // WIDTH, order % WIDTH], axis=1).astype(np.float64)
    first = network.junctions[0]
    left = receptive_fields(first, places, MARGIN, rng)
    weights = network.formats.weight.encode(initial_weights(network, first, left, rng))
    return replace(fresh, left=(left, *fresh.left[1:]), weights=(weights, *fresh.weights[1:]))


def load_split(features: int, *, validate: bool, seed: int = SEED) -> Split:
    """All training images and the held-out ones; with `validate` the last training images are held out instead."""
    X, y = data.load_mnist("train")
    if validate:
        if len(X) <= VALIDATION:
            raise DataError(f"validation takes {VALIDATION:,} of the training images, and there are {len(X):,}")
        held = X[-VALIDATION:], y[-VALIDATION:]
        X, y = X[:-VALIDATION], y[:-VALIDATION]
    else:
        held = data.load_mnist("test")
    order = pixels(features, seed)
    return Split(X=X[:, order], y=y, held_X=held[0][:, order], held_y=held[1])


def main(
    output: Annotated[Path, typer.Option(help="Folder for model, curve and picture; made if it is missing.")] = Path(
        "mnist-run"
    ),
    epochs: Annotated[int, typer.Option(help="At most all of the recipe.", min=1)] = len(RATE_EXPONENTS),
    check: Annotated[bool, typer.Option(help="Let the simulated core train the same, and compare every bit.")] = False,
    validate: Annotated[bool, typer.Option(help="Hold out training images; the test images stay unseen.")] = False,
    least: Annotated[float, typer.Option(help="Exit status 1 unless the last accuracy is above this.")] = LEAST,
    as_json: AsJson = False,
) -> None:
    """Train network `mnist` as a board does, and judge it on held-out images."""
    if epochs > len(RATE_EXPONENTS):
        raise ArgumentError(
            f"--epochs must be at most {len(RATE_EXPONENTS)}, the epochs of the recipe, and is {epochs}"
        )
    network = Network.load(NETWORK)
    split = load_split(network.features, validate=validate)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: cannot be made ({error.strerror or error}); choose another") from error
    atomic_files.check_writable(output / "curve.png")
    run = LongRun(
        build=Build(network=network, feature_port=network.lanes[0]),
        start=start(network),
        split=split,
        rate_exponents=RATE_EXPONENTS[:epochs],
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


if __name__ == "__main__":
    try:
        typer.run(main)
    except PresparseError as problem:
        fail(problem)
        raise SystemExit(2) from None
