"""RUN, STOP and RUN_STATE: runs over stored samples."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.operations import OPERATIONS, Operation, Status
from presparse.contract.store import LEAST_SLOT, StoreState
from presparse.contract.wire import Order, RunState, SampleKind
from presparse_hw.link.ports import FieldsLayout, UnitSignature
from presparse_hw.store.ports import RunSignature, store_of


class RunStarter(wiring.Component):
    """Checks and starts runs, stops them, and says how far they are.

    Members
    -------
    run : Out(UnitSignature)   operations RUN, STOP and RUN_STATE
    control : In         of the store
    ready : In(1)        the core is drained, and no sample record has begun
    """

    run: wiring.PureInterface
    control: wiring.PureInterface
    ready: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._store = store_of(build)
        super().__init__({"run": Out(UnitSignature()), "control": In(RunSignature()), "ready": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit, control = self.run, self.control
        wanted = Signal(FieldsLayout(OPERATIONS[Operation.RUN].request), reset_less=True)  # a `StoredRun`
        behind = Signal(33)  # the last sample's number, and one more
        capacity = Signal(range(self._store.capacity(LEAST_SLOT) + 1))  # samples in slots of this size
        good = Signal()
        state = Signal(FieldsLayout(OPERATIONS[Operation.RUN_STATE].answer))  # a `RunState`, shifted out
        bits = state.as_value()
        byte = Signal(range(RunState.LAYOUT.size))
        m.d.comb += unit.answer.payload.eq(bits[:8])
        ready = Signal()  # a cycle late: it comes from afar, and what starts is all over the store
        m.d.sync += ready.eq(self.ready)

        def finish(status: Status) -> None:
            m.d.comb += [unit.done.eq(1), unit.status.eq(status)]
            m.next = "Idle"

        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [state.running.eq(control.running), state.fed.eq(control.fed), state.runs.eq(control.runs)]
                m.d.sync += byte.eq(0)
                with m.If(unit.start):
                    with m.If(unit.operation == Operation.RUN):
                        m.next = "Take"
                    with m.Else():
                        m.d.comb += control.stop.eq(unit.operation == Operation.STOP)
                        m.next = "Answer"
            with m.State("Answer"):
                m.d.comb += unit.answer.valid.eq(1)
                m.d.sync += [bits.eq(bits >> 8), byte.eq(byte + 1)]
                with m.If(byte == RunState.LAYOUT.size - 1):
                    finish(Status.OK)
            with m.State("Take"):
                m.d.comb += unit.payload.ready.eq(1)
                with m.If(unit.payload.valid):
                    m.d.sync += wanted.eq(Cat(wanted.as_value()[8:], unit.payload.payload.data))
                    with m.If(unit.payload.payload.last):
                        m.next = "Add"
            with m.State("Add"):
                m.d.sync += [behind.eq(wanted.first + wanted.count), good.eq(self._header_is_good(wanted))]
                with m.Switch(wanted.slot):
                    for slot in range(LEAST_SLOT, self._store.largest_slot + 1):
                        with m.Case(slot):
                            m.d.sync += capacity.eq(self._store.capacity(slot))
                    with m.Default():
                        m.d.sync += capacity.eq(0)
                m.next = "Check"
            with m.State("Check"):
                m.d.sync += good.eq(good & (behind <= capacity) & (wanted.count != 0))
                m.next = "Start"
            with m.State("Start"):
                with m.If(~good):
                    finish(Status.BAD_RUN)
                with m.Elif(~ready):
                    finish(Status.NOT_DRAINED)
                with m.Else():
                    m.d.comb += control.start.eq(1)
                    finish(Status.OK)

        # A later RUN is taken only after this one has ended.
        m.d.comb += [control.run[name].eq(wanted[name]) for name in ("kind", "rate", "slot", "first", "count", "seed")]
        m.d.comb += control.run.permuted.eq(wanted.order == Order.PERMUTED)
        return m

    def _header_is_good(self, wanted: data.View) -> Mux:
        rates = self._build.network.rates
        training = wanted.kind == SampleKind.TRAIN
        kind_is_good = wanted.kind == SampleKind.EVALUATE
        if self._build.training:
            kind_is_good |= training
        rate_is_good = Mux(training, (wanted.rate >= rates.least) & (wanted.rate <= rates.most), wanted.rate == 0)
        order_is_good = (wanted.order == Order.SEQUENTIAL) | (wanted.order == Order.PERMUTED)
        return kind_is_good & rate_is_good & order_is_good & (self.control.state == StoreState.READY)
