"""`ps.estimate`: whether a network fits a board, and how fast it runs there, before synthesis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from presparse import plugins
from presparse.contract.build import Build, Mode
from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.messages.estimate import Estimate
from presparse.messages.store import StoreWish
from presparse.validation import checked_mode


def estimate(
    network: Network | Build | str | Path,
    board: str,
    *,
    mode: Mode = "train",
    lanes: Sequence[int] = (),
    store: StoreWish = "auto",
    sample_bits: int = 0,
) -> Estimate:
    """A network (given as such, by name or by file) on a board: verdict, use, clock, samples per second, latency.

    Without `lanes` (one number per junction) it gets those that make it fastest there, or, if none fit, the fewest, and
    `advice` says what would fit. `store` is a number of samples in block RAM, "sdram", "none", or "auto": SDRAM if the
    board has one and the design fits. `sample_bits` are those of a feature in a compressed sample; 0: as many as usual.
    A Build is estimated as it is, and brings all these itself.

    Raises MissingExtra without `presparse[build]`, BoardError for an unknown board, NetworkError, BuildError for lanes
    that the network does not allow.
    """
    options = {"sample_bits": sample_bits} if sample_bits else {}
    checked_mode(mode)
    if isinstance(network, Build):
        if (mode, tuple(lanes), store, options) != ("train", (), "auto", {}):
            raise ArgumentError("a Build has its own mode, lanes and store; leave them out, or give its network")
        build = network
        own = build.model_fields_set - {"network", "lanes", "mode", "store_samples"}
        options = {key: getattr(build, key) for key in own}
        network, mode, lanes, store = build.network, build.mode, build.lanes, build.store_samples
    elif not isinstance(network, Network):
        network = Network.load(network)
    found: tuple[Estimate, ...] = plugins.builder("estimate")(
        network, (board,), mode=mode, lanes=tuple(lanes), store=store, options=options
    )
    return found[0]
