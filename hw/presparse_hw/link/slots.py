"""Payload memories: WINDOW slots of a whole payload each, in block RAM."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from presparse.contract.wire import MAX_PAYLOAD, WINDOW
from presparse_hw.link.fetch import Fetcher
from presparse_hw.link.interfaces import LENGTH, OFFSET_BITS, SLOT_BITS, ByteLayout

DEPTH = WINDOW * MAX_PAYLOAD
_ADDRESS_BITS = SLOT_BITS + OFFSET_BITS


class SlotMemory(wiring.Component):
    """One writer and one `SlotReader`; a byte is at `slot * MAX_PAYLOAD + offset`.

    Members
    -------
    write : In    write port: addr, data, en
    slot, length, start, bytes : as in `SlotReader`
    """

    write: wiring.PureInterface
    slot: Signal
    length: Signal
    start: Signal
    bytes: stream.Interface

    def __init__(self) -> None:
        super().__init__(
            {
                "write": Out(memory.WritePort.Signature(addr_width=_ADDRESS_BITS, shape=8)),
                "slot": In(SLOT_BITS),
                "length": In(LENGTH),
                "start": In(1),
                "bytes": Out(stream.Signature(ByteLayout())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = slots = Memory(shape=8, depth=DEPTH, init=[])
        m.submodules.reader = reader = SlotReader()
        wiring.connect(m, wiring.flipped(self.write), slots.write_port())
        wiring.connect(m, reader.port, slots.read_port())
        m.d.comb += [reader.slot.eq(self.slot), reader.length.eq(self.length), reader.start.eq(self.start)]
        wiring.connect(m, reader.bytes, wiring.flipped(self.bytes))
        return m


class SlotReader(wiring.Component):
    """Streams a slot's payload, a byte per cycle, the first 3 cycles after `start`.

    Members
    -------
    start : In(1)      begin with `slot` and `length`; what is left of the payload before is dropped
    slot : In          stable while bytes are left
    length : In        0 .. MAX_PAYLOAD, with `start`; with 0, no byte comes
    bytes : Out(stream)
    port : Out         read port of the memory
    """

    start: Signal
    slot: Signal
    length: Signal
    bytes: stream.Interface
    port: wiring.PureInterface

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "slot": In(SLOT_BITS),
                "length": In(LENGTH),
                "bytes": Out(stream.Signature(ByteLayout())),
                "port": In(memory.ReadPort.Signature(addr_width=_ADDRESS_BITS, shape=8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fetcher = Fetcher(_ADDRESS_BITS)
        m.submodules.fetcher = ResetInserter(self.start)(fetcher)
        offset = Signal(OFFSET_BITS)
        left = Signal(LENGTH)
        m.d.comb += [
            fetcher.addresses.valid.eq(left != 0),
            fetcher.addresses.payload.address.eq(Cat(offset, self.slot)),
            fetcher.addresses.payload.last.eq(left == 1),
        ]
        with m.If(self.start):
            m.d.sync += [offset.eq(0), left.eq(self.length)]
        with m.Elif(fetcher.addresses.valid & fetcher.addresses.ready):
            m.d.sync += [offset.eq(offset + 1), left.eq(left - 1)]
        wiring.connect(m, fetcher.port, wiring.flipped(self.port))
        wiring.connect(m, fetcher.bytes, wiring.flipped(self.bytes))
        return m
