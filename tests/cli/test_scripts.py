"""What scripts rely on: exit statuses, errors as objects, pipes that are closed, imports that do not take long."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import presparse.cli
from presparse.accelerator import Accelerator
from presparse.cli import COMMANDS
from presparse.errors import ArgumentError, MissingExtra
from presparse.prune import compact
from presparse.terminal.output import people, put
from presparse.terminal.status import Status
from tests.cli.command import Shell

PREDICT = ("predict", "small.safetensors", "small.csv", "-d", "emulator")
NEW = ("new", "n.toml", "--features", "4", "--classes", "2")
PAGE = Path(__file__).parents[2] / "docs/command-line.md"


@pytest.fixture(autouse=True)
def _here(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)


def test_every_command_is_in_the_list() -> None:
    folder = Path(presparse.cli.__file__).parent
    assert {path.stem for path in folder.glob("*.py") if "\ndef run(" in path.read_text()} == set(COMMANDS)
    for name in COMMANDS:
        assert name == import_module(f"presparse.cli.{name}").NAME


def test_the_page_has_every_status() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for status in Status:
        assert f"| {int(status)} |" in text


def test_what_an_error_says_to_do() -> None:
    for message, mend in (
        ("a.csv: cannot be read (x; y); give a file", "give a file"),
        ("PyTorch is missing: pip install 'presparse[train]'", "pip install 'presparse[train]'"),
        ("lanes must divide 100, and are 24", "lanes must divide 100, and are 24"),
        ("a: b: c", "a: b: c"),
    ):
        assert ArgumentError(message).mend == mend
    assert MissingExtra("x needs y: pip install y").mend == "pip install y"


@pytest.mark.parametrize(
    "command",
    [
        ("train", "--json", "gone.toml", "small.npz"),
        ("train", "gone.toml", "small.npz", "--json"),
        ("train", "--epochs", "none", "--json"),
        ("train", "--no-such-option", "small.toml", "--json"),
        ("no-such-command", "--json"),
        ("--json",),
        ("estimate", "small.toml", "--json"),
        ("boards", "extra", "--json"),
    ],
)
def test_an_error_is_one_object_wherever_json_stands(shell: Shell, command: tuple[str, ...]) -> None:
    ran = shell(*command)
    assert ran.status == 2
    found = json.loads(ran.out)
    assert ran.err == f"error: {found['error']}\n"
    assert found["mend"]
    assert set(found) == {"error", "mend"}


def test_an_interruption_is_one_object_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accelerator, "predict", lambda board, X: signal.raise_signal(signal.SIGINT))
    ran = shell(*PREDICT, "--json")
    assert (ran.status, ran.figures["error"]) == (130, "interrupted")


@pytest.mark.parametrize("command", [("boards",), ("boards", "--json"), ("--help",), ("train", "--help"), ("nope",)])
def test_a_reader_that_has_gone(command: tuple[str, ...]) -> None:
    """The status of programs that SIGPIPE ends, and no word."""
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [sys.executable, "-m", "presparse", *command], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    wanted = (2, True) if command == ("nope",) else (141, False)
    assert (ran.returncode, ran.stderr.startswith("error: No such command")) == wanted
    assert ran.stderr.count("\n") == wanted[1]


@pytest.mark.parametrize("command", ["--help", "--version"])
def test_a_full_disk_behind_stdout(command: str) -> None:
    with open("/dev/full", "w") as full:
        program = [sys.executable, "-m", "presparse", command]
        ran = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 2
    assert "stdout" in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [(), ("train",), ("sim",)])
def test_help_in_a_very_narrow_terminal_is_whole(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(people, "width", 30)  # it may have been made for another terminal
    ran = shell(*command, "--help")
    assert ran.status == 0
    assert "…" not in ran.out
    assert "--help" in ran.out


def test_a_terminal_without_greek() -> None:
    command = [sys.executable, "-m", "presparse", "estimate", "small.toml", "-b", "ulx3s-85f"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert " ?s in the core" in ran.stdout


def test_json_has_no_infinity(capsys: pytest.CaptureFixture[str]) -> None:
    put({"rows": {"a": {"ci95": float("inf"), "n": 1}}, "b": [float("nan"), 0.5]}, as_json=True, text="")
    assert json.loads(capsys.readouterr().out) == {"rows": {"a": {"ci95": None, "n": 1}}, "b": [None, 0.5]}


def parts() -> None:
    with np.load("small.npz") as arrays:
        X, y = arrays["X"], arrays["y"]
    np.savez("parts.npz", **{f"{a}{part}": v for part in ("tr", "va", "te") for a, v in (("x", X), ("y", y))})


def pruned() -> None:
    from torch import nn

    compact(nn.Sequential(nn.Linear(7, 3))).save("linear.safetensors")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ((*NEW, "--hidden", "none", "--activation", "sigmoid"), "--activation is of hidden layers, and there are none"),
        (("bench", "small.toml", "--bundle", "b"), "--bundle b has its own network, and small.toml is given, too"),
        (("sim", "--level", "core", "--board", "ulx3s-85f"), "--board is for the pins, and --level core has none"),
        (("experiment", "--seeds", "3"), "--seeds is for an experiment, and none is named"),
        (("experiment", "--jobs", "1"), "--jobs is for an experiment"),
        (("experiment", "-o", "x"), "--output is for an experiment"),
        (("experiment", "--force"), "--force is for an experiment"),
        (("prune", "linear.safetensors", "parts.npz", "--held-out", "0.1"), "--held-out is for data in one piece"),
        (("prune", "linear.safetensors", "parts.npz", "--activation", "relu"), "--activation is for a state dict"),
        (("predict", *PREDICT[1:], "--record", "tape"), "the emulator has no link"),
        (("evaluate", *PREDICT[1:-1], "replay:x", "--record", "tape"), "--record is for a device that answers anew"),
        (("train", "small.toml", "small.npz", "--start", "small.safetensors"), "--start is for a board"),
        (("train", "small.toml", "small.npz", "--record", "tape"), "--record is for a board"),
        (("train", "small.toml", "small.npz", "-d", "emulator", "--batch-size", "8"), "--batch-size is for torch"),
        (("estimate", "small.toml", "-b", "icebreaker", "--store", "-1"), "--store must be auto, sdram, none, or a"),
    ],
)
def test_options_that_do_not_apply_are_refused(shell: Shell, command: tuple[str, ...], said: str) -> None:
    parts()
    pruned()
    ran = shell(*command)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {said}")
    assert ran.err.count("\n") == 1


def test_standard_input(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    file = shell(*PREDICT, "--json")
    content = Path("small.csv").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    piped = shell("predict", "small.safetensors", "-", "-d", "emulator", "--json")
    assert piped.figures["classes"] == file.figures["classes"]
    assert "standard input: 300 samples (their classes are left out)" in piped.err
    for command in (("evaluate", "small.safetensors", "-", "-d", "emulator"), ("train", "small.toml", "-")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1,2\n")))
        ran = shell(*command)
        assert ran.status == 2
        assert ran.err.startswith("error: standard input: ")
    monkeypatch.setattr(sys, "stdin", None)
    assert shell(*PREDICT[:2], "-").err.startswith("error: standard input: holds no samples")
