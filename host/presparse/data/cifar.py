"""CIFAR-10, from the binary batches in which it is published.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. A batch is records of 3,073 bytes: the
class, then the red, the green and the blue plane of 32 x 32 pixels, each row by row.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.data.labeled import Data
from presparse.data.mnist import DATA_VARIABLE
from presparse.errors import DataError
from presparse.support import input_files

CIFAR10_SHAPE = (32, 32, 3)
"""Rows, columns and channels (red, green, blue) of an image, as X has them."""
CIFAR10_FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_UNPACKED = "cifar-10-batches-bin"
"""The folder that the published archive unpacks to."""
_CLASSES = 10
_RECORD = 1 + 3 * 32 * 32
"""Bytes."""


def load_cifar10(part: Literal["train", "test"] = "train", folder: str | Path | None = None) -> Data:
    """CIFAR-10: 50,000 (train) or 10,000 (test) images of 32 x 32 pixels, levels 0 to 255 of red, green and blue.

    X (k, 3072) holds an image row by row, the colors of a pixel beside each other, as images are in numpy
    (`CIFAR10_SHAPE`). y (k,) is a class, 0 to 9: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

    Read from the binary batches (`CIFAR10_FILES`) in `folder`, or in the folder that PRESPARSE_DATA names, or in a
    folder cifar-10-batches-bin there. Raises DataError if files are not there or not whole; nothing is downloaded.
    """
    names = CIFAR10_FILES[part]
    where = folder or os.environ.get(DATA_VARIABLE)
    if not where:
        raise DataError(
            f"CIFAR-10's folder is not known; set {DATA_VARIABLE} to a folder that holds {', '.join(names)} "
            "(the binary version)"
        )
    unpacked = Path(where) / _UNPACKED
    records = [_read_batch((unpacked if unpacked.is_dir() else Path(where)) / name) for name in names]
    together = np.concatenate(records)
    planes = together[:, 1:].reshape(-1, 3, 32, 32)
    X = planes.transpose(0, 2, 3, 1).reshape(len(planes), -1)
    return X.astype(np.float64), together[:, 0].astype(np.int64)


def _read_batch(path: Path) -> NDArray[np.uint8]:
    """(k, 3073): class and pixels of every image."""
    try:
        content = input_files.read(path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); "
            f"set {DATA_VARIABLE} to the folder of CIFAR-10's binary version"
        ) from error
    if not content or len(content) % _RECORD:
        raise DataError(
            f"{path}: holds {len(content):,} bytes, and a batch is records of {_RECORD:,} bytes; get it again"
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, _RECORD)
    wrong = np.flatnonzero(records[:, 0] >= _CLASSES)
    if wrong.size:
        raise DataError(
            f"{path}: classes are 0 to {_CLASSES - 1}, and that of record {wrong[0]} is {records[wrong[0], 0]}; "
            "get it again (CIFAR-100 and the Python version are other files)"
        )
    return records
