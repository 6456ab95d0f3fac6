"""Samples to the bytes of sample records, and bytes to scores (docs/protocol.md, Requests)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from presparse.contract.formats import Format
from presparse.contract.network import Network
from presparse.contract.samples import Samples
from presparse.contract.wire import RECORD_HEADER, value_bytes


def record_bytes(network: Network) -> int:
    """Bytes of one sample record."""
    return _record(network).itemsize


def pack(network: Network, samples: Samples) -> bytes:
    """The records of `samples`, one after the other."""
    records = np.empty(len(samples), dtype=_record(network))
    records["kind"] = samples.kinds
    records["rate"] = samples.rates
    records["label"] = samples.labels
    records["features"] = samples.features
    return records.tobytes()


def unpack_scores(network: Network, results: bytes) -> NDArray[np.int64]:
    """Scores (m, N_L) from whole results."""
    return np.frombuffer(results, dtype=_value(network.formats.output)).astype(np.int64).reshape(-1, network.layers[-1])


def _record(network: Network) -> np.dtype[np.void]:
    value = _value(network.formats.activation)
    record = np.dtype([("kind", "u1"), ("rate", "u1"), ("label", "<u2"), ("features", value, (network.layers[0],))])
    assert record.itemsize == RECORD_HEADER.size + network.layers[0] * value.itemsize
    return record


def _value(fmt: Format) -> np.dtype[np.signedinteger]:
    return np.dtype(f"<i{value_bytes(fmt)}")
