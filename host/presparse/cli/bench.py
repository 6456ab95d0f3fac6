"""`presparse bench`: training speed of the core, its links, C and PyTorch, side by side in one run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from presparse.cli.outputs import PICTURE, check_outputs
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.errors import ArgumentError, MissingExtra
from presparse.terminal.options import NETWORK_HELP, AsJson, Force
from presparse.terminal.output import bar, drawn, put, say

if TYPE_CHECKING:
    from presparse.benchmark import Report
    from presparse.benchmark.pytorch import Steps
    from presparse.benchmark.sparse_linear import Comparison

NAME = "bench"
NETWORK = "mnist-dey"
PICTURES = ("speeds.png", "growth.png", "layers.png")


def run(
    network: Annotated[
        str | None, typer.Argument(help=f"{NETWORK_HELP} Default: {NETWORK}.", show_default=False)
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="A bundle: its network, lanes and fmax.", show_default=False)
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="The core's clock as routed for this board.", show_default=False)
    ] = None,
    store: Annotated[
        Literal["sdram", "block", "none"] | None,
        typer.Option(help="Likewise, with stored samples in this memory.", show_default=False),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of all contestants in turn; medians count.", min=1, max=1000)] = 5,
    seconds: Annotated[float, typer.Option(help="Length of one contestant's round.", min=0.02, max=3600)] = 0.5,
    growth: Annotated[bool, typer.Option(help="Measure how cost grows with edges, lanes and layers, too.")] = True,
    layers: Annotated[
        bool, typer.Option(help="Measure SparseLinear beside a masked dense layer, and training in PyTorch, too.")
    ] = True,
    plots: Annotated[Path | None, typer.Option(help="Write the pictures into this folder.", show_default=False)] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Measure how many samples per second everything trains that can train this network."""
    if bundle is not None and network is not None:
        raise ArgumentError(
            f"--bundle {bundle} has its own network, and {network} is given, too; leave one of them out"
        )
    if bundle is not None and (board is not None or store is not None):
        raise ArgumentError(f"--bundle {bundle} has its own board and store; leave --board and --store out")
    if plots is not None:
        if not os.path.isdir(plots):  # a name that is too long is none
            raise ArgumentError(f"--plots {plots}: there is no such folder; make it, or choose another")
        check_outputs(*((plots / name, PICTURE) for name in PICTURES), inputs=(network, bundle), force=force)
    with bar("importing PyTorch") as shown:
        try:
            from presparse.benchmark import clock, measure  # torch, where it is needed only

            if plots is not None:
                from presparse.benchmark.plots import draw
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"bench needs the Python package {error.name}, which is not installed: "
                "pip install 'presparse[train,sim,report]'"
            ) from error
        if bundle is not None:
            build, speed = clock.of_bundle(bundle)
        else:
            shape = Network.load(network or NETWORK)
            found = clock.recorded(shape, board=board, memory=store)
            if found is None and (board is not None or store is not None):
                raise ArgumentError(
                    f"no routed design of {shape.name} is recorded for board {board or 'any'} and store "
                    f"{store or 'any'}; build one (presparse build) and give its bundle with --bundle"
                )
            build, speed = found or (Build(network=shape), None)
        shown.restart(f"measuring {build.network.name}")
        report = measure(
            build,
            speed,
            rounds=rounds,
            seconds=seconds,
            with_growth=growth,
            with_layers=layers,
            tell=shown.show,
        )
    if plots is not None:
        for path in draw(report, plots):
            say(f"wrote {path}")
    put(report.figures(), as_json=as_json, text="" if as_json else drawn([*_shown(report)], width=200))


def _shown(report: Report) -> Iterator[Table | Text]:
    """The report for people."""
    core = report.core
    yield Text(
        f"{report.network}, {report.edges:,} edges; {report.machine.processor}; medians of {report.rounds} rounds; "
        "x: times tuned C in batches of one sample, on one core\n"
    )
    rows = _table("", "trained/s", "x", "inferred/s", "x", "x plain C", "of limit", "how")
    for row in report.rows:
        rows.add_row(
            row.name,
            _digits(row.samples_per_second),
            _digits(row.times_tuned),
            _digits(row.inferences_per_second),
            _digits(row.inferences_times_tuned),
            _digits(row.times_plain_c),
            _number(row.of_limit, ".1%"),
            row.how,
        )
    yield rows
    yield Text(
        f"\nlanes {', '.join(map(str, core.lanes))}: {core.multipliers:,} multipliers, {core.products_per_sample:,} "
        f"useful products in {core.cycles_per_sample:g} cycles per sample: {core.utilization:.1%} utilized"
    )
    took = "" if core.latency_us is None else f", {core.latency_us:,.2f} µs at fmax"
    yield Text(f"one inference takes {core.latency_cycles:,} cycles in the core{took} (calculated)")
    if core.limit_samples_per_second is not None and core.distance_to_limit is not None:
        yield Text(
            f"limit, {core.multipliers:,} multipliers at {core.fmax_mhz:.1f} MHz: "
            f"{_digits(core.limit_samples_per_second)} "
            f"samples/s; the core is {core.distance_to_limit:.1%} below it"
        )
        yield Text(f"fmax from: {core.fmax_source}")
    else:
        yield Text("the core's samples/s need a clock: name a bundle (--bundle), or see docs/performance.md")
    if report.layers:
        yield from _layers(report.layers)
        yield from _steps(report.steps)


def _layers(layers: Sequence[Comparison]) -> Iterator[Table | Text]:
    """When SparseLinear pays: above 1 it is faster than the masked layer."""
    yield Text(
        f"\nSparseLinear beside a dense layer times a mask, float32, batch {layers[0].batch}; memory in MB, "
        "sparse | masked"
    )
    rows = _table("layer", "density", "x forward", "x forward and backward", "weights, Adam", "kept for backward")
    for one in layers:
        held, saved = (
            f"{of_sparse / 1e6:.1f} | {of_masked / 1e6:.1f}"
            for of_sparse, of_masked in (
                (one.sparse.held_bytes, one.masked.held_bytes),
                (one.sparse.saved_bytes, one.masked.saved_bytes),
            )
        )
        layer = f"{one.left} -> {one.right}"
        rows.add_row(layer, f"{one.density:.1%}", f"{one.times_pass:.2f}", f"{one.times_step:.2f}", held, saved)
    yield rows


def _steps(steps: Sequence[Steps]) -> Iterator[Table | Text]:
    """What quantization costs a training in PyTorch, and what sparsity saves."""
    first = steps[0]
    yield Text(
        f"\ntraining in PyTorch, {' -> '.join(map(str, first.layers))}, batch {first.batch}, Adam: samples/s, and time "
        "over that of sparse layers in floating point"
    )
    rows = _table("density", "floating point", "quantized", "takes x", "dense", "takes x")
    for one in steps:
        speeds = (_digits(speed) for speed in (one.floating_point, one.quantized, one.dense))
        floating_point, quantized, dense = speeds
        rows.add_row(
            f"{one.density:.1%}",
            floating_point,
            quantized,
            f"{one.quantized_takes:.2f}",
            dense,
            f"{one.dense_takes:.2f}",
        )
    yield rows


def _table(first: str, *others: str) -> Table:
    """Words on the left, numbers on the right of their columns."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="left" if heading == "how" else "right")
    return table


def _digits(value: float | None) -> str:
    from presparse.benchmark.rounds import three_digits  # with torch, where it is needed only

    return "-" if value is None else three_digits(value)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
