"""A training that was cut off anywhere and goes on ends as one in one go: model and history, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from presparse.errors import ModelError
from presparse.features.inputs import Inputs
from presparse.fitting import checkpoint as checkpoints
from presparse.history import Epoch, History, Progress
from presparse.model import Model
from presparse.train import QuantizedNetwork, epochs, fit
from presparse.train.position import Position, restore, write
from tests.host import small

X, Y = small.clusters(3, 200)
HELD = small.clusters(4, 60)
BATCHES = 7
"""Of 32 samples, in an epoch."""


class PowerCut(BaseException):
    """The process is gone."""


def trained(path: Path | None = None, *, held: bool = True, quantized: bool = True, progress: object = None) -> Model:
    return fit(
        small.NETWORK,
        X,
        Y,
        validation=HELD if held else None,
        epochs=3,
        random_state=5,
        quantized=quantized,
        class_weight="balanced",
        progress=progress,  # pyright: ignore[reportArgumentType]
        checkpoint=path,
    )


def without_seconds(history: History | None) -> list[Epoch]:
    assert history is not None
    return [replace(epoch, seconds=0.0) for epoch in history.epochs]


@pytest.mark.parametrize("step", [1, 3, BATCHES, BATCHES + 1, 2 * BATCHES, 3 * BATCHES - 1])
@pytest.mark.parametrize(("held", "quantized"), [(True, True), (False, True), (True, False)])
def test_a_power_cut_after_any_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, held: bool, quantized: bool
) -> None:
    """In the middle of the step after it. What was kept is of two steps before the cut, as it would be by the clock."""
    path, calls = tmp_path / "checkpoint", 0
    whole = trained(held=held, quantized=quantized)
    backward = torch.Tensor.backward

    def cut(tensor: torch.Tensor) -> None:
        nonlocal calls
        if calls == step:
            raise PowerCut
        calls += 1
        monkeypatch.setattr(checkpoints, "SECONDS", 0.0 if calls == max(1, step - 2) else 60.0)
        backward(tensor)

    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "backward", cut)
        with pytest.raises(PowerCut):
            trained(path, held=held, quantized=quantized)
    resumed = trained(path, held=held, quantized=quantized)
    assert resumed.differences(whole) == []
    assert without_seconds(resumed.history) == without_seconds(whole.history)


@pytest.mark.parametrize("stop_at", [1, 4, BATCHES, BATCHES + 2])
def test_one_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int) -> None:
    monkeypatch.setattr(epochs, "PROGRESS_SECONDS", 0.0)
    path, calls = tmp_path / "checkpoint", 0
    whole = trained()

    def stop(progress: Progress) -> bool:
        nonlocal calls
        calls += 1
        return calls == stop_at

    stopped = trained(path, progress=stop)
    assert stopped.history is not None
    assert stopped.history.stopped
    resumed = trained(path)
    assert resumed.differences(whole) == []
    assert without_seconds(resumed.history) == without_seconds(whole.history)
    again = trained(path)  # nothing is left to train
    assert again.differences(whole) == []


def test_one_that_ran_out_of_patience_has_ended(tmp_path: Path) -> None:
    def ended() -> Model:
        return fit(small.NETWORK, X, Y, validation=HELD, epochs=60, patience=2, checkpoint=tmp_path / "checkpoint")

    model = ended()
    assert model.history is not None
    assert len(model.history.epochs) < 60
    again = ended()
    assert again.differences(model) == []
    assert again.history == model.history


def test_another_training_does_not_go_on(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    trained(path)
    for change, key in (
        ({"epochs": 4}, "epochs 3 there, 4 here"),
        ({"lr": 0.5}, "lr 0.02 there, 0.5 here"),
        ({"lr": 0.02}, "warm_up 0.05 there, 0.0 here"),
        ({"patience": 1}, "patience None there, 1 here"),
        ({"class_weight": None}, "balanced True there, False here"),
        ({"random_state": 6}, "random_state"),
        ({"quantized": False}, "quantized True there, False here"),
        ({"validation": None}, "samples"),
        ({"scale": "none"}, "start"),
    ):
        arguments = {
            "validation": HELD,
            "epochs": 3,
            "random_state": 5,
            "class_weight": "balanced",
            "checkpoint": path,
            **change,
        }
        with pytest.raises(ModelError, match=key):
            fit(small.NETWORK, X, Y, **arguments)  # pyright: ignore[reportArgumentType]


def test_the_users_generator_and_threads_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(1)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    trained(tmp_path / "checkpoint")
    trained(tmp_path / "checkpoint")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_a_checkpoint_of_a_network_with_momentum_only(tmp_path: Path) -> None:
    """Optimizers keep what they like for each parameter: SGD a buffer, after its first step only."""
    network = QuantizedNetwork.initial(small.NETWORK, inputs=Inputs.plain(small.NETWORK.features, gain=0.01))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
    checkpoint = checkpoints.Checkpoint(tmp_path / "checkpoint", {})
    position = Position(order=torch.Generator().manual_seed(3).get_state())
    write(checkpoint, position, network, optimizer, schedule, [])
    kept = checkpoint.read()
    assert kept is not None
    restored = restore(kept, network, optimizer, schedule)
    assert torch.equal(restored.order, position.order)
    assert optimizer.param_groups[0]["momentum"] == 0.9
    assert np.isclose(optimizer.param_groups[0]["lr"], 0.1)
