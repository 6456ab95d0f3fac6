"""The top behind its UART: the host's own driver, at the board's baud rate and clock, through two pins."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.task import bridge

from presparse.contract.address_map import LINK_COUNTERS
from presparse.contract.build import Build
from presparse.contract.operations import MAX_PAYLOAD
from presparse.contract.samples import Samples
from presparse.contract.wire import ANSWER_HEADER, CRC_BYTES, WINDOW
from presparse.device.session import Session
from presparse.errors import DeviceFault
from presparse.model import Model
from presparse.reference.pytorch import Reference
from presparse_hw.accelerator import UartAccelerator
from presparse_hw.link.uart import FRAME_BITS
from presparse_sim.benches import places
from presparse_sim.benches.journal import Journal
from presparse_sim.benches.stimuli import kinds_of, random_model, random_samples
from presparse_sim.benches.streams import clock_cycle, start
from presparse_sim.benches.task import Task
from presparse_sim.benches.uart import PinLink

_BATCH = 8
"""Samples between two lines of progress."""


@cocotb.test()
async def pins(dut: HierarchyObject) -> None:
    """Identify, load and read back, predict, train, flush, read the whole state: everything as the host does it."""
    task = Task.given()
    period_ps = 2 * round(1e12 / task.clock_hz / 2)  # half of it must be a whole number, too
    with Journal(task, lambda: clock_cycle(period_ps)) as journal:
        start(dut, UartAccelerator(task.build, round(task.clock_hz / task.baud)), period_ps)
        link = PinLink(dut, task.baud, task.rng)
        link.run()
        await bridge(drive)(task, link, journal, period_ps)


def drive(task: Task, link: PinLink, journal: Journal, period_ps: int) -> None:
    """The session of a user, and the same on the reference. Blocks: runs in a thread."""
    build, rng = task.build, task.rng
    session = Session(
        lambda: link, build, clock=link, timeout=_timeout(build, task), retries=1, first_sequence=int(rng.integers(256))
    )
    accepted = session.identify().accepted
    assert accepted == 0, f"a board that just began has accepted {accepted} samples"

    model = random_model(rng, build.network)
    reference = Reference(build, model)

    def check(expected: Model) -> None:
        journal.progress(0, 0, "reading the whole state")
        parameters = session.read()
        state = (parameters.left, parameters.weights, parameters.biases)
        journal.compared += places.check_state(
            build, (expected.left, expected.weights, expected.biases), state, clock_cycle(period_ps)
        )

    journal.progress(0, 0, "loading and reading back")
    try:
        session.load(model)  # writes, reads back, compares
    except DeviceFault:
        check(model)  # says where
        raise
    session.clear_counters()
    for kind in kinds_of(build):  # each alone, then all of them mixed
        _compare(session, reference, random_samples(rng, build, task.samples // 4, [kind]), journal, period_ps)
    mixed = random_samples(rng, build, task.samples - journal.samples, kinds_of(build))
    _compare(session, reference, mixed, journal, period_ps)
    check(reference.model())

    counters = session.counters()
    for name, expected in reference.counters.items():
        assert counters[name] == expected, f"counter {name}: expected {expected}, got {counters[name]}"
    for name in LINK_COUNTERS:
        clean = name == "frames_accepted" or counters[name] == 0
        assert clean, f"counter {name}: {counters[name]} frames, on a line without faults"
    journal.compared += len(counters)


def _compare(session: Session, reference: Reference, samples: Samples, journal: Journal, period_ps: int) -> None:
    """Feed samples and a flush to both, and compare the scores."""
    got, expected = [], []
    for first in range(0, len(samples), _BATCH):
        part = samples[first : first + _BATCH]
        journal.progress(first, len(samples), "samples")
        got.append(session.feed(part))
        expected.append(reference.run(part))
        journal.samples += len(part)
    got.append(session.flush())
    expected.append(reference.flush())
    scores = np.concatenate(got)
    clocks = [clock_cycle(period_ps)] * len(scores)
    journal.compared += places.check_scores(session.build, np.concatenate(expected), scores, clocks)


def _timeout(build: Build, task: Task) -> float:
    """Seconds in which any answer comes: a whole window of the longest frames each way, and the pipeline drained."""
    frame = (ANSWER_HEADER + MAX_PAYLOAD + CRC_BYTES) * FRAME_BITS / task.baud
    schedule = build.schedule
    drained = (schedule.period * (schedule.depth + 2) + schedule.settle) / task.clock_hz
    return 4 * (2 * WINDOW * frame + drained)
