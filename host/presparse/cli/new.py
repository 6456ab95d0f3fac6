"""`presparse new`: a commented network description from data, or from sizes, a density and lanes or cycles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import typer
from numpy.typing import NDArray

from presparse.cli.outputs import NETWORK, check_outputs
from presparse.cli.samples import sized
from presparse.contract.network import Activation, Network
from presparse.data import Missing
from presparse.errors import ArgumentError, MissingExtra, NetworkError
from presparse.sizing.proposal import DEFAULT_LANES, Auto, Sizing, design
from presparse.support import atomic_files
from presparse.terminal.options import AsJson, Force, MissingNumbers, Target
from presparse.terminal.output import bar, put, say
from presparse.validation import Labels

if TYPE_CHECKING:
    from presparse.sizing.trial import Trial

NAME = "new"


def run(
    file: Annotated[Path, typer.Argument(help="The TOML file to write.", show_default=False)],
    data: Annotated[
        str | None,
        typer.Option(help="Samples with classes, instead of --features and --classes.", show_default=False),
    ] = None,
    target: Target = None,
    missing: MissingNumbers = "refuse",
    features: Annotated[int | None, typer.Option(help="Numbers per sample.", show_default=False)] = None,
    classes: Annotated[int | None, typer.Option(help="Classes to tell apart.", show_default=False)] = None,
    hidden: Annotated[
        str,
        typer.Option(
            help="Neurons of the hidden layers, such as 128 or 300,100; auto: one layer, as large as samples and "
            "classes ask for; none."
        ),
    ] = "auto",
    density: Annotated[
        str,
        typer.Option(
            help="Share of all possible edges, such as 0.2, or one per junction: 0.1,0.5; auto: as dense as an FPGA of "
            "middle size holds."
        ),
    ] = "auto",
    trial: Annotated[
        bool,
        typer.Option("--try", help="Train a few densities on a part of the data, and take the lowest that is as good."),
    ] = False,
    lanes: Annotated[
        int | None,
        typer.Option(
            help=f"Most lanes, all junctions together ({DEFAULT_LANES} if no cycles are given).", show_default=False
        ),
    ] = None,
    cycles: Annotated[int | None, typer.Option(help="Most clock cycles per sample.", show_default=False)] = None,
    activation: Annotated[
        Activation | None, typer.Option(help="Of hidden layers (default: relu).", show_default=False)
    ] = None,
    output: Annotated[Literal["sigmoid", "identity"], typer.Option(help="Of the output.")] = "sigmoid",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write a network description: sizes, degrees and lanes are chosen so that it is valid and balanced."""
    check_outputs((file, NETWORK), force=force)
    sizes = _hidden(hidden)
    shares = _density(density)
    if activation and not sizes:
        raise ArgumentError("--activation is of hidden layers, and there are none; leave it out, or give --hidden")
    if trial and (data is None or shares != "auto" or not sizes):
        raise ArgumentError("--try finds the density of hidden layers by data; give --data, and leave --density out")
    samples = _samples(data, target, missing, features, classes)
    if samples is not None:
        features, classes = samples[0].shape[1], len(np.unique(samples[1]))
    if features is None or classes is None:
        raise ArgumentError("features and classes of the network are not given; give --data, or both of them")
    hidden_activations: list[Activation] = [activation or "relu"] * (1 if sizes == "auto" else len(sizes))
    design_with = partial(
        design,
        features,
        classes,
        sizes,
        samples=None if samples is None else len(samples[1]),
        lanes=lanes,
        cycles=cycles,
        activations=[*hidden_activations, output],
        name=_name(file),
    )
    sizing = design_with(density=shares)
    trials: list[Trial] = []
    if trial and samples is not None:
        sizing, trials = _tried(design_with, sizing, samples)
    atomic_files.write(file, toml(sizing))
    for reason in sizing.reasons:
        say(reason)
    network = sizing.network
    put(
        {
            "file": str(file),
            "network": network.model_dump(mode="json"),
            "reasons": sizing.reasons,
            "trials": [{"edges": each.network.edges, "accuracy": each.accuracy} for each in trials],
        },
        as_json=as_json,
        text=f"{file}: layers {network.layers}, {network.density:.1%} dense, {network.edges:,} edges",
    )


