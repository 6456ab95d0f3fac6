"""Executes requests one after another on the core."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.memory import COUNTER_BITS, LINK_COUNTERS
from presparse.contract.wire import Operation, Status
from presparse_hw.link.access import WordAccess
from presparse_hw.link.control import Control
from presparse_hw.link.identity import Greeter
from presparse_hw.link.interfaces import LENGTH, OFFSET_BITS, SLOT_BITS, ByteLayout, RequestLayout
from presparse_hw.link.results import ResultPacker
from presparse_hw.link.samples import Feeder
from presparse_hw.signature import CoreSignature


class Executor(wiring.Component):
    """Runs each request on the unit for its operation and collects the unit's answer.

    A request takes 4 cycles and its unit's; SAMPLES, if the core takes its transfers at once, a cycle
    per byte and 7 in all, less than a frame adds to its payload. When nothing passes between a unit and
    the core for `time_limit` cycles, all units are reset, a half-received record is dropped, and the
    answer is STALLED.

    Parameters
    ----------
    build_id : 16 hexadecimal digits
    time_limit : in cycles; longer than a flush takes

    Members
    -------
    requests : In(stream)    headers; one is taken in the cycle in which `status` and `length` are its answer's
    status, length : Out
    start : Out(1)           asks for the payload of `requests`, which comes as `payload`
    payload : In(stream)
    write : Out              write port of the answer memory
    core : In                the core's ports
    link_counters : In
    clear_counters : Out(1)  for the link's counters
    """

    requests: stream.Interface
    status: Signal
    length: Signal
    start: Signal
    payload: stream.Interface
    write: wiring.PureInterface
    core: wiring.PureInterface
    link_counters: data.View
    clear_counters: Signal

    def __init__(self, build: Build, *, build_id: str, time_limit: int) -> None:
        if time_limit < 1:
            raise ValueError(f"time_limit must be at least 1 cycle, and is {time_limit}")
        self._time_limit = time_limit
        self._greeter = Greeter(build, build_id=build_id)
        self._access = WordAccess()
        self._feeder = Feeder(build)
        self._packer = ResultPacker(build)
        self._control = Control()
        super().__init__(
            {
                "requests": In(stream.Signature(RequestLayout())),
                "status": Out(Status),
                "length": Out(LENGTH),
                "start": Out(1),
                "payload": In(stream.Signature(ByteLayout())),
                "write": In(memory.WritePort.Signature(addr_width=SLOT_BITS + OFFSET_BITS, shape=8)),
                "core": In(CoreSignature(build)),
                "link_counters": In(data.StructLayout(dict.fromkeys(LINK_COUNTERS, COUNTER_BITS))),
                "clear_counters": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request = Signal(RequestLayout())  # the one that is executed, copied: fewer levels behind the window
        stop, start = Signal(), Signal()
        done, status = Signal(), Signal(Status)
        self._connect_core(m, stop)
        self._connect_units(m, request, start, done, status)
        count = Signal(LENGTH)
        late = self._watch(m, start)
        verdict = self._check(m, request)

        m.d.comb += [
            self.write.addr.eq(Cat(count[:OFFSET_BITS], request.slot)),
            self.length.eq(Mux(self.status == Status.OK, count, 0)),
        ]
        with m.If(self.write.en):
            m.d.sync += count.eq(count + 1)
        with m.FSM():
            with m.State("Wait-Request"):
                m.d.comb += self.start.eq(self.requests.valid)
                m.d.sync += [request.eq(self.requests.payload), count.eq(0)]
                with m.If(self.requests.valid):
                    m.next = "Check"
            with m.State("Check"):
                m.d.sync += [self.status.eq(verdict), start.eq(verdict == Status.OK)]
                m.next = "Begin"
            with m.State("Begin"):
                m.d.sync += start.eq(0)
                m.next = "Answer"
                with m.If(start):
                    m.next = "Execute"
            with m.State("Execute"):
                with m.If(done):
                    m.d.sync += self.status.eq(status)
                    m.next = "Answer"
                with m.Elif(late):
                    m.next = "Stop"
            with m.State("Stop"):
                # A state of its own: the core's `ready` may depend on `discard`, and `done` does on `ready`.
                m.d.comb += stop.eq(1)
                m.d.sync += self.status.eq(Status.STALLED)
                m.next = "Answer"
            with m.State("Answer"):
                m.d.comb += self.requests.ready.eq(1)
                m.next = "Wait-Request"
        return m

    def _connect_core(self, m: Module, stop: Signal) -> None:
        """The units' ports to the core's; what drops a half-received record drops it in both places."""
        core = self.core
        discard = stop | self._greeter.discard
        m.submodules.greeter = ResetInserter(stop)(self._greeter)
        m.submodules.access = ResetInserter(stop)(self._access)
        m.submodules.feeder = ResetInserter(discard | self._control.restart)(self._feeder)
        m.submodules.packer = ResetInserter(stop)(self._packer)
        m.submodules.control = ResetInserter(stop)(self._control)
        wiring.connect(m, self._access.commands, wiring.flipped(core.commands))
        wiring.connect(m, self._access.answers, wiring.flipped(core.answers))
        wiring.connect(m, self._feeder.samples, wiring.flipped(core.samples))
        wiring.connect(m, self._packer.results, wiring.flipped(core.results))
        accepted = Signal(32)
        m.d.comb += [
            core.discard.eq(discard),
            core.restart.eq(self._control.restart),
            core.clear_counters.eq(self._control.clear_counters),
            self.clear_counters.eq(self._control.clear_counters),
            self._access.core_counters.eq(core.counters),
            self._access.link_counters.eq(self.link_counters),
            self._feeder.results_waiting.eq(core.results_waiting),
            self._packer.results_waiting.eq(core.results_waiting),
            self._feeder.drained.eq(core.drained),
            self._control.drained.eq(core.drained),
            self._greeter.accepted.eq(accepted),
        ]
        with m.If(self._control.restart):
            m.d.sync += accepted.eq(0)
        with m.Elif(self._feeder.accepted):
            m.d.sync += accepted.eq(accepted + 1)

    def _connect_units(self, m: Module, request: data.View, start: Signal, done: Signal, status: Signal) -> None:
        """Start and feed the unit for the operation, two cycles after `request` came; collect its answer."""
        for unit, operations in (
            (self._greeter, [Operation.IDENTIFY]),
            (self._access, [Operation.READ, Operation.WRITE]),
            (self._feeder, [Operation.SAMPLES, Operation.FLUSH]),
            (self._packer, [Operation.RESULTS]),
            (self._control, [Operation.CLEAR_COUNTERS, Operation.RESET]),
        ):
            run, chosen = unit.run, Signal(name=f"{type(unit).__name__}_chosen")
            m.d.sync += chosen.eq(request.operation.matches(*operations))
            m.d.comb += [
                run.operation.eq(request.operation),
                run.length.eq(request.length),
                run.payload.payload.eq(self.payload.payload),
                run.payload.valid.eq(self.payload.valid & chosen),
                run.start.eq(start & chosen),
            ]
            with m.If(chosen):
                m.d.comb += [
                    self.payload.ready.eq(run.payload.ready),
                    self.write.data.eq(run.answer.payload),
                    self.write.en.eq(run.answer.valid),
                    done.eq(run.done),
                    status.eq(run.status),
                ]

    def _check(self, m: Module, request: data.View) -> Signal:
        """Whether the operation exists and its payload's length can be right."""
        verdict, length = Signal(Status), request.length
        with m.Switch(request.operation):
            with m.Case(Operation.READ):
                m.d.comb += verdict.eq(Mux(length == 6, Status.OK, Status.BAD_LENGTH))
            with m.Case(Operation.WRITE):
                m.d.comb += verdict.eq(Mux((length >= 8) & (length[:2] == 0), Status.OK, Status.BAD_LENGTH))
            with m.Case(Operation.SAMPLES):
                m.d.comb += verdict.eq(Mux(length != 0, Status.OK, Status.BAD_LENGTH))
            with m.Case(*(set(Operation) - {Operation.READ, Operation.WRITE, Operation.SAMPLES})):
                m.d.comb += verdict.eq(Mux(length == 0, Status.OK, Status.BAD_LENGTH))
            with m.Default():
                m.d.comb += verdict.eq(Status.UNKNOWN_OPERATION)
        return verdict

    def _watch(self, m: Module, start: Signal) -> Signal:
        """High when nothing has passed between units and core for the time limit."""
        core, idle = self.core, Signal(range(self._time_limit + 1))
        passes = [port.valid & port.ready for port in (core.samples, core.results, core.commands, core.answers)]
        with m.If(start | Cat(passes).any()):
            m.d.sync += idle.eq(0)
        with m.Elif(idle != self._time_limit):
            m.d.sync += idle.eq(idle + 1)
        late = Signal()
        m.d.sync += late.eq((idle == self._time_limit) & ~start)
        return late
