"""Trained networks from files: pruned models, and state dicts of multi-layer perceptrons.

A state dict says nothing about what lies between its layers, so it is taken to be Linear, perhaps BatchNorm1d (with the
usual eps), activation, Linear and so on. Nothing of a file is executed.
"""

from __future__ import annotations

import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from presparse.errors import ArgumentError, ModelError
from presparse.prune.pruned import PrunedModel
from presparse.prune.pruned_file import read_tensors

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}
_LINEAR = {"weight", "bias"}
_BATCH_NORM = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}

_MEND = (
    "give the state dict of Linear and BatchNorm1d layers, one after the other; any other MLP is written by "
    "presparse.prune.compact(model).save(file)"
)
_DAMAGED = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, struct.error),
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError),
)
"""What `torch.load` raises for files that are no state dict, found by damaging some."""


def load(path: str | Path, *, activation: str = "relu") -> nn.Module:
    """The network in a file, on the CPU, in evaluation mode; a state dict's in float64.

    - `.safetensors` that `PrunedModel.save` wrote: as it was saved; `activation` is not used.
    - Any other `.safetensors`: a state dict. Its layers follow each other as their names do, 2 before 10.
    - `.pt`, `.pth`: a state dict that `torch.save` wrote. Its layers follow each other as they do in the file.

    `activation` ('relu' or 'sigmoid') lies between the layers of a state dict, behind the BatchNorm if there is one.

    Raises ModelError for anything else, naming the file and the tensor; ArgumentError for another activation.
    """
    path = Path(path)
    if activation not in _ACTIVATIONS:
        raise ArgumentError(f"the activation must be relu or sigmoid, and is {activation!r}")
    if path.suffix == ".safetensors":
        metadata, tensors = read_tensors(path)
        if "presparse_pruned" in metadata:
            return PrunedModel.load(path)
        if "presparse_model" in metadata:
            raise ModelError(f"{path}: is a board's model already; `presparse evaluate` runs it")
        state: Mapping[object, object] = {key: tensors[key] for key in sorted(tensors, key=_natural)}
    elif path.suffix in (".pt", ".pth"):
        state = _unpickled(path)
    else:
        raise ModelError(f"{path}: give a checkpoint that ends in .safetensors, .pt or .pth")
    try:
        return _perceptron(_by_layer(state), _ACTIVATIONS[activation])
    except ModelError as error:
        raise ModelError(f"{path}: {error}; {_MEND}") from error


def _natural(key: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", key)]


def _unpickled(path: Path) -> Mapping[object, object]:
    if path.is_dir():
        raise ModelError(f"{path}: is a folder; give the path of a checkpoint")
    try:
        with warnings.catch_warnings(action="ignore"):  # about formats, before an error says the same
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror or error}); give the path of a checkpoint"
        ) from error
    except _DAMAGED as error:
        raise ModelError(
            f"{path}: holds more than tensors, or is damaged; save the weights alone: "
            "torch.save(model.state_dict(), file)"
        ) from error
    if not isinstance(state, Mapping):
        raise ModelError(f"{path}: holds a {type(state).__name__}; {_MEND}")
    return state


Layer = dict[str, Tensor]


def _by_layer(state: Mapping[object, object]) -> dict[str, Layer]:
    """The tensors of every layer, in the order of the state dict. Raises ModelError for what is no real tensor."""
    layers: dict[str, Layer] = {}
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise ModelError(f"{key} is no tensor, but {type(tensor).__name__}")
        name, _, own = key.rpartition(".")
        if own != "num_batches_tracked" and not tensor.is_floating_point():
            raise ModelError(f"{key} must hold real numbers, and has {tensor.dtype}")
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or not tensor.numel():
            raise ModelError(f"{key} must hold a number in every place, and is {_described(tensor)}")
        if not tensor.double().isfinite().all():
            raise ModelError(f"{key} must be finite, and holds NaN or infinity")
        layers.setdefault(name, {})[own] = tensor.detach().double()
    if not layers:
        raise ModelError("holds no tensors")
    return layers


def _perceptron(layers: Mapping[str, Layer], activation: type[nn.Module]) -> nn.Module:
    made: list[nn.Module] = []
    width: int | None = None
    for name, own in layers.items():
        normalizes = "running_mean" in own
        for key in own:
            if key not in (_BATCH_NORM if normalizes else _LINEAR):
                masked = key.endswith(("_orig", "_mask"))
                mend = ": call torch.nn.utils.prune.remove(layer, 'weight') before saving" if masked else ""
                raise ModelError(f"{_key(name, key)} belongs to no Linear or BatchNorm1d layer{mend}")
        if normalizes:
            if not made or not isinstance(made[-1], nn.Linear):
                raise ModelError(f"{_key(name, 'running_mean')}: BatchNorm must follow a Linear layer")
            made.append(_batch_norm(name, own, made[-1].out_features))
            continue
        layer = _linear(name, own, width)
        width = layer.out_features
        made += [activation(), layer] if made else [layer]
    return nn.Sequential(*made).eval()


def _linear(name: str, own: Layer, width: int | None) -> nn.Linear:
    weight = own.get("weight")
    if weight is None:
        raise ModelError(f"{_key(name, 'weight')} is missing")
    if weight.ndim != 2:
        raise ModelError(f"{_key(name, 'weight')} must be (right, left) as in a Linear layer, and is {_shape(weight)}")
    right, left = weight.shape
    if width not in (None, left):
        raise ModelError(
            f"{_key(name, 'weight')} takes {left} neurons, and the layer before it has {width}; "
            "layers must follow each other"
        )
    _check_shapes(name, own, right, ("bias",))
    with torch.device("meta"):  # sizes only: the numbers are those of the file
        made = nn.Linear(left, right, bias="bias" in own)
    made.load_state_dict(own, assign=True)
    return made


def _batch_norm(name: str, own: Layer, width: int) -> nn.BatchNorm1d:
    affine = "weight" in own or "bias" in own
    needed = ("weight", "bias", "running_mean", "running_var") if affine else ("running_mean", "running_var")
    for key in needed:
        if key not in own:
            raise ModelError(f"{_key(name, key)} is missing")
    _check_shapes(name, own, width, needed)
    if (own["running_var"] < 0).any():
        raise ModelError(f"{_key(name, 'running_var')} must not be negative")
    made = nn.BatchNorm1d(width, affine=affine, dtype=torch.float64)
    made.load_state_dict({key: own[key] for key in needed})
    return made


def _check_shapes(name: str, own: Layer, width: int, keys: tuple[str, ...]) -> None:
    for key in keys:
        if key in own and own[key].shape != (width,):
            raise ModelError(f"{_key(name, key)} must be ({width},), and is {_shape(own[key])}")


def _key(name: str, own: str) -> str:
    return f"{name}.{own}" if name else own


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _described(tensor: Tensor) -> str:
    return f"{tensor.device.type}, {tensor.layout}, of shape {_shape(tensor)}"
