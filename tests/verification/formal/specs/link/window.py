"""Sequence numbers: nothing is executed twice, nothing accepted is lost, no answer is another's."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Cat, Cover, Elaboratable, Module, Mux, Signal, Value
from amaranth.utils import exact_log2

from presparse.contract.operations import Operation
from presparse_hw.lib.delays import ages
from presparse_hw.link.window import Window
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import any_bit, anything, chosen
from tests.verification.formal.streams import Followed, keeps_contract, transfers

FRAME_DISTANCE = 5
"""Cycles between two good frames, at least; specs/link/deframer.py proves more."""


class _Frames:
    """Good frames as the deframer gives them: the header stays for two cycles, frames are some cycles apart, and one is
    stored only if there was room after the frame before it was judged."""

    def __init__(self, m: Module, dut: Window) -> None:
        header = Value.cast(dut.frame)
        self.came = ages(m, dut.arrived, FRAME_DISTANCE, name="came", reset=True)
        before = Signal.like(header, name="header_before")
        room_seen = Signal(init=1)
        m.d.sync += before.eq(header)
        with m.If(dut.arrived):
            m.d.sync += room_seen.eq(0)
        with m.Elif(~self.came[1] & ~dut.full):
            m.d.sync += room_seen.eq(1)
        m.d.comb += [
            Assume(~(self.came[0] & Cat(self.came[1:FRAME_DISTANCE]).any())),
            Assume(~(self.came[1] | self.came[2]) | (header == before)),
            Assume(~dut.arrived | ~dut.frame.stored | room_seen | ~dut.full),
        ]
        # While a frame that will be stored arrives, its bytes go to `slot`.
        self.may_be_writing = room_seen


class ExecutedOnce(Elaboratable):
    """By the protocol's words (docs/protocol.md): a frame with the expected number is accepted, one with a remembered
    number is a repeat, all else is dropped; so a number is accepted again only in a new session or 255 requests later.
    What is accepted is offered for execution once, in order, and never overwritten before it is executed."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._dut = Window(slots)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut, slots = self._dut, self._slots
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        frames = _Frames(m, dut)
        identify = dut.frame.operation == Operation.IDENTIFY

        # The protocol.
        expected = Signal(8)
        remembered = Signal(range(slots + 1))
        newest_identifies = Signal()
        age = (expected - 1 - dut.frame.sequence)[:8]
        repeat, accept = Signal(), Signal()
        m.d.comb += [
            repeat.eq(Mux(identify, newest_identifies & (age == 0) & (remembered != 0), age < remembered)),
            accept.eq(~repeat & dut.frame.stored & (identify | (dut.frame.sequence == expected))),
        ]
        judged = frames.came[2]
        m.d.comb += [
            Assert(dut.repeated == (judged & repeat), "a repeat is one of the remembered numbers"),
            Assert(dut.accepted == (judged & accept), "accepted is what is expected, or identifies"),
            Assert(dut.unexpected == (judged & ~repeat & ~accept), "all else is dropped, and counted"),
        ]
        with m.If(dut.accepted):
            m.d.sync += [
                expected.eq(dut.frame.sequence + 1),
                newest_identifies.eq(identify),
                remembered.eq(Mux(identify, 1, Mux(remembered == slots, slots, remembered + 1))),
            ]
        m.d.comb += [
            Assert(inside["newest"] == (expected - 1)[:8]),
            Assert(inside["remembered"] == remembered),
            Assert(inside["newest_identifies"] == newest_identifies),
            Assert(remembered <= slots),
            Assert(~newest_identifies | (remembered == 1)),
            Assert(inside["judging"] == frames.came[1]),
        ]
        with m.If(judged | frames.came[1]):
            m.d.comb += Assert((inside["identify"] == identify) & (inside["age"] == age), "the frame is judged")

        # Executed once.
        number = chosen(m, 8, name="number")
        used, others = Signal(), Signal(9)
        accepted_number = dut.accepted & (dut.frame.sequence == number)
        with m.If(accepted_number & used & ~identify):
            m.d.comb += Assert(others == 255, "a number was accepted twice in a session")
        with m.If(accepted_number):
            m.d.sync += [used.eq(1), others.eq(0)]
        with m.Elif(dut.accepted):
            m.d.sync += others.eq(others + 1)
            with m.If(identify):
                m.d.sync += used.eq(0)
        m.d.comb += Assert(~used | ((others <= 255) & (expected == (number + 1 + others)[:8])), "numbers count up")

        # Every accepted request is offered once, in order, in its slot; nothing overwrites it meanwhile.
        slot = chosen(m, exact_log2(slots), name="slot_followed")
        header = Cat(dut.frame.sequence, dut.frame.operation, dut.frame.length)
        word = Followed(
            m,
            enters=dut.accepted,
            word=header,
            exits=transfers(dut.requests),
            may_follow=any_bit(m, name="follow") & (dut.slot == slot),
            most=slots,
        )
        offered = Value.cast(dut.requests.payload)
        m.d.comb += [
            Assert(word.count <= slots, "no more requests wait than there are slots"),
            Assert(~dut.requests.valid | (word.count != 0), "an empty window offers nothing"),
            Assert(
                ~(frames.may_be_writing & ~dut.accepted & (word.count == slots)), "bytes arrive in a free slot only"
            ),
        ]
        with m.If(word.leaves):
            m.d.comb += [
                Assert(offered == word.word, "a request is executed with another's header"),
                Assert(dut.request_slot == slot, "and with another's payload"),
            ]
        m.d.comb += [
            Assert(inside["pending"] == word.count, "pending counts"),
            Assert(dut.slot == (dut.request_slot + word.count)[: len(slot)], "the ring"),
        ]
        with m.If(word.inside):
            stored = inside.word("requests", slot, width=len(header))
            m.d.comb += Assert((dut.request_slot + word.ahead - 1)[: len(slot)] == slot, "the followed slot")
            m.d.comb += Assert(stored == word.word, "the followed header is in its slot")
        m.d.comb += [
            Cover(word.leaves & (word.count == slots), "a full window"),
            Cover(dut.repeated & ~identify, "a repeat"),
            Cover(dut.repeated & identify, "a repeated IDENTIFY"),
            Cover(dut.unexpected & ~dut.frame.stored, "a frame without room"),
            Cover(dut.accepted & identify & used, "a new session"),
            Cover(dut.accepted & used & (others == slots), "numbers go on"),
        ]
        return m


