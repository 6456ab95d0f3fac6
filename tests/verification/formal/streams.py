"""The contract of streams, and words that are followed through a queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from amaranth.hdl import Assert, Assume, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from presparse_hw.lib.delays import delay


def streams(component: wiring.Component) -> Iterator[tuple[str, stream.Interface, bool]]:
    """Every stream port of a component: name, interface, whether transfers leave the component."""
    for path, member in component.signature.members.items():
        if member.is_signature and isinstance(member.signature, stream.Signature):
            yield path, getattr(component, path), member.flow is Out


def keeps_contract(m: Module, port: stream.Interface, *, name: str, unless: Value | None = None) -> Value:
    """True unless an offered transfer was changed or taken back before it was accepted. `unless`: in the cycle before,
    the sender was allowed to."""
    offered = port.valid & ~port.ready & ~(Const(0) if unless is None else unless)
    waiting = delay(m, offered, 1, name=f"{name}_waiting", reset=True)
    payload = Value.cast(port.payload)
    before = delay(m, payload, 1, name=f"{name}_before")
    return ~waiting | (port.valid & (payload == before))


def assume_contract(m: Module, component: wiring.Component, *, unless: Value | None = None) -> None:
    """The streams into a component keep the contract."""
    for name, port, leaves in streams(component):
        if not leaves:
            m.d.comb += Assume(keeps_contract(m, port, name=name, unless=unless))


def assert_contract(m: Module, component: wiring.Component, *, unless: Value | None = None) -> None:
    """The streams out of a component keep the contract."""
    for name, port, leaves in streams(component):
        if leaves:
            m.d.comb += Assert(keeps_contract(m, port, name=name, unless=unless), f"stream {name}: payload or valid")


class Followed:
    """One word on its way through a queue, chosen by the solver among all that ever go in.

    `inside` it is under way; `word` what it is; `ahead` how many words, itself included, leave until it has left;
    `count` all words under way; `leaves` it leaves in this cycle.
    """

    def __init__(self, m: Module, *, enters: Value, word: Value, exits: Value, may_follow: Value, most: int) -> None:
        """`most`: words under way at once. `may_follow`: this word may be chosen."""
        self.count = Signal(range(most + 2), name="count")
        self.ahead = Signal(range(most + 2), name="ahead")
        self.word = Signal(word.shape(), name="followed")
        self.inside = Signal(name="following")
        self.chosen = Signal(name="chosen")
        self.leaves = Signal(name="leaves")
        m.d.comb += [
            self.chosen.eq(enters & may_follow & ~self.inside),
            self.leaves.eq(self.inside & exits & (self.ahead == 1)),
        ]
        m.d.sync += self.count.eq(self.count + enters - exits)
        with m.If(self.chosen):
            m.d.sync += [self.inside.eq(1), self.word.eq(word), self.ahead.eq(self.count + 1 - exits)]
        with m.Elif(self.inside & exits):
            m.d.sync += [self.ahead.eq(self.ahead - 1), self.inside.eq(self.ahead != 1)]
        # For induction: it is one of those under way.
        with m.If(self.inside):
            m.d.comb += Assert((self.ahead != 0) & (self.ahead <= self.count), "the followed word is under way")


def transfers(port: Any) -> Value:
    """A transfer happens."""
    return port.valid & port.ready
