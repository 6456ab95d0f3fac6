"""Keeps what a board has learned after every whole epoch: the board itself goes on from its own weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from presparse.contract.network import Network
from presparse.features.inputs import Inputs
from presparse.fitting.checkpoint import Checkpoint, Kept, Tensors
from presparse.history import Epoch
from presparse.model import Model

_LEARNED = ("left", "weights", "biases")


class Keeper:
    """One training's, and its checkpoint.

    Parameters
    ----------
    read : the board's model
    kept : what the checkpoint had when the training began
    """

    def __init__(self, checkpoint: Checkpoint, read: Callable[[], Model], kept: Kept | None) -> None:
        self._checkpoint, self._read = checkpoint, read
        self._unwritten: tuple[Tensors, dict[str, Any], list[Epoch]] | None = None
        self._epochs = [] if kept is None else kept.epochs

    @property
    def epochs(self) -> list[Epoch]:
        """Those that were trained before, and are in the checkpoint; a copy."""
        return list(self._epochs)

    def reached(self, epochs: list[Epoch]) -> None:
        """The end of an epoch. The file is written when it is due."""
        model = self._read()
        state = {"names": list(model.inputs.names), "classes": model.classes_.tolist()}
        self._unwritten = model_tensors(model), state, list(epochs)
        if self._checkpoint.due():
            self.end()

    def end(self) -> None:
        """Write what is not written yet."""
        if self._unwritten is not None:
            tensors, state, epochs = self._unwritten
            self._checkpoint.write(tensors, state, epochs)
            self._unwritten = None


def model_tensors(model: Model) -> Tensors:
    """What a model has learned, and how features are scaled for it."""
    tensors = model.inputs.tensors()
    for number, arrays in enumerate(zip(model.left, model.weights, model.biases, strict=True)):
        tensors |= {f"{number}.{name}": array for name, array in zip(_LEARNED, arrays, strict=True)}
    return tensors


def model_of(network: Network, kept: Kept) -> Model:
    """The model of a keeper's checkpoint."""
    tensors, numbers = kept.tensors, range(len(network.junctions))
    left, weights, biases = (tuple(tensors[f"{number}.{name}"] for number in numbers) for name in _LEARNED)
    return Model(
        network=network,
        left=left,
        weights=weights,
        biases=biases,
        inputs=Inputs.from_tensors(tensors, kept.state["names"]),
        classes_=np.array(kept.state["classes"]),
    )
