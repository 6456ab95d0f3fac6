"""`presparse export`: the core of a network as Verilog, for a design of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from presparse.cli.build_options import Mode, Wanted
from presparse.cli.outputs import FOLDER, check_outputs
from presparse.messages.export import Export
from presparse.model import Model
from presparse.plugins import exporter
from presparse.terminal.options import AsJson, NetworkName
from presparse.terminal.output import put, say

NAME = "export"


def run(
    network: NetworkName,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.", show_default=False)],
    mode: Mode = "train",
    lanes: Annotated[str, typer.Option(help="One number per junction, such as 32,16; auto: the network's.")] = "auto",
    feature_port: Annotated[int, typer.Option(help="Features that go in at once.", min=1)] = 1,
    model: Annotated[
        Path | None,
        typer.Option(help="A model file whose edges and biases the test bench loads; default: random ones."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write Verilog of the core with its stream ports, a table of the ports, and a test bench that checks itself."""
    wanted = Wanted.of(network, mode=mode, lanes=lanes, store="none", sample_bits=0)
    check_outputs((output, FOLDER), inputs=(network, model))
    made: Export = exporter()(
        wanted.network,
        folder=output,
        mode=wanted.mode,
        lanes=wanted.lanes,
        options={"feature_port": feature_port},
        model=None if model is None else Model.load(model),
        progress=lambda stage: say(f"  {stage} ..."),
    )
    put(
        {"folder": str(output), **made.model_dump(mode="json", exclude={"build"})},
        as_json=as_json,
        text=_text(made, output),
    )


def _text(made: Export, folder: Path) -> str:
    return (
        f"{folder}: module {made.top_module}, {made.ports} ports, lanes {','.join(map(str, made.lanes))}, one sample "
        f"every {made.cycles_per_sample:,} cycles, contract {made.contract_hash[:12]}\n"
        f"{folder / 'README.md'} tells what is there; simulate it with: cd {folder} && {made.simulate}"
    )
