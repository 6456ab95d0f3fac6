"""The top of a bitstream: an accelerator on the pins of a board."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

from amaranth.build import Platform
from amaranth.hdl import ClockDomain, ClockSignal, Const, DomainRenamer, Elaboratable, Module, Signal, Value
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer

from presparse.contract.build import Build
from presparse.contract.usb import product_name
from presparse_boards.boards.definition import Board
from presparse_boards.clocking.clock import Clock, divisor_bits, plan_clock
from presparse_boards.clocking.sdram import plan_sdram
from presparse_boards.families.toolchain import Toolchain
from presparse_boards.gateware.adjustable import AdjustableNumber
from presparse_boards.gateware.leds import TICK_CYCLES, Afterglow, Heartbeat, SlowTick
from presparse_boards.gateware.reset import ResetHold
from presparse_hw.accelerator import Accelerator, UartAccelerator
from presparse_hw.link.endpoint import NO_BUILD_ID

RESET_SECONDS = Fraction(20, 1_000_000)
"""After the PLL has locked. Block RAMs of an iCE40 read as zero for some 3 us after configuration."""
GLOW_SECONDS = Fraction(1, 20)


class BoardTop(Elaboratable):
    """An accelerator on a board: PLL, reset, UART or USB, LEDs, and SDRAM if the build stores samples there.

        oscillator -> PLL -> domain "sync" <- reset: until the PLL locks, and while the board's button is pressed
                          -> domain "accelerator", which has no reset, but restarts
        uart.rx -> UartAccelerator -> uart.tx
        or ulpi <-> UsbLink <-> Accelerator; domain "usb" is the PHY's, and reset with it
        the accelerator <-> pads of the family <-> sdram
        led 0: heartbeat    led 1: bytes come or go

    Resources of the platform: its default clock, `uart` 0 or `ulpi` 0, and where it has them `led` 0 and 1, a default
    reset and `sdram` 0. A platform with a method `get_pll` or `get_sdram_phy` gives PLL or pads itself; simulations do.

    Parameters
    ----------
    clock_hz : at most; `clock` says what comes of it, and `sdram` what it may be set to later
    build_id : 16 hexadecimal digits that IDENTIFY returns
    blink_hz : of the heartbeat
    adjustable : with these tools PLL and UART can be set to another clock later (`presparse_boards.flow.retiming`)

    Raises ClockError, NoSdram.
    """

    def __init__(
        self,
        build: Build,
        board: Board,
        clock_hz: float,
        *,
        build_id: str = NO_BUILD_ID,
        blink_hz: Fraction | int = 1,
        adjustable: Toolchain | None = None,
    ) -> None:
        self.clock: Clock = plan_clock(board, clock_hz)
        self._build, self._board = build, board
        self._divisor: AdjustableNumber | None = None
        if adjustable:
            self._divisor = AdjustableNumber(adjustable.clock.lut, self.clock.divisor, divisor_bits(board))
        divisor = self._divisor.o if self._divisor else self.clock.divisor
        self._build_id = build_id
        self.sdram = plan_sdram(build, board, self.clock.hz)
        options = {"build_id": build_id, "window": board.window, "sdram": self.sdram.sdram if self.sdram else None}
        if board.link == "usb":
            self._accelerator = Accelerator(build, **options)
        else:
            self._accelerator = UartAccelerator(build, divisor, **options)
        self._half_blink = self._ticks(1 / Fraction(blink_hz) / 2)

    def elaborate(self, platform: Platform) -> Module:
        if hasattr(platform, "plan"):  # it offers primitives, of which there are only so many
            platform.plan(self._build, self._board.room, self._board.window)
        m = Module()
        m.domains.sync = sync = ClockDomain()
        m.domains.accelerator = ClockDomain(reset_less=True)
        clk, locked = self._oscillator(m, platform)
        m.submodules.reset_hold = reset_hold = ResetHold(ceil(self.clock.hz * RESET_SECONDS))
        m.d.comb += [
            reset_hold.clk.eq(clk),
            reset_hold.i_reset.eq(~locked | self._button(m, platform)),
            sync.clk.eq(clk),
            ClockSignal("accelerator").eq(clk),
            sync.rst.eq(reset_hold.o_reset),
        ]

        if self._divisor:
            m.submodules.divisor = self._divisor
        accelerator = self._accelerator
        m.submodules.accelerator = DomainRenamer("accelerator")(accelerator)
        m.d.comb += accelerator.restart.eq(reset_hold.o_reset)
        if isinstance(accelerator, UartAccelerator):
            busy = self._uart(m, platform, accelerator)
        else:
            busy = self._usb(m, platform, accelerator, reset_hold.o_reset)
        if self.sdram:
            make = getattr(platform, "get_sdram_phy", self.sdram.pads.phy)
            phy = make(self.sdram.sdram.chip, platform.request("sdram", 0, dir="-"))
            m.submodules.sdram = DomainRenamer("accelerator")(phy)
            wiring.connect(m, accelerator.sdram, phy.pads)
        if ("led", 0) in platform.resources:
            self._lights(m, platform, busy)
        return m

    def _uart(self, m: Module, platform: Platform, accelerator: UartAccelerator) -> Value:
        """Whether bytes come or go, too."""
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [accelerator.rx.eq(rx.i), tx.o.eq(accelerator.tx)]
        received = Signal(init=1)
        m.submodules.received = FFSynchronizer(rx.i, received, init=1)
        return ~received | ~accelerator.tx

    def _usb(self, m: Module, platform: Platform, accelerator: Accelerator, reset: Signal) -> Value:
        """Likewise."""
        from presparse_boards.gateware.usb_link import UlpiPhy, UsbLink  # imports luna, which other builds do not need

        m.domains.usb = ClockDomain()
        m.submodules.phy = phy = UlpiPhy(platform.request("ulpi", 0, dir="-"))
        m.submodules.usb_reset = ResetSynchronizer(reset, domain="usb")
        product = product_name(self._board.name, self._build.network.name)
        link = UsbLink(phy.utmi, product=product, serial=self._build_id, busy=phy.busy)
        m.submodules.link = DomainRenamer("accelerator")(link)
        m.d.comb += phy.reset.eq(reset)
        wiring.connect(m, link.received, accelerator.i_bytes)
        wiring.connect(m, accelerator.o_bytes, link.sent)
        return link.received.valid | accelerator.o_bytes.valid

    def _lights(self, m: Module, platform: Any, busy: Value) -> None:
        """A heartbeat, and whether bytes come or go."""
        m.submodules.tick = tick = SlowTick()
        m.submodules.heartbeat = heartbeat = Heartbeat(self._half_blink)
        m.d.comb += heartbeat.tick.eq(tick.o)
        self._led(m, platform, 0, heartbeat.o)
        if ("led", 1) in platform.resources:
            m.submodules.activity = activity = Afterglow(self._ticks(GLOW_SECONDS))
            m.d.comb += [activity.tick.eq(tick.o), activity.i.eq(busy)]
            self._led(m, platform, 1, activity.o)

    def _oscillator(self, m: Module, platform: Any) -> tuple[Signal, Signal | Const]:
        """The clock, and whether it is right."""
        pin = platform.request(platform.default_clk, dir="-")
        if self.clock.pll is None:
            m.submodules.oscillator = buffer = io.Buffer("i", pin)
            return buffer.i, Const(1, 1)
        make = getattr(platform, "get_pll", self._board.family.pll)
        m.submodules.pll = pll = make(self.clock.pll, pin)
        return pll.o_clk, pll.locked

    def _ticks(self, seconds: Fraction) -> int:
        return max(1, round(self.clock.hz * seconds / TICK_CYCLES))

    def _button(self, m: Module, platform: Any) -> Signal | Const:
        """Pressed; 0 on a board without one."""
        if platform.default_rst is None:
            return Const(0, 1)
        m.submodules.button = button = io.Buffer("i", platform.request(platform.default_rst, dir="-"))
        return button.i

    def _led(self, m: Module, platform: Any, number: int, on: Signal) -> None:
        m.submodules[f"led_{number}"] = led = io.Buffer("o", platform.request("led", number, dir="-"))
        m.d.comb += led.o.eq(on)
