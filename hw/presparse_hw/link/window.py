"""Sequence numbers: which frames are executed, which are answered again, which are dropped."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from presparse.contract.operations import Operation, Status
from presparse_hw.link.ports import LENGTH, AnswerLayout, FrameLayout, RequestLayout


class Window(wiring.Component):
    """Slots in a ring: each takes a request in, then keeps its answer until it is used again.

    A slot goes free -> pending (`requests`) -> answered -> under way (`answers`) -> answered, and a
    repeat sends it under way once more. A request waits until its slot's answer before it is not under
    way any more, so that no answer changes while it is sent.

    Parameters
    ----------
    slots : requests that may be unanswered at once, and answers that are kept; a power of two

    Members
    -------
    frame, arrived : In   a good frame; `frame` stays for 2 cycles after `arrived`
    slot : Out            where the next request's payload goes
    full : Out(1)         no slot is free
    requests : Out(stream)  oldest first; taken when executed
    request_slot : Out    where its payload is, and its answer's goes
    status, length : In   of the answer, when a request is taken
    answers : Out(stream)   oldest first; taken when sent
    answer_slot : Out     where its payload is
    accepted, repeated, unexpected : Out(1)   one cycle per frame, 2 cycles after `arrived`; `slot` and
        `full` reckon with the frame from the cycle after. A repeat counts whether or not it is dropped
        because its answer is still under way
    """

    frame: data.View
    arrived: Signal
    slot: Signal
    full: Signal
    requests: stream.Interface
    request_slot: Signal
    status: Signal
    length: Signal
    answers: stream.Interface
    answer_slot: Signal
    accepted: Signal
    repeated: Signal
    unexpected: Signal

    def __init__(self, slots: int) -> None:
        self._slots = slots
        slot_bits = exact_log2(slots)
        super().__init__(
            {
                "frame": In(FrameLayout()),
                "arrived": In(1),
                "slot": Out(slot_bits),
                "full": Out(1),
                "requests": Out(stream.Signature(RequestLayout())),
                "request_slot": Out(slot_bits),
                "status": In(Status),
                "length": In(LENGTH),
                "answers": Out(stream.Signature(AnswerLayout())),
                "answer_slot": Out(slot_bits),
                "accepted": Out(1),
                "repeated": Out(1),
                "unexpected": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        repeat_slot = self._judge(m)
        answered = Signal(self._slots)
        under_way = Signal(self._slots)
        executed = self.requests.valid & self.requests.ready
        sent = Signal()  # a cycle ago: that the last byte is taken comes late
        sent_slot = Signal.like(self.answer_slot)
        m.d.sync += [sent.eq(self.answers.valid & self.answers.ready), sent_slot.eq(self.answer_slot)]

        with m.If(self.accepted):
            m.d.sync += answered.bit_select(self.slot, 1).eq(0)
        with m.If(sent):
            m.d.sync += under_way.bit_select(sent_slot, 1).eq(0)
        with m.If(self.repeated & answered.bit_select(repeat_slot, 1)):
            m.d.sync += under_way.bit_select(repeat_slot, 1).eq(1)
        with m.If(executed):
            m.d.sync += [
                answered.bit_select(self.request_slot, 1).eq(1),
                under_way.bit_select(self.request_slot, 1).eq(1),
            ]
        self._queue_requests(m, under_way)
        self._choose_answer(m, under_way, sent)
        return m

    def _judge(self, m: Module) -> Signal:
        """Decide on a frame by its number; returns the slot that it repeats, if it is a repeat."""
        newest = Signal(8, init=-1)
        remembered = Signal(range(self._slots + 1))  # requests of this session that can be answered again
        newest_identifies = Signal()
        judging = Signal()
        identify = Signal()
        age = Signal(8)  # 0: the newest number; -1: the next one
        repeat_slot = Signal.like(self.slot)
        repeats = Signal()
        acceptable = Signal()
        m.d.sync += [
            judging.eq(self.arrived),
            identify.eq(self.frame.operation == Operation.IDENTIFY),
            age.eq(newest - self.frame.sequence),
        ]
        m.d.comb += [
            repeats.eq((age < remembered) & (~identify | ((age == 0) & newest_identifies))),
            acceptable.eq((identify | age.all()) & self.frame.stored),
        ]
        m.d.sync += [
            self.repeated.eq(judging & repeats),
            self.accepted.eq(judging & ~repeats & acceptable),
            self.unexpected.eq(judging & ~repeats & ~acceptable),
            repeat_slot.eq(self.slot - 1 - age),
        ]
        with m.If(self.accepted):
            m.d.sync += [newest.eq(self.frame.sequence), newest_identifies.eq(identify)]
            with m.If(identify):
                m.d.sync += remembered.eq(1)
            with m.Elif(remembered != self._slots):
                m.d.sync += remembered.eq(remembered + 1)
        return repeat_slot

    def _queue_requests(self, m: Module, under_way: Signal) -> None:
        """Keep accepted headers in order; offer the oldest."""
        m.submodules.requests = headers = Memory(shape=RequestLayout(), depth=self._slots, init=[])
        write, oldest = headers.write_port(), headers.read_port(domain="comb")
        pending = Signal(range(self._slots + 1))
        executed = self.requests.valid & self.requests.ready
        m.d.comb += [
            self.full.eq((pending == self._slots) | ((pending == self._slots - 1) & self.accepted)),
            self.requests.payload.eq(oldest.data),
            oldest.addr.eq(self.request_slot),
            write.addr.eq(self.slot),
            write.data.sequence.eq(self.frame.sequence),
            write.data.operation.eq(self.frame.operation),
            write.data.length.eq(self.frame.length),
            write.en.eq(self.accepted),
        ]
        m.d.sync += [
            pending.eq(pending + self.accepted - executed),
            self.requests.valid.eq((pending != 0) & ~under_way.bit_select(self.request_slot, 1)),
        ]
        with m.If(executed):
            following = (self.request_slot + 1)[: len(self.request_slot)]
            m.d.sync += [
                self.request_slot.eq(following),
                self.requests.valid.eq((pending > 1) & ~under_way.bit_select(following, 1)),
            ]
        with m.If(self.accepted):
            m.d.sync += self.slot.eq(self.slot + 1)

    def _choose_answer(self, m: Module, under_way: Signal, sent: Signal) -> None:
        """Keep the headers of answers; look, slot by slot, for the oldest that is under way."""
        m.submodules.answers = headers = Memory(shape=AnswerLayout(), depth=self._slots, init=[])
        write, chosen = headers.write_port(), headers.read_port(domain="comb")
        request = self.requests.payload
        m.d.comb += [
            self.answers.payload.eq(chosen.data),
            chosen.addr.eq(self.answer_slot),
            write.addr.eq(self.request_slot),
            write.data.sequence.eq(request.sequence),
            write.data.operation.eq(request.operation),
            write.data.status.eq(self.status),
            write.data.length.eq(self.length),
            write.en.eq(self.requests.valid & self.requests.ready),
        ]
        with m.If(self.answers.valid & self.answers.ready):
            m.d.sync += [self.answers.valid.eq(0), self.answer_slot.eq(self.slot)]
        with m.Elif(~self.answers.valid & ~sent):
            with m.If(under_way.bit_select(self.answer_slot, 1)):
                m.d.sync += self.answers.valid.eq(1)
            with m.Else():
                m.d.sync += self.answer_slot.eq(self.answer_slot + 1)
