"""Whether samples are on the scale of those that a model was trained on: other units, or a scaling that was left out or
done twice, make a model answer at random, and nothing else tells."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from presparse.errors import ScaleWarning
from presparse.features.inputs import Inputs

_LOOKED_AT = 1000
"""Samples, evenly drawn."""
_FEWEST = 10
"""Numbers, below which nothing is said."""
_MANY = 100
"""Numbers, below which it may be chance that all are small: those of long-tailed features mostly are."""
_MARGIN = 0.1
"""Of a feature's range in training, that other samples may go beyond it."""
_MOST = 0.5
"""Share of numbers beyond it from which on they are not of those units."""
_FAR, _MANY_FAR = 10, 0.1
"""Ranges beyond it, where even outliers are rare, and the share of numbers there that is too much."""
_SHRUNK = 0.01
"""Of a feature's largest in training: pixels from 0 to 1 are 0.004 of those from 0 to 255."""


def check_scale(inputs: Inputs, values: NDArray[np.float64]) -> None:
    """Warn (ScaleWarning) if samples (k, width) are on another scale than those that `inputs` have seen.

    Zeros are left out: in sparse data they are on every scale. Other samples of the same kind never get a warning.
    """
    if not inputs.seen.size:
        return
    low, high = inputs.seen
    varied = np.flatnonzero(high > low)
    looked_at = np.asarray(values[:: -(-len(values) // _LOOKED_AT)][:, inputs.columns[varied]], dtype=np.float64)
    low, high = low[varied], high[varied]
    there = looked_at != 0
    numbers = np.count_nonzero(there)
    if numbers < _FEWEST:
        return
    ranges = np.maximum(low - looked_at, looked_at - high)[there] / np.broadcast_to(high - low, there.shape)[there]
    share, far = (np.count_nonzero(ranges > limit) / numbers for limit in (_MARGIN, _FAR))
    if share > _MOST or far > _MANY_FAR:
        _warn(f"{share:.0%} of its numbers are outside of the range that their features had in training")
    elif numbers >= _MANY and (np.abs(looked_at).max(axis=0) / np.maximum(abs(low), abs(high))).max() < _SHRUNK:
        _warn(f"all of its numbers are less than {_SHRUNK:.0%} of the largest that their features had in training")


def _warn(what: str) -> None:
    warnings.warn(
        f"X is on another scale than what the model was trained on: {what}; give it in the same units, or train anew",
        ScaleWarning,
        stacklevel=2,
    )
