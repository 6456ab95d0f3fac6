"""What a bench inside a simulator is to do, handed over in a file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from pydantic import Field

from presparse.contract.build import Build
from presparse.contract.description import Description
from presparse.contract.network import Junction

VARIABLE = "PRESPARSE_BENCH"
"""Environment variable that names the file."""


class Task(Description):
    """One bench."""

    build: Build
    index: int = Field(default=0, description="the junction of a lane's or a junction's bench, counted from 0")
    seed: int
    samples: int = Field(ge=1)
    clock_hz: float = Field(default=100e6, description="of the simulated clock")
    baud: float = Field(default=0.0, description="of the host's side of the pins")
    journal: Path = Field(description="the file that the bench writes")

    @classmethod
    def given(cls) -> Task:
        """The task of this simulation."""
        return cls.model_validate_json(Path(os.environ[VARIABLE]).read_bytes())

    @property
    def junction(self) -> Junction:
        return self.build.junctions[self.index]

    @property
    def rng(self) -> np.random.Generator:
        """A fresh generator of the task's seed."""
        return np.random.default_rng(self.seed)
