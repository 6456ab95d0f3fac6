"""Keeps what a board has learned after every whole epoch: the board itself goes on from its own weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from presparse.contract.network import Network
from presparse.features.inputs import Inputs
from presparse.fitting.checkpoint import Checkpoint, Kept, Tensors
from presparse.fitting.rate_schedule import FoundRate
from presparse.history import Epoch
from presparse.model import Model

_LEARNED = ("left", "weights", "biases")
_BEST = "best."
"""Before the names of the tensors of an epoch that is kept, in a checkpoint."""


class Keeper:
    """Of one training: its checkpoint, and the model of the epoch that is kept, if that is not simply the last.

    Parameters
    ----------
    network : the board's
    read, load : the board's model
    checkpoint : None: the training has none
    """

    def __init__(
        self,
        network: Network,
        read: Callable[[], Model],
        load: Callable[[Model], None],
        checkpoint: Checkpoint | None,
    ) -> None:
        self._network, self.read, self.load, self._checkpoint = network, read, load, checkpoint
        self._unwritten: tuple[Tensors, dict[str, Any], list[Epoch]] | None = None
        self._best: Model | None = None
        self._epochs: list[Epoch] = []
        self.found_rate: FoundRate | None = None
        """What the training began with, where the user left it open."""

    def resume(self) -> None:
        """The board gets the model of the checkpoint, if there is one: the training goes on from there."""
        kept = None if self._checkpoint is None else self._checkpoint.read()
        if kept is not None:
            model, self._best = models_of(self._network, kept)
            self.load(model)
            self._epochs = kept.epochs
            found = kept.state["found_rate"]
            self.found_rate = None if found is None else FoundRate(**found)

    @property
    def epochs(self) -> list[Epoch]:
        """Those that were trained before, and are in the checkpoint; a copy."""
        return list(self._epochs)

    def reached(self, epochs: list[Epoch], kept: int | None) -> None:
        """The end of an epoch; `kept` is the number of the one that is kept so far, None: simply the last. The file is
        written when it is due."""
        if self._checkpoint is None and kept != len(epochs):
            return
        model = self.read()
        if kept == len(epochs):
            self._best = model
        if self._checkpoint is not None:
            tensors = model_tensors(model)
            if self._best is not None:
                tensors |= {f"{_BEST}{name}": array for name, array in model_tensors(self._best).items()}
            state = {
                "names": list(model.inputs.names),
                "classes": model.classes_.tolist(),
                "found_rate": None if self.found_rate is None else asdict(self.found_rate),
            }
            self._unwritten = tensors, state, list(epochs)
            if self._checkpoint.due():
                self.end()

    def end(self) -> None:
        """Write what is not written yet."""
        if self._unwritten is not None and self._checkpoint is not None:
            tensors, state, epochs = self._unwritten
            self._checkpoint.write(tensors, state, epochs)
            self._unwritten = None

    def give_back(self) -> None:
        """The board gets the model of the epoch that is kept."""
        if self._best is not None:
            self.load(self._best)


def model_tensors(model: Model) -> dict[str, NDArray[Any]]:
    """What a model has learned, and how features are scaled for it."""
    tensors = model.inputs.tensors()
    for number, arrays in enumerate(zip(model.left, model.weights, model.biases, strict=True)):
        tensors |= {f"{number}.{name}": array for name, array in zip(_LEARNED, arrays, strict=True)}
    return tensors


def models_of(network: Network, kept: Kept) -> tuple[Model, Model | None]:
    """The models of a keeper's checkpoint: after its last epoch; and after the one that is kept, if there is one."""
    best = None
    if any(name.startswith(_BEST) for name in kept.tensors):
        own = {name.removeprefix(_BEST): array for name, array in kept.tensors.items() if name.startswith(_BEST)}
        best = _model(network, own, kept)
    return _model(network, kept.tensors, kept), best


def _model(network: Network, tensors: Tensors, kept: Kept) -> Model:
    numbers = range(len(network.junctions))
    left, weights, biases = (tuple(tensors[f"{number}.{name}"] for number in numbers) for name in _LEARNED)
    return Model(
        network=network,
        left=left,
        weights=weights,
        biases=biases,
        inputs=Inputs.from_tensors(tensors, kept.state["names"]),
        classes_=np.array(kept.state["classes"]),
    )
