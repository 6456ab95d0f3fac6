"""A pattern for images: every right neuron sees the surroundings of one place, and yet one pixel in every bank.

Any choice of equally many left neurons per bank is clash-free, and a seed is only the cheapest. With pixels shuffled
over the banks, the nearest pixel of every bank to some place are a ragged disc around it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from presparse.contract.errors import PatternError
from presparse.contract.network import Junction
from presparse.contract.pattern import arrange


def receptive_fields(
    junction: Junction, places: NDArray[np.float64], margin: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """A pattern (right, in_degree) that leaves padding out.

    `places` (features, 2) says where each feature is in the image. Every right neuron has a center, drawn from the
    image less a `margin` on each side, and takes from each bank the features nearest to it.
    Raises PatternError if right neurons do not read every bank equally often, or a bank has too few features.
    """
    share, rest = divmod(junction.in_degree, junction.lanes)
    fewest = len(places) // junction.lanes
    if rest or share > fewest:
        raise PatternError(
            f"junction {junction.index}: receptive fields take equally many features from each of {junction.lanes} "
            f"banks, so in_degree must be a multiple of {junction.lanes}, at most {fewest * junction.lanes}, and is "
            f"{junction.in_degree}"
        )
    banks = [np.arange(bank, len(places), junction.lanes) for bank in range(junction.lanes)]
    low, high = places.min(axis=0) + margin, places.max(axis=0) - margin
    left = np.empty((junction.right, junction.in_degree), dtype=np.int64)
    for neuron, center in enumerate(rng.uniform(low, high, size=(junction.right, 2))):
        distance = ((places - center) ** 2).sum(axis=1)
        left[neuron] = np.concatenate([bank[np.argsort(distance[bank])[:share]] for bank in banks])
    return arrange(junction, left)
