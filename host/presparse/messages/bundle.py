"""A bundle: a folder with the bitstream of one build for one board, and what it is and how fast it runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from statistics import median
from typing import ClassVar, Literal, TypeVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from presparse.contract.build import Build, Mode
from presparse.contract.description import Description, problems
from presparse.contract.errors import PresparseError
from presparse.messages.sources import Source
from presparse.support import input_files

BUNDLE_VERSION = 1
MANIFEST = "manifest.json"
PROJECT = "project.json"
NETWORK = "network.toml"
LinkKind = Literal["uart", "usb"]
"""What carries a board's bytes: its serial port, or its FPGA's own USB."""
_LARGEST_FILE = 1 << 26
"""Bytes; the bitstream of an LFE5U-85 has 2 million."""


class BundleError(PresparseError, ValueError):
    """A folder that is no bundle, or one that was damaged."""


class Resource(Description):
    """How much of one kind a design uses."""

    used: int = Field(ge=0)
    available: int = Field(ge=0, description="on the board's FPGA")

    @property
    def fits(self) -> bool:
        return self.used <= self.available

    @property
    def share(self) -> float:
        """Used over available; 0 if there is none and none is used, infinite if there is none and some is used."""
        if self.available:
            return self.used / self.available
        return float("inf") if self.used else 0.0


class Use(Description):
    """What a design uses of an FPGA, by kind. Counted as place-and-route counts, so that it fits if each kind does."""

    lut: Resource = Field(description="LUT4s, those of carry chains and distributed RAM included")
    ff: Resource = Field(description="flip-flops")
    dsp: Resource = Field(description="multipliers: ECP5 18x18, iCE40 16x16")
    block_ram: Resource = Field(description="memory blocks: ECP5 DP16KD (18 Ki bits), iCE40 SB_RAM40_4K (4 Ki bits)")
    distributed_ram: Resource = Field(description="memories of 16 words of 4 bits in LUTs (ECP5 TRELLIS_DPR16X4)")
    single_port_ram: Resource = Field(
        default=Resource(used=0, available=0),
        description="memory blocks with one port (iCE40UP SB_SPRAM256KA, 256 Ki bits)",
    )

    def items(self) -> tuple[tuple[str, Resource], ...]:
        """(what people call it, how much), in a fixed order."""
        return (
            ("LUT", self.lut),
            ("FF", self.ff),
            ("DSP", self.dsp),
            ("block RAM", self.block_ram),
            ("distributed RAM", self.distributed_ram),
            ("single-port RAM", self.single_port_ram),
        )

    @property
    def fits(self) -> bool:
        return all(resource.fits for _, resource in self.items())

    @property
    def short(self) -> str:
        """What does not fit: "LUT: 30,100 of 24,288; DSP: 40 of 28"; empty if everything does."""
        return "; ".join(f"{name}: {r.used:,} of {r.available:,}" for name, r in self.items() if not r.fits)


class Route(Description):
    """What place-and-route reached with one seed."""

    seed: int
    fmax_mhz: float


class CriticalPath(Description):
    """The slowest way from one register to the next."""

    text: str = Field(description='in the design\'s own terms: "junction 1, lane 3: UP, product -> change"')
    delay_ns: float
    routing_ns: float = Field(description="the part of it that is wires")
    steps: tuple[str, ...] = Field(description="components and signals on the way")


class Made(Description):
    """What was made for a board."""

    refusal: ClassVar[type[PresparseError]] = BundleError

    version: Literal[1] = BUNDLE_VERSION
    name: str
    board: str
    device: str = Field(description="the FPGA, package and speed grade")
    mode: Mode
    lanes: tuple[int, ...]


class Manifest(Made):
    """What a bundle holds.

    `fmax_mhz` is what the routed design could run at (of the seed that was taken), `clock_mhz` what it does run at.
    """

    clock_mhz: float
    fmax_mhz: float
    routes: tuple[Route, ...] = Field(min_length=1, description="every seed tried, in order")
    seed: int = Field(description="of the route that was taken")
    cycles_per_sample: int
    samples_per_second: float = Field(description="of the core, at `clock_mhz`")
    samples_per_second_at_fmax: float
    use: Use
    link: LinkKind = Field(default="uart", description="what the host reaches it by")
    baud: int = Field(description="that the host sets its serial port to")
    critical_path: CriticalPath
    contract_hash: str = Field(description="what the board answers to IDENTIFY")
    build_id: str = Field(pattern=r"^[0-9a-f]{16}$", description="of design, board and tools; IDENTIFY returns it")
    bitstream: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="file name in the bundle: no path")
    bitstream_sha256: str
    tools: dict[str, str] = Field(description="name: version")
    notes: tuple[str, ...] = Field(default=(), description="what the tools did that was not planned")
    build: Build = Field(description="what `presparse.open` takes")
    sources: tuple[Source, ...] = Field(default=(), description="how fast samples come to the core, at `clock_mhz`")
    # Bundles made before these fields were there have none: they follow from the build and its clock.
    latency_cycles: int = Field(
        default=0, validate_default=True, description="of one inference in the core, from first feature to last score"
    )
    latency_us: float = Field(default=0, validate_default=True, description="the same in microseconds, at `clock_mhz`")

    @field_validator("latency_cycles")
    @classmethod
    def _latency_cycles(cls, cycles: int, info: ValidationInfo) -> int:
        build: Build | None = info.data.get("build")  # None if it was refused itself
        return build.latency if build and not cycles else cycles

    @field_validator("latency_us")
    @classmethod
    def _latency_us(cls, us: float, info: ValidationInfo) -> float:
        cycles, mhz = info.data.get("latency_cycles"), info.data.get("clock_mhz")
        return round(cycles / mhz, 3) if cycles and mhz and not us else us

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest as it is written, whatever became of the other files. Raises BundleError."""
        if (folder / PROJECT).exists():
            raise BundleError(
                f"{folder}: a project for the vendor's tool, and no bitstream yet; its README.txt tells how to go on"
            )
        return _described(cls, folder, MANIFEST)

    @classmethod
    def load(cls, bundle: str | Path) -> Manifest:
        """The manifest of a bundle folder; bitstream and contract are checked.

        Raises BundleError, naming the folder and how to mend it.
        """
        folder = Path(bundle)
        manifest = cls.read(folder)
        bits = _content(folder, manifest.bitstream)
        if hashlib.sha256(bits).hexdigest() != manifest.bitstream_sha256:
            raise BundleError(
                f"{folder / manifest.bitstream}: not the bitstream that was built; build the bundle again"
            )
        if manifest.build.hash != manifest.contract_hash:
            raise BundleError(
                f"{folder}: made by another version of Presparse, whose gateware this one does not understand; "
                "build the bundle again"
            )
        return manifest

    @property
    def median_fmax_mhz(self) -> float:
        """Over all seeds."""
        return median(route.fmax_mhz for route in self.routes)


