"""The layers that pruning knows: what each does to channels, and what a file must say to make it again.

A *channel* is what pruning removes whole: a neuron of a `Linear`, a feature map of a `Conv2d`, an input feature.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_weights

from presparse.train.sparse_linear import SparseLinear

Weighted = nn.Linear | SparseLinear | nn.Conv2d
"""Layers that mix channels: every right channel may depend on every left one."""
WEIGHTED: tuple[type[nn.Module], ...] = (nn.Linear, SparseLinear, nn.Conv2d)

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d
BATCH_NORM: tuple[type[nn.Module], ...] = (nn.BatchNorm1d, nn.BatchNorm2d)

_Whole = Annotated[int, Field(ge=0, le=1 << 24)]
_Positive = Annotated[int, Field(ge=1, le=1 << 24)]
_Padding = _Whole | tuple[_Whole, _Whole]
_Pair = _Positive | tuple[_Positive, _Positive]
_Optional = Annotated[int | None, Field(ge=1, le=1 << 24)]
_Output = _Positive | tuple[_Optional, _Optional]
Settings = dict[str, Any]
"""Names of a layer's constructor arguments, which are its attributes, too, with their types in a file."""

DROPOUT: dict[type[nn.Module], Settings] = {
    nn.Dropout: {"p": float},
    nn.Dropout2d: {"p": float},
    nn.AlphaDropout: {"p": float},
}

ACTIVATIONS: dict[type[nn.Module], Settings] = {
    nn.CELU: {"alpha": float},
    nn.ELU: {"alpha": float},
    nn.GELU: {"approximate": Literal["none", "tanh"]},
    nn.Hardshrink: {"lambd": float},
    nn.Hardsigmoid: {},
    nn.Hardswish: {},
    nn.Hardtanh: {"min_val": float, "max_val": float},
    nn.Identity: {},
    nn.LeakyReLU: {"negative_slope": float},
    nn.LogSigmoid: {},
    nn.Mish: {},
    nn.ReLU: {},
    nn.ReLU6: {},
    nn.SELU: {},
    nn.SiLU: {},
    nn.Sigmoid: {},
    nn.Softplus: {"beta": float, "threshold": float},
    nn.Softshrink: {"lambd": float},
    nn.Softsign: {},
    nn.Tanh: {},
    nn.Tanhshrink: {},
    nn.Threshold: {"threshold": float, "value": float},
}
"""Every number on its own."""

POOLS: dict[type[nn.Module], Settings] = {
    nn.MaxPool2d: {"kernel_size": _Pair, "stride": _Pair, "padding": _Padding, "dilation": _Pair, "ceil_mode": bool},
    nn.AvgPool2d: {
        "kernel_size": _Pair,
        "stride": _Pair,
        "padding": _Padding,
        "ceil_mode": bool,
        "count_include_pad": bool,
        "divisor_override": _Optional,
    },
    nn.AdaptiveAvgPool2d: {"output_size": _Output},
    nn.AdaptiveMaxPool2d: {"output_size": _Output},
}
"""Every channel on its own, its pixels together."""

SOFTMAX: dict[type[nn.Module], Settings] = {nn.Softmax: {"dim": int | None}, nn.LogSoftmax: {"dim": int | None}}
"""Mix channels, and so may follow the last weighted layer only."""

KNOWN: dict[type[nn.Module], Settings] = {
    nn.Linear: {},
    SparseLinear: {"left_features": _Positive},
    nn.Conv2d: {
        "stride": _Pair,
        "padding": _Padding | Literal["same", "valid"],
        "dilation": _Pair,
        "padding_mode": Literal["zeros", "reflect", "replicate", "circular"],
    },
    nn.BatchNorm1d: {"eps": float, "momentum": float | None},
    nn.BatchNorm2d: {"eps": float, "momentum": float | None},
    nn.PReLU: {},
    nn.Flatten: {},
    **DROPOUT,
    **ACTIVATIONS,
    **POOLS,
    **SOFTMAX,
}
"""Sizes are not among the settings: they are those of the tensors."""


