"""The board of a package outside Presparse (examples/own_board): installed, listed, estimated and built for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from presparse_boards.boards.registry import find_board
from presparse_boards.flow.identity import build_id
from presparse_boards.flow.plan import make_plan
from tests.boards.networks import NANO_INFERENCE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own_board")]  # its fixture takes long: once is enough


EXAMPLE = Path(__file__).parents[2] / "examples" / "own_board"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed a copy of the example into: `pip install` may leave files in the source."""
    source, target = tmp_path_factory.mktemp("source") / "own_board", tmp_path_factory.mktemp("installed")
    shutil.copytree(EXAMPLE, source)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, source], check=True)
    return target


@pytest.fixture
def known(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example is installed for this process, too."""
    monkeypatch.syspath_prepend(installed)
    yield
    sys.modules.pop("own_board", None)


def presparse(installed: Path, *arguments: str) -> Any:
    """What the command says as JSON."""
    ran = subprocess.run(
        [sys.executable, "-m", "presparse", *arguments, "--json"],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def test_it_is_listed(installed: Path) -> None:
    boards = {board["name"]: board for board in presparse(installed, "boards")["boards"]}
    assert {"icebreaker", "orangecrab-25f", "orangecrab-85f"} <= set(boards)
    assert boards["orangecrab-85f"]["capacity"]["lut"] == boards["ulx3s-85f"]["capacity"]["lut"]


def test_it_is_estimated_for(installed: Path) -> None:
    found = presparse(installed, "estimate", "digits-small", "--board", "orangecrab-85f")
    assert (found["board"], found["fits"], found["calibrated"]) == ("orangecrab-85f", True, True)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("size", ["25", "85"])
def test_it_is_planned_for(size: str) -> None:
    board = find_board(f"orangecrab-{size}f")
    plan = make_plan(NANO_INFERENCE, board, board.default_clock_hz, "0" * 16)
    constraints = str(plan.files["top.lpf"])
    sites = {"clk_0": "A9", "uart_0__tx": "M18", "uart_0__rx": "N17", "led_0": "M3", "led_1": "J3", "button_0": "J17"}
    for port, site in sites.items():
        assert f'LOCATE COMP "{port}__io" SITE "{site}";' in constraints
    assert "CSFBGA285" in plan.device_options
    assert f"--{size}k" in plan.device_options


@pytest.mark.usefixtures("known")
def test_a_changed_pin_makes_another_bitstream(installed: Path) -> None:
    """The cache of bundles must not give the old one."""
    board, file = find_board("orangecrab-85f"), installed / "own_board" / "__init__.py"
    before, text = build_id(NANO_INFERENCE, board, {}), file.read_text()
    try:
        file.write_text(text.replace('"M18"', '"B10"'))
        assert build_id(NANO_INFERENCE, board, {}) != before
    finally:
        file.write_text(text)
    assert build_id(NANO_INFERENCE, board, {}) == before