class Project(Made):
    """What is made for a board whose bitstreams only its vendor's tool can make: all that this tool needs, and no
    bitstream yet. The folder of the project holds this as `project.json`."""

    clock_mhz: float = Field(description="that the tool is asked for; its timing report says whether it is reached")
    cycles_per_sample: int
    baud: int = Field(description="that the host sets its serial port to")
    contract_hash: str = Field(description="what the board answers to IDENTIFY")
    build_id: str = Field(pattern=r"^[0-9a-f]{16}$", description="of design, board and tools; IDENTIFY returns it")
    tool: str = Field(description="the vendor's, which Presparse does not run")
    command: str = Field(description="shell command that runs the tool in the project's folder")
    bitstream: str = Field(description="the file that it makes there")
    program: str = Field(description="shell command that loads that into the board")
    files: tuple[str, ...] = Field(description="of the project, before the tool has run")
    build: Build = Field(description="what `presparse.open` takes")

    @classmethod
    def load(cls, folder: str | Path) -> Project:
        """What a project's folder says of itself. Raises BundleError."""
        return _described(cls, Path(folder), PROJECT)


Described = TypeVar("Described", bound=Made)


def _described(kind: type[Described], folder: Path, file: str) -> Described:
    try:
        return kind.model_validate_json(_content(folder, file))
    except ValidationError as error:
        raise BundleError(f"{folder / file}: {problems(error)}; build the bundle again") from None


def _content(folder: Path, file: str) -> bytes:
    """Raises BundleError, also for a pipe or a device, which may never end."""
    path = folder / file
    try:
        if path.exists() and not path.is_file():
            raise BundleError(f"{path}: is no file; give the folder that `presparse build` made")
        return input_files.read(path, _LARGEST_FILE)
    except OSError as error:
        raise BundleError(
            f"{folder}: not a bundle ({error.strerror or error}: {path}); give the folder that `presparse build` made"
        ) from error


class Step(Description):
    """How far the making of a bundle is: a step begins, is under way, or has ended (`done`)."""

    name: str
    done: bool = False
    found: str = Field(default="", description="what it found; of a step under way: how far it is; empty: it begins")


class BoardInfo(Description):
    """One line of `presparse boards`."""

    name: str
    title: str
    family: str
    device: str
    capacity: dict[str, int] = Field(description="as `Use` has them")
    sdram_bytes: int = Field(description="that samples can be stored in; 0: there is none")
    oscillator_mhz: float
    clock_mhz: float = Field(description="that builds get unless they ask for another")
    baud: int
    links: tuple[LinkKind, ...] = Field(description="that builds can have, the usual one first")
    link: str = Field(description="the serial port")
    bitstream: str = Field(description="what makes its bitstreams")
    program: str = Field(description="what programs it")


class BoardList(Description):
    """What `presparse boards` lists."""

    boards: tuple[BoardInfo, ...]
    unusable: dict[str, str] = Field(
        description="why a board, or a package that was to bring boards, cannot be used; and how to mend it"
    )
