"""Models: valid for their network, saved and loaded without loss, features encoded, errors named."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from presparse import inference
from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.contract.errors import PatternError
from presparse.contract.network import Activation, Network
from presparse.contract.pattern import CLASH_FREE_KINDS, PatternKind, check
from presparse.errors import FeatureError, ModelError, NetworkError, OutputError
from presparse.features.inputs import Inputs
from presparse.model import Model, _content_hash
from presparse.reference.emulator import Emulator
from presparse.reference.pytorch import Reference
from presparse.validation import checked_labels
from tests.networks import bank_balanced, random_model, random_network

SMALL = Network(
    name="small",
    features=5,
    classes=3,
    layers=(6, 4, 4),
    out_degree=(2, 2),
    lanes=(3, 2),
    activations=("relu", "sigmoid"),
)


def same(first: Model, second: Model) -> bool:
    return first.differences(second) == [] and first.network == second.network


@pytest.mark.parametrize("seed", range(30))
def test_saved_and_loaded(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, random_network(rng))
    features = model.network.features
    model = replace(
        model,
        inputs=Inputs(
            offset=rng.normal(size=features),
            gain=rng.normal(size=features),
            knots=np.sort(rng.normal(size=(features, seed % 4))),
            levels=np.sort(rng.normal(size=(features, seed % 4))),
            columns=rng.permutation(features + seed)[:features],
            places=rng.permutation(model.network.layers[0])[:features],
            width=features + seed,
            palettes=np.array([[n / 7 - 1, n / 3, np.nan] for n in range(features)] if seed % 2 else []),
            names=tuple(f"column {n}" for n in range(features + seed)) if seed % 2 else (),
        ),
        classes_=np.array([f"class {n}" for n in range(model.network.classes)]) if seed % 3 else np.arange(0),
    )
    model.save(tmp_path / "model.safetensors")
    loaded = Model.load(tmp_path / "model.safetensors")
    assert same(loaded, model)
    for key in ("left", "weights", "biases"):
        for own, other in zip(getattr(model, key), getattr(loaded, key), strict=True):
            assert own.dtype == other.dtype == np.int64
            assert np.array_equal(own, other)
    assert loaded.inputs.tensors().keys() == model.inputs.tensors().keys()
    for key, tensor in model.inputs.tensors().items():
        assert np.array_equal(loaded.inputs.tensors()[key], tensor, equal_nan=True), key
    assert loaded.inputs.names == model.inputs.names
    assert loaded.classes_.tolist() == model.classes_.tolist()


@pytest.mark.parametrize(
    ("version", "later"), [("1", {"columns", "width"}), ("2", {"knots", "levels", "places"}), ("3", {"palettes"})]
)
def test_files_of_older_versions(version: str, later: set[str], tmp_path: Path) -> None:
    """Version 1 takes all features in order, 2 knows no maps, places or names, 3 no palettes."""
    MODEL.save(tmp_path / "model.safetensors")
    tensors = load_file(tmp_path / "model.safetensors")
    before = {"1": {"knots", "levels", "places", "palettes"}, "2": {"palettes"}, "3": set()}[version]
    for name in later | before:
        del tensors[name]
    with safe_open(tmp_path / "model.safetensors", framework="numpy") as file:
        metadata = file.metadata()
    names = metadata["names"] if version == "3" else ""
    if not names:
        del metadata["names"]
    metadata |= {"presparse_model": version, "content_hash": _content_hash(MODEL.network, tensors, names)}
    save_file(tensors, tmp_path / "old.safetensors", metadata=metadata)
    assert same(Model.load(tmp_path / "old.safetensors"), MODEL)


@pytest.mark.parametrize(
    ("columns", "width", "message"),
    [
        ([0, 1, 2, 3], 9, "columns must have shape (5,), and has (4,)"),
        ([0, 1, 2, 3, 9], 9, "columns are 0 to 8, one of X's 9 each, and one is 9"),
        ([0, 1, 2, 3, -1], 9, "columns are 0 to 8, one of X's 9 each, and one is -1"),
        ([0, 1, 2, 3, 3], 9, "columns must differ, and two input neurons take the same"),
        ([0.0, 1, 2, 3, 4], 9, "columns must be integers, and have dtype float64"),
        ([], 4, "columns are 0 to 3, one of X's 4 each, and one is 4"),
    ],
)
def test_columns_that_cannot_be(columns: list[float], width: int, message: str) -> None:
    with pytest.raises(ModelError, match=re.escape(message)):
        replace(MODEL.inputs, columns=np.array(columns), width=width)


def test_arrays_are_read_only_copies() -> None:
    weights = [w.copy() for w in Model.initial(SMALL).weights]
    model = replace(Model.initial(SMALL), weights=tuple(weights))
    weights[0][0, 0] += 1
    assert model.differences(Model.initial(SMALL)) == []
    with pytest.raises(ValueError, match="read-only"):
        model.weights[0][0, 0] = 1


@pytest.mark.parametrize("kind", CLASH_FREE_KINDS)
def test_initial(kind: PatternKind) -> None:
    model = Model.initial(SMALL, pattern=kind, random_state=1, inputs=Inputs.plain(5, offset=2.0, gain=0.5))
    for j, left, weights, biases in zip(SMALL.junctions, model.left, model.weights, model.biases, strict=True):
        check(j, left)
        assert not biases.any()
        assert weights.any()
    assert model.inputs.offset.tolist() == [2.0] * 5
    assert model.inputs.gain.tolist() == [0.5] * 5
    assert not model.weights[0][model.left[0] >= SMALL.features].any()  # edges from padding features
    assert not model.weights[1][SMALL.classes :].any()  # edges to padding outputs


@pytest.mark.parametrize(
    ("first", "second", "variance"),
    [
        ("sigmoid", "sigmoid", 4 / 32),
        ("relu", "sigmoid", 1 / 32),
        ("sigmoid", "relu", 2 / 32),
        ("relu", "relu", 2 / 32),
    ],
)
def test_first_weights_are_as_wide_as_activations_need(first: Activation, second: Activation, variance: float) -> None:
    """Of the hidden junction in the middle, where 32 edges come to each neuron and go on from each."""
    network = Network(
        features=64,
        classes=8,
        layers=(64, 256, 256, 8),
        out_degree=(32, 32, 8),
        lanes=(8, 8, 8),
        activations=(first, second, "sigmoid"),
    )
    inputs, hidden, outputs = (network.formats.weight.decode(w) for w in Model.initial(network).weights)
    assert np.var(hidden) == pytest.approx(variance, rel=0.05)  # of 8,192 weights
    assert np.var(inputs) == pytest.approx(2 / 8 if first == "relu" else 2 / 40, rel=0.08)
    assert np.var(outputs) == pytest.approx(2 / 264, rel=0.1)


def test_initial_is_deterministic() -> None:
    assert same(Model.initial(SMALL, random_state=4), Model.initial(SMALL, random_state=4))
    assert not same(Model.initial(SMALL, random_state=4), Model.initial(SMALL, random_state=5))


def test_learned_patterns_are_models() -> None:
    rng = np.random.default_rng(0)
    model = replace(Model.initial(SMALL), left=tuple(bank_balanced(rng, j) for j in SMALL.junctions))
    assert model.left[0].shape == (4, 3)


# --- what a model must be ---------------------------------------------------------------------------


def changed(arrays: tuple[NDArray[np.int64], ...], index: int, place: tuple[int, ...], value: int) -> tuple:
    copies = [a.copy() for a in arrays]
    copies[index][place] = value
    return tuple(copies)


MODEL = Model.initial(SMALL, pattern="free", random_state=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": MODEL.weights[:1]}, "weights needs one array per junction: 2, and has 1"),
        ({"biases": (MODEL.biases[0], MODEL.biases[1][:3])}, "junction 2: biases must have shape (4,), and has (3,)"),
        ({"weights": (MODEL.weights[0].T, MODEL.weights[1])},
         "junction 1: weights must have shape (4, 3), and has (3, 4)"),
        ({"weights": (MODEL.weights[0] * 1.0, MODEL.weights[1])},
         "junction 1: weights must be integers, and have dtype float64"),
        ({"weights": changed(MODEL.weights, 1, (3, 1), 32768)},
         "junction 2: weights are integers -32768 to 32767 (16 bits (13 fraction)), and one is 32768"),
        ({"biases": changed(MODEL.biases, 0, (0,), -32769)},
         "junction 1: biases are integers -32768 to 32767 (16 bits (13 fraction)), and one is -32769"),
        ({"inputs": Inputs.plain(6)}, "inputs must be those of 5 features, and are those of 6"),
        ({"inputs": replace(MODEL.inputs, places=np.array([0, 1, 2, 3, 6]))},
         "places are input neurons, 0 to 5, and one is 6"),
        ({"classes_": np.array(["a", "b", "a"])},
         "classes_ must be 3 labels that differ, and are a, b, a"),
        ({"classes_": np.array(["a", "b"])},
         "classes_ must be 3 labels that differ, and are a, b"),
    ],
)  # fmt: skip
def test_numbers_that_do_not_fit(change: dict, message: str) -> None:
    with pytest.raises(ModelError) as error:
        replace(MODEL, **change)
    assert str(error.value) == message


def test_pattern_that_clashes() -> None:
    left = changed(MODEL.left, 0, (0, 0), int(MODEL.left[0][0, 1]))
    with pytest.raises(PatternError, match=r"^junction 1: right neuron 0 is connected twice to left neuron "):
        replace(MODEL, left=left)


# --- files ------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    MODEL.save(path)
    return path


def test_truncated_at_every_length(saved: Path) -> None:
    content = saved.read_bytes()
    for length in range(0, len(content), 7):
        saved.write_bytes(content[:length])
        with pytest.raises(ModelError, match=f"^{re.escape(str(saved))}: .*; (save the model again|give the path)"):
            Model.load(saved)


def test_altered_bytes_are_noticed(saved: Path) -> None:
    content = saved.read_bytes()
    for place in range(0, len(content), 3):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ModelError, match=f"^{re.escape(str(saved))}: "):
            Model.load(saved)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.safetensors: cannot be read .*; give the path of a model file$"):
        Model.load(tmp_path / "none.safetensors")


def test_foreign(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"layer.weight": np.zeros((2, 2))}, path)
    with pytest.raises(ModelError) as error:
        Model.load(path)
    assert str(error.value) == f"{path}: not a Presparse model; `presparse train` and Model.save write them"


def rewritten(path: Path, **metadata: str) -> None:
    """The same arrays under other metadata."""
    with safe_open(path, framework="numpy") as file:
        own = file.metadata()
    tensors = load_file(path)
    save_file(tensors, path, metadata={**own, **metadata})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": np.array(np.nan)}, "width must be integers, and have dtype float64"),
        ({"width": np.array([5, 5], dtype=np.int32)}, "width must have shape (), and has (2,)"),
        ({"width": np.array(-5)}, "width must be 0 to 2147483647, and is -5"),
        ({"width": np.array(1 << 40)}, "width must be 0 to 2147483647, and is 1099511627776"),
        ({"junction1.weights": np.full((4, 3), 2**64 - 1, dtype=np.uint64)},
         "junction 1: weights must be integers of 64 bits with sign, and one is 18446744073709551615"),
        ({"junction1.biases": np.zeros(4)}, "junction 1: biases must be integers, and have dtype float64"),
        ({"junction2.left": np.zeros((4, 2, 1, 1), dtype=np.int32)}, "junction 2: "),
        ({"columns": np.array(3)}, "columns must have shape (5,), and has ()"),
        ({"offset": np.full(5, True)}, None),
        ({"gain": np.ones((5, 1))}, "gain must have shape (5,), and has (5, 1)"),
    ],
)  # fmt: skip
def test_tensors_of_other_kinds(saved: Path, changed: dict[str, np.ndarray], message: str | None) -> None:
    """Whoever writes them knows the hash, too."""
    with safe_open(saved, framework="numpy") as file:
        metadata = file.metadata()
    tensors = load_file(saved) | changed
    save_file(tensors, saved, metadata={**metadata, "content_hash": _content_hash(SMALL, tensors, metadata["names"])})
    if message is None:
        assert Model.load(saved).inputs.offset.tolist() == [1.0] * 5
        return
    with pytest.raises((ModelError, PatternError)) as error:
        Model.load(saved)
    assert str(error.value).startswith(f"{saved}: {message}")


def safetensors(name: str, dtype: str, shape: list[int], size: int) -> bytes:
    header = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (safetensors("a", "BF16", [3], 6), "a has dtype BF16, which no such file has"),
        (safetensors("a", "C64", [1], 8), "a has dtype C64, which no such file has"),
        (safetensors("a", "F32", [1] * 100, 4), "a has 100 dimensions, and at most 8"),
        (safetensors("a", "F32", [1 << 40, 1 << 40], 4), ""),
        (
            safetensors("a" * (1 << 22), "F32", [1], 4),
            "its header would have 4,194,364 bytes, and has at most",
        ),
        (b"", ""),
    ],
    ids=["bfloat16", "complex", "100 dimensions", "2^80 numbers", "a long header", "empty"],
)
def test_files_of_other_tensors(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError) as error:
        Model.load(path)
    assert str(error.value).startswith(f"{path}: not a model file, or a truncated one ({message}")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is a pipe or a device; write what comes out of it into a file first"),
        (tmp_path / ("n" * 300), "File name too long"),
        ("n\0n", "no file has such a name: embedded null byte"),
        (None, "NoneType is no path"),
    ):
        with pytest.raises(ModelError) as error:
            Model.load(path)  # pyright: ignore[reportArgumentType]
        assert f"cannot be read ({reason}); give the path of a model file" in str(error.value)


def test_a_network_by_name_or_as_something_else() -> None:
    assert same(Model.initial("digits-small"), Model.initial(Network.load("digits-small")))
    with pytest.raises(NetworkError, match=r"^nowhere: not a readable network file"):
        Model.initial("nowhere")
    with pytest.raises(NetworkError, match=r"not a readable network file \(int is no path\)"):
        Model.initial(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ModelError, match=r"^a model has a Network, and not 'digits'; give Network\.load\(\.\.\.\)$"):
        replace(MODEL, network="digits")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ModelError, match=r"^gain must have shape \(5,\), and has \(2,\)$"):
        Inputs.plain(5, gain=[1, 2])


def test_other_version(saved: Path) -> None:
    rewritten(saved, presparse_model="5")
    with pytest.raises(ModelError) as error:
        Model.load(saved)
    assert str(error.value) == (
        f"{saved}: written by a newer Presparse (file version 5, and this one reads 4); update Presparse"
    )


def test_invalid_network(saved: Path) -> None:
    rewritten(saved, network=SMALL.model_dump_json().replace('"lanes":[3,2]', '"lanes":[5,2]'))
    with pytest.raises(ModelError) as error:
        Model.load(saved)
    assert str(error.value) == (
        f"{saved}: its network is not valid (junction 1: lanes must divide the left layer, and 5 does not divide 6; "
        "the nearest valid number is 6); save the model again"
    )


def test_saving_fails_and_loses_nothing(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    for step in ("fsync", "replace", "fdopen"):
        with monkeypatch.context() as broken:
            broken.setattr(os, step, fail)
            with pytest.raises(OutputError) as error:
                Model.initial(SMALL, random_state=9).save(saved)
        assert str(error.value) == (
            f"{saved}: cannot be written (No space left on device); choose another place, with room"
        )
        assert saved.read_bytes() == before
        assert [p.name for p in saved.parent.iterdir()] == [saved.name]  # no temporary file stays


def test_saving_into_a_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "none" / "model.safetensors"
    with pytest.raises(OutputError) as error:
        MODEL.save(path)
    assert str(error.value) == f"{path}: there is no folder {path.parent}; make it, or choose another"


# --- features ---------------------------------------------------------------------------------------


def test_encode_scales_rounds_saturates_and_pads() -> None:
    model = replace(MODEL, inputs=Inputs.plain(5, offset=[0, 1, 0, 0, 0], gain=[1, 0.5, 1, 1, -1]))
    encoded = model.encode([[0.5, 3, 100, -100, 1.0], [1 / 512, 1, -1 / 512, 0, 0]])
    assert encoded.tolist() == [[128, 256, 511, -512, -256, 0], [1, 0, 0, 0, 0, 0]]
    assert encoded.dtype == np.int16


def test_encode_takes_the_columns_it_is_told() -> None:
    model = replace(
        MODEL,
        inputs=replace(MODEL.inputs, offset=np.array([0, 1, 0, 0, 0.0]), columns=np.array([6, 2, 1, 5, 0]), width=7),
    )
    assert model.encode([[0.1, 0.25, 1.5, 9, 9, 0.5, 1]]).tolist() == [[256, 128, 64, 128, 26, 0]]
    with pytest.raises(FeatureError, match=re.escape("X must have shape (samples, 7), and has (1, 5)")):
        model.encode(np.zeros((1, 5)))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float16, np.float32])
def test_encode_takes_any_real_dtype(dtype: type) -> None:
    assert MODEL.encode(np.ones((2, 5), dtype=dtype))[:, :5].tolist() == [[256] * 5] * 2


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 4)), "X must have shape (samples, 5), and has (3, 4)"),
        (np.zeros(5), "X must have shape (samples, 5), and has (5,); for one sample, pass X[None, :]"),
        (np.zeros((0, 5)), "X must hold at least one sample, and has shape (0, 5)"),
        ([[1, 2, 3, 4, np.nan]],
         "X must be finite, and sample 0, feature 4 is nan (1 such in all); remove or impute it"),
        ([[1, 2, 3, 4, 5], [1, np.inf, 3, -np.inf, 5]],
         "X must be finite, and sample 1, feature 1 is inf (2 such in all); remove or impute it"),
        (np.array([["a"] * 5]), "X must hold real numbers, and has dtype <U1; convert it with X.astype(float)"),
        (np.zeros((1, 5), dtype=object), "X must hold real numbers, and has dtype object; "
         "convert it with X.astype(float)"),
        (np.zeros((1, 5), dtype=complex), "X must hold real numbers, and has dtype complex128; "
         "convert it with X.astype(float)"),
        ([[1, 2], [1]], "X must be one array; its rows have unequal lengths"),
    ],
)  # fmt: skip
def test_features_that_cannot_be_encoded(X: object, message: str) -> None:
    with pytest.raises(FeatureError) as error:
        MODEL.encode(X)  # pyright: ignore[reportArgumentType]
    assert str(error.value) == message


@pytest.mark.parametrize("y", [[0, 2, 1], np.array([0, 2, 1], dtype=np.uint8), [0.0, 2.0, 1.0]])
def test_labels(y: object) -> None:
    assert checked_labels(y, 3, np.arange(3)).tolist() == [0, 2, 1]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1], "y must have one label per sample, shape (3,), and has (2,)"),
        ([[0], [1], [2]], "y must have one label per sample, shape (samples,), and has (3, 1); give numpy.ravel(y)"),
        ([0, 1, 3], "y must hold class numbers 0 to 2, and one label is 3"),
        ([0, -1, 2], "y must hold class numbers 0 to 2, and one label is -1"),
        ([0, 1, 0.5], "y must hold labels, whole numbers or texts, and one is 0.5; give classes, not measured values"),
        (
            np.full(3, np.nan, np.longdouble),
            "y must hold labels, whole numbers or texts, and one is nan; give classes, not measured values",
        ),
        (
            [0, 1, np.nan],
            "y must hold labels, whole numbers or texts, and one is nan; give classes, not measured values",
        ),
        ([1, 2, 3], "y must hold class numbers 0 to 2, and one label is 3; classes are numbered from 0, so give y - 1"),
        (
            [False, True, True],
            "y must hold class numbers 0 to 2, and has dtype bool; give the labels that were trained",
        ),
        (["0", "1", "2"], "y must hold class numbers 0 to 2, and has dtype <U1; give the labels that were trained"),
    ],
)
def test_labels_that_are_none(y: object, message: str) -> None:
    with pytest.raises(FeatureError) as error:
        checked_labels(y, 3, np.arange(3))  # pyright: ignore[reportArgumentType]
    assert str(error.value) == message


# --- differences ------------------------------------------------------------------------------------


@given(junction=st.integers(0, 1), right=st.integers(0, 3), edge=st.integers(0, 1), step=st.integers(-5, 5))
def test_one_difference_is_named(junction: int, right: int, edge: int, step: int) -> None:
    own = int(MODEL.weights[junction][right, edge])
    other = replace(MODEL, weights=changed(MODEL.weights, junction, (right, edge), own + step))
    expected = [f"junction {junction + 1}, right neuron {right}, edge {edge}: weight {own}, other {own + step}"]
    assert MODEL.differences(other) == (expected if step else [])


def test_many_differences_are_cut() -> None:
    other = replace(
        MODEL,
        biases=(MODEL.biases[0] + 1, MODEL.biases[1]),
        weights=(MODEL.weights[0], MODEL.weights[1] ^ 1),
        inputs=replace(MODEL.inputs, gain=MODEL.inputs.gain * 2),
    )
    found = MODEL.differences(other)
    assert found[:4] == [f"junction 1, right neuron {r}: bias 0, other 1" for r in range(4)]
    assert found[9] == "... 8 of 8 such numbers differ"
    assert found[-1] == "feature 4: gain 1.0, other 2.0"
    assert len(found) == 4 + 6 + 5


def test_models_of_other_networks_differ() -> None:
    other = Network.model_validate({**SMALL.model_dump(), "name": "other", "classes": 4})
    assert MODEL.differences(Model.initial(other)) == [
        f"network small ({SMALL.hash[:12]}), other other ({other.hash[:12]})"
    ]


def test_lanes_are_no_part_of_a_model() -> None:
    """A pattern that is clash-free for 3 and 2 lanes is so for 1; the network is the same."""
    fewer = Network.model_validate({**SMALL.model_dump(), "lanes": (1, 1)})
    assert replace(MODEL, network=fewer).differences(MODEL) == []


# --- predictions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_predictions_are_those_of_the_reference(seed: int) -> None:
    """Any network, formats and activations; weights and features of their whole range."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    weight, activation = network.formats.weight, network.formats.activation
    fresh = Model.initial(network, random_state=seed)
    model = replace(
        fresh,
        weights=tuple(rng.integers(weight.min, weight.max + 1, w.shape) for w in fresh.weights),
        biases=tuple(rng.integers(weight.min, weight.max + 1, b.shape) for b in fresh.biases),
    )
    X = rng.uniform(activation.min, activation.max, (50, network.features)) / activation.one
    y = rng.integers(network.classes, size=50)
    raw = Reference(Build(network=network), model).scores(model.encode(X))
    np.testing.assert_array_equal(model.raw_outputs(X), raw)
    scores = raw[:, : network.classes]
    np.testing.assert_array_equal(model.decision_function(X), network.formats.output.decode(scores))
    np.testing.assert_array_equal(model.predict(X), scores.argmax(axis=1))
    assert model.score(X, y) == float(np.mean(scores.argmax(axis=1) == y))
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    with Accelerator(Emulator(Build(network=network))) as board:
        board.load(model)
        np.testing.assert_array_equal(board.predict_proba(X), probabilities)


