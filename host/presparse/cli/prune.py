"""`presparse prune`: a trained network from a file, pruned, on the lanes of a board."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from presparse.cli import samples as data
from presparse.cli.outputs import MODEL, NETWORK, check_outputs
from presparse.cli.samples import file_of
from presparse.cli.train import save
from presparse.contract.network import Network
from presparse.data.splits import VALIDATION
from presparse.errors import ArgumentError
from presparse.history import Progress
from presparse.support.interrupts import noted_interrupts
from presparse.terminal.options import AsJson, DataSource, Force, Target
from presparse.terminal.output import Bar, bar, counted, drawn, put, say
from presparse.validation import LARGEST_SEED, MOST_EPOCHS

if TYPE_CHECKING:
    from presparse.prune.lanes import OnLanes, Stage

NAME = "prune"


def run(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            help="A state dict of Linear and BatchNorm1d layers (.safetensors, .pt), or what PrunedModel.save wrote.",
            show_default=False,
        ),
    ],
    samples: DataSource,
    target: Target = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")] = Path(
        "pruned.safetensors"
    ),
    network: Annotated[
        str | None,
        typer.Option(help="Where the model goes, such as a bitstream's: a TOML file, digits ...", show_default=False),
    ] = None,
    edges: Annotated[
        int | None, typer.Option(help="Most edges of a new network (as many weights as are not 0).", show_default=False)
    ] = None,
    lanes: Annotated[int | None, typer.Option(help="Most lanes of a new network.", show_default=False)] = None,
    cycles: Annotated[
        int | None, typer.Option(help="Most clock cycles per sample of a new network.", show_default=False)
    ] = None,
    network_output: Annotated[
        Path | None, typer.Option(help="Write the network here, for `presparse build`.", show_default=False)
    ] = None,
    activation: Annotated[
        Literal["relu", "sigmoid"] | None,
        typer.Option(help="Between the layers of a state dict (default: relu).", show_default=False),
    ] = None,
    offset: Annotated[float, typer.Option(help="The checkpoint was trained with (X - offset) * gain.")] = 0.0,
    gain: Annotated[float, typer.Option(help="See --offset.")] = 1.0,
    slim: Annotated[
        float | None,
        typer.Option(
            help="First remove this share of the neurons, those with the smallest BatchNorm scales.", show_default=False
        ),
    ] = None,
    epochs: Annotated[
        int, typer.Option(help="Of fine-tuning and refit, each: passes over the data.", min=1, max=MOST_EPOCHS)
    ] = 20,
    batch_size: Annotated[int, typer.Option(help="Of both: samples per step.", min=1)] = 32,
    lr: Annotated[float, typer.Option(help="Of both: first learning rate.")] = 0.005,
    held_out: Annotated[
        float | None,
        typer.Option(
            help=f"Share of the samples that is only measured; another chooses the epoch (default: {VALIDATION:g}). "
            "Data in parts keeps them.",
            min=0.0,
            max=0.4,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of parts, banks and order of samples.", min=0, max=LARGEST_SEED)] = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Prune a trained MLP onto a board's lanes: dead parts go, the best clash-free pattern stays and is refitted.

    Ctrl-C ends a training early; what it reached goes on. Give data that comes in parts (mnist, an npz file with xtr,
    ytr, xva, yva, xte, yte), or that the checkpoint was not trained on: else its own accuracy is flattered.
    """
    outputs = ((output, MODEL), (network_output, NETWORK))
    check_outputs(*outputs, inputs=(checkpoint, file_of(samples), network), force=force)
    if not math.isfinite(offset) or not 0 < gain < math.inf:
        raise ArgumentError(f"--offset must be finite and --gain positive, and are {offset} and {gain}")
    where = None if network is None else Network.load(network)
    with bar("importing PyTorch"):
        from presparse import prune  # where it is needed only
        from presparse.prune import checkpoint as checkpoints
        from presparse.prune.lanes import Stage, to_lanes
        from presparse.prune.lanes.mlp import mlp

    model = checkpoints.load(checkpoint, activation=activation or "relu")
    if activation and isinstance(model, prune.PrunedModel):
        raise ArgumentError(f"--activation is for a state dict, and {checkpoint} holds its own; leave it out")
    trained = mlp(model, offset=offset, gain=gain)
    parts = data.parts(samples, trained.width, trained.layers[-1], target=target, held_out=held_out, seed=seed)
    splits = parts.splits
    stages = [Stage(name="trained", accuracy=trained.score(*splits.test), edges=trained.edges)]
    with noted_interrupts() as ending, bar("pruning") as shown:
        trainings: list[_Epochs] = []
        if slim is None:
            model, reached = prune.compact(model), "compacted"
        else:
            model, reached = prune.slim(model, fraction=slim), "fine-tuned"
            slimmed = mlp(model, offset=offset, gain=gain)
            stages.append(Stage(name="slimmed", accuracy=slimmed.score(*splits.test), edges=slimmed.edges))
            trainings.append(_Epochs(shown, "fine-tuning"))
            (X, y), (held_X, held_y) = splits.train, splits.validation
            prune.fine_tune(
                model,
                (X - offset) * gain,
                y,
                validation=((held_X - offset) * gain, held_y),
                epochs=epochs,
                batch_size=batch_size,
                lr=lr,
                random_state=seed,
                progress=ending.after(trainings[-1].show),
            )
        trainings.append(_Epochs(shown, "refitting on the lanes"))
        found = to_lanes(
            model,
            *splits.train,
            network=where,
            edges=edges,
            lanes=lanes,
            cycles=cycles,
            validation=splits.validation,
            measure=splits.test,
            offset=offset,
            gain=gain,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            random_state=seed,
            progress=ending.after(trainings[-1].show),
        )
        inputs = replace(found.model.inputs, names=parts.names)
        save(replace(found.model, inputs=inputs, classes_=parts.classes_, trained_on=parts.whole), output)
        if network_output is not None:
            found.model.network.save(network_output)
    for training in trainings:
        if training.done < epochs:
            say(f"{training.what} stopped after {training.done} of {epochs} epochs; what was reached is saved")
    if found.note:
        say(f"{found.note} (--offset, --gain)")
    stages += [replace(found.stages[0], name=reached), *found.stages[1:]]
    onto = found.model.network
    count = {key: len(part[1]) for key, part in vars(splits).items()}
    figures = {
        "model": str(output),
        "checkpoint": str(checkpoint),
        "widths": list(model.widths),
        "features": model.kept_features.tolist(),
        "network": {
            "name": onto.name,
            "layers": list(onto.layers),
            "lanes": list(onto.lanes),
            "edges": onto.edges,
            "density": onto.density,
            "file": None if network_output is None else str(network_output),
        },
        "samples": count,
        "epochs": trainings[-1].done,
        "interrupted": any(training.done < epochs for training in trainings),
        "stages": [asdict(stage) for stage in stages],
        "kept_importance": list(found.kept_importance),
    }
    title = f"{output}: {model.summary}"
    put(figures, as_json=as_json, text="" if as_json else drawn(_shown(title, stages, found, count["test"])))


