"""What a training begins with where no model is there to go on from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.arrays import names_of
from presparse.contract.network import Network
from presparse.contract.pattern import Pattern, arranged
from presparse.contract.sample_words import SampleFormat
from presparse.features.convolution import Convolution, width_for
from presparse.features.inputs import Inputs
from presparse.features.scaling import Scaling
from presparse.model import Model
from presparse.support.digests import digest
from presparse.validation import Labels, classes_of


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """A model that is made as soon as the samples to learn from are known: they choose how features are scaled."""

    network: Network
    classes_: Labels
    """(classes,): of all labels."""
    names: tuple[str, ...]
    """Of X's columns, if they have names."""
    scale: Scaling
    pattern: Pattern
    convolution: Convolution | None
    seed: int
    rounded: SampleFormat | None = None
    """How the board packs samples, if features are to be rounded to as many values as that tells apart."""

    @classmethod
    def of(
        cls,
        network: Network,
        X: ArrayLike,
        y: ArrayLike,
        *,
        scale: Scaling,
        pattern: Pattern,
        convolution: Convolution | None,
        seed: int,
        packed: SampleFormat | None = None,
    ) -> Fresh:
        """Of X (k, width), y (k,) before they are parted; for a board that packs samples so, if it does. Raises
        FeatureError for labels that do not suit."""
        narrow = packed is not None and packed.bits < packed.value_bits
        return cls(
            network=network,
            classes_=classes_of(y, network.classes),
            names=names_of(X),
            scale=scale,
            pattern=pattern,
            convolution=convolution,
            seed=seed,
            rounded=packed if narrow else None,
        )

    @property
    def width(self) -> int:
        """Columns of X. Raises ArgumentError for a convolution of another network."""
        return width_for(self.network.features, self.convolution)

    def inputs(self, learned: NDArray[np.float64]) -> Inputs:
        """For the samples to learn from, (k, width). Raises DataError for an unknown `scale`."""
        return Inputs.fit(
            learned,
            self.scale,
            names=self.names,
            convolution=self.convolution,
            palettes=None if self.rounded is None else self.rounded.colors,
            shared_palettes=self.rounded is not None and self.rounded.palettes == "shared",
        )

    def model(self, learned: NDArray[np.float64]) -> Model:
        """For the samples to learn from, (k, width). Raises as `inputs` and `Model.initial`."""
        return Model.initial(
            self.network,
            pattern=self.pattern,
            random_state=self.seed,
            inputs=self.inputs(learned),
            classes_=self.classes_,
        )

    def identity(self) -> dict[str, str]:
        """Tells it, in a checkpoint, from others that begin otherwise with the same samples and seed."""
        left = arranged(self.network, self.pattern, np.random.default_rng(self.seed))
        kernels = {} if self.convolution is None else self.convolution.tensors()
        rounded = {} if self.rounded is None else {"values": f"{self.rounded.colors} {self.rounded.palettes}"}
        return {"scale": str(self.scale), "pattern": digest(*left), "convolution": digest(*kernels.values()), **rounded}
