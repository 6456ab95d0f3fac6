"""`presparse bench`: training speed of the core, its links, C and PyTorch, side by side in one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from presparse.cli.outputs import PICTURE, check_outputs
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.errors import ArgumentError, MissingExtra
from presparse.terminal.options import NETWORK_HELP, AsJson, Force
from presparse.terminal.output import bar, put, say

if TYPE_CHECKING:
    from presparse.benchmark import Report
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
    rounds: Annotated[int, typer.Option(help="Rounds of all contestants in turn; medians count.", min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="Length of one contestant's round.", min=0.02)] = 0.5,
    growth: Annotated[bool, typer.Option(help="Measure how cost grows with edges, lanes and layers, too.")] = True,
    layers: Annotated[bool, typer.Option(help="Measure SparseLinear beside a masked dense layer, too.")] = True,
    plots: Annotated[Path | None, typer.Option(help="Write the pictures into this folder.", show_default=False)] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Measure how many samples per second everything trains that can train this network."""
    if bundle is not None and network is not None:
        raise ArgumentError(
            f"--bundle {bundle} has its own network, and {network} is given, too; leave one of them out"
        )
    if plots is not None:
        if not plots.is_dir():
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
            build, speed = clock.recorded(shape) or (Build(network=shape), None)
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
    put(report.figures(), as_json=as_json, text=table(report))


def table(report: Report) -> str:
    """The report for people."""
    core = report.core
    lines = [
        f"training {report.network}, {report.edges:,} edges; one core of {report.machine.processor}; "
        f"medians of {report.rounds} rounds",
        "",
        f"{'':<44}{'samples/s':>12}{'x eager':>10}{'x plain C':>11}{'of limit':>10}  how",
    ]
    for row in report.rows:
        lines.append(
            f"{row.name:<44}{_number(row.samples_per_second, ',.0f'):>12}{_number(row.times_eager, ',.2f'):>10}"
            f"{_number(row.times_plain_c, ',.3f'):>11}{_number(row.of_limit, '.2%'):>10}  {row.how}"
        )
    lines += [
        "",
        f"lanes {', '.join(map(str, core.lanes))}: {core.multipliers:,} multipliers, {core.products_per_sample:,} "
        f"useful products in {core.cycles_per_sample:g} cycles per sample: {core.utilization:.1%} utilized",
    ]
    took = "" if core.latency_us is None else f", {core.latency_us:,.2f} µs at fmax"
    lines.append(f"one inference takes {core.latency_cycles:,} cycles in the core{took} (calculated)")
    if core.limit_samples_per_second is not None and core.distance_to_limit is not None:
        lines.append(
            f"limit, {core.multipliers:,} multipliers at {core.fmax_mhz:.1f} MHz: {core.limit_samples_per_second:,.0f} "
            f"samples/s; the core is {core.distance_to_limit:.1%} below it"
        )
        lines.append(f"fmax from: {core.fmax_source}")
    else:
        lines.append("the core's samples/s need a clock: name a bundle (--bundle), or see docs/performance.md")
    if report.layers:
        lines += ["", *_layers(report.layers)]
    return "\n".join(lines)


def _layers(layers: Sequence[Comparison]) -> Iterator[str]:
    """When SparseLinear pays: above 1 it is faster than the masked layer."""
    yield (
        f"SparseLinear beside a dense layer times a mask, float32, batch {layers[0].batch}; memory in MB, "
        "sparse | masked"
    )
    yield (
        f"{'layer':<14}{'density':>9}{'x forward':>11}{'x forward and backward':>24}{'weights, Adam':>18}"
        f"{'kept for backward':>20}"
    )
    for one in layers:
        held, saved = (
            f"{of_sparse / 1e6:.1f} | {of_masked / 1e6:.1f}"
            for of_sparse, of_masked in (
                (one.sparse.held_bytes, one.masked.held_bytes),
                (one.sparse.saved_bytes, one.masked.saved_bytes),
            )
        )
        yield (
            f"{f'{one.left} -> {one.right}':<14}{one.density:>9.1%}{one.times_pass:>11.2f}{one.times_step:>24.2f}"
            f"{held:>18}{saved:>20}"
        )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
