"""From a network to a bundle with the real tools: figures, cache, reproducibility, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from presparse.contract.network import Network
from presparse.messages.bundle import MANIFEST, BundleError, Manifest, Step
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import find_board
from presparse_boards.clocking.clock import plan_clock
from presparse_boards.errors import TooSlow
from presparse_boards.flow.bundle import build_bundle
from tests.boards.networks import NANO_INFERENCE, NANO_STORING

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bundle")]  # its fixture takes long: once is enough


FILES = {"manifest.json", "network.toml", "route-1.log", "synthesis.log.gz", "timing.json"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Step]]:
    """A bundle for the smallest ECP5 board, built without a cache, and the steps that were told."""
    folder = tmp_path_factory.mktemp("made") / "nano.bundle"
    steps: list[Step] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRESPARSE_CACHE", str(folder.parent / "cache"))
        build_bundle(NANO_STORING, _board(), folder=folder, progress=steps.append)
    return folder, steps


def _board() -> Board:
    return find_board("ulx3s-12f")


@pytest.fixture
def same_cache(made: tuple[Path, list[Step]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESPARSE_CACHE", str(made[0].parent / "cache"))


def test_the_manifest_says_what_was_built(made: tuple[Path, list[Step]]) -> None:
    folder, _ = made
    manifest = Manifest.load(folder)
    assert {path.name for path in folder.iterdir()} == FILES | {"nano.bit"}
    assert manifest.build == NANO_STORING
    assert (manifest.name, manifest.board, manifest.mode, manifest.lanes) == ("nano", "ulx3s-12f", "infer", (1,))
    assert manifest.contract_hash == NANO_STORING.hash
    assert Network.load(folder / "network.toml") == manifest.build.network
    assert manifest.cycles_per_sample == NANO_STORING.schedule.period
    assert [source.source for source in manifest.sources] == ["link", "SDRAM"]
    assert manifest.latency_cycles == NANO_STORING.latency
    assert manifest.latency_us == round(NANO_STORING.latency / manifest.clock_mhz, 3)
    assert (manifest.seed, len(manifest.routes)) == (1, 1)
    assert manifest.notes == ()


def test_the_clock_is_the_fastest_that_the_routed_design_allows(made: tuple[Path, list[Step]]) -> None:
    manifest = Manifest.load(made[0])
    routed = json.loads((made[0] / "timing.json").read_text())
    [fmax] = [clock["achieved"] for clock in routed["fmax"].values()]
    assert manifest.fmax_mhz == round(fmax, 3)
    clock = plan_clock(_board(), fmax * 1e6)
    assert manifest.clock_mhz == round(float(clock.hz) / 1e6, 6)
    assert manifest.clock_mhz <= manifest.fmax_mhz
    period = manifest.cycles_per_sample
    assert manifest.samples_per_second == round(float(clock.hz) / period, 1)
    assert manifest.samples_per_second_at_fmax == round(fmax * 1e6 / period, 1)


def test_use_is_what_place_and_route_counted(made: tuple[Path, list[Step]]) -> None:
    manifest = Manifest.load(made[0])
    log = (made[0] / "route-1.log").read_text()
    for kind, resource in (
        ("TRELLIS_COMB", manifest.use.lut),
        ("TRELLIS_FF", manifest.use.ff),
        ("MULT18X18D", manifest.use.dsp),
        ("DP16KD", manifest.use.block_ram),
    ):
        counted = re.search(rf"{kind}: +(\d+)/ *(\d+) ", log)
        assert counted is not None
        assert (resource.used, resource.available) == (int(counted[1]), int(counted[2]))
        assert resource.used > 0
    assert manifest.use.fits


def test_every_pin_of_the_sdram_has_its_registers_in_its_io_cell(made: tuple[Path, list[Step]]) -> None:
    log = (made[0] / "route-1.log").read_text()
    cells = sum(int(count) for count in re.findall(r"\bS?IOLOGIC: +(\d+)/", log))
    resource = _board().pins()().resources["sdram", 0]
    assert cells == sum(len(part.ios[0].names) for part in resource.ios) == 39


def test_the_critical_path_is_named_in_the_designs_terms(made: tuple[Path, list[Step]]) -> None:
    path = Manifest.load(made[0]).critical_path
    assert 0 < path.routing_ns < path.delay_ns
    assert path.delay_ns == pytest.approx(1000 / Manifest.load(made[0]).fmax_mhz, rel=1e-3)
    assert not re.search(r"LUT4|TRELLIS|CCU2C|\$|_", path.text + "".join(path.steps))
    assert " -> " in path.text


def test_every_step_is_told(made: tuple[Path, list[Step]]) -> None:
    begun = [step.name for step in made[1] if not step.done and not step.found]
    assert begun[:4] == ["elaborating", "synthesising", "fitting", "placing and routing"]
    assert begun[-1] == "packing"
    assert [step.name for step in made[1] if step.done][-1] == "packed"


def test_how_far_the_routing_is_is_told(made: tuple[Path, list[Step]]) -> None:
    under_way = [step for step in made[1] if step.found and not step.done]
    assert {step.name for step in under_way} == {"placing and routing"}
    assert "seed 1 placing" in [step.found for step in under_way]
    shares = [re.fullmatch(r"seed 1 ([\d.]+)% routed", step.found) for step in under_way]
    routed = [float(share[1]) for share in shares if share]
    assert routed == sorted(routed)
    assert len(set(routed)) > 1


@pytest.mark.usefixtures("same_cache")
def test_the_same_inputs_come_from_the_cache(made: tuple[Path, list[Step]], tmp_path: Path) -> None:
    steps: list[Step] = []
    build_bundle(NANO_STORING, _board(), folder=tmp_path / "again", progress=steps.append)
    assert steps == []
    for file in sorted(made[0].iterdir()):
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


@pytest.mark.usefixtures("same_cache")
def test_a_damaged_bundle_is_replaced(tmp_path: Path) -> None:
    old = tmp_path / "old"
    build_bundle(NANO_STORING, _board(), folder=old)
    (old / "nano.bit").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"nano\.bit: not the bitstream that was built"):
        Manifest.load(old)
    build_bundle(NANO_STORING, _board(), folder=old)
    assert Manifest.load(old).bitstream == "nano.bit"
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.usefixtures("same_cache")
def test_older_bundles_and_folders_that_are_no_bundles(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"nowhere: not a bundle \(No such file or directory: .*manifest\.json\)"):
        Manifest.load(tmp_path / "nowhere")
    folder = tmp_path / "bundle"
    build_bundle(NANO_STORING, _board(), folder=folder)
    whole = json.loads((folder / MANIFEST).read_text())
    older = {key: value for key, value in whole.items() if not key.startswith("latency")}
    (folder / MANIFEST).write_text(json.dumps(older))
    assert Manifest.load(folder).model_dump(mode="json") == whole
    for broken, message in (
        ({**whole, "fmax_mhz": "fast"}, "fmax_mhz: "),
        ({key: value for key, value in whole.items() if key != "use"}, "use is missing"),
        ({**whole, "contract_hash": "0" * 64}, "made by another version of Presparse"),
    ):
        (folder / MANIFEST).write_text(json.dumps(broken))
        with pytest.raises(BundleError, match=message):
            Manifest.load(folder)


@pytest.mark.nightly
def test_a_clock_that_is_not_reached(made: tuple[Path, list[Step]], monkeypatch: pytest.MonkeyPatch) -> None:
    root = made[0].parent / "too-fast"
    monkeypatch.setenv("PRESPARSE_CACHE", str(root / "cache"))
    with pytest.raises(
        TooSlow,
        match=r"ulx3s-12f: the design reaches \d+\.\d\d MHz after place-and-route, and 300 MHz are needed\. "
        r"Its slowest path: .* -> .* Logs: ",
    ) as caught:
        build_bundle(NANO_INFERENCE, _board(), folder=root / "nano.bundle", clock_hz=300e6)
    logs = Path(str(caught.value).partition(" Logs: ")[2])
    assert {"synthesis.log", "route-1.log"} <= {path.name for path in logs.iterdir()}
    assert sorted(path.name for path in root.iterdir()) == ["cache"]
    assert not list((root / "cache" / "bundles").glob("*.partial"))
