"""The file of a pruned model: safetensors, with the layers as JSON in its metadata.

Metadata: `presparse_pruned` (the file's version), `layers` (the JSON of `Contents`), `content_hash` (SHA-256 of that
JSON and every tensor). Tensors: `kept_features`, and those of the layers, by their names in `PrunedModel.state_dict()`.
Sizes are those of the tensors, and written nowhere else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from safetensors import SafetensorError
from safetensors.torch import save as serialize
from torch import Tensor, nn

from presparse.contract.description import problems
from presparse.errors import ModelError
from presparse.prune.layers import BATCH_NORM, KNOWN
from presparse.support import atomic_files, tensor_files
from presparse.train.sparse_linear import SparseLinear

FILE_VERSION = "1"
"""Changes whenever an older Presparse would misread a file."""

_AGAIN = "save the model again"


class Layer(BaseModel):
    """A kind of layer, and its arguments that are no sizes."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")
    kind: str
    settings: dict[str, Any] = {}


class Contents(BaseModel):
    """What a file says beside its tensors."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")
    stem: list[Layer]
    layers: list[Layer]
    original_parameters: int = Field(ge=1)
    original_widths: list[Annotated[int, Field(ge=1)]] = Field(min_length=2)


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A file that was read: its layers are made."""

    stem: list[nn.Module]
    layers: list[nn.Module]
    kept_features: Tensor
    contents: Contents


def described(modules: nn.Sequential) -> list[Layer]:
    return [
        Layer(kind=type(module).__name__, settings={key: getattr(module, key) for key in KNOWN[type(module)]})
        for module in modules
    ]


def write(path: Path, contents: Contents, tensors: dict[str, Tensor]) -> None:
    """Write a file whole or not at all. Raises ModelError."""
    own = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    text = contents.model_dump_json()
    metadata = {"presparse_pruned": FILE_VERSION, "layers": text, "content_hash": _content_hash(text, own)}
    atomic_files.write(path, serialize(own, metadata=metadata))


def read(path: str | Path) -> Saved:
    """Read a file that `write` wrote. Raises ModelError, naming the file, what is wrong, and what to do."""
    metadata, tensors = read_tensors(path)
    version = metadata.get("presparse_pruned")
    if version is None:
        raise ModelError(
            f"{path}: not a pruned model; PrunedModel.save writes them, and Model.load reads integer models"
        )
    if version != FILE_VERSION:
        raise ModelError(
            f"{path}: written by a newer Presparse (file version {version}, and this one reads {FILE_VERSION}); "
            "update Presparse"
        )
    text = metadata.get("layers", "")
    if metadata.get("content_hash") != _content_hash(text, tensors):
        raise ModelError(f"{path}: altered after it was saved (its hash does not match); {_AGAIN}")
    try:
        contents = Contents.model_validate_json(text)
    except ValidationError as error:
        raise ModelError(f"{path}: its layers are not valid ({problems(error)}); {_AGAIN}") from error
    try:
        kept_features = _taken(tensors, "kept_features")
        stem = [_made(f"stem.{i}", layer, tensors) for i, layer in enumerate(contents.stem)]
        layers = [_made(f"layers.{i}", layer, tensors) for i, layer in enumerate(contents.layers)]
    except ModelError as error:
        raise ModelError(f"{path}: {error}; {_AGAIN}") from error
    if tensors:
        raise ModelError(f"{path}: holds {', '.join(sorted(tensors))}, which no layer takes; {_AGAIN}")
    return Saved(stem=stem, layers=layers, kept_features=kept_features, contents=contents)


def read_tensors(path: str | Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of any safetensors file. Raises ModelError."""
    try:
        return tensor_files.read(path, "pt")
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror or error}); give the path of a model file"
        ) from error
    except SafetensorError as error:
        raise ModelError(f"{path}: not a model file, or a truncated one ({error}); {_AGAIN}") from error


def _made(name: str, layer: Layer, tensors: dict[str, Tensor]) -> nn.Module:
    """A layer of a file; its tensors are taken out of `tensors`."""
    kind = next((known for known in KNOWN if known.__name__ == layer.kind), None)
    if kind is None:
        raise ModelError(f"{name} is {layer.kind!r}, which this Presparse does not know")
    own = {key.removeprefix(f"{name}."): _taken(tensors, key) for key in list(tensors) if key.startswith(f"{name}.")}
    try:
        settings = _settings(kind, layer.settings)
        _check_numbers(own)
        with torch.device("meta"):  # sizes only: the numbers are those of the file
            module = kind(**settings, **_sizes(kind, own))
        if kind in BATCH_NORM and "bias" not in own:
            module.register_parameter("bias", None)
        module.load_state_dict(own, assign=True)
        if isinstance(module, SparseLinear):
            _check_edges(module)
    except ValidationError as error:
        raise ModelError(f"{name} ({layer.kind}) has settings that are not valid ({problems(error)})") from error
    except (AssertionError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise ModelError(f"{name} ({layer.kind}) cannot be made ({reason})") from error
    return module.eval()


def _taken(tensors: dict[str, Tensor], key: str) -> Tensor:
    if key not in tensors:
        raise ModelError(f"{key} is missing")
    return tensors.pop(key)


def _settings(kind: type[nn.Module], given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a file, checked against the types of `KNOWN`."""
    fields: dict[str, Any] = {key: (wanted, ...) for key, wanted in KNOWN[kind].items()}
    return (
        create_model(kind.__name__, __config__=ConfigDict(extra="forbid"), **fields).model_validate(given).model_dump()
    )


def _sizes(kind: type[nn.Module], own: dict[str, Tensor]) -> dict[str, Any]:
    """The arguments that follow from the tensors. Raises KeyError or IndexError if they are not those of the kind."""
    if kind is nn.Linear:
        return {"in_features": own["weight"].shape[1], "out_features": own["weight"].shape[0], "bias": "bias" in own}
    if kind is nn.Conv2d:
        right, left, *kernel = own["weight"].shape
        return {"in_channels": left, "out_channels": right, "kernel_size": tuple(kernel), "bias": "bias" in own}
    if kind is SparseLinear:
        return {"left": own["left"].numpy()}
    if kind in BATCH_NORM:
        return {"num_features": own["running_mean"].shape[0], "affine": "weight" in own}
    if kind is nn.PReLU:
        return {"num_parameters": own["weight"].shape[0]}
    return {}


def _check_numbers(own: dict[str, Tensor]) -> None:
    """Raise ValueError unless every tensor has entries, of the type that its name stands for."""
    for key, tensor in own.items():
        whole = key in ("left", "num_batches_tracked")
        if tensor.dtype != torch.int64 if whole else not tensor.is_floating_point():
            raise ValueError(f"{key} has dtype {tensor.dtype}")
        if not tensor.numel():
            raise ValueError(f"{key} has shape {tuple(tensor.shape)}")


def _check_edges(layer: SparseLinear) -> None:
    """Raise ValueError for edges to nowhere, or twice to the same neuron."""
    edges = layer.left.sort(dim=1).values
    if edges.min() < 0 or edges.max() >= layer.left_features:
        raise ValueError(f"its edges go to left neurons {edges.min()} to {edges.max()} of {layer.left_features}")
    if (edges[:, 1:] == edges[:, :-1]).any():
        raise ValueError("a right neuron is connected twice to the same left neuron")


def _content_hash(text: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 of the layers' description and every tensor."""
    digest = hashlib.sha256(text.encode())
    for key in sorted(tensors):
        tensor = tensors[key]
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
