"""Learning rates as boards have them: powers of two, 2^-k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import shortened
from presparse.contract.network import Network
from presparse.errors import RateError

LR = 2**-5
"""Of every training on a board, unless told otherwise."""

Rate = float | np.floating
Rates = Rate | Sequence[float] | NDArray[np.floating]
"""One rate for all epochs, or one each."""


def rate_exponent(network: Network, lr: Rate) -> int:
    """k with lr = 2^-k. Raises RateError, naming the rates beside it that the network allows."""
    allowed = range(network.rates.least, network.rates.most + 1)
    if isinstance(lr, bool) or not isinstance(lr, Real):
        raise RateError(
            f"lr, the learning rate of a board, is a number such as 2**-{allowed[0]}, and is {shortened(lr)}"
        )
    value = float(lr)
    for k in allowed:
        if value == 2.0**-k:
            return k
    beside = [allowed[0]]
    if math.isfinite(value) and value > 0:
        exact = -math.log2(value)
        beside = sorted({min(max(k, allowed[0]), allowed[-1]) for k in (math.floor(exact), math.ceil(exact))})
    raise RateError(
        f"network {network.name} learns on a board with lr = 2**-k, k from {allowed[0]} to {allowed[-1]}, and not with "
        f"{value!r}; beside it {' and '.join(f'2**-{k} = {2.0**-k!r}' for k in beside)}"
        f"{' are' if len(beside) > 1 else ' is'} allowed"
    )


def rate_exponents(network: Network, lr: Rates, epochs: int) -> list[int]:
    """One exponent per epoch. Raises RateError."""
    if isinstance(lr, np.ndarray) and lr.ndim == 0:
        lr = lr[()]
    if not isinstance(lr, Sequence | np.ndarray):
        return [rate_exponent(network, lr)] * epochs
    if len(lr) != epochs:
        raise RateError(f"lr must be one number or one per epoch ({epochs}), and has {len(lr)}")
    return [rate_exponent(network, rate) for rate in lr]
