"""`presparse train`: a model from data, in PyTorch or on a board."""

from __future__ import annotations

import math
import os
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.text import Text

from presparse.cli import diagnosis
from presparse.cli.image_shape import image_shape
from presparse.cli.opened_device import opened
from presparse.cli.outputs import MODEL, RECORDING, check_outputs, replayed
from presparse.cli.samples import Labeled, file_of, labeled
from presparse.contract.network import Network
from presparse.contract.pattern import ClashFreeKind
from presparse.data import Data
from presparse.errors import ArgumentError, DeviceFault, LearningWarning, LinkError, OutputError
from presparse.features.convolution import Convolution, geometry_for
from presparse.fitting.checkpoint import cut_off, end, read
from presparse.fitting.diagnosis import Diagnosis, diagnose_samples
from presparse.fitting.holding_out import hold_out
from presparse.fitting.keeper import models_of
from presparse.history import History, Progress, TrainedOn
from presparse.model import Model
from presparse.support.digests import digest
from presparse.support.interrupts import noted_interrupts
from presparse.terminal.options import (
    AsJson,
    Bundle,
    DataSource,
    Force,
    MissingNumbers,
    NetworkName,
    Record,
    Target,
)
from presparse.terminal.output import bar, counted, drawn, put, say
from presparse.validation import LARGEST_SEED, MOST_EPOCHS, checked_labels

