"""`presparse prune`: from a checkpoint and data to a model that a board loads, with what each stage cost."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import presparse
from presparse.contract.network import Network
from presparse.data import load_splits
from presparse.model import Model
from presparse.prune import compact, fine_tune
from presparse.terminal.output import Bar
from tests.cli.command import Shell

OFFSET, GAIN = 50.0, 0.02
SCALED = ("--offset", OFFSET, "--gain", GAIN)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trained(data: str | Path, model: nn.Sequential, *, offset: float, gain: float, epochs: int) -> nn.Sequential:
    """Trained on the part to train on, in evaluation mode."""
    X, y = load_splits(data, validation=0.15, test=0.15).train
    fine_tune(model, (X - offset) * gain, y, epochs=epochs, lr=0.02)
    return model.eval()


def score(model: nn.Sequential, data: str | Path, *, offset: float, gain: float) -> float:
    """Torch's own accuracy on the measured part."""
    X, y = load_splits(data, validation=0.15, test=0.15).test
    return float((model(torch.tensor((X - offset) * gain).float()).argmax(1).numpy() == y).mean())


@pytest.fixture
def mlp(files: Path) -> nn.Sequential:
    """7-12-3 on small.npz, one hidden neuron dead, one feature unused; saved as mlp.pt."""
    torch.manual_seed(0)
    first, last = nn.Linear(7, 12), nn.Linear(12, 3)
    with torch.no_grad():
        first.weight[:, 2] = 0
        last.weight[:, 5] = 0
    model = nn.Sequential(first, nn.ReLU(), last)
    trained(files / "small.npz", model, offset=OFFSET, gain=GAIN, epochs=20)
    torch.save(model.state_dict(), files / "mlp.pt")
    return model


def stages(figures: dict[str, Any]) -> dict[str, tuple[float, int]]:
    return {stage["name"]: (stage["accuracy"], stage["edges"]) for stage in figures["stages"]}


@pytest.mark.slow
def test_digits_from_a_state_dict_to_a_board(shell: Shell, tmp_path: Path) -> None:
    """With BatchNorm. The emulator, told the samples that were measured, counts as many right answers as reported."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, 40), nn.BatchNorm1d(40), nn.ReLU(),
        nn.Linear(40, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 10),
    )  # fmt: skip
    trained("digits", model, offset=8, gain=0.0625, epochs=15)
    torch.save(model.state_dict(), tmp_path / "digits.pt")
    output, network = tmp_path / "pruned.safetensors", tmp_path / "net.toml"
    ran = shell(
        "prune", tmp_path / "digits.pt", "digits", "--edges", 1300, "--offset", 8, "--gain", 0.0625, "--epochs", 8,
        "-o", output, "--network-output", network, "--json",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    figures = ran.figures
    found = stages(figures)
    assert list(found) == ["trained", "compacted", "bank-balanced", "in integers", "refitted"]
    assert found["trained"] == found["compacted"]
    assert found["trained"] == (score(model, "digits", offset=8, gain=0.0625), 64 * 40 + 40 * 20 + 20 * 10)
    assert found["trained"][0] > 0.95
    assert found["bank-balanced"][1] == found["refitted"][1] == figures["network"]["edges"] <= 1300
    assert found["refitted"][0] > 0.92 > found["bank-balanced"][0]
    assert all(0.5 < kept <= 1 for kept in figures["kept_importance"])
    assert len(figures["kept_importance"]) == 3
    assert (figures["epochs"], figures["interrupted"]) == (8, False)

    X, y = load_splits("digits", validation=0.15, test=0.15).test
    np.savez(tmp_path / "measured.npz", X=X, y=y)
    assert figures["samples"]["test"] == len(y)
    evaluated = shell("evaluate", output, tmp_path / "measured.npz", "--device", "emulator", "--json").figures
    assert evaluated["correct"] == round(found["refitted"][0] * len(y))
    assert evaluated["accuracy"] == found["refitted"][0]
    assert Network.load(network) == Model.load(output).network


def test_what_people_read(shell: Shell, files: Path, mlp: nn.Sequential, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figures as the JSON's, a line per stage; the default output is not the default of `train`."""
    monkeypatch.chdir(files)
    command = ("prune", "mlp.pt", "small.npz", *SCALED, "--epochs", 2)
    figures, ran = shell(*command, "--json").figures, shell(*command)
    assert (figures["model"], figures["checkpoint"]) == ("pruned.safetensors", "mlp.pt")
    assert figures["widths"] == [6, 11, 3]
    assert figures["features"] == [0, 1, 3, 4, 5, 6]
    lines = ran.out.splitlines()
    assert lines[0].startswith("pruned.safetensors: 7-12-3 -> 6-11-3, 135 -> 113 parameters")
    for line, (name, (accuracy, edges)) in zip(lines[2:], stages(figures).items(), strict=False):
        assert line.split()[: len(name.split())] == name.split()
        assert f"{accuracy:.2%}" in line
        assert line.split()[-1] == str(edges)
    assert f"importance kept per junction: {', '.join(f'{k:.1%}' for k in figures['kept_importance'])}" in ran.out
    assert f"lanes {', '.join(map(str, figures['network']['lanes']))}" in lines[-1]
    evaluated = shell("evaluate", "pruned.safetensors", "small.npz", "-d", "emulator", "--json")
    assert evaluated.figures["trained_on"] is True
    assert "note: small.npz is what this model was trained on" in evaluated.err
    held_out = shell("evaluate", "pruned.safetensors", "small.npz", "--held-out")
    assert held_out.err.startswith("error: --held-out: `presparse prune` draws its parts by another rule")
    model = Model.load("pruned.safetensors")
    assert model.width == 7
    assert sorted(model.inputs.columns) == figures["features"]


