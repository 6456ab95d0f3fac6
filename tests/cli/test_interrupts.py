"""Requests to end: whatever was learned is saved, however many come, and a training that was cut off goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from presparse.fitting import checkpoint as checkpoints
from presparse.model import Model
from presparse.support.interrupts import REQUESTS, end_as_by_ctrl_c
from presparse.terminal.output import Bar
from tests.cli.command import Ran, Shell

EPOCHS = 4
PER_EPOCH = 270
"""Samples; 30 of the 300 are held out."""


@pytest.fixture
def program() -> Iterator[None]:
    """Signals are handled as in a process of the command line's own."""
    before = {number: signal.getsignal(number) for number in REQUESTS}
    end_as_by_ctrl_c()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def train(shell: Shell, files: Path, device: str, *options: object, output: str = "model.safetensors") -> Ran:
    data = (files / "small.toml", files / "small.npz")
    return shell(
        "train", *data, "-d", device, "-o", files / output, "--epochs", EPOCHS, "--lr", 2**-5, "--seed", 3, "--json",
        *options,
    )  # fmt: skip


def signals_at(patch: pytest.MonkeyPatch, done: int, *numbers: int) -> None:
    """They come when so many samples are trained, one right after the other."""
    show = Bar.show

    def interrupting(bar: Bar, samples: int, of: int, note: str) -> None:
        show(bar, samples, of, note)
        if samples == done:
            for number in numbers:
                signal.raise_signal(number)

    patch.setattr(Bar, "show", interrupting)


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("device", ["torch", "emulator"])
@pytest.mark.parametrize("numbers", [[number] * count for number in REQUESTS for count in (1, 3)], ids=str)
def test_it_is_saved_and_goes_on(
    shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch, device: str, numbers: list[int]
) -> None:
    whole = train(shell, files, device, output="whole.safetensors")
    assert (whole.status, whole.figures["interrupted"]) == (0, False)
    with monkeypatch.context() as patch:
        signals_at(patch, 2 * PER_EPOCH, *numbers)
        ran = train(shell, files, device)
    assert (ran.status, ran.figures["interrupted"], ran.figures["epochs"]) == (0, True, 2)
    assert "what was learned is saved, and --resume goes on" in ran.err
    saved, wanted = files / "model.safetensors", Model.load(files / "whole.safetensors")
    assert Model.load(saved).differences(wanted) != []
    resumed = train(shell, files, device, "--resume")
    assert (resumed.status, resumed.figures["epochs"]) == (0, EPOCHS)
    assert Model.load(saved).differences(wanted) == []
    assert not list(files.glob("*.checkpoint"))


@pytest.mark.usefixtures("program")
def test_before_there_is_something_to_lose_it_ends_at_once(
    shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "initial", lambda *a, **k: signal.raise_signal(signal.SIGTERM))
    ran = train(shell, files, "emulator")
    assert (ran.status, ran.figures["error"], ran.err.splitlines()[-1]) == (130, "interrupted", "interrupted")
    assert not (files / "model.safetensors").exists()


@pytest.mark.usefixtures("program")
def test_while_held_out_samples_are_scored(shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "score", lambda *a: signal.raise_signal(signal.SIGHUP))
    assert train(shell, files, "torch").status == 130
    Model.load(files / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("device", ["torch", "emulator"])
def test_after_a_crash_it_goes_on_and_nothing_is_begun_anew_unasked(
    shell: Shell, files: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    class Crash(BaseException):
        pass

    show = Bar.show

    def crash(bar: Bar, samples: int, of: int, note: str) -> None:
        show(bar, samples, of, note)
        if samples == 3 * PER_EPOCH:
            raise Crash

    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    train(shell, files, device, output="whole.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr(Bar, "show", crash)
        with pytest.raises(Crash):
            train(shell, files, device)
    checkpoint = files / "model.safetensors.checkpoint"
    before = checkpoint.read_bytes()
    refused = train(shell, files, device)
    assert refused.status == 2
    assert f"{checkpoint}: a training that was cut off after " in refused.err
    assert "go on with --resume, or begin anew with --force" in refused.err
    other = train(shell, files, device, "--lr", 2**-6, "--resume")
    assert (other.status, "of another training" in other.err) == (2, True)
    assert checkpoint.read_bytes() == before
    assert train(shell, files, device, "--force", output="other.safetensors").status == 0
    assert train(shell, files, device, "--resume").status == 0
    assert Model.load(files / "model.safetensors").differences(Model.load(files / "whole.safetensors")) == []
    assert not checkpoint.exists()
    nothing = train(shell, files, device, "--resume")
    assert nothing.status == 2
    assert "there is no checkpoint" in nothing.err


@pytest.mark.parametrize("option", ["--force", "--resume", ""])
def test_a_file_of_somebody_elses_is_no_checkpoint(shell: Shell, files: Path, option: str) -> None:
    stranger = files / "model.safetensors.checkpoint"
    stranger.write_text("ten years of work")
    ran = train(shell, files, "torch", *filter(None, [option]))
    assert ran.status == 2
    assert "remove the file, or give another output" in ran.err
    assert stranger.read_text() == "ten years of work"


def test_names_of_any_length(shell: Shell, files: Path) -> None:
    for length in (200, 247, 255):
        name = "m" * (length - 12) + ".safetensors"
        ran = train(shell, files, "torch", output=name)
        assert ran.status == 0, ran.err
        Model.load(files / name)
    ran = train(shell, files, "torch", output="m" * 256)
    assert ran.status == 2
    assert "the name is too long" in ran.err


@pytest.mark.slow
@pytest.mark.parametrize("stderr", ["/dev/full", "closed", "a pipe that nobody reads"])
def test_progress_that_cannot_be_shown_ends_nothing(files: Path, stderr: str) -> None:
    command = f"{sys.executable} -m presparse train small.toml small.npz --epochs 2 --json"
    reader, writer = os.pipe()
    os.close(reader)
    redirected = {"/dev/full": "2>/dev/full", "closed": "2>&-", "a pipe that nobody reads": f"2>&{writer}"}[stderr]
    ran = subprocess.run(
        ["bash", "-c", f"{command} {redirected}"], cwd=files, pass_fds=[writer], stdout=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert ran.returncode == 0
    assert b'"epochs": 2' in ran.stdout
    Model.load(files / "model.safetensors")


@pytest.mark.slow
def test_a_process_that_is_asked_to_end_saves(files: Path) -> None:
    """Really from outside, twice, as a terminal does that is closed."""
    command = [sys.executable, "-m", "presparse", "train", "small.toml", "small.npz", "--epochs", "100000"]
    with subprocess.Popen(command, cwd=files, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr is not None
            assert any("samples/s" in line for line in iter(running.stderr.readline, ""))
            running.send_signal(signal.SIGHUP)
            running.send_signal(signal.SIGHUP)
            out, err = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 0, err
    assert "what was learned is saved" in err
    assert "trained for" in out
    Model.load(files / "model.safetensors")
