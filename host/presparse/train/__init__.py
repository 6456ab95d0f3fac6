"""Training in PyTorch: sparse layers, networks, and quantization-aware training that ends in a `Model`."""

from presparse.train.fit import fit, fit_network
from presparse.train.network import SparseNetwork
from presparse.train.quantized import QuantizedNetwork
from presparse.train.sparse_linear import SparseLinear

__all__ = ["QuantizedNetwork", "SparseLinear", "SparseNetwork", "fit", "fit_network"]
