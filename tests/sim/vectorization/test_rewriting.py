"""Equal modules as vectors: the same outputs in every cycle, whatever the modules hold and however they stand."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from presparse_hw.core.core import Core
from presparse_hw.lib.delays import restarted, spread
from presparse_hw.lib.multiplier import Multiplier
from presparse_hw.lib.registered_memory import RegisteredMemory
from presparse_sim.vectorization.module import Module as VerilogModule
from presparse_sim.vectorization.rewriting import vectorize
from presparse_sim.vectorization.simplification import simplified
from presparse_sim.verilog import to_verilog
from tests.sim.stand_ins import small_build
from tests.sim.vectors import Piece, piece_design, run

pytestmark = pytest.mark.slow

_TOLD = 24
_OWN = 16
_SAID = 66


class Unclocked(wiring.Component):
    x: Signal
    y: Signal

    def __init__(self) -> None:
        super().__init__({"x": In(8), "y": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.y.eq(self.x[:4] * 5)
        return m


class Part(wiring.Component):
    """What a lane is made of, and more: `told` is the same for all parts, `own` is not."""

    told: Signal
    own: Signal
    said: Signal

    def __init__(self) -> None:
        super().__init__({"told": In(_TOLD), "own": In(_OWN), "said": Out(_SAID)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        told, own = self.told, self.own
        m.submodules.product = product = Multiplier(9, 7)
        m.d.comb += [product.a.eq(own[:9]), product.b.eq(told[:7])]
        # One row for all parts, and rows of their own; 5 words, which is no power of two.
        rows, words = RegisteredMemory((signed(6), unsigned(3)), 8), RegisteredMemory((unsigned(5),), 5, init=[7, 9])
        m.submodules.rows, m.submodules.words = rows, words
        m.d.comb += [
            rows.write[0].eq(own[0]),
            rows.write[1].eq(told[0]),
            rows.write_address.eq(told[1:4]),
            rows.write_data[0].eq(own[4:10]),
            rows.write_data[1].eq(own[1:4]),
            rows.read_address.eq(told[4:7]),
            words.write[0].eq(own[15]),
            words.write_address.eq(own[9:12] % 5),
            words.write_data[0].eq(own[2:7]),
            words.read_address.eq(own[12:15] % 5),
        ]
        # A memory that more than registers read, and one that stands still.
        m.submodules.seen = seen = memory.Memory(shape=unsigned(4), depth=4, init=[])
        write, read = seen.write_port(), seen.read_port(domain="comb")
        m.d.comb += [write.en.eq(told[7]), write.addr.eq(own[:2]), write.data.eq(own[3:7]), read.addr.eq(told[8:10])]
        m.submodules.held = held = RegisteredMemory((unsigned(4),), 4)
        m.d.comb += [held.write[0].eq(own[5]), held.write_address.eq(told[:2]), held.write_data[0].eq(own[6:10])]
        m.d.comb += [held.read_address.eq(own[:2]), held.read_enable.eq(told[10])]
        m.submodules.unclocked = unclocked = Unclocked()
        m.d.comb += unclocked.x.eq(own[3:11])
        # Registers that begin differently, a choice, and a count.
        first, last = Signal(4, init=3), Signal(4, init=12)
        m.d.sync += [first.eq(told[:4]), last.eq(told[:4])]
        chosen, count = Signal(signed(5)), Signal(6)
        with m.Switch(own[:2]):
            with m.Case(1):
                m.d.sync += chosen.eq(own[3:8].as_signed())
            with m.Case(2, 3):
                m.d.sync += chosen.eq(Mux(told[11], -chosen, more := (read.data + first)[:5]))
        with m.If(own[7] & told[12]):
            m.d.sync += count.eq(count + 1)
        m.d.comb += self.said.eq(
            Cat(product.product, rows.read_data[0], rows.read_data[1], words.read_data[0], held.read_data[0])
            ^ Cat(chosen, count, first, last, read.data, own[0] & told[0], more, unclocked.y) << 30
        )
        return m


class Group(wiring.Component):
    """Parts behind registers; `number` makes groups differ."""

    told: Signal
    owns: Signal
    said: Signal

    def __init__(self, parts: int, number: int) -> None:
        self._parts, self._number = parts, number
        super().__init__({"told": In(_TOLD), "owns": In(parts * _OWN), "said": Out(parts * _SAID)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        told, said = spread(m, self.told, name="told"), []
        for i in range(self._parts):
            part = Part()
            m.submodules[f"part{i}"] = restarted(m, part, self.told[:4].all(), name="group")
            m.d.comb += [part.told.eq(told), part.own.eq(self.owns.word_select(i, _OWN))]
            said.append(part.said ^ ((self.told == self._number) << i))
        m.d.comb += self.said.eq(Cat(said))
        return m


def _grouped(groups: int, parts: int) -> Callable[[Module, Signal, Signal], None]:
    def build(m: Module, i: Signal, o: Signal) -> None:
        told, said = i[:_TOLD], []
        for number in range(groups):
            m.submodules[f"group{number}"] = group = Group(parts, number)
            owns = i[_TOLD:].word_select(number, parts * _OWN)
            m.d.comb += [group.told.eq(told), group.owns.eq(owns)]
            said.append(group.said)
        m.d.comb += o.eq(Cat(said))

    return build


@pytest.mark.parametrize(
    ("groups", "parts"),
    [(2, 3), pytest.param(1, 4, marks=pytest.mark.nightly), pytest.param(3, 4, marks=pytest.mark.nightly)],
)
def test_every_output_is_the_same_in_every_cycle(groups: int, parts: int) -> None:
    inputs, outputs = _TOLD + groups * parts * _OWN, groups * parts * _SAID
    build = _grouped(groups, parts)
    design = piece_design(f"parts-{groups}-{parts}", inputs, outputs, build, __file__)
    text = to_verilog(Piece(inputs, outputs, build))
    loops = vectorize(text).count(f" < {groups * parts}; ")
    assert loops > 20, "no vector of all parts, and the comparison would be one with itself"
    assert "[" + str(1 << (groups * parts - 1).bit_length()) + "]" in vectorize(text)

    rng = random.Random(groups * parts)
    driven = [rng.getrandbits(inputs) for _ in range(1500)]
    for cycle in range(500, 1500):  # the same told for a while, and many collisions
        driven[cycle] = driven[cycle] >> _TOLD << _TOLD | driven[cycle // 50] & (1 << _TOLD) - 1
    said = run(design, driven)
    assert said == run(replace(design, vectorized=False), driven)
    assert len(set(said)) > 1000


def test_the_lanes_of_the_core_are_one_vector() -> None:
    build = small_build()
    text = to_verilog(Core(build))
    assert [name for name, module in VerilogModule.parse_all(text).items() if module.text is not None] == []
    (lanes,) = build.lanes
    assert vectorize(text).count(f" < {lanes}; ") > 20


def test_few_equal_modules_stay_apart() -> None:
    text = to_verilog(Piece(_TOLD + 3 * _OWN, 3 * _SAID, _grouped(1, 3)))
    assert "vector" not in vectorize(text)


STRANGE = r"""module \a (x, y, clk);
  input x;
  wire x;
  input clk;
  wire clk;
  output [1:0] y;
  reg [1:0] y = 2'h0;
  always @(posedge clk) begin
    \y [0] <= x;
  end
