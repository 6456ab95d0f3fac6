"""Every command does its work, tells people on stderr, and gives one JSON object on stdout."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import presparse as ps
from presparse.accelerator import Accelerator
from presparse.cli import doctor
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.data.mnist import MNIST_FILES
from presparse.device.usb_devices import PERMIT
from presparse.model import Model
from presparse.terminal import output
from presparse.terminal.output import Bar
from tests.cli.command import Shell
from tests.host import small
from tests.host.device import fake_usb1
from tests.host.device.fake_usb1 import Bus, Device, Usb1
from tests.host.device.protocol_board import BoardLink, ProtocolBoard

STORING = Build(network=small.NETWORK, result_capacity=16, store_samples=20)


def test_help_lists_every_command(shell: Shell) -> None:
    ran = shell("--help")
    assert ran.status == 0
    for command in ("demo", "new", "train", "predict", "evaluate", "export", "bench", "doctor"):
        assert command in ran.out
        assert "--json" in shell(command, "--help").out
    assert shell("--version").out.strip() == ps.__version__


def test_new_writes_a_network_that_loads_with_its_reasons(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    ran = shell("new", file, "--features", 784, "--classes", 10, "--hidden", "112", "--lanes", 64, "--json")
    assert ran.status == 0
    network = Network.load(file)
    assert (network.name, network.features, network.classes) == ("mine", 784, 10)
    assert ran.figures["network"] == network.model_dump(mode="json")
    commented = " ".join(line.lstrip("# ") for line in file.read_text().splitlines() if line.startswith("#"))
    for reason in ran.figures["reasons"]:
        assert reason in commented
        assert reason in ran.err

    again = shell("new", file, "--features", 4, "--classes", 2)
    assert again.status == 2
    assert "exists already" in again.err
    assert Network.load(file) == network
    assert shell("new", file, "--features", 4, "--classes", 2, "--force").status == 0
    assert Network.load(file).features == 4


def test_new_reads_sizes_from_data(shell: Shell, files: Path) -> None:
    file = files / "new.toml"
    ran = shell("new", file, "--data", files / "small.npz", "--json")
    assert ran.status == 0
    network = Network.load(file)
    assert (network.features, network.classes, network.density) == (7, 3, 1)
    assert "suits 300 samples of 3 classes" in ran.err
    assert ran.figures["trials"] == []


def test_new_takes_a_table_as_people_have_it(shell: Shell, tmp_path: Path) -> None:
    table = tmp_path / "birds.csv"
    table.write_text("species;wing;tail\n" + "crow;31,5;18,0\ndaw;;13,1\n" * 9, encoding="utf-8-sig")
    refused = shell("new", tmp_path / "n.toml", "--data", table, "--target", "species")
    assert refused.status == 2
    assert "line 3" in refused.err
    ran = shell("new", tmp_path / "n.toml", "--data", table, "--target", "species", "--missing", "median")
    assert ran.status == 0
    assert "birds.csv: wing, tail; class: species (crow, daw)" in ran.err
    assert (Network.load(tmp_path / "n.toml").features, Network.load(tmp_path / "n.toml").classes) == (2, 2)


@pytest.mark.slow
def test_new_tries_densities_when_asked(shell: Shell, files: Path) -> None:
    file = files / "new.toml"
    tried = shell("new", file, "--data", files / "small.npz", "--try", "--json")
    assert tried.status == 0
    edges = [trial["edges"] for trial in tried.figures["trials"]]
    assert edges == sorted(edges, reverse=True)
    assert Network.load(file).edges == edges[-1]  # clusters are easy: the fewest edges do
    assert "of 60 held-out samples right" in file.read_text()


@pytest.mark.slow
def test_train_in_pytorch_then_evaluate_and_predict(shell: Shell, files: Path) -> None:
    model = files / "trained.safetensors"
    trained = shell("train", files / "small.toml", files / "small.npz", "-o", model, "--epochs", 15, "--json")
    assert trained.status == 0
    assert trained.figures["epochs"] == 15
    assert trained.figures["samples"] == 15 * 270
    assert trained.figures["validation_accuracy"] > 0.9

    evaluated = shell("evaluate", model, files / "small.npz", "--device", "emulator", "--json")
    assert evaluated.status == 0
    assert evaluated.figures["samples"] == evaluated.figures["counters"]["evaluated"] == 300
    assert evaluated.figures["accuracy"] == evaluated.figures["correct"] / 300 > 0.9

    predicted = shell("predict", model, files / "small.csv", "--device", "emulator", "--json")
    with np.load(files / "small.npz") as arrays:
        right = int((np.array(predicted.figures["classes"]) == arrays["y"]).sum())
    assert right == evaluated.figures["correct"]

    assert f"{files / 'small.csv'}: 300 samples (their classes are left out)" in predicted.err
    assert predicted.figures["labeled"] is True
    with np.load(files / "small.npz") as arrays:
        np.savez(files / "plain.npz", X=arrays["X"])
        np.savetxt(files / "plain.csv", arrays["X"], delimiter=",")
    for name in ("plain.npz", "plain.csv"):
        plain = shell("predict", model, files / name, "--device", "emulator", "--json")
        assert plain.figures["classes"] == predicted.figures["classes"]
        assert plain.figures["labeled"] is False
        assert f"{files / name}: 300 samples without classes" in plain.err

    lines = shell("predict", model, files / "small.npz", "-d", "emulator", "-o", files / "classes.txt")
    assert (lines.status, lines.out) == (0, "")
    assert [int(line) for line in (files / "classes.txt").read_text().split()] == predicted.figures["classes"]


@pytest.mark.slow
@pytest.mark.parametrize("device", ["torch", "emulator"])
def test_train_with_a_pattern(shell: Shell, files: Path, device: str) -> None:
    model = files / "patterned.safetensors"
    command = (
        "train",
        files / "small.toml",
        files / "small.npz",
        "-d",
        device,
        "--epochs",
        1,
        "--seed",
        4,
        "-o",
        model,
    )
    assert shell(*command, "--pattern", "one seed").status == 0
    wanted = Model.initial(Network.load(files / "small.toml"), pattern="one seed", random_state=4)
    for left, right in zip(Model.load(model).left, wanted.left, strict=True):
        assert left.tolist() == right.tolist()
    refused = shell(*command, "--force", "--pattern", "windows")
    assert refused.status == 2
    assert "network small has no images, of which patterns of kind 'windows' are" in refused.err
    if device == "emulator":
        refused = shell(*command, "--force", "--pattern", "free", "--start", files / "small.safetensors")
        assert "--pattern is for a fresh model" in refused.err


def test_train_on_a_board_and_go_on(shell: Shell, files: Path) -> None:
    model, further = files / "board.safetensors", files / "further.safetensors"
    begin = ("train", files / "small.toml", files / "small.npz", "--device", "emulator", "--lr", 2**-4, "--json")
    first = shell(*begin, "-o", model, "--epochs", 4)
    assert (first.status, first.figures["samples"], first.figures["interrupted"]) == (0, 4 * 270, False)
    second = shell(*begin, "-o", further, "--epochs", 1, "--start", model)
    assert second.figures["samples"] == 270
    assert Model.load(model).differences(Model.load(further))
    assert second.figures["validation_accuracy"] > 0.8


@pytest.mark.parametrize("device", ["torch", "emulator"])
def test_ctrl_c_saves_what_was_trained(shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    """Ctrl-C in the second epoch."""
    show, model = Bar.show, files / "kept.safetensors"

    def interrupting(bar: Bar, done: int, of: int, note: str) -> None:
        show(bar, done, of, note)
        if done >= 270 + 20:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Bar, "show", interrupting)
    data = (files / "small.toml", files / "small.npz")
    command = ("train", *data, "-d", device, "-o", model, "--epochs", 50, "--lr", 2**-5, "--json")
    ran = shell(*command)
    assert ran.status == 0
    assert ran.figures["interrupted"] is True
    assert 1 <= ran.figures["epochs"] <= 2
    assert "what was learned is saved" in ran.err
    untrained = Model.initial(Network.load(files / "small.toml"))
    assert any((a != b).any() for a, b in zip(Model.load(model).weights, untrained.weights, strict=True))


def test_doctor_names_what_is_missing_and_the_mend(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRESPARSE_CACHE", str(tmp_path / "cache"))
    well = shell("doctor", "--json")
    assert well.status == (0 if well.figures["ok"] else 1)
    assert str(tmp_path / "cache") in well.err

    monkeypatch.setattr(shutil, "which", lambda program: None)
    (tmp_path / "file").touch()
    monkeypatch.setenv("PRESPARSE_CACHE", str(tmp_path / "file" / "cache"))
    ill = shell("doctor", "--json")
    assert ill.status == 1
    assert "sudo apt-get install g++" in ill.figures["mend"]
    assert any("PRESPARSE_CACHE" in mend for mend in ill.figures["mend"])
    (tmp_path / "cache").chmod(0o777)
    for folder, problem in (
        (str(tmp_path / "cache"), "other users may write there"),
        ("~nosuchuser/x", "no folder for"),
    ):
        monkeypatch.setenv("PRESPARSE_CACHE", folder)
        [cache] = [f for f in shell("doctor", "--json").figures["findings"] if f["name"] == "cache"]
        assert not cache["ok"]
        assert problem in cache["found"]
    assert "sudo apt-get install g++" in shell("doctor").out


def test_doctor_ticks_what_it_found_alone(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def marks() -> dict[str, str]:
        return {line[2:24].strip(): line[0] for line in shell("doctor").err.splitlines()}

    found = shutil.which
    monkeypatch.setitem(sys.modules, "usb1", Usb1(Bus()))  # type: ignore[arg-type]
    monkeypatch.setattr(shutil, "which", lambda program: "/bin/it" if "openf" in program.lower() else found(program))
    monkeypatch.setenv("PRESPARSE_DATA", str(tmp_path))
    assert (marks()["openFPGALoader"], marks()["MNIST"]) == ("✓", "-")
    for name in MNIST_FILES:
        (tmp_path / name).touch()
    assert marks()["MNIST"] == "✓"
    monkeypatch.delenv("PRESPARSE_DATA")
    monkeypatch.setattr(shutil, "which", lambda program: None)
    assert {name: mark for name, mark in marks().items() if mark != "✓"} == {
        "g++": "✗", "make": "✗", "perl": "✗", "openFPGALoader": "-", "iverilog": "-", "MNIST": "-",
    }  # fmt: skip
    by_name = {each["name"]: each for each in shell("doctor", "--json").figures["findings"]}
    assert (by_name["MNIST"]["ok"], by_name["MNIST"]["needed"]) == (False, False)


def test_doctor_looks_at_usb(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> dict[str, tuple[str, bool]]:
        found = shell("doctor", "--json").figures["findings"]
        return {each["name"]: (each["found"], each["ok"]) for each in found if "USB" in each["purpose"]}

    bus = Bus()
    bus.devices += [Device(), Device(ports=(3,), refuses=fake_usb1.USBErrorAccess)]
    monkeypatch.setitem(sys.modules, "usb1", Usb1(bus))  # type: ignore[arg-type]
    assert told() == {
        "libusb1": ("installed", True),
        "USB 1-3": ("cannot be opened", False),
        "USB 1-4.2": ("ecpix5-85f digits", True),
    }
    assert f"only for boards on USB: {PERMIT}" in shell("doctor").err
    bus.library_error = OSError("no library")
    assert told() == {"libusb1": ("installed", True), "libusb": ("not found", False)}
    assert "sudo apt-get install libusb-1.0-0" in shell("doctor").err
    monkeypatch.setitem(sys.modules, "usb1", None)
    assert told() == {"libusb1": ("not installed", False)}
    assert "pip install 'presparse[usb]'" in shell("doctor").err


@pytest.mark.parametrize(
    ("build", "states", "store"),
    [
        (Build(network=small.NETWORK), [0], ("-", "the build has none")),
        (STORING, [1, 1, 2], ("✓", "ready, read phase 1")),
        (STORING, [3], ("✗", "its memory failed the test")),
    ],
)
def test_doctor_asks_a_board(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, build: Build, states: list[int], store: tuple[str, str]
) -> None:
    board = ProtocolBoard(build)
    board.store_states = states
    monkeypatch.setattr(doctor, "opener", lambda device, network: (lambda: BoardLink(board), build))
    ran = shell("doctor", "-d", "serial:/dev/ttyUSB1", "--json")
    found = {each["name"]: each for each in ran.figures["findings"]}
    assert (found["board"]["ok"], found["board"]["found"]) == (True, f"build {build.hash[:12]}, protocol 3")
    [line] = [line for line in ran.err.splitlines() if line[2:8] == "store "]
    assert (line[0], found["store"]["found"]) == store
    assert any("switch serial:/dev/ttyUSB1 off and on" in mend for mend in ran.figures["mend"]) == (store[0] == "✗")


def test_doctor_asks_an_old_board(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    board = ProtocolBoard(STORING, protocol=2)
    monkeypatch.setattr(doctor, "opener", lambda device, network: (lambda: BoardLink(board), STORING))
    ran = shell("doctor", "-d", "serial:/dev/ttyUSB1", "--json")
    assert ran.status == 1
    [found] = [each for each in ran.figures["findings"] if each["name"] == "board"]
    assert found["found"].startswith("the board speaks protocol 2, and this Presparse 3; build the board again")


def test_ctrl_c_while_a_program_is_still_imported(tmp_path: Path) -> None:
    """numpy, which the command imports, is replaced by a module that is interrupted."""
    (tmp_path / "numpy.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-m", "presparse", "doctor"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "interrupted\n")


def test_ctrl_c_that_ends_a_command_is_one_line(shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accelerator, "predict", lambda board, X: signal.raise_signal(signal.SIGINT))
    ran = shell("predict", files / "small.safetensors", files / "small.csv", "-d", "emulator")
    assert (ran.status, ran.out) == (130, "")
    assert ran.err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in ran.err


def test_progress_is_told_where_no_bar_can_be_drawn(shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_LINE_SECONDS", 0.0)
    model = files / "m.safetensors"
    ran = shell("train", files / "small.toml", files / "small.npz", "-o", model, "--epochs", 2)
    *told, chosen = ran.err.splitlines()
    assert chosen.startswith("lr 0.02 at most, weight decay ")
    assert [line.split(", ")[0] for line in told] == [
        "training in PyTorch: 270 of 540",
        "training in PyTorch: 540 of 540",
    ]
    assert all("% right" in line for line in told)
    assert "trained for 2 epochs" in ran.out
