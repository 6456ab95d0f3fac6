"""How many samples per second a board gets, by where they come from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from presparse.contract.description import Description

Bound = Literal["core", "decoder", "memory", "link"]
"""What takes the most time per sample: the network's own cycles; sample words, of which one is decoded per cycle; the
store's memory; the bytes of the link."""


class Rate(Description):
    """Samples per second of one kind of data."""

    words: int = Field(description="16-bit words of a compressed sample; 0: samples are not compressed")
    samples_per_second: float
    bound: Bound


class Source(Description):
    """A place that samples come from, and how fast: between these two, as their values are."""

    source: Literal["link", "block RAM", "SDRAM"]
    dense: Rate = Field(description="of samples in which nothing has a feature's most frequent value")
    sparse: Rate = Field(description="of samples in which everything has")
