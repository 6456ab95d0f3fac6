"""End to end over a UART: the bytes that the real driver sends the simulated board and gets back, per sample."""

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
    bytes_to_board: float
    """Per trained sample, frames and all."""
    bytes_from_board: float
    samples_per_second: float
    """What the busier direction carries; the core is not looked at."""

    @classmethod
    def of(cls, baud: int, to_board: float, from_board: float) -> Uart:
        speed = baud / BITS_PER_BYTE / max(to_board, from_board)
        return cls(baud=baud, bytes_to_board=to_board, bytes_from_board=from_board, samples_per_second=speed)


class CountingLink:
    """Passes everything on to `link`, and counts."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.written = 0
        self.read_ = 0

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self._link.write(data)

    def read(self, limit: int, timeout: float) -> bytes:
        data = self._link.read(limit, timeout)
        self.read_ += len(data)
        return data

    def close(self) -> None:
        self._link.close()


class SimulatedBoard:
    """The whole simulated board behind the real driver, with `model` loaded. Raises BenchmarkError without one."""

    def __init__(self, build: Build, model: Model) -> None:
        self._link = CountingLink(_simulated(build)())
        self.session = Session(lambda: self._link, build, timeout=60.0)
        self.session.load(model)

    def trainer(self, samples: Samples) -> Trainer:
        """Trains `samples` over and over, as `Accelerator.fit` does."""

        def train(count: int) -> None:
            for part in parts(len(samples), count, _AT_ONCE):
                self.session.feed(samples[part])

        return train

    def uart(self, samples: Samples, baud: int) -> Uart:
        """What a UART carries, with all of `samples` sent at once."""
        written, read = self._link.written, self._link.read_
        self.session.feed(samples)
        count = len(samples)
        return Uart.of(baud, (self._link.written - written) / count, (self._link.read_ - read) / count)

    def close(self) -> None:
        self.session.close()


def _simulated(build: Build) -> Callable[[], Link]:
    if opener := plugins.device("sim"):
        return partial(opener, build)
    raise BenchmarkError("there is no simulated board: pip install 'presparse[sim]'")
