"""Candidates that suit a board: they fit it, and what is known of them meets what is asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from presparse import estimation
from presparse.contract.build import Mode
from presparse.contract.network import SHIPPED, Network
from presparse.errors import SearchError
from presparse.messages.bundle import Manifest
from presparse.messages.estimate import Estimate
from presparse.messages.store import StoreWish
from presparse.model_search.proposals.candidates import Proposals
from presparse.model_search.ranking.objectives import Objectives
from presparse.trials.trial import Figures

_MOST_REFUSED = 100
"""Proposals in a row that do not suit, until the search gives up: then hardly any does."""


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """A candidate that fits the board."""

    network: Network
    rate: int
    """k of its first learning rate, 2^-k."""
    estimate: Estimate

    @cached_property
    def known(self) -> Figures:
        """What is known of it before it is trained."""
        return known(self.network, self.estimate)

    @property
    def shipped(self) -> bool:
        """It comes with Presparse."""
        return self.network.name in SHIPPED


def known(network: Network, on_board: Estimate | Manifest) -> Figures:
    """What a network is on a board, estimated or built, by the names that `ranking.objectives` has."""
    return {
        "speed": on_board.samples_per_second,
        "lut": float(on_board.use.lut.used),
        "latency": on_board.latency_us,
        "edges": float(network.edges),
    }


class FittingCandidates:
    """By number, each found when it is first asked for; the same for the same proposals and board."""

    def __init__(
        self, proposals: Proposals, objectives: Objectives, *, board: str, mode: Mode, store: StoreWish
    ) -> None:
        self._proposals, self._objectives = proposals, objectives
        self._board = board
        self._mode: Mode = mode
        self._store: StoreWish = store
        self._found: list[Fitting] = []
        self._proposed = 0
        self._missed: Figures | None = None
        """Of one that fits and misses a bound."""

    def __getitem__(self, number: int) -> Fitting:
        """Raises SearchError if hardly any proposal suits, BoardError for an unknown board."""
        while len(self._found) <= number:
            self._found.append(self._next())
        return self._found[number]

    def _next(self) -> Fitting:
        for _ in range(_MOST_REFUSED):
            proposal = self._proposals[self._proposed]
            self._proposed += 1
            estimate = estimation.estimate(proposal.network, self._board, mode=self._mode, store=self._store)
            network = proposal.network
            if network.name not in SHIPPED:
                network = network.model_copy(update={"name": f"net{len(self._found)}"})
            found = Fitting(network=network, rate=proposal.rate, estimate=estimate)
            if not estimate.fits:
                continue
            if self._objectives.possible(found.known):
                return found
            self._missed = found.known
        if self._missed is None:
            raise SearchError(
                f"none of {self._proposed:,} networks proposed fits {self._board}; give a larger board, or a space of "
                "smaller networks (--space)"
            )
        asked = ", ".join(f"{name} {bound:g}" for name, bound in self._objectives.at_least.items())
        had = ", ".join(
            f"{name} {self._missed[name]:.4g}" for name in self._objectives.at_least if name in self._missed
        )
        raise SearchError(
            f"hardly any of {self._proposed:,} networks proposed fits {self._board} with {asked}; the last that fits "
            f"has {had}: ask for less, or give another board or space"
        )
