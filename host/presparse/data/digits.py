"""scikit-learn's small images of digits."""

from __future__ import annotations

import numpy as np

from presparse.data.labeled import Data
from presparse.errors import DataError


def load_digits() -> Data:
    """scikit-learn's digits: 1,797 images of 8 x 8 grey levels 0 to 16, 10 classes.

    Raises DataError if scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits as digits
    except ImportError as error:
        raise DataError(
            "digits comes with scikit-learn, which is not installed: pip install 'presparse[train]'"
        ) from error
    X, y = digits(return_X_y=True)
    return X.astype(np.float64), y.astype(np.int64)
