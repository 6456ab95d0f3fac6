"""The one loop that every training on a device goes through: its first rate, its epochs, their orders, and how it
ends."""

from __future__ import annotations

from dataclasses import replace

from presparse.contract.permutation import epoch_seed
from presparse.device.protocol import Device
from presparse.errors import DeviceFault, LinkError
from presparse.fitting.feeding import Feeding
from presparse.fitting.keeper import Keeper
from presparse.fitting.meter import Meter
from presparse.fitting.rate_schedule import FallingRate, RateSchedule
from presparse.fitting.rate_search import search_rate
from presparse.fitting.sources import Source
from presparse.history import Callback, History, StopTraining


def fit(
    device: Device,
    feeding: Feeding,
    source: Source,
    *,
    schedule: RateSchedule,
    seed: int | None,
    callback: Callback | None,
    keep_on_interrupt: bool,
    keeper: Keeper,
) -> History:
    """Epochs over the samples of `source` at the rates of the schedule, each in a new order (`seed` None: in theirs).
    Those that the keeper has were trained already. Then the board holds the model of the epoch that the schedule keeps.

    Ctrl-C, a callback's wish and an exception of its own end the training once the pipeline is drained; then Ctrl-C
    raises KeyboardInterrupt, unless `keep_on_interrupt`.
    """
    history = History(source=source.name, reason=source.reason, epochs=keeper.epochs)
    number, meter, measured = 0, None, None
    try:
        if isinstance(schedule, FallingRate):
            if keeper.found_rate is None:
                keeper.found_rate = search_rate(
                    device,
                    feeding,
                    source,
                    keeper,
                    exponents=schedule.exponents,
                    epochs=schedule.epochs,
                    seed=seed,
                    callback=callback,
                )
            schedule = replace(schedule, first=keeper.found_rate.exponent)
            history.chosen = f"{keeper.found_rate}, {schedule}"
        history.kept = schedule.kept(history.epochs)
        while (exponent := schedule.exponent(history.epochs)) is not None:
            number, measured = schedule.first_epoch + len(history.epochs), None
            meter = Meter(device, number, schedule.epochs, source.size, exponent, callback)
            source.train(exponent, None if seed is None else epoch_seed(seed, number), meter)
            measured = None if source.held_out is None else source.held_out.evaluate()
            history.epochs.append(meter.epoch(measured))
            kept = schedule.kept(history.epochs)
            keeper.reached(history.epochs, kept)
            history.kept = kept
            meter.finish(measured)
    except (LinkError, DeviceFault):
        raise  # nothing can be drained there
    except BaseException as end:
        feeding.drain()
        if meter is not None and meter.began and schedule.first_epoch + len(history.epochs) == number:
            history.epochs.append(meter.epoch(measured))
        history.interrupted = isinstance(end, KeyboardInterrupt)
        history.stopped = isinstance(end, StopTraining)
        if not history.stopped and not (history.interrupted and keep_on_interrupt):
            raise
    finally:
        keeper.end()
    if history.kept is not None:
        keeper.give_back()
    return history
