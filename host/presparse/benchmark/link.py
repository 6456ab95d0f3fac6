"""End to end: the simulated board behind the real driver, and what a UART carries of the driver's bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from presparse import plugins
from presparse.benchmark.errors import BenchmarkError
from presparse.benchmark.rounds import Trainer
from presparse.benchmark.workload import parts
from presparse.contract.build import Build
from presparse.contract.samples import Samples
from presparse.device.links.link import Link
from presparse.device.session import Session
from presparse.model import Model

BITS_PER_BYTE = 10
"""On a UART: start and stop bit included."""
DEFAULT_BAUD = 3_000_000
"""Where no board is known: the fastest that the USB converters of common boards do."""
_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class Uart:
    """A link that is busy all the time, in both directions at once."""

    baud: int
    bytes_per_sample: float
    """To the board, for a trained sample, frames and all."""
    bytes_from_board: float
    """Back, likewise."""
    samples_per_second: float
    """What the busier direction carries; the core is not looked at."""

    @classmethod
    def of(cls, baud: int, to_board: float, from_board: float) -> Uart:
        speed = baud / BITS_PER_BYTE / max(to_board, from_board)
        return cls(baud=baud, bytes_per_sample=to_board, bytes_from_board=from_board, samples_per_second=speed)


class SimulatedBoard:
    """The whole simulated board behind the real driver, with `model` loaded. Raises BenchmarkError without one."""

    def __init__(self, build: Build, model: Model) -> None:
        self.session = Session(_simulated(build), build, timeout=60.0)
        self.session.load(model)

    def trainer(self, samples: Samples) -> Trainer:
        """Trains `samples` over and over, as `Accelerator.fit` does."""

        def train(count: int) -> None:
            for part in parts(len(samples), count, _AT_ONCE):
                self.session.feed(samples[part])

        return train

    def close(self) -> None:
        self.session.close()


def _simulated(build: Build) -> Callable[[], Link]:
    if opener := plugins.device("sim"):
        return partial(opener, build)
    raise BenchmarkError("there is no simulated board: pip install 'presparse[sim]'")
