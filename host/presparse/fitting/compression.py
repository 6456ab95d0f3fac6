"""Which palettes a board's compressed samples go by, and when it pays to give it others."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from presparse.contract.sample_words import Palettes, SampleFormat
from presparse.device.protocol import Device
from presparse.device.wire_records import record_bytes
from presparse.errors import StoreError
from presparse.model import Model

Encoded = NDArray[np.signedinteger]
"""Features (k, N_0), integers of the activation format."""

_LOG = logging.getLogger(__name__)
_LOOKED_AT = 256
"""Samples that show how many bytes words take."""
_COUNTED = 10_000
"""Samples that show which value is the most frequent."""
_TRANSFERS = 2
"""Of every word of a palette: it is written, and read back."""


def palettes_for(fmt: SampleFormat, model: Model, features: Encoded) -> Palettes:
    """All values of encoded features (k, N_0), and all that samples of the model can have if its inputs are rounded.
    Raises StoreError if they are too many."""
    own = model.inputs.palettes
    if not own.size:
        return Palettes.of(fmt, features)
    activation = model.network.formats.activation
    possible = np.zeros((own.shape[1], features.shape[1]), dtype=features.dtype)
    possible[:, model.inputs.places] = activation.encode(np.where(np.isnan(own), own[:, :1], own)).T
    return Palettes.of(fmt, np.concatenate([features[:: -(-len(features) // _COUNTED)], possible]))


def compress(device: Device, model: Model, features: Encoded, passes: int = 1) -> str:
    """Give the device palettes for encoded features (k, N_0) that are fed so many times, if it pays. In words, what a
    sample takes from then on, and why; "" for a board that was built without compression."""
    fmt, raw = device.build.sample_format, record_bytes(device.build.network)
    uncompressed = f"{raw:,} bytes per sample, uncompressed"
    if fmt is None:
        return ""
    few = f"{uncompressed}: palettes pay for more samples"
    if device.palettes is not None:
        few = f"at most {raw:,} bytes per sample, by the palettes that the board has"
    given = _TRANSFERS * 4 * fmt.palette_words
    if len(features) * passes * raw <= given:
        return few
    try:
        wanted = palettes_for(fmt, model, features)
        taken = _record_bytes(wanted, features)
        if taken * len(features) * passes + given >= raw * len(features) * passes:
            return few
        if device.palettes is None or not _holds(device.palettes, wanted):
            device.set_palettes(wanted)
    except StoreError as error:
        _LOG.info("samples are sent uncompressed: %s", error)
        return f"{uncompressed}: {error}"
    return f"{taken:.0f} bytes per sample, compressed, {raw:,} without"


def _record_bytes(palettes: Palettes, features: Encoded) -> float:
    """Of a compressed record, on average."""
    some = features[:: -(-len(features) // _LOOKED_AT)]
    _, lengths = palettes.pack(some, np.zeros(len(some), dtype=np.int64))
    return 2 + 2 * float(lengths.mean())


def _holds(palettes: Palettes, other: Palettes) -> bool:
    """All values of another one."""
    if palettes.equals(other):
        return True
    fmt = palettes.format
    used = np.arange(fmt.colors) < other.counts[:, None]
    values = np.where(used, other.values, other.values[:, :1]).T
    rows = np.zeros((fmt.colors, fmt.left), dtype=np.int64)
    rows[:, : fmt.features] = values
    try:
        palettes.encode(rows)
    except StoreError:
        return False
    return True
