"""Fault injection, `make faults`: 100,000 harmed frames, cuts at every byte, garbage into both ends, boards that lie
about counts, hosts that vanish, a thousand opens and closes; nothing may come of it.

`python -m presparse_sim.campaigns.faults --frames 100000` drives random sessions (load, train, predict, evaluate,
runs from the store, flush, reset, other hosts) through the simulated board, over links that harm frames in one way,
and in all ways at once. Whenever an error reaches the user, the board is asked where it stands and the rest follows.
Weights, pattern, scores and counters must be the reference's, bit for bit, as if nothing had happened. Status 1 and a
line for every difference if they are not; a wait without an end stops the whole with a traceback.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from presparse.device.links.faulty import FAULTS, Fault
from presparse.terminal.options import AsJson
from presparse.terminal.output import bar, put, say
from presparse_sim.campaigns.cuts import cut_everywhere
from presparse_sim.campaigns.garbage import into_board, into_host
from presparse_sim.campaigns.lies import boards_that_lie
from presparse_sim.campaigns.opens import footprint, opened_again_and_again
from presparse_sim.campaigns.row import Row, table, total
from presparse_sim.campaigns.sessions import random_sessions
from presparse_sim.campaigns.vanishing import hosts_that_vanish

ALL_AT_ONCE = "all of these"


def campaign(
    frames: int, every: int, garbage: int, lies: int, vanished: int, opens: int, seed: int
) -> tuple[list[Row], list[str]]:
    """Rows by kind of fault: `frames` harmed frames in all, a cut every so many bytes, so many bytes of garbage,
    sessions with boards that lie, hosts that vanish, opens and closes. And what the process held, by device."""
    kinds: list[tuple[str, tuple[Fault, ...]]] = [*((kind, (kind,)) for kind in FAULTS), (ALL_AT_ONCE, FAULTS)]
    each = -(-frames // len(kinds))
    rows: list[Row] = []
    with bar("faults on the link") as shown:
        for name, faults in kinds:
            shown.restart(name)
            rows.append(random_sessions(name, faults, each, seed, lambda done: shown.show(done, each, "frames")))
            shown.done(_line(rows[-1]))
        shown.restart("cuts")
        rows += cut_everywhere(every, lambda cuts: shown.note(f"{cuts:,} cuts"))
        shown.restart("garbage")
        rows.append(into_board(garbage, seed, lambda done: shown.show(done, garbage, "bytes to the board")))
        rows.append(into_host(garbage, seed, lambda done: shown.show(done, garbage, "bytes to the host")))
        shown.restart("lies")
        rows.append(boards_that_lie(lies, seed, lambda done: shown.show(done, lies, "sessions")))
        shown.restart("served")
        rows.append(hosts_that_vanish(vanished, seed, lambda done: shown.show(done, vanished, "hosts vanished")))
        shown.restart("opens")
        found = opened_again_and_again(opens, lambda done: shown.show(done, opens, "opens and closes"))
        rows += [row for row, _ in found]
    return rows, [footprint(row.fault, looks) for row, looks in found if looks]


def main(
    frames: Annotated[int, typer.Option(help="Frames to harm in random sessions.", min=1)] = 100_000,
    every: Annotated[int, typer.Option(help="Cut the short session after every so many bytes.", min=1)] = 1,
    garbage: Annotated[int, typer.Option(help="Bytes of garbage into each end of the link.", min=1)] = 10_000_000,
    lies: Annotated[int, typer.Option(help="Sessions with boards that lie about counts.", min=1)] = 2000,
    vanished: Annotated[int, typer.Option(help="Hosts that vanish from a served board.", min=1)] = 200,
    opens: Annotated[int, typer.Option(help="Opens and closes, of the simulation and over TCP.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Of everything; the same seed does the same again.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Harm what passes between host and board, and compare what both hold in the end with the reference."""
    began = time.monotonic()
    rows, footprints = campaign(frames, every, garbage, lies, vanished, opens, seed)
    say(table(rows))
    for line in footprints:
        say(line)
    everything = total(rows)
    put(
        {
            "seed": seed,
            "rows": [row.figures for row in rows],
            "total": everything.figures,
            "footprints": footprints,
        },
        as_json=as_json,
        text=f"{everything.faulted:,} of {everything.frames:,} frames harmed, {everything.retried:,} sent again, "
        f"{everything.errors.total():,} typed errors, {len(everything.mismatches)} mismatches "
        f"in {time.monotonic() - began:,.0f} s",
    )
    if everything.mismatches:
        raise typer.Exit(1)


def _line(row: Row) -> str:
    return f"{row.fault}: {row.faulted:,} of {row.frames:,} frames harmed, {len(row.mismatches)} mismatches"


if __name__ == "__main__":
    typer.run(main)
