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
from presparse.fitting.rates import LR
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
    measured = samples + (0 if source.held_out is None else source.held_out.count)
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
            right = learned * samples
            if source.held_out is not None:
                right += source.held_out.evaluate() * source.held_out.count
            tried.append((exponent, right / measured))
    except (LinkError, DeviceFault):
        raise  # nothing can be loaded there
    except BaseException:
        feeding.drain()
        keeper.load(start)
        raise
    keeper.load(start)
    return FoundRate(exponent=best(tried, measured), tried=tried)


def best(tried: Sequence[tuple[int, float]], measured: int) -> int:
    """Of exponents with their accuracies, on `measured` samples, the one to begin with.

    Half the rate of those that cannot be told from the best (two standard errors): what learns most of a few samples is
    too fast for many. Of several the one that is nearest to the usual rate.
    """
    most = max(accuracy for _, accuracy in tried)
    noise = 2 * math.sqrt(most * (1 - most) / measured)
    halved = {min(k + 1, tried[-1][0]) for k, accuracy in tried if accuracy >= most - noise}
    return min(sorted(halved), key=lambda k: abs(k + math.log2(LR)))