def test_onto_the_network_of_a_bitstream(shell: Shell, files: Path, mlp: nn.Sequential) -> None:
    """All 7 features, though the model uses 6: the bitstream takes 7."""
    output = files / "out.safetensors"
    command = ("prune", files / "mlp.pt", files / "small.npz", *SCALED, "--network", files / "small.toml")
    ran = shell(*command, "--epochs", 8, "-o", output, "--json")
    assert ran.status == 0, ran.err
    assert Model.load(output).network == Network.load(files / "small.toml")
    assert stages(ran.figures)["trained"][0] == score(mlp, files / "small.npz", offset=OFFSET, gain=GAIN) > 0.9
    assert stages(ran.figures)["refitted"][0] > 0.9
    again = files / "again.safetensors"
    assert shell(*command, "--epochs", 8, "-o", again).status == 0
    assert Model.load(again).differences(Model.load(output)) == []


def test_how_inputs_were_scaled_matters(shell: Shell, files: Path, mlp: nn.Sequential) -> None:
    command = ("prune", files / "mlp.pt", files / "small.npz", "--epochs", 1, "-o", files / "out.safetensors", "--json")
    for offset, gain in ((OFFSET, GAIN), (80.0, 0.2)):
        found = stages(shell(*command, "--offset", offset, "--gain", gain).figures)["trained"][0]
        assert found == score(mlp, files / "small.npz", offset=offset, gain=gain)
    assert found < 0.9


def test_slimming_is_tuned_before_the_lanes(shell: Shell, files: Path) -> None:
    """So many leave that the classes are lost, and come back."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    trained(files / "small.npz", model, offset=OFFSET, gain=GAIN, epochs=20)
    torch.save(model.state_dict(), files / "bn.pt")
    command = ("prune", files / "bn.pt", files / "small.npz", *SCALED, "-o", files / "out.safetensors", "--json")
    figures = shell(*command, "--slim", 0.8, "--epochs", 15, "--lr", 0.03).figures
    found = stages(figures)
    assert list(found) == ["trained", "slimmed", "fine-tuned", "bank-balanced", "in integers", "refitted"]
    assert figures["widths"] == [7, 3, 3]
    assert found["trained"][1] == 16 * 10
    assert found["slimmed"][1] == found["fine-tuned"][1] == 3 * 10
    assert found["slimmed"][0] + 0.1 < found["fine-tuned"][0]


def test_sigmoid_and_pruned_models(shell: Shell, files: Path) -> None:
    """A pruned model brings its activation, and takes the original features."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 12), nn.Sigmoid(), nn.Linear(12, 3))
    trained(files / "small.npz", model, offset=OFFSET, gain=GAIN, epochs=20)
    torch.save(model.state_dict(), files / "sigmoid.pt")
    compact(model).save(files / "sigmoid.safetensors")
    found = []
    for checkpoint, options in (("sigmoid.pt", ("--activation", "sigmoid")), ("sigmoid.safetensors", ())):
        output = files / "out.safetensors"
        command = ("prune", files / checkpoint, files / "small.npz", *SCALED, *options, "-o", output, "--epochs", 1)
        found.append(stages(shell(*command, "--json").figures)["trained"])
        assert Model.load(output).network.activations == ("sigmoid", "sigmoid")
    assert found[0] == found[1] == (score(model, files / "small.npz", offset=OFFSET, gain=GAIN), 12 * 10)


