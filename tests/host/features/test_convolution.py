"""Fixed convolution: the documented integers, kernels that follow the images alone, and images that are none."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.contract.images import Image
from presparse.contract.network import Network
from presparse.errors import ArgumentError, FeatureError, ModelError
from presparse.features import Convolution, Inputs
from presparse.features.convolution import checked_image, geometry_for
from presparse.model import Model
from presparse.reference.emulator import Emulator
from presparse.train.fit import fit
from presparse.train.network import SparseNetwork


def by_hand(convolution: Convolution, X: NDArray[np.float64]) -> list[list[int]]:
    """The section "Convolution" of docs/arithmetic.md, in plain Python integers."""
    rows, columns, channels = convolution.image
    size, pool = convolution.kernels.shape[1], convolution.pool
    half, low, high = size // 2, convolution.low, convolution.high
    found = []
    for sample in X.tolist():
        codes = [min(max(math.floor((x - low) * (255 / (high - low)) + 0.5), 0), 255) for x in sample]
        pools = [[[0] * len(convolution.kernels) for _ in range(-(-columns // pool))] for _ in range(-(-rows // pool))]
        for k, kernel in enumerate(convolution.kernels.tolist()):
            for r in range(rows):
                for c in range(columns):
                    around = [
                        kernel[i][j][m] * codes[(y * columns + x) * channels + m]
                        for i, y in enumerate(min(max(r + i - half, 0), rows - 1) for i in range(size))
                        for j, x in enumerate(min(max(c + j - half, 0), columns - 1) for j in range(size))
                        for m in range(channels)
                    ]
                    pools[r // pool][c // pool][k] += max(sum(around), 0)
        shifts = convolution.shifts.tolist()
        found.append(
            [
                min((n + (1 << shift >> 1)) >> shift, 255)
                for row in pools
                for place in row
                for n, shift in zip(place, shifts, strict=True)
            ]
        )
    return found


@pytest.mark.parametrize(
    ("image", "size", "pool"),
    [((6, 6, 1), 3, 2), ((5, 7, 1), 5, 3), ((4, 5, 3), 3, 4), ((3, 3, 2), 1, 1), ((1, 9, 1), 3, 9), ((7, 5, 4), 15, 2)],
)
def test_the_documented_integers(image: tuple[int, int, int], size: int, pool: int) -> None:
    rng = np.random.default_rng([*image, size])
    convolution = Convolution(
        image=image,
        kernels=rng.integers(-127, 128, size=(5, size, size, image[2])),
        shifts=rng.integers(0, 20, size=5),
        pool=pool,
        low=-1.5,
        high=3.25,
    )
    X = rng.normal(size=(4, convolution.width), scale=2)
    X[0] = 100.0  # all at the top, and sums as large as they get
    features = convolution.transform(X)
    assert features.shape == (4, convolution.features) == (4, math.prod(convolution.shape))
    assert features.tolist() == by_hand(convolution, X)


def test_sums_that_float32_does_not_hold() -> None:
    kernels = np.full((1, 15, 15, 80), 127)
    kernels[0, 7, 7, 0] = 126
    whole = Convolution(image=(16, 16, 80), kernels=kernels, shifts=np.array([21]), pool=16, low=0.0, high=255.0)
    X = np.full((1, whole.width), 255.0)
    X[0, 0] = 254.0
    exact = Convolution._sums(whole, X)
    assert [sums.tolist() for _, sums in exact] == [[[[[pooled_by_hand(kernels[0], X.reshape(16, 16, 80))]]]]]


def pooled_by_hand(kernel: NDArray[np.int64], pixels: NDArray[np.float64]) -> int:
    padded = np.pad(pixels.astype(np.int64), ((7, 7), (7, 7), (0, 0)), mode="edge")
    return sum(int((kernel * padded[r : r + 15, c : c + 15]).sum()) for r in range(16) for c in range(16))


def strokes(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Images (count, 144) of 12 x 12: a bright horizontal or vertical line on noise."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(count, 12, 12), scale=4.0)
    for image in images:
        line, at = np.zeros((12, 12)), rng.integers(2, 10)
        line[at] = 200.0
        image += line if rng.random() < 0.5 else line.T
    return images.reshape(count, -1)


def test_kernels_follow_the_images() -> None:
    X = strokes(300)
    convolution = Convolution.fit(X, (12, 12), kernels=8, size=3, pool=4)
    assert (convolution.width, convolution.features, convolution.shape) == (144, 72, (3, 3, 8))
    assert np.abs(convolution.kernels).max(axis=(1, 2, 3)).tolist() == [127] * 8
    assert not convolution.kernels.sum(axis=(1, 2, 3)).any()
    assert not convolution.transform(np.full((1, 144), 150.0)).any()  # an even surface is nothing
    features = convolution.transform(strokes(100, seed=1))
    assert features.min() == 0
    assert 127 < features.max() <= 255
    # Features of horizontal and vertical lines differ, wherever the lines are.
    by_kernel = convolution.transform(X).reshape(300, 9, 8).mean(axis=1)
    lying = X.reshape(300, 12, 12).mean(axis=2).max(axis=1) > 100
    assert np.abs(by_kernel[lying].mean(axis=0) - by_kernel[~lying].mean(axis=0)).max() > 20


@pytest.mark.slow
def test_the_same_for_the_same_images_in_other_units() -> None:
    X = np.rint(strokes(200))
    first, again, scaled = (Convolution.fit(x, (12, 12), kernels=4, pool=3) for x in (X, X, X * 1000 + 5))
    assert first.equals(again)
    assert not first.equals(Convolution.fit(X, (12, 12), kernels=4, pool=3, random_state=1))
    assert np.array_equal(scaled.kernels, first.kernels)
    assert np.array_equal(scaled.transform(X * 1000 + 5), first.transform(X))


def test_the_border_of_bright_images_is_no_edge() -> None:
    convolution = Convolution.fit(200 - strokes(200), (12, 12), kernels=4, size=3, pool=4)
    assert not convolution.transform(np.full((1, 144), 200.0)).any()


@pytest.mark.slow
def test_channels() -> None:
    gray = strokes(200)
    colored = np.stack([gray, 255 - gray, gray], axis=2).reshape(200, -1)
    convolution = Convolution.fit(colored, (12, 12, 3), kernels=6, size=3, pool=6)
    assert convolution.kernels.shape == (6, 3, 3, 3)
    assert convolution.transform(colored).shape == (200, 24)
    assert str(convolution) == "Convolution(6 kernels of 3 x 3, 12 x 12 x 3 -> 2 x 2 x 6)"


def test_tensors() -> None:
    convolution = Convolution.fit(strokes(200), (12, 12), kernels=4)
    assert Convolution.from_tensors(convolution.tensors()).equals(convolution)
    tensors = convolution.tensors()
    del tensors["pool"]
    with pytest.raises(ModelError, match=r"^'pool' of the convolution is missing; save the model again$"):
        Convolution.from_tensors(tensors)


def test_memory_mapped_images(tmp_path: Path) -> None:
    X = strokes(200).astype(np.float32)
    mapped = np.memmap(tmp_path / "X", dtype=np.float32, shape=X.shape, mode="w+")
    mapped[:] = X
    first, second = (Convolution.fit(images, (12, 12), kernels=4) for images in (mapped, X.astype(np.float64)))
    assert first.equals(second)
    assert np.array_equal(first.transform(mapped), second.transform(X.astype(np.float64)))


def test_an_outlier_does_not_dim_all_pixels() -> None:
    X = strokes(300)
    X[7, 7] = 1e9
    assert Convolution.fit(X, (12, 12), kernels=4).high < 300


# --- in a model ---------------------------------------------------------------------------------------

SMALL = Network(
    name="small",
    features=36,
    classes=2,
    layers=(40, 8, 2),
    out_degree=(4, 2),
    lanes=(4, 4),
    activations=("relu", "sigmoid"),
)


def lines(count: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """`strokes`, and which they are."""
    X = strokes(count, seed)
    lying = X.reshape(count, 12, 12).mean(axis=2).max(axis=1) > 100
    return X, np.where(lying, "lying", "standing")


def test_trained_in_pytorch_and_kept_in_a_file(tmp_path: Path) -> None:
    X, y = lines(200)
    convolution = Convolution.fit(X, (12, 12), kernels=4)
    model = fit(SMALL, X, y, convolution=convolution, epochs=6, random_state=1)
    assert model.width == 144
    assert model.score(*lines(50, seed=1)) > 0.9
    model.save(tmp_path / "model.safetensors")
    loaded = Model.load(tmp_path / "model.safetensors")
    assert loaded.differences(model) == []
    assert np.array_equal(loaded.raw_outputs(X), model.raw_outputs(X))
    assert convolution.equals(loaded.inputs.convolution)
    with pytest.raises(FeatureError, match=r"^X must have shape \(samples, 144\), and has \(200, 36\)$"):
        loaded.predict(convolution.transform(X))


@pytest.mark.slow
def test_the_board_sees_what_pytorch_sees(tmp_path: Path) -> None:
    X, y = lines(200)
    convolution = Convolution.fit(X, (12, 12), kernels=4)
    with Accelerator(Emulator(Build(network=SMALL))) as board:
        board.fit(X, y, convolution=convolution, epochs=2, validation=0.2, checkpoint=tmp_path / "checkpoint")
        model = board.read_model()
        assert np.array_equal(board.raw_outputs(X), model.raw_outputs(X))
    inputs = replace(model.inputs, convolution=None, width=0, medians=np.zeros(0), seen=np.zeros((3, 0)))
    by_hand = replace(model, inputs=inputs)
    assert np.array_equal(model.encode(X), by_hand.encode(convolution.transform(X)))
    with Accelerator(Emulator(Build(network=SMALL))) as board:  # another program goes on
        board.fit(X, y, convolution=convolution, epochs=2, validation=0.2, checkpoint=tmp_path / "checkpoint")
        assert board.read_model().differences(model) == []
        other = Convolution.fit(X, (12, 12), kernels=4, random_state=1)
        with pytest.raises(ArgumentError, match=r" is not that of the loaded model, which has inputs of its own; "):
            board.fit(X, y, convolution=other, epochs=1)


def test_right_neurons_see_windows_of_a_convolutions_features() -> None:
    network = Network(
        features=36,
        classes=2,
        layers=(48, 12, 2),
        out_degree=(4, 1),
        lanes=(4, 2),
        activations=("relu", "sigmoid"),
        image=(Image(junction=1, shape=(6, 6), window=(4, 4)),),  # of pixels, not of these features
    )
    convolution = Convolution.fit(strokes(100), (12, 12), kernels=4)
    inputs = Inputs.fit(strokes(100), convolution=convolution)
    for fresh in (Model.initial(network, inputs=inputs), SparseNetwork.initial(network, inputs=inputs).model()):
        assert fresh.network.hash == network.hash
        place = {neuron: np.unravel_index(i, convolution.shape) for i, neuron in enumerate(fresh.inputs.places)}
        for left in fresh.left[0]:
            rows, columns, kernels = (sorted(set(numbers)) for numbers in zip(*(place[n] for n in left), strict=True))
            assert kernels == [0, 1, 2, 3]
            assert [len(rows), len(columns)] == [rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1] == [2, 2]
    (image,) = Network.load("mnist-dey-narrow").seeing((7, 7, 16)).image  # 256 lanes, and 64 pixels to a window
    assert (image.window, image.dilation) == ((2, 2, 16), (2, 2))
    assert not Network.load("mnist-dey-narrow").seeing((3, 3, 13)).image  # no window of 64 pixels lies there


def test_models_differ_by_their_convolutions() -> None:
    X, _ = lines(200)
    first, second = (Convolution.fit(X, (12, 12), kernels=4, random_state=seed) for seed in (0, 1))
    plain = Inputs.plain(36)
    assert Inputs.fit(X, convolution=first).equals(Inputs.fit(X, convolution=first))
    given = replace(plain, convolution=first, width=0)
    for other in (plain, replace(plain, convolution=second, width=0)):
        assert given.differences(other)[0].startswith(
            "images go through Convolution(4 kernels of 5 x 5, 12 x 12 -> 3 x 3"
        )
        assert other.differences(given)[0].startswith("images go through ")


def test_convolutions_that_do_not_suit() -> None:
    X, y = lines(100)
    convolution = Convolution.fit(X, (12, 12), kernels=5)
    with pytest.raises(ArgumentError) as error:
        fit(SMALL, X, y, convolution=convolution)
    assert str(error.value) == (
        "the network takes 36 features, and Convolution(5 kernels of 5 x 5, 12 x 12 -> 3 x 3 x 5) gives 45; "
        "use another network, or other kernels or another pool"
    )
    with pytest.raises(ArgumentError, match=r"^convolution must be a Convolution, and is 'yes'; give Convolution.fit"):
        fit(SMALL, X, y, convolution="yes")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ModelError, match=r"^width must be that of the convolution's images, 144, and is 45$"):
        replace(Inputs.plain(45), convolution=convolution)
    with pytest.raises(ModelError, match=r"^columns are 0 to 44, one of the convolution's 45 each, and one is 45$"):
        replace(Inputs.plain(46), convolution=convolution, width=144)


# --- what images must be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image": (12, 13)}, "X must hold an image of 12 x 13 pixels per row, shape (samples, 156), and has (20, 144);"
         " images of 12 x 12 would have as many"),
        ({"image": 12}, "image must be (rows, columns) or (rows, columns, channels), such as (28, 28) or (32, 32, 3), "
         "and is 12"),
        ({"image": "12"}, "image must be (rows, columns) or (rows, columns, channels)"),
        ({"image": (12, 12, 0)}, "image must be (rows, columns) or (rows, columns, channels)"),
        ({"image": (12, 12.0)}, "image must be (rows, columns) or (rows, columns, channels)"),
        ({"image": (2000, 2000)}, "image must have at most 1,048,576 pixels, and is 2000 x 2000"),
        ({"kernels": 0}, "kernels must be a whole number, at least 1, and is 0"),
        ({"size": 4}, "size must be odd, so that a kernel has a middle, and is 4; use 3 or 5"),
        ({"size": 17}, "size must be at most 15, and is 17"),
        ({"pool": 13}, "pool must be at most 12, and is 13"),
        ({"random_state": -1}, "random_state must be a whole number, 0 to 4294967295, and is -1"),
    ],
)  # fmt: skip
def test_arguments_that_cannot_be(given: dict[str, object], message: str) -> None:
    arguments = {"image": (12, 12), **given}
    with pytest.raises((ArgumentError, FeatureError), match=f"^{re.escape(message)}"):
        Convolution.fit(strokes(20), **arguments)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("shape", "mend"),
    [
        ((5, 12, 12), "give X.reshape(len(X), -1)"),
        ((5, 192), "images of 8 x 8 x 3 would have as many"),
        ((5, 143), "give the shape that its images have"),
        ((5,), "give the shape that its images have"),
    ],
)
def test_samples_of_another_shape(shape: tuple[int, ...], mend: str) -> None:
    with pytest.raises(FeatureError) as error:
        Convolution.fit(np.zeros(shape), (12, 12))
    assert str(error.value).endswith(f"and has {shape}; {mend}")


def test_images_that_show_nothing() -> None:
    with pytest.raises(FeatureError, match=r"^X must show something, and all its pixels are 3; give other images$"):
        Convolution.fit(np.full((5, 144), 3.0), (12, 12))
    one = np.zeros((5, 144))
    one[:, 40] = 1.0
    with pytest.raises(
        FeatureError, match=r"^X must show at least 16 different patches of 3 x 3 pixels, one per kernel"
    ):
        Convolution.fit(one, (12, 12), size=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernels": np.full((2, 3, 3, 1), 128)}, "kernels are integers -127 to 127, and one is 128"),
        ({"kernels": np.zeros((2, 3, 5, 1), dtype=int)}, "kernels must have shape (2, 3, 3, 1), and has (2, 3, 5, 1)"),
        ({"kernels": np.zeros(())}, "kernels must have shape (kernels, size, size, channels), and have ()"),
        ({"shifts": np.array([0, 32])}, "shifts are integers 0 to 31, and one is 32"),
        ({"shifts": np.array([0])}, "shifts must have shape (2,), and has (1,)"),
        ({"high": 0.0}, "low must be below high, and they are 0 and 0"),
        ({"low": float("nan")}, "low must be finite, and has nan"),
    ],
)
def test_numbers_that_cannot_be(change: dict[str, object], message: str) -> None:
    kernels = np.ones((2, 3, 3, 1), dtype=int)
    valid = Convolution(image=(4, 4, 1), kernels=kernels, shifts=np.zeros(2, dtype=int), pool=2, low=0.0, high=1.0)
    with pytest.raises(ModelError, match=f"^{re.escape(message)}"):
        replace(valid, **change)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("features", "image", "geometry"),
    [(784, (28, 28), (16, 4)), (1024, (32, 32, 3), (16, 4)), (64, (8, 8), (16, 4)), (400, (30, 25), (16, 6))],
)
def test_geometry_for_a_network(features: int, image: tuple[int, ...], geometry: tuple[int, int]) -> None:
    kernels, pool = geometry_for(features, image)
    assert (kernels, pool) == geometry
    rows, columns, _ = checked_image(image)
    assert kernels * -(-rows // pool) * -(-columns // pool) == features


def test_features_that_no_geometry_has() -> None:
    with pytest.raises(ArgumentError) as error:
        geometry_for(1001, (28, 28))
    assert str(error.value) == "an image of 28 x 28 pixels does not become 1001 features; use a network of 1000"
