"""Delta sums of the left neurons of one bank: an accumulator with hazard forwarding, one edge per cycle."""

from __future__ import annotations

import itertools
from enum import Enum

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.schedule import READ
from presparse_hw.lib.delays import ages, delay
from presparse_hw.lib.registered_memory import RegisteredMemory


class _Source(Enum):
    """Where the sum that is added to comes from."""

    ZERO = 0
    LAST = 1
    OLDER = 2
    MEMORY = 3


class DeltaBank(wiring.Component):
    """Accumulates products into sums by address; additions that hit the same address forward their sums.

        cycle        0              READ                   READ + 1
        add, address, first    product; old + product    the sum is written

    A sum is read READ + 1 cycles before it is written, so an addition takes the sums of the READ + 1 additions
    before it from registers if they had the same address. The first addition of a block overwrites, so nothing is
    cleared between blocks.

    Parameters
    ----------
    depth : int          addresses
    product_width : int  bits of a product
    sum_width : int      bits of a sum

    Members
    -------
    add, address, first : In   in cycle 0
    product : In(signed)       in cycle READ
    clear : In(1)              write 0 to `clear_address`; not while adding
    fetch_address : In, sum : Out(signed) READ cycles later; sums written before the fetch's cycle are seen; none may be
        written in that cycle
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
        m.submodules.sums = sums = RegisteredMemory((self.sum.shape(),), self._depth)
        m.submodules.fetched_sums = fetched = RegisteredMemory((self.sum.shape(),), self._depth)

        adding = ages(m, self.add, 2 * READ, name="adding")
        address = ages(m, self.address, 2 * READ, name="address")
        # The addition of the next cycle is READ - 1 cycles old: which of those before it had its address? It was
        # compared with them when it was a cycle younger.
        this, others = address[READ - 2], zip(adding[READ - 1 : -1], address[READ - 1 : -1], strict=True)
        same = [Signal(name=f"same{age}", reset_less=True) for age in range(1, READ + 2)]
        m.d.sync += [flag.eq(was & (other == this)) for flag, (was, other) in zip(same, others, strict=True)]
        first = delay(m, self.first, READ - 1, name="first")

        recent = [Signal.like(self.sum, name=f"recent{age}", reset_less=True) for age in range(1, READ + 2)]
        older = Signal.like(self.sum, reset_less=True)  # the newest of all but the last sum with this address
        source = Signal(_Source, reset_less=True)
        with m.If(first):
            m.d.sync += source.eq(_Source.ZERO)
        with m.Elif(same[0]):
            m.d.sync += source.eq(_Source.LAST)
        with m.Elif(Cat(same[1:]).any()):
            m.d.sync += source.eq(_Source.OLDER)
        with m.Else():
            m.d.sync += source.eq(_Source.MEMORY)
        for was, earlier in reversed(list(zip(same[1:], recent, strict=False))):
            with m.If(was):
                m.d.sync += older.eq(earlier)

        old = Signal.like(self.sum)
        with m.Switch(source):
            for choice, value in (
                (_Source.LAST, recent[0]),
                (_Source.OLDER, older),
                (_Source.MEMORY, sums.read_data[0]),
            ):
                with m.Case(choice):
                    m.d.comb += old.eq(value)
        m.d.sync += recent[0].eq(old + self.product)
        m.d.sync += [later.eq(earlier) for earlier, later in itertools.pairwise(recent)]
        with m.If(self.clear):
            m.d.sync += recent[0].eq(0)

        clearing = delay(m, self.clear, 1, name="clearing")
        cleared = delay(m, self.clear_address, 1, name="cleared")
        for bank, read_address in ((sums, self.address), (fetched, self.fetch_address)):
            m.d.comb += [
                bank.write[0].eq(adding[READ + 1] | clearing),
                bank.write_address.eq(Mux(clearing, cleared, address[READ + 1])),
                bank.write_data[0].eq(recent[0]),
                bank.read_address.eq(read_address),
            ]
        m.d.comb += self.sum.eq(fetched.read_data[0])
        return m
