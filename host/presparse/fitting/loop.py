"""The one loop that every training on a device goes through: epochs, their rates and orders, and how it ends."""

from __future__ import annotations

from collections.abc import Sequence

from presparse.contract.permutation import epoch_seed
from presparse.device.protocol import Device
from presparse.errors import DeviceFault, LinkError
from presparse.fitting.feeding import Feeding
from presparse.fitting.keeper import Keeper
from presparse.fitting.meter import Meter
from presparse.fitting.sources import Source
from presparse.history import Callback, History, StopTraining


def fit(
    device: Device,
    feeding: Feeding,
    source: Source,
    *,
    exponents: Sequence[int],
    seed: int | None,
    callback: Callback | None,
    keep_on_interrupt: bool,
    keeper: Keeper | None = None,
) -> History:
    """One epoch per exponent k, at the rate 2^-k, over the samples of `source` in a new order (`seed` None: in theirs).
    Those that the keeper has were trained already.

    Ctrl-C, a callback's wish and an exception of its own end the training once the pipeline is drained; then Ctrl-C
    raises KeyboardInterrupt, unless `keep_on_interrupt`.
    """
    history = History(source=source.name, reason=source.reason, epochs=[] if keeper is None else keeper.epochs)
    try:
        for number, exponent in list(enumerate(exponents, start=1))[len(history.epochs) :]:
            meter = Meter(device, number, len(exponents), source.size, exponent, callback)
            measured = None
            try:
                source.train(exponent, None if seed is None else epoch_seed(seed, number), meter)
                measured = source.evaluate()
                history.epochs.append(meter.epoch(measured))
                if keeper is not None:
                    keeper.reached(history.epochs)
                meter.finish(measured)
            except (LinkError, DeviceFault):
                raise  # nothing can be drained there
            except BaseException as end:
                feeding.drain()
                if len(history.epochs) < number and meter.began:
                    history.epochs.append(meter.epoch(measured))
                history.interrupted = isinstance(end, KeyboardInterrupt)
                history.stopped = isinstance(end, StopTraining)
                if not history.stopped and not (history.interrupted and keep_on_interrupt):
                    raise
                break
    finally:
        if keeper is not None:
            keeper.end()
    return history
