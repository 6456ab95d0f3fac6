"""The pipeline tag of a sample ("item"): what is to be done with it."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data

from presparse.contract.build import Build


class ItemLayout(data.StructLayout):
    """A block's pipeline tag: `kind` is FLUSH in empty blocks, else PREDICT, TRAIN or EVALUATE."""

    def __init__(self, build: Build) -> None:
        network = build.network
        super().__init__(
            {
                "kind": unsigned(2),
                "shift": range(network.rates.span + 1),  # rates.most - k: deltas are scaled by 2^shift
                "label": range(network.classes),
            }
        )
