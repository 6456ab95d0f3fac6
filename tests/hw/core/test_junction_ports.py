"""Junctions, groups of lanes and lanes have the ports of the work that they do, and no others."""

from __future__ import annotations

from typing import Literal

import pytest

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


def test_words_of_one_row_have_no_row() -> None:
    assert [len(HostAccess(rows=rows).create().row) for rows in (1, 2, 5)] == [0, 1, 3]
