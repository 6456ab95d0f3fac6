"""The top of every board: core and link, bytes outside."""

from __future__ import annotations

from amaranth.hdl import DomainRenamer, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.wire import WINDOW
from presparse_hw.core import Core
from presparse_hw.link.endpoint import NO_BUILD_ID, Endpoint
from presparse_hw.link.uart import Divisor, UartLink


class Accelerator(wiring.Component):
    """A core and its end of the link.

    Parameters
    ----------
    build_id : 16 hexadecimal digits that tell bitstreams of one build apart; the host reads them by IDENTIFY
    window : requests that may be unanswered at once: 1, 2, 4 .. 64, 2 KiB of block RAM each; the host reads it likewise
    core_domain : the core's clock domain, of the same clock. It needs no reset: while the link is reset, and in the
        first cycles, the core restarts

    Members
    -------
    i_bytes : In(stream)   from the host (docs/protocol.md), taken at once, always
    o_bytes : Out(stream)  to the host
    """

    i_bytes: stream.Interface
    o_bytes: stream.Interface

    def __init__(
        self, build: Build, *, build_id: str = NO_BUILD_ID, window: int = WINDOW, core_domain: str = "sync"
    ) -> None:
        self._core_domain = core_domain
        self._core = Core(build)
        self._endpoint = Endpoint(build, build_id=build_id, window=window)
        super().__init__({"i_bytes": In(stream.Signature(8)), "o_bytes": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core = self._core
        m.submodules.core = DomainRenamer(self._core_domain)(core)
        m.submodules.endpoint = endpoint = self._endpoint
        wiring.connect(m, endpoint.core, core)
        wiring.connect(m, wiring.flipped(self.i_bytes), endpoint.i_bytes)
        wiring.connect(m, endpoint.o_bytes, wiring.flipped(self.o_bytes))
        return m


class UartAccelerator(wiring.Component):
    """An accelerator behind a UART.

    Parameters
    ----------
    divisor : clock cycles per bit, as in `UartLink`
    build_id, window, core_domain : as in `Accelerator`

    Members
    -------
    rx, tx : In(1), Out(1)   pins, idle high
    """

    rx: Signal
    tx: Signal

    def __init__(
        self,
        build: Build,
        divisor: Divisor,
        *,
        build_id: str = NO_BUILD_ID,
        window: int = WINDOW,
        core_domain: str = "sync",
    ) -> None:
        self._accelerator = Accelerator(build, build_id=build_id, window=window, core_domain=core_domain)
        self._uart = UartLink(divisor)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = accelerator = self._accelerator
        m.submodules.uart = uart = self._uart
        m.d.comb += [uart.rx.eq(self.rx), self.tx.eq(uart.tx)]
        wiring.connect(m, uart.received, accelerator.i_bytes)
        wiring.connect(m, accelerator.o_bytes, uart.sent)
        return m
