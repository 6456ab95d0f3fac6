"""Images: windows are bank-balanced wherever they lie, chains see what they should, and what cannot be is refused."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presparse.contract.build import Build
from presparse.contract.errors import NetworkError, PatternError
from presparse.contract.images import Image, Layout, Size, grid, layout, nearest_sizes, spread
from presparse.contract.network import Network
from presparse.contract.pattern import arranged, check

small = st.integers(1, 3)
PIXELS: dict[str, Any] = {
    "features": 48,
    "classes": 4,
    "layers": (64, 16, 4),
    "out_degree": (2, 4),
    "lanes": (8, 4),
    "activations": ("relu", "sigmoid"),
    "image": [{"junction": 1, "shape": (6, 8), "window": (2, 4)}],
}
"""6 x 8 pixels in an input layer of 8 x 8."""
CHAIN: dict[str, Any] = {
    "features": 64,
    "classes": 4,
    "layers": (64, 32, 8, 4),
    "out_degree": (2, 4, 4),
    "lanes": (4, 8, 4),
    "activations": ("relu", "relu", "sigmoid"),
    "image": [
        {"junction": 1, "shape": (8, 8), "window": (2, 2)},
        {"junction": 2, "shape": (4, 4, 2), "window": (2, 4)},
    ],
}
"""8 x 8 pixels, 4 x 4 places of 2 neurons each, and 8 neurons that see half of these."""


# --- layouts ----------------------------------------------------------------------------------------


def test_every_window_at_every_place_has_equally_many_pixels_in_every_bank() -> None:
    """Exhaustive for small images: all sizes, all windows that the banks divide, all places."""
    seen = 0
    for rows, columns, channels in itertools.product(range(1, 7), range(1, 6), range(1, 4)):
        for banks in itertools.product((1, 2, 3), (1, 2), (1, 2)):
            size = (rows, columns, channels)
            own = Layout(size=size, banks=banks)
            neurons = own.all_neurons()
            assert len(set(neurons.tolist())) == math.prod(size)
            assert neurons.max() < own.bank_rows * own.lanes
            tall, wide, deep = (range(z, s + 1, z) for s, z in zip(size, banks, strict=True))
            for window in itertools.product(tall, wide, deep):
                places = itertools.product(*(range(s - w + 1) for s, w in zip(size, window, strict=True)))
                found = own.window_neurons(window, np.array(list(places)))
                counts = [np.bincount(row % own.lanes, minlength=own.lanes) for row in found]
                assert (np.array(counts) == math.prod(window) // own.lanes).all()
                seen += len(found)
    assert seen > 20_000


def test_a_layout_by_hand() -> None:
    """3 x 4 pixels, 2 x 2 banks: two rows of banks, of which the second is half full, with two columns each."""
    own = Layout(size=(3, 4, 1), banks=(2, 2, 1))
    assert own.all_neurons().reshape(3, 4).tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13]]
    assert own.window_neurons((2, 2, 1), np.array([[1, 1, 0]])).tolist() == [[3, 6, 9, 12]]


def test_strips_lie_one_behind_the_other() -> None:
    """3 x 3 pixels, 1 x 2 banks: nine pixels in five rows."""
    own = Layout(size=(3, 3, 1), banks=(1, 2, 1))
    assert own.all_neurons().tolist() == list(range(9))
    assert own.bank_rows == 5


STEPS = ((1, 2), (2, 1), (2, 2), (1, 3), (1, 4), (3, 2))


def test_dilated_windows_have_equally_many_pixels_in_every_bank_of_their_lanes() -> None:
    """Exhaustive for small images: right neurons of all phases at all places."""
    seen = 0
    for rows, columns, channels in itertools.product(range(2, 8), range(2, 7), range(1, 3)):
        size = (rows, columns, channels)
        for dilation, banks in itertools.product(STEPS, ((1, 2, 1), (2, 1, 1), (2, 2, 2), (1, 4, 1))):
            phases = math.prod(dilation)
            for apart in (k for k in range(1, phases + 1) if phases % k == 0):
                own = Layout(size=size, banks=banks, dilation=dilation, apart=apart)
                neurons = own.all_neurons()
                assert len(set(neurons.tolist())) == math.prod(size)
                assert neurons.max() < own.bank_rows * own.lanes
                tall, wide, deep = (
                    range(z, s + 1, z) if apart == 1 else (z,) for s, z in zip(own.phase_size, banks, strict=True)
                )
                for window in itertools.product(tall, wide, deep):
                    ranges = (range(s - w + 1) for s, w in zip(own.phase_size, window, strict=True))
                    places = np.repeat(np.array(list(itertools.product(*ranges))).reshape(-1, 3), phases, axis=0)
                    for number, row in enumerate(own.window_neurons(window, places)):
                        counts = np.bincount(row % own.lanes, minlength=own.lanes).reshape(apart, -1)
                        assert (counts[number % apart] == math.prod(window) // math.prod(banks)).all()
                        assert counts.sum() == math.prod(window)
                        seen += 1
    assert seen > 20_000


def test_a_dilated_layout_by_hand() -> None:
    """2 x 4 pixels, two right neurons at a time: one sees even columns in banks 0 and 1, one odd ones in 2 and 3."""
    own = layout((2, 4, 1), (1, 2, 1), left=8, lanes=4, dilation=(1, 2))
    assert own is not None
    assert own.all_neurons().reshape(2, 4).tolist() == [[0, 2, 1, 3], [4, 6, 5, 7]]
    assert own.window_neurons((1, 2, 1), np.array([[1, 0, 0]] * 2)).tolist() == [[4, 5], [6, 7]]


def test_phases_in_the_same_banks_by_hand() -> None:
    """A row of 8 pixels in 4 banks: the second four are turned by one in pairs, so that pixels 0, 2, 4, 6 differ."""
    own = Layout(size=(1, 8, 1), banks=(1, 4, 1), dilation=(1, 2))
    assert own.all_neurons().tolist() == [0, 1, 2, 3, 5, 4, 7, 6]
    assert own.window_neurons((1, 4, 1), np.array([[0, 0, 0]] * 2)).tolist() == [[0, 2, 5, 7], [1, 3, 4, 6]]
    assert own.bank_rows == 2


def test_layouts_take_few_rows_and_are_square() -> None:
    found = layout((28, 28, 1), (8, 8, 1), left=1024, lanes=16)
    assert found is not None
    assert found.banks == (4, 4, 1)
    assert layout((28, 28, 1), (8, 8, 1), left=896, lanes=64) is not None
    assert layout((28, 28, 1), (8, 8, 1), left=895, lanes=64) is None
    assert layout((28, 28, 1), (8, 8, 1), left=1024, lanes=128) is None
    assert layout((28, 28, 1), (8, 8, 1), left=1024, lanes=128, dilation=(1, 2)) is not None
    assert layout((28, 28, 1), (8, 8, 1), left=1024, lanes=192, dilation=(2, 2)) is None
    assert layout((28, 28, 1), (7, 8, 1), left=1024, lanes=64) is None


@pytest.mark.parametrize("count", [1, 7, 64, 500])
def test_windows_are_spread_evenly(count: int) -> None:
    size, window = (20, 28, 4), (8, 8, 4)
    corners = spread(count, size, window)
    assert (corners >= 0).all()
    assert (corners <= np.array(size) - window).all()
    centers = corners.mean(axis=0) - (np.array(size) - window) / 2
    assert np.abs(centers).max() <= 6 / math.sqrt(count) + 0.6
    assert len(np.unique(corners, axis=0)) >= min(count, 150)


def test_a_grid_goes_from_the_first_place_to_the_last() -> None:
    corners = grid((28, 28, 2), (8, 4, 2), (3, 4, 2)).reshape(3, 4, 2, 3)
    assert corners[:, 0, 0, 0].tolist() == [0, 10, 20]
    assert corners[0, :, 1, 1].tolist() == [0, 8, 16, 24]
    assert not corners[..., 2].any()
    assert grid((9, 9, 1), (4, 4, 1), (1, 1, 5)).tolist() == [[2, 2, 0]] * 5


@given(numbers=st.tuples(st.integers(1, 200), small, small, small))
def test_nearest_sizes_are_all_there_are(numbers: tuple[int, int, int, int]) -> None:
    product, *wanted = numbers
    found = nearest_sizes(product, (wanted[0], wanted[1], wanted[2]))
    assert len(set(found)) == len(found)
    assert {math.prod(size) for size in found} == {product}
    distances = [sum(abs(a - b) for a, b in zip(size, wanted, strict=True)) for size in found]
    assert distances == sorted(distances)


# --- networks with images ---------------------------------------------------------------------------


def random_images(rng: np.random.Generator) -> Network:
    """One image with padding, margin, dilation and channels as they come; lanes for one right neuron, or several."""
    banks: Size = tuple(rng.integers(1, 4, size=3).tolist())
    dilation = (int(rng.integers(1, 4)), int(rng.integers(1, 3)))
    apart = int(rng.choice([k for k in range(1, 7) if math.prod(dilation) % k == 0]))
    window = [z * (1 if apart > 1 else int(rng.integers(1, 3))) for z in banks]
    shape = [w * step + int(rng.integers(0, 5)) for w, step in zip(window, (*dilation, 1), strict=True)]
    margin = rng.integers(0, 3, size=2).tolist()
    lanes, in_degree = math.prod(banks) * apart, math.prod(window)
    needed = Layout(size=(shape[0], shape[1], shape[2]), banks=banks, dilation=dilation, apart=apart).bank_rows
    rows = needed + int(rng.integers(0, 4))
    shape = [shape[0] + 2 * margin[0], shape[1] + 2 * margin[1], shape[2]]
    left = lanes * max(rows, -(-math.prod(shape) // lanes))
    common = math.gcd(left, in_degree)
    return Network(
        features=math.prod(shape),
        classes=1,
        layers=(left, left // common),
        out_degree=(in_degree // common,),
        lanes=(lanes,),
        activations=("sigmoid",),
        image=(
            Image(
                junction=1,
                shape=tuple(shape),
                window=tuple(window),
                dilation=dilation,
                margin=(margin[0], margin[1]),
            ),
        ),
    )


@given(seed=st.integers(0, 2**32))
def test_windows_are_clash_free_and_are_windows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_images(rng)
    (junction,), (image,) = network.junctions, network.image
    (left,) = arranged(network, "windows", rng)
    check(junction, left)
    feature = np.full(junction.left, -1)
    feature[network.places] = np.arange(network.features)
    pixels = np.array(np.unravel_index(feature[left], image.size))  # (3, right, in_degree)
    assert (feature[left] >= 0).all()
    for axis, (extent, most, margin, step) in enumerate(
        zip(image.window_size, image.size, (*image.margin, 0), (*image.dilation, 1), strict=True)
    ):
        low, high = pixels[axis].min(axis=1), pixels[axis].max(axis=1)
        assert (high - low == (extent - 1) * step).all()
        assert ((pixels[axis] - low[:, None]) % step == 0).all()
        assert low.min() >= margin
        assert high.max() < most - margin


def test_padding_may_lie_anywhere() -> None:
    network = Network(**{**PIXELS, "features": 40, "image": [{"junction": 1, "shape": (5, 8), "window": (2, 4)}]})
    assert len(set(network.places.tolist())) == 40
    assert network.places.max() > 40
    assert not network.places.flags.writeable


def test_a_margin_fills_the_neurons_that_windows_leave() -> None:
    """So that a store, which keeps the first neurons only, holds all features."""
    network = Network(**{**PIXELS, "image": [{"junction": 1, "shape": (6, 8), "window": (2, 4), "margin": (1, 2)}]})
    assert sorted(network.places.tolist()) == list(range(48))
    assert sorted(network.places.reshape(6, 8)[1:5, 2:6].reshape(-1).tolist()) == list(range(16))


def test_of_a_chain_neurons_look_where_they_are() -> None:
    network = Network(**CHAIN)
    first, second, third = arranged(network, None, np.random.default_rng(0))
    for junction, left in zip(network.junctions, (first, second, third), strict=True):
        check(junction, left)
    pixel = np.empty(64, dtype=np.int64)
    pixel[network.places] = np.arange(64)
    of_place = network.layouts[1].all_neurons().reshape(4, 4, 2)
    for row, column, channel in np.ndindex(4, 4, 2):
        seen = np.array(np.unravel_index(pixel[first[of_place[row, column, channel]]], (8, 8)))
        assert seen.min(axis=1).tolist() == [2 * row, 2 * column]
    rows = np.empty(32, dtype=np.int64)
    rows[of_place] = np.arange(4)[:, None, None]
    assert (np.ptp(rows[second], axis=1) == 1).all()  # 2 x 4 of 4 x 4, with both channels
    assert {row.min() for row in rows[second]} == {0, 1, 2}


def test_dilated_windows_of_a_chain_are_where_their_neurons_are() -> None:
    """Two neurons at a place, of which one sees even columns and one odd ones."""
    network = Network(**{**CHAIN, "image": [{**CHAIN["image"][0], "dilation": (1, 2)}, CHAIN["image"][1]]})
    junction, left = network.junctions[0], arranged(network, None, np.random.default_rng(0))[0]
    check(junction, left)
    pixel = np.empty(64, dtype=np.int64)
    pixel[network.places] = np.arange(64)
    of_place = network.layouts[1].all_neurons().reshape(4, 4, 2)
    for row, column, channel in np.ndindex(4, 4, 2):
        neuron = of_place[row, column, channel]
        rows, columns = np.unravel_index(pixel[left[neuron]], (8, 8))
        assert (rows.min(), rows.max()) == (2 * row, 2 * row + 1)
        first = 2 * round(column * 2 / 3) + neuron % 2
        assert sorted(set(columns.tolist())) == [first, first + 2]


def test_an_image_is_data_and_no_hardware() -> None:
    """Old bitstreams take models with windows, and old files of networks are what they were."""
    plain = Network(**{**PIXELS, "image": ()})
    network = Network(**PIXELS)
    assert network.hash == plain.hash
    assert Build(network=network, store_samples=8).hash == Build(network=plain, store_samples=8).hash
    assert "image" not in plain.model_dump_json()
    assert "image" not in plain.to_toml()
    assert plain.places.tolist() == list(range(48))


@pytest.mark.parametrize("description", [PIXELS, CHAIN])
def test_images_survive_files(description: dict[str, Any]) -> None:
    network = Network(**description)
    assert Network.from_toml(network.to_toml()) == network
    build = Build(network=network)
    assert Build.model_validate_json(build.model_dump_json()).network == network


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (6, 9)}, "image of junction 1: a shape of 6 x 9 has 54 pixels, and there are 48 features; the "
         "nearest valid shape is 6 x 8"),
        ({"shape": (7, 3, 2)}, "image of junction 1: a shape of 7 x 3 x 2 has 42 pixels, and there are 48 features; "
         "the nearest valid shape is 8 x 3 x 2"),
        ({"shape": (48,)}, "image.0.shape: Tuple should have at least 2 items after validation, not 1 (got (48,))"),
        ({"window": (3, 3)}, "image of junction 1: a window of 3 x 3 has 9 pixels, and every right neuron 8 edges; the "
         "nearest valid window is 2 x 4"),
        ({"window": (1, 12)}, "image of junction 1: a window of 1 x 12 is larger than the 6 x 8 pixels that windows "
         "see; the nearest valid window is 1 x 8"),
        ({"window": (2, 4, 2)}, "image of junction 1: a window of 2 x 4 x 2 is larger than the 6 x 8 pixels that "
         "windows see; the nearest valid window is 2 x 4"),
        ({"margin": (3, 0)}, "image.0: a margin of 3 x 0 leaves nothing of 6 x 8 pixels"),
        ({"margin": (0, -1)}, "image.0.margin.1: Input should be greater than or equal to 0 (got -1)"),
        ({"junction": 2}, "image: the images are those of junctions 1, 2, ... in this order, without a gap, and "
         "these are of junctions 2; the network has 2"),
        ({"stride": 2}, "image.0.stride is no key here; remove it or correct its spelling"),
    ],
)  # fmt: skip
def test_one_broken_rule(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError) as error:
        Network(**{**PIXELS, "image": [{**PIXELS["image"][0], **change}]})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": 35, "image": [{"junction": 1, "shape": (5, 7), "window": (2, 4)}], "layers": (40, 10, 4),
          "lanes": (8, 2)},
         "image of junction 1: windows of 2 x 4 in 40 left neurons are not clash-free for 8 lanes; use 4 lanes, or 48 "
         "left neurons"),
        ({"lanes": (16, 4)}, "image of junction 1: windows of 2 x 4 in 64 left neurons are not clash-free for 16 "
         "lanes; use a dilation of 1 x 2, or 8 lanes"),
        ({"image": [{**PIXELS["image"][0], "dilation": (3, 3)}]}, "image of junction 1: a window of 2 x 4, dilated by "
         "3 x 3, is larger than the 6 x 8 pixels that windows see; use a dilation of 1 x 1"),
        ({"features": 16, "image": [{"junction": 1, "shape": (4, 4), "window": (5, 1)}], "layers": (20, 4, 4),
          "out_degree": (1, 4), "lanes": (5, 4)},
         "image of junction 1: a window of 5 x 1 is larger than the 4 x 4 pixels that windows see; no window of 5 "
         "pixels would be valid: use another out_degree, or fewer lanes"),
        ({"image": [*PIXELS["image"], {"junction": 2, "shape": (4, 5), "window": (4, 4)}]},
         "image of junction 2: a shape of 4 x 5 has 20 pixels, and there are 16 left neurons; the nearest valid "
         "shape is 4 x 4"),
        ({"image": [*PIXELS["image"], {"junction": 2, "shape": (4, 4), "window": (4, 4), "margin": (1, 1)}]},
         "image of junction 2: only features have a margin, and this one has 1 x 1; leave it out"),
        ({"image": PIXELS["image"] * 3}, "image: the images are those of junctions 1, 2, ... in this order, without "
         "a gap, and these are of junctions 1, 1, 1; the network has 2"),
    ],
)  # fmt: skip
def test_images_that_do_not_fit_their_network(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError) as error:
        Network(**{**PIXELS, **change})
    assert str(error.value) == message


def test_windows_need_images() -> None:
    with pytest.raises(PatternError) as error:
        arranged(Network(**{**PIXELS, "image": ()}), "windows", np.random.default_rng(0))
    assert str(error.value) == (
        "network network has no images, of which patterns of kind 'windows' are; describe them as [[image]]"
    )
