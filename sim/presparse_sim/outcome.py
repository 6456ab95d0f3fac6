"""What a native call that steps a design can end with (`Outcome` in harness/bench.hpp)."""

from __future__ import annotations

from enum import IntEnum

from presparse_sim.errors import DesignFault, SimulationStuck


class Outcome(IntEnum):
    DONE = 0
    STUCK = 1
    UNEXPECTED_RESULT = 2
    UNEXPECTED_ANSWER = 3
    WRONG_LAST = 4
    UNSTABLE_OUTPUT = 5
    BROKEN_MEMORY = 6
    """A rule of its SDRAM; the model says which."""


_FAULTS = {
    Outcome.UNEXPECTED_RESULT: "it sent a result that no prediction asked for",
    Outcome.UNEXPECTED_ANSWER: "it sent an answer to no command",
    Outcome.WRONG_LAST: "`last` does not mark the last transfer of a result",
    Outcome.UNSTABLE_OUTPUT: "an offered transfer changed or vanished before it was taken",
}


def check(outcome: int, doing: str, patience: int = 0) -> None:
    """Raise SimulationStuck or DesignFault unless the call is done; `doing` says what it was for."""
    if outcome == Outcome.STUCK:
        raise SimulationStuck(
            f"the simulated design moved nothing for {patience} cycles while {doing}; this is a fault of the gateware"
        )
    if outcome != Outcome.DONE:
        raise DesignFault(
            f"the simulated design broke the rules of its ports while {doing}: {_FAULTS[Outcome(outcome)]}"
        )
