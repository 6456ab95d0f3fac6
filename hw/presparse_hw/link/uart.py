"""A UART: 8 data bits, no parity, one stop bit."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from presparse_hw.lib.delays import delay

FRAME_BITS = 10
"""Start bit, data, stop bit."""


Divisor = int | Value
"""Clock cycles per bit, at least 4. A value must not change, and be right before the first byte."""


def _check_divisor(divisor: Divisor) -> Divisor:
    if isinstance(divisor, int) and divisor < 4:
        raise ValueError(f"divisor must be at least 4 cycles per bit, and is {divisor}; use a lower baud rate")
    return divisor


def _timer(divisor: Divisor) -> Signal:
    """Counts the cycles of a bit down, and is through at -1: its sign tells, without a comparison."""
    bits = (divisor - 1).bit_length() if isinstance(divisor, int) else len(divisor)
    return Signal(signed(bits + 1), name="timer")


class UartReceiver(wiring.Component):
    """Samples bits in their middle; a start bit that does not last or a wrong stop bit gives no byte.

    Parameters
    ----------
    divisor : clock cycles per bit (`Divisor`)

    Members
    -------
    rx : In(1)        the pin; asynchronous
    o : Out(stream)   received bytes; one that is not taken before the next arrives is lost
    """

    rx: Signal
    o: stream.Interface

    def __init__(self, divisor: Divisor) -> None:
        self._divisor = _check_divisor(divisor)
        super().__init__({"rx": In(1, init=1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        early = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, early, init=1)
        timer = _timer(self._divisor)
        tick = Signal()  # out of a register, so a cycle late, as is what it samples
        rx = Signal(init=1)
        count = Signal(range(8))
        data = Signal(8)
        resting = Signal(init=1)  # the state is Idle: the timer stands far away
        m.d.sync += [tick.eq(timer[-1]), rx.eq(early), timer.eq(Mux(timer[-1], self._divisor - 2, timer - 1))]
        with m.If(resting):
            # The edge is half a cycle old on average, and the next cycle is the first that counts.
            m.d.sync += [timer.eq(((self._divisor - 3) >> 1) - 1), tick.eq(0)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        with m.FSM():
            with m.State("Idle"), m.If(~early):
                m.d.sync += resting.eq(0)
                m.next = "Start-Bit"
            with m.State("Start-Bit"), m.If(tick):
                m.next = "Data-Bits"
                with m.If(rx):
                    m.d.sync += resting.eq(1)
                    m.next = "Idle"
            with m.State("Data-Bits"), m.If(tick):
                m.d.sync += [data.eq(Cat(data[1:], rx)), count.eq(count + 1)]
                with m.If(count == 7):
                    m.next = "Stop-Bit"
            with m.State("Stop-Bit"), m.If(tick):
                m.d.sync += self.o.payload.eq(data)
                with m.If(rx):
                    m.d.sync += [self.o.valid.eq(1), resting.eq(1)]
                    m.next = "Idle"
                with m.Else():
                    m.next = "Wait-High"
            with m.State("Wait-High"), m.If(early):
                m.d.sync += resting.eq(1)
                m.next = "Idle"
        return m


class UartTransmitter(wiring.Component):
    """Sends bytes back to back; idles high.

    The timer stands where the divisor comes from, the bits where bytes do, and there is nothing but registers between
    them: the timer never stops, so it depends on nothing, and a byte that finds the line idle waits for its next tick.

    Parameters
    ----------
    divisor : clock cycles per bit (`Divisor`)

    Members
    -------
    i : In(stream)   bytes to send; one is taken ahead every 10 bits, `ready` comes from a register
    tx : Out(1)      the pin
    """

    i: stream.Interface
    tx: Signal

    def __init__(self, divisor: Divisor) -> None:
        self._divisor = _check_divisor(divisor)
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        timer = _timer(self._divisor)
        tick = delay(m, timer[-1], 2, name="tick", reset=True)
        bits = Signal(FRAME_BITS, init=-1)
        left = Signal(range(FRAME_BITS))  # bits behind the one that is sent
        over = Signal(init=1)  # there is none; known before the next tick
        following = Signal(8, reset_less=True)
        waits = Signal()  # `following` does
        m.d.comb += self.i.ready.eq(~waits)
        m.d.sync += [
            timer.eq(Mux(timer[-1], self._divisor - 2, timer - 1)),
            self.tx.eq(bits[0]),
            over.eq(left == 0),
        ]
        with m.If(~waits):
            m.d.sync += [following.eq(self.i.payload), waits.eq(self.i.valid)]
        with m.If(tick):
            with m.If(over & waits):
                m.d.sync += [waits.eq(0), bits.eq(Cat(Const(0, 1), following, Const(1, 1))), left.eq(FRAME_BITS - 1)]
            with m.Else():
                m.d.sync += bits.eq(Cat(bits[1:], Const(1, 1)))
                with m.If(~over):
                    m.d.sync += left.eq(left - 1)
        return m


class UartLink(wiring.Component):
    """Both directions, as byte streams.

    Parameters
    ----------
    divisor : clock cycles per bit (`Divisor`)

    Members
    -------
    rx, tx : In(1), Out(1)       pins
    received, sent : Out(stream), In(stream)   bytes from and to the host
    """

    rx: Signal
    tx: Signal
    received: stream.Interface
    sent: stream.Interface

    def __init__(self, divisor: Divisor) -> None:
        self._receiver = UartReceiver(divisor)
        self._transmitter = UartTransmitter(divisor)
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "received": Out(stream.Signature(8)),
                "sent": In(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = self._receiver
        m.submodules.transmitter = self._transmitter
        m.d.comb += [self._receiver.rx.eq(self.rx), self.tx.eq(self._transmitter.tx)]
        wiring.connect(m, self._receiver.o, wiring.flipped(self.received))
        wiring.connect(m, wiring.flipped(self.sent), self._transmitter.i)
        return m