endmodule

module top (x, y, clk);
  input clk;
  wire clk;
  input x;
  wire x;
  output [7:0] y;
  wire [7:0] y;
  \a  a0 (
    .clk(clk),
    .x(x),
    .y(y[1:0])
  );
  \a  a1 (
    .clk(clk),
    .x(x),
    .y(y[3:2])
  );
  \a  a2 (
    .clk(clk),
    .x(x),
    .y(y[5:4])
  );
  \a  a3 (
    .clk(clk),
    .x(x),
    .y(y[7:6])
  );
endmodule
"""


def test_what_is_not_understood_stays_as_it_is() -> None:
    found = VerilogModule.parse_all(STRANGE)
    assert found[r"\a"].text is not None
    assert found[r"\a"].text in STRANGE
    written = vectorize(STRANGE)
    assert found[r"\a"].text in written
    assert "vector" not in written


def test_an_instance_of_a_model_is_not_understood() -> None:
    text = STRANGE.replace(r"module \a ", r"module \b ")
    assert VerilogModule.parse_all(text)["top"].text is not None


SIMPLE = """module top (a, b, p, q, r, s, clk);
  input clk;
  wire clk;
  input a;
  wire a;
  input b;
  wire b;
  output p;
  wire p;
  output q;
  wire q;
  output r;
  wire r;
  output s;
  reg s = 1'h0;
  reg p1 = 1'h0;
  reg q1 = 1'h0;
  reg p2 = 1'h0;
  reg q2 = 1'h0;
  reg r2 = 1'h1;
  reg unread = 1'h0;
  wire other;
  always @(posedge clk)
    p1 <= a;
  always @(posedge clk)
    q1 <= other;
  always @(posedge clk)
    p2 <= p1;
  always @(posedge clk)
    q2 <= q1;
  always @(posedge clk)
    r2 <= q1;
  always @(posedge clk)
    unread <= b;
  always @(posedge clk)
    s <= b;
  assign p = p2;
  assign q = q2;
  assign r = r2;
  assign other = a;
endmodule
"""


def test_registers_that_hold_the_same_become_one_and_unread_ones_go() -> None:
    found = simplified(VerilogModule.parse_all(SIMPLE)["top"])
    said = sorted(str(statement) for statement in found.statements)
    assert said == [
        r"Register(target='\\p ', value='\\p1 ')",
        r"Register(target='\\p1 ', value='\\a ')",
        r"Register(target='\\q ', value='\\p1 ')",
        r"Register(target='\\r ', value='\\p1 ')",
        r"Register(target='\\s ', value='\\b ')",
    ]
    assert [found.signals[name].init for name in "pqrs"] == ["1'h0", "1'h0", "1'h1", "1'h0"]
