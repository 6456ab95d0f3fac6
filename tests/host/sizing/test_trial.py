"""Which of the networks that were tried is taken."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.errors import DataError
from presparse.sizing.proposal import Sizing, design
from presparse.sizing.trial import Trial, sparsest, thinner, tried


def _trial(density: float, accuracy: float) -> Trial:
    return Trial(sizing=design(64, 4, [64], density=density), accuracy=accuracy, held_out=100)


@pytest.mark.parametrize(
    ("accuracies", "taken"),
    [((0.90, 0.88, 0.70), 1), ((0.90, 0.80, 0.89), 2), ((0.90, 0.70, 0.60), 0), ((1.0, 1.0, 0.97), 1)],
)
def test_the_fewest_edges_within_a_standard_error_of_the_best_are_taken(
    accuracies: tuple[float, ...], taken: int
) -> None:
    trials = [_trial(density, accuracy) for density, accuracy in zip((1.0, 0.5, 0.25), accuracies, strict=True)]
    assert sparsest(trials) is trials[taken]


def test_thinner_networks_keep_their_output() -> None:
    network = design(64, 4, [64], density=(0.5, 0.25)).network
    assert thinner(network) == [[0.25, 0.25], [0.125, 0.25]]


def test_a_trial_needs_samples() -> None:
    sizings: list[Sizing] = [design(4, 2)]
    with pytest.raises(DataError, match="at least 50 samples, and there are 49; choose a density by hand"):
        list(tried(sizings, np.zeros((49, 4)), np.arange(49) % 2))