class _Epochs:
    """A training on the bar."""

    def __init__(self, shown: Bar, what: str) -> None:
        shown.restart(what)
        self._shown = shown
        self.what, self.done = what, 0

    def show(self, progress: Progress) -> None:
        self.done = progress.epoch - (not progress.ended)
        self._shown.follow(progress)


def _shown(title: str, stages: Sequence[Stage], found: OnLanes, measured: int) -> list[Table | Text]:
    """What each stage cost, on samples that chose nothing."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("stage")
    for heading in ("accuracy", "change", "edges"):
        table.add_column(heading, justify="right")
    before: float | None = None
    for stage in stages:
        change = "" if before is None else f"{stage.accuracy - before:+.2%}"
        table.add_row(stage.name, f"{stage.accuracy:.2%}", change, f"{stage.edges:,}")
        before = stage.accuracy
    onto = found.model.network
    kept = ", ".join(f"{share:.1%}" for share in found.kept_importance)
    return [
        Text(title),
        table,
        Text(f"Accuracy on {counted(measured, 'sample')} that chose nothing; importance kept per junction: {kept}."),
        Text(
            f"Network {onto.name}: layers {_listed(onto.layers)}, {onto.density:.1%} dense, "
            f"{counted(onto.edges, 'edge')}, lanes {_listed(onto.lanes)}."
        ),
    ]


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
