"""Reading a `RegisteredMemory` of bytes as a stream."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.schedule import READ
from presparse_hw.lib.registered_memory import RegisteredMemory
from presparse_hw.link.ports import ByteLayout


class Fetcher(wiring.Component):
    """Bytes for addresses, in order, one per cycle, latency `READ`. Reset drops those under way.

    Memory and bytes under way stand still together while a byte is not taken.

    Parameters
    ----------
    memory : one field of 8 bits; its reading port is the fetcher's

    Members
    -------
    addresses : In(stream)   `address`, and `last` to go with its byte
    bytes : Out(stream)
    """

    addresses: stream.Interface
    bytes: stream.Interface

    def __init__(self, memory: RegisteredMemory) -> None:
        self._memory = memory
        address = {"address": len(memory.read_address), "last": 1}
        super().__init__(
            {
                "addresses": In(stream.Signature(data.StructLayout(address))),
                "bytes": Out(stream.Signature(ByteLayout())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        moves = Signal()
        m.d.comb += [
            moves.eq(~self.bytes.valid | self.bytes.ready),
            self.addresses.ready.eq(moves),
            self._memory.read_address.eq(self.addresses.payload.address),
            self._memory.read_enable.eq(moves),
            self.bytes.payload.data.eq(self._memory.read_data[0]),
        ]
        valid, last = self.addresses.valid, self.addresses.payload.last
        for stage in range(1, READ):
            next_valid, next_last = Signal(name=f"valid{stage}"), Signal(name=f"last{stage}")
            with m.If(moves):
                m.d.sync += [next_valid.eq(valid), next_last.eq(last)]
            valid, last = next_valid, next_last
        with m.If(moves):
            m.d.sync += [self.bytes.valid.eq(valid), self.bytes.payload.last.eq(last)]
        return m
