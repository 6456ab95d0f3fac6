"""`ps.estimate`: whether a network fits a board, and how fast it runs there, before synthesis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from presparse import plugins
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.messages.estimate import Estimate


def estimate(
    network: Network | Build | str | Path,
    board: str,
    *,
    mode: Literal["train", "infer"] = "train",
    lanes: Sequence[int] = (),
    store_samples: int = 0,
    sample_bits: int = 0,
) -> Estimate:
    """A network (given as such, by name or by file) on a board: verdict, use, clock, samples per second, latency.

    Without `lanes` (one number per junction) it gets those that make it fastest there, or, if none fit, the fewest, and
    `advice` says what would fit. `store_samples` and `sample_bits` ask for a sample store. A Build is estimated as it
    is, and brings all these itself.

    Raises MissingExtra without `presparse[build]`, BoardError for an unknown board, NetworkError, BuildError for lanes
    that the network does not allow.
    """
    options = {key: n for key, n in (("store_samples", store_samples), ("sample_bits", sample_bits)) if n}
    if mode not in ("train", "infer"):
        raise ArgumentError(f"mode must be 'train' or 'infer', and is {mode!r}")
    if isinstance(network, Build):
        if (mode, tuple(lanes), options) != ("train", (), {}):
            raise ArgumentError("a Build has its own mode, lanes and store; leave them out, or give its network")
        build = network
        options = {key: getattr(build, key) for key in build.model_fields_set - {"network", "lanes", "mode"}}
        network, mode, lanes = build.network, build.mode, build.lanes
    elif not isinstance(network, Network):
        network = Network.load(network)
    found: tuple[Estimate, ...] = plugins.builder("estimate")(
        network, (board,), mode=mode, lanes=tuple(lanes), options=options
    )
    return found[0]
