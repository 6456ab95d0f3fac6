"""Safetensors files, of which every tensor is looked at before any is read."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from presparse.support import input_files

_LARGEST_HEADER = 1 << 22
"""Bytes of names, shapes and metadata."""
_MOST_DIMENSIONS = 8

_READABLE = {"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}
_DTYPES = {"numpy": _READABLE, "pt": _READABLE | {"BF16", "F8_E4M3", "F8_E5M2"}}
"""What each framework can hold, by the names that files use."""


def read(path: str | Path, framework: Literal["numpy", "pt"]) -> tuple[dict[str, str], dict[str, Any]]:
    """Metadata, and tensors by name: numpy arrays, or PyTorch's on the CPU.

    Raises OSError if the file cannot be read, SafetensorError if it does not hold such tensors.
    """
    path = input_files.checked(path)
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if header > _LARGEST_HEADER:
        raise SafetensorError(f"its header would have {header:,} bytes, and has at most {_LARGEST_HEADER:,}")
    with safe_open(path, framework=framework) as file:
        for key in file.keys():  # noqa: SIM118 (no mapping)
            tensor = file.get_slice(key)
            if tensor.get_dtype() not in _DTYPES[framework]:
                raise SafetensorError(f"{key} has dtype {tensor.get_dtype()}, which no such file has")
            if len(tensor.get_shape()) > _MOST_DIMENSIONS:
                raise SafetensorError(f"{key} has {len(tensor.get_shape())} dimensions, and at most {_MOST_DIMENSIONS}")
        try:
            return file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except MemoryError as error:
            raise OSError(errno.ENOMEM, "needs more memory than there is") from error