def left_channels(layer: Weighted) -> int:
    """Channels that a weighted layer takes; for a `Linear` after a `Flatten`, columns."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    return layer.left_features if isinstance(layer, SparseLinear) else layer.in_channels


def right_channels(layer: Weighted) -> int:
    """Channels that a weighted layer makes."""
    return len(layer.weight)


def taken(module: nn.Module) -> int | None:
    """Channels, or columns, that a layer must be given; None if it takes any number."""
    if isinstance(module, Weighted):
        return left_channels(module)
    if isinstance(module, BatchNorm):
        return module.num_features
    if isinstance(module, nn.PReLU) and module.num_parameters > 1:
        return module.num_parameters
    return None


def matrix(layer: Weighted) -> Tensor:
    """Weights (right, left, taps) in float64 on the CPU: taps are a kernel's pixels, 1 for neurons."""
    weight = layer.weight.detach().double().cpu()
    if isinstance(layer, SparseLinear):
        dense = weight.new_zeros(len(weight), layer.left_features)
        weight = dense.scatter(1, layer.left.cpu(), weight)
    return weight.reshape(len(weight), left_channels(layer), -1)


@torch.no_grad()
def silence(layer: Weighted, gone: Tensor) -> None:
    """Set all weights from the chosen left channels (left,) to 0."""
    gone = gone.to(layer.weight.device)
    if isinstance(layer, SparseLinear):
        layer.weight.masked_fill_(gone[layer.left], 0)
    else:
        layer.weight[:, gone] = 0


def pads_with_zeros(layer: Weighted) -> bool:
    """The layer sees zeros around its input: a constant channel is not constant for it."""
    if not isinstance(layer, nn.Conv2d) or layer.padding_mode != "zeros":
        return False
    if isinstance(layer.padding, str):
        return layer.padding == "same" and any(size > 1 for size in layer.kernel_size)
    return any(layer.padding)


@torch.no_grad()
def constant_after(module: nn.Module, constant: Tensor) -> Tensor:
    """What constants (channels,), NaN for channels that vary, become in a layer that takes every channel on its own.

    Float64 on the CPU, as for a network in evaluation mode. A channel is constant if all its pixels are equal.
    """
    if type(module) in DROPOUT:
        return constant
    after = torch.full_like(constant, torch.nan)
    known = constant.isfinite()
    if type(module) in ACTIVATIONS:
        after[known] = module(constant[known])
    elif isinstance(module, nn.PReLU):
        slope = module.weight.detach().double().cpu().expand(len(constant))
        after[known] = torch.where(constant >= 0, constant, slope * constant)[known]
    elif isinstance(module, BatchNorm):
        mean, spread = _statistics(module)
        scale, shift = _affine(module)
        after[known] = ((constant - mean) / spread * scale + shift)[known]
        after[scale == 0] = shift[scale == 0]
    elif type(module) in POOLS:
        after[known] = constant[known]
        if not _pool_keeps_constants(module):
            after[constant != 0] = torch.nan
    return after


def scales(module: nn.Module) -> Tensor | None:
    """(channels,) what a BatchNorm multiplies every channel by, float64 on the CPU; None for other layers."""
    return _affine(module)[0] if isinstance(module, BatchNorm) else None


def fused(weight: Tensor, bias: Tensor, module: BatchNorm) -> tuple[Tensor, Tensor]:
    """Weights (right, left) and biases (right,) of a Linear layer with the BatchNorm behind it, float64 on the CPU."""
    assert module.running_mean is not None
    assert module.running_var is not None
    mean, variance = module.running_mean.double().cpu(), module.running_var.double().cpu()
    both = fuse_linear_bn_weights(weight, bias, mean, variance, module.eps, *_affine(module))
    return both[0].detach(), both[1].detach()


def _affine(module: BatchNorm) -> tuple[Tensor, Tensor]:
    """Scale and shift (channels,), float64 on the CPU."""
    size = module.num_features
    scale = torch.ones(size).double() if module.weight is None else module.weight.detach().double().cpu()
    shift = torch.zeros(size).double() if module.bias is None else module.bias.detach().double().cpu()
    return scale, shift


def _statistics(module: BatchNorm) -> tuple[Tensor, Tensor]:
    """Running mean and standard deviation (channels,), float64 on the CPU."""
    assert module.running_mean is not None
    assert module.running_var is not None
    return module.running_mean.double().cpu(), (module.running_var.double().cpu() + module.eps).sqrt()


def _pool_keeps_constants(module: nn.Module) -> bool:
    """A mean that counts padding, or divides by another number than that of its pixels, has other values at borders."""
    if not isinstance(module, nn.AvgPool2d):
        return True
    padding = module.padding if isinstance(module.padding, tuple) else (module.padding,)
    return module.divisor_override is None and not (any(padding) and module.count_include_pad)
