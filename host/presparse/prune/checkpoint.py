"""Trained networks from files: pruned models, and state dicts of multi-layer perceptrons.

A checkpoint is a state dict, or holds one beside other things (an epoch, an optimizer's state). It says nothing about
what lies between its layers, so it is taken to be Linear, perhaps BatchNorm1d (with the usual eps), activation, Linear
and so on. Nothing of a file is executed.
"""

from __future__ import annotations

import errno
import os
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from presparse.contract.description import shortened
from presparse.errors import ArgumentError, ModelError
from presparse.prune.pruned import PrunedModel
from presparse.prune.pruned_file import read_tensors
from presparse.support import input_files

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}
_LINEAR = {"weight", "bias"}
_BATCH_NORM = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}

_MEND = (
    "give the state dict of Linear and BatchNorm1d layers, one after the other; any other MLP is written by "
    "presparse.prune.compact(model).save(file)"
)
_DAMAGED = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, struct.error, zipfile.BadZipFile, MemoryError),
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError),
)
"""What `torch.load` raises for files that are no state dict, found by damaging some."""
_MOST_NUMBERS = 1 << 30
"""In all tensors; in float64 they take 8 GiB."""
_DEEPEST = 4
"""Mappings in mappings that are searched for a state dict."""
_FIRST = "state_dict", "model_state_dict", "model"
"""Names of a state dict that is taken if there are several, such as averaged weights beside it."""


def load(path: str | Path, *, activation: str = "relu") -> nn.Module:
    """The network in a file, on the CPU, in evaluation mode; a state dict's in float64.

    - `.safetensors` that `PrunedModel.save` wrote: as it was saved; `activation` is not used.
    - Any other `.safetensors`: a state dict. Its layers follow each other as their names do, 2 before 10.
    - `.pt`, `.pth`: a state dict that `torch.save` wrote, alone or in a dict such as `{"state_dict": ..., "epoch": 3}`.
      Its layers follow each other as they do in the file.

    `activation` ('relu' or 'sigmoid') lies between the layers of a state dict, behind the BatchNorm if there is one.

    Raises ModelError for anything else, naming the file and the tensor; ArgumentError for another activation.
    """
    if not isinstance(path, str | os.PathLike):
        raise ModelError(f"{shortened(path)} is no path; give the path of a checkpoint")
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
        return _perceptron(_by_layer(_unwrapped(state)), _ACTIVATIONS[activation])
    except ModelError as error:
        raise ModelError(f"{path}: {error}; {_MEND}") from error


def _natural(key: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", key)]


def _unpickled(path: Path) -> Mapping[object, object]:
    try:
        if zipfile.is_zipfile(input_files.checked(path)):
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > input_files.LARGEST:
                reason = f"unpacks to {unpacked:,} bytes, and at most {input_files.LARGEST:,} are read"
                raise OSError(errno.EFBIG, reason)
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


def _unwrapped(checkpoint: Mapping[object, object]) -> Mapping[object, object]:
    """The state dict that a checkpoint holds, or the checkpoint itself, should it hold none. Raises ModelError for
    several among which none is the model's."""
    found = dict(_state_dicts(checkpoint, "", set()))
    if len(found) < 2:
        return next(iter(found.values()), checkpoint)
    for name in _FIRST:
        if name in found:
            return found[name]
    raise ModelError(f"holds several state dicts ({', '.join(found)}), and one is needed; save that alone")


def _state_dicts(
    mapping: Mapping[object, object], name: str, seen: set[int], depth: int = 0
) -> Iterator[tuple[str, Mapping[object, object]]]:
    """What holds tensors and nothing else, with its name; not in the state of an optimizer."""
    if id(mapping) in seen or depth > _DEEPEST or "param_groups" in mapping:
        return
    seen.add(id(mapping))
    if mapping and all(isinstance(value, Tensor) for value in mapping.values()):
        yield name, mapping
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _state_dicts(value, f"{name}.{key}".removeprefix("."), seen, depth + 1)


Layer = dict[str, Tensor]


def _by_layer(state: Mapping[object, object]) -> dict[str, Layer]:
    """The tensors of every layer, in the order of the state dict. Raises ModelError for what is no real tensor."""
    layers: dict[str, Layer] = {}
    total = 0
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise ModelError(f"{key} is no tensor, but {type(tensor).__name__}")
        name, _, own = key.rpartition(".")
        if own != "num_batches_tracked" and not tensor.is_floating_point():
            raise ModelError(f"{key} must hold real numbers, and has {tensor.dtype}")
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or not tensor.numel():
            raise ModelError(f"{key} must hold a number in every place, and is {_described(tensor)}")
        stored = tensor.untyped_storage().nbytes() // tensor.element_size()
        if tensor.numel() > stored:
            raise ModelError(f"{key} claims {tensor.numel():,} numbers, and the file holds {stored:,} of them")
        total += tensor.numel()
        if total > _MOST_NUMBERS:
            raise ModelError(f"{key} is one too many: at most {_MOST_NUMBERS:,} numbers are read")
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
