"""`presparse export`: what it writes compiles in Icarus Verilog and checks itself; what it will not write over."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth._toolchain.yosys import YosysError

from presparse import plugins
from presparse.contract.address_map import bias_address, edge_address, pack_biases, pack_edges
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.messages.export import Export
from presparse.model import Model
from presparse_sim import verilog
from tests.cli.command import Ran, Shell
from tests.networks import random_model
from tests.sim.export.network import TINY

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with tiny.toml in it."""
    (tmp_path / "tiny.toml").write_text(TINY.to_toml())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def simulated(folder: Path) -> subprocess.CompletedProcess[str]:
    """What the commands in the export's own README do there."""
    command = Export.model_validate_json((folder / "export.json").read_bytes()).simulate
    assert command in (folder / "README.md").read_text()
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def alter(file: Path, line: int = 0, digit: int = -1) -> None:
    """Another hexadecimal digit in one line."""
    lines = file.read_text().splitlines()
    digits = list(lines[line])
    digits[digit] = f"{int(digits[digit], 16) ^ 1:x}"
    lines[line] = "".join(digits)
    file.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("options", "altered"),
    [
        (("--mode", "infer"), (("results.hex", 0, -1), ("model.hex", 0, -4))),
        (("--mode", "train", "--feature-port", "3"), (("results.hex", 5, -1), ("learned.hex", -1, -1))),
        (("--mode", "infer", "--lanes", "1,1"), (("results.hex", -1, -1),)),
    ],
)
def test_the_bench_passes_and_fails_as_it_should(
    place: Path, shell: Shell, options: tuple[str, ...], altered: tuple[tuple[str, int, int], ...]
) -> None:
    ran = shell("export", "tiny.toml", "--output", "core", *options, "--json")
    assert ran.status == 0, ran.err
    bench = simulated(place / "core")
    assert (bench.returncode, bench.stdout.partition(":")[0]) == (0, "PASS"), bench.stdout + bench.stderr
    for name, line, digit in altered:
        shutil.copytree("core", name)
        alter(place / name / name, line, digit)
        bench = simulated(place / name)
        assert bench.returncode != 0, name
        assert bench.stdout.startswith("FAIL: "), name


def test_a_shipped_network_passes(place: Path, shell: Shell) -> None:
    assert shell("export", "digits-small", "--mode", "infer", "--output", "core").status == 0
    bench = simulated(place / "core")
    assert (bench.returncode, bench.stdout.partition(":")[0]) == (0, "PASS"), bench.stdout + bench.stderr


def test_hash_ports_and_network_are_those_of_the_build(place: Path, shell: Shell) -> None:
    ran = shell("export", "tiny.toml", "--output", "core", "--lanes", "3,1", "--json")
    build = Build(network=TINY, lanes=(3, 1))
    figures, written = ran.figures, Export.model_validate_json((place / "core" / "export.json").read_bytes())
    assert figures == {"folder": "core", **written.model_dump(mode="json", exclude={"build"})}
    assert written.build == build
    assert figures["contract_hash"] == build.hash
    assert {*written.files, "export.json"} == {path.name for path in (place / "core").iterdir()}
    for name in ("presparse_core.v", "README.md", "ports.json"):
        assert build.hash in (place / "core" / name).read_text(), name
    assert Network.load(place / "core" / "network.toml") == TINY
    people = shell("export", "tiny.toml", "--output", "core", "--lanes", "3,1").out
    assert f"one sample every {build.schedule.period} cycles, contract {build.hash[:12]}" in people
    assert written.simulate in people


def test_the_table_has_every_port_of_the_module(place: Path, shell: Shell) -> None:
    assert shell("export", "tiny.toml", "--output", "core", "--feature-port", "3").status == 0
    body = re.search(
        r"^module presparse_core\(.*?^endmodule", (place / "core/presparse_core.v").read_text(), re.M | re.S
    )
    assert body is not None
    declared = {
        (name, direction, int(high or 0) + 1)
        for direction, high, name in re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$", body[0], re.MULTILINE)
    }
    table: list[dict[str, Any]] = json.loads((place / "core" / "ports.json").read_text())["ports"]
    assert {(port["name"], port["direction"], port["width"]) for port in table} == declared
    assert len(table) == len(declared)
    for port in table:
        assert all(port[key] for key in ("number_format", "valid", "meaning")), port["name"]
        assert f"| `{port['name']}` | {port['direction']} | {port['width']} |" in (place / "core/ports.md").read_text()


