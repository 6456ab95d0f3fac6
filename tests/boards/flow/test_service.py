"""What `presparse build` calls, with a flow that makes nothing: what is replaced, and lanes that turn out too many."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from serial.tools import list_ports

import presparse as ps
from presparse.contract.network import Network
from presparse.errors import LinkClosed, OutputError
from presparse.messages.bundle import (
    MANIFEST,
    BundleError,
    CriticalPath,
    LinkKind,
    Manifest,
    Resource,
    Route,
    Step,
    Use,
)
from presparse_boards.boards.registry import find_board
from presparse_boards.clocking.clock import plan_clock
from presparse_boards.clocking.sdram import plan_sdram
from presparse_boards.errors import BoardError, DoesNotFit, MakeError
from presparse_boards.estimate.lane_search import best_build, lane_choices
from presparse_boards.flow import bundle as bundle_module
from presparse_boards.flow import implementation, service
from presparse_boards.flow.bundle import build_bundle
from presparse_boards.flow.implementation import Flow
from tests.boards.networks import NANO, NANO_INFERENCE, NANO_STORING
from tests.host.device.fake_usb1 import Bus, Usb1

BOARD = find_board("icebreaker")
_LINKS: tuple[LinkKind | None, ...] = (None, "usb")


def _use(luts: int) -> Use:
    some = Resource(used=1, available=2)
    lut = Resource(used=luts, available=BOARD.capacity.lut)
    return Use(lut=lut, ff=some, dsp=some, block_ram=some, distributed_ram=some)


def _pretend(entry: Path, flow: Flow, tools: Mapping[str, str]) -> None:
    """A bundle of a route that never was."""
    build, bits = flow.build, b"not a bitstream"
    manifest = Manifest(
        name=build.network.name,
        board=flow.board.name,
        device=flow.board.full_device,
        mode=build.mode,
        lanes=build.lanes,
        clock_mhz=48.0,
        fmax_mhz=50.0,
        routes=(Route(seed=1, fmax_mhz=49.0), Route(seed=2, fmax_mhz=50.0)),
        seed=2,
        cycles_per_sample=build.schedule.period,
        samples_per_second=48e6 / build.schedule.period,
        samples_per_second_at_fmax=50e6 / build.schedule.period,
        use=_use(100),
        link=flow.board.link,
        baud=flow.board.baud,
        critical_path=CriticalPath(text="junction 1", delay_ns=20.0, routing_ns=10.0, steps=()),
        contract_hash=build.hash,
        build_id=flow.build_id,
        bitstream="nano.bin",
        bitstream_sha256=hashlib.sha256(bits).hexdigest(),
        tools=dict(tools),
        build=build,
    )
    (entry / MANIFEST).write_text(manifest.model_dump_json())
    (entry / manifest.bitstream).write_bytes(bits)
    for file in ("network.toml", "timing.json", "synthesis.log.gz", "route-1.log", "route-2.log"):
        (entry / file).touch()
    (entry / "work").rmdir()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRESPARSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(bundle_module, "_make", _pretend)
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def test_a_bundle_with_usb_opens_its_board_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by the serial port, which the board has, too."""
    monkeypatch.setitem(sys.modules, "usb1", Usb1(Bus()))  # type: ignore[arg-type]
    own, usb = (service.bundle(NANO, "ecpix5-85f", folder=place / str(link), lanes=(2,), link=link) for link in _LINKS)
    assert isinstance(own, Manifest)
    assert isinstance(usb, Manifest)
    assert (own.link, usb.link) == ("uart", "usb")
    assert own.build_id != usb.build_id
    monkeypatch.setattr(list_ports, "comports", list)
    with pytest.raises(LinkClosed, match="no serial port has the USB id"):
        ps.open("ecpix5-85f", place / "None")
    with pytest.raises(LinkClosed, match="ecpix5-85f: no such board is on USB"):
        ps.open("ecpix5-85f", place / "usb")
    with pytest.raises(BoardError, match="icebreaker: link must be uart, and is usb"):
        service.bundle(NANO, "icebreaker", folder=place / "no", link="usb")


