"""`presparse train`: a model from data, in PyTorch or on a board."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated, TypedDict

import numpy as np
import typer

from presparse.cli.opened_device import opened
from presparse.cli.samples import labeled
from presparse.contract.network import Network
from presparse.data import Data
from presparse.errors import ArgumentError, DeviceFault, LinkError, OutputError
from presparse.fitting.progress import Progress
from presparse.model import Model
from presparse.support import atomic_files
from presparse.terminal.options import AsJson, Bundle, DataSource, NetworkName, Record
from presparse.terminal.output import bar, counted, put, say

NAME = "train"
IN_PYTORCH = "torch"
TORCH_RATE = 0.01
BOARD_RATE = 2**-5


class Figures(TypedDict):
    """What a training reports."""

    epochs: int
    interrupted: bool
    samples: int
    samples_per_second: float
    held_out_accuracy: float | None


def run(
    network: NetworkName,
    samples: DataSource,
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")] = Path(
        "model.safetensors"
    ),
    device: Annotated[
        str,
        typer.Option(
            "--device",
            "-d",
            help="torch (this computer), or the board that learns: sim, emulator, emulator:c, serial:PORT.",
        ),
    ] = IN_PYTORCH,
    bundle: Bundle = None,
    record: Record = None,
    start: Annotated[
        Path | None, typer.Option("--start", help="A model that the board goes on from.", show_default=False)
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the data.", min=1)] = 20,
    rate: Annotated[
        float | None,
        typer.Option(
            help=f"Learning rate (torch: {TORCH_RATE}; a board: a power of two, {BOARD_RATE}).", show_default=False
        ),
    ] = None,
    held_out: Annotated[
        float, typer.Option(help="Share of the samples that is only measured, never learned.", min=0.0, max=0.9)
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Of pattern, first weights and order of samples.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Train a network and save the model. Ctrl-C ends the training early and saves what was learned."""
    atomic_files.check_writable(output)
    shape = Network.load(network)
    X, y = labeled(samples, shape)
    order = np.random.default_rng(seed).permutation(len(y))
    held, learned = np.split(order, [round(held_out * len(y))])
    learn, measure = (X[learned], y[learned]), (X[held], y[held])
    if device == IN_PYTORCH:
        if record is not None:
            raise ArgumentError("--record writes a board's session down; give --device too, such as sim")
        if start is not None:
            raise ArgumentError("--start is a model that a board goes on from; give --device too, such as sim")
        model, figures = in_pytorch(shape, learn, measure, epochs, TORCH_RATE if rate is None else rate, seed)
    else:
        first = None if start is None else Model.load(start)
        model, figures = on_board(
            device,
            shape,
            bundle,
            record,
            first,
            learn,
            measure,
            epochs,
            BOARD_RATE if rate is None else rate,
            seed,
            output,
        )
    save(model, output)
    accuracy = figures["held_out_accuracy"]
    told = "" if accuracy is None else f", {accuracy:.1%} of {len(held)} held-out samples right"
    put(
        {"model": str(output), "network": shape.name, "device": device, **figures},
        as_json=as_json,
        text=f"{output}: {shape.name}, trained for {counted(figures['epochs'], 'epoch')}{told}",
    )


def in_pytorch(
    shape: Network, learn: Data, measure: Data, epochs: int, rate: float, seed: int
) -> tuple[Model, Figures]:
    """Quantization-aware training; the held-out samples choose nothing."""
    from presparse import train  # torch, where it is needed only

    done, began = 0, time.perf_counter()
    with bar("training in PyTorch") as shown:

        def after_epoch(epoch: int, epochs: int, metrics: train.Metrics) -> None:
            nonlocal done
            done = epoch
            speed = epoch * len(learn[1]) / (time.perf_counter() - began)
            shown.show(epoch, epochs, f"{speed:,.0f} samples/s, {metrics.accuracy:.1%} right")

        model = train.fit(shape, *learn, epochs=epochs, rate=rate, seed=seed, progress=after_epoch)
    seconds = time.perf_counter() - began
    accuracy = train.QuantizedNetwork.from_model(model).score(*measure) if len(measure[1]) else None
    return model, _figures(done, epochs, done * len(learn[1]), seconds, accuracy)


def on_board(
    device: str,
    shape: Network,
    bundle: Path | None,
    record: Path | None,
    first: Model | None,
    learn: Data,
    measure: Data,
    epochs: int,
    rate: float,
    seed: int,
    output: Path,
) -> tuple[Model, Figures]:
    """One sample at a time, on the device. Should it fail, the model after the last whole epoch is saved."""
    last: tuple[int, Model] | None = None
    with opened(device, shape, bundle, record) as board, bar(f"learning on {device}") as shown:

        def told(p: Progress) -> None:
            nonlocal last
            note = f"{p.samples_per_second:,.0f} samples/s, {p.accuracy:.1%} right"
            shown.show((p.epoch - 1) * p.of + p.samples, p.epochs * p.of, note)
            if p.samples == p.of:
                last = p.epoch, board.read_model()

        if first is not None:
            board.load(first)
        try:
            history = board.fit(*learn, epochs=epochs, rate=rate, seed=seed, progress=told)
            model = board.read_model()
            accuracy = board.score(*measure) if len(measure[1]) else None
        except (LinkError, DeviceFault):
            if last is not None:
                save(last[1], output)
                say(f"{output}: what {device} had learned in {counted(last[0], 'epoch')}")
            raise
    came = "from the board's store" if history.source == "store" else "over the link"
    say(f"samples came {came}: {history.reason}")
    done = len(history.epochs) - history.interrupted
    return model, _figures(done, epochs, history.samples, sum(e.seconds for e in history.epochs), accuracy)


def save(model: Model, output: Path) -> None:
    """Save what was learned; if the place has become useless meanwhile, in a new temporary folder."""
    try:
        model.save(output)
    except OutputError as error:
        kept = Path(tempfile.mkdtemp(prefix="presparse-")) / output.name
        model.save(kept)
        raise OutputError(f"{error}. The model that was trained is in {kept}") from error


def _figures(done: int, epochs: int, samples: int, seconds: float, accuracy: float | None) -> Figures:
    if done < epochs:
        say(f"stopped after {done} of {epochs} epochs; what was learned is saved")
    return Figures(
        epochs=done,
        interrupted=done < epochs,
        samples=samples,
        samples_per_second=round(samples / seconds, 1),
        held_out_accuracy=accuracy,
    )
