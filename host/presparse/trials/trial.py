"""What a trial is: values that say all that it depends on, and figures that it measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Trial = Mapping[str, Any]
"""Everything that a trial depends on, its seed included, as JSON has it: numbers, texts, lists, mappings."""
Figures = Mapping[str, float]
"""What a trial measured."""
Done = list[tuple[Trial, Figures]]
"""Trials that were made, in the order of the plan."""


def key(trial: Trial) -> str:
    """Equal for equal trials, whatever the order of their values."""
    return json.dumps(dict(trial), sort_keys=True)
