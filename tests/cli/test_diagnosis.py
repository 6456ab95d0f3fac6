"""How `presparse train` ends: what was chosen, what was learned, and what to try where nothing was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from presparse.fitting import rate_schedule, rate_search
from presparse.terminal.output import Bar
from tests.cli.command import Shell


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_search, "TRIED", 100)
    monkeypatch.setattr(rate_schedule, "SEEN", 100)


@pytest.mark.slow
def test_a_board_says_what_it_chose_and_what_it_learned(shell: Shell, files: Path) -> None:
    command = ("train", files / "small.toml", files / "small.npz", "-d", "emulator:c", "-o", files / "m.safetensors")
    ran = shell(*command)
    assert ran.status == 0
    assert "lr begins at 2^-" in ran.err
    assert "halved after 30 epochs without a gain, at most 20 epochs" in ran.err
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0].endswith("trained for 20 epochs, 100.0% of 30 held-out samples right")
    assert lines[1].startswith("right, of 270 training samples ")
    assert lines[2].startswith("of the largest class 3")
    assert lines[3] == "features out of range 0 of 7"
    assert lines[4].startswith("dead neurons in layer 1 ")
    assert lines[4].endswith(" of 12")
    assert lines[5].startswith("saturated neurons in layer 1 ")
    figures = shell(*command, "--json", "--force").figures
    assert figures["chosen"] in ran.err
    assert figures["warnings"] == []
    assert (figures["features_out_of_range"], len(figures["dead_neurons"])) == (0, 1)


@pytest.mark.parametrize("device", ["torch", "emulator:c"])
def test_what_was_not_learned_is_said_with_the_mend(shell: Shell, files: Path, device: str) -> None:
    labels = np.random.default_rng(99).integers(3, size=300)
    with np.load(files / "small.npz") as arrays:
        np.savez(files / "senseless.npz", X=arrays["X"], y=labels)
    command = ("train", files / "small.toml", files / "senseless.npz", "-d", device, "-o", files / "m.safetensors")
    given = ("--epochs", 2, "--lr", 2**-8, "--validation", 100)
    ran = shell(*command, *given)
    assert ran.status == 0
    assert "Warning" not in ran.err
    (mend,) = (line for line in ran.out.splitlines() if line.startswith("to mend: "))
    assert " of 100 held-out samples are right, and " in mend
    assert mend.endswith("where classes are unequal, class_weight='balanced'")
    assert shell(*command, *given, "--json", "--force").figures["warnings"] == [mend.removeprefix("to mend: ")]


def test_ctrl_c_while_rates_are_tried_ends_at_once(shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show = Bar.show

    def interrupting(bar: Bar, done: int, of: int, note: str) -> None:
        show(bar, done, of, note)
        if note == "trying lr 0.0625":
            raise KeyboardInterrupt

    monkeypatch.setattr(Bar, "show", interrupting)
    model = files / "m.safetensors"
    ran = shell("train", files / "small.toml", files / "small.npz", "-d", "emulator:c", "-o", model)
    assert (ran.status, ran.err.splitlines()[-1]) == (130, "interrupted")
    assert not model.exists()


def test_options_reach_the_board(shell: Shell, files: Path) -> None:
    command = ("train", files / "small.toml", files / "small.npz", "-d", "emulator:c", "-o", files / "m.safetensors")
    ran = shell(*command, "--lr", 2**-4, "--patience", 2, "--class-weight", "balanced", "--json")
    with np.load(files / "small.npz") as arrays:
        most = np.bincount(arrays["y"]).max()
    assert ran.figures["epochs"] < 20
    assert ran.figures["samples"] % (3 * (most - 10)) < 3 * most
    refused = shell(*command, "--class-weight", "even", "--force")
    assert (refused.status, "class_weight must be None or 'balanced', and is 'even'" in refused.err) == (2, True)
