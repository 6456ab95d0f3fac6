"""Inputs in the places where windows see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from presparse.contract.network import Network
from presparse.errors import ModelError
from presparse.features.inputs import Inputs
from presparse.model import Model
from presparse.train import SparseNetwork

IMAGE = Network(
    features=6,
    classes=2,
    layers=(8, 4, 2),
    out_degree=(2, 2),
    lanes=(4, 2),
    activations=("relu", "sigmoid"),
    image=[{"junction": 1, "shape": (2, 3), "window": (2, 2)}],  # pyright: ignore[reportArgumentType]
)
"""Two rows of three pixels and, at the end of both, one of padding."""


def test_windows_put_features_where_they_see_them() -> None:
    X = np.arange(6.0)[None] / 8
    encoded = Model.initial(IMAGE).encode(X)[0]
    assert encoded[IMAGE.places].tolist() == [0, 32, 64, 96, 128, 160]
    assert np.flatnonzero(encoded).tolist() == sorted(IMAGE.places[1:].tolist())
    assert IMAGE.places.tolist() == [0, 1, 4, 2, 3, 6]
    np.testing.assert_array_equal(SparseNetwork.initial(IMAGE).inputs(X).numpy()[0] * 256, encoded)
    assert Model.initial(IMAGE, pattern="free").encode(X)[0].tolist() == [0, 32, 64, 96, 128, 160, 0, 0]


def test_a_file_keeps_places_and_images(tmp_path: Path) -> None:
    model = Model.initial(IMAGE, random_state=1)
    model.save(tmp_path / "model.safetensors")
    again = Model.load(tmp_path / "model.safetensors")
    assert again.differences(model) == []
    assert again.network == IMAGE
    assert again.inputs.places.tolist() == IMAGE.places.tolist()


def test_no_edge_of_windows_is_wasted_on_padding() -> None:
    assert np.count_nonzero(Model.initial(IMAGE).weights[0]) == 16


def test_places_of_ones_own_are_not_those_of_windows() -> None:
    inputs = Inputs(offset=np.zeros(6), gain=np.ones(6), places=np.arange(6)[::-1])
    assert Model.initial(IMAGE, pattern="free", inputs=inputs).inputs.places.tolist() == [5, 4, 3, 2, 1, 0]
    with pytest.raises(ModelError, match=r"^windows see features where Network\.places has them, and these have other"):
        Model.initial(IMAGE, inputs=inputs)
