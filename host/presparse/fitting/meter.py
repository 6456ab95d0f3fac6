"""Measures an epoch of training with the device's own counters, and reports."""

from __future__ import annotations

from presparse.device.protocol import Device
from presparse.history import PROGRESS_SECONDS, Callback, Epoch, Progress, report

LARGEST_CHUNK = 4096
"""Most samples handed to the device at once."""


class Meter:
    """One epoch of `of` samples at the rate 2^-`exponent`."""

    def __init__(
        self, device: Device, epoch: int, epochs: int, of: int, exponent: int, callback: Callback | None
    ) -> None:
        self._device, self._epochs, self._of, self._callback = device, epochs, of, callback
        self.number = epoch
        """Of the epoch, 1, 2 ...; 0 while rates are tried."""
        self._lr = 2.0**-exponent
        self.began = False
        self._total: tuple[int, float, float] | None = None

    def begin(self) -> None:
        """From now on samples are trained."""
        self._before = self._device.counters()
        self._start = self._device.clock.monotonic()
        self.began = True

    def sent(self, samples: int) -> int:
        """Report after so many samples (not the last ones: `finish` does); returns how many to send next.

        Raises StopTraining if the callback wants it.
        """
        speed = samples / (self._device.clock.monotonic() - self._start)
        if self._callback is not None and samples < self._of:
            self._report(samples, speed, self._learned()[1], None)
        return max(1, min(LARGEST_CHUNK, int(speed * PROGRESS_SECONDS)))

    def total(self) -> tuple[int, float, float]:
        """(samples trained, accuracy, seconds); first asked for when the pipeline is flushed after training."""
        if self._total is None:
            self._total = (*self._learned(), self._device.clock.monotonic() - self._start)
        return self._total

    def epoch(self, validation: float | None) -> Epoch:
        """The epoch's entry in the history."""
        samples, accuracy, seconds = self.total()
        return Epoch(lr=self._lr, samples=samples, accuracy=accuracy, validation=validation, seconds=seconds)

    def finish(self, validation: float | None) -> None:
        """Report the whole epoch. Raises StopTraining if the callback wants it."""
        samples, accuracy, seconds = self.total()
        self._report(samples, samples / seconds, accuracy, validation)

    def _report(self, samples: int, speed: float, accuracy: float, validation: float | None) -> None:
        report(
            self._callback,
            Progress(
                epoch=self.number,
                epochs=self._epochs,
                samples=samples,
                of=self._of,
                samples_per_second=speed,
                lr=self._lr,
                accuracy=accuracy,
                validation=validation,
            ),
        )

    def _learned(self) -> tuple[int, float]:
        """Samples trained since the epoch began, and the share of them that was predicted rightly."""
        now = self._device.counters()
        trained = now["trained"] - self._before["trained"]
        return trained, (now["correct"] - self._before["correct"]) / trained if trained else 0.0
