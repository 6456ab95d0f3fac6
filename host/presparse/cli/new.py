"""`presparse new`: a commented network description from sizes, a density and lanes or cycles."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import Annotated, Literal

import typer

from presparse.cli.outputs import NETWORK, check_outputs
from presparse.contract.network import Activation, Network
from presparse.errors import ArgumentError, NetworkError
from presparse.sizing.proposal import DEFAULT_LANES, Sizing, design
from presparse.support import atomic_files
from presparse.terminal.options import AsJson, Force
from presparse.terminal.output import put, say

NAME = "new"


def run(
    file: Annotated[Path, typer.Argument(help="The TOML file to write.", show_default=False)],
    features: Annotated[int, typer.Option(help="Numbers per sample.", show_default=False)],
    classes: Annotated[int, typer.Option(help="Classes to tell apart.", show_default=False)],
    hidden: Annotated[
        str, typer.Option(help="Neurons of the hidden layers, such as 128 or 300,100; nothing for none.")
    ] = "",
    density: Annotated[
        str, typer.Option(help="Share of all possible edges, such as 0.2, or one per junction: 0.1,0.5.")
    ] = "0.2",
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
    sizes = [_whole(part, "hidden") for part in hidden.split(",") if part.strip()]
    if activation and not sizes:
        raise ArgumentError("--activation is of hidden layers, and there are none; leave it out, or give --hidden")
    shares = [_real(part, "density") for part in density.split(",")]
    activations: list[Activation] = [*(activation or "relu" for _ in sizes), output]
    sizing = design(
        features,
        classes,
        sizes,
        density=shares if len(shares) > 1 else shares[0],
        lanes=lanes,
        cycles=cycles,
        activations=activations,
        name=_name(file),
    )
    atomic_files.write(file, toml(sizing))
    for reason in sizing.reasons:
        say(reason)
    network = sizing.network
    put(
        {"file": str(file), "network": network.model_dump(mode="json"), "reasons": sizing.reasons},
        as_json=as_json,
        text=f"{file}: layers {network.layers}, {network.density:.1%} dense, {network.edges:,} edges",
    )


def toml(sizing: Sizing) -> str:
    """The description as TOML, with the reason for every number above it."""
    network = sizing.network
    by_start = {
        "layers": [r for r in sizing.reasons if r.startswith("Layer")],
        "out_degree": [r for r in sizing.reasons if "out-degree" in r],
    }
    by_start["lanes"] = [r for r in sizing.reasons if r not in by_start["layers"] + by_start["out_degree"]]
    lines = [
        "# A pre-defined sparse network. Change any number: Presparse says what is wrong and what would be right.",
        "",
        f"features = {network.features}",
        f"classes = {network.classes}",
    ]
    for key, reasons in by_start.items():
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
