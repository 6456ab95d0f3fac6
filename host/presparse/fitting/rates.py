"""Learning rates as boards have them: powers of two, 2^-k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import shortened
from presparse.contract.network import Network
from presparse.errors import RateError

LR = 2**-5
"""The usual one: of `partial_fit`, and of a training for which several are as good."""

Rate = float | np.floating
Rates = Rate | Sequence[float] | NDArray[np.floating] | Literal["auto"]
"""One rate for all epochs, or one each; 'auto': one that is searched for, and falls."""


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


def is_auto(lr: Rates) -> TypeGuard[Literal["auto"]]:
    """The rate is to be searched for."""
    return isinstance(lr, str) and lr == "auto"


def rate_exponents(network: Network, lr: Rates, epochs: int | None, otherwise: int) -> list[int]:
    """One exponent per epoch of the user's own rates. Without a number of epochs they are as many as there are rates,
    or, with one rate for all, `otherwise`. Raises RateError."""
    if isinstance(lr, np.ndarray) and lr.ndim == 0:
        lr = lr[()]
    if isinstance(lr, str):
        raise RateError(f"lr must be 'auto', a number such as 2**-5, or one per epoch, and is {shortened(lr)}")
    if not isinstance(lr, Sequence | np.ndarray):
        return [rate_exponent(network, lr)] * (epochs or otherwise)
    wanted = epochs or max(1, len(lr))
    if len(lr) != wanted:
        raise RateError(f"lr must be one number or one per epoch ({wanted}), and has {len(lr)}")
    return [rate_exponent(network, rate) for rate in lr]
