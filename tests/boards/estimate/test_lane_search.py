"""`--lanes auto`."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import pytest

from presparse.contract.build import Build, Mode
from presparse.contract.network import Network
from presparse.sizing.lanes import lane_choices
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import BOARDS, find_board
from presparse_boards.estimate.lane_search import (
    NoFit,
    best_build,
    fewer_lanes,
    fits_safely,
    smallest_build,
    what_would_fit,
)
from presparse_boards.estimate.model import figures


@pytest.mark.parametrize("name", ["digits-small", "digits", "mnist-dey"])
@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize("board", [b for b in BOARDS.values() if b.family.toolchain], ids=lambda b: b.name)
def test_nothing_that_fits_is_faster(name: str, mode: Mode, board: Board) -> None:
    """The whole search, done by brute force."""
    network = Network.load(name)
    rates: dict[tuple[int, ...], float] = {}
    fewest: dict[int, tuple[int, ...]] = {}  # by cycles per sample
    for lanes in sorted(lane_choices(network), key=lambda z: (sum(z), z)):
        build = Build(network=network, lanes=lanes, mode=mode)
        found = figures(build, board)
        if fits_safely(found, board):
            rates[lanes] = found.fmax_mhz / build.schedule.period
            fewest.setdefault(build.schedule.period, lanes)
    if not rates:
        with pytest.raises(NoFit):
            best_build(network, board, mode=mode)
        return
    best = best_build(network, board, mode=mode)
    assert fits_safely(figures(best, board), board)
    assert rates[best.lanes] == max(rates[lanes] for lanes in fewest.values())
    assert best.lanes in fewest.values()


def test_a_junction_that_would_only_idle_gets_no_more_lanes() -> None:
    network = Network(
        features=64, classes=8, layers=(64, 64, 8), out_degree=(32, 1), lanes=(32, 64), activations=("relu", "sigmoid")
    )
    best = best_build(network, find_board("ulx3s-85f"), mode="infer")
    assert best.lanes[0] == 32
    first, second = best.junctions
    assert first.cycles == best.schedule.period == 64
    assert second.cycles <= 64
    assert second.lanes <= 2


def test_options_reach_the_build() -> None:
    build = best_build(Network.load("digits-small"), find_board("ulx3s-85f"), mode="infer", result_capacity=32)
    assert build.result_capacity == 32
    assert build.mode == "infer"


def test_no_fit_says_what_is_short_and_what_would_fit() -> None:
    network, board = Network.load("mnist"), find_board("icebreaker")
    with pytest.raises(NoFit) as caught:
        best_build(network, board)
    message = str(caught.value)
    assert message.startswith("mnist (training) does not fit 1BitSquared iCEBreaker")
    assert re.search(r"even with lanes 1,1: .*block RAM: \d+ of 30", message)
    assert re.search(r"It would fit .* \(--board [a-z0-9-]+\)\.$", message)


def test_advice_names_lanes_and_boards_that_do_fit() -> None:
    network = Network.load("digits")
    build, board = Build(network=network), find_board("ulx3s-12f")
    advice = what_would_fit(build, board)
    [lanes] = [re.findall(r"[\d,]+", text)[0] for text in advice if text.startswith("Lanes ")]
    fewer = Build(network=network, lanes=tuple(map(int, lanes.split(","))))
    assert fits_safely(figures(fewer, board), board)
    [other] = [m.group(1) for text in advice if (m := re.search(r"--board (\S+)\)", text))]
    assert fits_safely(figures(build, find_board(other)), find_board(other))


def test_what_synthesis_found_sets_the_estimate_of_fewer_lanes_right() -> None:
    network, board = Network.load("digits"), find_board("ulx3s-85f")
    build = best_build(network, board)
    estimated = figures(build, board).use

    def fewer(scale: float) -> Build:
        lut = estimated.lut.model_copy(update={"used": round(scale * estimated.lut.used)})
        found = fewer_lanes(build, board, estimated.model_copy(update={"lut": lut}))
        assert found
        return found

    assert sum(build.lanes) > sum(fewer(1).lanes) > sum(fewer(8).lanes)
    assert figures(fewer(8), board).use.lut.used * 8 <= board.family.fillable * board.capacity.lut
    assert fewer(50).lanes == smallest_build(network).lanes  # nothing fits by that: the fewest, then
    assert fewer_lanes(smallest_build(network), board) is None


def test_smallest_build_has_the_fewest_lanes() -> None:
    assert smallest_build(Network.load("mnist-dey")).lanes == (1, 1)


@pytest.mark.slow
def test_thousands_of_choices_take_less_than_two_seconds() -> None:
    """Five junctions of 64 lanes."""
    count = 5
    network = Network(
        features=256, classes=256, layers=(256,) * (count + 1), out_degree=(64,) * count, lanes=(64,) * count,
        activations=("relu",) * (count - 1) + ("sigmoid",),
    )  # fmt: skip
    assert sum(1 for _ in lane_choices(network)) > 10_000
    for board in (find_board("ulx3s-45f"), find_board("icebreaker")):
        start = time.process_time()
        with suppress(NoFit):
            best_build(network, board)
        assert time.process_time() - start < 2
