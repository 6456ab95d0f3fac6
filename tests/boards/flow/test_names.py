"""Names of cells and nets, as tools leave them, in the design's own terms."""

from __future__ import annotations

import re

import pytest
from amaranth.back import rtlil

from presparse.contract.build import Build
from presparse_boards.families.ecp5.family import ECP5
from presparse_boards.families.ice40.family import ICE40
from presparse_boards.flow.critical_path import critical_path
from presparse_boards.flow.names import between, path_of, readable
from presparse_hw.accelerator import UartAccelerator
from tests.boards.networks import NANO_INFERENCE, TINY, TINY_TRAINING

pytestmark = pytest.mark.slow


PREFIX = "accelerator.accelerator.core."
CELLS = tuple(name for family in (ECP5, ICE40) if family.toolchain for name in family.toolchain.cell_names)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (PREFIX + "junction1.lane3.up.product_TRELLIS_FF_Q_3", "junction 1, lane 3, UP: product"),
        (PREFIX + "junction2.neuron0.activate.table.0.0", "junction 2, neuron 0, activate: table"),
        (PREFIX + "junction2.neuron0.activate.table.0.1_RAM", "junction 2, neuron 0, activate: table"),
        (PREFIX + "argmax.$like_TRELLIS_FF_Q_CE_LUT4_Z_D_LUT4_Z", "argmax"),
        (PREFIX + "right_values__0$66[6]", "right values"),
        (PREFIX + "junction1.lane12.weight_saturated_SB_LUT4_O_I3[2]", "junction 1, lane 12: weight saturated"),
        (PREFIX + "counters$159_TRELLIS_FF_Q_340_DI_CCU2C_S1$CCU2_COMB1", "counters"),
        ("$glbnet$accelerator.accelerator.core.access.clk", "access: clk"),
        ("heartbeat.count_SB_DFFSR_Q_20_D_SB_LUT4_O_LC", "heartbeat: count"),
        ("top." + PREFIX + "junction1.biases.biases0", "junction 1, biases: biases 0"),
        ("accelerator.uart.receiver.timer_TRELLIS_FF_Q", "UART, receiver: timer"),
    ],
)
def test_names_are_those_of_the_design(name: str, words: str) -> None:
    assert readable(name, CELLS) == words


def test_what_two_places_have_in_common_is_said_once() -> None:
    start, end = (path_of(PREFIX + name, CELLS) for name in ("junction1.lane3.up.product", "junction1.lane3.change"))
    assert between(start, end) == "junction 1, lane 3: UP: product -> change"
    assert between(path_of("heartbeat.count", CELLS), path_of("heartbeat.count", CELLS)) == "heartbeat: count -> count"
    assert (
        between(path_of("heartbeat.count", CELLS), path_of(PREFIX + "argmax.winner", CELLS))
        == "heartbeat: count -> argmax: winner"
    )


def test_the_critical_path_of_a_report() -> None:
    def hop(kind: str, delay: float, start: str, end: str, **more: str) -> dict[str, object]:
        return {
            "type": kind,
            "delay": delay,
            "from": {"cell": PREFIX + start, "loc": [1, 1], "port": "Q"},
            "to": {"cell": PREFIX + end, "loc": [2, 2], "port": "D"},
            **{key: PREFIX + value for key, value in more.items()},
        }

    register, adder = "junction1.lane0.up.product_TRELLIS_FF_Q", "junction1.lane0.change_CCU2C_S0"
    path = [
        hop("clk-to-q", 0.5, register, register),
        hop("routing", 2.0, register, adder, net="junction1.lane0.up.product[3]"),
        hop("logic", 0.25, adder, adder),
        hop("routing", 1.0, adder, "junction1.lane0.change_TRELLIS_FF_Q_1", net="junction1.lane0.change_CCU2C_S0_DI"),
        hop("setup", 0.0, "junction1.lane0.change_TRELLIS_FF_Q_1", "junction1.lane0.change_TRELLIS_FF_Q_1"),
    ]
    report = {
        "critical_paths": [
            {"from": "<async>", "to": "posedge clk", "path": []},
            {"from": "posedge clk", "to": "posedge clk", "path": path},
        ]
    }
    found = critical_path(report, "clk", CELLS)
    assert found.text == "junction 1, lane 0: UP: product -> change"
    assert (found.delay_ns, found.routing_ns) == (3.75, 3.0)
    assert found.steps == ("junction 1, lane 0, UP: product", "junction 1, lane 0: change")


@pytest.mark.parametrize("build", [NANO_INFERENCE, TINY_TRAINING, Build(network=TINY, store_samples=9)])
def test_every_signal_has_a_name(build: Build) -> None:
    assert not re.findall(r"\$(?:signal|like)\b.*", rtlil.convert(UartAccelerator(build, divisor=100)))