def test_a_models_words_are_exported(place: Path, shell: Shell) -> None:
    model = random_model(np.random.default_rng(3), Network.load("tiny.toml"))
    model.save("mine.safetensors")
    options = ("--mode", "infer", "--model", "mine.safetensors")
    assert shell("export", "tiny.toml", "--output", "core", *options).status == 0
    lines = (place / "core" / "model.hex").read_text().split()
    words = {int(line[:8], 16): int(line[8:], 16) for line in lines}
    for j, left, weights, biases in zip(TINY.junctions, model.left, model.weights, model.biases, strict=True):
        for start, region in (
            (edge_address(j.index), pack_edges(j, left, weights)),
            (bias_address(j.index), pack_biases(j, biases)),
        ):
            assert [words.pop(start + offset) for offset in range(len(region))] == region.tolist()
    assert not words
    assert simulated(place / "core").stdout.startswith("PASS")


def test_an_export_is_replaced_with_what_its_bench_left(place: Path, shell: Shell) -> None:
    assert shell("export", "tiny.toml", "--output", "core", "--mode", "train").status == 0
    first = content(place / "core")
    simulated(place / "core")
    assert (place / "core" / "testbench.vvp").exists()
    assert shell("export", "tiny.toml", "--output", "core", "--mode", "infer").status == 0
    assert not {"testbench.vvp", "learned.hex"} & set(content(place / "core"))
    (place / "empty").mkdir()
    assert shell("export", "tiny.toml", "--output", "empty", "--mode", "train").status == 0
    assert content(place / "empty") == first
    assert {path.name for path in place.iterdir()} == {"tiny.toml", "core", "empty"}


def refused(place: Path, ran: Ran, before: dict[str, bytes]) -> str:
    """The error's one line, if nothing was written."""
    assert ran.status == 2
    assert content(place) == before
    *_, error = ran.err.splitlines()
    assert error.startswith("error: ")
    assert "Traceback" not in ran.err
    return error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--output", "tiny.toml"), "tiny.toml: is a file; an export is a folder: choose another --output"),
        (("--output", "no/core"), "no/core: there is no folder no; make it, or choose another"),
        (("--lanes", "a"), "and is 'a'"),
        (("--lanes", "2,2"), "2 does not divide 3"),
        (("--feature-port", "4"), "feature_port must divide the 6 left neurons"),
        (("--model", "tiny.toml"), "tiny.toml: not a model file"),
        (("--model", "other.safetensors"), "load a model of the build's network"),
    ],
)
def test_mistakes_are_one_line(place: Path, shell: Shell, options: tuple[str, ...], said: str) -> None:
    other = Network(**{**TINY.model_dump(), "classes": 4})
    Model.initial(other).save("other.safetensors")
    before = content(place)
    output = () if "--output" in options else ("--output", "core")
    assert said in refused(place, shell("export", "tiny.toml", *output, *options), before)


def test_a_folder_with_something_else_stays(place: Path, shell: Shell) -> None:
    assert shell("export", "tiny.toml", "--output", "core", "--mode", "infer").status == 0
    again = ("export", "tiny.toml", "--output", "core")
    for change, said in (
        (lambda core: (core / "mine.v").touch(), "core: holds mine.v, which is not of an export"),
        (lambda core: (core / "constraints").mkdir(), "core: holds constraints, which is not of an export"),
        (lambda core: alter(core / "model.hex"), "core/model.hex: was changed after it was exported"),
        (lambda core: (core / "export.json").write_text("{"), "core: holds README.md, which is not of an export"),
    ):
        kept = shutil.copytree("core", "kept")
        change(place / "core")
        assert said in refused(place, shell(*again), content(place))
        shutil.rmtree("core")
        Path(kept).rename("core")


def test_what_is_missing_is_named_with_its_mend(place: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(place)

    def no_yosys(requirement: object) -> None:
        raise YosysError("Could not find an acceptable Yosys binary")

    for target, name, stand_in, mend in (
        (verilog, "find_yosys", no_yosys, "pip install 'amaranth[builtin-yosys]'"),
        (plugins, "entry_points", lambda **chosen: (), "pip install 'presparse[sim]'"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, stand_in)
            assert mend in refused(place, shell("export", "tiny.toml", "--output", "core"), before)
    command = [sys.executable, "-m", "presparse", "export", "tiny.toml", "--output", "core"]
    ran = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert "no C compiler" in refused(place, Ran(ran.returncode, ran.stdout, ran.stderr), before)
