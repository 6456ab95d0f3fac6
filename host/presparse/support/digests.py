"""What tells arrays from other arrays."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike


def digest(*arrays: ArrayLike) -> str:
    """Tells samples from other samples: SHA-256 over shapes, types and contents."""
    found = hashlib.sha256()
    for array in map(np.asarray, arrays):
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()
