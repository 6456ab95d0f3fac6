"""Core and link together, bytes outside: what the top of every board holds."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.wire import WINDOW
from presparse_hw.core.core import Core
from presparse_hw.lib.delays import restarted
from presparse_hw.link.endpoint import NO_BUILD_ID, Endpoint
from presparse_hw.link.uart import Divisor, UartLink
from presparse_hw.store.sdram.chip import Sdram
from presparse_hw.store.store import pads_of


class Accelerator(wiring.Component):
    """A core and its end of the link.

    Parameters
    ----------
    build_id : 16 hexadecimal digits that tell bitstreams of one build apart; the host reads them by IDENTIFY
    window : requests that may be unanswered at once: 1, 2, 4 .. 64, 2 KiB of block RAM each; the host reads it likewise
    sdram : chip and clock of the store, of builds with `store_memory` "sdram"

    Members
    -------
    sdram : Out(SdramPadSignature)   of the same
    restart : In(1)        as at power-on, but for weights and stored samples. The clock domain needs no other reset:
        one that comes from far away would be the slowest path of a large design (docs/decisions/0013)
    i_bytes : In(stream)   from the host (docs/protocol.md), taken at once, always
    o_bytes : Out(stream)  to the host
    """

    sdram: wiring.PureInterface
    restart: Signal
    i_bytes: stream.Interface
    o_bytes: stream.Interface

    def __init__(
        self,
        build: Build,
        *,
        build_id: str = NO_BUILD_ID,
        window: int = WINDOW,
        sdram: Sdram | None = None,
    ) -> None:
        self._core = Core(build)
        self._endpoint = Endpoint(build, build_id=build_id, window=window, sdram=sdram)
        super().__init__(
            {
                **pads_of(build, sdram),
                "restart": In(1),
                "i_bytes": In(stream.Signature(8)),
                "o_bytes": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = self._core
        m.submodules.endpoint = endpoint = self._endpoint
        m.d.comb += endpoint.restart.eq(self.restart)
        wiring.connect(m, endpoint.core, core)
        wiring.connect(m, wiring.flipped(self.i_bytes), endpoint.i_bytes)
        wiring.connect(m, endpoint.o_bytes, wiring.flipped(self.o_bytes))
        if hasattr(self, "sdram"):
            wiring.connect(m, endpoint.sdram, wiring.flipped(self.sdram))
        return m


class UartAccelerator(wiring.Component):
    """An accelerator behind a UART.

    Parameters
    ----------
    divisor : clock cycles per bit, as in `UartLink`
    build_id, window, sdram : as in `Accelerator`

    Members
    -------
    sdram : Out(SdramPadSignature)   as in `Accelerator`
    restart : In(1)          as in `Accelerator`
    rx, tx : In(1), Out(1)   pins, idle high
    """

    sdram: wiring.PureInterface
    restart: Signal
    rx: Signal
    tx: Signal

    def __init__(
        self,
        build: Build,
        divisor: Divisor,
        *,
        build_id: str = NO_BUILD_ID,
        window: int = WINDOW,
        sdram: Sdram | None = None,
    ) -> None:
        self._accelerator = Accelerator(build, build_id=build_id, window=window, sdram=sdram)
        self._uart = UartLink(divisor)
        super().__init__({**pads_of(build, sdram), "restart": In(1), "rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = accelerator = self._accelerator
        uart = self._uart
        m.submodules.uart = restarted(m, uart, self.restart, name="uart")
        m.d.comb += [accelerator.restart.eq(self.restart), uart.rx.eq(self.rx), self.tx.eq(uart.tx)]
        wiring.connect(m, uart.received, accelerator.i_bytes)
        wiring.connect(m, accelerator.o_bytes, uart.sent)
        if hasattr(self, "sdram"):
            wiring.connect(m, accelerator.sdram, wiring.flipped(self.sdram))
        return m
