"""What `presparse export` leaves in a folder beside the Verilog: which machine it is, and which files belong to it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from presparse.contract.build import Build, Mode
from presparse.contract.description import Description

EXPORT_VERSION = 1
MANIFEST = "export.json"


class Export(Description):
    """An exported core."""

    version: Literal[1] = EXPORT_VERSION
    name: str = Field(description="of the network")
    mode: Mode
    lanes: tuple[int, ...]
    feature_port: int = Field(description="features per transfer of a sample")
    contract_hash: str = Field(description="of the build: two cores that have the same are the same machine")
    cycles_per_sample: int = Field(description="in steady state, if features come as fast")
    top_module: str = Field(description="the Verilog module")
    ports: int = Field(description="that it has; ports.json tells each")
    simulate: str = Field(description="shell commands that compile and run the test bench, in the folder")
    files: dict[str, str] = Field(description="name: SHA-256")
    build: Build
