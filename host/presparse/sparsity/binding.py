"""Which parameters of a model are penalized, and their groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import UninitializedParameter

from presparse.errors import ArgumentError
from presparse.sparsity.groups import Arrangement, Blocks, Edges, Groups
from presparse.train.sparse_linear import SparseLinear

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_FULLY_CONNECTED = (nn.Linear, SparseLinear)
_SCALES = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.PReLU)
"""Layers without edges: penalized only when chosen."""

Chosen = Iterable[str | Tensor]
Masks = Mapping[str, Tensor] | Mapping[Tensor, Tensor] | Mapping[nn.Parameter, Tensor]


def groups_of(
    model: nn.Module,
    *,
    parameters: Chosen | None = None,
    masks: Masks | None = None,
    flattened: Mapping[str, int] | None = None,
    entrywise: bool = False,
) -> tuple[Groups, ...]:
    """The groups of a model's trainable parameters, or of the chosen ones.

    A group is what leaves one left neuron: a column of a `Linear` layer, the edges of a `SparseLinear` layer that start
    at it, all kernels of a convolution that read one input channel (Conv1d to 3d; in a grouped convolution, the kernels
    of its own group). Biases, and chosen vectors of other layers (the scales of BatchNorm), are groups of one.

    parameters
        Names as in `model.named_parameters()`, or the parameters. Without: every trainable weight and bias of
        fully connected, sparse and convolutional layers; not the scales and shifts of normalization.
    masks
        By name or parameter: boolean, in the parameter's shape, true where an entry exists. Others are never
        moved, and do not count in |g|.
    flattened
        By name of a fully connected layer: how many consecutive columns belong to one neuron or channel, such as the
        h * w of a flattened convolution. Inside `Sequential` it is found from the layers before.
    entrywise
        Groups do not matter: chosen parameters of any layer and shape are taken as scalars.

    Raises ArgumentError for what is not in the model or does not fit it, and for layers whose groups are not known.
    """
    names = {parameter: name for name, parameter in model.named_parameters()}
    chosen = None if parameters is None else {_found(model, names, key) for key in parameters}
    mask_of = {_found(model, names, key): mask for key, mask in (masks or {}).items()}
    columns = _columns_per_neuron(model, dict(flattened or {}), chosen)
    found: dict[nn.Parameter, Groups] = {}
    for layer in _layers(model):
        for key, parameter in layer.module.named_parameters(recurse=False):
            wanted = parameter in chosen if chosen is not None else _penalized(layer, parameter)
            if parameter in found or not wanted:
                continue
            if isinstance(parameter, UninitializedParameter):
                raise ArgumentError(f"{names[parameter]} has no shape yet: pass one batch through the model first")
            arrangement = _arrangement(layer.module, key, parameter, columns.get(layer.name, 1))
            if arrangement is None and parameter.ndim > 1 and not entrywise:
                raise ArgumentError(
                    f"no groups are known for {names[parameter]}, a parameter of {type(layer.module).__name__}: "
                    "choose others with parameters=[...], or a penalty without groups"
                )
            mask = mask_of.get(parameter)
            found[parameter] = Groups(
                name=names[parameter],
                parameter=parameter,
                arrangement=arrangement or _scalars(parameter),
                layer=layer.name if arrangement and key == "weight" else None,
                mask=None if mask is None else _checked_mask(names[parameter], parameter, mask),
            )
    if not found:
        raise ArgumentError("there is nothing to penalize: the model has no trainable weights, or none was chosen")
    for parameter in mask_of.keys() - found.keys():
        raise ArgumentError(f"there is a mask for {names[parameter]}, which is not among the penalized parameters")
    return tuple(found.values())


@dataclass(frozen=True, eq=False)
class _Layer:
    name: str
    """As in `model.named_modules()`."""
    module: nn.Module
    chain: nn.Sequential | None
    """The outermost of the Sequentials it is directly in: there, the order of layers is the order of computation."""


def _layers(module: nn.Module, name: str = "", chain: nn.Sequential | None = None) -> Iterator[_Layer]:
    yield _Layer(name, module, chain)
    inner: nn.Sequential | None = None
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        inner = chain or module
    for key, child in module.named_children():
        yield from _layers(child, f"{name}.{key}" if name else key, inner)


def _penalized(layer: _Layer, parameter: nn.Parameter) -> bool:
    """Without a choice: trainable, and of a layer with edges. ArgumentError for a layer that is not known."""
    if isinstance(layer.module, _SCALES) or not parameter.requires_grad:
        return False
    if not isinstance(layer.module, (*_FULLY_CONNECTED, *_CONVOLUTIONS)):
        raise ArgumentError(
            f"no groups are known for {layer.name or 'the model itself'} ({type(layer.module).__name__}): "
            "choose what to penalize with parameters=[...]"
        )
    return True


def _arrangement(module: nn.Module, key: str, parameter: nn.Parameter, columns: int) -> Arrangement | None:
    """How a parameter falls into groups of more than one entry; None if it does not, or it is not known how."""
    if key != "weight":
        return None
    if isinstance(module, SparseLinear):
        return Edges(module.left // columns, module.left_features // columns)
    if isinstance(module, nn.Linear):
        right, left = parameter.shape
        return Blocks(1, right, left // columns, columns)
    if isinstance(module, _CONVOLUTIONS):
        right, left, *kernel = parameter.shape
        return Blocks(module.groups, right // module.groups, left, prod(kernel))
    return None


def _scalars(parameter: nn.Parameter) -> Blocks:
    return Blocks(1, 1, parameter.numel(), 1)


def _columns_per_neuron(model: nn.Module, told: dict[str, int], chosen: set[nn.Parameter] | None) -> dict[str, int]:
    """By layer name: the columns that belong to one left neuron, where these are several."""
    columns: dict[str, int] = {}
    convolution: _Layer | None = None
    flat = False
    for layer in _layers(model):
        module = layer.module
        if isinstance(module, _CONVOLUTIONS):
            convolution, flat = layer, False
        elif isinstance(module, nn.Flatten):
            flat = True
        elif isinstance(module, _FULLY_CONNECTED):
            inputs = module.in_features if isinstance(module, nn.Linear) else module.left_features
            if layer.name in told:
                columns[layer.name] = _checked_columns(layer.name, told.pop(layer.name), inputs)
            elif convolution and (chosen is None or module.weight in chosen):
                columns[layer.name] = _columns_of_channel(layer, inputs, convolution, flat)
            convolution = None
    for name in told:
        raise ArgumentError(f"flattened names {name!r}, which is no fully connected layer of the model")
    return columns


def _columns_of_channel(layer: _Layer, inputs: int, convolution: _Layer, flat: bool) -> int:
    """h * w of a layer that follows a convolution. ArgumentError where the model does not tell."""
    assert isinstance(convolution.module, _CONVOLUTIONS)
    channels, example = convolution.module.out_channels, max(1, inputs // convolution.module.out_channels)
    if inputs == channels:
        return 1
    if layer.chain and layer.chain is convolution.chain:
        if not flat:
            return 1
        if inputs % channels == 0:
            return inputs // channels
    raise ArgumentError(
        f"{layer.name} has {inputs} inputs and comes after {convolution.name}, which has {channels} channels: say how "
        f"many consecutive inputs belong to one channel, such as flattened={{{layer.name!r}: {example}}} "
        "(1 if it does not read the convolution)"
    )


def _checked_columns(name: str, columns: int, inputs: int) -> int:
    if isinstance(columns, bool) or not isinstance(columns, int) or columns < 1 or inputs % columns:
        raise ArgumentError(f"flattened[{name!r}] must divide the layer's {inputs} inputs, and is {columns!r}")
    return columns


def _checked_mask(name: str, parameter: nn.Parameter, mask: Tensor) -> Tensor:
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        kind = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise ArgumentError(f"the mask of {name} must be a boolean tensor, and is {kind}")
    if mask.shape != parameter.shape:
        raise ArgumentError(
            f"the mask of {name} must have its shape {tuple(parameter.shape)}, and is {tuple(mask.shape)}"
        )
    return mask.detach().to(parameter.device, copy=True)


def _found(model: nn.Module, names: Mapping[nn.Parameter, str], key: object) -> nn.Parameter:
    if isinstance(key, str):
        for parameter, name in names.items():
            if name == key:
                return parameter
        raise ArgumentError(f"the model has no parameter {key!r}; it has {', '.join(names.values())}")
    if not isinstance(key, nn.Parameter) or key not in names:
        shape = tuple(key.shape) if isinstance(key, Tensor) else repr(key)
        raise ArgumentError(f"not a parameter of the model: {shape}")
    return key
