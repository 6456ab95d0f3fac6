"""A user's own table, from file to predicted names: the class, the order of columns and the units are those of the
file, whatever they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from presparse.model import Model
from tests.cli.command import Ran, Shell
from tests.host.small import clusters

CLASSES = ("Ölweide", "birch", "oak; red")
X, Y = clusters(0, 300)
WIDTHS = [f"w{number}" for number in range(7)]


def written(columns: Sequence[str], *, header: bool = True, rows: int = 300) -> str:
    """A table with semicolons and decimal commas, of widths, the kind, and who found it."""
    text = io.StringIO()
    lines = csv.writer(text, delimiter=";")
    if header:
        lines.writerow(columns)
    for values, label in zip(X[:rows], Y[:rows], strict=True):
        cells = dict(zip(WIDTHS, (f"{value:.4f}".replace(".", ",") for value in values), strict=True))
        lines.writerow([(cells | {"kind": CLASSES[label], "finder": "Ann"})[column] for column in columns])
    return text.getvalue()


@pytest.fixture(autouse=True)
def _here(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    Path("trees.csv").write_text(written(["kind", *WIDTHS]), encoding="utf-8")


@pytest.fixture
def trained(shell: Shell) -> Ran:
    return shell("train", "small.toml", "trees.csv", "--target", "kind", "-o", "m.safetensors", "--epochs", 10)


def predicted(shell: Shell, content: str, *options: object) -> Ran:
    Path("new.csv").write_text(content, encoding="utf-8")
    return shell("predict", "m.safetensors", "new.csv", "-d", "emulator", *options)


def test_from_file_to_predicted_names(shell: Shell, trained: Ran) -> None:
    assert "trees.csv: w0, w1, w2, w3, w4, w5, w6; class: kind (birch, oak; red, Ölweide)" in trained.err
    model = Model.load("m.safetensors")
    assert (model.inputs.names, model.classes_.tolist()) == (tuple(WIDTHS), sorted(CLASSES))
    answers = predicted(shell, written(["kind", *WIDTHS])).out.splitlines()
    assert np.mean([answer == CLASSES[label] for answer, label in zip(answers, Y, strict=True)]) > 0.9

    other = predicted(shell, written([*reversed(WIDTHS), "finder", "kind"]))
    assert other.out.splitlines() == answers
    assert other.err == "new.csv: left out: finder, kind\nnew.csv: 300 samples\n"

    bare = predicted(shell, written(WIDTHS, header=False))
    assert bare.out.splitlines() == answers
    assert bare.err.startswith("note: new.csv does not name its columns; they are taken in the order of training: w0")

    for rows in (1, 300):
        named = predicted(shell, written(["kind", *WIDTHS], header=False, rows=rows), "--target", 1, "--json")
        assert named.figures["classes"] == answers[:rows]

    refused = predicted(shell, written(WIDTHS).replace("w3", "width"))
    assert refused.status == 2
    assert "new.csv: has no column 'w3', which the model takes; it has w0, w1, w2, width, w4" in refused.err


def test_figures_have_the_names_of_classes(shell: Shell, trained: Ran) -> None:
    evaluate = ("evaluate", "m.safetensors", "trees.csv", "-d", "emulator")
    ran = shell(*evaluate, "--json", "--held-out")
    assert ran.figures["samples"] == 30
    assert [each["label"] for each in ran.figures["classes"]] == sorted(CLASSES)
    shown = shell(*evaluate, "--picture", "confusion.png").out.splitlines()
    assert [line[:8].strip() for line in shown[2:5]] == sorted(CLASSES)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["torch", "emulator"])
def test_medians_stand_for_what_is_missing_later_too(shell: Shell, device: str) -> None:
    lines = [line.split(",", 1)[1] for line in Path("small.csv").read_text().splitlines()]
    firsts = ["?" if row % 9 == 0 else str(row) for row in range(300)]
    Path("holes.csv").write_text("\n".join(f"{first},{rest}" for first, rest in zip(firsts, lines, strict=True)))
    train = ("train", "small.toml", "holes.csv", "-d", device, "-o", "m.safetensors", "--epochs", 2)
    refused = shell(*train)
    assert "error: holes.csv: line 1, column 1 holds '?', which is no number; leave the sample out" in refused.err
    assert shell(*train, "--missing", "median").status == 0
    median = float(np.median([float(first) for first in firsts if first != "?"]))
    assert Model.load("m.safetensors").inputs.medians[0] == median
    answers = [predicted(shell, f"{first},{lines[0]}\n") for first in ("?", median)]
    assert answers[0].status == 0
    assert answers[0].out == answers[1].out


@pytest.mark.slow
def test_labels_from_any_number_on_a_board_that_goes_on(shell: Shell) -> None:
    np.savez("far.npz", X=X, y=Y * 100 - 7)
    train = ("train", "small.toml", "far.npz", "-d", "emulator", "--epochs", 1, "-o")
    assert shell(*train, "a.safetensors").status == 0
    assert shell(*train, "b.safetensors", "--start", "a.safetensors").status == 0
    assert Model.load("b.safetensors").classes_.tolist() == [-7, 93, 193]
    answers = shell("predict", "b.safetensors", "far.npz", "-d", "emulator").out.split()
    assert len(answers) == 300
    assert set(answers) <= {"-7", "93", "193"}
    np.savez("four.npz", X=X, y=np.arange(300) % 4)
    ran = shell("train", "small.toml", "four.npz", "-o", "c.safetensors")
    assert "four.npz: y holds 4 different labels (0, 1, 2, 3), and the network has 3 classes" in ran.err


def test_a_class_that_is_held_out_as_a_whole(shell: Shell) -> None:
    y = np.where(np.arange(61) == 60, "rare", np.where(np.arange(61) % 2, "a", "b"))
    np.savez("rare.npz", X=X[:61], y=y)
    ran = shell("train", "small.toml", "rare.npz", "--validation", 60, "--epochs", 1)
    assert "error: --validation: all samples of class " in ran.err
    assert ran.status == 2


def test_a_warning_for_data_on_another_scale(shell: Shell, trained: Ran) -> None:
    np.savez("far.npz", X=X * 1000 + 5)
    ran = shell("predict", "m.safetensors", "far.npz", "-d", "emulator")
    assert "warning: X is on another scale than what the model was trained on: " in ran.err
    assert "warning" not in predicted(shell, written(WIDTHS)).err
