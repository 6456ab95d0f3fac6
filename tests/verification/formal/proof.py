"""What a proof is: a claim about a part of the gateware, its spec, and how it is to be proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.hdl import Elaboratable


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A claim that solvers check for every input and every cycle.

    The spec is a design of its own: it holds the part, drives its inputs with anything that `Assume` allows, and
    says with `Assert` what must never be otherwise. Its `Cover`s are reached by the same solver, so that no
    assumption makes the claim empty.
    """

    name: str
    """subject/property; the subject is the gateware's module."""
    claim: str
    """What is proved, in one sentence."""
    spec: Callable[[], Elaboratable]
    depth: int
    """k of k-induction; of a bounded proof the cycles from power-on that are explored."""
    bounded: str = ""
    """Why `depth` cycles are enough, if this is no proof for all cycles."""
    cover_depth: int
    """Cycles within which every `Cover` is reached."""
    fast: bool = True
    """Cheap enough for `make test`."""

    @property
    def method(self) -> str:
        return "bounded" if self.bounded else "k-induction"
