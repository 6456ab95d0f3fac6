"""Network slimming: channels whose BatchNorm scale is small leave (Liu et al., ICCV 2017)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from presparse.errors import ArgumentError
from presparse.prune.chain import Chain
from presparse.prune.compaction import checked_chain, shrunk
from presparse.prune.layers import BatchNorm, Weighted, silence
from presparse.prune.pruned import PrunedModel

Shift = Literal["fold", "drop"]


def slim(
    model: nn.Module,
    *,
    fraction: float,
    at_least: int = 1,
    shift: Shift = "fold",
    features: int | None = None,
) -> PrunedModel:
    """A narrower model: `fraction` of the channels that have a BatchNorm scale leave, then whatever that makes dead.

    One threshold holds for the whole network: the `fraction` * channels (rounded) smallest |scale| of all BatchNorms
    together go, but every BatchNorm keeps its `at_least` largest, so that no layer is emptied; fewer may go then.
    Counted are BatchNorms between the first and the last weighted layer that have one scale per channel; not those of
    the input or the output, and not those with a scale per column behind `nn.Flatten`.

    A channel that leaves was scale * x + shift. Its scale * x is lost; `shift` says what becomes of the rest:

    - 'fold': the constant f(shift) goes into the next biases. Nothing else changes if the scales are 0 already.
      As if no convolution padded: at the border of one that pads with zeros, outputs change. This holds for every
      other dead channel of the model, too (`compact` is the exact way).
    - 'drop': lost, too, as in the paper.

    The result computes something else than `model`, which is not changed: see `fine_tune`, and `PrunedModel.summary`
    for widths and parameters before and after. Raises UnsupportedModel as `compact` does and for a model without such
    a BatchNorm, ArgumentError for arguments that are not as said.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction < 1:
        raise ArgumentError(
            f"fraction must be at least 0 and below 1, such as 0.5 for half the channels, and is {fraction!r}"
        )
    if isinstance(at_least, bool) or not isinstance(at_least, int) or at_least < 1:
        raise ArgumentError(f"at_least must be a whole number of channels, at least 1, and is {at_least!r}")
    if shift not in get_args(Shift):
        raise ArgumentError(f"shift must be 'fold' or 'drop', and is {shift!r}")
    layers = checked_chain(model, features)
    norms = _norms(layers)
    if not norms:
        raise ArgumentError(
            "slimming goes by BatchNorm scales, and the model has none between two weighted layers; "
            "put nn.BatchNorm1d or 2d there, and train it"
        )
    gone = _smallest([norm.weight.detach().abs().double().cpu() for norm in norms], fraction, at_least)
    _remove(layers, dict(zip(norms, gone, strict=True)), shift)
    return shrunk(model, layers, across_borders=shift == "fold")


def _norms(layers: Chain) -> list[BatchNorm]:
    """BatchNorms with one scale for each channel of a hidden layer."""
    weighted = [index for index, step in enumerate(layers.steps) if isinstance(step.module, Weighted)]
    norms: list[BatchNorm] = []
    for first, after in pairwise(weighted):
        for step in layers.steps[first + 1 : after]:
            if step.spread > 1:
                break
            if isinstance(step.module, BatchNorm) and step.module.weight is not None:
                norms.append(step.module)
    return norms


def _smallest(sizes: list[Tensor], fraction: float, at_least: int) -> list[Tensor]:
    """Masks of the smallest numbers of all tensors (channels,) together, the `at_least` largest of each left out.

    Of equal ones the first go.
    """
    everything = torch.cat(sizes)
    chosen = torch.zeros(len(everything), dtype=torch.bool)
    chosen[everything.argsort(stable=True)[: round(fraction * len(everything))]] = True
    masks = list(chosen.split([len(size) for size in sizes]))
    for mask, size in zip(masks, sizes, strict=True):
        mask[size.argsort(stable=True)[-at_least:]] = False
    return masks


@torch.no_grad()
def _remove(layers: Chain, gone: dict[BatchNorm, Tensor], shift: Shift) -> None:
    """Set the scales of channels that leave to 0, and for 'drop' their outgoing weights."""
    leaving: Tensor | None = None
    for step in layers.steps:
        if isinstance(step.module, BatchNorm) and step.module in gone:
            mask = gone[step.module]
            step.module.weight[mask.to(step.module.weight.device)] = 0
            leaving = mask if leaving is None else leaving | mask
        elif isinstance(step.module, Weighted):
            if leaving is not None and shift == "drop":
                silence(step.module, leaving)
            leaving = None
        elif leaving is not None:
            leaving = leaving.repeat_interleave(step.spread)
