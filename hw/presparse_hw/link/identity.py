"""IDENTIFY: what a board says about itself."""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.operations import Status
from presparse.contract.wire import PROTOCOL_VERSION, WINDOW, Identity
from presparse_hw.link.ports import UnitSignature


def identity_of(build: Build, *, build_id: str, accepted: int, window: int = WINDOW) -> Identity:
    """What a board with this build answers; `build_id` is 16 hexadecimal digits."""
    return Identity(
        protocol=PROTOCOL_VERSION,
        window=window,
        result_capacity=build.result_capacity,
        contract_hash=build.hash,
        build=build_id,
        accepted=accepted,
    )


class Greeter(wiring.Component):
    """Answers with the identity, and has half-received records dropped.

    Members
    -------
    run : Out(UnitSignature)  operation IDENTIFY
    accepted : In(32)   sample records accepted since reset
    discard : Out(1)    one cycle
    """

    run: wiring.PureInterface
    accepted: Signal
    discard: Signal

    def __init__(self, build: Build, *, build_id: str, window: int) -> None:
        if len(bytes.fromhex(build_id)) != 8:
            raise ValueError(f"build_id must be 16 hexadecimal digits, and is {build_id!r}")
        none, all_ones = (
            identity_of(build, build_id=build_id, accepted=count, window=window).pack() for count in (0, (1 << 32) - 1)
        )
        self._constant = none
        self._accepted_at = next(i for i, (a, b) in enumerate(zip(none, all_ones, strict=True)) if a != b)
        super().__init__({"run": Out(UnitSignature()), "accepted": In(32), "discard": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = len(self._constant)
        content = [Const(byte, 8) for byte in self._constant]
        for i in range(4):
            content[self._accepted_at + i] = self.accepted.word_select(i, 8)
        index = Signal(range(size + 1))
        m.d.comb += [
            self.discard.eq(self.run.start),
            self.run.answer.payload.eq(Array([*content, Const(0, 8)])[index]),
            self.run.status.eq(Status.OK),
        ]
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += index.eq(0)
                with m.If(self.run.start):
                    m.next = "Answer"
            with m.State("Answer"):
                m.d.sync += index.eq(index + 1)
                with m.If(index == size):
                    m.d.comb += self.run.done.eq(1)
                    m.next = "Idle"
                with m.Else():
                    m.d.comb += self.run.answer.valid.eq(1)
        return m
