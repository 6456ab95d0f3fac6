"""Device names, and what they open.

`emulator` is the reference, `emulator:c` the same in C; `serial:PORT`, `usb:SERIAL` (or `usb:`, the one there) and
`tcp:HOST:PORT` are boards; `replay:FILE` was one (`--record`); the name of a board (`ulx3s-85f`) is the one attached,
and `NAME:PORT` the one on that port. Every other name is an entry point of the group `presparse.devices`: a callable
`(build, **options) -> Link`, such as `sim`, the simulated board.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from presparse import plugins
from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.contract.description import shortened
from presparse.contract.network import Network
from presparse.device.links.link import Link
from presparse.device.links.recorded import Recorder, Replayer
from presparse.device.patience import RETRIES, TIMEOUT, Patience
from presparse.device.protocol import Device
from presparse.device.session import Session
from presparse.errors import ArgumentError, DeviceMismatch, NetworkError, UnknownDevice
from presparse.messages.bundle import Manifest

DEFAULT_DEVICE = "sim"
_EMULATORS = ("emulator", "emulator:c")


def open(
    device: str = DEFAULT_DEVICE,
    network: Network | Build | str | Path | None = None,
    *,
    timeout: float = TIMEOUT,
    retries: int = RETRIES,
    record: str | Path | None = None,
    **options: object,
) -> Accelerator:
    """Open a device for a network, given as such or by name or path; or for the exact build that a board has: a
    Build, or the bundle that the board was programmed with.

        with open("sim", "digits") as board:
            board.fit(X, y, epochs=5)

    `device` is "sim" (the gateware, simulated cycle by cycle), "emulator" (the PyTorch reference: the same bits, no
    cycles), "emulator:c" (the same in C, up to some hundred times as fast; needs a C compiler), a board such as
    "ulx3s-85f" (the one attached) or "ulx3s-85f:PORT", "serial:PORT", "usb:" (the board on USB) or "usb:SERIAL",
    "tcp:HOST:PORT" (one that `presparse serve` serves there), or "replay:FILE": the board of a recorded session, which
    answers as it did then, to the same calls; it needs no network. `record` names a file to record this session in.
    `timeout` (seconds per answer, 0.001 to 3,600) and `retries` (0 to 1,000) are the link's: opening takes at most
    5 * timeout * (retries + 1) seconds once the link is there, whatever the board sends. `options` are the device's
    own, such as `baud` of `serial:`, `token` of `tcp:` and `link` ("uart" or "usb") of a board. Leaving the `with`
    block closes the device.

    Raises UnknownDevice, MissingExtra, NetworkError, BuildError, BundleError, LinkError, DeviceMismatch, OutputError,
    and ArgumentError for what is no such number, an option that the device does not have, and what has no link to
    record.
    """
    patience = Patience(timeout=timeout, retries=retries)
    if record is not None and not isinstance(record, str | Path):
        raise ArgumentError(f"record must be the name of a file, and is {shortened(record)}")
    kind, address = _parts(device)
    if kind == "replay" and address:
        _check_options(device, [], options)
        tape = Replayer(address)
        return Accelerator(_replayed(tape, None if network is None else _described(network, device, options)))
    build = _build(network, device, options)
    return Accelerator(_device(device, build, patience, record, options))


def opener(device: str, network: Network | Build | str | Path, **options: object) -> tuple[Callable[[], Link], Build]:
    """What opens the bare link to a device, each time it is called, and the build that is expected behind it; for who
    carries its bytes elsewhere (`presparse serve`). Raises as `open`, and ArgumentError for what has no link."""
    kind, address = _parts(device)
    if device in _EMULATORS or (kind == "replay" and address):
        raise ArgumentError(f"device {device!r} has no link that others could use; give sim, or a board")
    build = _build(network, device, options)
    return _opener(device, build, options), build


def available() -> list[str]:
    """Names that `open` takes here."""
    own = [*_EMULATORS, "serial:PORT", "usb:SERIAL", "tcp:HOST:PORT", "replay:FILE"]
    return [*own, *plugins.device_names(), *plugins.boards().boards]


def _parts(device: object) -> tuple[str, str]:
    """Kind and address."""
    if not isinstance(device, str):
        raise ArgumentError(f"device must be a name such as 'sim' or 'serial:PORT', and is {shortened(device)}")
    kind, _, address = device.partition(":")
    return kind, address


def _build(network: object, device: str, options: dict[str, object]) -> Build:
    """The build that is expected behind a device."""
    described = _described(network, device, options)
    return described if isinstance(described, Build) else Build(network=described)


def _described(network: object, device: str, options: dict[str, object]) -> Network | Build:
    """The network or build that is meant. A bundle of one knows the baud rate of its board, and its link, too."""
    if isinstance(network, Network | Build):
        return network
    if not isinstance(network, str | Path):
        raise NetworkError(
            "open needs a network: a Network, a Build, a bundle, a TOML file or the name of one that ships"
            + ("" if network is None else f"; and this is {shortened(network)}")
        )
    if not os.path.isdir(network):  # no error for names that no file can have
        return Network.load(network)
    manifest = Manifest.load(network)
    if device.startswith("serial:"):
        options.setdefault("baud", manifest.baud)
    elif device == manifest.board and manifest.link == "usb":
        options.setdefault("link", "usb")
    return manifest.build


def _device(
    name: str, build: Build, patience: Patience, record: str | Path | None, options: dict[str, object]
) -> Device:
    if name in _EMULATORS:
        from presparse.reference.emulator import Emulator  # imports torch
        from presparse.reference.native.native_reference import NativeReference

        if record is not None:
            raise ArgumentError("the emulator has no link, so there is nothing to record; give another device")
        _check_options(name, [], options)
        return Emulator(build, reference=NativeReference) if name == "emulator:c" else Emulator(build)
    open_link = _opener(name, build, options)
    if record is None:
        return Session(open_link, build, timeout=patience.timeout, retries=patience.retries)
    recorder = Recorder(record, open_link, build, device=name, timeout=patience.timeout, retries=patience.retries)
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
    found = _found(name, build)
    takes = inspect.signature(found).parameters.values()
    if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in takes):  # which would check them itself
        _check_options(name, [parameter.name for parameter in takes], options)
    return partial(found, **options)


def _found(name: str, build: Build) -> Callable[..., Link]:
    """What opens the link, given the device's own options."""
    kind, address = _parts(name)
    if kind == "serial" and address:
        from presparse.device.links.serial import SerialLink  # most uses need no serial port

        return partial(SerialLink, address)
    if kind == "usb":
        from presparse.device.links.usb import UsbLink  # most uses need no libusb

        return partial(UsbLink, address, "")
    if kind == "tcp" and address:
        from presparse.device.links.tcp import TcpLink, parsed_address

        return partial(TcpLink, *parsed_address(address))
    if open_link := plugins.device(name):
        return partial(open_link, build)
    known = plugins.boards()
    if kind in known.boards:
        from presparse.device.usb_ports import open_board  # imports pyserial

        return partial(open_board, known.boards[kind], address or None)
    if kind in known.unusable:
        raise UnknownDevice(f"board {kind!r} cannot be used: {known.unusable[kind]}")
    raise UnknownDevice(
        f"there is no device {name!r}; devices here: {', '.join(available())}. "
        f"The simulated board comes with pip install 'presparse[sim]', the emulator with 'presparse[train]'"
        + "".join(f". No board could be read from {reason}" for reason in known.unusable.values())
    )


def _check_options(device: str, known: Sequence[str], options: Mapping[str, object]) -> None:
    """Raise ArgumentError for options that the device does not have."""
    for option in options:
        if option not in known:
            raise ArgumentError(
                f"device {device!r} has no option {option!r}; its own are: {', '.join(known) or 'none'}"
            )
