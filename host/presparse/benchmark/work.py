"""What a build's multipliers could do, and what they do: products, utilization, the limit. All from the contract."""

from __future__ import annotations

from dataclasses import dataclass

from presparse.contract.build import Build
from presparse.contract.multipliers import multipliers


@dataclass(frozen=True, kw_only=True)
class Work:
    """Multiplications of one trained (inference build: predicted) sample, and the multipliers that do them."""

    products: int
    """Useful products per sample: one per edge for FF, and in training one for UP, and one for BP behind
    junction 1."""
    multipliers: int
    """All that the build has, those for derivatives too."""

    @classmethod
    def of(cls, build: Build) -> Work:
        operations = [1 if not build.training else 2 if j.index == 1 else 3 for j in build.junctions]
        return cls(
            products=sum(j.edges * count for j, count in zip(build.junctions, operations, strict=True)),
            multipliers=sum(group.count for group in multipliers(build)),
        )

    def utilization(self, cycles: float) -> float:
        """Share of all multiplier cycles that give a useful product, if a sample takes `cycles`; at most 1."""
        return self.products / (self.multipliers * cycles)

    def limit(self, hertz: float) -> float:
        """Samples per second if every multiplier gave a useful product in every cycle."""
        return self.multipliers * hertz / self.products
