"""Bad input: one line on stderr that names the thing and the mend, status 2, and no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from presparse.contract.network import Network
from presparse.model import Model
from tests.cli.command import Shell
from tests.host.small import clusters

TRAIN = ("train", "small.toml", "small.npz", "-d", "emulator", "--epochs", "1", "-o", "out.safetensors")
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
        (with_data(X=np.zeros((20, 6))), TRAIN, "(samples, 7)"),
        (with_data(X=one_value(np.nan)), TRAIN, "sample"),
        (with_data(X=one_value(np.inf)), TRAIN, "must be finite"),
        (with_data(y=np.full(20, 3)), TRAIN, "class numbers 0 to 2"),
        (with_data(y=np.full(20, -1)), TRAIN, "whole numbers from 0"),
        (with_data(y=np.full(20, 0.5)), TRAIN, "whole numbers"),
        (with_data(X=np.zeros((0, 7)), y=np.zeros(0)), TRAIN, "at least one sample"),
        (with_data(X=np.array([["a"] * 7] * 20)), TRAIN, "small.npz"),
        (None, ("train", "small.toml", "gone.npz", *TRAIN[3:]), "gone.npz: cannot be read"),
        (None, ("train", "small.toml", "small.toml", *TRAIN[3:]), "ends in .npz or .csv"),
        (None, (*TRAIN, "--rate", "0.1"), "the nearest is 2**-3"),
        (None, (*TRAIN, "--device", "nowhere"), "no device 'nowhere'"),
        (None, (*TRAIN, "--device", "serial:/dev/not-there"), "/dev/not-there"),
        (None, (*TRAIN, "-o", "no/folder/m.safetensors"), "no folder"),
        (None, (*TRAIN, "-o", "."), "is a folder"),
        (other_model, (*TRAIN, "--start", "other.safetensors"), "digits"),
        (None, (*TRAIN, "--start", "small.safetensors", "-d", "torch"), "--start is a model that a board"),
        (None, ("evaluate", "gone.safetensors", *EVALUATE[2:]), "gone.safetensors: cannot be read"),
        (with_model(lambda whole: whole[:-5]), EVALUATE, "small.safetensors: not a model file, or a truncated one"),
        (with_model(lambda whole: whole[:-5] + b"\1\2\3\4\5"), EVALUATE, "small.safetensors: altered"),
        (with_data(X=np.zeros((20, 64))), EVALUATE, "(samples, 7)"),
        (None, ("new", "n.toml", "--features", "0", "--classes", "2"), "features must be between 1 and 65536"),
        (None, ("new", "n.toml", "--features", "4", "--classes", "2", "--density", "x"), "'x' is none"),
        (None, ("new", "n.toml", "--features", "4", "--classes", "2", "--hidden", "1.5"), "'1.5' is none"),
        (None, ("new", "n.toml", "--features", "4", "--classes", "2", "--output", "relu"), "activations[-1]"),
        (None, ("new", "n.toml", "--features", "4", "--classes", "2", "--output", "tanh"), "relu, sigmoid or identity"),
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
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err
    assert {path.name for path in files.iterdir()} == before


def test_an_earlier_model_survives_a_failed_training(
    shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    assert shell(*TRAIN).status == 0
    kept = Path("out.safetensors").read_bytes()
    assert shell(*TRAIN, "--rate", "3").status == 2
    assert Path("out.safetensors").read_bytes() == kept
