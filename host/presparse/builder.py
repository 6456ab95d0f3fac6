"""Where the command line finds what makes bitstreams: entry points of the group `presparse.builder`.

The host never imports a board. A builder takes networks, builds and plain values, and returns the contract's models.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from presparse.errors import MissingExtra

GROUP = "presparse.builder"
EXTRA = "pip install 'presparse[build]'"


def builder(name: str) -> Callable[..., Any]:
    """What `presparse NAME` calls: build, program, boards or estimate. Raises MissingExtra if it is not installed."""
    for point in entry_points(group=GROUP, name=name):
        try:
            return point.load()
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"presparse {name} needs the Python package {error.name}, which is not installed: {EXTRA}"
            ) from error
    raise MissingExtra(f"presparse {name} needs a part of Presparse that is not installed: {EXTRA}")
