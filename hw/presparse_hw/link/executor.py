"""Executes requests one after another on the core."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from presparse.contract.build import Build
from presparse.contract.operations import MAX_PAYLOAD, OPERATIONS, Operation, Payload, Status
from presparse_hw.core.ports import CoreSignature
from presparse_hw.link.counters import CounterPort
from presparse_hw.link.feeder import Feeder
from presparse_hw.link.identity import Greeter
from presparse_hw.link.ports import LENGTH, ByteLayout, CompressedSignature, RequestLayout
from presparse_hw.link.reset_control import ResetControl
from presparse_hw.link.result_packer import ResultPacker
from presparse_hw.link.run_control import RunStarter
from presparse_hw.link.sizes import OFFSET_BITS
from presparse_hw.link.word_access import WordAccess
from presparse_hw.store.ports import RunSignature


class Executor(wiring.Component):
    """Runs each request on the unit for its operation and collects the unit's answer.

    A request takes 5 cycles and its unit's; SAMPLES, if the core takes its transfers at once, a cycle per byte and 10
    in all, three more than a frame adds to its payload: no link has a byte in every cycle. When nothing passes between
    a unit and the core or into the answer for `time_limit` cycles, all units are reset, a half-received record is
    dropped, and the answer is STALLED.

    Parameters
    ----------
    build_id : 16 hexadecimal digits
    window : what IDENTIFY says
    time_limit : in cycles; longer than a flush takes

    Members
    -------
    requests : In(stream)    headers; one is taken in the cycle in which `status` and `length` are its answer's
    status, length : Out     what was written is of account if the status is OK
    start : Out(1)           asks for the payload of `requests`, which comes as `payload`
    payload : In(stream)
    write : Out              to the slot of the request's answer
    core : In                the core's ports
    compressed : In          of the decoder; unused in builds without `sample_bits`
    runs : In                of the store; unused in builds without one
    counters : Out           reads them
    clear_counters : Out(1)
    """

    requests: stream.Interface
    status: Signal
    length: Signal
    start: Signal
    payload: stream.Interface
    write: wiring.PureInterface
    core: wiring.PureInterface
    compressed: wiring.PureInterface
    runs: wiring.PureInterface
    counters: wiring.PureInterface
    clear_counters: Signal

    def __init__(self, build: Build, *, build_id: str, window: int, time_limit: int) -> None:
        if time_limit < 1:
            raise ValueError(f"time_limit must be at least 1 cycle, and is {time_limit}")
        self._time_limit = time_limit
        self._known = {op: e for op, e in OPERATIONS.items() if build.store or not e.store_only}
        self._greeter = Greeter(build, build_id=build_id, window=window)
        self._access = WordAccess()
        self._feeder = Feeder(build)
        self._packer = ResultPacker(build)
        self._control = ResetControl()
        self._starter = RunStarter(build) if build.store else None
        super().__init__(
            {
                "requests": In(stream.Signature(RequestLayout())),
                "status": Out(Status),
                "length": Out(LENGTH),
                "start": Out(1),
                "payload": In(stream.Signature(ByteLayout())),
                "write": In(memory.WritePort.Signature(addr_width=OFFSET_BITS, shape=8)),
                "core": In(CoreSignature(build)),
                "compressed": In(CompressedSignature()),
                "runs": In(RunSignature()),
                "counters": Out(CounterPort()),
                "clear_counters": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request = Signal(RequestLayout())  # the one that is executed, copied: fewer levels behind the window
        stop = Signal()
        start = Signal()
        done = Signal()
        status = Signal(Status)
        answer = Signal(Status)
        self._connect_core(m, stop)
        count = Signal(LENGTH)
        late = self._watch(m, start)
        verdict = self._check(m, request)

        writes = Signal()
        self._connect_units(m, request, start, done, status, writes)
        m.d.comb += [self.length.eq(count), self.status.eq(answer)]
        wrote = Signal()
        place = Signal.like(count)
        m.d.sync += [wrote.eq(writes), place.eq(count), self.write.en.eq(wrote), self.write.addr.eq(place)]
        with m.If(writes):
            m.d.sync += count.eq(count + 1)
        m.d.sync += [start.eq(0), stop.eq(0)]
        with m.FSM():
            with m.State("Wait-Request"):
                m.d.comb += self.start.eq(self.requests.valid)
                m.d.sync += [request.eq(self.requests.payload), count.eq(0)]
                with m.If(self.requests.valid):
                    m.next = "Check"
            with m.State("Check"):  # the verdict on `request` is there in the next cycle
                m.next = "Begin"
            with m.State("Begin"):
                m.d.sync += answer.eq(verdict)
                m.next = "Answer"
                with m.If(verdict == Status.OK):
                    m.d.sync += start.eq(1)
                    m.next = "Execute"
            with m.State("Execute"):
                with m.If(done):
                    m.d.sync += answer.eq(status)
                    m.next = "Answer"
                with m.Elif(late & ~start):
                    m.d.sync += [stop.eq(1), answer.eq(Status.STALLED)]
                    m.next = "Stop"
            with m.State("Stop"):
                m.next = "Answer"
            with m.State("Answer"):  # by its state alone: the window is far away
                m.d.comb += self.requests.ready.eq(1)
                m.next = "Wait-Request"
        return m

    def _connect_core(self, m: Module, stop: Signal) -> None:
        """The units' ports to the core's; what drops a half-received record drops it in both places."""
        core, discard = self.core, self.core.discard
        m.submodules.greeter = ResetInserter(stop)(self._greeter)
        m.submodules.access = ResetInserter(stop)(self._access)
        # Registers from the first cycle on: the core may have no other reset, and what they reach is far away.
        restart = Signal(init=1)
        forget = Signal(init=1)
        discards = stop | self._greeter.discard | self._feeder.discard
        m.d.sync += [restart.eq(self._control.restart), forget.eq(discards | self._control.restart)]
        m.submodules.feeder = ResetInserter(forget)(self._feeder)
        m.submodules.packer = ResetInserter(stop)(self._packer)
        m.submodules.control = ResetInserter(stop)(self._control)
        wiring.connect(m, self._access.commands, wiring.flipped(core.commands))
        wiring.connect(m, self._access.answers, wiring.flipped(core.answers))
        wiring.connect(m, self._access.counters, wiring.flipped(self.counters))
        wiring.connect(m, self._feeder.samples, wiring.flipped(core.samples))
        wiring.connect(m, self._feeder.compressed, wiring.flipped(self.compressed))
        wiring.connect(m, self._packer.results, wiring.flipped(core.results))
        if self._starter is not None:
            m.submodules.starter = ResetInserter(stop)(self._starter)
            wiring.connect(m, self._starter.control, wiring.flipped(self.runs))
            m.d.comb += self._starter.ready.eq(core.drained & self._feeder.between)
        accepted = Signal(32)
        one_more = Signal()
        m.d.sync += one_more.eq(self._feeder.accepted | self.runs.accepted)
        m.d.sync += discard.eq(discards)
        m.d.comb += [
            core.restart.eq(restart),
            self.clear_counters.eq(self._control.clear_counters),
            self._feeder.results_waiting.eq(core.results_waiting),
            self._packer.results_waiting.eq(core.results_waiting),
            self._feeder.drained.eq(core.drained),
            self._control.drained.eq(core.drained),
            self._greeter.accepted.eq(accepted),
            self._greeter.store.eq(self.runs.state),
            self._greeter.read_phase.eq(self.runs.read_phase),
        ]
        with m.If(restart):
            m.d.sync += [accepted.eq(0), one_more.eq(0)]
        with m.Elif(one_more):
            m.d.sync += accepted.eq(accepted + 1)

    def _connect_units(
        self, m: Module, request: data.View, start: Signal, done: Signal, status: Signal, writes: Signal
    ) -> None:
        """Start and feed the unit for the operation; collect its answer, whose bytes are the answer memory's two cycles
        after `writes`: the units are far apart, each has a register for its own, and so is the memory."""
        answered = []
        units = [
            (self._greeter, [Operation.IDENTIFY]),
            (self._access, [Operation.READ, Operation.WRITE]),
            (self._feeder, [Operation.SAMPLES, Operation.FLUSH]),
            (self._packer, [Operation.RESULTS]),
            (self._control, [Operation.CLEAR_COUNTERS, Operation.RESET]),
        ]
        if self._starter is not None:
            units.append((self._starter, [Operation.RUN, Operation.STOP, Operation.RUN_STATE]))
        for unit, operations in units:
            run, chosen = unit.run, Signal(name=f"{type(unit).__name__}_chosen")
            m.d.sync += chosen.eq(request.operation.matches(*operations))
            m.d.comb += [
                run.operation.eq(request.operation),
                run.length.eq(request.length),
                run.payload.payload.eq(self.payload.payload),
                run.payload.valid.eq(self.payload.valid & chosen),
                run.start.eq(start & chosen),
            ]
            byte = Signal(8, name=f"{type(unit).__name__}_byte")
            m.d.sync += byte.eq(Mux(chosen, run.answer.payload, 0))
            answered.append(byte)
            with m.If(chosen):
                m.d.sync += status.eq(run.status)
        runs = [unit.run for unit, _ in units]
        m.d.sync += [done.eq(Cat(run.done for run in runs).any()), self.write.data.eq(reduce(or_, answered))]
        m.d.comb += [
            self.payload.ready.eq(Cat(run.payload.ready for run in runs).any()),
            writes.eq(Cat(run.answer.valid for run in runs).any()),
        ]

    def _check(self, m: Module, request: data.View) -> Signal:
        """Whether the operation exists, its payload's length can be right, and no run keeps it from being executed: a
        cycle after `request`."""
        verdict = Signal(Status)
        is_it = Signal(len(self._known))  # a bit for each operation, as `fits` has
        fits = Signal(len(self._known))
        running = Signal()
        known = is_it.any()
        right = (is_it & fits).any()
        waits = Cat(not exchange.during_run for exchange in self._known.values())
        kept = running & (is_it & waits).any()
        m.d.sync += [
            is_it.eq(Cat(request.operation == operation for operation in self._known)),
            fits.eq(Cat(_has_length_of(exchange.request, request.length) for exchange in self._known.values())),
            running.eq(self.runs.running),
        ]
        with m.If(~known):
            m.d.comb += verdict.eq(Status.UNKNOWN_OPERATION)
        with m.Elif(~right):
            m.d.comb += verdict.eq(Status.BAD_LENGTH)
        with m.Elif(kept):
            m.d.comb += verdict.eq(Status.RUNNING)
        with m.Else():
            m.d.comb += verdict.eq(Status.OK)
        return verdict

    def _watch(self, m: Module, start: Signal) -> Signal:
        """High when nothing has passed between units and core, or into the answer, for the time limit."""
        core = self.core
        idle = Signal(range(-self._time_limit, 1))  # counts up to 0
        ports = (core.samples, core.results, core.commands, core.answers, self.compressed.words)
        transfers = Signal(len(ports) + 1)
        passed = Signal()
        late = Signal()
        m.d.sync += [
            transfers.eq(Cat(*(port.valid & port.ready for port in ports), self.compressed.accepted)),
            passed.eq(start | self.write.en | transfers.any()),
            late.eq(~idle[-1] & ~start & ~passed),
        ]
        with m.If(start | passed):
            m.d.sync += idle.eq(-self._time_limit)
        with m.Elif(idle[-1]):
            m.d.sync += idle.eq(idle + 1)
        return late


def _has_length_of(payload: Payload, length: Value) -> Value:
    """Whether a payload (of at most MAX_PAYLOAD bytes) may have this length."""
    lengths = payload.lengths
    if len(lengths) == 1:
        return length == lengths[0]
    assert (lengths[-1], lengths[0] % lengths.step) == (MAX_PAYLOAD, 0), "more would have to be compared"
    at_least = length[exact_log2(lengths[0]) :].any()  # of `length >= lengths[0]` synthesis makes a carry chain
    return at_least & (length[: exact_log2(lengths.step)] == 0)
