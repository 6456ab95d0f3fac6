"""What is known of a build before synthesis: whether it fits a board, how fast it runs, what it uses."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from presparse.contract.description import Description
from presparse.messages.bundle import Use
from presparse.messages.sources import Source


class Load(Description):
    """How busy one junction is."""

    junction: int = Field(description="counted from 1")
    lanes: int
    cycles: int = Field(description="per sample, of all `period` cycles")
    idle: int = Field(description="cycles per sample in which it waits for the slowest junction")


class Estimate(Description):
    """A build on a board, estimated from the contract's numbers and from real builds (docs/performance.md)."""

    network: str
    board: str
    mode: Literal["train", "infer"]
    lanes: tuple[int, ...]
    calibrated: bool = Field(description="real builds for this family of FPGAs stand behind the figures")
    fits: bool
    short: str = Field(description='what there is too little of: "LUT: 30,100 of 24,288"; empty if it fits')
    use: Use
    fmax_mhz: float = Field(description="what place-and-route will probably reach")
    clock_mhz: float = Field(description="the fastest clock up to that, which the board's PLL makes")
    cycles_per_sample: int
    samples_per_second: float = Field(description="of the core, at `clock_mhz`")
    latency_cycles: int = Field(description="of one inference in the core, from first feature to last score")
    latency_us: float = Field(description="the same in microseconds, at `clock_mhz`")
    sources: tuple[Source, ...]
    junctions: tuple[Load, ...]
    advice: tuple[str, ...] = Field(default=(), description="what would fit, if this does not")
