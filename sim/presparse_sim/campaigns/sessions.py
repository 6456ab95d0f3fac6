"""Random sessions over a link that harms frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from presparse.contract.build import Build
from presparse.device.links.faulty import Fault, Faults, FaultyLink
from presparse.errors import PresparseError
from presparse_sim.board import open_link
from presparse_sim.campaigns.bounded import bounded
from presparse_sim.campaigns.builds import BUILDS
from presparse_sim.campaigns.row import Row
from presparse_sim.campaigns.twins import TIMEOUT, BoardTime, Mismatch, Twins
from presparse_sim.campaigns.workload import Workload

STEPS = 400
"""Calls to one board before the next begins: some dozen sessions."""
PROBABILITIES = (0.03, 0.1, 0.15)
"""That a frame is harmed; chosen anew every few calls. With a quarter of them, one request in thirty fails with all its
repeats, and no upload of a hundred requests gets through."""
MOST: dict[Fault, float] = {"cut": 0.02, "delay": 0.05}
"""That a frame suffers these at most, or no host would ever get through an upload: to open a link again and learn where
the board stands takes some twenty frames, and frames that are late are sent again, to wait behind one another."""
_STEPS_ALIKE = 20


def random_sessions(
    name: str, kinds: tuple[Fault, ...], faulted: int, seed: int, told: Callable[[int], None] = lambda faulted: None
) -> Row:
    """Boards, one after the other, until so many frames were harmed; each ends with a comparison of all it holds.

    `told` receives how many were. The same seed gives the same bytes.
    """
    row, began, number = Row(fault=name), time.monotonic(), 0
    while row.faulted < faulted:
        build = BUILDS[number % len(BUILDS)]
        try:
            _one_board(row, build, kinds, faulted, np.random.default_rng([seed, number]), told)
        except (Mismatch, PresparseError) as error:
            row.mismatches.append(f"{name}, seed {seed}, board {number} ({build.network.name}): {error}")
        number += 1
    row.seconds = time.monotonic() - began
    return row


def bearable(probability: float, kinds: Sequence[Fault]) -> float:
    """That a frame is harmed: as often as this, if a host can get through."""
    return min([probability, *(most * len(kinds) for kind, most in MOST.items() if kind in kinds)])


def _one_board(
    row: Row,
    build: Build,
    kinds: tuple[Fault, ...],
    faulted: int,
    rng: np.random.Generator,
    told: Callable[[int], None],
) -> None:
    board = open_link(build)
    clock = BoardTime(board)
    faults = Faults(rng, 0.0, kinds, delay=3 * TIMEOUT)
    twins = Twins(build, lambda: FaultyLink(board, faults, clock=clock), clock, rng)
    workload = Workload(twins, rng)
    before = row.faulted
    try:
        for step in range(STEPS):
            if step % _STEPS_ALIKE == 0:
                faults.probability = bearable(float(rng.choice(PROBABILITIES)), kinds)
            with bounded():
                workload.step()
            row.faulted = before + faults.struck.total()
            told(row.faulted)
            if row.faulted >= faulted:
                break
        with bounded():
            twins.compare()
    finally:
        row.sessions += twins.sessions
        row.frames += faults.frames
        row.retried += faults.repeated
        row.errors += twins.errors
        row.compared += twins.compared
        board.close()
