"""Verilator's counts are found again in the Python that the gateware comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from presparse.reference.pytorch import Reference
from presparse_sim.core import SimulatedCore
from presparse_sim.design import core_design
from presparse_sim.verilog import to_sourced_verilog
from tests.boards.networks import NANO_INFERENCE
from tests.networks import random_model, random_samples
from tests.verification.coverage.gateware import Measured, together
from tests.verification.coverage.verilator import Point, Sources, read

pytestmark = pytest.mark.slow


class Gate(wiring.Component):
    """Counts up to 5, and holds a value."""

    def __init__(self) -> None:
        super().__init__({"go": In(1), "value": Out(3)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal(3)
        with m.If(self.go):
            m.d.sync += held.eq(held + 1)
        with m.If(held == 5):
            m.d.sync += held.eq(0)
        m.d.comb += self.value.eq(held)
        return m


HERE = Path(__file__).read_text().splitlines()


def line_of(text: str) -> int:
    """Of this file."""
    return next(number for number, line in enumerate(HERE, start=1) if line.strip() == text)


def counts(verilog: str, *wanted: tuple[str, str, str, int]) -> str:
    """A file of Verilator's: kind, the line's text, comment, count."""
    entries = ["# SystemC::Coverage-3"]
    for kind, text, comment, count in wanted:
        lines = [number for number, line in enumerate(verilog.splitlines(), start=1) if line.strip() == text]
        fields = {"f": "top.v", "l": str(lines[0]), "n": "5", "t": kind, "page": f"v_{kind}/top.design", "o": comment}
        entries.append("C '" + "".join(f"\1{key}\2{value}" for key, value in fields.items()) + f"' {count}")
    return "\n".join(entries)


def test_branches_and_bits_have_the_place_of_their_python(tmp_path: Path) -> None:
    verilog = to_sourced_verilog(Gate())
    ifs = [line.strip() for line in verilog.splitlines() if line.strip().startswith("if (\\$")]
    [condition] = [line for line in ifs if "$auto" not in line]  # not those that Yosys adds, which do nothing
    file = tmp_path / "coverage.dat"
    file.write_text(
        counts(
            verilog,
            ("branch", condition, "if", 0),
            ("branch", condition, "else", 8),
            ("branch", "if (go) begin", "else", 3),
            ("branch", "if (go) begin", "else", 4),  # of a second instance
            ("toggle", "reg [2:0] held = 3'h0;", "held[2]:0->1", 0),
        )
    )
    found = {(p.line, p.kind, p.what): count for p, count in read(file, Sources(verilog)).items()}
    assert {Path(p.file) for p in read(file, Sources(verilog))} == {Path(__file__)}
    declared = line_of("held = Signal(3)")
    assert found == {
        (line_of("with m.If(held == 5):"), "branch", "held if so"): 0,
        (line_of("with m.If(held == 5):"), "branch", "held unless so"): 8,
        (declared, "branch", "held unless go"): 7,
        (declared, "toggle", "held[2]:0->1"): 0,
    }


def test_runs_add_up() -> None:
    one, other = (Point(file="a.py", line=n, kind="branch", what="x if y") for n in (1, 2))
    runs = [Measured(name="", cycles=1, seconds=0.0, counts=counts) for counts in ({one: 0, other: 0}, {one: 3})]
    assert together(runs) == {one: 3, other: 0}


def test_a_core_that_counts_computes_the_same(tmp_path: Path) -> None:
    """And says at its end what was exercised."""
    rng = np.random.default_rng(0)
    design = replace(core_design(NANO_INFERENCE), optimization="-O0")
    model, samples = random_model(rng, NANO_INFERENCE.network), random_samples(rng, NANO_INFERENCE, 20)
    reference = Reference(NANO_INFERENCE, model)
    file = tmp_path / "coverage.dat"
    with SimulatedCore(NANO_INFERENCE, design=design, coverage=file) as core:
        core.load(model)
        scores = np.concatenate([core.run(samples), core.flush()])
    np.testing.assert_array_equal(scores, np.concatenate([reference.run(samples), reference.flush()]))
    entries = file.read_text().splitlines()
    assert {entry.partition("page\2v_")[2].partition("/")[0] for entry in entries[1:]} == {"line", "branch", "toggle"}
    assert 0 < sum(entry.endswith("' 0") for entry in entries) < len(entries)
