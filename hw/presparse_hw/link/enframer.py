"""From answers to bytes: header, payload, CRC, COBS."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from presparse.contract.operations import Status
from presparse.contract.wire import ANSWER_HEADER, CRC_BYTES
from presparse_hw.link.cobs import CobsEncoder
from presparse_hw.link.ports import AnswerLayout, ByteLayout


class Enframer(wiring.Component):
    """Sends answers, a byte per cycle but for a few per frame and piece.

    Members
    -------
    answers : In(stream)   headers; one is taken when its last byte has been read
    start : Out(1)         asks for the payload of `answers`, which comes as `payload`
    payload : In(stream)   taken if the status is OK
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

        byte = Signal(ByteLayout())  # on its way to the encoder
        waiting = Signal()  # it is there
        counts = Signal()  # the CRC takes it in
        room = Signal()
        m.d.comb += [
            room.eq(~waiting | encoder.i.ready),
            encoder.i.valid.eq(waiting),
            encoder.i.payload.eq(byte),
            crc.data.eq(byte.data),
            crc.valid.eq(counts),
        ]
        with m.If(encoder.i.ready):
            m.d.sync += waiting.eq(0)
        m.d.sync += counts.eq(0)

        empty = Signal()
        refused = Signal()
        rest = Signal(8 * max(ANSWER_HEADER, CRC_BYTES))  # of the header, then of the CRC; shifted out
        left = Signal(range(max(ANSWER_HEADER, CRC_BYTES)))  # its bytes after the next
        answer = self.answers.payload
        with m.FSM():
            with m.State("Wait-Answer"):
                m.d.comb += [self.start.eq(self.answers.valid), crc.start.eq(1)]
                m.d.sync += [
                    rest.eq(Cat(answer.sequence, answer.operation, answer.status)),
                    left.eq(ANSWER_HEADER - 1),
                    empty.eq(answer.length == 0),
                    refused.eq(answer.status != Status.OK),
                ]
                with m.If(self.answers.valid):
                    m.next = "Header"
            with m.State("Header"), m.If(room):
                m.d.sync += [waiting.eq(1), counts.eq(1), byte.data.eq(rest), rest.eq(rest >> 8), left.eq(left - 1)]
                m.d.sync += byte.last.eq(0)  # not sooner: the last byte of the answer before may still wait
                with m.If(left == 0):
                    m.next = "Payload"
                    with m.If(empty | refused):
                        m.next = "Count-Last"
            with m.State("Payload"):
                m.d.comb += self.payload.ready.eq(room)
                with m.If(self.payload.valid & room):
                    m.d.sync += [waiting.eq(1), counts.eq(1), byte.data.eq(self.payload.payload.data)]
                    with m.If(self.payload.payload.last):
                        m.next = "Count-Last"
            with m.State("Count-Last"):
                m.next = "Take-CRC"
            with m.State("Take-CRC"):
                m.d.sync += [rest.eq(crc.crc), left.eq(CRC_BYTES - 1)]
                m.next = "CRC"
            with m.State("CRC"), m.If(room):
                m.d.sync += [waiting.eq(1), byte.data.eq(rest), rest.eq(rest >> 8), left.eq(left - 1)]
                with m.If(left == 0):
                    m.d.sync += byte.last.eq(1)
                    m.next = "Answered"
            with m.State("Answered"):  # a cycle late: that there was room came late
                m.d.comb += self.answers.ready.eq(1)
                m.next = "Wait-Answer"
        return m
