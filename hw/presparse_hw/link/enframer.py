"""From answers to bytes: header, payload, CRC, COBS."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from presparse.contract.wire import ANSWER_HEADER, CRC_BYTES
from presparse_hw.link.cobs import CobsEncoder
from presparse_hw.link.interfaces import AnswerLayout, ByteLayout


class Enframer(wiring.Component):
    """Sends answers, a byte per cycle but for a few per frame and piece.

    Members
    -------
    answers : In(stream)   headers; one is taken when its last byte has been read
    start : Out(1)         asks for the payload of `answers`, which comes as `payload`
    payload : In(stream)
    o : Out(stream)        bytes to the link
    """

    answers: stream.Interface
    start: Signal
    payload: stream.Interface
    o: stream.Interface

    def __init__(self) -> None:
        super().__init__(
            {
                "answers": In(stream.Signature(AnswerLayout())),
                "start": Out(1),
                "payload": In(stream.Signature(ByteLayout())),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.encoder = encoder = CobsEncoder()
        m.submodules.crc = crc = CRC32_ISO_HDLC(data_width=8).create()
        wiring.connect(m, encoder.o, wiring.flipped(self.o))

        answer = Signal(AnswerLayout())  # a copy: fewer levels behind the window
        header = Array([answer.sequence, answer.operation, answer.status])
        assert len(header) == ANSWER_HEADER
        index = Signal(range(max(ANSWER_HEADER, CRC_BYTES)))
        byte = encoder.i.payload
        taken = encoder.i.valid & encoder.i.ready
        m.d.comb += crc.data.eq(byte.data)
        with m.If(taken):
            m.d.sync += index.eq(index + 1)

        with m.FSM():
            with m.State("Wait-Answer"):
                m.d.comb += [self.start.eq(self.answers.valid), crc.start.eq(1)]
                m.d.sync += answer.eq(self.answers.payload)
                with m.If(self.answers.valid):
                    m.next = "Header"
            with m.State("Header"):
                m.d.comb += [encoder.i.valid.eq(1), byte.data.eq(header[index]), crc.valid.eq(taken)]
                with m.If(taken & (index == ANSWER_HEADER - 1)):
                    m.d.sync += index.eq(0)
                    with m.If(answer.length == 0):
                        m.next = "CRC"
                    with m.Else():
                        m.next = "Payload"
            with m.State("Payload"):
                m.d.comb += [
                    encoder.i.valid.eq(self.payload.valid),
                    self.payload.ready.eq(encoder.i.ready),
                    byte.data.eq(self.payload.payload.data),
                    crc.valid.eq(taken),
                ]
                with m.If(taken & self.payload.payload.last):
                    m.d.sync += index.eq(0)
                    m.next = "CRC"
            with m.State("CRC"):
                last = index == CRC_BYTES - 1
                m.d.comb += [
                    encoder.i.valid.eq(1),
                    byte.data.eq(crc.crc.word_select(index, 8)),
                    byte.last.eq(last),
                    self.answers.ready.eq(encoder.i.ready & last),
                ]
                with m.If(taken & last):
                    m.d.sync += index.eq(0)
                    m.next = "Wait-Answer"
        return m
