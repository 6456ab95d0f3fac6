"""Polling a run of a board, with a watchdog: when to look next, and what must be seen by then."""

from __future__ import annotations

from presparse.contract.wire import RunState, StoredRun
from presparse.errors import DeviceFault

FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.1
"""Seconds between two looks; they become longer, and again shorter towards the end."""
_MODULUS = 1 << 32
"""The board counts runs and accepted samples modulo this."""


class RunWatch:
    """One run, from before it begins.

    Parameters
    ----------
    accepted : samples that the board had accepted
    runs : that it had begun
    """

    def __init__(self, run: StoredRun, accepted: int, runs: int) -> None:
        self.pause = FIRST_PAUSE
        """Seconds until the next look."""
        self._run = run
        self._accepted_before = accepted
        self._runs_before = runs
        self._fed = 0
        self._waited = 0.0
        """Since the first look."""
        self._moved = 0.0
        """What had been waited when samples were fed last."""

    @property
    def end(self) -> int:
        """Samples that the board has accepted when the run is through."""
        return (self._accepted_before + self._run.count) % _MODULUS

    def accepted(self, state: RunState) -> int:
        """Samples that the board has accepted, of this run and before it."""
        fed = state.fed if self.begun(state) else 0
        return (self._accepted_before + fed) % _MODULUS

    def begun(self, state: RunState) -> bool:
        """The board has taken the request. Raises DeviceFault if it has begun another run."""
        begun = (state.runs - self._runs_before) % _MODULUS
        if begun > 1 or (begun and state.fed > self._run.count):
            raise DeviceFault(
                f"the board has begun {state.runs} runs, and this host saw {self._runs_before} and began one: it was "
                f"reset or another program used it; load the model again"
            )
        return bool(begun)

    def see(self, state: RunState, patience: float) -> None:
        """Take note of a state, after a pause. Raises DeviceFault if the run ended early, or stands still for
        `patience` seconds of pauses (not counting those of a slow link)."""
        self._waited += self.pause
        if not self.begun(state) or (not state.running and state.fed != self._run.count):
            raise DeviceFault(
                f"the board's run ended after {state.fed} of {self._run.count} samples; another program may be using it"
            )
        if state.fed < self._fed:
            raise DeviceFault(
                f"the board's run has fed {state.fed} of {self._run.count} samples, and had fed {self._fed} before; "
                f"reset the board, and load the model again"
            )
        grown = state.fed > self._fed
        if grown:
            self._moved = self._waited
        elif state.running and self._waited > self._moved + patience:
            raise DeviceFault(
                f"the board's run stands still after {state.fed} of {self._run.count} samples; reset the board, and "
                f"load the model again"
            )
        self._fed = state.fed
        self.pause = min(2 * self.pause, LONGEST_PAUSE)
        if grown:  # no longer than the rest takes at this speed
            left = self._run.count - state.fed
            self.pause = max(FIRST_PAUSE, min(self.pause, left * self._waited / state.fed))