class AnswersAreKept(Elaboratable):
    """Each executed request, and each repeat of one that is not under way, is answered once, with the status and length
    that it was executed with, and never while its slot's answer is being made. A repeat gets the answer of its own
    number. An answer that is owed is offered within a cycle more than there are slots, once none is being sent."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._dut = Window(slots)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dut, slots = self._dut, self._slots
        bits = exact_log2(slots)
        inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        anything(m, dut)
        frames = _Frames(m, dut)
        slot = chosen(m, bits, name="slot_followed")

        executed = transfers(dut.requests) & (dut.request_slot == slot)
        sent = transfers(dut.answers) & (dut.answer_slot == slot)
        answered, under_way = inside["answered"].bit_select(slot, 1), inside["under_way"].bit_select(slot, 1)
        repeats = dut.repeated & (inside["repeat_slot"] == slot) & answered
        owed = Signal()
        with m.If(sent):  # a repeat in this cycle is one of an answer that is under way
            m.d.sync += owed.eq(0)
        with m.Elif(executed | repeats):
            m.d.sync += owed.eq(1)
        just_sent = Signal()
        m.d.sync += just_sent.eq(sent)
        request = dut.requests.payload
        made = Cat(request.sequence, request.operation, dut.status, dut.length)
        answer = Signal(made.shape())
        with m.If(executed):
            m.d.sync += answer.eq(made)
        offered = dut.answers.valid & (dut.answer_slot == slot)
        m.d.comb += [
            Assert((owed | just_sent) == under_way, "an answer is owed once per execution and repeat"),
            Assert(just_sent == (inside["sent"] & (inside["sent_slot"] == slot)), "an answer that went out is noted"),
            Assert(~(inside["sent"] & dut.answers.valid), "between two answers is a cycle"),
            Assert(~offered | owed, "an answer that is not owed"),
            Assert(~offered | (Value.cast(dut.answers.payload) == answer), "an answer is not what was executed"),
            Assert(~(offered & dut.requests.valid & (dut.request_slot == slot)), "an answer changes while it is sent"),
        ]
        with m.If(repeats):
            m.d.comb += Assert(answer[:8] == dut.frame.sequence, "a repeat gets the answer of another number")
        for port, of_slot in ((dut.requests, dut.request_slot), (dut.answers, dut.answer_slot)):
            kept = keeps_contract(m, port, name=f"of{len(Value.cast(port.payload))}")
            m.d.comb += Assert((of_slot != slot) | kept, "an offered transfer is changed or taken back")

        waiting = Signal(range(slots + 3))
        with m.If(owed & ~dut.answers.valid):
            m.d.sync += waiting.eq(waiting + 1)
        with m.Else():
            m.d.sync += waiting.eq(0)
        distance = (slot - dut.answer_slot)[:bits]
        m.d.comb += Assert(dut.answers.valid | (waiting + distance <= slots + 1), "an answer waits too long")

        # For induction: numbers and slots go together.
        pending, remembered, newest = inside["pending"], inside["remembered"], inside["newest"]
        number = Signal(8)  # of the newest request in the slot
        with m.If(dut.accepted & (dut.slot == slot)):
            m.d.sync += number.eq(dut.frame.sequence)
        behind = (dut.slot - 1 - slot)[:bits]
        is_pending = (slot - dut.request_slot)[:bits] < pending
        stored_answer = inside.word("answers", slot, width=len(answer))
        request_width = len(Value.cast(request))
        m.d.comb += [
            Assert(~(is_pending & answered), "a request that waits is not answered"),
            Assert((pending <= slots) & (remembered <= slots)),
            Assert(dut.slot == (dut.request_slot + pending)[:bits], "the ring"),
            Assert(~is_pending | (inside.word("requests", slot, width=request_width)[:8] == number)),
            Assert(~answered | (answer[:8] == number), "the answer is of the newest number"),
            Assert(~(answered | under_way) | (stored_answer == answer), "the answer is kept"),
            Assert((behind >= remembered) | (number == (newest - behind)[:8]), "remembered numbers are consecutive"),
            Assert(~dut.requests.valid | (pending != 0)),
            Assert(~(dut.requests.valid & (dut.request_slot == slot) & under_way), "the slot's answer is sent before"),
            Assert(~(frames.may_be_writing & ~dut.accepted & (pending == slots)), "room was seen"),
            Assert(inside["judging"] == frames.came[1]),
            Assert(dut.accepted + dut.repeated + dut.unexpected == frames.came[2]),
        ]
        age = (newest - dut.frame.sequence)[:8]
        with m.If(frames.came[1] | frames.came[2]):
            m.d.comb += Assert(inside["age"] == age)
        with m.If(dut.accepted):
            m.d.comb += Assert(
                dut.frame.stored & ((inside["age"] == 255) | (dut.frame.operation == Operation.IDENTIFY))
            )
            m.d.comb += Assert(inside["identify"] == (dut.frame.operation == Operation.IDENTIFY))
        with m.If(frames.came[1]):
            m.d.comb += Assert(inside["identify"] == (dut.frame.operation == Operation.IDENTIFY))
        with m.If(dut.repeated):
            m.d.comb += Assert((inside["age"] < remembered) & (inside["repeat_slot"] == (dut.slot - 1 - age)[:bits]))
        m.d.comb += [
            Cover(repeats & ~owed, "a repeat is answered again"),
            Cover(repeats & owed, "a repeat while its answer is under way"),
            Cover(sent & is_pending, "an answer goes while the next request waits in its slot"),
            Cover(waiting == slots - 1, "a long wait"),
        ]
        return m


PROOFS = [
    *(
        Proof(
            name=f"window/once-{slots}",
            claim=f"a repeated request is never executed again, an accepted one always, once ({slots} slots)",
            spec=lambda slots=slots: ExecutedOnce(slots),
            depth=4,
            cover_depth=8 * slots + 22,
        )
        for slots in (2, 4)
    ),
    *(
        Proof(
            name=f"window/answers-{slots}",
            claim=f"answers are kept, their own number's, sent once per execution and repeat ({slots} slots)",
            spec=lambda slots=slots: AnswersAreKept(slots),
            depth=4,
            cover_depth=6 * slots + 20,
        )
        for slots in (2, 4)
    ),
]
