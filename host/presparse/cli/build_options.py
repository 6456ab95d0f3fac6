"""What is built: arguments and options that `build` and `estimate` share, and what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.messages.store import StoreWish

Mode = Annotated[Literal["train", "infer"], typer.Option(help="infer: no hardware that learns.")]
Lanes = Annotated[str, typer.Option(help="auto: the fastest that fit; or one number per junction, such as 32,16.")]
Store = Annotated[
    str,
    typer.Option(
        metavar="auto|sdram|N|none",
        help="Where the board keeps samples to learn from: its SDRAM, or block RAM for N samples. auto: SDRAM, if the "
        "board has one and the design fits.",
    ),
]
SampleBits = Annotated[
    int,
    typer.Option(
        help="Bits per feature of a compressed sample, stored or sent; 4 tell 16 values apart; 0: as many as usual.",
        min=0,
    ),
]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a builder is asked for."""

    network: Network
    mode: Literal["train", "infer"]
    lanes: tuple[int, ...]
    """Per junction; none: the fastest that fit."""
    store: StoreWish
    options: dict[str, Any]
    """Build's others."""

    @classmethod
    def of(cls, network: str, *, mode: Literal["train", "infer"], lanes: str, store: str, sample_bits: int) -> Wanted:
        """From what was typed. Raises ArgumentError, NetworkError."""
        return cls(
            network=Network.load(network),
            mode=mode,
            lanes=_lane_numbers(lanes),
            store=parsed_store(store),
            options={"sample_bits": sample_bits} if sample_bits else {},
        )


def parsed_store(text: str) -> StoreWish:
    """What --store says. Raises ArgumentError."""
    if text in ("auto", "sdram", "none"):
        return text
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ArgumentError(f"--store must be auto, sdram, none, or a number of samples such as 300, and is {text!r}")
    return int(text)


def _lane_numbers(text: str) -> tuple[int, ...]:
    if text == "auto":
        return ()
    if not re.fullmatch(r"[0-9]{1,9}( *, *[0-9]{1,9})*", text.strip()):
        raise ArgumentError(f"--lanes must be auto, or whole numbers such as 32,16, and is {text!r}")
    return tuple(int(part) for part in text.split(","))
