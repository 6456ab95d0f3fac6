"""The main job: everything equal and said so; a single different bit is noticed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from presparse.accelerator import Accelerator
from presparse.demo import run as demo
from presparse.model import Model
from tests.cli.command import Shell

pytestmark = pytest.mark.slow


KEYS = {
    "predictions_checked",
    "predictions_equal",
    "weights_checked",
    "weights_equal",
    "train_samples_from",
    "train_samples_on_board",
    "cycles_per_sample",
    "junction_cycle",
    "float_accuracy",
    "quantized_accuracy",
    "board_trained_accuracy",
    "report",
}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little training in PyTorch: what is compared does not depend on it."""
    monkeypatch.setattr(demo, "FLOAT_EPOCHS", 3)
    monkeypatch.setattr(demo, "QUANTISED_EPOCHS", 1)


@pytest.mark.usefixtures("short")
def test_on_the_simulated_board(shell: Shell, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    ran = shell("demo", "--epochs", 2, "--report", report, "--json")
    assert ran.status == 0
    figures = ran.figures
    assert figures.keys() >= KEYS
    assert figures["predictions_equal"] == figures["predictions_checked"] == 450
    assert figures["weights_equal"] == figures["weights_checked"] == 8192 + 512 + 16
    assert figures["differences"] == []
    assert figures["train_samples_on_board"] == 2 * 1347
    assert figures["train_samples_from"] == "store"
    assert figures["junction_cycle"] == 128
    # C, and the little that filling and draining the pipeline costs
    assert 128 <= figures["cycles_per_sample"] <= 128 * 1.01
    assert figures["board_trained_accuracy"] > 0.85
    page = report.read_text()
    assert page.count('src="data:image/png;base64,') == 7
    assert "every single bit is equal" in page
    assert not re.search(r'(src|href)="(?!data:)', page), "the page must not need another file"


@pytest.mark.usefixtures("short")
def test_one_different_weight_fails_the_demo(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, models = Accelerator.read_model, []

    def with_a_flipped_bit(board: Accelerator) -> Model:
        models.append(model := read(board))
        return model if len(models) == 1 else altered(model)

    monkeypatch.setattr(Accelerator, "read_model", with_a_flipped_bit)
    ran = shell("demo", "--device", "emulator", "--epochs", 1, "--report", tmp_path / "report.html", "--json")
    assert ran.status == 1
    assert ran.figures["equal"] is False
    assert ran.figures["weights_equal"] == ran.figures["weights_checked"] - 1
    assert "junction 2, right neuron 3, edge 5" in ran.err
    assert "NOT every bit is equal" in (tmp_path / "report.html").read_text()


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("output", [4, 12], ids=["class", "padding"])
def test_one_different_score_fails_the_demo(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: int
) -> None:
    outputs = Accelerator.raw_outputs

    def with_one_other(board: Accelerator, X: Any) -> np.ndarray:
        found = outputs(board, X)
        found[17, output] ^= 1
        return found

    monkeypatch.setattr(Accelerator, "raw_outputs", with_one_other)
    ran = shell("demo", "--device", "emulator", "--epochs", 1, "--report", tmp_path / "report.html", "--json")
    assert ran.status == 1
    assert ran.figures["predictions_equal"] == 449


def altered(model: Model) -> Model:
    weights = [w.copy() for w in model.weights]
    weights[1][3, 5] ^= 1
    return Model(
        network=model.network,
        left=model.left,
        weights=tuple(weights),
        biases=model.biases,
        inputs=model.inputs,
    )
