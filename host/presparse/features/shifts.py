"""Images that are moved by a few pixels, otherwise in every epoch: a network learns what they show, not where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from presparse.contract.images import Size
from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.features.convolution import Convolution
from presparse.validation import checked_number

_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """Up and down, left and right by 0 to `most` pixels, each as likely as another; a border that comes into the image
    repeats the one that was there."""

    image: Size
    """Rows, columns and channels. In a sample rows lie one after the other, and the channels of a pixel together."""
    most: int
    seed: int

    @classmethod
    def of(cls, shift: int, seed: int, network: Network, width: int, convolution: Convolution | None) -> Shifts | None:
        """For samples (k, width) of a network, or before a convolution; None for a shift of 0. Raises ArgumentError if
        they are no images, or for a shift that leaves nothing of them."""
        if shift == 0 and not isinstance(shift, bool):
            return None
        if convolution is not None:
            image = convolution.image
        elif network.image and network.features == width:
            image = network.image[0].size
        else:
            raise ArgumentError(
                f"shift is for images, and nothing says that samples of {network.name or 'this network'} are any; "
                "describe them by [[image]] in its file, or leave shift out"
            )
        return cls(image=image, most=checked_number("shift", shift, 0, min(image[:2]) - 1), seed=seed)

    def moved(self, values: NDArray[_Number], epoch: int, places: NDArray[np.int64] | None = None) -> NDArray[_Number]:
        """Samples (k, width) as they are learned in an epoch; with `places` encoded ones (k, N_0) that have pixel i in
        column `places[i]`, all scaled alike."""
        offsets = np.random.default_rng((self.seed, epoch)).integers(-self.most, self.most + 1, size=(len(values), 2))
        kinds, of = np.unique(offsets, axis=0, return_inverse=True)
        moved = np.empty_like(values)
        for kind, offset in enumerate(kinds):
            rows, columns = np.flatnonzero(of.reshape(-1) == kind), self._comes_from(*offset)
            if places is not None:
                columns, pixels = np.arange(values.shape[1]), columns
                columns[places] = places[pixels]
            moved[rows] = values[rows].take(columns, axis=1)
        return moved

    def _comes_from(self, down: int, right: int) -> NDArray[np.int64]:
        """(width,): the number that each takes the place of."""
        rows, columns, _ = self.image
        row = np.clip(np.arange(rows) - down, 0, rows - 1)
        column = np.clip(np.arange(columns) - right, 0, columns - 1)
        return np.arange(np.prod(self.image)).reshape(self.image)[np.ix_(row, column)].reshape(-1)
