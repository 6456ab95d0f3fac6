"""Images that are moved, alone and in trainings on boards and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import presparse as ps
from presparse.contract.build import Build
from presparse.contract.images import Image, Size
from presparse.contract.network import Network
from presparse.contract.permutation import epoch_seed, permutation
from presparse.errors import ArgumentError, ModelError
from presparse.features.convolution import Convolution
from presparse.features.scaling import Scaling
from presparse.features.shifts import Shifts
from presparse.history import Progress
from presparse.model import Model
from presparse.train import fit

# Most of these trainings are too short to learn anything.
pytestmark = pytest.mark.filterwarnings("ignore::presparse.errors.LearningWarning")

NETWORK = Network(
    name="squares",
    features=36,
    classes=2,
    layers=(36, 16, 2),
    out_degree=(4, 2),
    lanes=(9, 4),
    activations=("relu", "sigmoid"),
    image=(Image(junction=1, shape=(6, 6), window=(3, 3)),),
)
STORE = Build(network=NETWORK, store_samples=128, sample_bits=4)
COMPRESSED = Build(network=NETWORK, sample_bits=4)
PLAIN = Build(network=NETWORK)


def squares(seed: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Images of 6 x 6: full squares of 3 x 3, and empty ones."""
    rng = np.random.default_rng(seed)
    X, y = rng.uniform(0, 20, size=(count, 6, 6)).round(), np.arange(count) % 2
    for image, full in zip(X, y, strict=True):
        row, column = rng.integers(4, size=2)
        image[row : row + 3, column : column + 3] += 200
        image[row + 1, column + 1] -= 0 if full else 200
    return X.reshape(count, -1), y


@pytest.mark.parametrize("image", [(6, 6, 1), (3, 5, 2), (8, 2, 3)])
def test_every_offset_is_scipys(image: Size) -> None:
    shifts = Shifts(image=image, most=1, seed=4)
    values = np.random.default_rng(0).normal(size=(500, *image))
    moved = shifts.moved(values.reshape(500, -1), 3).reshape(values.shape)
    offsets = [(row, column, 0) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    found = np.zeros(len(offsets), dtype=np.int64)
    for before, after in zip(values, moved, strict=True):
        by = [np.array_equal(ndimage.shift(before, offset, order=0, mode="nearest"), after) for offset in offsets]
        assert sum(by) == 1
        found += by
    assert found.min() > 500 / 9 / 2  # each is drawn


def test_moves_by_hand() -> None:
    shifts = Shifts(image=(2, 3, 1), most=1, seed=0)
    image = np.array([[1.0, 2, 3, 4, 5, 6]])
    seen = {tuple(shifts.moved(image, epoch)[0].astype(int)) for epoch in range(200)}
    assert seen == {
        (1, 2, 3, 4, 5, 6), (1, 1, 2, 4, 4, 5), (2, 3, 3, 5, 6, 6),
        (1, 2, 3, 1, 2, 3), (1, 1, 2, 1, 1, 2), (2, 3, 3, 2, 3, 3),
        (4, 5, 6, 4, 5, 6), (4, 4, 5, 4, 4, 5), (5, 6, 6, 5, 6, 6),
    }  # fmt: skip


def test_epochs_seeds_and_many_images() -> None:
    """Others in every epoch and for every seed, the same for the same; images beyond those at once, too."""
    values = np.random.default_rng(0).normal(size=(5000, 4))
    first = Shifts(image=(2, 2, 1), most=1, seed=0)
    other = Shifts(image=(2, 2, 1), most=1, seed=1)
    assert np.array_equal(first.moved(values, 1), first.moved(values, 1))
    assert not np.array_equal(first.moved(values, 1), first.moved(values, 2))
    assert not np.array_equal(first.moved(values, 1), other.moved(values, 1))
    assert not np.array_equal(first.moved(values, 1)[4096:], values[4096:])


@pytest.mark.parametrize("scale", ["overall", "per feature"])
@pytest.mark.parametrize(
    ("build", "device"),
    [
        (PLAIN, "emulator:c"),
        (COMPRESSED, "emulator:c"),
        (STORE, "emulator:c"),
        pytest.param(STORE, "sim", marks=[pytest.mark.slow, pytest.mark.nightly]),  # which is fed as by any training
    ],
    ids=["plain", "compressed", "store", "simulated"],
)
def test_boards_learn_the_images_of_each_epoch(build: Build, device: str, scale: Scaling) -> None:
    """As somebody does who moves them and gives them to the emulator, epoch by epoch, in the orders of `fit`; a board
    with a store says why that is not used."""
    X, y = squares(0, 60)
    with ps.open(device, build) as board:
        history = board.fit(X, y, epochs=3, lr=2**-4, shift=1, scale=scale, random_state=5)
        model = board.read_model()
    assert model.inputs.alike == (scale == "overall" and build is PLAIN)  # others round each pixel in its own way
    assert history.source == "link"
    assert history.reason.startswith("images are moved anew in every epoch")
    shifts = Shifts(image=(6, 6, 1), most=1, seed=5)
    with ps.open("emulator", build) as board:
        board.load(Model.initial(NETWORK, random_state=5, inputs=model.inputs))
        for epoch in (1, 2, 3):
            order = permutation(60, epoch_seed(5, epoch))
            board.partial_fit(shifts.moved(X, epoch)[order], y[order], lr=2**-4)
        assert board.read_model().differences(model) == []


def test_classes_that_count_alike_and_the_order_of_x() -> None:
    """Of an image that comes several times each copy is moved by itself."""
    X, y = squares(0, 40)
    few = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:5]])
    with ps.open("emulator:c", PLAIN) as board:
        history = board.fit(X[few], y[few], epochs=2, lr=2**-4, shift=1, class_weight="balanced", validation=0.2)
        assert [epoch.samples for epoch in history.epochs] == [32, 32]
    models = []
    for shuffle in (True, False):
        with ps.open("emulator:c", PLAIN) as board:
            board.fit(X, y, epochs=2, lr=2**-4, shift=1, shuffle=shuffle)
            models.append(board.read_model())
    with ps.open("emulator:c", PLAIN) as board:
        board.load(Model.initial(NETWORK, inputs=models[1].inputs))
        for epoch in (1, 2):
            board.partial_fit(Shifts(image=(6, 6, 1), most=1, seed=0).moved(X, epoch), y, lr=2**-4)
        assert board.read_model().differences(models[1]) == []
    assert models[0].differences(models[1]) != []


