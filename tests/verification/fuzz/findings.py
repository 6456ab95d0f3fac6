"""Inputs that found something once, or are meant to. All are refused; fuzzing begins with them, too."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save

from presparse.model import _content_hash
from tests.host import small
from tests.verification.fuzz.targets import TARGETS, archive, npy


@dataclass(frozen=True, kw_only=True)
class Finding:
    target: str
    what: str
    data: bytes
    message: str
    """A part of it."""


def _seed(name: str) -> bytes:
    [target] = [target for target in TARGETS if target.name == name]
    return target.seeds()[0]


def _network(old: str, new: str) -> bytes:
    text = small.NETWORK.to_toml()
    assert old in text
    return text.replace(old, new).encode()


def _network_findings() -> list[Finding]:
    cases = (
        ("a number of 5,000 digits", _network("features = 7", f"features = {'9' * 5000}"), "not valid TOML: Exceeds"),
        ("lists in lists", b"layers = " + b"[" * 2000, "not valid TOML: maximum recursion depth"),
        (
            "a number of 20,000 bits",
            _network("features = 7", f"features = 0x{'f' * 5000}"),
            "Exceeds the limit",
        ),
        ("the same as a word", _network('"relu"', f"0x{'f' * 5000}"), "activations.0: Input should be 'relu'"),
        ("what a terminal obeys", _network("features = 7", '"\\u001b[2J" = 7'), "\\x1b[2J' is no key here"),
        ("a key in two lines", _network("features = 7", '"a\\nb" = 7'), "'a\\nb' is no key here"),
        ("two thousand keys", b"".join(b"k%d = 1\n" % n for n in range(2000)), "k0 is no key here"),
        ("a key of 30,000 parts", b"a." * 30_000 + b"a = 1", "line 1 has 30,000 dots"),
        ("a table of 20,000 parts", b"[" + b"a." * 20_000 + b"a]", "line 1 has 20,000 dots"),
        (
            "50,000 keys",
            b"".join(b"a.k%d = 1\n" % n for n in range(50_000)),
            "holds 638,890 bytes, and such a file at most",
        ),
        ("10^12 neurons", _network("[8,", "[1000000000000,"), "every layer needs 1 to 65536 neurons"),
    )
    return [Finding(target="network", what=what, data=data, message=message) for what, data, message in cases]


def _safetensors(header: dict[str, object], data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def _model_with(**changed: np.ndarray) -> bytes:
    """The seed with other tensors, and the hash of these."""
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        Path(file.name).write_bytes(_seed("model"))
        with safe_open(file.name, framework="numpy") as seed:
            metadata = seed.metadata()
            tensors = {key: seed.get_tensor(key) for key in seed.keys()} | changed  # noqa: SIM118 (no mapping)
    return save(tensors, metadata=metadata | {"content_hash": _content_hash(small.NETWORK, tensors, metadata["names"])})


def _model_findings() -> list[Finding]:
    huge = {"dtype": "F64", "shape": [1 << 40, 1 << 17], "data_offsets": [0, 1 << 60]}
    cases = (
        ("a header of 2^60 bytes", (1 << 60).to_bytes(8, "little") + b"{}", "not a model file, or a truncated one"),
        ("an array of 2^57 numbers", _safetensors({"offset": huge}), "not a model file, or a truncated one"),
        (
            "bfloat16",
            _safetensors({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}, bytes(2)),
            "dtype BF16",
        ),
        (
            "100 dimensions",
            _safetensors({"a": {"dtype": "U8", "shape": [1] * 100, "data_offsets": [0, 1]}}, b"1"),
            "100 dim",
        ),
        ("a width that is NaN", _model_with(width=np.array(np.nan)), "width must be integers, and have dtype float64"),
        ("two widths", _model_with(width=np.array([7, 7])), "width must have shape (), and has (2,)"),
        (
            "a weight of 2^64 - 1",
            _model_with(**{"junction1.weights": np.full((12, 4), 2**64 - 1, dtype=np.uint64)}),
            "junction 1: weights must be integers of 64 bits with sign, and one is 18446744073709551615",
        ),
        ("what a terminal obeys", _seed("model").replace(b'"F64"', b'"F\x7f4"', 1), "not a model file"),
    )
    return [Finding(target="model", what=what, data=data, message=message) for what, data, message in cases]


def _header(text: str) -> bytes:
    """An array's, of any contents."""
    padded = text.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(padded)) + padded


def _long_header() -> bytes:
    """That numpy refuses in several lines."""
    return b"\x93NUMPY\x02\0" + struct.pack("<I", 12_000) + b"{" + b" " * 11_999


def _archive_with(*, version: int = 20, flags: int = 0, method: int = 0) -> bytes:
    """An archive whose headers say that they need this version, have these flags and this compression."""
    before, after = struct.pack("<HHH", 20, 0, 0), struct.pack("<HHH", version, flags, method)
    whole = archive(npy(np.zeros((3, 2))), npy(np.arange(3)))
    for start in (b"PK\3\4", b"PK\1\2\x14\3"):  # of an entry, and of its place in the directory
        assert whole.count(start + before) == 2
        whole = whole.replace(start + before, start + after)
    return whole


def _shaped(shape: str) -> bytes:
    return _header(f"{{'descr': '<i2', 'fortran_order': False, 'shape': {shape}, }}")


