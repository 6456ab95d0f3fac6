"""IDENTIFY: what a board says about itself."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.operations import OPERATIONS, Operation, Status
from presparse.contract.store import StoreState
from presparse.contract.wire import PROTOCOL_VERSION, WINDOW, Identity
from presparse_hw.link.ports import FieldsLayout, UnitSignature


def identity_of(
    build: Build,
    *,
    build_id: str,
    accepted: int = 0,
    window: int = WINDOW,
    store: StoreState = StoreState.NONE,
    read_phase: int = 0,
) -> Identity:
    """What a board with this build answers; `build_id` is 16 hexadecimal digits."""
    return Identity(
        protocol=PROTOCOL_VERSION,
        window=window,
        result_capacity=build.result_capacity,
        contract_hash=build.hash,
        build=build_id,
        accepted=accepted,
        store=store,
        read_phase=read_phase,
    )


class Greeter(wiring.Component):
    """Answers with the identity, and has half-received records dropped.

    Members
    -------
    run : Out(UnitSignature)  operation IDENTIFY
    accepted : In(32)   samples accepted since reset
    store, read_phase : In   of the store, as in `RunSignature`
    discard : Out(1)    one cycle
    """

    run: wiring.PureInterface
    accepted: Signal
    store: Signal
    read_phase: Signal
    discard: Signal

    def __init__(self, build: Build, *, build_id: str, window: int) -> None:
        if len(bytes.fromhex(build_id)) != 8:
            raise ValueError(f"build_id must be 16 hexadecimal digits, and is {build_id!r}")
        self._constant = identity_of(build, build_id=build_id, window=window).pack()
        super().__init__(
            {"run": Out(UnitSignature()), "accepted": In(32), "store": In(8), "read_phase": In(8), "discard": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = len(self._constant)
        content = Signal(FieldsLayout(OPERATIONS[Operation.IDENTIFY].answer))
        index = Signal(range(size + 1))
        m.d.comb += [
            content.eq(int.from_bytes(self._constant, "little")),
            content.accepted.eq(self.accepted),
            content.store.eq(self.store),
            content.read_phase.eq(self.read_phase),
            self.discard.eq(self.run.start),
            self.run.answer.payload.eq(content.as_value().word_select(index, 8)),
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
