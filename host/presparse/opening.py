"""Device names, and what they open.

`emulator` is the reference, `emulator:c` the same in C; `serial:PORT` and `tcp:HOST:PORT` are boards; `replay:FILE`
was one (`--record`); the name of a board (`ulx3s-85f`) is the one attached, and `NAME:PORT` the one on that port.
Every other name is an entry point of the group `presparse.devices`: a callable `(build, **options) -> Link`, such as
`sim`, the simulated board.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from presparse import plugins
from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.device.links.link import Link
from presparse.device.links.recorded import Recorder, Replayer
from presparse.device.protocol import Device
from presparse.device.session import Session
from presparse.errors import ArgumentError, DeviceMismatch, NetworkError, UnknownDevice
from presparse.messages.bundle import Manifest

DEFAULT_DEVICE = "sim"


def open(
    device: str = DEFAULT_DEVICE,
    network: Network | Build | str | Path | None = None,
    *,
    timeout: float = 2.0,
    retries: int = 3,
    record: str | Path | None = None,
    **options: object,
) -> Accelerator:
    """Open a device for a network, given as such or by name or path; or for the exact build that a board has: a
    Build, or the bundle that the board was programmed with.

        with open("sim", "digits") as board:
            board.fit(X, y, epochs=5)

    `device` is "sim" (the gateware, simulated cycle by cycle), "emulator" (the PyTorch reference: the same bits,
    no cycles), "emulator:c" (the same in C, some ten times as fast; needs a C compiler), a board such as "ulx3s-85f"
    (the one attached) or "ulx3s-85f:PORT", "serial:PORT", "tcp:HOST:PORT", or "replay:FILE": the board of a recorded
    session, which answers as it did then, to the same calls; it needs no network. `record` names a file to record this
    session in.
    `timeout` (seconds per answer) and `retries` are the link's; `options` are the device's own, such as `baud` of
    `serial:`. Leaving the `with` block closes the device.

    Raises UnknownDevice, MissingExtra, NetworkError, BuildError, BundleError, LinkError, DeviceMismatch, OutputError,
    and ArgumentError for what has no link to record.
    """
    kind, _, address = device.partition(":")
    tape = Replayer(address) if kind == "replay" and address else None
    if isinstance(network, str | Path):
        if Path(network).is_dir():
            manifest = Manifest.load(network)
            network = manifest.build
            if device.startswith("serial:"):
                options.setdefault("baud", manifest.baud)
        else:
            network = Network.load(network)
    if tape is not None:
        return Accelerator(_replayed(tape, network))
    if network is None:
        raise NetworkError(
            "open needs a network: a Network, a Build, a bundle, a TOML file or the name of one that ships"
        )
    build = network if isinstance(network, Build) else Build(network=network)
    return Accelerator(_device(device, build, timeout=timeout, retries=retries, record=record, options=options))


def available() -> list[str]:
    """Names that `open` takes here."""
    own = ["emulator", "emulator:c", "serial:PORT", "tcp:HOST:PORT", "replay:FILE"]
    return [*own, *plugins.device_names(), *plugins.boards().boards]


def _device(
    name: str,
    build: Build,
    *,
    timeout: float,
    retries: int,
    record: str | Path | None,
    options: dict[str, object],
) -> Device:
    if name in {"emulator", "emulator:c"}:
        from presparse.reference.emulator import Emulator  # imports torch
        from presparse.reference.native.native_reference import NativeReference

        if record is not None:
            raise ArgumentError("the emulator has no link, so there is nothing to record; give another device")
        if name == "emulator:c":
            options = {"reference": NativeReference, **options}
        return Emulator(build, **options)  # pyright: ignore[reportArgumentType]
    opener = _opener(name, build, options)
    if record is None:
        return Session(opener, build, timeout=timeout, retries=retries)
    recorder = Recorder(record, opener, build, device=name, timeout=timeout, retries=retries)
    return recorded_session(recorder)


def recorded_session(tape: Recorder | Replayer) -> Session:
    """A session as its recording is headed: the same bytes each time."""
    heading = tape.heading
    return Session(
        tape.open,
        heading.build,
        timeout=heading.timeout,
        retries=heading.retries,
        first_sequence=heading.first_sequence,
        clock=tape,
    )


def _replayed(tape: Replayer, wanted: Network | Build | None) -> Session:
    build = tape.heading.build
    held = build if isinstance(wanted, Build) else build.network
    if wanted is not None and wanted.hash != held.hash:
        raise DeviceMismatch(
            f"{tape.path} was recorded with network {build.network.name}, lanes {build.lanes} ({held.hash[:12]}), and "
            f"{wanted.hash[:12]} is wanted; replay it with the network or build that it was recorded with"
        )
    return recorded_session(tape)


def _opener(name: str, build: Build, options: dict[str, object]) -> Callable[[], Link]:
    """What opens the link, each time it is called."""
    kind, _, address = name.partition(":")
    if kind == "serial" and address:
        from presparse.device.links.serial import SerialLink  # most uses need no serial port

        return partial(SerialLink, address, **options)
    if kind == "tcp" and address:
        from presparse.device.links.tcp import TcpLink

        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise UnknownDevice(f"{name!r} is no address; write tcp:HOST:PORT, with a port from 1 to 65535")
        return partial(TcpLink, host.strip("[]"), int(port), **options)
    if opener := plugins.device(name):
        return partial(opener, build, **options)
    known = plugins.boards()
    if kind in known.boards:
        from presparse.device.usb_ports import open_board  # imports pyserial

        return partial(open_board, known.boards[kind], address or None, **options)
    if kind in known.unusable:
        raise UnknownDevice(f"board {kind!r} cannot be used: {known.unusable[kind]}")
    raise UnknownDevice(
        f"there is no device {name!r}; devices here: {', '.join(available())}. "
        f"The simulated board comes with pip install 'presparse[sim]', the emulator with 'presparse[train]'"
        + "".join(f". No board could be read from {reason}" for reason in known.unusable.values())
    )
