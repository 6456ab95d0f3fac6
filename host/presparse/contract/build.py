"""A build: one network with the lanes, schedule and ports that a piece of gateware has."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cached_property
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from presparse.contract.description import Description
from presparse.contract.errors import BuildError, PresparseError
from presparse.contract.network import Junction, Network, check_lanes
from presparse.contract.schedule import Schedule, schedule
from presparse.contract.wire import MAX_PAYLOAD, value_bytes

CONTRACT_VERSION = 1
"""Changes whenever gateware of the old version would compute or store anything differently."""


class Build(Description):
    """Everything that shapes the gateware. Two builds with one `hash` are the same machine.

    `lanes` are the network's unless given: divisors of those, per junction. `mode` "infer" leaves training out.
    `gap` idle cycles per block are wanted (the schedule takes more if it must), `feature_port` features go into
    the core at once, and `result_capacity` predictions fit the board.

    Raises BuildError, naming the key, its value and how to mend it.
    """

    refusal: ClassVar[type[PresparseError]] = BuildError

    network: Network
    lanes: tuple[int, ...] = Field(
        default=(), validate_default=True, description="lanes per junction; empty: the network's"
    )
    mode: Literal["train", "infer"] = "train"
    gap: int = Field(default=0, ge=0, le=65536, description="idle cycles wanted per block; the smallest valid is used")
    feature_port: int = Field(default=1, ge=1, description="features per transfer of the core's sample stream")
    result_capacity: int = Field(default=64, ge=1, le=4096, description="predicted samples the board can hold")

    @field_validator("lanes")
    @classmethod
    def _default_lanes(cls, lanes: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        network: Network | None = info.data.get("network")  # None if it was refused itself
        return network.lanes if network is not None and not lanes else lanes

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
        port = self.feature_port
        if left % port or (first % port and port % first):
            raise ValueError(
                f"feature_port must divide the {left} left neurons and divide or be a multiple of the {first} "
                f"lanes of junction 1, and is {port}"
            )
        in_flight = self.schedule.junctions[-1].forward + 1
        if self.result_capacity < in_flight:
            raise ValueError(
                f"result_capacity must be at least {in_flight}, the predictions in flight at once, and is "
                f"{self.result_capacity}"
            )
        if self.result_bytes > MAX_PAYLOAD:
            raise ValueError(
                f"one result must fit a frame of {MAX_PAYLOAD} bytes, and {self.network.layers[-1]} outputs take "
                f"{self.result_bytes}; use a smaller output layer or format"
            )
        return self

    @property
    def training(self) -> bool:
        """The board can learn."""
        return self.mode == "train"

    @property
    def result_bytes(self) -> int:
        """Bytes of one result on the wire."""
        return self.network.layers[-1] * value_bytes(self.network.formats.output)

    @property
    def results_per_answer(self) -> int:
        """Whole results that one answer holds."""
        return MAX_PAYLOAD // self.result_bytes

    @cached_property
    def junctions(self) -> tuple[Junction, ...]:
        return self.network.junctions_with(self.lanes)

    @cached_property
    def schedule(self) -> Schedule:
        return schedule(self.junctions, training=self.training, gap=self.gap)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over shape, formats, lanes, schedule and ports; `identify` returns it."""
        content = {
            "version": CONTRACT_VERSION,
            "network": self.network.hash,
            "build": self.model_dump(mode="json", exclude={"network", "gap"}),
            "schedule": asdict(self.schedule),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
