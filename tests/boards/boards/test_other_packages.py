"""Boards of other packages: what is wrong with one is said, and takes no other board away."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.build import Attrs, Clock, Pins, Resource, Subsignal
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import SDRAMResource

import presparse as ps
from presparse.errors import UnknownDevice
from presparse.opening import available
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import BOARDS, find_board, known_boards
from presparse_boards.errors import BoardError, MakeError
from presparse_boards.families.ice40.family import ICE40
from presparse_boards.flow.plan import make_plan
from tests.boards.networks import NANO_INFERENCE
from tests.cli.command import Shell

Install = Callable[[str, str], None]
OURS = BOARDS["ulx3s-12f"]
ABOUT = """
from dataclasses import replace
from presparse_boards.boards.registry import BOARDS
OURS = BOARDS["ulx3s-12f"]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a package with a module of this source, as pip would; its entry point is MODULE:BOARDS."""
    modules: list[str] = []
    monkeypatch.syspath_prepend(tmp_path)

    def package(name: str, source: str) -> None:
        module = name.replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(source)
        folder = tmp_path / f"{module}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[presparse.boards]\npear = {module}:BOARDS\n")

    yield package
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


def test_a_board_that_works(install: Install) -> None:
    install("pear-board", ABOUT + 'BOARDS = {"pear": replace(OURS, name="pear")}')
    known = known_boards()
    assert known.unusable == {}
    assert list(known.boards) == [*BOARDS, "pear"]
    assert find_board("pear") == replace(OURS, name="pear")
    assert "pear" in available()


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        ("import nothing_of_this_name", "", r"cannot be loaded \(ModuleNotFoundError: No module named 'nothing"),
        ("BOARDS = {", "", r"cannot be loaded \(SyntaxError: '{' was never closed"),
        ("BORDS = {}", "", r"cannot be loaded \(AttributeError: .*'BOARDS'"),
        (ABOUT + "OURS.no_such_thing", "", r"cannot be loaded \(AttributeError: 'Board' object has no"),
        (ABOUT + 'replace(OURS, nmae="pear")', "", r"cannot be loaded \(TypeError: .*'nmae'"),
        (ABOUT + 'replace(OURS, name="pear:1")', "", "cannot be loaded .BoardError: a board's name must be .*'pear:1'"),
        (ABOUT + 'replace(OURS, name="pear", baud=0)', "", "BoardError: board pear: baud, .* must be positive"),
        (ABOUT + 'replace(OURS, name="pear", window=3)', "", "board pear: window must be a power of two, and is 3"),
        ("BOARDS = ['pear']", "", "must map names to boards, and is a list"),
        ("BOARDS = {'pear': 'an FPGA'}", "pear", "must hold boards by their names, and holds a str as 'pear'"),
        (ABOUT + "BOARDS = {'pear': OURS}", "pear", "holds the board 'ulx3s-12f' as 'pear'"),
        (
            "class Pear:\n    name, title, baud, usb, links = 'pear', 'Pear', 9600, None, ('uart',)\n"
            "BOARDS = {'pear': Pear()}",
            "pear",
            "gives 'pear' as a Pear, which must be a .*Board",
        ),
    ],
)
def test_a_broken_package_is_named_and_others_stay(
    install: Install, shell: Shell, source: str, name: str, message: str
) -> None:
    install("pear-board", source)
    known = known_boards()
    assert dict(known.boards) == dict(BOARDS)
    [(key, reason)] = known.unusable.items()
    assert key == (name or "package pear-board")
    assert re.search(message, reason)
    assert reason.startswith("package pear-board")
    assert reason.endswith(("mend package pear-board or uninstall it", "mend that package or uninstall it"))
    assert find_board("ulx3s-12f") is OURS
    with pytest.raises(BoardError, match=message):
        find_board("pear")

    for command in (("boards", "--json"), ("estimate", "digits-small", "--all-boards", "--json")):
        ran = shell(*command)
        assert ran.status == 0
        assert ran.err == f"warning: {reason}\n"
        listed = ran.figures.get("boards") or ran.figures["estimates"]
        assert len(listed) == len(BOARDS)
    ran = shell("build", "digits-small", "--board", "pear")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert reason in ran.err
    assert ran.err.count("\n") == 1


def test_what_cannot_be_opened_says_why(install: Install) -> None:
    install("pear-board", "import nothing_of_this_name")
    with pytest.raises(UnknownDevice, match="package pear-board: pear_board:BOARDS cannot be loaded"):
        ps.open("pear", "digits-small")


@pytest.mark.parametrize("other", ["icebreaker", "pear"])
def test_a_name_that_exists_already(install: Install, shell: Shell, other: str) -> None:
    """Nothing is built for pins that may be the wrong ones."""
    source = ABOUT + f'BOARDS = {{"{other}": replace(OURS, name="{other}"), "plum": replace(OURS, name="plum")}}'
    install("pear-board", source)
    install("other-board", source.replace("plum", "quince"))
    with pytest.raises(BoardError, match=f"board '{other}' cannot be used: package .* and package .* both have"):
        find_board(other)
    with pytest.raises(UnknownDevice, match=f"board '{other}' cannot be used: "):
        ps.open(other, "digits-small")
    assert {*BOARDS, "plum", "quince"} - {other} == set(known_boards().boards)
    ran = shell("boards")
    assert ran.status == 0
    assert ran.err.startswith("warning: package ")
    assert "rename the one that is yours, or uninstall its package" in ran.err


def test_a_board_whose_clock_cannot_be_made_takes_no_other_away(
    install: Install, shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """A UART of 60 Mbaud needs 235 MHz."""
    install("pear-board", ABOUT + 'BOARDS = {"pear": replace(OURS, name="pear", title="Pear", baud=60_000_000)}')
    ran = shell("estimate", "digits-small", "--all-boards", "--json")
    assert [found["board"] for found in ran.figures["estimates"]] == list(BOARDS)
    assert "no estimate: Pear: a clock of " in caplog.text
    ran = shell("estimate", "digits-small", "--board", "pear")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error: Pear: a clock of ")


# ------------------------------------------------------------------------------------------------- platforms

CLOCK = Resource("clk25", 0, Pins("G2", dir="i"), Clock(25e6), Attrs(IO_TYPE="LVCMOS33"))
UART = Resource("uart", 0, Subsignal("tx", Pins("L4", dir="o")), Subsignal("rx", Pins("M1", dir="i")))
SDRAM = SDRAMResource(
    0, clk="F19", we_n="T20", cas_n="T19", ras_n="R20", ba="P19", a=" ".join(f"A{i}" for i in range(13)), dq="J16 L18"
)
LED = Resource("led", 0, Pins("B2", dir="o"))


def _board(*resources: Resource, **others: Any) -> Board:
    """A ULX3S 12F with nothing but these, and without its SDRAM."""
    content = {
        "device": "LFE5U-12F",
        "package": "BG381",
        "speed": "6",
        "default_clk": "clk25",
        "resources": list(resources),
        "connectors": [],
    }
    pins = type("Pear", (LatticeECP5Platform,), {**content, **others})
    return replace(OURS, name="pear", sdram=None, pins=lambda: pins)


@pytest.mark.slow
@pytest.mark.parametrize("resources", [(CLOCK, UART, LED), (CLOCK, UART)], ids=["one LED", "no LED"])
def test_leds_and_a_button_may_be_missing(resources: tuple[Resource, ...]) -> None:
    plan = make_plan(NANO_INFERENCE, _board(*resources), 25e6, "0" * 16)
    assert ("led_0" in str(plan.files["top.lpf"])) == (LED in resources)


@pytest.mark.parametrize(
    ("board", "message"),
    [
        (_board(UART), "has no oscillator: default_clk must name one of its resources with a Clock, and is 'clk25'"),
        (_board(CLOCK, UART, default_clk=None), "has no oscillator: default_clk .*, and is None"),
        (
            replace(_board(CLOCK, UART), oscillator_hz=50_000_000),
            "has an oscillator 'clk25' of 25,000,000 Hz, and the board's oscillator_hz is 50,000,000",
        ),
        (_board(CLOCK, LED), 'has no serial port: add Resource."uart", 0, '),
        (_board(CLOCK, Resource("uart", 0, Subsignal("tx", Pins("L4")))), "uart 0 without rx: add a Subsignal of"),
        (_board(CLOCK, Resource("uart", 0, Pins("L4"))), "uart 0 without rx and tx: add"),
        (replace(_board(CLOCK, UART), links=("uart", "usb")), "has no USB PHY, and the board's links name USB: add"),
        (_board(CLOCK, UART, default_rst="button"), "has no resource 'button', which its default_rst names"),
        (
            replace(_board(CLOCK, UART), sdram=OURS.sdram),
            r"has no SDRAM, and the board's is MT48LC16M16A2: add SDRAMRes",
        ),
        (
            replace(_board(CLOCK, UART, SDRAM), sdram=OURS.sdram),
            "a resource sdram 0 with ba of 1 pins, dq of 2 pins, and MT48LC16M16A2 has clk 1, we 1, .*, dq 16: mend",
        ),
        (_board(CLOCK, UART, device="LFE5U-85F"), "is for the FPGA LFE5U-85F, and the board's device is LFE5U-12F"),
    ],
)
def test_a_platform_that_lacks_something(board: Board, message: str) -> None:
    with pytest.raises(BoardError, match=f"^board pear: its platform Pear .*{message}"):
        make_plan(NANO_INFERENCE, board, 25e6, "0" * 16)


@pytest.mark.slow
def test_pins_that_are_no_platform() -> None:
    def missing() -> type:
        from nothing_of_this_name import Pear  # pyright: ignore[reportMissingImports]

        return Pear

    with pytest.raises(BoardError, match="board pear: its pins need the Python package nothing_of_this_name"):
        replace(OURS, name="pear", pins=missing).platform()
    with pytest.raises(BoardError, match="board pear: `pins` must return a class of Amaranth platform"):
        replace(OURS, name="pear", pins=lambda: LatticeECP5Platform).platform()
    with pytest.raises(MakeError, match=r"its platform Pear writes no top\.pcf: it is not for the tools of .* ice40"):
        make_plan(NANO_INFERENCE, replace(_board(CLOCK, UART), family=ICE40), 25e6, "0" * 16)