def _samples(
    source: str | None, target: str | None, missing: Missing, features: int | None, classes: int | None
) -> tuple[NDArray[np.float64], Labels] | None:
    if source is None:
        if target is not None:
            raise ArgumentError("--target is a column of --data; give that too, or leave --target out")
        return None
    if features is not None or classes is not None:
        raise ArgumentError("--data says how many features and classes there are; leave --features and --classes out")
    return sized(source, target=target, missing=missing)


def _tried(
    design_with: Callable[..., Sizing], sizing: Sizing, samples: tuple[NDArray[np.float64], Labels]
) -> tuple[Sizing, list[Trial]]:
    """The sizing that trials are for, with their figures among its reasons; and they themselves."""
    with bar("importing PyTorch"):
        try:
            from presparse.sizing.trial import sparsest, thinner, tried
        except ModuleNotFoundError as error:
            raise MissingExtra(f"--try trains, which needs {error.name}: pip install 'presparse[train]'") from error
    sizings = [sizing, *(design_with(density=densities) for densities in thinner(sizing.network))]
    different = {each.network.hash: each for each in sizings}.values()  # small layers have few densities
    with bar("trying densities") as shown:
        trials = list(
            tried(list(different), *samples, progress=lambda each: shown.note(f"{each.network.edges:,} edges"))
        )
    best = sparsest(trials)
    told = [
        f"Tried with {each.network.edges:,} edges: {each.accuracy:.1%} of {each.held_out:,} held-out samples right."
        for each in trials
    ]
    told.append(f"Taken: {best.network.edges:,} edges, the fewest within a standard error of the best.")
    return replace(best.sizing, degrees=[*best.sizing.degrees, *told]), trials


def toml(sizing: Sizing) -> str:
    """The description as TOML, with the reason for every number above it."""
    network = sizing.network
    lines = [
        "# A pre-defined sparse network. Change any number: Presparse says what is wrong and what would be right.",
        "",
        f"features = {network.features}",
        f"classes = {network.classes}",
    ]
    for key, reasons in (("layers", sizing.layers), ("out_degree", sizing.degrees), ("lanes", sizing.lanes)):
        comment = [
            line for reason in reasons for line in wrap(reason, 110, initial_indent="# ", subsequent_indent="#   ")
        ]
        lines += ["", *comment, f"{key} = {list(getattr(network, key))}"]
    quoted = ", ".join(f'"{activation}"' for activation in network.activations)
    lines += ["", "# Of each junction's right layer: relu, sigmoid or identity.", f"activations = [{quoted}]"]
    formats, rates = network.formats, network.rates
    lines += ["", "# Number formats: width in bits, and how many of them are behind the binary point.", "[formats]"]
    for key, meaning in (
        ("activation", "features and hidden activations"),
        ("weight", "weights and biases as stored"),
        ("delta", "deltas of hidden and output neurons"),
        ("output", "scores of the output layer"),
    ):
        fmt = getattr(formats, key)
        lines.append(f"{key} = {{ width = {fmt.width}, frac = {fmt.frac} }}  # {meaning}")
    lines.append(f"operand_bits = {formats.operand_bits}  # top bits of a weight that the multipliers see")
    lines += ["", "# Learning rates 2^-k that the hardware can train with.", "[rates]"]
    lines += [f"least = {rates.least}", f"most = {rates.most}", ""]
    text = "\n".join(lines)
    written = Network.from_toml(text, name=network.name)
    if written != network:
        raise NetworkError(f"{network.name}: the description written is not the network designed")
    return text


def _name(file: Path) -> str:
    return file.stem


def _hidden(text: str) -> list[int] | Auto:
    if text == "auto":
        return "auto"
    return [] if text == "none" else [_whole(part, "hidden") for part in text.split(",") if part.strip()]


def _density(text: str) -> float | list[float] | Auto:
    if text == "auto":
        return "auto"
    shares = [_real(part, "density") for part in text.split(",")]
    return shares if len(shares) > 1 else shares[0]


def _whole(text: str, option: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ArgumentError(f"--{option} takes whole numbers with commas between them, and {text!r} is none") from error


def _real(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ArgumentError(f"--{option} takes numbers with commas between them, and {text!r} is none") from error
