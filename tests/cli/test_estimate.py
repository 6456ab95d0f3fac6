"""`presparse estimate`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.messages.estimate import Estimate
from tests.cli.command import Shell

BOARD_COUNT = 13


def test_a_network_that_fits(shell: Shell) -> None:
    ran = shell("estimate", "digits-small", "--board", "ulx3s-85f")
    assert ran.status == 0
    first, speed, link, store, latency, *rest = ran.out.splitlines()
    assert first == "digits-small, training, lanes 16,16, on ulx3s-85f: fits"
    assert "samples/s: 64 cycles per sample at " in speed
    rates = r"[\d,]+ to [\d,]+ samples/s of 18 to 2 words"
    assert re.fullmatch(rf"over the link {rates}, bound by the link", link)
    assert re.fullmatch(r"from its SDRAM [\d,]+ samples/s of 18 to 2 words, bound by the core", store)
    cycles = Build(network=Network.load("digits-small"), lanes=(16, 16), store_memory="sdram", store_samples=9).latency
    assert re.fullmatch(rf"one inference takes [\d.]+ µs in the core: {cycles} cycles", latency)
    assert [line.split("  ")[0] for line in rest] == [
        "LUT", "FF", "DSP", "block RAM", "distributed RAM", "junction 1", "junction 2",
    ]  # fmt: skip
    assert rest[-1].split() == ["junction", "2", "16", "lanes", "64", "cycles", "never", "idles"]


def test_json_is_the_estimate(shell: Shell) -> None:
    ran = shell("estimate", "mnist-dey", "--board", "ulx3s-85f", "--mode", "infer", "--lanes", "64,4", "--json")
    found = Estimate.model_validate(ran.figures)
    assert (found.network, found.board, found.mode, found.lanes) == ("mnist-dey", "ulx3s-85f", "infer", (64, 4))
    assert found.cycles_per_sample == 256
    assert [load.idle for load in found.junctions] == [192, 0]
    assert ran.err == ""


def test_a_store_takes_block_ram(shell: Shell) -> None:
    def block_ram(*options: str) -> int:
        ran = shell("estimate", "digits", "--board", "ecpix5-45f", "--lanes", "8,8", *options, "--json")
        return Estimate.model_validate(ran.figures).use.block_ram.used

    assert block_ram("--store", "none") == block_ram() < block_ram("--store", "1347", "--sample-bits", "2")
    assert block_ram("--store", "1347", "--sample-bits", "2") < block_ram("--store", "1347")


def test_a_store_is_where_there_is_sdram_and_room(shell: Shell) -> None:
    def sources(board: str, *options: str) -> list[str]:
        found = Estimate.model_validate(shell("estimate", "digits", "--board", board, *options, "--json").figures)
        return [source.source for source in found.sources]

    assert sources("ulx3s-85f") == sources("ulx3s-85f", "--store", "sdram") == ["link", "SDRAM"]
    assert sources("ulx3s-85f", "--store", "none") == sources("ecpix5-85f") == ["link"]
    assert sources("ulx3s-85f", "--store", "50") == ["link", "block RAM"]
    assert sources("ulx3s-12f", "--lanes", "16,16") == ["link"]  # which do not fit anyhow


def test_idle_junctions_and_a_misfit_are_told(shell: Shell) -> None:
    ran = shell("estimate", "mnist", "--board", "icebreaker", "--lanes", "64,4")
    assert ran.status == 1
    assert "does not fit (" in ran.out
    assert "block RAM: " in ran.out
    assert "idles 1,536 of 2,048 cycles" in ran.out
    assert "It would fit " in ran.out


def test_all_boards_side_by_side(shell: Shell) -> None:
    ran = shell("estimate", "digits", "--all-boards")
    assert ran.status == 0
    heading, *lines, note = ran.out.splitlines()
    assert heading.split()[:2] == ["board", "lanes"]
    assert len(lines) == BOARD_COUNT
    assert sum(" fits " in line for line in lines) >= 5
    assert any(line.startswith("icebreaker") and "too small" in line for line in lines)
    assert "arty-a7-35t *" in ran.out
    assert note == "* a rough guess: no open tool places and routes this FPGA"


def test_all_boards_as_json(shell: Shell) -> None:
    figures = shell("estimate", "digits", "--all-boards", "--json").figures
    assert len({found["board"] for found in figures["estimates"]}) == BOARD_COUNT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits", "--board", "ulx3s"], "there is no board 'ulx3s'; did you mean ulx3s-"),
        (["digits"], "estimate needs one of --board NAME and --all-boards"),
        (["digits", "-b", "icebreaker", "--all-boards"], "estimate needs one of --board NAME and --all-boards"),
        (["digits", "-b", "icebreaker", "--lanes", "many"], "--lanes must be auto, or whole numbers such as 32,16"),
        (["digits", "-b", "icebreaker", "--lanes", "9" * 5000], "--lanes must be auto, or whole numbers"),
        (["digits", "-b", "icebreaker", "--lanes", "3,32"], "junction 1: a build's lanes must divide the network's"),
        (["digits", "-b", "icebreaker", "--lanes", "8"], "lanes needs one entry per junction (2), and has 1"),
        (
            ["digits", "-b", "icebreaker", "--store", "some"],
            "--store must be auto, sdram, none, or a number of samples",
        ),
        (
            ["digits", "-b", "icebreaker", "--store", "sdram"],
            "1BitSquared iCEBreaker 1.0 has no SDRAM to store samples",
        ),
        (["digits", "-b", "ulx3s-85f", "--sample-bits", "17"], "sample_bits must be at most the activation's 10 bits"),
        (["no-such.toml", "-b", "icebreaker"], "no-such.toml: not a readable network file"),
    ],
)
def test_mistakes_are_one_line_and_status_2(shell: Shell, arguments: list[str], message: str) -> None:
    ran = shell("estimate", *arguments)
    assert ran.status == 2
    assert ran.out == ""
    assert ran.err.startswith(f"error: {message}")
    assert ran.err.count("\n") == 1


def test_a_users_own_network(shell: Shell, files: Path) -> None:
    assert shell("estimate", files / "small.toml", "--board", "ulx3s-12f").out.startswith("small, training, lanes ")
