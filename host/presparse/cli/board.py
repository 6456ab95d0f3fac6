"""Opening a device for a command, and saying what takes time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from presparse import devices
from presparse.accelerator import Accelerator
from presparse.cli.output import bar
from presparse.contract.network import Network


@contextmanager
def opened(device: str, network: Network) -> Iterator[Accelerator]:
    """The device, with the stages of a simulated board's compile shown. Raises as `presparse.open` does."""
    with bar(f"opening {device}") as shown:
        board = devices.open(device, network, progress=shown.note) if device == "sim" else devices.open(device, network)
        with board:
            board.identify()
            shown.note("")
            yield board
