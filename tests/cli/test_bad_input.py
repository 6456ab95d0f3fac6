"""Bad input: one line on stderr that names the thing and the mend, status 2, and no traceback."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from presparse.accelerator import Accelerator
from presparse.contract.network import Network
from presparse.errors import LinkClosed
from presparse.fitting.sources import FromLink
from presparse.model import Model
from tests.cli.command import Shell
from tests.host.small import clusters

TRAIN = (
    "train",
    "small.toml",
    "small.npz",
    "-d",
    "emulator",
    "--epochs",
    "1",
    "--lr",
    "0.03125",
    "-o",
    "out.safetensors",
)
EVALUATE = ("evaluate", "small.safetensors", "small.npz", "-d", "emulator")


def with_data(**changed: np.ndarray) -> Callable[[], None]:
    X, y = clusters(0, 20)
    return lambda: np.savez("small.npz", **{"X": X, "y": y, **changed})


def one_value(value: float) -> np.ndarray:
    X, _ = clusters(0, 20)
    X[3, 2] = value
    return X


def with_network(key: str, line: str) -> Callable[[], None]:
    def change() -> None:
        lines = Path("small.toml").read_text().splitlines()
        Path("small.toml").write_text("\n".join(line if old.startswith(f"{key} =") else old for old in lines))

    return change


def with_model(change: Callable[[bytes], bytes]) -> Callable[[], None]:
    def apply() -> None:
        file = Path("small.safetensors")
        file.write_bytes(change(file.read_bytes()))

    return apply


def other_model() -> None:
    Model.initial(Network.load("digits")).save("other.safetensors")


@pytest.mark.parametrize(
    ("prepare", "command", "message"),
    [
        (None, ("train", "nowhere.toml", *TRAIN[2:]), "nowhere.toml: not a readable network file"),
        (with_network("lanes", "lanes = [3, 6]"), TRAIN, "junction 1: lanes must divide the left layer"),
        (with_network("features", "features = 9"), TRAIN, "layers[0] must hold all 9 features"),
        (with_network("out_degree", "out_degree = [5, 2]"), TRAIN, "the nearest valid out_degree is"),
        (with_network("classes", "clases = 3"), TRAIN, "clases"),
        (with_network("layers", "layers = [8,"), TRAIN, "not valid TOML"),
        (with_data(X=np.zeros((20, 6))), TRAIN, "small.npz: X must have shape (samples, 7), and has (20, 6)"),
        (with_data(X=one_value(np.nan)), TRAIN, "small.npz: X must be finite, and sample 3, feature 2 is nan"),
        (with_data(X=one_value(np.inf)), TRAIN, "small.npz: X must be finite, and sample 3, feature 2 is inf"),
        (with_data(y=np.full(20, 3)), TRAIN, "small.npz: y holds 1 different labels (3), and the network has 3"),
        (with_data(y=np.full(20, -1)), EVALUATE, "small.npz: y must hold class numbers 0 to 2, and one label is -1"),
        (with_data(y=np.full(20, 0.5)), TRAIN, "whole numbers"),
        (with_data(X=np.zeros((0, 7)), y=np.zeros(0)), TRAIN, "at least one sample"),
        (with_data(X=np.array([["a"] * 7] * 20)), TRAIN, "small.npz: not an npz file of numbers (X has dtype <U1)"),
        (with_data(X=np.full((20, 7), 1j)), TRAIN, "(X has dtype complex128)"),
        (None, (*TRAIN, "--lr", "nan"), "2**-2 = 0.25 is allowed"),
        *(
            (None, (*TRAIN, "-d", "torch", "--lr", rate), "lr, the learning rate, must be a positive number")
            for rate in ("nan", "inf", "-1", "0")
        ),
        (None, ("train", "small.toml", "gone.npz", *TRAIN[3:]), "gone.npz: cannot be read"),
        (None, ("train", "small.toml", "small.toml", *TRAIN[3:]), "ends in .npz or .csv"),
        (None, (*TRAIN, "--lr", "0.1"), "2**-3 = 0.125 and 2**-4 = 0.0625 are allowed"),
        (None, (*TRAIN, "--device", "nowhere"), "no device 'nowhere'"),
        (None, (*TRAIN, "--device", "serial:/dev/not-there"), "/dev/not-there"),
        (None, (*TRAIN, "-o", "no/folder/m.safetensors"), "no folder"),
        (None, (*TRAIN, "-o", "."), "is a folder"),
        (None, (*TRAIN, "-o", "/proc/m.safetensors"), "the folder /proc cannot be written to"),
        (None, ("predict", *EVALUATE[1:], "-o", "/proc/classes.txt"), "the folder /proc cannot be written to"),
        (None, ("demo", "--device", "emulator", "--report", "/proc/r.html"), "the folder /proc cannot be written to"),
        (
            lambda: Path("d.safetensors").mkdir(),
            ("evaluate", "d.safetensors", *EVALUATE[2:]),
            "d.safetensors: cannot be read (is a folder)",
        ),
        (
            lambda: Path("wide.csv").write_text("1,2,3,4,5,6,7,8,9\n"),
            ("predict", "small.safetensors", "wide.csv", *EVALUATE[3:]),
            "wide.csv: every line needs 7 features, or 8 cells with the class, and has 9",
        ),
        (other_model, (*TRAIN, "--start", "other.safetensors"), "digits"),
        (None, (*TRAIN, "--start", "small.safetensors", "-d", "torch"), "--start is for a board; give --device too"),
        (None, ("evaluate", "gone.safetensors", *EVALUATE[2:]), "gone.safetensors: cannot be read"),
        (with_model(lambda whole: whole[:-5]), EVALUATE, "small.safetensors: not a model file, or a truncated one"),
        (with_model(lambda whole: whole[:-5] + b"\1\2\3\4\5"), EVALUATE, "small.safetensors: altered"),
        (with_data(X=np.zeros((20, 64))), EVALUATE, "(samples, 7)"),
        (None, ("new", "n.toml", "--features", "0", "--classes", "2"), "features must be between 1 and 65536"),
        (None, ("new", "n.toml", "--features", "4", "--classes", "2", "--density", "x"), "'x' is none"),
        (None, ("new", "n.toml", "--features", "4", "--classes", "2", "--hidden", "1.5"), "'1.5' is none"),
        (None, ("new", "n.toml", "--features", "4"), "features and classes of the network are not given"),
        (None, ("new", "n.toml", "--data", "small.npz", "--classes", "3"), "leave --features and --classes out"),
        (None, ("new", "n.toml", "--data", "small.npz", "--try", "--density", "0.1"), "leave --density out"),
        (with_data(y=np.zeros(20, int)), ("new", "n.toml", "--data", "small.npz"), "all samples are of one class, 0"),
        (None, ("new", "no/n.toml", "--features", "4", "--classes", "2"), "no folder"),
        (None, ("demo", "--device", "emulator", "--report", "no/folder.html"), "no folder"),
    ],
)
def test_one_clear_line_and_status_2(
    shell: Shell,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[], None] | None,
    command: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(files)
    if prepare is not None:
        prepare()
    before = {path.name for path in files.iterdir()}
    ran = shell(*command, "--json")
    assert ran.status == 2
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err
    assert (ran.out.count("\n"), ran.figures["error"]) == (1, ran.err.removeprefix("error: ").rstrip("\n"))
    assert ran.figures["mend"] in ran.figures["error"]
    assert {path.name for path in files.iterdir()} == before


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("new", "n.toml", "--features", "4", "--classes", "2", "--output", "relu"), "'relu' is not one of"),
        (("new", "n.toml", "--features", "4", "--classes", "2", "--activation", "tanh"), "'tanh' is not one of"),
        (("train", "small.toml", "small.npz", "--epochs", "0"), "greater than or equal to 1"),
        (("estimate", "digits", "-b", "icebreaker", "--mode", "fly"), "'fly' is not one of 'train', 'infer'"),
        (("sim", "--mode", "dream"), "'dream' is not one of 'train', 'infer'"),
        (("sim", "--simulator", "questa"), "'questa' is not one of 'verilator', 'icarus'"),
        (("sim", "--level", "chip"), "'chip' is not one of"),
        (("train", "small.toml", "small.npz", "--rate", "0.1"), "No such option: --rate"),
    ],
)
def test_options_that_do_not_exist(shell: Shell, tmp_path: Path, command: tuple[str, ...], said: str) -> None:
    ran = shell(*command)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert said in ran.err
    assert ran.err.endswith(f"; `presparse {command[0]} --help` tells what there is\n")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("-d", "emulator", "--batch-size", "8"),
            "--batch-size is for torch: a board learns from one sample",
        ),
        (("-d", "torch", "--bundle", "b"), "--bundle is for a board; give --device too, such as sim"),
        (("-d", "torch", "--validation", "20"), "validation must be (X, y), a share of the samples"),
        (("-d", "torch", "--validation", "1.5"), "and is 1.5"),
        (("-d", "torch", "--validation", "inf"), "and is inf"),
    ],
)
def test_options_that_do_not_apply(
    shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(files)
    with_data(y=np.arange(20) % 3)()
    ran = shell("train", "small.toml", "small.npz", *options)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err


def test_an_earlier_model_survives_a_failed_training(
    shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    assert shell(*TRAIN).status == 0
    kept = Path("out.safetensors").read_bytes()
    assert shell(*TRAIN, "--lr", "3").status == 2
    assert Path("out.safetensors").read_bytes() == kept


def test_a_board_that_is_lost_keeps_what_it_learned_until_then(
    shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third epoch never ends: the model after the second is saved."""
    monkeypatch.chdir(files)
    whole = (
        "train",
        "small.toml",
        "small.npz",
        "-d",
        "emulator",
        "-o",
        "whole.safetensors",
        "--epochs",
        "2",
        "--lr",
        "0.03125",
    )
    assert shell(*whole).status == 0
    train, sent = FromLink.train, 0

    def losing(source: FromLink, *arguments: Any) -> None:
        nonlocal sent
        sent += 1
        if sent == 3:
            raise LinkClosed("tcp:board:1: the connection is gone")
        train(source, *arguments)

    monkeypatch.setattr(FromLink, "train", losing)
    ran = shell(*TRAIN[:5], "--epochs", "9", "--lr", "0.03125", "-o", "out.safetensors", "--json")
    assert (ran.status, ran.figures["error"]) == (2, "tcp:board:1: the connection is gone")
    assert ran.err.splitlines() == [
        "out.safetensors: what emulator had learned in 2 epochs; --resume goes on",
        "error: tcp:board:1: the connection is gone",
    ]
    assert Model.load("out.safetensors").differences(Model.load("whole.safetensors")) == []


def test_a_folder_that_is_gone_when_training_ends(shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    monkeypatch.setattr(tempfile, "tempdir", str(files))
    Path("models").mkdir()
    read = Accelerator.read_model

    def and_remove_the_folder(board: Accelerator) -> Model:
        shutil.rmtree("models", ignore_errors=True)
        return read(board)

    monkeypatch.setattr(Accelerator, "read_model", and_remove_the_folder)
    ran = shell(*TRAIN, "-o", "models/m.safetensors", "--json")
    assert ran.status == 2
    warning, error = ran.err.splitlines()
    assert warning.startswith("warning: no checkpoint: models/m.safetensors.checkpoint: there is no folder models; ")
    assert error.startswith("error: ")
    kept = Path(ran.err.split("The model that was trained is in ")[1].strip())
    assert Model.load(kept).network.name == "small"


@pytest.mark.slow
def test_a_full_stdout(files: Path) -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "presparse", *EVALUATE], cwd=files, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1] == "error: the result cannot be written to stdout (No space left on device)"
