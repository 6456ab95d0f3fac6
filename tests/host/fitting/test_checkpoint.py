"""Checkpoints: what is read is what was written, of the same training, whole; anything else is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save as serialize

from presparse.errors import ModelError, OutputError
from presparse.fitting import checkpoint as module
from presparse.fitting.checkpoint import Checkpoint, cut_off, end, read
from presparse.history import Epoch
from presparse.support import atomic_files
from presparse.support.digests import digest

TRAINING = {"epochs": 3, "lr": 0.02, "samples": "abc"}
TENSORS = {"a": np.arange(6, dtype=np.int64).reshape(2, 3), "b": np.array(0.1, dtype=np.float32), "c": np.zeros(0)}
EPOCHS = [Epoch(lr=0.1, samples=7, accuracy=1 / 3, loss=0.1, validation=None, seconds=0.5)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.checkpoint"


def test_what_is_written_is_read(path: Path) -> None:
    checkpoint = Checkpoint(path, TRAINING)
    assert checkpoint.read() is None
    checkpoint.write(TENSORS, {"rate": 0.1, "done": [1, 2]}, EPOCHS)
    kept = Checkpoint(path, TRAINING).read()
    assert kept is not None
    assert kept.state == {"rate": 0.1, "done": [1, 2]}
    assert kept.epochs == EPOCHS
    for name, array in TENSORS.items():
        found = kept.tensors[name]
        assert (found.dtype, found.shape) == (np.asarray(array).dtype, np.asarray(array).shape)
        assert found.tobytes() == np.asarray(array).tobytes()


def test_another_training_is_refused_with_what_differs(path: Path) -> None:
    Checkpoint(path, TRAINING).write(TENSORS, {}, [])
    with pytest.raises(ModelError, match=r"of another training \(lr 0\.02 there, 0\.5 here\); train with the same"):
        Checkpoint(path, {**TRAINING, "lr": 0.5}).read()


@pytest.mark.parametrize("harm", ["truncated", "a bit", "text", "empty", "another safetensors file"])
def test_a_harmed_file_is_refused(path: Path, harm: str) -> None:
    Checkpoint(path, TRAINING).write(TENSORS, {}, EPOCHS)
    content = bytearray(path.read_bytes())
    if harm == "a bit":
        content[-100] ^= 4
    harmed = {"truncated": content[:-9], "text": b"hello\n" * 20, "empty": b"", "a bit": content}.get(harm)
    path.write_bytes(serialize({"a": np.zeros(1)}) if harmed is None else bytes(harmed))
    for attempt in (Checkpoint(path, TRAINING).read, lambda: read(path), lambda: cut_off(path)):
        with pytest.raises(ModelError, match=rf"{path.name}.*; remove the file, or give another output"):
            attempt()


def test_one_that_was_cut_off_is_told_from_one_that_was_ended(path: Path) -> None:
    assert cut_off(path) is None
    Checkpoint(path, TRAINING).write(TENSORS, {}, EPOCHS)
    assert cut_off(path) == 1
    end(path, whole=False)
    assert cut_off(path) is None
    kept = Checkpoint(path, TRAINING).read()
    assert kept is not None
    assert kept.ended
    end(path, whole=True)
    assert not path.exists()


def test_a_disk_that_cannot_take_it_ends_no_training(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = Checkpoint(path, TRAINING)
    checkpoint.write(TENSORS, {}, EPOCHS)

    def full(path: Path, content: bytes) -> None:
        raise OutputError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr(atomic_files, "write", full)
    with caplog.at_level(logging.WARNING):
        checkpoint.write(TENSORS, {}, [])
    assert "no checkpoint: " in caplog.text
    assert Checkpoint(path, TRAINING).read() is not None


def test_a_place_that_cannot_be_written_is_refused_before_the_training(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        Checkpoint(tmp_path / "no" / "a", TRAINING)


def test_it_is_due_now_and_then(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(path, TRAINING)
    assert not checkpoint.due()
    monkeypatch.setattr(module, "SECONDS", 0.0)
    assert checkpoint.due()


def test_digests_tell_types_shapes_and_contents_apart() -> None:
    arrays = [np.zeros(4), np.zeros((2, 2)), np.zeros(4, dtype=np.int64), np.array([0, 0, 0, 1.0])]
    assert len({digest(array) for array in arrays}) == 4
    assert digest(np.zeros(4), np.zeros(4)) != digest(np.zeros(4))
    assert digest(np.zeros(4)) == digest([0.0, 0, 0, 0])
