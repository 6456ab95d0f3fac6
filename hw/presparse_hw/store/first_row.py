"""Where a stored sample begins."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.schedule import tree_levels
from presparse.contract.store import StoreLayout
from presparse_hw.lib.adder_tree import AdderTree
from presparse_hw.store.sample_order import IndexLayout


class SamplePlaceLayout(data.StructLayout):
    """A stored sample and its first row."""

    def __init__(self, store: StoreLayout) -> None:
        super().__init__({"sample": range(store.samples), "row": range(store.depth), "last": 1})


class FirstRow(wiring.Component):
    """Multiplies a sample's number by the rows of a sample, as a sum of its shifts; one every 2 cycles and the
    levels of the sum.

    Members
    -------
    indices : In(stream)
    places : Out(stream)   so many cycles after their index
    """

    indices: stream.Interface
    places: stream.Interface

    def __init__(self, store: StoreLayout) -> None:
        self._store = store
        super().__init__(
            {
                "indices": In(stream.Signature(IndexLayout(store.samples))),
                "places": Out(stream.Signature(SamplePlaceLayout(store))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, place = self._store.rows, self.places.payload
        shifts = [bit for bit in range(rows.bit_length()) if rows >> bit & 1]
        levels = tree_levels(len(shifts))
        index = Signal(IndexLayout(self._store.samples), reset_less=True)
        m.submodules.tree = tree = AdderTree(len(place.row), len(shifts))
        m.d.comb += [term.eq(index.index << shift) for term, shift in zip(tree.terms, shifts, strict=True)]

        busy = Signal()
        wait = Signal(range(levels + 1))
        # Neither stage waits for the next to move on in the same cycle: the way of `ready` ends here.
        done = busy & (wait == 0) & ~self.places.valid
        m.d.comb += self.indices.ready.eq(~busy)
        with m.If(~busy):
            m.d.sync += [index.eq(self.indices.payload), busy.eq(self.indices.valid), wait.eq(levels)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(self.places.valid & self.places.ready):
            m.d.sync += self.places.valid.eq(0)
        with m.If(done):
            m.d.sync += [
                busy.eq(0),
                self.places.valid.eq(1),
                place.sample.eq(index.index),
                place.row.eq(tree.total),
                place.last.eq(index.last),
            ]
        return m
