"""What a training in PyTorch does where its user left it open, and says of it."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.train.plan import Plan, class_weights, held_out_by


def test_what_is_left_open_is_said() -> None:
    plan = Plan.of(None, 32, "auto", None, None, samples=120)
    assert (plan.epochs, plan.lr, plan.warm_up, plan.patience) == (834, 0.02, 0.05, None)
    assert plan.weight_decay * plan.lr / 2 * 834 * 4 == pytest.approx(3)
    assert plan.chosen == "lr 0.02 at most, weight decay 0.09; 834 epochs, 100,080 samples in all"
    assert Plan.of(2, 32, "auto", None, None, samples=120).weight_decay == 0.1
    assert Plan.of(None, 32, 0.1, None, None, samples=60_000).chosen == "20 epochs, 1,200,000 samples in all"


def test_what_is_given_stays() -> None:
    plan = Plan.of(3, 8, 0.1, 2, "balanced", samples=120)
    described = {"epochs": 3, "batch_size": 8, "lr": 0.1, "warm_up": 0.0, "weight_decay": 0.0}
    described |= {"patience": 2, "balanced": True}
    assert (plan.described(), plan.chosen) == (described, "")


def test_a_tenth_is_held_out_where_patience_needs_it() -> None:
    assert [held_out_by(None, None, 50), held_out_by(0.3, 2, 50), held_out_by(None, 2, 50)] == [None, 0.3, 5]


def test_weights_of_classes_are_scikit_learns() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    y = np.repeat([0, 1, 3], [6, 1, 3])
    weights = class_weights(y, 4)
    assert weights[[0, 1, 3]] == pytest.approx(compute_class_weight("balanced", classes=np.unique(y), y=y))
    assert (weights[2], weights[y].mean()) == (0, pytest.approx(1))
