"""Junctions, groups of lanes and lanes have the ports of the work that they do, and no others, and lanes no reset."""

from __future__ import annotations

from typing import Literal

import pytest
from amaranth.hdl import Fragment

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse_hw.core.junction import Junction
from presparse_hw.core.junction_ports import EdgeControl, HostAccess, LaneControl, SlotLayout
from presparse_hw.core.lane import Lane
from presparse_hw.core.lane_group import LaneGroup

NETWORK = Network(
    features=8,
    classes=4,
    layers=(8, 8, 4),
    out_degree=(4, 2),
    lanes=(8, 4),
    activations=("relu", "sigmoid"),
)
UPDATE = {"deltas", "weight_saturated"}
BACKPROPAGATE = {"sums", "clear"}


@pytest.mark.parametrize(
    ("mode", "index", "ports", "control"),
    [
        ("infer", 0, set(), set()),
        ("infer", 1, set(), set()),
        ("train", 0, UPDATE, {"update", "update_slot"}),
        ("train", 1, UPDATE | BACKPROPAGATE, {"update", "update_slot", "delta_add", "delta_set"}),
    ],
)
def test_ports_of_lanes(mode: Literal["train", "infer"], index: int, ports: set[str], control: set[str]) -> None:
    build = Build(network=NETWORK, mode=mode)
    lane, group = Lane(build, index).signature, LaneGroup(build, index, range(4), 1).signature
    given = {"control", "weight", "row", "first", "left", "product"}
    assert set(lane.members) == ports | given | ({"new_weight"} if mode == "train" else set())
    assert set(group.members) == ports | {"edge", "left", "words", "products"}
    assert set(LaneControl(build, index).members) == {"forward_slot"} | control
    assert set(EdgeControl(build, index).members) == {"forward_slot", "address", "write_address"} | control
    assert set(SlotLayout(build, index).members) == {"forward"} | ({"update"} if mode == "train" else set())
    junction = set(Junction(build, index, 1).signature.members)
    assert junction & BACKPROPAGATE == ports & BACKPROPAGATE
    assert ("deltas" in junction) == (mode == "train")


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize("index", [0, 1])
def test_no_register_of_the_lanes_is_reset(mode: Literal["train", "infer"], index: int) -> None:
    """A reset of all lanes would be a wire over the whole chip."""
    parts = [Fragment.get(LaneGroup(Build(network=NETWORK, mode=mode), index, range(4), 1), None)]
    registers = []
    while parts:
        part = parts.pop()
        parts += [sub for sub, *_ in part.subfragments]
        registers += [signal for s in part.statements.get("sync", ()) for signal in s._lhs_signals()]
    assert len(registers) > 50
    assert {r.name for r in registers if not r.reset_less} == set()


def test_words_of_one_row_have_no_row() -> None:
    assert [len(HostAccess(rows=rows).create().row) for rows in (1, 2, 5)] == [0, 1, 3]
