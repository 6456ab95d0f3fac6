"""Payload memories: slots of a whole payload each, in block RAM."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetInserter, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from presparse.contract.operations import MAX_PAYLOAD
from presparse_hw.lib.registered_memory import RegisteredMemory
from presparse_hw.lib.skid import Skid
from presparse_hw.link.byte_fetcher import Fetcher
from presparse_hw.link.ports import LENGTH, ByteLayout
from presparse_hw.link.sizes import OFFSET_BITS


class SlotMemory(wiring.Component):
    """Takes the bytes of one slot's payload at any place; streams another's, or the same one's once it is written.

    Parameters
    ----------
    slots : a power of two

    Members
    -------
    write : In       a byte's place in its payload, the byte, `en`
    write_slot : In
    start : In(1)    begin to stream `slot`; what is left of the payload before is dropped
    slot : In        stable while bytes are left
    length : In      0 .. MAX_PAYLOAD, with `start`; with 0, no byte comes
    bytes : Out(stream)   a byte per cycle, the first 4 cycles after `start`
    """

    write: wiring.PureInterface
    write_slot: Signal
    start: Signal
    slot: Signal
    length: Signal
    bytes: stream.Interface

    def __init__(self, slots: int) -> None:
        self._slots = slots
        super().__init__(
            {
                "write": Out(memory.WritePort.Signature(addr_width=OFFSET_BITS, shape=8)),
                "write_slot": In(exact_log2(slots)),
                "start": In(1),
                "slot": In(exact_log2(slots)),
                "length": In(LENGTH),
                "bytes": Out(stream.Signature(ByteLayout())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = words = RegisteredMemory([unsigned(8)], self._slots * MAX_PAYLOAD)
        fetcher = Fetcher(words)
        m.submodules.fetcher = ResetInserter(self.start)(fetcher)
        m.d.comb += [
            words.write_address.eq(Cat(self.write.addr, self.write_slot)),
            words.write_data[0].eq(self.write.data),
            words.write[0].eq(self.write.en),
        ]
        offset = Signal(OFFSET_BITS)
        left = Signal(LENGTH)
        more = Signal()  # left != 0
        last = left == 1
        m.d.comb += [
            fetcher.addresses.valid.eq(more),
            fetcher.addresses.payload.address.eq(Cat(offset, self.slot)),
            fetcher.addresses.payload.last.eq(last),
        ]
        with m.If(self.start):
            m.d.sync += [offset.eq(0), left.eq(self.length), more.eq(self.length != 0)]
        with m.Elif(more & fetcher.addresses.ready):
            m.d.sync += [offset.eq(offset + 1), left.eq(left - 1), more.eq(~last)]
        # Block RAM lies far from those who read it: a stage of registers halves the way, of bytes and of `ready`.
        skid = Skid(ByteLayout())
        m.submodules.skid = ResetInserter(self.start)(skid)
        wiring.connect(m, fetcher.bytes, skid.i)
        wiring.connect(m, skid.o, wiring.flipped(self.bytes))
        return m
