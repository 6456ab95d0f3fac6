"""A build: one network with the lanes, schedule and ports that a piece of gateware has."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from presparse.contract.address_map import REGION_SHIFT, STORE_REGION
from presparse.contract.description import Description, shortened
from presparse.contract.errors import BuildError, PresparseError
from presparse.contract.network import Junction, Network, check_lanes
from presparse.contract.operations import MAX_PAYLOAD
from presparse.contract.sample_words import MOST_BITS, WORD_BITS, PaletteKind, SampleFormat, block_features
from presparse.contract.schedule import DECIDE, RESULT, START, Schedule, forward_latency, schedule
from presparse.contract.store import StoreLayout, StoreMemory, slot_for
from presparse.contract.wire import ResultForm, class_bytes, value_bytes

Mode = Literal["train", "infer"]
"""infer: no hardware that learns."""

CONTRACT_VERSION = 3
"""Changes whenever gateware of the old version would compute or store anything differently."""


DEFAULT_SAMPLE_BITS = 4
_SAMPLE_KEYS = {"sample_bits", "sample_palettes"}
_STORE_KEYS = {"store_samples", "store_memory"}


class Build(Description):
    """Everything that shapes the gateware. Two builds with one `hash` are the same machine.

    `lanes` are the network's unless given: divisors of those, per junction. `mode` "infer" leaves training out.
    `gap` idle cycles per block are wanted (the schedule takes more if it must), `feature_port` features go into
    the core at once, and `result_capacity` predictions fit the board. With `sample_bits`, the board takes compressed
    samples (`presparse.contract.sample_words`), whose features take so many bits each: each feature, or with "shared"
    palettes all together, may have 2^sample_bits different values. With `store_samples`, the board has a store for so
    many samples, and more if they are sparse. By default a store's feature port is the narrowest that loads a sample
    in half of the cycles that the core takes for one: the other half is for blocks that share a transfer.

    Raises BuildError, naming the key, its value and how to mend it.
    """

    refusal: ClassVar[type[PresparseError]] = BuildError

    network: Network
    lanes: tuple[int, ...] = Field(
        default=(), validate_default=True, description="lanes per junction; empty: the network's"
    )
    mode: Mode = "train"
    gap: int = Field(default=0, ge=0, le=65536, description="idle cycles wanted per block; the smallest valid is used")
    store_samples: int = Field(
        default=0, ge=0, description="samples, of whatever features, that the board's store holds; 0: no store"
    )
    store_memory: StoreMemory = Field(default="block", description="what the store is made of")
    sample_bits: int = Field(
        default=0,
        ge=0,
        validate_default=True,
        description="bits per feature of a compressed sample; 0: the board takes none, or, with a store, "
        f"{DEFAULT_SAMPLE_BITS}",
    )
    sample_palettes: PaletteKind = Field(default="per feature", description="whose values these bits tell apart")
    feature_port: int = Field(
        default=0,
        ge=0,
        validate_default=True,
        description="features per transfer of the core's sample stream; 0: 1, or what the store needs",
    )
    result_capacity: int = Field(default=64, ge=1, le=4096, description="predicted samples the board can hold")

    @field_validator("network", mode="before")
    @classmethod
    def _not_by_name(cls, network: object) -> object:
        """Builds are read from files, too, which must not name others to be read."""
        if isinstance(network, str | Path):
            raise ValueError(f"a build has a Network, and not {shortened(network)}; give Network.load({network!r})")
        return network

    @field_validator("lanes")
    @classmethod
    def _default_lanes(cls, lanes: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        network: Network | None = info.data.get("network")  # None if it was refused itself
        return network.lanes if network is not None and not lanes else lanes

    @field_validator("sample_bits")
    @classmethod
    def _default_sample_bits(cls, bits: int, info: ValidationInfo) -> int:
        network: Network | None = info.data.get("network")
        if network is None or bits or not info.data.get("store_samples"):
            return bits
        return min(DEFAULT_SAMPLE_BITS, network.formats.activation.width)

    @field_validator("feature_port")
    @classmethod
    def _default_feature_port(cls, port: int, info: ValidationInfo) -> int:
        network: Network | None = info.data.get("network")
        lanes: tuple[int, ...] = info.data.get("lanes", ())
        bits: int = info.data.get("sample_bits", 0)
        if port or network is None or not 0 < bits <= MOST_BITS or not _divide(lanes, network.lanes):
            return port or 1
        left, cycles = network.layers[0], max(j.cycles for j in network.junctions_with(lanes))
        most = max(1, cycles // 2) if info.data.get("store_samples") else left
        ports = [p for p in range(1, left + 1) if _port_fits(left, lanes[0], p) and left // p <= most]
        fullest = max(block_features(bits, p) for p in ports)
        return next(p for p in ports if block_features(bits, p) == fullest)

    @model_validator(mode="after")
    def _valid(self) -> Build:
        if len(self.lanes) != len(self.network.lanes):
            raise ValueError(
                f"lanes needs one entry per junction ({len(self.network.lanes)}), and has {len(self.lanes)}"
            )
        for index, (own, pattern) in enumerate(zip(self.lanes, self.network.lanes, strict=True), start=1):
            if own < 1 or pattern % own:
                raise ValueError(
                    f"junction {index}: a build's lanes must divide the network's, so that its patterns stay "
                    f"clash-free, and {own} does not divide {pattern}"
                )
        check_lanes(self.network, self.lanes)
        left, first = self.network.layers[0], self.lanes[0]
        if not _port_fits(left, first, self.feature_port):
            raise ValueError(
                f"feature_port must divide the {left} left neurons and divide or be a multiple of the {first} "
                f"lanes of junction 1, and is {self.feature_port}"
            )
        self._check_samples()
        in_flight = self.schedule.junctions[-1].forward + 1
        if self.result_capacity < in_flight:
            raise ValueError(
                f"result_capacity must be at least {in_flight}, the predictions in flight at once, and is "
                f"{self.result_capacity}"
            )
        if self.result_bytes() > MAX_PAYLOAD:
            raise ValueError(
                f"one result must fit a frame of {MAX_PAYLOAD} bytes, and {self.network.layers[-1]} outputs take "
                f"{self.result_bytes()}; use a smaller output layer or format"
            )
        return self

    def _check_samples(self) -> None:
        """Compressed and stored ones."""
        bits, widest = self.sample_bits, min(MOST_BITS, self.network.formats.activation.width)
        if self.sample_format is None:
            return
        if bits > widest:
            raise ValueError(f"sample_bits must be at most the activation's {widest} bits, and is {bits}")
        if self.sample_format.most_words >= 1 << WORD_BITS:
            raise ValueError(
                f"sample_bits is {bits}, and so a sample has up to {self.sample_format.most_words} words, more than "
                f"{(1 << WORD_BITS) - 1}; use fewer bits, or a wider feature_port"
            )
        if 2 * len(self.lanes) >= STORE_REGION:
            raise ValueError(
                f"sample_bits: a board that takes compressed samples has room for {(STORE_REGION - 1) // 2} junctions, "
                f"and this network has {len(self.lanes)}"
            )
        room = 1 << REGION_SHIFT
        if self.sample_format.palette_words > room:
            raise ValueError(
                f"sample_bits is {bits}, and so the palettes have {self.sample_format.palette_words} values, more than "
                f"{room}; use fewer bits or sample_palettes 'shared'"
            )
        if self.store is not None and self.store.words > 2 * room:
            raise ValueError(
                f"store_samples must be at most {2 * room >> self.store.largest_slot} with these features, and is "
                f"{self.store_samples}"
            )

    @property
    def training(self) -> bool:
        """The board can learn."""
        return self.mode == "train"

    def result_bytes(self, form: ResultForm = ResultForm.SCORES) -> int:
        """Bytes of one result on the wire."""
        if form == ResultForm.CLASS:
            return class_bytes(self.network.classes)
        return self.network.layers[-1] * value_bytes(self.network.formats.output)

    def results_per_answer(self, form: ResultForm) -> int:
        """Whole results that one answer holds."""
        return MAX_PAYLOAD // self.result_bytes(form)

    @cached_property
    def junctions(self) -> tuple[Junction, ...]:
        return self.network.junctions_with(self.lanes)

    @cached_property
    def schedule(self) -> Schedule:
        return schedule(self.junctions, training=self.training, gap=self.gap)

    @cached_property
    def latency(self) -> int:
        """Cycles of one inference, from the transfer of a sample's first features into the core to that of its last
        scores out of it:

            N_0 / min(feature_port, z_1)     the features go into junction 1's banks
            + DECIDE + START                 a block starts
            + forward * period + start       of the output junction, as the schedule has it
            + prologue + C - 1               the output junction's edges, up to the turn of its last ones
            + forward_latency                to their scores
            + RESULT                         out of the core

        That is of a lone sample: the pipeline is idle, features come as fast as the core takes them, scores are taken
        at once, and a flush follows at once, whose empty blocks move the sample on (so it is counted as far as it is
        needed). The link to the host is not counted. The first sample after edges were written waits until stale delta
        sums are cleared.
        """
        output, plan = self.junctions[-1], self.schedule.junctions[-1]
        loaded = self.network.layers[0] // min(self.feature_port, self.lanes[0])
        begun = DECIDE + START + plan.forward * self.schedule.period + plan.start
        scored = self.schedule.prologue + output.cycles - 1 + forward_latency(output)
        return loaded + begun + scored + RESULT

    @cached_property
    def sample_format(self) -> SampleFormat | None:
        """How compressed samples are packed, if the board takes them."""
        if not self.sample_bits:
            return None
        return SampleFormat(
            bits=self.sample_bits,
            value_bits=self.network.formats.activation.width,
            palettes=self.sample_palettes,
            features=self.network.features,
            left=self.network.layers[0],
            port=self.feature_port,
            classes=self.network.classes,
        )

    @cached_property
    def store(self) -> StoreLayout | None:
        """The sample store, if the board has one."""
        if not self.store_samples or self.sample_format is None:
            return None
        fmt = self.sample_format
        return StoreLayout(memory=self.store_memory, words=self.store_samples << slot_for(fmt.most_words), format=fmt)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over shape, formats, lanes, schedule, ports, sample format and store; `identify` returns it."""
        others = {"network", "gap"}
        others |= set() if self.store else _STORE_KEYS
        others |= set() if self.sample_format else _SAMPLE_KEYS
        schedule = asdict(self.schedule)
        for junction in schedule["junctions"]:
            del junction["forward_slots"]  # boards from before have `activation_slots` of them, and the same bits
        content = {
            "version": CONTRACT_VERSION,
            "network": self.network.hash,
            "build": self.model_dump(mode="json", exclude=others),
            "schedule": schedule,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _divide(lanes: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """A build's lanes divide the network's."""
    return len(lanes) == len(whole) and all(own > 0 and z % own == 0 for own, z in zip(lanes, whole, strict=True))


def _port_fits(left: int, lanes: int, port: int) -> bool:
    """Transfers are whole, and each fills a part of the banks or all of them some times."""
    return left % port == 0 and (lanes % port == 0 or port % lanes == 0)
