"""Proposals that suit: those that fit the board, and whose known figures meet what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from presparse import estimation
from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.messages.estimate import Estimate
from presparse.messages.store import StoreWish
from presparse.search.found import SMALLER
from presparse.search.space import Proposal, Proposals
from presparse.search.subject import Mode

_MOST_REFUSED = 500
"""Proposals in a row that do not suit, until the search gives up: then hardly any does."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A proposal that fits the board."""

    number: int
    """Among those that suit."""
    proposal: Proposal
    estimate: Estimate

    @property
    def network(self) -> Network:
        return self.proposal.network

    @property
    def known(self) -> dict[str, float]:
        """What is known of it before it is trained."""
        return known(self.network, self.estimate)


def known(network: Network, estimate: Estimate) -> dict[str, float]:
    """What an estimate says of a network, by the names of `presparse.search.found.FIGURES`."""
    return {
        "speed": estimate.samples_per_second,
        "lut": float(estimate.use.lut.used),
        "latency": estimate.latency_us,
        "edges": float(network.edges),
    }


class Candidates:
    """By number, each drawn when it is first asked for; the same for the same space, seed, data and board."""

    def __init__(
        self, proposals: Proposals, *, board: str, mode: Mode, store: StoreWish, at_least: Mapping[str, float]
    ) -> None:
        self._proposals = proposals
        self._board, self._mode, self._store = board, mode, store
        self._at_least = {name: value for name, value in at_least.items() if name != "accuracy"}
        self._suiting: list[Candidate] = []
        self._drawn = 0
        self.too_large = 0
        """Proposals that did not fit the board."""
        self._nearest: tuple[float, dict[str, float]] | None = None

    def __getitem__(self, number: int) -> Candidate:
        """Raises ArgumentError if hardly any proposal suits."""
        while len(self._suiting) <= number:
            self._draw()
        return self._suiting[number]

    def _draw(self) -> None:
        for _ in range(_MOST_REFUSED):
            proposal = self._proposals[self._drawn]
            self._drawn += 1
            estimate = estimation.estimate(proposal.network, self._board, mode=self._mode, store=self._store)
            if not estimate.fits:
                self.too_large += 1
                continue
            figures = known(proposal.network, estimate)
            short = sum(_short(name, figures[name], value) for name, value in self._at_least.items())
            if not short:
                self._suiting.append(
                    Candidate(number=len(self._suiting), proposal=proposal, estimate=estimate)
                )
                return
            if self._nearest is None or short < self._nearest[0]:
                self._nearest = short, figures
        asked = ", ".join(f"{name} {value:g}" for name, value in self._at_least.items())
        if self._nearest is not None:
            had = ", ".join(f"{name} {self._nearest[1][name]:.4g}" for name in self._at_least)
            raise ArgumentError(
                f"of {self._drawn:,} networks proposed, hardly any that fits {self._board} has {asked}; the nearest "
                f"has {had}: ask for less, or give another board or space"
            )
        raise ArgumentError(
            f"none of the {self._drawn:,} networks proposed fits {self._board}; give a larger board, or a space of "
            "smaller networks"
        )


def _short(name: str, figure: float, value: float) -> float:
    """Share that is missing; 0 if none is."""
    if name in SMALLER:
        return max(0.0, figure / value - 1)
    return max(0.0, 1 - figure / value)
