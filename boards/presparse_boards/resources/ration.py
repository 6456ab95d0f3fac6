"""An allocator: giving out what there is only so much of."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Kind = TypeVar("Kind", bound=Hashable)


class Ration(Generic[Kind]):
    """Allocator of as many of each kind as a plan says, first come, first served."""

    def __init__(self, plan: Mapping[Kind, int]) -> None:
        self._left = dict(plan)

    def __contains__(self, kind: Kind) -> bool:
        """Whether the plan knows this kind, even if none of it is left."""
        return kind in self._left

    def take(self, kind: Kind, wanted: int = 1) -> int:
        """How many of `wanted` there still are; they are gone then."""
        given = min(wanted, self._left[kind])
        self._left[kind] -= given
        return given
