"""Where `presparse sim` finds the benches of the gateware: entry points of the group `presparse.simulations`.

The host never imports a simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points

from presparse.contract.simulation import Verdict
from presparse.errors import MissingExtra

GROUP = "presparse.simulations"
EXTRA = "pip install 'presparse[sim,train]'"


def benches() -> Callable[..., Iterator[Verdict]]:
    """`presparse_sim.benches.service.simulate`. Raises MissingExtra if it is not installed."""
    for point in entry_points(group=GROUP, name="benches"):
        try:
            return point.load()
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"presparse sim needs the Python package {error.name}, which is not installed: {EXTRA}"
            ) from error
    raise MissingExtra(f"presparse sim needs a part of Presparse that is not installed: {EXTRA}")
