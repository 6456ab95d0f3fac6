"""From the exact sum of a right neuron to its activation and derivative."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.activation import derivative_table, derivative_width, sigmoid_table, table_input
from presparse.contract.formats import Format
from presparse.contract.network import Activation
from presparse.contract.schedule import READ
from presparse_hw.lib.delays import delay
from presparse_hw.lib.fixed import exceeds, rescale, saturate
from presparse_hw.lib.registered_memory import RegisteredMemory


class Activate(wiring.Component):
    """Rounds, saturates and applies the activation: one sum per cycle, `ACTIVATE` cycles of latency.

    Rules: `presparse.contract.activation`.

    Parameters
    ----------
    activation : Activation
    sum_width, sum_frac : int  format of the sum
    right : Format             format of the activation
    derivative : bool          whether the derivative is wanted (hidden layers of training builds)

    Members
    -------
    sum : In(signed(sum_width))
    activation : Out(signed), derivative : Out(unsigned), saturated : Out(1)
    """

    sum: Signal
    activation: Signal
    derivative: Signal
    saturated: Signal

    def __init__(
        self, activation: Activation, *, sum_width: int, sum_frac: int, right: Format, derivative: bool
    ) -> None:
        self._activation = activation
        self._sum_frac = sum_frac
        self._right = right
        self._derivative = derivative
        super().__init__(
            {
                "sum": In(signed(sum_width)),
                "activation": Out(signed(right.width)),
                "derivative": Out(unsigned(derivative_width(activation, right) if derivative else 0)),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._activation == "sigmoid":
            self._sigmoid(m)
        else:
            self._clamped(m)
        return m

    def _clamped(self, m: Module) -> None:
        """ReLU and identity."""
        right = self._right
        rounded = self._rounded(m, right.frac)
        above, below = exceeds(rounded, right)
        value = Signal(signed(right.width), reset_less=True)
        saturated = Signal(reset_less=True)
        if self._activation == "relu":
            m.d.sync += [value.eq(Mux(rounded[-1], 0, saturate(rounded, right))), saturated.eq(above)]
            inside = (value != 0) & (value != right.max)
        else:
            m.d.sync += [value.eq(saturate(rounded, right)), saturated.eq(above | below)]
            inside = 1
        outputs = (
            (self.activation, value, "value"),
            (self.derivative, inside, "inside"),
            (self.saturated, saturated, "above"),
        )
        for output, result, name in outputs:
            m.d.comb += output.eq(delay(m, Value.cast(result), READ, name=f"{name}_out"))

    def _rounded(self, m: Module, frac: int) -> Signal:
        """The sum at another binary point, a cycle later."""
        rounded = rescale(self.sum, self._sum_frac, frac)
        register = Signal(rounded.shape(), name="rounded", reset_less=True)
        m.d.sync += register.eq(rounded)
        return register

    def _sigmoid(self, m: Module) -> None:
        index_format = table_input(self._right)
        index = Signal(unsigned(index_format.width), reset_less=True)
        m.d.sync += index.eq(saturate(self._rounded(m, index_format.frac), index_format))
        tables = [("table", self.activation, sigmoid_table)]
        if self._derivative:
            tables.append(("derivatives", self.derivative, derivative_table))
        for name, output, table in tables:
            m.submodules[name] = rom = RegisteredMemory(
                (output.shape(),), depth=1 << index_format.width, init=[int(v) for v in table(self._right)]
            )
            m.d.comb += [rom.read_address.eq(index), output.eq(rom.read_data[0])]
