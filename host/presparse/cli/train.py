"""`presparse train`: a model from data, in PyTorch or on a board."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from presparse.cli.opened_device import opened
from presparse.cli.samples import labeled
from presparse.contract.network import Network
from presparse.data import Data
from presparse.errors import ArgumentError, DeviceFault, LinkError, OutputError
from presparse.fitting.holding_out import hold_out
from presparse.fitting.rates import LR as BOARD_LR
from presparse.history import EPOCHS, History, Progress
from presparse.model import Model
from presparse.support import atomic_files
from presparse.terminal.options import AsJson, Bundle, DataSource, NetworkName, Record
from presparse.terminal.output import bar, counted, put, say

NAME = "train"
IN_PYTORCH = "torch"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be trained, and how."""

    network: Network
    learn: Data
    validation: Data | None
    epochs: int
    lr: float | None
    """None: the default of where it is trained."""
    seed: int
    output: Path


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
    epochs: Annotated[int, typer.Option(help="Passes over the data.", min=1)] = EPOCHS,
    lr: Annotated[
        float | None,
        typer.Option(
            help=f"Learning rate (torch: 0.02, falling to 0; a board: a power of two, {BOARD_LR}).", show_default=False
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Samples per step of torch (32); a board learns one at a time.", min=1, show_default=False),
    ] = None,
    validation: Annotated[
        float,
        typer.Option(
            help="Samples that are held out, a share below 1 or a number; in torch they choose the epoch that is kept.",
            min=0.0,
        ),
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Of pattern, first weights, order and held-out samples.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Train a network and save the model. Ctrl-C ends the training early and saves what was learned."""
    atomic_files.check_writable(output)
    shape = Network.load(network)
    X, y = labeled(samples, shape)
    learn, held = (X, y), None
    if validation:
        share = int(validation) if validation >= 1 and validation == int(validation) else validation
        learned, held_out = hold_out(y, share, seed)
        learn, held = (X[learned], y[learned]), (X[held_out], y[held_out])
    task = Task(network=shape, learn=learn, validation=held, epochs=epochs, lr=lr, seed=seed, output=output)
    if device == IN_PYTORCH:
        for option, value in (("--record", record), ("--start", start), ("--bundle", bundle)):
            if value is not None:
                raise ArgumentError(f"{option} is for a board; give --device too, such as sim")
        model, history = in_pytorch(task, batch_size)
    else:
        if batch_size is not None:
            raise ArgumentError("--batch-size is for torch: a board learns from one sample at a time; leave it out")
        model, history = on_board(task, device, bundle, record, None if start is None else Model.load(start))
    save(model, output)
    done = len(history.epochs) - history.interrupted
    if done < epochs:
        say(f"stopped after {done} of {epochs} epochs; what was learned is saved")
    accuracy = None if held is None else model.score(*held)
    figures = {
        "model": str(output),
        "network": shape.name,
        "device": device,
        "epochs": done,
        "interrupted": history.interrupted,
        "samples": history.samples,
        "samples_per_second": round(history.samples / max(history.seconds, 1e-9), 1),
        "validation_samples": 0 if held is None else len(held[1]),
        "validation_accuracy": accuracy,
    }
    told = "" if held is None else f", {accuracy:.1%} of {len(held[1])} held-out samples right"
    put(figures, as_json=as_json, text=f"{output}: {shape.name}, trained for {counted(done, 'epoch')}{told}")


def in_pytorch(task: Task, batch_size: int | None) -> tuple[Model, History]:
    """Quantization-aware training."""
    from presparse.train import fit  # torch, where it is needed only
    from presparse.train.fit import BATCH_SIZE, LR

    with bar("training in PyTorch") as shown:
        model = fit(
            task.network,
            *task.learn,
            validation=task.validation,
            epochs=task.epochs,
            batch_size=BATCH_SIZE if batch_size is None else batch_size,
            lr=LR if task.lr is None else task.lr,
            random_state=task.seed,
            progress=shown.follow,
            keep_on_interrupt=True,
        )
    assert model.history is not None
    return model, model.history


def on_board(
    task: Task, device: str, bundle: Path | None, record: Path | None, first: Model | None
) -> tuple[Model, History]:
    """One sample at a time, on the device. Should it fail, the model after the last whole epoch is saved."""
    last: tuple[int, Model] | None = None
    with opened(device, task.network, bundle, record) as board, bar(f"learning on {device}") as shown:

        def told(progress: Progress) -> None:
            nonlocal last
            shown.follow(progress)
            if progress.ended:
                last = progress.epoch, board.read_model()

        if first is not None:
            board.load(first)
        try:
            history = board.fit(
                *task.learn,
                validation=task.validation,
                epochs=task.epochs,
                lr=BOARD_LR if task.lr is None else task.lr,
                random_state=task.seed,
                progress=told,
                keep_on_interrupt=True,
            )
            model = board.read_model()
        except (LinkError, DeviceFault):
            if last is not None:
                save(last[1], task.output)
                say(f"{task.output}: what {device} had learned in {counted(last[0], 'epoch')}")
            raise
    came = "from the board's store" if history.source == "store" else "over the link"
    say(f"samples came {came}: {history.reason}")
    return model, history


def save(model: Model, output: Path) -> None:
    """Save what was learned; if the place has become useless meanwhile, in a new temporary folder."""
    try:
        model.save(output)
    except OutputError as error:
        kept = Path(tempfile.mkdtemp(prefix="presparse-")) / output.name
        model.save(kept)
        raise OutputError(f"{error}. The model that was trained is in {kept}") from error
