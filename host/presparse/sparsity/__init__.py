"""Penalties that make a PyTorch model sparse, and the optimizer that makes its zeros exact."""

from presparse.sparsity.binding import groups_of
from presparse.sparsity.groups import Groups
from presparse.sparsity.left_over import LayerLeft, LeftOver, left_over
from presparse.sparsity.penalties import L1, L2, ElasticNet, GroupLasso, Penalty, Regularizer, SparseGroupLasso
from presparse.sparsity.proximal import ProximalOptimizer

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
    "SparseGroupLasso",
    "groups_of",
    "left_over",
]
