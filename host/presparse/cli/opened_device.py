"""Opening a device for a command, and saying what takes time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from presparse import opening
from presparse.accelerator import Accelerator
from presparse.contract.network import Network
from presparse.errors import ArgumentError, DeviceMismatch
from presparse.messages.bundle import Manifest
from presparse.terminal.output import bar


def checked_bundle(bundle: Path | None, network: Network) -> Network | Path:
    """What is to be opened: the bundle, if there is one. Raises DeviceMismatch if it was built for another network, and
    BundleError."""
    if bundle is None:
        return network
    if (built_for := Manifest.load(bundle).build.network).hash != network.hash:
        raise DeviceMismatch(f"{bundle} was built for another network ({built_for.name}) than this ({network.name})")
    return bundle


@contextmanager
def opened(
    device: str, network: Network, bundle: Path | None = None, record: Path | None = None
) -> Iterator[Accelerator]:
    """The device, with the stages of a simulated board's compile shown; as `bundle` was built, if there is one. The
    session is recorded in `record`.

    Raises as `presparse.open` does.
    """
    source = checked_bundle(bundle, network)
    if record is not None and device.startswith("replay:"):
        raise ArgumentError(f"--record is for a device that answers anew, and {device} was recorded; leave it out")
    with ExitStack() as stack:
        with bar(f"opening {device}") as shown:
            if device == "sim":
                board = opening.open(device, source, record=record, progress=shown.note)
            else:
                board = opening.open(device, source, record=record)
            stack.enter_context(board)
            board.identify()
        yield board
