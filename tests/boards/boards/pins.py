"""What a build plan says about pins, read from the constraint file of any toolchain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.messages.bundle import LinkKind
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import find_board
from presparse_boards.gateware.top import BoardTop

NETWORK = Network(features=4, classes=2, layers=(4, 2), out_degree=(1,), lanes=(2,), activations=("sigmoid",))
BUILD = Build(network=NETWORK, feature_port=2)


@dataclass(frozen=True)
class Plan:
    """A build plan, not yet built."""

    files: dict[str, str]
    script: list[str]
    """Lines of the shell script that would build it."""
    sites: dict[str, str]
    """Pin of every port, by the port's name without Amaranth's suffix: "led_0"."""
    attributes: dict[str, set[str]]
    """What else the constraints say of a port, as "KEY=VALUE"."""
    clocks_mhz: dict[str, float]
    """Frequencies of ports."""


def sdram_pins(name: str) -> dict[str, str]:
    """Pins of the board's SDRAM, by signal, lowest bit first; of those that are active low with a "~" before them."""
    resource = find_board(name).pins()().resources["sdram", 0]
    return {part.name: "~" * part.ios[0].invert + " ".join(part.ios[0].names) for part in resource.ios}


@cache
def plan(name: str, link: LinkKind | None = None) -> Plan:
    """The plan of a small network on the board of this name, at its default clock."""
    board: Board = find_board(name).with_link(link)
    built = board.platform().prepare(BoardTop(BUILD, board, board.default_clock_hz), "top")
    files = {name: content if isinstance(content, str) else content.decode() for name, content in built.files.items()}
    constraints = next(content for name, content in files.items() if name.endswith((".lpf", ".pcf", ".xdc")))
    sites: dict[str, str] = {}
    attributes: dict[str, set[str]] = {}
    clocks: dict[str, float] = {}
    for line in constraints.splitlines():
        if match := re.fullmatch(r'LOCATE COMP "(\w+)__io(\[\d+\])?" SITE "(\w+)";', line):  # LPF
            sites[match[1] + (match[2] or "")] = match[3]
        elif match := re.fullmatch(r'IOBUF PORT "(\w+)__io(\[\d+\])?" (.*);', line):
            attributes[match[1] + (match[2] or "")] = set(match[3].split())
        elif match := re.fullmatch(r'FREQUENCY PORT "(\w+)__io" (.*) HZ;', line):
            clocks[match[1]] = float(match[2]) / 1e6
        elif match := re.fullmatch(r"set_io (\w+)__io (\w+)", line):  # PCF
            sites[match[1]] = match[2]
        elif match := re.fullmatch(r"set_frequency (\w+)__io (.*)", line):
            clocks[match[1]] = float(match[2])
        elif match := re.fullmatch(r'set_property LOC (\w+) \[get_ports "(\w+)__io"\]', line):  # XDC
            sites[match[2]] = match[1]
        elif match := re.fullmatch(r'set_property (\w+) "(\w+)" \[get_ports "(\w+)__io"\]', line):
            attributes.setdefault(match[3], set()).add(f"{match[1]}={match[2]}")
        elif match := re.fullmatch(r'create_clock -name (\w+)__io -period (.*) \[get_nets "\1__io"\]', line):
            clocks[match[1]] = 1000 / float(match[2])
    script = files["build_top.sh"].splitlines()
    return Plan(files, script, sites, attributes, clocks)
