"""CLEAR_COUNTERS and RESET."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.operations import Operation, Status
from presparse_hw.core.ports import RESTART
from presparse_hw.link.ports import UnitSignature


class ResetControl(wiring.Component):
    """Runs CLEAR_COUNTERS, and RESET until the core is drained.

    Members
    -------
    run : Out(UnitSignature)
    drained : In(1)          the core's
    clear_counters, restart : Out(1)   one cycle, registered. A restart clears the counters too
    """

    run: wiring.PureInterface
    drained: Signal
    clear_counters: Signal
    restart: Signal

    def __init__(self) -> None:
        super().__init__({"run": Out(UnitSignature()), "drained": In(1), "clear_counters": Out(1), "restart": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.run.status.eq(Status.OK)
        resets = Signal()
        m.d.sync += resets.eq(self.run.operation == Operation.RESET)
        settle = Signal(range(RESTART + 1))  # the executor passes `restart` on a cycle later
        m.d.sync += [self.clear_counters.eq(0), self.restart.eq(self.run.start & resets)]
        with m.FSM():
            with m.State("Idle"), m.If(self.run.start):
                m.next = "Clear"
                with m.If(resets):
                    m.d.sync += settle.eq(RESTART)
                    m.next = "Restart"
            with m.State("Restart"):
                m.d.sync += settle.eq(settle - 1)
                with m.If(settle == 0):
                    m.next = "Wait-Drained"
            with m.State("Wait-Drained"), m.If(self.drained):
                m.next = "Clear"
            with m.State("Clear"):
                m.d.sync += self.clear_counters.eq(1)
                m.next = "Done"
            with m.State("Done"):
                m.d.comb += self.run.done.eq(1)
                m.next = "Idle"
        return m
