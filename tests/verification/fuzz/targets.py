"""What is fuzzed: every reader of files and of a board's bytes, and what must hold whatever it reads.

A reader either takes its input, or raises a PresparseError of one line that names the file. Nothing else may come out
of it, nor may it take long or much memory (`tests.verification.fuzz.bounds`).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save
from torch import nn

from presparse.contract.network import Network
from presparse.contract.operations import Operation
from presparse.contract.wire import SampleKind, StoredRun
from presparse.data import load, load_features, load_mnist
from presparse.device.frames import AnswerReader, encode_request
from presparse.device.links.recorded import Recorder, Replayer
from presparse.device.session import Session
from presparse.errors import ModelError, PresparseError, RecordingError
from presparse.features.inputs import Inputs
from presparse.messages.bundle import CriticalPath, Manifest, Resource, Route, Use
from presparse.model import Model, _content_hash
from presparse.opening import recorded_session
from presparse.prune import compact
from presparse.prune.checkpoint import load as load_checkpoint
from presparse.validation import checked_features, checked_labels, real_numbers, whole_numbers
from tests.host import small
from tests.verification.fuzz.liar import LyingBoard, identity, lie
from tests.verification.recordings.scenes import BUILD, STORED

_LONGEST_MESSAGE = 4000
"""Characters."""


class BadMessage(Exception):
    """An error's text that is not one line, or does not name the file or its folder."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A reader, and inputs that it takes."""

    name: str
    file: str
    """Name of the file that it reads; "" where it reads none."""
    read: Callable[[bytes, Path], None]
    """Puts bytes into the file and reads it."""
    seeds: Callable[[], list[bytes]]
    """Inputs that `read` takes without an error."""

    def try_out(self, data: bytes, folder: Path) -> PresparseError | None:
        """The error with which `data` is refused, if it is. Anything else that is raised is a finding."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)  # numpy's: numbers that do not fit
                self.read(data, folder / self.file)
        except PresparseError as error:
            message = str(error)
            named = not self.file or str(folder) in message
            if not named or not message.isprintable() or len(message) > _LONGEST_MESSAGE:
                raise BadMessage(repr(message[:_LONGEST_MESSAGE])) from error
            return error
        return None


def _read_network(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    network = Network.load(path)
    assert Network.from_toml(network.to_toml()) == network


def _networks() -> list[bytes]:
    shipped = [Network.load(name).to_toml().encode() for name in ("digits-small", "mnist-dey")]
    return [small.NETWORK.to_toml().encode(), *shipped]


def _read_model(data: bytes, path: Path) -> None:
    """Where nothing but the hashes is wrong, these are set right, so that what they guard is reached."""
    path.write_bytes(data)
    try:
        model = Model.load(path)
    except ModelError as error:
        if "altered" not in str(error):
            raise
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
        network = Network.model_validate_json(metadata["network"])
        metadata |= {
            "network_hash": network.hash,
            "content_hash": _content_hash(network, tensors, metadata.get("names", "")),
        }
        path.write_bytes(save(tensors, metadata=metadata))
        model = Model.load(path)
    model.save(path)
    assert Model.load(path).differences(model) == []


def _models() -> list[bytes]:
    return [_written(small.model().save, "seed.safetensors")]


def _read_npz(data: bytes, path: Path) -> None:
    """What is no archive is the array X in one, with a right checksum."""
    if not data.startswith(b"PK"):
        data = archive(data, npy(np.arange(3)))
    path.write_bytes(data)
    load_features(path, 7)
    load(path)


def _archives() -> list[bytes]:
    X, y = small.clusters(0, 3)
    arrays = [npy(a) for a in (X, X.astype(np.int16), np.asfortranarray(X.astype(">f4")))]
    return [*arrays, archive(arrays[0], npy(y)), archive(arrays[0], npy(y), zipfile.ZIP_DEFLATED)]


def npy(array: np.ndarray) -> bytes:
    """An array as numpy saves it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archive(X: bytes, y: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """An npz file with two entries, whatever they hold."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as entries:
        entries.writestr("X.npy", X)
        entries.writestr("y.npy", y)
    return file.getvalue()


def _read_csv(data: bytes, path: Path) -> None:
    """Every line is a sample, but for a first one that holds a name."""
    path.write_bytes(data)
    X, _ = load_features(path, 2)
    if b'"' not in data:  # a quoted cell may go over lines
        lines = [line for line in re.split(r"\r\n|\r|\n", data.decode("utf-8-sig")) if line.strip()]
        named = re.fullmatch(r"[0-9.,;eE+\s-]*", lines[0], re.ASCII) is None
        assert len(lines) - named <= len(X) <= len(lines)
    load(path, missing="median")


def _tables() -> list[bytes]:
    return [
        b"a,b,class\n1,2.5,0\n-3,4e2,1\n",
        b"1,2,3\r\n4,5,6\r\n",
        "\ufeff0.5,1,0\n\n7,8,2\n".encode(),
        b'0,1,"class"\n1,"2",0\n',
        "Größe;b;kind\n1,5;2;a b\n3;4;c\n".encode(),
        b"class\ta\tb\n1\t2\t3\n",
        b"5,6,x\n7,8,x\n",
    ]


def _read_idx(data: bytes, path: Path) -> None:
    """What is not compressed gets compressed."""
    path.write_bytes(data if data.startswith(b"\x1f\x8b") else gzip.compress(data, 0))
    path.with_name("t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])))
    load_mnist("test", path.parent)


def _images() -> list[bytes]:
    images = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(12))
    return [images, gzip.compress(images, mtime=0)]


_MLP = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))


def _read_checkpoint(data: bytes, path: Path) -> None:
    """What is no archive is the pickle in one, beside the numbers that it speaks of."""
    path.write_bytes(data if data.startswith(b"PK") else _archived(data))
    load_checkpoint(path)


@cache
def _checkpoint() -> bytes:
    return _written(partial(torch.save, _MLP.state_dict()), "seed.pt")


def _archived(pickle: bytes) -> bytes:
    """The seed with another pickle, with a right checksum."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_checkpoint())) as seed, zipfile.ZipFile(file, "w") as entries:
        for entry in seed.infolist():
            entries.writestr(entry, pickle if entry.filename.endswith("data.pkl") else seed.read(entry))
    return file.getvalue()


def _pickle(checkpoint: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as entries:
        return entries.read("seed/data.pkl")


def _checkpoints() -> list[bytes]:
    wrapped = {"model": _MLP.state_dict(), "epoch": 3, "loss": [0.5]}
    return [
        _pickle(_checkpoint()),
        _pickle(_written(partial(torch.save, wrapped), "seed.pt")),
        _checkpoint(),
        _written(partial(torch.save, deepcopy(_MLP).bfloat16().state_dict()), "seed.pt"),
    ]


def _read_pruned(data: bytes, path: Path) -> None:
    """Pruned models and state dicts, as `presparse prune` reads them."""
    path.write_bytes(data)
    load_checkpoint(path)


def _pruned() -> list[bytes]:
    state = {key: tensor.numpy() for key, tensor in _MLP.state_dict().items()}
    return [_written(compact(_MLP).save, "seed.safetensors"), save(state)]


_DTYPES = (
    *("f8", "f4", "f2", "g", "c16", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"),
    *("O", "S3", "U2", "M8[s]", "m8[s]", "V3", ">f4", ">i2"),
)
_SHAPED = 12
"""Bytes that say dtype, shape, strides and kind of an array; its numbers follow."""


def _read_arguments(data: bytes, path: Path) -> None:
    """What may be any numbers, as arrays, lists and tensors have them, where samples and weights are wanted."""
    given: Any = _array(data.ljust(_SHAPED, b"\0"))
    kind = data[-1] % 4 if data and max(given.shape, default=0) < 1000 else 0  # the rest are arrays that claim much
    if kind == 1 and given.dtype.kind != "U":  # numpy itself fails on letters that are none
        given = given.tolist()
    elif kind and given.dtype.kind in "fiub" and given.dtype.itemsize <= 8:
        given = torch.tensor(given.astype(given.dtype.newbyteorder("=")))
        given = given.bfloat16().requires_grad_() if kind == 2 else given
    for check in (
        partial(checked_features, given, 3),
        partial(checked_labels, given, 3, np.arange(3)),
        partial(real_numbers, given, "gain", (3,), ModelError),
        partial(whole_numbers, given, "left", (3,), ModelError),
        partial(Inputs.plain, 5, offset=given),
        partial(Model.initial, small.NETWORK, pattern=[given, given]),
    ):
        with suppress(PresparseError):
            check()


def _array(data: bytes) -> NDArray[Any]:
    """Up to four dimensions, each of 0 to 4 or of 2^40 places; strides of 2 numbers back to 2 on, or none."""
    dtype, dimensions = np.dtype(_DTYPES[data[0] % len(_DTYPES)]), data[1] % 5
    sizes, steps = data[2 : 2 + dimensions], data[6 : 6 + dimensions]
    shape = [size % 5 if size < 250 else 1 << 40 for size in sizes]
    strides = [0 if size > 4 else (step % 5 - 2) * dtype.itemsize for size, step in zip(shape, steps, strict=True)]
    content = (data[_SHAPED:] or b"\0").ljust(200, data[-1:])[:200] * dtype.itemsize
    if dtype.kind == "O":
        values = np.array([*content, None, "text", 0.5], dtype=object)
    else:
        values = np.frombuffer(content, dtype=dtype)
    try:
        return np.lib.stride_tricks.as_strided(values[100:], shape, strides)  # at most 32 places either way
    except ValueError:  # more than numpy can count
        return values


def _arguments() -> list[bytes]:
    shape = bytes([2, 3, 3, 0, 0, 0, 0])
    return [bytes([dtype]) + shape + bytes([3, 3, 0, 0]) + b"\0\1\2" + bytes([3]) for dtype in range(len(_DTYPES))]


_BITSTREAM = b"bits"


def _read_manifest(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    path.with_name("small.bit").write_bytes(_BITSTREAM)
    Manifest.load(path.parent)


def _manifests() -> list[bytes]:
    resource = Resource(used=1, available=2)
    manifest = Manifest(
        name="small",
        board="ulx3s-85f",
        device="LFE5U-85F-6CABGA381",
        mode="train",
        lanes=BUILD.lanes,
        clock_mhz=75.0,
        fmax_mhz=80.5,
        routes=(Route(seed=1, fmax_mhz=80.5),),
        seed=1,
        cycles_per_sample=24,
        samples_per_second=3.1e6,
        samples_per_second_at_fmax=3.3e6,
        use=Use(lut=resource, ff=resource, dsp=resource, block_ram=resource, distributed_ram=resource),
        baud=3_000_000,
        critical_path=CriticalPath(text="junction 1", delay_ns=12.4, routing_ns=8.0, steps=("a", "b")),
        contract_hash=BUILD.hash,
        build_id="0" * 16,
        bitstream="small.bit",
        bitstream_sha256=hashlib.sha256(_BITSTREAM).hexdigest(),
        tools={"yosys": "0.60"},
        build=BUILD,
    )
    return [manifest.model_dump_json(indent=1).encode()]


def _read_recording(data: bytes, path: Path) -> None:
    """Also played, by the same calls as the seeds."""
    path.write_bytes(data)
    try:
        _play(recorded_session(Replayer(path)))
    except RecordingError:
        raise
    except PresparseError:
        pass  # what the board said: not of this file, and so without its name


def _play(session: Session) -> None:
    session.counters()
    session.feed(small.training(0, 2))
    session.flush()
    session.close()


def _recordings() -> list[bytes]:
    """One with a failure of the link at its end."""
    whole = _written(_record, "seed.jsonl")
    cut = json.dumps({"failed": "LinkClosed", "message": "unplugged"}).encode() + b"\n"
    return [whole, whole + cut]


def _record(path: Path) -> None:
    board = LyingBoard(STORED)
    tape = Recorder(path, lambda: board, STORED, device="sim", timeout=0.05, retries=2, clock=board)
    _play(recorded_session(tape))


def _read_frames(data: bytes, path: Path) -> None:
    """However the bytes are cut, the same answers come out."""
    whole, pieces = AnswerReader(), AnswerReader()
    whole.feed(data)
    answers = list(iter(whole.next, None))
    again = []
    for at in range(0, len(data), 7):
        pieces.feed(data[at : at + 7])
        again += iter(pieces.next, None)
    assert (again, pieces.damaged) == (answers, whole.damaged)


def _frames() -> list[bytes]:
    answer = encode_request(7, Operation.READ, b"\0" + bytes(range(200)))  # an answer has one byte more: a status
    return [answer * 2, b"\0" + answer + b"\0\0" + encode_request(255, Operation.RESULTS, b"\0")]


def _read_answers(data: bytes, path: Path) -> None:
    """A whole session with a board that lies as `data` says."""
    board = LyingBoard(STORED, data)
    X = small.predictions(0, 6)
    session = Session(lambda: board, STORED, timeout=0.05, retries=2, first_sequence=0, clock=board)
    for action in (
        session.identify,
        session.read,
        lambda: session.load(small.model()),
        session.counters,
        lambda: session.feed(X),
        session.flush,
        lambda: session.begin(StoredRun(kind=SampleKind.EVALUATE, slot=2, count=5)),
        session.follow,
        session.stop,
        session.reset,
        session.identify,
    ):
        with suppress(PresparseError):
            action()


def _answers() -> list[bytes]:
    honest, results = bytes(1), bytes(6 * STORED.result_bytes())
    return [
        b"",
        lie(0, identity(STORED).pack()) + honest * 40,
        honest * 30 + lie(0, results) + honest * 10,
        honest * 5 + lie(3, b"", for_ever=True),
        bytes([0, 0xFC, 0, 0xFF, 1, 2, 3]) + bytes(8),
    ]


def _read_planted(data: bytes, path: Path) -> None:
    if data[:2] == b"Pa":
        raise ZeroDivisionError


def _written(write: Callable[[Path], None], name: str) -> bytes:
    """What a function writes into a file."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


TARGETS: tuple[Target, ...] = (
    Target(name="network", file="network.toml", read=_read_network, seeds=_networks),
    Target(name="model", file="model.safetensors", read=_read_model, seeds=_models),
    Target(name="npz", file="data.npz", read=_read_npz, seeds=_archives),
    Target(name="csv", file="data.csv", read=_read_csv, seeds=_tables),
    Target(name="idx", file="t10k-images-idx3-ubyte.gz", read=_read_idx, seeds=_images),
    Target(name="checkpoint", file="model.pt", read=_read_checkpoint, seeds=_checkpoints),
    Target(name="pruned", file="model.safetensors", read=_read_pruned, seeds=_pruned),
    Target(name="arguments", file="", read=_read_arguments, seeds=_arguments),
    Target(name="manifest", file="manifest.json", read=_read_manifest, seeds=_manifests),
    Target(name="recording", file="session.jsonl", read=_read_recording, seeds=_recordings),
    Target(name="frames", file="", read=_read_frames, seeds=_frames),
    Target(name="answers", file="", read=_read_answers, seeds=_answers),
)

PLANTED = Target(name="planted", file="", read=_read_planted, seeds=lambda: [b"Oh"])
"""Has something to find: for the test of fuzzing itself."""
