"""Where a core's clock comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from presparse.benchmark.clock import RECORDED, Clock, alike, recorded, with_a_store
from presparse.contract.build import Build
from presparse.contract.network import SHIPPED, Network
from tests.host.small import NETWORK

ROUTES = """
[[route]]
network = "mnist-dey"
lanes = [64, 16]
board = "ulx3s-85f"
fmax_mhz = 100.0
baud = 3000000
options = { store_samples = 30 }
command = "slower"

[[route]]
network = "mnist-dey"
lanes = [32, 8]
board = "ulx3s-85f"
fmax_mhz = 180.0
baud = 3000000
command = "a faster clock, and half the lanes"

[[route]]
network = "digits"
lanes = [16, 16]
board = "ulx3s-25f"
fmax_mhz = 300.0
baud = 3000000
command = "another network"
"""


def test_the_fastest_recorded_route_of_the_network_counts(tmp_path: Path) -> None:
    file = tmp_path / "recorded.toml"
    file.write_text(ROUTES)
    found = recorded(Network.load("mnist-dey"), file)
    assert found is not None
    build, clock = found
    assert (build.lanes, build.store_samples) == ((64, 16), 30)
    assert clock == Clock(board="ulx3s-85f", fmax_mhz=100.0, baud=3_000_000, source="slower")
    assert recorded(NETWORK, file) is None


def test_networks_that_differ_in_their_formats_alone_are_alike(tmp_path: Path) -> None:
    narrow = ROUTES.replace('"mnist-dey"\nlanes = [32, 8]', '"mnist-dey-narrow"\nlanes = [128, 32]')
    (file := tmp_path / "recorded.toml").write_text(narrow)
    found = alike(Network.load("mnist-dey"), file)
    assert [(build.network.name, clock.fmax_mhz) for build, clock in found] == [
        ("mnist-dey-narrow", 180.0),
        ("mnist-dey", 100.0),
    ]


def test_an_inference_build_has_a_place_of_its_own(tmp_path: Path) -> None:
    """It learns nothing, so it is not the fastest that learns."""
    faster = ROUTES.split("[[route]]")[1].replace("100.0", "200.0").replace("store_samples = 30", 'mode = "infer"')
    (file := tmp_path / "recorded.toml").write_text(f"{ROUTES}[[route]]{faster}")
    found = recorded(Network.load("mnist-dey"), file)
    assert found is not None
    assert found[0].training
    assert [(build.mode, clock.fmax_mhz) for build, clock in alike(Network.load("mnist-dey"), file)] == [
        ("infer", 200.0),
        ("train", 100.0),
    ]


def test_builds_with_a_store_of_the_same_lanes(tmp_path: Path) -> None:
    slower = ROUTES.split("[[route]]")[1].replace("100.0", "90.0")
    (file := tmp_path / "recorded.toml").write_text(f"{ROUTES}[[route]]{slower}")
    network = Network.load("mnist-dey")
    found = with_a_store(Build(network=network), file)
    assert [clock.fmax_mhz for clock in found] == [100.0]
    assert with_a_store(Build(network=network, lanes=(32, 8)), file) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_valid(name: str) -> None:
    assert RECORDED.exists()
    found = recorded(Network.load(name))
    assert found is None or (found[1].fmax_mhz > 0 and found[1].source.startswith("presparse build "))
