"""A little of `make faults`, `make kills` and `make soak`; and that they notice a host that does something twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.contract.samples import Samples
from presparse.contract.wire import RunState
from presparse.device.links.faulty import FAULTS
from presparse.device.run_watch import RunWatch
from presparse.device.session import Session
from presparse.errors import LinkError
from presparse_sim.board import open_link
from presparse_sim.campaigns import kills, lies
from presparse_sim.campaigns.builds import BUILDS
from presparse_sim.campaigns.cuts import cut_everywhere
from presparse_sim.campaigns.faults import campaign
from presparse_sim.campaigns.lies import boards_that_lie
from presparse_sim.campaigns.lies import lies as lies_of
from presparse_sim.campaigns.memory import ALLOWED_MIB, Look, growth
from presparse_sim.campaigns.opens import grown
from presparse_sim.campaigns.row import total
from presparse_sim.campaigns.sessions import random_sessions
from presparse_sim.campaigns.soak import soak
from presparse_sim.campaigns.victims import Victim

pytestmark = pytest.mark.slow


def test_harmed_frames_cuts_and_garbage_change_nothing() -> None:
    rows, footprints = campaign(frames=160, every=601, garbage=10_000, lies=16, vanished=3, opens=10, seed=5)
    everything = total(rows)
    assert everything.mismatches == []
    assert everything.faulted >= 160
    assert everything.compared > 10_000
    assert {row.fault for row in rows} >= {*FAULTS, "all of these", "cut at every byte", "lies about counts"}
    assert len(footprints) == 2


@pytest.mark.nightly
def test_a_few_seconds_of_everything() -> None:
    for build in BUILDS:  # compiled beforehand, or that takes all the time
        open_link(build).close()
    lasting, looks = soak(seconds=4.0, seed=1)
    assert [mismatch for one in lasting for mismatch in one.row.mismatches] == []
    assert sum(one.row.compared for one in lasting) > 0
    assert all(look.mib > 0 for look in looks)


def test_memory_that_grows_is_noticed() -> None:
    flat = [Look(seconds=i, mib=300 + i % 2) for i in range(100)]
    leaking = [Look(seconds=i, mib=300 + 0.5 * i) for i in range(100)]
    assert growth(flat) < ALLOWED_MIB < growth(leaking)


def test_what_stays_open_is_noticed() -> None:
    flat = [Look(seconds=i, mib=300, descriptors=7 + (i == 19), threads=2) for i in range(20)]
    leaking = [Look(seconds=i, mib=300, descriptors=7 + i, threads=2 + i // 5) for i in range(20)]
    assert grown(flat) == []
    assert grown(leaking) == ["descriptors grew from 8 to 17", "threads grew from 2 to 4"]


def test_a_host_that_waits_for_ever_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that stands still never ends for it."""
    monkeypatch.setattr(RunWatch, "see", lambda watch, state, patience: None)
    monkeypatch.setattr(lies, "lies", lambda rng: {"fed": lies_of(rng)["fed stands still"]})
    monkeypatch.setattr(Session, "follow", bounded_looks(Session.follow))
    with pytest.raises(EndlessWait):
        boards_that_lie(20, 1)


class EndlessWait(Exception):
    """Somebody looked too often."""


def bounded_looks(follow: Callable[[Session], RunState]) -> Callable[[Session], RunState]:
    looks = 0

    def counted(session: Session) -> RunState:
        nonlocal looks
        looks += 1
        if looks > 500:
            raise EndlessWait
        return follow(session)

    return counted


def test_a_host_that_trains_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error this host forgets how far the board had come, and sends all samples again."""
    run = Session.feed

    def again(self: Session, samples: Samples) -> NDArray[np.int64]:
        try:
            return run(self, samples)
        except LinkError:
            return run(self, samples)

    monkeypatch.setattr(Session, "feed", again)
    row = random_sessions("truncate", ("truncate",), 400, 1)
    assert row.mismatches


def test_cuts_are_really_made() -> None:
    rows = cut_everywhere(499, lambda cuts: None)
    assert sum(row.faulted for row in rows) > 10
    assert all(row.errors.total() for row in rows)


_CARELESS = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with open("file", "w") as file:
    for _ in range(100):
        file.write("x" * 10_000)
        file.flush()
        time.sleep(0.02)
"""


def test_a_kill_notices_what_is_lost_and_who_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kills, "_LEFT", 0.5)

    def half_written(folder: Path) -> list[str]:
        return [] if (folder / "file").stat().st_size == 1_000_000 else ["file"]

    def prepare(folder: Path) -> None:
        (folder / "file").write_text("x" * 1_000_000)

    careless = Victim(
        name="careless", command=["-c", _CARELESS], share=1, prepare=prepare, harmed=half_written, window=0.5
    )
    [toll] = kills.campaign([careless], 3, 1, seed=1)
    assert toll.kills.total() == 3
    assert (toll.lost, toll.hangs) == (["file"] * len(toll.lost), 0)
    assert toll.lost
    assert toll.left == 3
    assert json.loads(json.dumps(vars(toll)))["kills"] == dict(toll.kills)  # as the command prints it
