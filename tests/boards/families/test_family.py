"""A family of FPGAs is one object: one that is made up here is estimated and planned for, and nothing names another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import presparse_boards
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import BOARDS
from presparse_boards.calibration import records
from presparse_boards.errors import BoardError, MakeError
from presparse_boards.estimate import estimate
from presparse_boards.families.ecp5.family import ECP5
from presparse_boards.families.family import CALIBRATED, FpgaFamily
from presparse_boards.flow.plan import make_plan
from presparse_boards.resources.inferred_memory import MemoryCells
from presparse_boards.resources.multipliers import DspBlock
from tests.boards.networks import NANO_INFERENCE

PACKAGE = Path(presparse_boards.__path__[0])
MADE_UP = FpgaFamily(
    name="pear",
    pll_limits=ECP5.pll_limits,
    pll=ECP5.pll,
    dsp=DspBlock(width=9, registers=2),
    memory=MemoryCells(address_bits=13, widths=(1, 2, 4, 8), byte=8, cost=32),
    fillable=0.5,
    vendor_tool="Orchard",
)
"""Small multipliers, no distributed RAM, no multipliers or memories of its own, no open tools."""


def _on(family: FpgaFamily) -> Board:
    return replace(BOARDS["ulx3s-85f"], name="pear", family=family, sdram=None)


def test_estimate() -> None:
    build = Build(network=Network.load("digits-small"))
    found = estimate(build, _on(MADE_UP))
    assert not found.calibrated
    assert found.use.distributed_ram.used == 0
    assert found.use.dsp.used == 0  # operands are wider than 9 bits
    real = estimate(build, _on(ECP5))
    assert found.use.block_ram.used > real.use.block_ram.used  # blocks of 8 Ki bits
    assert found.use.lut.used > real.use.lut.used


def test_an_sdram_needs_a_family_that_drives_it() -> None:
    with pytest.raises(
        BoardError, match=r"board ulx3s-85f: sdram is MT48LC16M16A2, and nothing drives an SDRAM from .* pear"
    ):
        replace(BOARDS["ulx3s-85f"], family=MADE_UP)


def test_only_families_with_real_builds_stand_in() -> None:
    with pytest.raises(BoardError, match="FPGA family pear: estimated_as must be ecp5 or ice40, and is 'pear'"):
        replace(MADE_UP, estimated_as="pear")
    assert {record.on.family.name for record in records.shipped()} == set(CALIBRATED)


@pytest.mark.slow
def test_plan() -> None:
    with pytest.raises(MakeError, match="bitstreams for this board need Orchard"):
        make_plan(NANO_INFERENCE, _on(MADE_UP), 25e6, "0" * 16)
    assert ECP5.toolchain
    tools = replace(ECP5.toolchain, synthesis_options="-noflatten")
    plan = make_plan(NANO_INFERENCE, _on(replace(MADE_UP, toolchain=tools)), 25e6, "0" * 16)
    assert plan.toolchain is tools
    assert "synth_ecp5 -noflatten" in str(plan.files["top.ys"])
    assert "MULT18X18D" not in str(plan.files["top.il"])  # the primitives are those of the family: none
    assert "EHXPLLL" in str(plan.files["top.il"])


def _texts(file: Path) -> Iterator[str]:
    """All strings that are no docstrings."""
    tree = ast.parse(file.read_text())
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said:
            yield node.value


def test_no_other_code_names_a_family() -> None:
    """But boards, which say of which family they are."""
    names = {board.family.name for board in BOARDS.values()}
    assert names == {"ecp5", "ice40", "xc7"}
    files = [file for file in PACKAGE.rglob("*.py") if file.relative_to(PACKAGE).parts[0] not in ("families", "boards")]
    assert len(files) > 30
    assert [
        (file, text) for file in files for text in _texts(file) if any(name in text.lower() for name in names)
    ] == []
    imported = [
        (file, node.module)
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and any(f"families.{name}" in (node.module or "") for name in names)
    ]
    assert imported == []
