"""The soak test, `make soak`: an hour of everything that hosts do to boards; in the end every bit is the reference's,
and memory as much as at first.

`python -m presparse_sim.campaigns.soak --seconds 3600` keeps two simulated boards and drives them in turn, half of the
time over links that harm frames. After every turn the board's whole state is compared with the reference. Status 1 if
anything differs, or if memory grew.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from presparse.contract.build import Build
from presparse.device.links.faulty import FAULTS, Faults, FaultyLink
from presparse.errors import PresparseError
from presparse.support import atomic_files
from presparse.terminal.options import AsJson
from presparse.terminal.output import bar, put, say
from presparse_sim.board import open_link
from presparse_sim.campaigns.bounded import bounded
from presparse_sim.campaigns.builds import BUILDS
from presparse_sim.campaigns.memory import ALLOWED_MIB, Look, growth, plot
from presparse_sim.campaigns.row import Row, table
from presparse_sim.campaigns.sessions import bearable
from presparse_sim.campaigns.twins import TIMEOUT, BoardTime, Mismatch, Twins
from presparse_sim.campaigns.workload import Workload

STEPS = 40
"""Calls in a turn, which ends with a comparison."""
_LOOKS = 400
"""At memory, in the whole run."""


class Lasting:
    """One board for the whole run."""

    def __init__(self, build: Build, rng: np.random.Generator) -> None:
        self.board = open_link(build)
        clock = BoardTime(self.board)
        self.faults = Faults(rng, 0.0, delay=3 * TIMEOUT)
        self.twins = Twins(build, lambda: FaultyLink(self.board, self.faults, clock=clock), clock, rng)
        self.workload = Workload(self.twins, rng)
        self.row = Row(fault=build.network.name)
        self._rng = rng

    def turn(self, steps: int) -> None:
        """So many calls, over a good link or a bad one, and a comparison. Raises Mismatch."""
        began = time.monotonic()
        probability = float(self._rng.choice([0.0, 0.0, 0.03, 0.15]))
        count = int(self._rng.integers(1, len(FAULTS) + 1))
        self.faults.kinds = tuple(FAULTS[i] for i in self._rng.permutation(len(FAULTS))[:count])
        self.faults.probability = bearable(probability, self.faults.kinds)
        for _ in range(steps):
            with bounded():
                self.workload.step()
        with bounded():
            self.twins.compare()
        twins, faults = self.twins, self.faults
        self.row.sessions, self.row.errors, self.row.compared = twins.sessions, twins.errors, twins.compared
        self.row.frames, self.row.faulted, self.row.retried = faults.frames, faults.struck.total(), faults.repeated
        self.row.seconds += time.monotonic() - began


def soak(seconds: float, seed: int) -> tuple[list[Lasting], list[Look]]:
    """Turns until the time is over; a difference ends the run and stands in its row."""
    began = time.monotonic()
    boards = [Lasting(build, np.random.default_rng([seed, number])) for number, build in enumerate(BUILDS)]
    looks: list[Look] = []
    turns = 0
    with bar("soak") as shown:
        while (elapsed := time.monotonic() - began) < seconds:
            board = boards[turns % len(boards)]
            try:
                board.turn(STEPS)
            except (Mismatch, PresparseError) as error:
                board.row.mismatches.append(f"seed {seed}, turn {turns}: {error}")
                break
            turns += 1
            if not looks or elapsed >= looks[-1].seconds + seconds / _LOOKS:
                looks.append(Look.now(elapsed))
            calls = sum(b.workload.done.total() for b in boards)
            shown.show(int(elapsed), int(seconds), f"s, {calls:,} calls, {looks[-1].mib:.0f} MiB")
    return boards, looks


def main(
    seconds: Annotated[float, typer.Option(help="How long.", min=1)] = 3600,
    seed: Annotated[int, typer.Option(help="Of everything.", min=0)] = 0,
    picture: Annotated[
        Path | None, typer.Option("--plot", help="Draw memory over time into this PNG.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Drive simulated boards for long, and compare them with the reference all the time."""
    if picture is not None:
        atomic_files.check_writable(picture)
    boards, looks = soak(seconds, seed)
    rows = [board.row for board in boards]
    grown = growth(looks)
    calls = sum((board.workload.done for board in boards), Counter[str]())
    samples = sum(board.workload.samples for board in boards)
    cycles = sum(board.board.cycles for board in boards)
    mismatches = [text for row in rows for text in row.mismatches]
    if grown > ALLOWED_MIB:
        mismatches.append(f"memory grew by {grown:.1f} MiB, and may grow by {ALLOWED_MIB:g}")
    say(table(rows))
    say("calls: " + ", ".join(f"{count:,} {name}" for name, count in sorted(calls.items())))
    if picture is not None:
        plot(looks, picture)
    put(
        {
            "seed": seed,
            "seconds": seconds,
            "rows": [row.figures for row in rows],
            "calls": dict(calls),
            "samples": samples,
            "cycles": cycles,
            "memory_mib": [[round(look.seconds, 1), round(look.mib, 2)] for look in looks],
            "memory_growth_mib": round(grown, 2),
            "mismatches": mismatches,
        },
        as_json=as_json,
        text=f"{calls.total():,} calls, {samples:,} samples, {cycles:,} cycles; memory {looks[0].mib:.0f} to "
        f"{looks[-1].mib:.0f} MiB; {len(mismatches)} mismatches",
    )
    if mismatches:
        for text in mismatches:
            say(f"MISMATCH: {text}")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
