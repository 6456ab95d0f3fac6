"""What a bench of the gateware says: how far it is, and what it found (`presparse sim`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from presparse.contract.description import Description

Level = Literal["lane", "junction", "core", "pins"]
Simulator = Literal["verilator", "icarus"]


class Mismatch(Description):
    """The first number that differs from the reference, and where the gateware computes it."""

    what: str = Field(description='"weight", "score", ...')
    junction: int = Field(description="counted from 1")
    cycle: int = Field(description="0 .. C - 1: the turn of the edge, or of the neuron's last edge")
    lane: int = Field(description="of the edge, or of the neuron's first edge")
    expected: int
    got: int
    clock: int = Field(description="cycles of the simulation's clock until it was seen")

    def __str__(self) -> str:
        return (
            f"junction {self.junction}, cycle {self.cycle}, lane {self.lane}: {self.what} expected {self.expected}, "
            f"got {self.got} (seen in clock cycle {self.clock:,})"
        )


class Verdict(Description):
    """One bench on one simulator."""

    bench: str = Field(description='"core", "pins", "junction 1", "lane 2"')
    simulator: Simulator
    passed: bool
    mismatch: Mismatch | None = None
    failure: str = Field(default="", description="why it did not pass, in words; the mismatch, if there is one")
    samples: int = Field(default=0, description="that went through the gateware")
    cycles: int = Field(default=0, description="clock cycles simulated")
    compared: int = Field(default=0, description="numbers that were compared with the reference")
    seconds: float = Field(default=0.0, description="of simulation, without compiling")
    waves: str = Field(default="", description="the waveform's file, if one was asked for")
