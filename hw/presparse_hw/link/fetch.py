"""Reading block RAM as a stream."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse_hw.link.interfaces import ByteLayout


class Fetcher(wiring.Component):
    """Bytes for addresses, in order, one per cycle, latency 2. Reset drops those under way.

    The byte is registered behind the memory: block RAM takes half of an ECP5's cycle.

    Members
    -------
    addresses : In(stream)   `address`, and `last` to go with its byte
    bytes : Out(stream)
    port : Out               read port of the memory
    """

    addresses: stream.Interface
    bytes: stream.Interface
    port: wiring.PureInterface

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "addresses": In(stream.Signature(data.StructLayout({"address": address_bits, "last": 1}))),
                "bytes": Out(stream.Signature(ByteLayout())),
                "port": In(memory.ReadPort.Signature(addr_width=address_bits, shape=8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        read, last = Signal(), Signal()  # the memory's output is a byte to come
        take_byte = Signal()
        m.d.comb += [
            take_byte.eq(~self.bytes.valid | self.bytes.ready),
            self.addresses.ready.eq(~read | take_byte),
            self.port.addr.eq(self.addresses.payload.address),
            self.port.en.eq(self.addresses.ready),
        ]
        with m.If(self.addresses.ready):
            m.d.sync += [read.eq(self.addresses.valid), last.eq(self.addresses.payload.last)]
        with m.If(take_byte):
            m.d.sync += [
                self.bytes.valid.eq(read),
                self.bytes.payload.data.eq(self.port.data),
                self.bytes.payload.last.eq(last),
            ]
        return m
