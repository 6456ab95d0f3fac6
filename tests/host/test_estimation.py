"""`ps.estimate` says what the command says."""

from __future__ import annotations

import re

import pytest

import presparse as ps
from presparse.errors import ArgumentError, NetworkError, PresparseError
from presparse.plugins import builder


def test_a_network_by_name_and_as_such() -> None:
    found = ps.estimate("digits-small", "icebreaker", mode="infer")
    assert found.fits
    assert found.mode == "infer"
    assert ps.estimate(ps.Network.load("digits-small"), "icebreaker", mode="infer") == found
    (wanted,) = builder("estimate")(ps.Network.load("digits-small"), ("icebreaker",), mode="infer")
    assert found == wanted


def test_lanes_store_and_a_build() -> None:
    network = ps.Network.load("digits")
    found = ps.estimate(network, "ulx3s-85f", lanes=(8, 8), store=500)
    assert found.lanes == (8, 8)
    build = ps.Build(network=network, lanes=(8, 8), store_samples=500)
    assert ps.estimate(build, "ulx3s-85f") == found
    without = ps.estimate(network, "ulx3s-85f", lanes=(8, 8), store="none")
    assert found.use.block_ram.used > without.use.block_ram.used


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("digits", "ulx4s"), PresparseError, "there is no board 'ulx4s'; did you mean ulx3s-"),
        (("nothing", "ulx3s-85f"), NetworkError, "nothing: not a readable network file"),
    ],
)
def test_what_is_not_there(arguments: tuple[str, str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        ps.estimate(*arguments)


def test_contradictions() -> None:
    with pytest.raises(ArgumentError, match="mode must be 'train' or 'infer', and is 'both'"):
        ps.estimate("digits", "ulx3s-85f", mode="both")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="a Build has its own mode"):
        ps.estimate(ps.Build(network=ps.Network.load("digits")), "ulx3s-85f", lanes=(8, 8))
