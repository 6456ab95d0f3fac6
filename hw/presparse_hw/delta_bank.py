"""Delta sums of the left neurons of one bank: read, add, write, one edge per cycle, never losing an addition."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out


class DeltaBank(wiring.Component):
    """Accumulates products into sums by address; consecutive additions may hit the same address.

        cycle        0                    1
        add, address, first   product; old + product is written

    An addition one cycle after another to the same address takes the sum that is just being written.
    The first addition of a block overwrites, so nothing is cleared between blocks.

    Parameters
    ----------
    depth : int          addresses
    product_width : int  bits of a product
    sum_width : int      bits of a sum

    Members
    -------
    add, address, first : In   in cycle 0
    product : In(signed)       in cycle 1
    clear : In(1)              write 0 to `clear_address`; not while adding
    fetch_address : In, sum : Out(signed) one cycle later; sums written before the fetch's cycle are seen
    """

    add: Signal
    address: Signal
    first: Signal
    product: Signal
    clear: Signal
    clear_address: Signal
    fetch_address: Signal
    sum: Signal

    def __init__(self, depth: int, product_width: int, sum_width: int) -> None:
        self._depth = depth
        super().__init__(
            {
                "add": In(1),
                "address": In(range(depth)),
                "first": In(1),
                "product": In(signed(product_width)),
                "clear": In(1),
                "clear_address": In(range(depth)),
                "fetch_address": In(range(depth)),
                "sum": Out(signed(sum_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sums = sums = memory.Memory(shape=self.sum.shape(), depth=self._depth, init=[])
        read, fetch, write = sums.read_port(), sums.read_port(), sums.write_port()

        adding = Signal()
        address = Signal.like(self.address, reset_less=True)
        first = Signal(reset_less=True)
        forward = Signal(reset_less=True)
        m.d.sync += [
            adding.eq(self.add),
            address.eq(self.address),
            first.eq(self.first),
            forward.eq(adding & (address == self.address)),  # the memory still holds the sum before that one
        ]
        newest = Signal.like(self.sum, reset_less=True)
        total = Signal.like(self.sum)
        m.d.comb += [
            read.addr.eq(self.address),
            total.eq(Mux(first, 0, Mux(forward, newest, read.data)) + self.product),
            write.en.eq(adding | self.clear),
            write.addr.eq(Mux(self.clear, self.clear_address, address)),
            write.data.eq(Mux(self.clear, 0, total)),
            fetch.addr.eq(self.fetch_address),
            self.sum.eq(fetch.data),
        ]
        m.d.sync += newest.eq(total)
        return m