def test_integer_sums_are_those_of_floating_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a float64 could not hold every sum, integers are summed; and small blocks are large ones' parts."""
    model = Model.initial(Network.load("mnist-dey"), random_state=1)
    X = np.random.default_rng(2).uniform(-1, 1, (7, 784))
    wanted = model.raw_outputs(X)
    monkeypatch.setattr(inference, "_EXACT_BITS", 0)
    monkeypatch.setattr(inference, "_PLACES", 4096)
    monkeypatch.setattr(inference, "_AT_ONCE", 3)
    np.testing.assert_array_equal(model.raw_outputs(X), wanted)


def test_bad_samples_are_refused() -> None:
    with pytest.raises(FeatureError, match=r"X must have shape \(samples, 5\), and has \(5,\); for one sample"):
        MODEL.predict(np.zeros(5))
    with pytest.raises(FeatureError, match="y must have one label per sample"):
        MODEL.score(np.zeros((2, 5)), [0])


def test_what_a_notebook_shows_of_a_model() -> None:
    assert repr(MODEL) == f"Model({SMALL!r})"
    assert repr(SMALL).startswith("Network(")
    assert MODEL._repr_html_().count("<tr>") == 1 + len(SMALL.junctions)
    assert SMALL._repr_html_().count("<tr>") == 1 + len(SMALL.junctions)