NAME = "train"
IN_PYTORCH = "torch"
_LONGEST_NAME = 255
"""Bytes of a file's name, in all common file systems."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be trained, and how."""

    network: Network
    learn: Data
    validation: Data | None
    trained_on: TrainedOn
    """Both of these, as the model's file notes them."""
    names: tuple[str, ...]
    """Of the columns of X; none given: they have none."""
    medians: NDArray[np.float64]
    """(columns of X,): what stands for numbers that are missing; none: none may be."""
    chosen: dict[str, Any]
    """Arguments of `fit` that the user gave; all others are the defaults of where it is trained."""
    seed: int
    output: Path
    checkpoint: Path | None
    """None: the output is no file that another could lie beside."""

    def noted(self, model: Model) -> Model:
        """What was learned, with what its file says of the data."""
        inputs = replace(model.inputs, names=self.names, medians=self.medians)
        return replace(model, inputs=inputs, trained_on=self.trained_on)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model that is saved."""

    model: Model
    history: History
    interrupted: bool
    """Somebody asked for the end before it was reached."""


def run(
    network: NetworkName,
    samples: DataSource,
    target: Target = None,
    missing: MissingNumbers = "refuse",
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
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the data, at most (default: as many as it needs).",
            min=1,
            max=MOST_EPOCHS,
            show_default=False,
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            help="Learning rate; on a board a power of two, such as 0.03125 (default: searched for, and falling).",
            show_default=False,
        ),
    ] = None,
    convolution: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE",
            help="The samples are images of this shape, 28x28 or 32x32x3 (rows, columns, channels): fixed kernels, "
            "learned from them without labels, make the network's features.",
            show_default=False,
        ),
    ] = None,
    shift: Annotated[
        int,
        typer.Option(
            help="The samples are images: each is moved by up to so many rows and columns, otherwise in every epoch.",
            min=0,
            show_default=False,
        ),
    ] = 0,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Epochs that may pass without a gain: then the rate falls, or the training ends.",
            min=1,
            max=MOST_EPOCHS,
            show_default=False,
        ),
    ] = None,
    class_weight: Annotated[
        str | None,
        typer.Option("--class-weight", help="balanced: small classes count as much as large ones.", show_default=False),
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
    pattern: Annotated[
        ClashFreeKind | None,
        typer.Option(
            help="Which edges there are (windows if the network has images, else seed per sweep).", show_default=False
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of pattern, first weights, order and held-out samples.", min=0, max=LARGEST_SEED)
    ] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was cut off, from its checkpoint.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a network and save the model.

    Ctrl-C, SIGTERM and SIGHUP end the training early and save what was learned. Every minute, on a board after the next
    epoch, OUTPUT.checkpoint keeps what a crash would lose: the same command with --resume goes on from there.
    """
    inputs = (network, file_of(samples), start, bundle, replayed(device))
    check_outputs((output, MODEL), (record, RECORDING), inputs=inputs, force=force)
    checkpoint = checkpoint_of(output)
    if resume and (checkpoint is None or not checkpoint.exists()):
        raise ArgumentError(f"--resume: there is no checkpoint {checkpoint or output} to go on from; leave it out")
    before = None if resume or checkpoint is None else cut_off(checkpoint)
    if before is not None and not force:
        raise ArgumentError(
            f"{checkpoint}: a training that was cut off after {counted(before, 'epoch')}; go on with --resume, or "
            "begin anew with --force"
        )
    if device == IN_PYTORCH:
        for option, value in (("--record", record), ("--start", start), ("--bundle", bundle)):
            if value is not None:
                raise ArgumentError(f"{option} is for a board; give --device too, such as sim")
    elif pattern is not None and start is not None:
        raise ArgumentError(f"--pattern is for a fresh model, and {start} has its own; leave one of the two out")
    elif batch_size is not None:
        raise ArgumentError("--batch-size is for torch: a board learns from one sample at a time; leave it out")
    if start is not None and convolution is not None:
        raise ArgumentError("--start has a convolution of its own, or none; leave --convolution out")
    shape = Network.load(network)
    image = None if convolution is None else image_shape("--convolution", convolution)
    kernels, pool = (0, 0) if image is None else geometry_for(shape.features, image)
    begun = None if start is None else Model.load(start)
    known = begun if begun is not None and begun.network.hash == shape.hash else None  # the board refuses another
    width = None if image is None else math.prod(image)
    given = labeled(samples, shape, known, width=width, target=target, missing=missing)
    share = int(validation) if validation >= 1 and validation.is_integer() else validation
    learn, held = (given.X, given.y), None
    if validation:
        learned, held_out = hold_out(given.numbers, share, seed)
        learn, held = ((given.X[rows], given.y[rows]) for rows in (learned, held_out))
        if begun is None:
            _check_learned(given, learned)
    fixed = None
    if image is not None:
        with bar("learning kernels"):
            fixed = Convolution.fit(learn[0], image, kernels=kernels, pool=pool, random_state=seed)
        say(f"the features are those of {fixed}")
    task = Task(
        network=shape,
        learn=learn,
        validation=held,
        trained_on=TrainedOn.of(given.X, given.numbers, validation=share, random_state=seed),
        names=given.names,
        medians=given.medians,
        chosen={
            name: value
            for name, value in (
                ("epochs", epochs),
                ("lr", lr),
                ("batch_size", batch_size),
                ("patience", patience),
                ("class_weight", class_weight),
                ("pattern", pattern),
                ("convolution", fixed),
                ("shift", shift or None),
            )
            if value is not None
        },
        seed=seed,
        output=output,
        checkpoint=checkpoint,
    )
    if checkpoint is not None and not resume:
        checkpoint.unlink(missing_ok=True)  # of a training that was ended by hand, or is not wanted any more
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LearningWarning)  # the table in the end says the same
        trained = in_pytorch(task) if device == IN_PYTORCH else on_board(task, device, bundle, record, begun)
    history = trained.history
    found = diagnosed(task, trained)
    whole = max(len(learn[1]), *(epoch.samples for epoch in history.epochs))  # more, where classes are balanced
    done = sum(epoch.samples == whole for epoch in history.epochs)
    if trained.interrupted:
        on = ", and --resume goes on" if checkpoint is not None and checkpoint.exists() else ""
        say(f"stopped after {counted(done, 'epoch')}; what was learned is saved{on}")
    if history.chosen:
        say(history.chosen)
    accuracy = None if held is None else trained.model.score(*held)
    figures = {
        "model": str(output),
        "network": shape.name,
        "device": device,
        "epochs": done,
        "interrupted": trained.interrupted,
        "samples": history.samples,
        "samples_per_second": round(history.samples / max(history.seconds, 1e-9), 1),
        "validation_samples": 0 if held is None else len(held[1]),
        "validation_accuracy": accuracy,
        "chosen": history.chosen,
        **diagnosis.figures(found),
    }
    told = "" if held is None else f", {accuracy:.1%} of {len(held[1])} held-out samples right"
    title = f"{output}: {shape.name}, trained for {counted(done, 'epoch')}{told}"
    put(figures, as_json=as_json, text="" if as_json else drawn([Text(title), *diagnosis.shown(found)]))