def test_more_is_learned_of_few_images() -> None:
    """Of others nothing is moved; rates are searched for."""
    X, y = squares(1, 100)
    others = squares(2, 1000)
    reached = []
    for shift in (0, 1):
        with ps.open("emulator:c", PLAIN) as board:
            board.fit(X, y, epochs=100, shift=shift, validation=others)
            reached.append((board.score(*others), fit(NETWORK, X, y, epochs=100, shift=shift).score(*others)))
    still, moved = np.array(reached)
    assert (moved > still + 0.02).all(), reached


@pytest.mark.parametrize("device", ["torch", "emulator:c"])
def test_a_training_goes_on_from_its_checkpoint(device: str, tmp_path: Path) -> None:
    X, y = squares(0, 60)
    path = tmp_path / "checkpoint"

    def trained(checkpoint: Path | None, progress: Callable[[Progress], bool] | None = None, shift: int = 1) -> Model:
        if device == "torch":
            return fit(NETWORK, X, y, epochs=4, shift=shift, progress=progress, checkpoint=checkpoint)
        with ps.open(device, PLAIN) as board:
            board.fit(X, y, epochs=4, lr=2**-4, shift=shift, progress=progress, checkpoint=checkpoint)
            return board.read_model()

    whole = trained(None)
    stopped = trained(path, lambda told: told.epoch == 3)
    assert stopped.differences(whole) != []
    assert trained(path).differences(whole) == []
    with pytest.raises(ModelError, match="another training"):
        trained(path, shift=2)
    assert trained(None, shift=0).differences(whole) != []


def test_images_before_a_convolution() -> None:
    """Their shape is the convolution's; a network needs no image of its own."""
    X, y = squares(0, 80)
    convolution = Convolution.fit(X, (6, 6), kernels=4, size=3, pool=3)
    network = Network(
        features=16, classes=2, layers=(16, 8, 2), out_degree=(4, 2), lanes=(4, 4), activations=("relu", "sigmoid")
    )
    models = []
    for shift in (0, 2):
        with ps.open("emulator:c", Build(network=network)) as board:
            board.fit(X, y, epochs=2, lr=2**-4, shift=shift, convolution=convolution)
            models.append(board.read_model())
    assert models[0].differences(models[1]) != []


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        (-1, "shift must be a whole number, 0 to 5, and is -1"),
        (0.5, "shift must be a whole number, 0 to 5, and is 0.5"),
        (True, "shift must be a whole number, 0 to 5, and is True"),
        (6, "shift must be a whole number, 0 to 5, and is 6"),
        ("1", "shift must be a whole number, 0 to 5, and is '1'"),
    ],
)
def test_what_is_no_shift(shift: object, message: str) -> None:
    X, y = squares(0, 10)
    with pytest.raises(ArgumentError, match=message):
        fit(NETWORK, X, y, shift=shift)  # pyright: ignore[reportArgumentType]
    with ps.open("emulator", PLAIN) as board, pytest.raises(ArgumentError, match=message):
        board.fit(X, y, shift=shift)  # pyright: ignore[reportArgumentType]


def test_samples_that_are_no_images_and_stored_ones() -> None:
    X, y = squares(0, 20)
    network = NETWORK.model_copy(update={"image": ()})
    message = r"shift is for images, and nothing says that samples of squares are any; describe them by \[\[image\]\]"
    with pytest.raises(ArgumentError, match=message):
        fit(network, X, y, shift=1)
    with ps.open("emulator", STORE) as board:
        board.store(X, y)
        with pytest.raises(ArgumentError, match="shift needs X and y: a board does not move what it has stored"):
            board.fit(shift=1)


@pytest.mark.filterwarnings("error::presparse.errors.ScaleWarning")
@pytest.mark.parametrize("build", [PLAIN, COMPRESSED], ids=["plain", "compressed"])
def test_moved_images_are_not_told_to_be_on_another_scale(build: Build) -> None:
    """A bright column comes where training has none."""
    rng = np.random.default_rng(0)
    X, y = rng.uniform(1, 2, size=(400, 6, 6)), np.arange(400) % 2
    X[:, :, 3] += 100
    with ps.open("emulator:c", build) as board:
        board.fit(X.reshape(400, -1), y, epochs=2, shift=1)