def test_what_is_measured_chooses_nothing(shell: Shell, files: Path) -> None:
    """Data that comes in parts keeps them; wrong classes in the measured part change accuracies, not the model."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    trained(files / "small.npz", model, offset=OFFSET, gain=GAIN, epochs=2)
    torch.save(model.state_dict(), files / "bn.pt")
    with np.load(files / "small.npz") as arrays:
        X, y = arrays["X"], arrays["y"]
    cut = {"tr": slice(0, 200), "va": slice(200, 250), "te": slice(250, 297)}
    parts = {f"{a}{part}": values[rows] for part, rows in cut.items() for a, values in (("x", X), ("y", y))}
    found = []
    for wrong in (False, True):
        np.savez(files / "parts.npz", **{**parts, "yte": (parts["yte"] + wrong) % 3})
        command = ("prune", files / "bn.pt", files / "parts.npz", *SCALED, "--slim", 0.7, "--epochs", 8)
        figures = shell(*command, "-o", files / "out.safetensors", "--json").figures
        assert figures["samples"] == {"train": 200, "validation": 50, "test": 47}
        found.append((stages(figures)["refitted"][0], Model.load(files / "out.safetensors")))
    assert found[0][0] > 0.9 > found[1][0]
    assert found[0][1].differences(found[1][1]) == []


def test_ctrl_c_saves_what_was_refitted(
    shell: Shell, files: Path, mlp: nn.Sequential, monkeypatch: pytest.MonkeyPatch
) -> None:
    show, output = Bar.show, files / "kept.safetensors"

    def interrupting(bar: Bar, done: int, of: int, note: str) -> None:
        show(bar, done, of, note)
        if done == 2 * of // 50:  # two of the epochs
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Bar, "show", interrupting)
    ran = shell("prune", files / "mlp.pt", files / "small.npz", *SCALED, "--epochs", 50, "-o", output, "--json")
    assert ran.status == 0
    assert (ran.figures["epochs"], ran.figures["interrupted"]) == (2, True)
    assert "refitting on the lanes stopped after 2 of 50 epochs; what was reached is saved" in ran.err
    assert Model.load(output).network.edges == ran.figures["network"]["edges"]


def conv(files: Path) -> None:
    torch.save(nn.Conv2d(1, 2, 3).state_dict(), files / "conv.pt")


def as_safetensors(files: Path) -> None:
    compact(nn.Sequential(nn.Linear(7, 3))).save(files / "same.safetensors")


@pytest.mark.parametrize(
    ("prepare", "command", "message"),
    [
        (None, ("gone.pt", "small.npz"), "gone.pt: cannot be read"),
        (None, ("small.safetensors", "small.npz"), "small.safetensors: is a board's model already"),
        (conv, ("conv.pt", "small.npz"), "conv.pt: weight must be (right, left) as in a Linear layer"),
        (None, ("mlp.pt", "gone.npz"), "gone.npz: cannot be read"),
        (None, ("mlp.pt", "digits"), "digits: X must have shape (samples, 7), and has"),
        (None, ("mlp.pt", "small.npz", "--held-out", "0"), "must lie between 0 and 1, and is 0"),
        (None, ("mlp.pt", "small.npz", "--gain", "0"), "--gain positive, and are 0.0 and 0.0"),
        (None, ("mlp.pt", "small.npz", "--offset", "nan"), "--offset must be finite"),
        (None, ("mlp.pt", "small.npz", "--network", "mnist-dey"), "give a network"),
        (
            None,
            ("mlp.pt", "small.npz", "--network", "small.toml", "--edges", "50"),
            "leave them out where one is given",
        ),
        (None, ("mlp.pt", "small.npz", "--edges", "2"), "allow as many"),
        (None, ("mlp.pt", "small.npz", "--lanes", "9", "--cycles", "9"), "lanes and cycles cannot both be asked for"),
        (None, ("mlp.pt", "small.npz", "--slim", "0.5"), "slimming goes by BatchNorm scales"),
        (None, ("mlp.pt", "small.npz", "--lr", "nan"), "lr, the learning rate, must be a positive number"),
        (None, ("mlp.pt", "small.npz", "-o", "no/m.safetensors"), "no folder"),
        (None, ("mlp.pt", "small.npz", "--network-output", "no/n.toml"), "no folder"),
        (as_safetensors, ("same.safetensors", "small.npz", "-o", "same.safetensors"), "would change same"),
    ],
)
def test_bad_input_is_one_line(
    shell: Shell,
    files: Path,
    mlp: nn.Sequential,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Path], None] | None,
    command: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(files)
    if prepare is not None:
        prepare(files)
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    ran = shell("prune", *command, "--json")
    assert ran.status == 2
    assert message in ran.figures["error"]
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before


def test_without_pytorch_names_the_extra(shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("presparse.prune")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr(presparse, "prune", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    ran = shell("prune", files / "mlp.pt", "digits", "-o", files / "out.safetensors")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "error: presparse.prune needs PyTorch: pip install 'presparse[train]'\n"
