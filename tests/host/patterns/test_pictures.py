"""Pictures of patterns and of signals: what is drawn is what there is."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.contract.network import Network
from presparse.data import morse
from presparse.patterns import adjacency as matrix_of
from presparse.patterns import compare
from presparse.report.adjacency import adjacency
from presparse.report.comparison import comparison
from presparse.report.signals import signals
from presparse.report.style import png

NETWORK = Network(
    features=8, classes=4, layers=(8, 8, 4), out_degree=(2, 2), lanes=(4, 4), activations=("relu", "sigmoid")
)


def test_adjacency() -> None:
    patterns = {"even": np.array([[0, 4], [1, 5]]), "block": np.array([[0, 1], [2, 3]])}
    drawn = adjacency(patterns, 8)
    assert [ax.get_title(loc="left") for ax in drawn.axes] == ["even", "block"]
    for left, ax in zip(patterns.values(), drawn.axes, strict=True):
        assert np.array_equal(np.asarray(ax.images[0].get_array()), matrix_of(left, 8))
    assert drawn.axes[0].get_xlabel() == "left neuron\nscatter 1.00 forward, 0.50 back"
    assert png(drawn).startswith(b"\x89PNG")


@pytest.mark.slow
def test_comparison() -> None:
    table = compare(NETWORK, ("one seed", "random"), seeds=range(3))
    for junction, count in ((1, 9), (0, 5)):
        drawn = comparison(table, junction)
        shown = [ax for ax in drawn.axes if ax.axison]
        assert len(shown) == count
        assert [label.get_text() for label in shown[0].get_yticklabels()] == ["one seed", "random"]  # for all its row
        for ax in shown:
            lines = [a for a in table if (a.junction, a.measure) == (junction, ax.get_title(loc="left"))]
            assert np.array_equal(ax.containers[0][0].get_xdata(), [line.mean for line in lines])
        assert png(drawn).startswith(b"\x89PNG")


def test_signals() -> None:
    """Every sample beside its name, top to bottom, then in the next column."""
    X, _ = morse(1)
    drawn = signals(X[:5], list("abcde"), columns=2)
    shown = sorted((ax for ax in drawn.axes if ax.axison), key=lambda ax: (ax.get_position().x0, -ax.get_position().y0))
    assert [ax.get_yticklabels()[0].get_text() for ax in shown] == list("abcde")
    for sample, ax in zip(X[:5], shown, strict=True):
        assert np.array_equal(np.asarray(ax.images[0].get_array()), sample[None])
    assert shown[2].get_position().x0 < shown[3].get_position().x0
    assert png(drawn).startswith(b"\x89PNG")
