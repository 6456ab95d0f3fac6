"""A board's first learning rate: each that its network has is tried on a few samples, from the same model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from presparse.contract.permutation import epoch_seed
from presparse.device.protocol import Device
from presparse.errors import DeviceFault, LinkError
from presparse.fitting.feeding import Feeding
from presparse.fitting.keeper import Keeper
from presparse.fitting.meter import Meter
from presparse.fitting.rate_schedule import FoundRate
from presparse.fitting.sources import Source
from presparse.history import Callback

TRIED = 2048
"""Samples that each rate is tried on; the same ones several times if there are fewer."""


def search_rate(
    device: Device,
    feeding: Feeding,
    source: Source,
    keeper: Keeper,
    *,
    exponents: Sequence[int],
    epochs: int,
    seed: int | None,
    callback: Callback | None,
) -> FoundRate:
    """Try 2^-k for each exponent k, every time from the board's model, and in the same orders of samples as the
    training to come. However it ends, the board holds that model again. `epochs` is what reports name.

    Raises StopTraining if the callback wants the end.
    """
    start = keeper.read()
    samples = min(source.size, TRIED)
    passes = math.ceil(TRIED / samples)
    tried: list[tuple[int, float]] = []
    try:
        for exponent in exponents:
            keeper.load(start)
            learned = 0.0
            for number in range(1, passes + 1):
                meter = Meter(device, 0, epochs, samples, exponent, callback)
                source.train(exponent, None if seed is None else epoch_seed(seed, number), meter, samples)
                meter.finish(None)
                learned = meter.total()[1]
            count, right = samples, learned * samples
            if source.held_out is not None:
                right += source.held_out.evaluate() * source.held_out.count
                count += source.held_out.count
            tried.append((exponent, right / count))
    except (LinkError, DeviceFault):
        raise  # nothing can be loaded there
    except BaseException:
        feeding.drain()
        keeper.load(start)
        raise
    keeper.load(start)
    return FoundRate(exponent=best(tried), tried=tried)


def best(tried: Sequence[tuple[int, float]]) -> int:
    """Of exponents with their accuracies the one with the highest; of several the largest rate, which falls anyway."""
    return max(tried, key=lambda found: (found[1], -found[0]))[0]
