"""`presparse evaluate`: figures of each class, and samples that the training knew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from presparse.cli import evaluate
from presparse.model import Model
from tests.cli.command import Ran, Shell

TRAIN = ("train", "small.toml", "small.npz", "-o", "m.safetensors", "--json", "--epochs")


@pytest.fixture(autouse=True)
def _here(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)


def evaluated(shell: Shell, *options: object, model: str = "m.safetensors", samples: str = "small.npz") -> Ran:
    return shell("evaluate", model, samples, "-d", "emulator", *options)


def test_figures_of_each_class_are_those_of_its_samples(shell: Shell) -> None:
    """Against plain counting; a class without samples or answers has no figure."""
    with np.load("small.npz") as arrays:
        X, y = arrays["X"], arrays["y"]
    np.savez("two.npz", X=X[y < 2], y=y[y < 2])
    X, y = X[y < 2], y[y < 2]
    answers = Model.load("small.safetensors").predict(X)
    ran = evaluated(shell, "--json", "--picture", "confusion.png", model="small.safetensors", samples="two.npz")
    figures = ran.figures
    for number, each in enumerate(figures["classes"]):
        there, named = y == number, answers == number
        assert each["samples"] == there.sum()
        assert each["recall"] == (named[there].mean() if there.any() else None)
        assert each["precision"] == (there[named].mean() if named.any() else None)
        assert figures["confusion"][number] == [int((there & (answers == k)).sum()) for k in range(3)]
    assert figures["classes"][2]["recall"] is None
    assert sum(figures["confusion"][k][k] for k in range(3)) == figures["correct"]
    assert Path("confusion.png").read_bytes().startswith(b"\x89PNG")


def test_what_people_read(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = evaluated(shell, "--json", model="small.safetensors").figures
    first, *lines = evaluated(shell, model="small.safetensors").out.splitlines()
    assert first.startswith(f"{figures['accuracy']:.2%} of 300 samples right (")
    assert lines[0].split() == ["class", "samples", "precision", "recall"]
    assert [line.split()[:2] for line in lines[1:4]] == [
        [str(k), f"{c['samples']}"] for k, c in enumerate(figures["classes"])
    ]
    assert lines[4] == "What the samples of each class were taken for:"
    assert [line.split() for line in lines[5:]] == [
        ["class", "0", "1", "2"],
        *([str(k), *map(str, row)] for k, row in enumerate(figures["confusion"])),
    ]
    monkeypatch.setattr(evaluate, "_MOST_SHOWN", 2)
    *_, last = evaluated(shell, model="small.safetensors").out.splitlines()
    assert last == "What the samples of 3 classes were taken for: in --json, or with --picture FILE."


@pytest.mark.parametrize(("validation", "held"), [("0.2", 60), ("50", 50)])
def test_what_the_training_held_out_is_known_again(shell: Shell, validation: str, held: int) -> None:
    """Also from another file with the same samples. The board's accuracy on it is what the training told."""
    trained = shell(*TRAIN, 3, "--validation", validation, "--seed", 7).figures
    assert trained["validation_samples"] == held
    with np.load("small.npz") as arrays:
        np.savez("copy.npz", X=arrays["X"], y=arrays["y"])
        np.savez("other.npz", X=arrays["X"][1:], y=arrays["y"][1:])
    for samples in ("small.npz", "copy.npz"):
        ran = evaluated(shell, "--held-out", "--json", samples=samples)
        assert (ran.figures["samples"], ran.figures["accuracy"]) == (held, trained["validation_accuracy"])
        assert (ran.figures["held_out"], ran.figures["trained_on"], ran.err) == (True, False, "")
        whole = evaluated(shell, "--json", samples=samples)
        assert (whole.figures["samples"], whole.figures["trained_on"]) == (300, True)
        assert whole.err.startswith(f"note: {samples} is what this model was trained on; others, or --held-out, say")
    other = evaluated(shell, "--json", samples="other.npz")
    assert (other.figures["trained_on"], other.err) == (False, "")
    refused = evaluated(shell, "--held-out", samples="other.npz")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith("error: --held-out: other.npz is not what the model was trained on; give that")


@pytest.mark.slow
def test_what_a_board_was_trained_on_is_noted_too(shell: Shell) -> None:
    """And that of the model it went on from is forgotten."""
    assert shell(*TRAIN, 1, "--validation", "0").status == 0
    assert "the training held no samples out" in evaluated(shell, "--held-out").err
    with np.load("small.npz") as arrays:
        np.savez("other.npz", X=arrays["X"][1:], y=arrays["y"][1:])
    command = (
        "train",
        "small.toml",
        "other.npz",
        "-d",
        "emulator",
        "--start",
        "m.safetensors",
        "-o",
        "b.safetensors",
        "--lr",
        "0.03125",
    )
    assert shell(*command, "--epochs", 1).status == 0
    assert evaluated(shell, "--json", model="b.safetensors", samples="other.npz").figures["trained_on"] is True
    assert evaluated(shell, "--json", model="b.safetensors").figures["trained_on"] is False


def test_a_model_that_nobody_noted_samples_of(shell: Shell) -> None:
    """Its file is what it always was."""
    with safe_open("small.safetensors", framework="numpy") as file:
        assert set(file.metadata()) == {"presparse_model", "network", "network_hash", "names", "content_hash"}
    assert evaluated(shell, "--json", model="small.safetensors").figures["trained_on"] is False
    ran = evaluated(shell, "--held-out", model="small.safetensors")
    assert ran.status == 2
    assert ran.err.startswith("error: --held-out: the model file does not say what the model was trained on; train it")
