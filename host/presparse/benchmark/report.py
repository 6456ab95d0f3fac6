"""The whole measurement: one table, every speed beside every other, and the figures behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from presparse import plugins
from presparse.benchmark import driver, growth, pytorch, sparse_linear
from presparse.benchmark.clock import Clock, alike, with_a_store
from presparse.benchmark.core import Core
from presparse.benchmark.driver import Driver
from presparse.benchmark.errors import BenchmarkError
from presparse.benchmark.link import DEFAULT_BAUD, SimulatedBoard, Uart
from presparse.benchmark.machine import Machine
from presparse.benchmark.plain_c import plain_c
from presparse.benchmark.rounds import Rates, Tell, Trainer, interleave
from presparse.benchmark.store import Store, stored_cycles, with_store
from presparse.benchmark.tuned import tuned_inference, tuned_training
from presparse.benchmark.workload import COUNT, parts, sent_samples, training_samples
from presparse.contract.build import Build
from presparse.contract.samples import Samples
from presparse.model import Model
from presparse.reference.native import NativeReference
from presparse.reference.pytorch import Reference

TUNED = "tuned C, batch 1, one core"
EAGER = "PyTorch eager, sparse layers, batch 1"
PLAIN_C = "plain C, batch 1, one core"
_BATCH = 256
_TUNED_BATCH = 128
_STEADY = 64
"""Samples over which cycles are counted, after as many that fill the pipeline."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    samples_per_second: float | None
    """Trained; median over the rounds where it was timed; None for a core whose clock is not known."""
    times_eager: float | None
    """Over PyTorch eager, sparse layers, batch 1."""
    times_plain_c: float | None
    times_tuned: float | None
    """Over tuned C, batch 1, one core."""
    inferences_per_second: float | None
    """Median over the rounds where it was timed."""
    inferences_times_tuned: float | None
    calculated: bool
    """From a design's clock or a link's bit rate, and counted cycles or bytes; no board ran it."""
    of_limit: float | None
    """Of what the core's multipliers could do at the same clock."""
    slowest: float | None = None
    fastest: float | None = None
    """Of the rounds."""
    how: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `measure` found."""

    network: str
    edges: int
    machine: Machine
    rounds: int
    seconds: float
    rows: tuple[Row, ...]
    core: Core
    stored: Store
    link: Uart
    driver: Driver
    sent: str
    """What the samples are that links and the store carry."""
    simulated_cycles_per_second: float
    growth: tuple[growth.Point, ...]
    layers: tuple[sparse_linear.Comparison, ...]
    steps: tuple[pytorch.Steps, ...]

    def figures(self) -> dict[str, Any]:
        """Everything, as plain types."""
        return asdict(self)


def measure(
    build: Build,
    clock: Clock | None,
    *,
    rounds: int = 5,
    seconds: float = 0.5,
    with_growth: bool = True,
    with_layers: bool = True,
    tell: Tell = lambda done, of, note: None,
) -> Report:
    """Train the build's network with everything there is, one torch thread.

    Raises BenchmarkError (an inference build, too), CompilerError, and what the simulator raises.
    """
    if not build.training:
        raise BenchmarkError(
            f"bench measures training, and this build of {build.network.name} only infers; use one with mode 'train'"
        )
    machine = Machine.here()
    with pytorch.one_thread():
        return _measure(build, clock, machine, rounds, seconds, with_growth, with_layers, tell)


def _measure(
    build: Build,
    clock: Clock | None,
    machine: Machine,
    rounds: int,
    seconds: float,
    with_growth: bool,
    with_layers: bool,
    tell: Tell,
) -> Report:
    network = build.network
    # The core is fed as fast as it takes samples: nothing outside it counts.
    alone = Build(network=network, lanes=build.lanes, gap=build.gap, feature_port=build.lanes[0])
    model, samples = Model.initial(network), training_samples(network)
    contestants: dict[str, Trainer] = {}
    predicting: dict[str, Trainer] = {}
    how: dict[str, str] = {}
    predictions = Samples.predict(samples.features)

    def enter(name: str, described: str, make: Callable[[], Trainer], infer: Callable[[], Trainer] | None) -> None:
        tell(len(contestants), 12, f"preparing {name}")
        contestants[name], how[name] = make(), described
        if infer is not None:
            predicting[name] = infer()

    def run_by(name: str, described: str, make: Callable[[], Any]) -> None:
        """Anything with `run(samples)`."""
        enter(name, described, lambda: _runner(make(), samples), lambda: _runner(make(), predictions))

    cores = machine.cores
    threaded = [f"tuned C, batch {_TUNED_BATCH}, all {cores} cores"] if cores > 1 else []
    for name, batch, threads in (
        (TUNED, 1, 1),
        (f"tuned C, batch {_TUNED_BATCH}, one core", _TUNED_BATCH, 1),
        *((name, _TUNED_BATCH, cores) for name in threaded),
    ):
        enter(
            name,
            "float32, vectors, checked against numpy",
            lambda b=batch, t=threads: tuned_training(model, samples, batch=b, threads=t),
            None if batch > 1 and threads == 1 else lambda t=threads: tuned_inference(model, samples, threads=t),
        )
    enter(PLAIN_C, "float32, same pattern, checked against numpy", lambda: plain_c(model, samples), None)
    for batch in (1, _BATCH):
        for masked, layers in ((False, "sparse"), (True, "masked dense")):
            enter(
                f"PyTorch eager, {layers} layers, batch {batch}",
                "float32, SGD",
                lambda m=masked, b=batch: pytorch.eager(model, samples, masked=m, batch=b),
                lambda m=masked, b=batch: pytorch.eager_inference(model, samples, masked=m, batch=b),
            )
    run_by("reference in C", "emulator:c, bit-exact", lambda: NativeReference(alone, model))
    run_by("reference in PyTorch", "emulator, bit-exact", lambda: Reference(alone, model))
    simulated = {}
    for name, make in plugins.simulated_cores().items():
        tell(len(contestants), 12, f"preparing {name}")
        simulated[name] = make(alone, model)
        run_by(name, "gateware, cycle by cycle", lambda n=name: simulated[n])
    tell(len(contestants), 12, "preparing the simulated board")
    storing = with_store(build)
    sent, what = sent_samples(storing)
    board = SimulatedBoard(storing, model)
    try:
        enter("simulated board, end to end", "driver, link and core", lambda: board.trainer(samples), None)
        rates = interleave(contestants, rounds=rounds, seconds=seconds, threaded=threaded, tell=tell)
        inferring = interleave(predicting, rounds=rounds, seconds=seconds, threaded=threaded, tell=tell)
        tell(0, 1, "measuring the driver")
        own, uart = driver.measure(storing, sent, clock.baud if clock else DEFAULT_BAUD, seconds)
        store = Store.of(stored_cycles(board.session, sent), clock if build.store else None)
    finally:
        board.close()
    cycles = min(_cycles_per_sample(core, samples) for core in simulated.values())
    points, layers, steps = [], [], []
    if with_growth:
        points = growth.measure(rounds=3, seconds=seconds / 10, tell=lambda note: tell(0, 1, note))
    if with_layers:
        layers = sparse_linear.measure(rounds=rounds, seconds=seconds / 5, tell=lambda note: tell(0, 1, note))
        steps = pytorch.measure_steps(rounds=rounds, seconds=seconds / 5, tell=lambda note: tell(0, 1, note))
    core = Core.of(build, cycles, clock)
    return Report(
        network=network.name,
        edges=network.edges,
        machine=machine,
        rounds=rounds,
        seconds=seconds,
        rows=tuple(_rows(core, store, uart, own, what, rates, inferring, how, alike(network), with_a_store(build))),
        core=core,
        stored=store,
        link=uart,
        driver=own,
        sent=what,
        simulated_cycles_per_second=max(rates[name].median for name in simulated) * cycles,
        growth=tuple(points),
        layers=tuple(layers),
        steps=tuple(steps),
    )


def _runner(engine: Any, samples: Samples) -> Trainer:
    """Anything with `run(samples)`, over and over."""

    def train(count: int) -> None:
        for part in parts(len(samples), count, COUNT):
            engine.run(samples[part])

    return train


def _cycles_per_sample(core: Any, samples: Samples) -> float:
    """In steady state, the pipeline full."""
    core.run(samples[:_STEADY])
    before = core.cycles
    core.run(samples[_STEADY : 2 * _STEADY])
    return (core.cycles - before) / _STEADY


def _rows(
    core: Core,
    store: Store,
    uart: Uart,
    own: Driver,
    sent: str,
    rates: dict[str, Rates],
    inferring: dict[str, Rates],
    how: dict[str, str],
    routes: Sequence[tuple[Build, Clock]],
    storing: Sequence[Clock],
) -> list[Row]:
    """Tuned C first, then everything from the fastest on."""
    eager, c, tuned = (rates[name].median for name in (EAGER, PLAIN_C, TUNED))
    limit = core.limit_samples_per_second

    def row(name: str, speed: float | None, described: str, inferences: float | None = None) -> Row:
        return Row(
            name=name,
            samples_per_second=speed,
            times_eager=speed / eager if speed else None,
            times_plain_c=speed / c if speed else None,
            times_tuned=speed / tuned if speed else None,
            inferences_per_second=inferences,
            inferences_times_tuned=inferences / inferring[TUNED].median if inferences else None,
            calculated=True,
            of_limit=speed / limit if speed and limit else None,
            how=described,
        )

    at = f"{core.board} at {core.fmax_mhz:.1f} MHz" if core.fmax_mhz else "no routed design"
    both = min(uart.samples_per_second, core.samples_per_second or uart.samples_per_second)
    calculated = "calculated, no board ran it:"
    counted = f"{calculated} fmax / {core.cycles_per_sample:g} cycles"
    from_store = f"{calculated} fmax / {store.cycles_per_sample:g} cycles"
    rows = [
        row(f"core, {at}", core.samples_per_second, counted, core.samples_per_second),
        row(
            f"end to end, UART at {uart.baud:,} baud",
            both,
            f"{calculated} {max(uart.bytes_per_sample, uart.bytes_from_board):,.0f} bytes per sample, of {sent}",
        ),
        replace(row("driver, to frames", own.samples_per_second, f"{sent}, no board"), calculated=False),
    ]
    if store.samples_per_second:
        rows.append(row("end to end, samples stored on the board", store.samples_per_second, from_store))
    elif not storing:
        cycles = f"{store.cycles_per_sample:g} cycles per sample; no routed design with a store"
        rows.append(row("end to end, samples stored on the board", None, cycles))
    for build, clock in routes:
        if (clock.board, clock.fmax_mhz) == (core.board, core.fmax_mhz):
            continue
        period = build.schedule.period
        speed = clock.fmax_mhz * 1e6 / period
        mode = "" if build.training else ", inference build"
        name = f"core, {clock.board} at {clock.fmax_mhz:.1f} MHz, {build.network.name} on {build.lanes} lanes{mode}"
        other = row(name, speed if build.training else None, f"{calculated} fmax / {period} cycles", speed)
        rows.append(replace(other, of_limit=None))  # it has other multipliers
    for clock in storing:
        if (clock.board, clock.fmax_mhz) == (core.board, core.fmax_mhz):
            continue
        speed = clock.fmax_mhz * 1e6 / store.cycles_per_sample
        name = f"end to end, samples stored on the board, {clock.board} at {clock.fmax_mhz:.1f} MHz"
        rows.append(replace(row(name, speed, from_store), of_limit=None))  # the limit is another clock's
    for name, found in rates.items():
        inferred = inferring.get(name)
        rows.append(
            Row(
                name=name,
                samples_per_second=found.median,
                times_eager=found.times(rates[EAGER]),
                times_plain_c=found.times(rates[PLAIN_C]),
                times_tuned=found.times(rates[TUNED]),
                inferences_per_second=inferred.median if inferred else None,
                inferences_times_tuned=inferred.times(inferring[TUNED]) if inferred else None,
                calculated=False,
                of_limit=found.median / limit if limit else None,
                slowest=min(found.rounds),
                fastest=max(found.rounds),
                how=how[name],
            )
        )

    def place(own: Row) -> tuple[bool, float]:
        speed = own.samples_per_second or own.inferences_per_second or float("inf")
        return not own.name.startswith("tuned C"), -speed

    return sorted(rows, key=place)
