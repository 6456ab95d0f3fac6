"""Kills, `make kills`: programs that are ended at random moments lose nothing, hang nowhere and leave nobody behind.

`python -m presparse_sim.campaigns.kills --kills 500` starts trainings, savings, compiles, builds and experiments again
and again, and ends each at a random moment with SIGKILL, SIGTERM, SIGHUP or SIGINT, every other time twice. Then every
model is an old or a new one, and whole; what goes on ends as it would have in one go; caches and journals heal; and no
process that was started is left. Status 1 and a line for every exception.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import psutil
import typer

from presparse.support.processors import processors
from presparse.support.scratch import scratch_folder
from presparse.terminal.options import AsJson
from presparse.terminal.output import bar, put, say
from presparse_sim.campaigns.victims import CACHE, Victim, victims

_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_PATIENCE = 90.0
"""Seconds within which a program ends that was asked to."""
_LEFT = 10.0
"""Seconds within which those end that it had started."""
_MARK = "PRESPARSE_VICTIM"
"""A variable that all processes of one victim inherit."""
_TWICE = 0.2
"""Seconds between two signals."""


@dataclass(kw_only=True)
class Toll:
    """Of one kind of work."""

    name: str
    kills: Counter[str] = field(default_factory=Counter)
    too_late: int = 0
    """The work had ended by itself."""
    healed: int = 0
    """Times that the work was then brought to its end."""
    lost: list[str] = field(default_factory=list)
    """Models, bundles, journals and caches that are not as they should be."""
    hangs: int = 0
    left: int = 0
    """Processes."""


class Scene:
    """A folder in which one kind of work is done and killed."""

    def __init__(self, victim: Victim, folder: Path) -> None:
        self._victim, self._folder = victim, folder
        self.toll = Toll(name=victim.name)

    def rehearse(self) -> None:
        """Do the work in one go, to see how long it takes and what comes of it."""
        self._victim.prepare(self._folder)
        self._window = self._victim.window
        if self._window is None:
            if not self._victim.own_cache:
                self._bring_to_its_end(self._victim.command)  # compiles what later runs find compiled
                self._victim.prepare(self._folder)
            began = time.monotonic()
            self._bring_to_its_end(self._victim.command)
            self._window = time.monotonic() - began
            self._victim.ended(self._folder)

    def kill(self, rng: random.Random) -> None:
        """Once, at a random moment; then see what is there."""
        victim, toll = self._victim, self.toll
        victim.prepare(self._folder)
        mark, number, twice = secrets.token_hex(8), rng.choice(_SIGNALS), rng.random() < 0.5
        assert self._window is not None
        with self._started(victim.command, mark) as running:
            try:
                running.wait(rng.uniform(0, self._window))
                toll.too_late += 1
            except subprocess.TimeoutExpired:
                toll.kills[number.name] += 1
                running.send_signal(number)
                if twice:
                    time.sleep(_TWICE)
                    running.send_signal(number)
                self._see_it_end(running)
        self._see_nobody_left(mark)
        toll.lost += victim.harmed(self._folder)
        command = victim.heal(self._folder) if rng.random() < victim.heals else None
        if command is not None:
            toll.healed += 1
            self._bring_to_its_end(command)
            toll.lost += victim.healed(self._folder)

    def _see_it_end(self, running: subprocess.Popen[bytes]) -> None:
        try:
            running.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.toll.hangs += 1
            running.kill()

    def _see_nobody_left(self, mark: str) -> None:
        deadline = time.monotonic() + _LEFT
        while left := [process for process in psutil.process_iter() if _carries(process, mark)]:
            if time.monotonic() > deadline:
                self.toll.left += len(left)
                say(f"{self.toll.name}: left behind: {', '.join(process.name() for process in left)}")
                for process in left:
                    process.kill()
                return
            time.sleep(0.1)

    def _bring_to_its_end(self, command: Sequence[str]) -> None:
        with self._started(command, "") as running:
            _, said = running.communicate()
        if running.returncode:
            self.toll.lost.append(f"{self.toll.name} ends with status {running.returncode}: {said.decode()[-300:]}")

    def _started(self, command: Sequence[str], mark: str) -> subprocess.Popen[bytes]:
        own = {"PRESPARSE_CACHE": str(self._folder / CACHE)} if self._victim.own_cache else {}
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=self._folder,
            env={**os.environ, **own, _MARK: mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if mark else subprocess.PIPE,  # nobody would read it
        )


def campaign(chosen: Sequence[Victim], kills: int, jobs: int, seed: int) -> list[Toll]:
    """So many kills, shared out among the victims, in so many threads."""
    shares = sum(victim.share for victim in chosen)
    with scratch_folder() as place, bar("rehearsing") as shown:
        scenes = []
        for victim in chosen:
            shown.restart(f"rehearsing: {victim.name}")
            folder = place / str(len(scenes))
            folder.mkdir()
            scenes.append(Scene(victim, folder))
            scenes[-1].rehearse()
        shown.restart("kills")
        lock = threading.Lock()

        def all_of(scene: Scene, share: int) -> None:
            rng = random.Random(f"{seed} {scene.toll.name}")
            while scene.toll.kills.total() * shares < kills * share:  # those that came too late count for nothing
                scene.kill(rng)
                with lock:
                    shown.show(sum(each.toll.kills.total() for each in scenes), kills, scene.toll.name)

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(all_of, scenes, [victim.share for victim in chosen]))
    return [scene.toll for scene in scenes]


def main(
    kills: Annotated[int, typer.Option(help="In all.", min=1)] = 500,
    jobs: Annotated[int, typer.Option(help="Victims at a time.", min=1)] = processors(),
    seed: Annotated[int, typer.Option(help="Of signals and moments.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """End programs at random moments, and see what they leave behind."""
    tolls = campaign(victims(), kills, jobs, seed)
    for toll in tolls:
        kinds = ", ".join(f"{count} {name}" for name, count in sorted(toll.kills.items()))
        say(f"{toll.name}: {kinds}; {toll.too_late} too late, {toll.healed} brought to an end afterwards")
    lost = [f"{toll.name}: {text}" for toll in tolls for text in toll.lost]
    for line in lost:
        say(f"LOST: {line}")
    tried, hangs = sum(toll.kills.total() for toll in tolls), sum(toll.hangs for toll in tolls)
    left = sum(toll.left for toll in tolls)
    put(
        {"kills": tried, "lost": lost, "hangs": hangs, "left": left, "tolls": [vars(toll) for toll in tolls]},
        as_json=as_json,
        text=f"{tried:,} kills: {len(lost)} lost, {hangs} hangs, {left} processes left",
    )
    if lost or hangs or left:
        raise typer.Exit(1)


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(_MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


if __name__ == "__main__":
    typer.run(main)
