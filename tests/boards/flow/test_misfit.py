"""Designs that synthesis or place-and-route cannot make what was planned of."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib.memory import Memory

from presparse.contract.build import Build
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import find_board
from presparse_boards.clocking.clock import plan_clock
from presparse_boards.errors import BoardError, DoesNotFit
from presparse_boards.families.ecp5.family import ECP5
from presparse_boards.families.family import FpgaFamily
from presparse_boards.families.ice40.family import ICE40
from presparse_boards.flow import plan as plan_module
from presparse_boards.flow.bundle import build_bundle
from presparse_boards.flow.plan import make_plan
from presparse_boards.flow.routing.route import use_of
from presparse_boards.flow.service import bundle
from presparse_boards.flow.synthesis import LOG, memories, notes, synthesize
from presparse_boards.flow.tools import Workshop
from tests.boards.networks import NANO, NANO_INFERENCE

pytestmark = pytest.mark.slow


class ThreePorts(Elaboratable):
    """In the place of a board's top: a memory that two ports write, which no memory of an ECP5's slices does, and one
    that fits them."""

    def __init__(self, build: Build, board: Board, clock_hz: float, **options: object) -> None:
        self.clock = plan_clock(board, clock_hz)
        self.sdram = None

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counter = Signal(6)
        m.d.sync += counter.eq(counter + 1)
        m.submodules.strange = strange = Memory(shape=8, depth=32, init=[])
        m.submodules.usual = usual = Memory(shape=8, depth=16, init=[])
        totals = Signal(8), Signal(8)
        for memory, ports, total in ((strange, 2, totals[0]), (usual, 1, totals[1])):
            for number in range(ports):
                write = memory.write_port()
                m.d.comb += [write.en.eq(counter[5]), write.addr.eq(counter + 5 * number), write.data.eq(totals[0])]
            read = memory.read_port(domain="comb")
            m.d.comb += read.addr.eq(counter)
            m.d.sync += total.eq(total + read.data + 1)
        led = platform.request("led", 0)  # pyright: ignore[reportAttributeAccessIssue]
        m.d.comb += led.o.eq(totals[0].xor() ^ totals[1].xor())
        return m


def test_a_memory_made_of_flip_flops_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "BoardTop", ThreePorts)
    board = find_board("ulx3s-12f")
    plan = make_plan(NANO_INFERENCE, board, 25e6, "0" * 16)
    plan.write(tmp_path)
    netlist = synthesize(Workshop(tmp_path), plan.toolchain)
    log = (tmp_path / LOG).read_text()
    assert memories(log) == {"top.usual": "TRELLIS_DPR16X4"}
    found = notes(log, netlist, planned_dsp=3, family_dsp=28)
    assert found == (
        "memory strange (32 words of 8 bits) is made of flip-flops: its ports suit no memory of this FPGA, or there "
        "are none left of those",
        "0 DSP blocks are used where 3 multipliers were planned for them",
    )
    read_only = notes(log.replace("\\strange in", "\\part.rom in"), netlist, planned_dsp=3, family_dsp=28)
    assert read_only == found[1:]
    assert netlist.counts["TRELLIS_DPR16X4"] == 2
    assert netlist.flip_flops == netlist.counts["TRELLIS_FF"] >= 32 * 8


def test_a_network_too_large_says_what_is_short_and_what_would_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESPARSE_CACHE", str(tmp_path / "cache"))
    # Many weights and one lane: soon synthesized.
    large = NANO.model_copy(update={"features": 256, "layers": (256, 256), "out_degree": (64,)})
    build = Build(network=large, lanes=(1,), mode="infer")
    with pytest.raises(DoesNotFit, match=r"does not fit icebreaker: block RAM: \d+ of 30\. .*\. Logs: ") as caught:
        build_bundle(build, find_board("icebreaker"), folder=tmp_path / "large.bundle")
    assert "would fit" in str(caught.value)
    assert caught.value.use.block_ram.used > caught.value.use.block_ram.available == 30
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_without_lanes_a_network_too_large_is_refused_before_synthesis(tmp_path: Path) -> None:
    wide = NANO.model_copy(update={"layers": (8192, 256), "out_degree": (256,), "lanes": (256,)})
    with pytest.raises(BoardError, match=r"nano \(training\) does not fit .*iCEBreaker.*, even with lanes \d+: "):
        bundle(wide, "icebreaker", folder=tmp_path / "never")
    assert list(tmp_path.iterdir()) == []


def test_an_ice40s_cells_hold_lut_and_flip_flop() -> None:
    cells = [("ICESTORM_LC", 4000, 5280), ("ICESTORM_DSP", 9, 8), ("ICESTORM_RAM", 31, 30), ("ICESTORM_SPRAM", 5, 4)]
    use = use_of(find_board("icebreaker"), cells, flip_flops=1234)
    assert (use.lut.used, use.ff.used, use.distributed_ram.used) == (4000, 1234, 0)
    assert use.short == "DSP: 9 of 8; block RAM: 31 of 30; single-port RAM: 5 of 4"


def test_a_dense_design_for_an_ecp5_has_another_placer() -> None:
    def options(family: FpgaFamily, flip_flops: int) -> tuple[str, ...]:
        assert family.toolchain
        cells = [("TRELLIS_COMB", 21_000, 24_288), ("TRELLIS_FF", flip_flops, 24_288), ("MULT18X18D", 0, 28)]
        cells += [("DP16KD", 0, 56), ("TRELLIS_RAMW", 0, 3_036)]
        return family.toolchain.placer(use_of(find_board("ulx3s-25f"), cells, flip_flops))

    assert options(ECP5, 17_001) == ()
    assert options(ECP5, 17_002) == ("--placer", "static")
    assert options(ICE40, 24_000) == ()
