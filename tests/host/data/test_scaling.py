"""Ranges of features."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.data import scaling
from presparse.errors import DataError, FeatureError


def test_scaling() -> None:
    X = np.array([[0.0, 10, 5], [4, 30, 5], [2, 20, 5]])
    offset, gain = scaling(X)
    assert offset.tolist() == [2, 20, 5]
    assert gain.tolist() == [0.25, 0.05, 1]
    offset, gain = scaling(X, "overall")
    assert (offset.tolist(), gain.tolist()) == ([15] * 3, [1 / 30] * 3)
    offset, gain = scaling(X, "none")
    assert (offset.tolist(), gain.tolist()) == ([0] * 3, [1] * 3)
    with pytest.raises(DataError, match=r"^scale must be 'per feature', 'overall' or 'none', and is 'no'$"):
        scaling(X, "no")  # pyright: ignore[reportArgumentType]


def test_scaling_of_what_is_no_array() -> None:
    assert [part.tolist() for part in scaling([[0, 10], [4, 30]])] == [[2, 20], [0.25, 0.05]]
    for X in ([1.0, 2.0], 3, [], [[]], [["a"]], [[np.nan]]):
        with pytest.raises(FeatureError, match=r"^X must "):
            scaling(X)
