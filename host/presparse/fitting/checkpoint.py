"""Checkpoints: how far a long training has come, in one file, so that a crash or a power cut costs minutes of it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save as serialize

from presparse.errors import ModelError, OutputError
from presparse.history import Epoch
from presparse.support import atomic_files, tensor_files
from presparse.support.digests import digest

_LOG = logging.getLogger(__name__)
_VERSION = "1"
SECONDS = 60.0
"""Between two checkpoints."""

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a checkpoint holds."""

    tensors: Tensors
    state: Mapping[str, Any]
    """Numbers and texts, as JSON has them."""
    epochs: list[Epoch]
    """The whole ones that were trained."""
    ended: bool
    """Somebody ended the training, and got what it had learned; otherwise it was cut off."""


class Checkpoint:
    """The file of one training, which goes on from it.

    Parameters
    ----------
    training : all that the result depends on, such as hyper-parameters and digests of samples; a file of another
        training is refused
    """

    def __init__(self, path: str | Path, training: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._training = json.dumps(training, sort_keys=True)
        self._last = time.monotonic()
        atomic_files.check_writable(self.path)

    def due(self) -> bool:
        """Whether it is time for the next."""
        return time.monotonic() - self._last >= SECONDS

    def write(self, tensors: Tensors, state: Mapping[str, Any], epochs: list[Epoch]) -> None:
        """Instead of the last. A disk that cannot take it is logged, and ends no training."""
        self._last = time.monotonic()
        _write(self.path, self._training, tensors, state, epochs, ended=False)

    def read(self) -> Kept | None:
        """What is kept of this training; None if there is no file.

        Raises ModelError for a file that is damaged, something else, or of another training.
        """
        found = _read(self.path)
        if found is None:
            return None
        training, kept = found
        if training != self._training:
            raise ModelError(
                f"{self.path}: is the checkpoint of another training ({_difference(training, self._training)}); "
                "train with the same network, samples and options to go on, or remove the file"
            )
        return kept


def read(path: Path) -> Kept | None:
    """What a checkpoint keeps, of whichever training; None if there is no file.

    Raises ModelError for a file that is damaged or something else.
    """
    found = _read(path)
    return None if found is None else found[1]


def cut_off(path: Path) -> int | None:
    """How many epochs of a training are in the file, if it was cut off; None if it was not, or there is no such file.

    Raises ModelError as `read`.
    """
    kept = read(path)
    return None if kept is None or kept.ended else len(kept.epochs)


def end(path: Path, *, whole: bool) -> None:
    """The training's model is saved. After a `whole` training the file is removed; else the training was ended early
    by somebody, and may still go on.
    """
    if whole:
        path.unlink(missing_ok=True)
    elif (found := _read(path)) is not None:
        training, kept = found
        _write(path, training, kept.tensors, kept.state, kept.epochs, ended=True)


def _read(path: Path) -> tuple[str, Kept] | None:
    if not path.exists():
        return None
    mend = "remove the file, or give another output"
    try:
        metadata, tensors = tensor_files.read(path, "numpy")
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read as a checkpoint ({error}); {mend}") from error
    if metadata.get("presparse_checkpoint") != _VERSION:
        raise ModelError(f"{path}: not a checkpoint that this Presparse reads; {mend}")
    training, described = metadata.get("training", ""), metadata.get("progress", "")
    if metadata.get("digest") != _content(training, described, tensors):
        raise ModelError(f"{path}: altered after it was written (its digest does not match); {mend}")
    progress = json.loads(described)
    epochs = [Epoch(**epoch) for epoch in progress["epochs"]]
    return training, Kept(tensors=tensors, state=progress["state"], epochs=epochs, ended=progress["ended"])


def _write(
    path: Path, training: str, tensors: Tensors, state: Mapping[str, Any], epochs: list[Epoch], *, ended: bool
) -> None:
    described = json.dumps({"state": state, "epochs": [asdict(epoch) for epoch in epochs], "ended": ended})
    metadata = {
        "presparse_checkpoint": _VERSION,
        "training": training,
        "progress": described,
        "digest": _content(training, described, tensors),
    }
    try:
        atomic_files.write(path, serialize(dict(tensors), metadata=metadata))
    except OutputError as error:
        _LOG.warning("no checkpoint: %s", error)


def _content(training: str, described: str, tensors: Tensors) -> str:
    names = sorted(tensors)
    return digest(np.array([training, described, *names]), *(tensors[name] for name in names))


def _difference(kept: str, wanted: str) -> str:
    """The first thing that differs."""
    before, now = json.loads(kept), json.loads(wanted)
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            return f"{key} {before.get(key)!r} there, {now.get(key)!r} here"
    return "nothing differs"
