"""Samples to the bytes of sample records, and bytes to results (docs/protocol.md, Requests)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from presparse.contract.formats import Format
from presparse.contract.network import Network
from presparse.contract.sample_words import Palettes
from presparse.contract.samples import Samples
from presparse.contract.wire import (
    COMPRESSED,
    COMPRESSED_HEADER,
    RECORD_HEADER,
    ResultForm,
    class_bytes,
    value_bytes,
)

_WORD_BYTES = 2


@dataclass(frozen=True, eq=False)
class Records:
    """The records of k samples, one after the other."""

    data: bytes
    starts: NDArray[np.int64]
    """(k + 1,): the byte where each begins, and the end of the last."""


def record_bytes(network: Network) -> int:
    """Bytes of one record that is not compressed."""
    return _record(network).itemsize


def raw_records(network: Network, samples: Samples) -> Records:
    """Every feature as it is."""
    records = np.empty(len(samples), dtype=_record(network))
    records["kind"] = samples.kinds
    records["rate"] = samples.rates
    records["label"] = samples.labels
    records["features"] = samples.features
    return Records(records.tobytes(), np.arange(len(samples) + 1) * records.itemsize)


def compressed_records(palettes: Palettes, samples: Samples) -> Records:
    """Sample words. Raises StoreError if the palettes lack a value, SampleError for a label out of range."""
    words, lengths = palettes.pack(samples.features, samples.labels)
    firsts = np.cumsum(lengths + 1) - (lengths + 1)
    whole = np.empty(len(words) + len(lengths), dtype="<u2")
    behind = np.ones(len(whole), dtype=bool)
    behind[firsts] = False
    whole[firsts] = (samples.kinds + COMPRESSED) | samples.rates.astype(np.uint16) << 8
    whole[behind] = words
    assert COMPRESSED_HEADER.size == _WORD_BYTES  # so a record is words all over
    return Records(whole.tobytes(), np.append(firsts, len(whole)) * _WORD_BYTES)


def unpack_results(network: Network, form: ResultForm, results: bytes) -> NDArray[np.int64]:
    """Scores (m, N_L) or classes (m,) from whole results."""
    if form == ResultForm.CLASS:
        return np.frombuffer(results, dtype=f"<u{class_bytes(network.classes)}").astype(np.int64)
    scores = np.frombuffer(results, dtype=_value(network.formats.output))
    return scores.astype(np.int64).reshape(-1, network.layers[-1])


def _record(network: Network) -> np.dtype[np.void]:
    value = _value(network.formats.activation)
    record = np.dtype([("kind", "u1"), ("rate", "u1"), ("label", "<u2"), ("features", value, (network.layers[0],))])
    assert record.itemsize == RECORD_HEADER.size + network.layers[0] * value.itemsize
    return record


def _value(fmt: Format) -> np.dtype[np.signedinteger]:
    return np.dtype(f"<i{value_bytes(fmt)}")
