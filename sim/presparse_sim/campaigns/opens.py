"""A device that is opened and closed again and again: what the process holds must stay the same."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

from presparse import opening
from presparse.errors import PresparseError
from presparse_sim.board import open_link
from presparse_sim.campaigns.bounded import bounded
from presparse_sim.campaigns.builds import STORED
from presparse_sim.campaigns.memory import ALLOWED_MIB, Look, growth
from presparse_sim.campaigns.row import Row
from presparse_sim.campaigns.served import served

_LOOKS = 20
"""At the process, in all."""

Told = Callable[[int], None]


def opened_again_and_again(times: int, told: Told = lambda done: None) -> list[tuple[Row, list[Look]]]:
    """So many opens and closes of the simulated board, and as many of one that is served over TCP."""
    found = [_repeated("sim, opened, closed", "sim", times, told)]
    board = open_link(STORED)
    with served(board, idle=60.0) as port:
        found.append(_repeated("served, opened, closed", f"tcp:127.0.0.1:{port}", times, told))
    board.close()
    return found


def _repeated(name: str, device: str, times: int, told: Told) -> tuple[Row, list[Look]]:
    row, began, looks = Row(fault=name), time.monotonic(), []
    for number in range(times):
        try:
            with bounded(), opening.open(device, STORED) as board:
                board.identify()
        except PresparseError as error:
            row.mismatches.append(f"{name}, number {number}: {error}")
            break
        row.sessions += 1
        if number % max(1, times // _LOOKS) == 0:
            gc.collect()
            looks.append(Look.now(time.monotonic() - began))
        told(number + 1)
    row.compared = len(looks)
    row.mismatches += [f"{name}: {text}" for text in grown(looks)]
    row.seconds = time.monotonic() - began
    return row, looks


def grown(looks: Sequence[Look]) -> list[str]:
    """What there was more of in the second half, always, than at the second look (the first finds things half made)."""
    if len(looks) < 4:
        return []
    early, late, mib = looks[1], looks[len(looks) // 2 :], growth(looks)
    descriptors, threads = min(look.descriptors for look in late), min(look.threads for look in late)
    found = [
        f"{what} grew from {before} to {after}"
        for what, before, after in (
            ("descriptors", early.descriptors, descriptors),
            ("threads", early.threads, threads),
        )
        if after > before
    ]
    return found + ([f"memory grew by {mib:.1f} MiB, and may grow by {ALLOWED_MIB:g}"] if mib > ALLOWED_MIB else [])


def footprint(name: str, looks: Sequence[Look]) -> str:
    """What the process held at the second look and at the last, in one line."""
    early, late = looks[min(1, len(looks) - 1)], looks[-1]
    return (
        f"{name}: {early.descriptors} to {late.descriptors} descriptors, {early.threads} to {late.threads} threads, "
        f"{early.mib:.1f} to {late.mib:.1f} MiB"
    )
