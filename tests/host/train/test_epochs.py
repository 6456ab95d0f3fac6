"""The training loop: its rates, when it ends early, which epoch it keeps, and how much classes count."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from presparse.train.epochs import rate_at, train_epochs

INPUTS = torch.eye(4)
LABELS = torch.tensor([0, 0, 0, 1])


class Told(nn.Module):
    """Gives the classes that it is told to, one list per evaluation, at a loss that it is told, too."""

    def __init__(self, told: list[tuple[list[int], float]]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("evaluations", torch.tensor(0))
        self.told = told

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = torch.zeros(len(inputs), 2) + 0 * self.weight
        if not self.training:
            self.answers, self.lost = self.told[int(self.evaluations)]
            self.evaluations += 1
            outputs[torch.arange(len(inputs)), torch.tensor(self.answers)] = 1
        return outputs

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return outputs.sum() if self.training else torch.tensor(self.lost)


def trained(told: list[tuple[list[int], float]], **options: object) -> tuple[Told, list[float | None], int | None]:
    network = Told(told)
    history = train_epochs(
        network,
        INPUTS,
        LABELS,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss=network.loss,
        classes=lambda outputs: outputs.argmax(1),
        held_out=(INPUTS, LABELS),
        epochs=len(told),
        batch_size=2,
        seed=0,
        **options,  # pyright: ignore[reportArgumentType]
    )
    return network, [epoch.validation for epoch in history.epochs], history.kept


def test_rates_rise_and_fall() -> None:
    rates = [rate_at(step, steps=10, warm_up=4) for step in range(11)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[4:] == pytest.approx([(1 + np.cos(np.pi * step / 6)) / 2 for step in range(7)])
    assert [rate_at(step, steps=2, warm_up=0) for step in range(3)] == pytest.approx([1.0, 0.5, 0.0])


def test_of_equally_many_right_those_with_the_lowest_loss_are_kept() -> None:
    all_right, one_wrong = [0, 0, 0, 1], [0, 0, 0, 0]
    network, validation, kept = trained([(one_wrong, 0.1), (all_right, 3.0), (all_right, 2.0), (all_right, 2.5)])
    assert validation == [0.75, 1.0, 1.0, 1.0]
    assert (kept, int(network.evaluations)) == (3, 3)


@pytest.mark.parametrize(("patience", "ends", "kept"), [(None, 7, 7), (1, 3, 2), (2, 6, 4), (3, 7, 7)])
def test_patience(patience: int | None, ends: int, kept: int) -> None:
    """Epochs 1, 2, 4 and 7 are gains."""
    right = [[1, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]
    _, validation, found = trained([(answers, 1.0) for answers in right], patience=patience)
    assert (len(validation), found) == (ends, kept)


def test_classes_count_as_much_as_they_weigh() -> None:
    """Three samples of one class count as much as one of the other."""
    told = [([0, 0, 0, 0], 1.0), ([0, 1, 1, 1], 1.0)]
    _, validation, kept = trained(told, weigh=lambda labels: torch.tensor([2 / 3, 2.0])[labels])
    assert validation == pytest.approx([1 / 2, 2 / 3])
    assert kept == 2
    _, validation, kept = trained(told)
    assert (validation, kept) == ([0.75, 0.5], 1)
