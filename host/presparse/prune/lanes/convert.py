"""From any trained MLP to the integers that a board runs, and what each stage cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from presparse.contract.description import shortened
from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.fitting.holding_out import Validation, is_pair, parted
from presparse.history import Callback
from presparse.model import Model
from presparse.prune.lanes.mlp import mlp
from presparse.prune.lanes.place import check_room, importances, place
from presparse.prune.lanes.scale import rescaled, within_formats
from presparse.prune.lanes.shape import shape
from presparse.train.fit import fit_network
from presparse.train.network import SparseNetwork
from presparse.train.quantized import QuantizedNetwork
from presparse.validation import checked_count, checked_samples, checked_schedule, checked_seed

_CALIBRATION = 2000
"""Samples that say how much every neuron varies."""
_SUSPICIOUS = 0.05
"""Accuracy that a refit on fewer edges does not gain, unless the model had got other features."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A state of the network on its way."""

    name: str
    accuracy: float
    """On the data that was given to measure; 0 to 1."""
    edges: int
    """Weights that are not 0, or the edges of a pattern."""


@dataclass(frozen=True, kw_only=True)
class OnLanes:
    """A model for a board, and what it cost to get there."""

    model: Model
    stages: tuple[Stage, ...]
    kept_importance: tuple[float, ...]
    """Per junction: importance of the kept edges, of that which the best choice of equally many edges per right
    neuron without banks would keep."""
    note: str = ""
    """What the accuracies of the first stages may be wrong about; "" if nothing."""


def to_lanes(
    model: nn.Module,
    X: ArrayLike,
    y: ArrayLike,
    *,
    network: Network | str | Path | None = None,
    edges: int | None = None,
    lanes: int | None = None,
    cycles: int | None = None,
    validation: Validation = None,
    measure: tuple[ArrayLike, ArrayLike] | None = None,
    offset: ArrayLike = 0.0,
    gain: ArrayLike = 1.0,
    epochs: int = 20,
    batch_size: int = 32,
    lr: float = 0.005,
    random_state: int = 0,
    progress: Callback | None = None,
    keep_on_interrupt: bool = False,
) -> OnLanes:
    """Give a trained MLP a clash-free pattern that loses as little as possible, refit it, and round it.

    An edge's importance is |weight| times the standard deviation of its left neuron; the mean of what is cut off goes
    into the bias. Neurons are put into banks so that each right neuron can keep its most important edges
    (`banks.assign`), and the pattern then stays fixed while the weights are refitted quantization-aware.

    Parameters
    ----------
    model : Linear or SparseLinear layers with ReLU or sigmoid, dense, masked or pruned; see `mlp`
    X, y : training samples (k, width) and classes (k,)
    network : where the model goes, such as that of a bitstream, perhaps by name or path; None: one with at most `edges`
        edges (`shape`)
    validation : chooses the epoch of the refit that is kept; (X, y), or a share or number of the samples
    measure : where accuracies of the stages come from; never chooses anything. None: `validation`, or else X and y
    offset, gain : the model was trained with (X - offset) * gain
    epochs, batch_size, lr, random_state, progress, keep_on_interrupt : of the refit, as for `train.fit`

    Raises ArgumentError, NetworkError or FeatureError for a model, network or data that do not suit each other.
    """
    epochs, batch_size, lr = checked_schedule(epochs, batch_size, lr)
    seed = checked_seed(random_state)
    network = None if network is None else Network.given(network)
    if network is not None and not (edges is lanes is cycles is None):
        raise ArgumentError("edges, lanes and cycles choose a network; leave them out where one is given")
    for name, most in (("edges", edges), ("lanes", lanes), ("cycles", cycles)):
        if most is not None:
            checked_count(name, most)
    source = mlp(model, offset=offset, gain=gain)
    checked = partial(checked_samples, features=source.width, classes_=np.arange(source.layers[-1]))
    (values, labels), held = parted(checked(X, y), validation, seed, checked)
    measured = held or (values, labels)
    if measure is not None:
        if not is_pair(measure):
            raise ArgumentError(f"measure must be (X, y), and is {shortened(measure)}")
        measured = checked(*measure)
    stages = [Stage(name="trained", accuracy=source.score(*measured), edges=source.edges)]
    source = rescaled(source, values, len(source.columns) if network is None else network.features)
    sample = values[np.random.default_rng(seed).permutation(len(values))[:_CALIBRATION]]
    onto = network or shape(source, importances(source, sample), edges=edges, lanes=lanes, cycles=cycles)
    check_room(source, onto)
    source = within_formats(source, onto, sample)
    placed = place(source, onto, sample, np.random.default_rng(seed))
    start = placed.network(SparseNetwork)
    stages.append(Stage(name="bank-balanced", accuracy=start.score(*measured), edges=onto.edges))
    refitted = placed.network(QuantizedNetwork)
    stages.append(Stage(name="in integers", accuracy=refitted.score(*measured), edges=onto.edges))
    history = fit_network(
        refitted,
        values,
        labels,
        validation=held,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        random_state=seed,
        progress=progress,
        keep_on_interrupt=keep_on_interrupt,
    )
    stages.append(Stage(name="refitted", accuracy=refitted.score(*measured), edges=onto.edges))
    unscaled = not np.any(offset) and np.all(np.asarray(gain) == 1)
    return OnLanes(
        model=replace(refitted.model(), history=history),
        stages=tuple(stages),
        kept_importance=placed.kept_importance,
        note=_about_units(values) if unscaled and stages[-1].accuracy - stages[0].accuracy > _SUSPICIOUS else "",
    )


def _about_units(values: NDArray[np.float64]) -> str:
    return (
        f"the model was given the features as they are, {values.min():g} to {values.max():g}, and is better after the "
        "refit: if it was trained with scaled features, all but the last stage measure another network; give the "
        "offset and gain of its training"
    )
