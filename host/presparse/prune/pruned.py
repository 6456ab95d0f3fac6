"""A pruned model: it takes the original features, and goes to a file without pickle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from presparse.errors import ArgumentError, FeatureError, ModelError
from presparse.prune import pruned_file
from presparse.prune.chain import Chain, Step, of_steps


class PrunedModel(nn.Module):
    """Layers behind a choice of features. `compact` and `slim` make one, `load` reads one.

    Members
    -------
    stem : nn.Sequential
        Layers in front of the choice: those that flatten the input, else none.
    kept_features : (kept,) integers
        The original features that `layers` takes, ascending: input channels of images, else numbers per sample.
    layers : nn.Sequential
    features : int
        Original features.
    original_parameters, original_widths : int, tuple of int
        Of the model before it was pruned; widths are features and the channels of every weighted layer.
    """

    kept_features: Tensor
    stem: nn.Sequential
    layers: nn.Sequential

    def __init__(
        self,
        stem: Iterable[nn.Module],
        kept_features: Tensor,
        layers: Iterable[nn.Module],
        *,
        original_parameters: int,
        original_widths: Sequence[int],
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*stem)
        self.register_buffer("kept_features", kept_features)
        self.layers = nn.Sequential(*layers)
        self.original_parameters = original_parameters
        self.original_widths = tuple(original_widths)
        pruned = self.chain()
        self._images = pruned.images
        _check_before(pruned, self.original_widths, kept_features)

    @classmethod
    def of_chain(
        cls,
        layers: Chain,
        kept_features: Tensor,
        *,
        original_parameters: int,
        original_widths: Sequence[int],
        training: bool,
    ) -> Self:
        """The modules of a chain, each in its own mode."""
        made = cls(
            (step.module for step in layers.stem),
            kept_features,
            (step.module for step in layers.steps),
            original_parameters=original_parameters,
            original_widths=original_widths,
        )
        for module in (made, made.stem, made.layers):
            module.training = training
        return made

    @property
    def features(self) -> int:
        return self.original_widths[0]

    @property
    def widths(self) -> tuple[int, ...]:
        """Kept features, and the channels that every weighted layer has left."""
        return self.chain().widths

    @property
    def remaining_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def summary(self) -> str:
        """Widths and parameters, before and after, in one line."""
        before, after = ("-".join(str(width) for width in widths) for widths in (self.original_widths, self.widths))
        fewer = 1 - self.remaining_parameters / self.original_parameters
        return (
            f"{before} -> {after}, {self.original_parameters:,} -> {self.remaining_parameters:,} parameters "
            f"({fewer:.1%} fewer)"
        )

    def forward(self, x: Tensor) -> Tensor:
        """(k, features), or images (k, features, height, width), as the original model took them.

        Raises FeatureError for another shape.
        """
        given, x = x.shape, self.stem(x)
        if x.ndim != (4 if self._images else 2) or x.shape[1] != self.features:
            wanted = f"(samples, {self.features}{', height, width' if self._images else ''})"
            raise FeatureError(
                f"x must have shape {wanted}{' when flattened' if len(self.stem) else ''}, and has {tuple(given)}; "
                "give the original features, not only the kept ones"
            )
        if len(self.kept_features) < self.features:
            x = x.index_select(1, self.kept_features)
        return self.layers(x)

    def chain(self) -> Chain:
        """The layers as a chain; modules are the model's own."""
        return of_steps(
            [Step(f"stem.{name}", module) for name, module in self.stem.named_children()],
            [Step(f"layers.{name}", module) for name, module in self.layers.named_children()],
        )

    def save(self, path: str | Path) -> None:
        """Write a safetensors file. An existing file stays whole until the new one has replaced it.

        Kept are the layers, all tensors to the bit, and what was pruned; the mode, device and what is trained are not.
        Raises ModelError if the folder or the file cannot be written.
        """
        contents = pruned_file.Contents(
            stem=pruned_file.described(self.stem),
            layers=pruned_file.described(self.layers),
            original_parameters=self.original_parameters,
            original_widths=list(self.original_widths),
        )
        pruned_file.write(Path(path), contents, self.state_dict())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file that `save` wrote: a model on the CPU, in evaluation mode.

        Raises ModelError if it is missing, truncated, altered, not a pruned model, or of another version.
        """
        saved = pruned_file.read(path)
        try:
            return cls(
                saved.stem,
                saved.kept_features,
                saved.layers,
                original_parameters=saved.contents.original_parameters,
                original_widths=saved.contents.original_widths,
            ).eval()
        except ArgumentError as error:
            raise ModelError(f"{path}: {error}") from error

    def extra_repr(self) -> str:
        return self.summary


def _check_before(layers: Chain, original_widths: Sequence[int], kept_features: Tensor) -> None:
    """Raise ArgumentError unless layers and kept features are part of what was there before."""
    if len(original_widths) != len(layers.widths):
        raise ArgumentError(
            f"original_widths needs {len(layers.widths)} numbers, one for the features and one per weighted layer, "
            f"and has {len(original_widths)}"
        )
    if kept_features.dtype != torch.int64 or kept_features.shape != (layers.features,):
        raise ArgumentError(
            f"kept_features must be {layers.features} whole numbers, one per feature that the layers take, and is "
            f"{kept_features.dtype} of shape {tuple(kept_features.shape)}"
        )
    if kept_features[0] < 0 or kept_features[-1] >= original_widths[0] or (kept_features.diff() <= 0).any():
        raise ArgumentError(
            f"kept_features must be ascending numbers 0 to {original_widths[0] - 1}, and is {kept_features.tolist()}"
        )
