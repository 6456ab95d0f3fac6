"""Convolution kernels from images alone: K-means of whitened patches.

After A. Coates and A. Y. Ng, "Learning Feature Representations with K-means", 2012: patches of equal brightness and
contrast, whitened, so that neighboring pixels say different things; the centers of their clusters are the kernels.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from presparse.errors import MissingExtra

_CONTRAST = 10.0
"""Levels, of 255: the deviation that is added to a patch's own, which keeps noise small."""
_SMOOTHING = 0.1
"""Added to the variances that whitening makes 1, as it is with patches whose own variance is 1."""
_ITERATIONS = 30


def learned_kernels(patches: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Patches (k, pixels), k >= count, to kernels (count, pixels), each with a sum of 0.

    Raises MissingExtra without scipy.
    """
    try:
        from scipy.cluster.vq import kmeans2
    except ImportError as error:
        raise MissingExtra("learning kernels needs scipy: pip install 'presparse[train]'") from error
    even = patches - patches.mean(axis=1, keepdims=True)
    even /= np.sqrt(even.var(axis=1, keepdims=True) + _CONTRAST**2)
    even -= even.mean(axis=0)
    variances, directions = np.linalg.eigh(even.T @ even / len(even))
    whitening = directions / np.sqrt(variances.clip(min=0) + _SMOOTHING) @ directions.T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a cluster that became empty: its center stays where it was
        centers, _ = kmeans2(even @ whitening, count, iter=_ITERATIONS, minit="++", seed=rng)
    kernels = centers @ whitening
    return kernels - kernels.mean(axis=1, keepdims=True)
