"""Sequence numbers: which frames are executed, which are answered again, which are dropped."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.wire import WINDOW, Operation, Status
from presparse_hw.link.interfaces import LENGTH, SLOT_BITS, AnswerLayout, FrameLayout, RequestLayout


class Window(wiring.Component):
    """WINDOW slots in a ring: each takes a request in, then keeps its answer until it is used again.

    A slot goes free -> pending (`requests`) -> answered -> under way (`answers`) -> answered, and a
    repeat sends it under way once more. A request waits until its slot's answer before it is not under
    way any more, so that no answer changes while it is sent.

    Members
    -------
    frame, arrived : In   a good frame, judged in the cycle after `arrived`, in which `frame` must stay
    slot, full : Out      where the next request's payload goes; no slot is free
    requests : Out(stream)  oldest first; taken when executed
    status, length : In   of the answer, when a request is taken
    answers : Out(stream)   oldest first; taken when sent
    accepted, repeated, unexpected : Out(1)   one cycle per frame. A repeat counts whether or not it is
        dropped because its answer is still under way
    """

    frame: data.View
    arrived: Signal
    slot: Signal
    full: Signal
    requests: stream.Interface
    status: Signal
    length: Signal
    answers: stream.Interface
    accepted: Signal
    repeated: Signal
    unexpected: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "frame": In(FrameLayout()),
                "arrived": In(1),
                "slot": Out(SLOT_BITS),
                "full": Out(1),
                "requests": Out(stream.Signature(RequestLayout())),
                "status": In(Status),
                "length": In(LENGTH),
                "answers": Out(stream.Signature(AnswerLayout())),
                "accepted": Out(1),
                "repeated": Out(1),
                "unexpected": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        repeat_slot = self._judge(m)
        answered = Signal(WINDOW)
        under_way = Signal(WINDOW)
        executed = self.requests.valid & self.requests.ready
        sent = self.answers.valid & self.answers.ready

        with m.If(self.accepted):
            m.d.sync += answered.bit_select(self.slot, 1).eq(0)
        with m.If(sent):
            m.d.sync += under_way.bit_select(self.answers.payload.slot, 1).eq(0)
        with m.If(self.repeated & answered.bit_select(repeat_slot, 1)):
            m.d.sync += under_way.bit_select(repeat_slot, 1).eq(1)
        with m.If(executed):
            slot = self.requests.payload.slot
            m.d.sync += [answered.bit_select(slot, 1).eq(1), under_way.bit_select(slot, 1).eq(1)]
        self._queue_requests(m, under_way)
        self._choose_answer(m, under_way)
        return m

    def _judge(self, m: Module) -> Signal:
        """Decide on a frame by its number; returns the slot that it repeats, if it is a repeat."""
        expected = Signal(8)
        remembered = Signal(range(WINDOW + 1))  # requests of this session that can be answered again
        newest_identifies = Signal()
        judging = Signal()
        identify, is_next = Signal(), Signal()
        age = Signal(8)  # 0: the newest number
        repeat_slot = Signal(SLOT_BITS)
        repeats = Signal()
        m.d.sync += [
            judging.eq(self.arrived),
            identify.eq(self.frame.operation == Operation.IDENTIFY),
            is_next.eq(self.frame.sequence == expected),
            age.eq(expected - 1 - self.frame.sequence),
        ]
        m.d.comb += [
            repeat_slot.eq(self.slot - 1 - age),
            repeats.eq((age < remembered) & (~identify | ((age == 0) & newest_identifies))),
        ]
        with m.If(judging):
            with m.If(repeats):
                m.d.comb += self.repeated.eq(1)
            with m.Elif((identify | is_next) & self.frame.stored):
                m.d.comb += self.accepted.eq(1)
            with m.Else():
                m.d.comb += self.unexpected.eq(1)
        with m.If(self.accepted):
            m.d.sync += [expected.eq(self.frame.sequence + 1), newest_identifies.eq(identify)]
            with m.If(identify):
                m.d.sync += remembered.eq(1)
            with m.Elif(remembered != WINDOW):
                m.d.sync += remembered.eq(remembered + 1)
        return repeat_slot

    def _queue_requests(self, m: Module, under_way: Signal) -> None:
        """Keep accepted headers in order; offer the oldest."""
        headers = Array(Signal(RequestLayout(), name=f"request_{slot}") for slot in range(WINDOW))
        oldest = Signal(SLOT_BITS)
        pending = Signal(range(WINDOW + 1))
        executed = self.requests.valid & self.requests.ready
        m.d.comb += [
            self.full.eq(pending == WINDOW),
            self.requests.valid.eq((pending != 0) & ~under_way.bit_select(oldest, 1)),
            self.requests.payload.eq(headers[oldest]),
        ]
        m.d.sync += pending.eq(pending + self.accepted - executed)
        with m.If(executed):
            m.d.sync += oldest.eq(oldest + 1)
        with m.If(self.accepted):
            header = headers[self.slot]
            m.d.sync += [
                self.slot.eq(self.slot + 1),
                header.slot.eq(self.slot),
                header.sequence.eq(self.frame.sequence),
                header.operation.eq(self.frame.operation),
                header.length.eq(self.frame.length),
            ]

    def _choose_answer(self, m: Module, under_way: Signal) -> None:
        """Keep the headers of answers; offer the oldest that is under way until it is sent."""
        headers = Array(Signal(AnswerLayout(), name=f"answer_{slot}") for slot in range(WINDOW))
        request = self.requests.payload
        with m.If(self.requests.valid & self.requests.ready):
            header = headers[request.slot]
            m.d.sync += [
                header.slot.eq(request.slot),
                header.sequence.eq(request.sequence),
                header.operation.eq(request.operation),
                header.status.eq(self.status),
                header.length.eq(self.length),
            ]
        chosen = Signal(SLOT_BITS)
        m.d.comb += self.answers.payload.eq(headers[chosen])
        with m.If(self.answers.valid & self.answers.ready):
            m.d.sync += self.answers.valid.eq(0)
        with m.Elif(~self.answers.valid):
            for newer in reversed(range(WINDOW)):
                slot = (self.slot + newer)[:SLOT_BITS]
                with m.If(under_way.bit_select(slot, 1)):
                    m.d.sync += [chosen.eq(slot), self.answers.valid.eq(1)]
