"""What is built: arguments and options that `build` and `estimate` share, and what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from presparse.contract.network import Network
from presparse.errors import ArgumentError

Mode = Annotated[Literal["train", "infer"], typer.Option(help="infer: no hardware that learns.")]
Lanes = Annotated[str, typer.Option(help="auto: the fastest that fit; or one number per junction, such as 32,16.")]
Store = Annotated[int, typer.Option(help="Samples that the board can keep to learn from.", min=0)]
SampleBits = Annotated[
    int, typer.Option(help="Bits per stored feature, of which 5 tell 32 values apart; 0: as many as usual.", min=0)
]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a builder is asked for."""

    network: Network
    mode: Literal["train", "infer"]
    lanes: tuple[int, ...]
    """Per junction; none: the fastest that fit."""
    options: dict[str, Any]
    """Build's others."""

    @classmethod
    def of(cls, network: str, *, mode: Literal["train", "infer"], lanes: str, store: int, sample_bits: int) -> Wanted:
        """From what was typed. Raises ArgumentError, NetworkError."""
        return cls(
            network=Network.load(network),
            mode=mode,
            lanes=_lane_numbers(lanes),
            options={key: n for key, n in (("store_samples", store), ("sample_bits", sample_bits)) if n},
        )


def _lane_numbers(text: str) -> tuple[int, ...]:
    if text == "auto":
        return ()
    if not re.fullmatch(r"[0-9]{1,9}( *, *[0-9]{1,9})*", text.strip()):
        raise ArgumentError(f"--lanes must be auto, or whole numbers such as 32,16, and is {text!r}")
    return tuple(int(part) for part in text.split(","))
