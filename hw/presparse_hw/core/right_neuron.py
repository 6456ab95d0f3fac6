"""Multiply-accumulate's second half, one right neuron at a time: exact sum of products and bias, then activation."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse_hw.core.activation import Activate
from presparse_hw.lib.adder_tree import AdderTree


class RightNeuron(wiring.Component):
    """Adder tree, accumulator and activation: one cycle's products per cycle.

    Latency from the products of a neuron's last cycle: `tree_levels` + ACCUMULATE + ACTIVATE.

    Members
    -------
    products : In(signed).array   cycle 0
    first : In(1), bias : In(signed)  cycle `tree_levels`: the neuron's first products have been summed
    activation, derivative, saturated : Out
    """

    products: Sequence[Signal]
    first: Signal
    bias: Signal
    activation: Signal
    derivative: Signal
    saturated: Signal

    def __init__(self, build: Build, index: int) -> None:
        """`index`: the junction, counted from 0."""
        self._network = network = build.network
        self._junction = j = build.junctions[index]
        f = network.formats
        self._inputs = min(j.lanes, j.in_degree)
        self._activate = Activate(
            j.activation,
            sum_width=network.sum_width(j),
            sum_frac=network.sum_frac,
            right=f.right(j),
            derivative=build.training and not j.is_output,
        )
        super().__init__(
            {
                "products": In(signed(f.operand.width + f.activation.width)).array(self._inputs),
                "first": In(1),
                "bias": In(signed(f.weight.width)),
                "activation": Out(self._activate.activation.shape()),
                "derivative": Out(self._activate.derivative.shape()),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        network = self._network
        m.submodules.tree = tree = AdderTree(self.products[0].shape(), self._inputs)
        m.submodules.activate = activate = self._activate
        total = Signal.like(activate.sum, reset_less=True)
        bias = self.bias << (network.sum_frac - network.formats.weight.frac)
        m.d.sync += total.eq(Mux(self.first, bias, total) + (tree.total << (network.sum_frac - network.product_frac)))
        m.d.comb += [term.eq(product) for term, product in zip(tree.terms, self.products, strict=True)]
        m.d.comb += [
            activate.sum.eq(total),
            self.activation.eq(activate.activation),
            self.derivative.eq(activate.derivative),
            self.saturated.eq(activate.saturated),
        ]
        return m
