"""MNIST, from IDX files or from OpenML."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from http.client import HTTPException
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.data.labeled import Data
from presparse.errors import DataError
from presparse.support import input_files

DATA_VARIABLE = "PRESPARSE_DATA"
"""Environment variable: the folder that holds MNIST, and CIFAR-10."""

_MNIST_FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
MNIST_FILES = tuple(chain.from_iterable(_MNIST_FILES.values()))
"""What that folder holds."""
_TRAINING, _TEST = 60_000, 10_000
_BYTES = 0x08
"""IDX's code for unsigned bytes."""
_MOST_DIMENSIONS = 3


def load_mnist(
    part: Literal["train", "test"] = "train", folder: str | Path | None = None, *, download: bool = False
) -> Data:
    """MNIST: 60,000 (train) or 10,000 (test) images of 28 x 28 grey levels 0 to 255, 10 classes.

    Read from IDX files in `folder`, or in the folder that PRESPARSE_DATA names. With neither, and `download`,
    scikit-learn fetches the same images from OpenML and keeps them in its own cache. Raises DataError if files are
    not there or not whole, or if the download fails; nothing is ever downloaded unasked.
    """
    where = folder or os.environ.get(DATA_VARIABLE)
    files = _MNIST_FILES[part]
    if not where:
        if download:
            return _downloaded(part)
        raise DataError(
            f"MNIST's folder is not known; set {DATA_VARIABLE} to a folder that holds {files[0]} and {files[1]}, "
            "or allow the download (download=True in Python)"
        )
    images, labels = (_read_idx(Path(where) / name) for name in files)
    if images.ndim != 3 or labels.shape != (len(images),):
        raise DataError(
            f"{where}: {files[0]} holds images of shape {images.shape}, {files[1]} labels of shape {labels.shape}; "
            "get both again"
        )
    return images.reshape(len(images), -1).astype(np.float64), labels.astype(np.int64)


def _downloaded(part: Literal["train", "test"]) -> Data:
    """OpenML's data set mnist_784: the training images, followed by the test images."""
    try:
        from sklearn.datasets import fetch_openml
    except ImportError as error:
        raise DataError(
            "scikit-learn downloads MNIST, and is not installed: pip install 'presparse[train]', "
            f"or set {DATA_VARIABLE} to the folder of MNIST"
        ) from error
    try:
        # This parser needs no pandas.
        X, y = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False, parser="liac-arff")
    except (OSError, HTTPException, ValueError) as error:
        raise DataError(
            f"MNIST could not be downloaded from OpenML ({error}); "
            f"set {DATA_VARIABLE} to a folder that holds {', '.join(chain.from_iterable(_MNIST_FILES.values()))}"
        ) from error
    if X.shape != (_TRAINING + _TEST, 28 * 28):
        raise DataError(
            f"MNIST from OpenML has shape {X.shape} instead of {(_TRAINING + _TEST, 28 * 28)}; set {DATA_VARIABLE} to "
            "the folder of MNIST"
        )
    samples = slice(_TRAINING) if part == "train" else slice(_TRAINING, None)
    return X[samples].astype(np.float64), y[samples].astype(np.int64)  # labels come as text


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """A gzipped IDX file of bytes: 0, 0, type, dimensions; each dimension big-endian; contents."""
    try:
        with gzip.open(input_files.checked(path)) as file:
            start = file.read(4)
            if len(start) < 4 or start[:3] != bytes([0, 0, _BYTES]) or start[3] > _MOST_DIMENSIONS:
                raise DataError(f"{path}: not an IDX file of bytes (starts with {start.hex(' ')}); get it again")
            header = file.read(4 * start[3])
            shape = struct.unpack(f">{len(header) // 4}I", header) if len(header) % 4 == 0 else ()
            size = math.prod(shape)
            if not 0 < size <= input_files.LARGEST:
                raise DataError(f"{path}: holds {size:,} bytes of shape {shape}, says its header; get it again")
            content = file.read(size + 1)  # and no more, however much it unpacks to
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: truncated or not gzip ({error}); get it again") from error
    except MemoryError as error:
        raise DataError(f"{path}: unpacked it needs more memory than there is; get it again") from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); set {DATA_VARIABLE} to the folder of MNIST"
        ) from error
    if len(header) != 4 * start[3] or len(content) != size:
        raise DataError(f"{path}: is shorter or longer than its header says; get it again")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
