"""`presparse bench`: training speed of simulated board, reference and PyTorch, side by side in one run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from presparse.cli.options import AsJson
from presparse.cli.output import bar, put
from presparse.contract.network import Network
from presparse.errors import MissingExtra

NAME = "bench"


def run(
    network: Annotated[
        str, typer.Argument(help="A TOML file, or digits, digits-small, mnist, mnist-dey.")
    ] = "mnist-dey",
    rounds: Annotated[int, typer.Option(help="Rounds of all contestants in turn; medians count.", min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="Length of one contestant's round.", min=0.05)] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Measure how many samples per second each contestant trains, one at a time."""
    from presparse import benchmark  # torch, where it is needed only

    shape = Network.load(network)
    with bar(f"measuring {shape.name}") as shown:
        try:
            speeds = benchmark.measure(shape, rounds=rounds, seconds=seconds, progress=shown.note)
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"bench needs the Python package {error.name}, which is not installed: "
                "pip install 'presparse[train,sim]'"
            ) from error
    lines = [f"{'training ' + shape.name:<34}{'samples/s':>12}{'times eager':>14}{'cycles/s':>14}"]
    for speed in speeds:
        cycles = "" if speed.cycles_per_second is None else f"{speed.cycles_per_second:,.0f}"
        lines.append(f"{speed.name:<34}{speed.samples_per_second:>12,.0f}{speed.times_eager:>14.2f}{cycles:>14}")
    figures = {"network": shape.name, "rounds": rounds, "speeds": [asdict(speed) for speed in speeds]}
    put(figures, as_json=as_json, text="\n".join(lines))
