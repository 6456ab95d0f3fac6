"""One layer: `SparseLinear` beside a dense layer whose weights are multiplied with a mask, in time and memory.

One thread, float32. A *pass* is forward without gradients; a *step* forward and backward, to the weights and to the
input. A row for PyTorch's own sparse product is missing: its gradients alone took 1.2 to 15 times a masked step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from presparse.benchmark.errors import BenchmarkError
from presparse.benchmark.pytorch import MaskedLinear
from presparse.benchmark.rounds import Trainer, interleave
from presparse.train.sparse_linear import SparseLinear

SIZES = ((784, 512), (2048, 2048))
"""Left and right neurons."""
DENSITIES = (0.03, 0.1, 0.2, 0.5)
BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one layer takes."""

    pass_seconds: float
    step_seconds: float
    """Medians over the rounds."""
    held_bytes: int
    """Parameters, gradients, Adam's state, and edges or mask."""
    saved_bytes: int
    """What forward keeps for backward besides those and the input."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Both layers with the same edges."""

    left: int
    right: int
    batch: int
    edges: int
    density: float
    sparse: Cost
    masked: Cost
    times_pass: float
    times_step: float
    """How many times as fast as the masked layer the sparse one is: the median over the rounds."""


def measure(*, rounds: int, seconds: float, tell: Callable[[str], None]) -> list[Comparison]:
    """Every size at every density; each layer is timed for `rounds` times `seconds`, passes and steps."""
    found: list[Comparison] = []
    for left, right in SIZES:
        for density in DENSITIES:
            tell(f"a layer {left} -> {right}, {density:.0%} dense")
            found.append(compare(left, right, density, batch=BATCH, rounds=rounds, seconds=seconds))
    return found


def compare(left: int, right: int, density: float, *, batch: int, rounds: int, seconds: float) -> Comparison:
    """One size and density; the edges of every right neuron are drawn at random. One thread is the caller's business.

    Raises BenchmarkError if the two layers give different outputs.
    """
    rng = np.random.default_rng(0)
    in_degree = max(1, round(density * left))
    sparse = SparseLinear(left, np.stack([rng.permutation(left)[:in_degree] for _ in range(right)]))
    with torch.no_grad():
        sparse.weight.copy_(torch.tensor(rng.normal(size=(right, in_degree)) / in_degree**0.5))
    layers: dict[str, nn.Module] = {"sparse": sparse, "masked": MaskedLinear(sparse)}
    x = torch.tensor(rng.random((batch, left)), dtype=torch.float32, requires_grad=True)
    upstream = torch.tensor(rng.normal(size=(batch, right)), dtype=torch.float32)
    if not torch.allclose(layers["sparse"](x), layers["masked"](x), atol=1e-4):
        raise BenchmarkError(f"SparseLinear {left} -> {right} and the masked layer give different outputs")
    passes = {name: _passes(layer, x) for name, layer in layers.items()}
    steps = {name: _steps(layer, x, upstream) for name, layer in layers.items()}
    pass_rates = interleave(passes, rounds=rounds, seconds=seconds, least=1)
    step_rates = interleave(steps, rounds=rounds, seconds=seconds, least=1)
    costs = {
        name: Cost(
            pass_seconds=1 / pass_rates[name].median,
            step_seconds=1 / step_rates[name].median,
            held_bytes=held_bytes(layer, x),
            saved_bytes=saved_bytes(layer, x),
        )
        for name, layer in layers.items()
    }
    return Comparison(
        left=left,
        right=right,
        batch=batch,
        edges=right * in_degree,
        density=sparse.density,
        sparse=costs["sparse"],
        masked=costs["masked"],
        times_pass=pass_rates["sparse"].times(pass_rates["masked"]),
        times_step=step_rates["sparse"].times(step_rates["masked"]),
    )


def _passes(layer: nn.Module, x: Tensor) -> Trainer:
    @torch.no_grad()
    def run(count: int) -> None:
        for _ in range(count):
            layer(x)

    return run


def _steps(layer: nn.Module, x: Tensor, upstream: Tensor) -> Trainer:
    def run(count: int) -> None:
        for _ in range(count):
            layer.zero_grad(set_to_none=True)
            x.grad = None
            layer(x).backward(upstream)

    return run


def held_bytes(layer: nn.Module, x: Tensor) -> int:
    """Counted after a step of Adam, which makes gradients and state. The masked layer needs no list of its edges."""
    optimizer = torch.optim.Adam(layer.parameters())
    optimizer.zero_grad()
    layer(x).sum().backward()
    optimizer.step()
    held = [*layer.parameters(), *(p.grad for p in layer.parameters() if p.grad is not None)]
    held += [moment for state in optimizer.state.values() for moment in state.values()]
    held += [buffer for name, buffer in layer.named_buffers() if name != "left" or not isinstance(layer, MaskedLinear)]
    return sum(tensor.nbytes for tensor in held)


def saved_bytes(layer: nn.Module, x: Tensor) -> int:
    """Memory that autograd keeps between forward and backward; each piece once, and none that the layer holds."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (x, *layer.parameters(), *layer.buffers())}
    saved: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        y = layer(x)  # alive while its memory is counted, so that no address comes twice
    assert y.grad_fn is not None
    return sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
