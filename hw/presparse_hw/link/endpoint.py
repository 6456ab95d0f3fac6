"""The board's end of the link, whole."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import CORE_COUNTERS, LINK_COUNTERS
from presparse.contract.build import Build
from presparse.contract.wire import WINDOW
from presparse_hw.core.ports import CoreSignature, EventLayout
from presparse_hw.lib.delays import restarted
from presparse_hw.link.counters import Counters
from presparse_hw.link.deframer import Deframer
from presparse_hw.link.enframer import Enframer
from presparse_hw.link.executor import Executor
from presparse_hw.link.intake import SampleIntake
from presparse_hw.link.slots import SlotMemory
from presparse_hw.link.window import Window
from presparse_hw.store.sdram.chip import Sdram
from presparse_hw.store.store import pads_of

NO_BUILD_ID = "0" * 16
WATCHDOG_CYCLES = 1 << 22
"""Tens of milliseconds on a board: more than a driver pauses inside a frame, less than a host waits."""
_WINDOWS = (1, 2, 4, 8, 16, 32, 64)


def time_limit_of(build: Build) -> int:
    """Cycles that cover the longest a working core takes between two transfers, a flush, four times over."""
    schedule = build.schedule
    blocks = schedule.depth + max(junction.activation_slots for junction in schedule.junctions)
    return 4 * (blocks * schedule.period + schedule.settle + build.network.layers[0]) + 1024


class Endpoint(wiring.Component):
    """Bytes to requests, requests to the core, answers to bytes. The next frame arrives while a
    request is executed and an answer sent; a SAMPLES frame takes a cycle per byte, and three.

        i_bytes -> Deframer -> Window -> Executor <-> core
                      |          |          |
                 request memory  |     answer memory
                                 v          |
        o_bytes <------------ Enframer <----'

    Parameters
    ----------
    build_id : 16 hexadecimal digits that tell bitstreams of one build apart
    window : requests that may be unanswered at once: 1, 2, 4 .. 64, 2 KiB of block RAM each
    watchdog_cycles : a frame is abandoned when no byte of it comes for as many cycles
    time_limit : a request is given up (STALLED) when the core does not move for as many cycles;
        by default what `time_limit_of` says
    sdram : as in `SampleStore`

    Members
    -------
    sdram : Out(SdramPadSignature)   as in `SampleStore`
    restart : In(1)        everything as at power-on, but for memories; the core, too
    i_bytes : In(stream)   from the host, taken at once, always
    o_bytes : Out(stream)  to the host
    core : In              the core's ports
    """

    sdram: wiring.PureInterface
    restart: Signal
    i_bytes: stream.Interface
    o_bytes: stream.Interface
    core: wiring.PureInterface

    def __init__(
        self,
        build: Build,
        *,
        build_id: str = NO_BUILD_ID,
        window: int = WINDOW,
        watchdog_cycles: int = WATCHDOG_CYCLES,
        time_limit: int | None = None,
        sdram: Sdram | None = None,
    ) -> None:
        if window not in _WINDOWS:
            raise ValueError(f"window must be one of {', '.join(map(str, _WINDOWS))}, and is {window}")
        self._window = window
        self._deframer = Deframer(watchdog_cycles=watchdog_cycles)
        limit = time_limit_of(build) if time_limit is None else time_limit
        self._executor = Executor(build, build_id=build_id, window=window, time_limit=limit)
        self._intake = SampleIntake(build, sdram) if build.sample_format else None
        core_events = {name: field.width for name, field in EventLayout(build)}
        self._counters = Counters(core_events | dict.fromkeys(LINK_COUNTERS, 1))
        super().__init__(
            {
                **pads_of(build, sdram),
                "restart": In(1),
                "i_bytes": In(stream.Signature(8)),
                "o_bytes": Out(stream.Signature(8)),
                "core": In(CoreSignature(build)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        deframer, executor, counters = self._deframer, self._executor, self._counters
        request_memory, answer_memory = SlotMemory(self._window), SlotMemory(self._window)
        window, enframer = Window(self._window), Enframer()
        parts = {
            "deframer": deframer,
            "request_memory": request_memory,
            "window": window,
            "executor": executor,
            "answer_memory": answer_memory,
            "enframer": enframer,
            "counters": counters,
        }
        for name, part in parts.items():
            m.submodules[name] = restarted(m, part, self.restart, name=name)

        wiring.connect(m, wiring.flipped(self.i_bytes), deframer.i)
        wiring.connect(m, deframer.write, request_memory.write)
        wiring.connect(m, window.requests, executor.requests)
        wiring.connect(m, request_memory.bytes, executor.payload)
        self._connect_core(m, executor)
        wiring.connect(m, executor.counters, counters.port)
        wiring.connect(m, executor.write, answer_memory.write)
        wiring.connect(m, window.answers, enframer.answers)
        wiring.connect(m, answer_memory.bytes, enframer.payload)
        wiring.connect(m, enframer.o, wiring.flipped(self.o_bytes))
        request, answer = window.requests.payload, window.answers.payload
        m.d.comb += [
            request_memory.write_slot.eq(window.slot),
            deframer.full.eq(window.full),
            window.frame.eq(deframer.frame),
            window.arrived.eq(deframer.arrived),
            request_memory.start.eq(executor.start),
            request_memory.slot.eq(window.request_slot),
            request_memory.length.eq(request.length),
            window.status.eq(executor.status),
            window.length.eq(executor.length),
            answer_memory.write_slot.eq(window.request_slot),
            answer_memory.start.eq(enframer.start),
            answer_memory.slot.eq(window.answer_slot),
            answer_memory.length.eq(answer.length),
            counters.events.frames_accepted.eq(window.accepted),
            counters.events.frames_repeated.eq(window.repeated),
            counters.events.frames_corrupt.eq(deframer.corrupt),
            counters.events.frames_malformed.eq(deframer.malformed),
            counters.events.frames_abandoned.eq(deframer.abandoned),
            counters.events.frames_unexpected.eq(window.unexpected),
            counters.clear.eq(executor.clear_counters),
        ]
        m.d.comb += [counters.events[name].eq(self.core.events[name]) for name in CORE_COUNTERS]
        return m

    def _connect_core(self, m: Module, executor: Executor) -> None:
        """With the intake in between, if the build takes compressed samples."""
        if self._intake is None:
            wiring.connect(m, executor.core, wiring.flipped(self.core))
            return
        m.submodules.intake = intake = self._intake
        wiring.connect(m, executor.core, intake.link)
        wiring.connect(m, executor.compressed, intake.compressed)
        wiring.connect(m, executor.runs, intake.runs)
        wiring.connect(m, intake.core, wiring.flipped(self.core))
        if hasattr(self, "sdram"):
            wiring.connect(m, intake.sdram, wiring.flipped(self.sdram))
