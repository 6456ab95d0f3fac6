"""Training in PyTorch: sparse layers, networks, and quantisation-aware training that ends in a `Model`."""

from presparse.train.epochs import Metrics
from presparse.train.fit import fit, fit_network
from presparse.train.network import SparseNetwork
from presparse.train.quantised import QuantisedNetwork
from presparse.train.sparse_linear import SparseLinear

__all__ = ["Metrics", "QuantisedNetwork", "SparseLinear", "SparseNetwork", "fit", "fit_network"]
