"""The link is cut at every byte of a short session, and the board is found where it was."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind, StoredRun
from presparse.device.links.faulty import FaultyLink
from presparse.errors import PresparseError
from presparse_sim.board import open_link
from presparse_sim.campaigns.bounded import bounded
from presparse_sim.campaigns.builds import STORED, random_contents, random_model, random_samples
from presparse_sim.campaigns.row import Row
from presparse_sim.campaigns.twins import BoardTime, Mismatch, Twins

_ALL = (SampleKind.TRAIN, SampleKind.PREDICT, SampleKind.EVALUATE)


class ShortSession:
    """One board, and a session that can be had again and again: it begins by forgetting the one before."""

    def __init__(self, *, reconnects: int) -> None:
        rng = np.random.default_rng(1)
        self._board = open_link(STORED)
        clock = BoardTime(self._board)
        self._cut_after: int | None = None
        self._links: list[FaultyLink] = []

        def open_faulty() -> FaultyLink:
            self._links.append(FaultyLink(self._board, cut_after=self._cut_after, clock=clock))
            self._cut_after = None
            return self._links[-1]

        self.twins = Twins(STORED, open_faulty, clock, rng, reconnects=reconnects)
        self._model = random_model(rng, STORED.network)
        self._samples: list[Samples] = [
            random_samples(rng, STORED, 12, (SampleKind.TRAIN,)),
            random_samples(rng, STORED, 25, _ALL),
            random_samples(rng, STORED, 5, (SampleKind.PREDICT,)),
        ]
        self._contents = random_contents(rng, STORED, 9)
        self._compressed = self._contents.samples(
            StoredRun(kind=SampleKind.TRAIN, rate=2, slot=self._contents.slot, count=9)
        )

    def run(self, cut_after: int | None) -> bool:
        """The session; its first link is cut after so many bytes. Whether that was before its end. Raises Mismatch."""
        self._cut_after = cut_after
        self._links.clear()
        twins = self.twins
        twins.reconnect()
        twins.reset()
        twins.load(self._model)
        for samples in self._samples:
            twins.feed(samples)
        twins.store(self._contents)
        twins.play(StoredRun(kind=SampleKind.TRAIN, rate=4, slot=self._contents.slot, count=9, seed=3), stop_after=1000)
        twins.feed(self._compressed)
        twins.compare()
        return len(self._links) > 1

    def close(self) -> None:
        self._board.close()


def cut_everywhere(every: int = 1, told: Callable[[int], None] = lambda cuts: None) -> list[Row]:
    """Cuts after 0, `every`, 2 `every`, ... bytes, until the session is through before the cut.

    Once the session itself opens the link again; once its user gets an error, and another session goes on.
    `told` receives the number of cuts.
    """
    return [
        _cut(Row(fault="cut at every byte"), 5, every, told),
        _cut(Row(fault="  then another host"), 0, every, told),
    ]


def _cut(row: Row, reconnects: int, every: int, told: Callable[[int], None]) -> Row:
    began = time.monotonic()
    sessions = [ShortSession(reconnects=reconnects)]
    cut_after, cut = 0, True
    while cut:
        try:
            with bounded():
                cut = sessions[-1].run(cut_after)
        except (Mismatch, PresparseError) as error:
            row.mismatches.append(f"{row.fault}, after {cut_after} bytes: {error}")
            sessions.append(ShortSession(reconnects=reconnects))
        row.faulted += cut
        cut_after += every
        told(row.faulted)
    row.frames = row.faulted
    for session in sessions:
        row.sessions += session.twins.sessions
        row.errors += session.twins.errors
        row.compared += session.twins.compared
        session.close()
    row.seconds = time.monotonic() - began
    return row
