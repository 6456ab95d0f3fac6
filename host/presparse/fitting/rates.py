"""Learning rates as boards have them: powers of two, 2^-k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from presparse.contract.network import Network
from presparse.errors import RateError

Rate = float | np.floating
Rates = Rate | Sequence[float] | NDArray[np.floating]
"""One rate for all epochs, or one each."""


def rate_exponent(network: Network, rate: Rate) -> int:
    """k with rate = 2^-k. Raises RateError, naming the nearest rate that the network allows."""
    allowed = range(network.rates.least, network.rates.most + 1)
    if isinstance(rate, bool) or not isinstance(rate, Real):
        raise RateError(f"a learning rate is a number such as 2**-{allowed[0]}, and this is {rate!r}")
    value = float(rate)
    for k in allowed:
        if value == 2.0**-k:
            return k
    nearest = allowed[0]
    if math.isfinite(value) and value > 0:
        nearest = min(allowed, key=lambda k: abs(math.log2(value) + k))
    raise RateError(
        f"network {network.name} learns with rates 2**-k, k from {allowed[0]} to {allowed[-1]}, "
        f"and not with {value!r}; the nearest is 2**-{nearest} = {2.0**-nearest!r}"
    )


def rate_exponents(network: Network, rate: Rates, epochs: int) -> list[int]:
    """One exponent per epoch. Raises RateError."""
    if not isinstance(rate, Sequence | np.ndarray):
        return [rate_exponent(network, rate)] * epochs
    if len(rate) != epochs:
        raise RateError(f"rate must be one number or one per epoch ({epochs}), and has {len(rate)}")
    return [rate_exponent(network, r) for r in rate]
