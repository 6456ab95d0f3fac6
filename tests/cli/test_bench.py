"""`presparse bench`: one table, one JSON object with every figure of it."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

from presparse.benchmark import report
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.messages.bundle import MANIFEST, CriticalPath, Manifest, Resource, Route, Use
from presparse.support.processors import processors
from tests.cli.command import Shell

pytestmark = pytest.mark.slow


PREDICTORS = {
    report.TUNED,
    "PyTorch eager, sparse layers, batch 1",
    "PyTorch eager, masked dense layers, batch 1",
    "PyTorch eager, sparse layers, batch 256",
    "PyTorch eager, masked dense layers, batch 256",
    "reference in C",
    "reference in PyTorch",
    "simulated core",
}
CONTESTANTS = {
    *PREDICTORS,
    "tuned C, batch 128, one core",
    "plain C, batch 1, one core",
    "simulated board, end to end",
    *([f"tuned C, batch 128, all {processors()} cores"] if processors() > 1 else []),
}
LAYERS = [(784, 512)] * 4 + [(2048, 2048)] * 4
QUICK = ("--rounds", 1, "--seconds", 0.02)


def bundle(folder: Path, network: Network, mode: Literal["train", "infer"] = "train", store: int = 0) -> Manifest:
    """A bundle of a route that never was: 50 MHz, half the network's lanes."""
    build = Build(network=network, lanes=tuple(z // 2 for z in network.lanes), mode=mode, store_samples=store)
    bits = b"not a bitstream"
    (folder / "top.bit").write_bytes(bits)
    some = Resource(used=1, available=2)
    manifest = Manifest(
        name=network.name,
        board="ulx3s-12f",
        device="LFE5U-12F",
        mode=mode,
        lanes=build.lanes,
        clock_mhz=48.0,
        fmax_mhz=50.0,
        routes=(Route(seed=1, fmax_mhz=50.0),),
        seed=1,
        cycles_per_sample=build.schedule.period,
        samples_per_second=48e6 / build.schedule.period,
        samples_per_second_at_fmax=50e6 / build.schedule.period,
        use=Use(lut=some, ff=some, dsp=some, block_ram=some, distributed_ram=some),
        baud=1_000_000,
        critical_path=CriticalPath(text="junction 1", delay_ns=20.0, routing_ns=10.0, steps=()),
        contract_hash=build.hash,
        build_id="0123456789abcdef",
        bitstream="top.bit",
        bitstream_sha256=hashlib.sha256(bits).hexdigest(),
        tools={},
        build=build,
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json())
    return manifest


def row(figures: dict[str, Any], start: str) -> dict[str, Any]:
    (found,) = [row for row in figures["rows"] if row["name"].startswith(start)]
    return found


def test_every_figure_of_a_bundle(shell: Shell, files: Path, tmp_path: Path) -> None:
    """Core, link, contestants and growth; what follows from other figures does so exactly."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    manifest = bundle(folder, Network.load(files / "small.toml"), store=40)
    plots = tmp_path / "plots"
    plots.mkdir()
    ran = shell("bench", "--bundle", folder, *QUICK, "--plots", plots, "--json")
    assert ran.status == 0, ran.err
    figures = ran.figures
    assert (figures["network"], figures["rounds"], figures["seconds"]) == ("small", 1, 0.02)
    assert figures["edges"] == manifest.build.network.edges
    assert all(figures["machine"][key] for key in ("processor", "cores", "compiler", "flags", "torch"))

    core = figures["core"]
    assert core["lanes"] == [2, 3]
    assert core["cycles_per_sample"] == manifest.build.schedule.period  # measured; no cycle is idle
    assert (core["board"], core["fmax_mhz"], core["fmax_source"]) == ("ulx3s-12f", 50.0, str(folder))
    assert core["samples_per_second"] == 50e6 / core["cycles_per_sample"]
    assert core["latency_cycles"] == manifest.build.latency
    assert core["latency_us"] == manifest.build.latency / 50
    assert core["limit_samples_per_second"] == core["multipliers"] * 50e6 / core["products_per_sample"]
    assert core["utilization"] == pytest.approx(core["samples_per_second"] / core["limit_samples_per_second"])
    assert core["distance_to_limit"] == pytest.approx(1 - core["utilization"])

    store = figures["stored"]
    assert store["cycles_per_sample"] == core["cycles_per_sample"]
    assert store["samples_per_second"] == core["samples_per_second"]

    link = figures["link"]
    assert link["baud"] == 1_000_000
    record = 4 + 2 * 8  # header, features of 10 bits
    assert 6 < link["bytes_per_sample"] < record  # most of them are zero, and so in no word
    assert 0 < link["bytes_from_board"] < 2
    assert link["samples_per_second"] == 1e5 / link["bytes_per_sample"]
    assert figures["driver"]["compressed"]
    assert figures["sent"] == "random images"

    assert {name for name in (r["name"] for r in figures["rows"]) if name in CONTESTANTS} == CONTESTANTS
    assert len(figures["rows"]) == len(CONTESTANTS) + 4
    assert figures["rows"][0]["name"].startswith("tuned C")
    eager, c, tuned = (
        row(figures, name)["samples_per_second"] for name in (report.EAGER, report.PLAIN_C, report.TUNED)
    )
    tuned_inferences = row(figures, report.TUNED)["inferences_per_second"]
    core_row = row(figures, "core, ulx3s-12f at 50.0 MHz")
    assert core_row["inferences_per_second"] == core["samples_per_second"]
    assert core_row["how"].startswith("calculated, no board ran it: ")
    assert row(figures, "core, ulx3s-12f at 50.0 MHz")["samples_per_second"] == core["samples_per_second"]
    assert row(figures, "end to end, UART at 1,000,000 baud")["samples_per_second"] == link["samples_per_second"]
    assert row(figures, "driver, to frames")["samples_per_second"] == figures["driver"]["samples_per_second"]
    assert row(figures, "end to end, samples stored")["samples_per_second"] == store["samples_per_second"]
    for entry in figures["rows"]:
        assert entry["times_eager"] == pytest.approx(entry["samples_per_second"] / eager)
        assert entry["times_plain_c"] == pytest.approx(entry["samples_per_second"] / c)
        assert entry["times_tuned"] == pytest.approx(entry["samples_per_second"] / tuned)
        assert (
            entry["calculated"]
            == (entry["name"] not in {*CONTESTANTS, "driver, to frames"})
            == ("calculated" in entry["how"])
        )
        if entry["name"] in PREDICTORS:
            assert entry["inferences_times_tuned"] == pytest.approx(entry["inferences_per_second"] / tuned_inferences)
        assert entry["of_limit"] == pytest.approx(entry["samples_per_second"] / core["limit_samples_per_second"])
        if entry["name"] in CONTESTANTS:
            assert entry["slowest"] == entry["fastest"] == entry["samples_per_second"] > 0
    assert figures["simulated_cycles_per_second"] == pytest.approx(
        row(figures, "simulated core")["samples_per_second"] * core["cycles_per_sample"]
    )

    for axis in ("edges", "lanes"):
        points = [p for p in figures["growth"] if p["axis"] == axis]
        assert len(points) == 6
        for p in points[-4:]:  # the shortest junctions have gaps
            assert p["cycles_per_sample"] * p["lanes"] == p["edges"]
    layers = [p for p in figures["growth"] if p["axis"] == "layers"]
    assert len({p["cycles_per_sample"] for p in layers}) == 1
    assert all(p["plain_c_seconds"] > 0 and p["eager_seconds"] > 0 for p in figures["growth"])

    assert [(one["left"], one["right"]) for one in figures["layers"]] == LAYERS
    for one, density in zip(figures["layers"], (0.03, 0.1, 0.2, 0.5) * 2, strict=True):
        assert one["density"] == pytest.approx(density, rel=0.03)
        assert one["times_pass"] == pytest.approx(one["masked"]["pass_seconds"] / one["sparse"]["pass_seconds"])
        assert one["times_step"] == pytest.approx(one["masked"]["step_seconds"] / one["sparse"]["step_seconds"])
        assert one["sparse"]["held_bytes"] < one["masked"]["held_bytes"]

    assert [one["layers"] for one in figures["steps"]] == [[2016, 224, 56]] * 2
    for one, density in zip(figures["steps"], (0.1, 0.2), strict=True):
        assert one["density"] == pytest.approx(density, rel=0.15)
        assert one["quantized_takes"] == pytest.approx(one["floating_point"] / one["quantized"])
        assert one["dense_takes"] == pytest.approx(one["floating_point"] / one["dense"])

    for name in ("speeds.png", "growth.png", "layers.png"):
        assert (plots / name).read_bytes().startswith(b"\x89PNG")
        assert f"wrote {plots / name}" in ran.err


@pytest.mark.nightly
def test_layers_are_shown(shell: Shell, files: Path) -> None:
    ran = shell("bench", files / "small.toml", *QUICK, "--no-growth")
    layers = [line.split()[:3] for line in ran.out.splitlines() if line.split()[1:2] == ["->"]]
    assert layers == [[str(p), "->", str(n)] for p, n in LAYERS]
    assert "SparseLinear beside a dense layer times a mask" in ran.out


@pytest.mark.nightly
def test_without_a_routed_design_the_core_has_cycles_only(shell: Shell, files: Path) -> None:
    ran = shell("bench", files / "small.toml", *QUICK, "--no-growth", "--no-layers")
    assert ran.status == 0
    assert "core, no routed design" in ran.out
    assert "name a bundle (--bundle)" in ran.out
    for name in CONTESTANTS:
        assert name in ran.out
    assert "trained/s" in ran.out
    assert "inferred/s" in ran.out
    assert "useful products" in ran.out


@pytest.mark.nightly
def test_a_bundle_without_a_store_says_nothing_of_its_speed(shell: Shell, files: Path, tmp_path: Path) -> None:
    """Its clock would be another one; the cycles are measured all the same."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    manifest = bundle(folder, Network.load(files / "small.toml"))
    ran = shell("bench", "--bundle", folder, *QUICK, "--no-growth", "--no-layers", "--json")
    period = manifest.build.schedule.period
    assert ran.figures["stored"] == {"cycles_per_sample": period, "samples_per_second": None}
    stored = row(ran.figures, "end to end, samples stored")
    assert (stored["samples_per_second"], stored["times_eager"], stored["of_limit"]) == (None, None, None)
    assert stored["how"] == f"{period} cycles per sample; no routed design with a store"


def test_without_pytorch_names_the_extra(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("presparse.benchmark")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    ran = shell("bench", "--json")
    assert (ran.status, ran.figures["mend"]) == (2, "pip install 'presparse[train,sim,report]'")
    assert ran.err == (
        "error: bench needs the Python package torch, which is not installed: "
        "pip install 'presparse[train,sim,report]'\n"
    )


def test_a_folder_for_pictures_must_be_there_before_anything_is_measured(shell: Shell, tmp_path: Path) -> None:
    ran = shell("bench", "--plots", tmp_path / "none")
    assert (ran.status, ran.out) == (2, "")
    assert "there is no such folder; make it" in ran.err


def test_a_bundle_that_is_none(shell: Shell, tmp_path: Path) -> None:
    ran = shell("bench", "--bundle", tmp_path, "--json")
    assert (ran.status, ran.figures["mend"]) == (2, "give the folder that `presparse build` made")
    assert "not a bundle" in ran.err
    (tmp_path / MANIFEST).write_text(json.dumps({"version": 1}))
    assert "build the bundle again" in shell("bench", "--bundle", tmp_path).err


def test_an_inference_bundle_has_nothing_to_train(shell: Shell, files: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    bundle(folder, Network.load(files / "small.toml"), mode="infer")
    ran = shell("bench", "--bundle", folder)
    assert (ran.status, ran.out) == (2, "")
    assert "bench measures training, and this build of small only infers" in ran.err
