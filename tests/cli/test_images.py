"""Images through fixed kernels: trained, kept, evaluated and predicted from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from presparse.contract.network import Network
from presparse.model import Model
from tests.cli.command import Shell

NETWORK = Network(
    name="tiny",
    features=64,
    classes=2,
    layers=(64, 8, 2),
    out_degree=(4, 2),
    lanes=(4, 4),
    activations=("relu", "sigmoid"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network of 64 features, and images of 10 x 12 pixels with a line that lies or stands."""
    NETWORK.save(tmp_path / "tiny.toml")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(240, 10, 12)), np.arange(240) % 2
    for image, standing in zip(X, y, strict=True):
        line = rng.integers(10)
        image[(slice(None), line) if standing else line] += 20
    np.savez(tmp_path / "lines.npz", X=X.reshape(240, -1), y=y)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("device", ["torch", "emulator"])
def test_images(shell: Shell, folder: Path, device: str) -> None:
    model = folder / "model.safetensors"
    at = ("tiny.toml", "lines.npz")
    ran = shell(
        "train", *(folder / name for name in at), "-o", model, "-d", device, "--epochs", 20, "--convolution", "10x12"
    )
    assert ran.status == 0
    assert "the features are those of Convolution(16 kernels of 5 x 5, 10 x 12 -> 2 x 2 x 16)" in ran.err
    loaded = Model.load(model)
    assert (loaded.width, loaded.network.features) == (120, 64)
    evaluated = shell("evaluate", model, folder / "lines.npz", "-d", "emulator", "--json")
    assert evaluated.figures["accuracy"] > 0.9
    predicted = shell("predict", model, folder / "lines.npz", "-d", "emulator")
    assert len(predicted.out.split()) == 240


@pytest.mark.parametrize(
    ("convolution", "message"),
    [
        ("ten", "--convolution must be the shape of an image, such as 28x28 or 32x32x3, and is 'ten'"),
        ("120", "--convolution must be the shape of an image, such as 28x28 or 32x32x3, and is '120'"),
        ("0x12", "image must be (rows, columns) or (rows, columns, channels), such as (28, 28) or (32, 32, 3)"),
        ("28x28", "X must have shape (samples, 784), and has (240, 120)"),
        ("3x5", "an image of 3 x 5 pixels does not become 64 features; use a network of 66"),
    ],
)
def test_images_that_are_none(shell: Shell, folder: Path, convolution: str, message: str) -> None:
    ran = shell("train", folder / "tiny.toml", folder / "lines.npz", "--convolution", convolution, "-o", folder / "m")
    assert ran.status == 2
    assert message in " ".join(ran.err.split())


@pytest.mark.parametrize("device", ["torch", "emulator:c"])
def test_images_that_are_moved(shell: Shell, folder: Path, device: str) -> None:
    """A network with an image needs no convolution; and a training that is moved is another one."""
    told = ""
    (folder / "image.toml").write_text(
        f"{NETWORK.to_toml()}\n[[image]]\njunction = 1\nshape = [8, 8]\nwindow = [4, 8]\n"
    )
    X, y = np.load(folder / "lines.npz").values()
    np.savez(folder / "small.npz", X=X.reshape(-1, 10, 12)[:, :8, :8].reshape(len(X), -1), y=y)
    for name, options in {"still": (), "moved": ("--shift", "1"), "again": ("--shift", "1")}.items():
        at = (folder / "image.toml", folder / "small.npz", "-o", folder / name, "-d", device, "--epochs", 2)
        ran = shell("train", *at, *options)
        assert ran.status == 0, ran.err
        told = ran.err
    still, moved, again = (Model.load(folder / name) for name in ("still", "moved", "again"))
    assert moved.differences(again) == []
    assert moved.differences(still) != []
    assert ("images are moved anew in every epoch" in told) == (device != "torch")


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        ("1", "shift is for images, and nothing says that samples of tiny are any; describe them by [[image]]"),
        ("-1", "Invalid value for '--shift': Input should be greater than or equal to 0, and is '-1'"),
        ("one", "Invalid value for '--shift': Input should be a valid integer"),
    ],
)
def test_shifts_of_what_is_no_image(shell: Shell, folder: Path, shift: str, message: str) -> None:
    np.savez(folder / "small.npz", X=np.zeros((40, 64)), y=np.arange(40) % 2)
    ran = shell("train", folder / "tiny.toml", folder / "small.npz", "--shift", shift, "-o", folder / "m")
    assert ran.status == 2
    assert message in " ".join(ran.err.split())