def _foreign_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text(json.dumps({"manifest_version": 3, "name": "A browser's extension", "version": "1"}))


@pytest.mark.parametrize(
    ("change", "stranger"),
    [
        (lambda folder: (folder / "thesis.txt").write_text("ten years of work"), "thesis.txt"),
        (lambda folder: (folder / "route-3.log").touch(), "route-3.log"),
        (lambda folder: (folder / "logs").mkdir(), "logs"),
        (_foreign_manifest, MANIFEST),
        (lambda folder: (folder / MANIFEST).write_text("[" * 100_000), MANIFEST),
        (lambda folder: (folder / MANIFEST).unlink(), "nano.bin"),
    ],
)
def test_a_bundle_is_replaced_and_nothing_else_is(
    place: Path, change: Callable[[Path], object], stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place / "nano.bundle"
    build_bundle(NANO_INFERENCE, BOARD, folder=folder)
    (folder / "nano.bin").write_bytes(b"damaged")
    build_bundle(NANO_INFERENCE, BOARD, folder=folder)
    assert Manifest.load(folder).seed == 2
    change(folder)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for force in (False, True):
        with pytest.raises(OutputError, match=rf"bundle: holds {stranger}, which is not of a bundle; choose another"):
            build_bundle(NANO_INFERENCE, BOARD, folder=folder, force=force)
    # What comes while the tools run is seen, too.
    monkeypatch.setattr("presparse.support.atomic_folders.check_folder", lambda *given, **named: None)
    with pytest.raises(OutputError, match=rf"holds {stranger}, which is not of a bundle"):
        build_bundle(NANO_INFERENCE, BOARD, folder=folder)
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert os.listdir(place) == ["nano.bundle"]


def test_long_names_are_refused_before_any_work(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "_make", lambda *given: pytest.fail("it worked"))
    with pytest.raises(OutputError, match=r"^n{249}\.bundle: the name, or the path to it, is too long for this disk"):
        build_bundle(NANO_INFERENCE, BOARD, folder=place / f"{'n' * 249}.bundle")


def test_a_manifest_that_is_no_file_is_not_waited_for(place: Path) -> None:
    os.mkfifo(place / MANIFEST)
    with pytest.raises(BundleError, match=r"manifest\.json: is no file; give the folder that `presparse build` made"):
        Manifest.load(place)


class Tools:
    """In the place of `build_bundle`: only so many lanes can be placed."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.tried: list[tuple[int, ...]] = []
        self.fills: list[float] = []

    def __call__(self, build: object, board: object, *, fill: float, **options: object) -> str:
        self.tried.append(build.lanes)  # pyright: ignore[reportAttributeAccessIssue]
        self.fills.append(fill)
        if sum(self.tried[-1]) > self.most:
            raise DoesNotFit("too large", _use(4858))
        return "made"


@pytest.fixture
def lanes_of_digits(monkeypatch: pytest.MonkeyPatch) -> tuple[int, ...]:
    """That `--lanes auto` takes."""
    return best_build(Network.load("digits-small"), BOARD, mode="infer").lanes


def test_too_many_lanes_are_not_the_end(
    place: Path, lanes_of_digits: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools, steps = Tools(sum(lanes_of_digits) - 1), list[Step]()
    monkeypatch.setattr(service, "build_bundle", tools)
    network = Network.load("digits-small")
    assert service.bundle(network, BOARD.name, folder=place, mode="infer", progress=steps.append) == "made"
    assert tools.tried[0] == lanes_of_digits
    assert len(tools.tried) == 2
    assert sum(tools.tried[1]) < sum(lanes_of_digits)
    assert tools.fills[0] == BOARD.family.fillable
    first, then = (",".join(map(str, lanes)) for lanes in tools.tried)
    assert [(step.name, step.done, step.found) for step in steps] == [
        ("fewer lanes", True, f"{first} take 92% of the LUTs; going on with {then}")
    ]


def test_if_no_lanes_are_few_enough_it_ends(
    place: Path, lanes_of_digits: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Tools(0)
    monkeypatch.setattr(service, "build_bundle", tools)
    with pytest.raises(DoesNotFit, match="too large"):
        service.bundle(Network.load("digits-small"), BOARD.name, folder=place, mode="infer")
    totals = [sum(lanes) for lanes in tools.tried]
    assert totals == sorted(set(totals), reverse=True)
    assert tools.fills == [BOARD.family.fillable] * (len(totals) - 1) + [1.0]  # the last one's place is looked for
    assert set(tools.tried) <= set(lane_choices(Network.load("digits-small")))


def test_lanes_that_were_asked_for_stay(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools(0)
    monkeypatch.setattr(service, "build_bundle", tools)
    with pytest.raises(DoesNotFit):
        service.bundle(NANO, BOARD.name, folder=place, mode="infer", lanes=(2,))
    assert (tools.tried, tools.fills) == ([(2,)], [1.0])


@pytest.mark.parametrize(("luts", "fill", "placed"), [(4858, 0.885, False), (4858, 1.0, True), (4600, 0.885, True)])
def test_what_is_too_full_is_not_even_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, luts: int, fill: float, placed: bool
) -> None:
    """Fakes of all tools up to place-and-route."""

    class Placing(Exception):
        pass

    class Nothing:
        """A plan, and a netlist."""

        path, flip_flops, toolchain, counts = Path("top.json"), 0, None, Counter[str]()

        def write(self, folder: Path) -> None:
            pass

        def for_size(self, luts: int) -> None:
            raise Placing

    monkeypatch.setattr(implementation, "make_plan", lambda *given: Nothing())
    monkeypatch.setattr(implementation, "synthesize", lambda *given: Nothing())
    monkeypatch.setattr(implementation, "packed_use", lambda *given: _use(luts))
    flow = Flow(
        build=NANO_INFERENCE,
        board=BOARD,
        build_id="0" * 16,
        clock_hz=None,
        seeds=[1],
        fill=fill,
        progress=lambda step: None,
        work=tmp_path,
    )
    refusal = "takes 92% of the LUTs of icebreaker, and place-and-route can be hoped to fill 88%"
    with pytest.raises(Placing if placed else DoesNotFit, match=None if placed else refusal):
        flow.run()


def test_options_that_vivado_has_no_use_for(place: Path) -> None:
    refusal = "arty-a7-35t needs Vivado, and --seeds, --scheduler and --rebuild are for open tools"
    with pytest.raises(BoardError, match=refusal):
        service.bundle(NANO, "arty-a7-35t", folder=place / "new", seeds=2)
    with pytest.raises(BoardError, match=refusal):
        service.bundle(NANO, "arty-a7-35t", folder=place / "new", force=True)
    assert os.listdir(place) == []


def test_another_vendors_tool_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "VIVADO", "another")
    with pytest.raises(MakeError, match="arty-a7-35t: bitstreams for this board need Vivado"):
        service.bundle(NANO, "arty-a7-35t", folder=place / "new")


def test_a_design_that_is_slower_than_its_memory_allows_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the clock that it reached; another route may then reach another, within what that allows."""
    board, reached = find_board("ulx3s-12f"), {100e6: 62.0, 62e6: 57.0}
    asked: list[float] = []

    def routed(flow: Flow, clock_hz: float) -> tuple[Any, None, list[Any]]:
        asked.append(clock_hz)
        clock = plan_clock(board, clock_hz)
        sdram = plan_sdram(NANO_STORING, board, clock.hz)
        assert sdram is not None
        plan = SimpleNamespace(clock=clock, clocks=sdram.clocks)
        return plan, None, [SimpleNamespace(fmax_mhz=reached[clock_hz])]

    monkeypatch.setattr(Flow, "_routed", routed)
    monkeypatch.setattr(Flow, "_clocked", lambda flow, plan, netlist, routes, clock: (plan.clock.hz, clock.hz))
    flow = Flow(
        build=NANO_STORING,
        board=board,
        build_id="0" * 16,
        clock_hz=None,
        seeds=(1,),
        fill=1.0,
        progress=lambda step: None,
        work=tmp_path,
    )
    assert flow.run() == (plan_clock(board, 62e6).hz, plan_clock(board, 57e6).hz)
    assert asked == [100e6, 62e6]