def _npz_findings() -> list[Finding]:
    unfinished = _header("{'descr': '<f8', 'fortran_order': False, 'shape': (3''' 7), }")
    broken = "not an npz file of numbers"
    cases = (
        ("a header that does not end", unfinished, f"{broken} "),
        ("an entry that is no array", b"X", f"{broken} (X is no array)"),
        ("an unknown compression", _archive_with(method=99), f"{broken} (That comp"),
        ("a zip of a later version", _archive_with(version=255), f"{broken} (zip file version"),
        ("a password", _archive_with(flags=1), f"{broken} (File "),
        ("a header that is none", _header(","), broken),
        (
            "a header of 12,000 characters",
            _long_header(),
            f"{broken} (Header info length (12000) is large and may not be",
        ),
        ("10^13 numbers", _shaped("(3, 10000000000007)"), "needs more memory than there is"),
        ("a shape of no numbers", _shaped("(False, )"), f"{broken} (an integer is required)"),
        ("10^20 numbers", _shaped("(3, 100000000000000000000)"), broken),
        ("numbers that are none", _shaped("(1, 2)").replace(b"i2", b"f4") + b"\xff" * 8, "X must have shape"),
    )
    return [Finding(target="npz", what=what, data=data, message=message) for what, data, message in cases]


def _csv_findings() -> list[Finding]:
    cases = (
        (
            "class 2^63",
            b"1,2,9223372036854775808\n",
            "column 3 holds 9223372036854775808, and classes are whole numbers or names",
        ),
        ("no first number", b",2,0\n3,4,1\n", "line 1, column 1 is empty"),
        ("pandas' header", b"0,1,2\n3,4,1\n", "line 1 counts from 0 to 2"),
        ("an underscore", b"1_0,2,0\n", "line 1, column 1 holds '1_0'"),
        ("white space that is none", b"1,2,0\n6\x1d,2,0\n", "line 2, column 1 holds '6\\x1d'"),
        ("a sample with a word", b"1,x,0\n3,4,1\n", "line 1, column 2 holds 'x'"),
        ("a quoted number and another", b'"1"2,2,0\n', "line 1 cannot be read"),
        ("a digit of another script", "\u0661,2,0\n".encode(), "line 1, column 1 holds"),
    )
    return [Finding(target="csv", what=what, data=data, message=message) for what, data, message in cases]


def _idx_findings() -> list[Finding]:
    wraps = bytes([0, 0, 8, 3]) + struct.pack(">3I", 1 << 31, 1 << 31, 4)
    many = bytes([0, 0, 8, 65]) + struct.pack(">65I", *[1] * 65) + b"\0"
    cases = (
        ("2^64 bytes, which is 0 in 64 bits", wraps, "bytes of shape (2147483648, 2147483648, 4), says its header"),
        ("no images", bytes([0, 0, 8, 3]) + struct.pack(">3I", 0, 28, 28), "holds 0 bytes of shape (0, 28, 28)"),
        (
            "no rows",
            bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 0, 1 << 31),
            "holds 0 bytes of shape (2, 0, 2147483648)",
        ),
        ("65 dimensions", many, "not an IDX file of bytes (starts with 00 00 08 41)"),
    )
    return [Finding(target="idx", what=what, data=data, message=message) for what, data, message in cases]


def _checkpoint_findings() -> list[Finding]:
    """Tensors that claim more numbers than there are, by their strides; mappings that hold each other."""
    wrapped: dict[str, object] = {"epoch": 3}
    for _ in range(60):
        wrapped = {"a": wrapped, "b": wrapped}
    cases = (
        (
            "8 TB of one number",
            {"weight": torch.zeros(1).expand(10**6, 10**6)},
            "weight claims 1,000,000,000,000 numbers",
        ),
        ("2^60 mappings", wrapped, "a is no tensor, but dict"),
        ("no dimension", {"weight": torch.tensor(1.0)}, "weight must be (right, left)"),
    )
    found: list[Finding] = []
    for what, content, message in cases:
        file = io.BytesIO()
        torch.save(content, file)
        found.append(Finding(target="checkpoint", what=what, data=file.getvalue(), message=message))
    return found


def _manifest_findings() -> list[Finding]:
    seed = _seed("manifest")
    cases = (
        ("a device that never ends", seed.replace(b'"small.bit"', b'"/dev/zero"'), "bitstream: String should match"),
        ("a file elsewhere", seed.replace(b'"small.bit"', b'"../small.bit"'), "bitstream: String should match"),
        ("a name that no file has", seed.replace(b'"small.bit"', b'"\\u0000"'), "bitstream: String should match"),
    )
    return [Finding(target="manifest", what=what, data=data, message=message) for what, data, message in cases]


def _recording_findings() -> list[Finding]:
    heading, rest = _seed("recording").split(b"\n", 1)
    cases = (("a time of 400 digits", b"9" * 400), ("no time", b"NaN"), ("a time before the beginning", b"-1"))
    return [
        Finding(
            target="recording",
            what=what,
            data=heading + b'\n{"time": ' + time + b"}\n" + rest,
            message="is none of what is recorded",
        )
        for what, time in cases
    ]


FINDINGS: tuple[Finding, ...] = (
    *_network_findings(),
    *_model_findings(),
    *_npz_findings(),
    *_csv_findings(),
    *_idx_findings(),
    *_checkpoint_findings(),
    *_manifest_findings(),
    *_recording_findings(),
)


def bomb_npz(size: int) -> bytes:
    """`size` bytes when it is unpacked, a thousandth of that as a file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as entries:
        entries.writestr("X.npy", npy(np.zeros((1, size), dtype=np.uint8)))
    return file.getvalue()


def bomb_idx(size: int) -> bytes:
    """The same as images."""
    return gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 1, 1, size) + bytes(size), 1)
