"""Which store a board gets, and what of it is left open."""

from __future__ import annotations

from typing import Any

import pytest

from presparse.contract.build import Build
from presparse.contract.errors import BuildError
from presparse.contract.network import Network
from presparse.messages.store import StoreWish
from presparse_boards.boards.registry import find_board
from presparse_boards.errors import NoSdram
from presparse_boards.estimate.lane_search import NoFit, fits_safely
from presparse_boards.estimate.model import figures
from presparse_boards.estimate.store_choice import chosen_build, filled

DIGITS = Network.load("digits")


def chosen(board: str, store: StoreWish = "auto", lanes: tuple[int, ...] = (), **options: Any) -> Build:
    return chosen_build(DIGITS, find_board(board), store=store, mode="train", lanes=lanes, options=options)


def test_all_of_an_sdram_is_used() -> None:
    for board in ("ulx3s-85f", "colorlight-i5"):
        build, chip = chosen(board), find_board(board).sdram
        assert chip is not None
        assert build.store is not None
        assert (build.store.memory, build.store.words) == ("sdram", chip.words)
        assert fits_safely(figures(build, find_board(board)), find_board(board))
        assert chosen(board, "sdram") == build


def test_what_does_not_fit_is_left_out() -> None:
    """Lanes that fill the board: first the store goes, then the decoder; sample bits that are asked for stay."""
    large = (16, 16)
    assert not chosen("ulx3s-12f", lanes=large).sample_bits
    assert chosen("ulx3s-12f", "sdram", lanes=large).store_memory == "sdram"
    assert chosen("ulx3s-12f", "none", lanes=large, sample_bits=3).sample_bits == 3
    assert chosen("ecpix5-85f").sample_bits == 4
    assert not chosen("ecpix5-85f").store_samples


def test_block_ram_is_as_it_is_asked_for() -> None:
    build = chosen("ulx3s-85f", 70, sample_bits=5)
    assert (build.store_memory, build.store_samples, build.sample_bits) == ("block", 70, 5)
    assert chosen("ulx3s-85f", 0).sample_format is None
    assert filled(build, find_board("ulx3s-85f")) is build


def test_refusals() -> None:
    with pytest.raises(NoSdram, match="Arty A7-35T has no SDRAM to store samples in; use --store N"):
        chosen("arty-a7-35t", "sdram")
    with pytest.raises(NoFit, match=r"digits \(training\) does not fit 1BitSquared iCEBreaker"):
        chosen("icebreaker")
    with pytest.raises(BuildError, match="a build's lanes must divide the network's"):
        chosen("ulx3s-85f", lanes=(3, 32))
    with pytest.raises(BuildError, match="sample_bits must be at most"):
        chosen("ulx3s-85f", sample_bits=13)
