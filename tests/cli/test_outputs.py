"""Outputs: nothing that is read is written over, nor what somebody else made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from presparse.cli import outputs, sim
from presparse.cli.outputs import CLASSES, FOLDER, MODEL, check_outputs, replayed
from presparse.contract.network import Network
from presparse.device.links.recorded import Recorder
from presparse.errors import OutputError
from presparse.model import Model
from presparse.report.style import figure, png
from tests.cli.command import Shell

TRAIN = ("train", "small.toml", "small.npz", "-d", "emulator", "--epochs", "1", "--lr", "0.03125")
EVALUATE = ("evaluate", "small.safetensors", "small.npz", "-d", "emulator")
PREDICT = ("predict", *EVALUATE[1:])


@pytest.fixture(autouse=True)
def _here(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)


def refused(*written: tuple[Path, outputs.Kind], **given: object) -> str:
    with pytest.raises(OutputError) as error:
        check_outputs(*written, **given)  # pyright: ignore[reportArgumentType]
    return str(error.value)


def test_what_is_read_is_never_written_over_whatever_it_is_called(files: Path) -> None:
    """Even with force."""
    Path("link.csv").symlink_to("small.csv")
    os.link("small.csv", "twin.csv")
    names = (Path("small.csv"), Path("./small.csv"), files / "small.csv", Path("link.csv"), Path("twin.csv"))
    for name in names:
        for read in names:
            said = refused((name, CLASSES), inputs=(read,), force=True)
            assert said == f"{name}: would change {read}, which is read; give another place to write"
    Path("b.bundle").mkdir()
    assert "would change b.bundle" in refused((Path("b.bundle/new.txt"), CLASSES), inputs=("b.bundle",))
    assert "would change small.toml" in refused((Path("."), FOLDER), inputs=("small.toml",))


def test_two_outputs_are_two_files() -> None:
    Path("link").symlink_to("a")
    for other in ("a", "./a", "link"):
        said = refused((Path("a"), MODEL), (Path(other), CLASSES))
        assert said == f"{Path(other)}: would change a, which is written, too; give another place to write"
    check_outputs((Path("a"), MODEL), (None, CLASSES), (Path("b"), CLASSES), inputs=(None, "small.csv"))


@pytest.mark.parametrize("kind", [MODEL, FOLDER])
def test_names_that_nothing_can_have(kind: outputs.Kind) -> None:
    """As outputs they are refused; as inputs whoever reads them says what is wrong."""
    Path("round").symlink_to("about")
    Path("about").symlink_to("round")
    assert "Too many levels of symbolic links" in refused((Path("round"), kind))
    assert "too long" in refused((Path("x" * 300), kind))
    check_outputs((Path("a"), kind), inputs=("round", "x" * 300, "small.toml/below"))


def test_a_file_is_replaced_by_its_own_kind_or_with_force() -> None:
    model = Path("small.safetensors")
    check_outputs((model, MODEL))
    assert refused((model, CLASSES)) == (
        "small.safetensors: exists already; choose another name, or replace it with --force"
    )
    assert refused((Path("small.csv"), MODEL)) == (
        "small.csv: exists already and is no model of Presparse; choose another name, or replace it with --force"
    )
    check_outputs((Path("small.csv"), MODEL), force=True)
    Path("empty").touch()
    check_outputs((Path("empty"), CLASSES))
    os.mkfifo("pipe")
    check_outputs((Path("pipe"), CLASSES), (Path("/dev/null"), MODEL))


def test_every_kind_is_known_by_its_beginning(shell: Shell) -> None:
    """What writes them today carries the marks."""
    Path("picture.png").write_bytes(png(figure(1, 1)))
    assert outputs.PICTURE.made(Path("picture.png"))
    Path("mine.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"Software\0Matplotlib")
    assert not outputs.PICTURE.made(Path("mine.png"))
    template = Path(outputs.__file__).parents[1] / "report/templates/base.html"  # of all pages
    assert outputs.REPORT.made(template)
    Path("results.xml").write_text(sim._junit([]))
    assert outputs.RESULTS.made(Path("results.xml"))
    assert outputs.MODEL.made(Path("small.safetensors"))


def test_a_recording_may_replace_a_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    from presparse.contract.build import Build

    def no_link() -> None:
        raise AssertionError

    build = Build(network=Network.load("small.toml"))
    Recorder("tape", no_link, build, device="sim", timeout=1, retries=1).pause()  # pyright: ignore[reportArgumentType]
    assert outputs.RECORDING.made(Path("tape"))
    assert replayed("replay:tape") == Path("tape")
    assert replayed("sim") is None


@pytest.mark.parametrize(
    ("command", "lost"),
    [
        ((*TRAIN, "-o", "small.npz"), "small.npz"),
        ((*TRAIN, "-o", "./small.toml", "--force"), "small.toml"),
        (("train", "small.toml", "small.csv", "-o", "link.csv"), "small.csv"),
        ((*TRAIN, "--start", "small.safetensors", "-o", "small.safetensors"), "small.safetensors"),
        ((*TRAIN, "-o", "notes.txt"), "notes.txt"),
        ((*TRAIN, "-o", "m.safetensors", "--record", "notes.txt"), "notes.txt"),
        ((*TRAIN, "-d", "replay:notes.txt", "-o", "notes.txt", "--force"), "notes.txt"),
        ((*PREDICT, "-o", "small.safetensors", "--force"), "small.safetensors"),
        ((*PREDICT, "-o", "notes.txt"), "notes.txt"),
        ((*PREDICT, "-o", "same", "--record", "same"), "notes.txt"),
        ((*EVALUATE, "--record", "small.npz", "--force"), "small.npz"),
        ((*EVALUATE, "--picture", "notes.txt"), "notes.txt"),
        (("prune", "small.npz", "small.csv", "-o", "small.csv", "--force"), "small.csv"),
        (("prune", "small.npz", "digits", "-o", "new", "--network-output", "small.toml"), "small.toml"),
        (("prune", "small.npz", "digits", "--network", "small.toml", "-o", "./small.toml", "--force"), "small.toml"),
        (("demo", "--report", "notes.txt"), "notes.txt"),
        (("new", "small.toml", "--features", "4", "--classes", "2"), "small.toml"),
        (("sim", "small.toml", "--junit", "notes.txt"), "notes.txt"),
        (("sim", "small.toml", "--junit", "small.toml", "--force"), "small.toml"),
        (("sim", "small.toml", "--waves", "."), "old.vcd"),
        (("experiment", "density", "-o", "."), "density.json"),
        (("experiment", "junctions", "-o", "."), "junctions.jsonl"),
        (("bench", "small.toml", "--plots", "."), "speeds.png"),
        (("build", "small.toml", "-b", "ulx3s-85f", "-o", "."), "small.toml"),
        (("export", "small.toml", "-o", "."), "small.toml"),
        (("export", "small.toml", "--model", "small.safetensors", "-o", "."), "small.safetensors"),
    ],
)
def test_no_command_writes_over_what_it_reads_or_what_is_not_its_own(
    shell: Shell, files: Path, command: tuple[str, ...], lost: str
) -> None:
    for name in ("notes.txt", "old.vcd", "density.json", "junctions.jsonl", "speeds.png"):
        Path(name).write_text("mine")
    Path("link.csv").symlink_to("small.csv")
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    ran = shell(*command)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith("error: ")
    assert "exists already" in ran.err or "would change" in ran.err
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before
    assert lost in before


def test_a_model_replaces_a_model_and_force_replaces_anything(shell: Shell) -> None:
    for _ in range(2):
        assert shell(*TRAIN, "-o", "out.safetensors").status == 0
    Path("notes.txt").write_text("mine")
    assert shell(*TRAIN, "-o", "notes.txt", "--force").status == 0
    assert Model.load("notes.txt").network.name == "small"
    assert shell(*PREDICT, "-o", "classes.txt").status == 0
    assert "--force" in shell(*PREDICT, "-o", "classes.txt").err
    assert shell(*PREDICT, "-o", "classes.txt", "--force").status == 0