def _check_learned(given: Labeled, learned: NDArray[np.int64]) -> None:
    """Raises ArgumentError if a name is only among the samples that are held out: a training does not know it then."""
    lost = np.setdiff1d(given.numbers, given.numbers[learned])
    if lost.size and not np.array_equal(given.classes_, np.arange(len(given.classes_))):
        raise ArgumentError(
            f"--validation: all samples of class {given.classes_[lost[0]]} are held out; give more of them, or learn "
            "from all with --validation 0"
        )


def checkpoint_of(output: Path) -> Path | None:
    """Beside the model; a pipe or a device has no such place."""
    if output.exists() and not output.is_file():
        return None
    beside = output.with_name(f"{output.name}.checkpoint")
    if len(os.fsencode(beside.name)) > _LONGEST_NAME:
        beside = output.with_name(f"{digest([output.name])[:16]}.checkpoint")
    return beside


def in_pytorch(task: Task) -> Trained:
    """Quantization-aware training."""
    with bar("importing PyTorch") as shown:
        from presparse.train import fit  # where it is needed only

    with noted_interrupts() as ending:
        with bar("training in PyTorch") as shown:
            model = fit(
                task.network,
                *task.learn,
                validation=task.validation,
                random_state=task.seed,
                progress=ending.after(shown.follow),
                checkpoint=task.checkpoint,
                **task.chosen,
            )
        model = task.noted(model)
        save(model, task.output)
        history = model.history
        assert history is not None
        if task.checkpoint is not None:
            end(task.checkpoint, whole=not history.stopped)
    return Trained(model=model, history=history, interrupted=history.stopped)


def on_board(task: Task, device: str, bundle: Path | None, record: Path | None, start: Model | None) -> Trained:
    """One sample at a time, on the device. Should it fail, the model after the last whole epoch is saved."""
    with opened(device, task.network, bundle, record) as board, noted_interrupts() as ending:
        with bar(f"learning on {device}") as shown:
            if start is not None:
                board.load(start)
            try:
                history = board.fit(
                    *task.learn,
                    validation=task.validation,
                    random_state=task.seed,
                    progress=after_search(shown.follow, ending.after(shown.follow)),
                    checkpoint=task.checkpoint,
                    **task.chosen,
                )
                model = board.read_model()
            except (LinkError, DeviceFault):
                if task.checkpoint is not None and (kept := read(task.checkpoint)) is not None:
                    last, best = models_of(task.network, kept)
                    model = best or last
                    save(task.noted(model), task.output)
                    done = counted(len(kept.epochs), "epoch")
                    say(f"{task.output}: what {device} had learned in {done}; --resume goes on")
                raise
        model = task.noted(model)
        save(model, task.output)
        if task.checkpoint is not None:
            end(task.checkpoint, whole=not history.stopped)
    came = "from the board's store" if history.source == "store" else "over the link"
    say(f"samples came {came}: {history.reason}")
    return Trained(model=model, history=history, interrupted=history.stopped)


def after_search(look: Callable[[Progress], object], learn: Callable[[Progress], bool]) -> Callable[[Progress], object]:
    """While rates are tried there is nothing to lose: who asks for the end then, gets it at once."""
    return lambda progress: look(progress) if progress.epoch == 0 else learn(progress)


def diagnosed(task: Task, trained: Trained) -> Diagnosis:
    """A look at what was learned."""
    model, (X, y) = trained.model, task.learn
    numbers = checked_labels(y, len(y), model.classes_)
    held = (
        None if task.validation is None else checked_labels(task.validation[1], len(task.validation[1]), model.classes_)
    )
    return diagnose_samples(X, numbers, held, trained.history, model, balanced="class_weight" in task.chosen)


def save(model: Model, output: Path) -> None:
    """Save what was learned; if the place has become useless meanwhile, in a new temporary folder."""
    try:
        model.save(output)
    except OutputError as error:
        kept = Path(tempfile.mkdtemp(prefix="presparse-")) / "model.safetensors"
        model.save(kept)
        raise OutputError(f"{error}. The model that was trained is in {kept}") from error
