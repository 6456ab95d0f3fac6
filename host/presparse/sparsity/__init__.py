"""Penalties that make a PyTorch model sparse, the optimizer that makes its zeros exact, and the features they leave."""

from typing import TYPE_CHECKING

from presparse.sparsity.binding import groups_of
from presparse.sparsity.groups import Groups
from presparse.sparsity.left_over import LayerLeft, LeftOver, left_over
from presparse.sparsity.penalties import L1, L2, ElasticNet, GroupLasso, Penalty, Regularizer, SparseGroupLasso
from presparse.sparsity.proximal import ProximalOptimizer

if TYPE_CHECKING:
    from presparse.sparsity.selector import SparseFeatureSelector as SparseFeatureSelector

__all__ = [
    "L1",
    "L2",
    "ElasticNet",
    "GroupLasso",
    "Groups",
    "LayerLeft",
    "LeftOver",
    "Penalty",
    "ProximalOptimizer",
    "Regularizer",
    "SparseFeatureSelector",
    "SparseGroupLasso",
    "groups_of",
    "left_over",
]


def __getattr__(name: str) -> object:
    """The selector when it is used: penalties do without scikit-learn."""
    if name != "SparseFeatureSelector":
        raise AttributeError(f"module 'presparse.sparsity' has no attribute {name!r}")
    from presparse.sparsity.selector import SparseFeatureSelector

    return SparseFeatureSelector
