"""How features of any unit and range become numbers that the formats hold."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.errors import DataError
from presparse.features.scaling import scaling

X = np.array([[0.0, 10, 5], [4, 30, 5], [2, 20, 5]])


def test_by_ranges() -> None:
    found = scaling(X, "per feature")
    assert found.offset.tolist() == [2, 20, 5]
    assert found.gain.tolist() == [0.25, 0.05, 1]
    found = scaling(X, "overall")
    assert (found.offset.tolist(), found.gain.tolist()) == ([15] * 3, [1 / 30] * 3)
    found = scaling(X, "none")
    assert (found.offset.tolist(), found.gain.tolist()) == ([0] * 3, [1] * 3)
    with pytest.raises(DataError, match=r"^scale must be 'auto', 'per feature', 'overall' or 'none', and is 'no'$"):
        scaling(X, "no")  # pyright: ignore[reportArgumentType]
