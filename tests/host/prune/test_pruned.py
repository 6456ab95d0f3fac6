"""Pruned models: they take the original features, and come back from a file to the bit, or with a named error."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false, reportOptionalSubscript=false
# (a layer of nn.Sequential is known to be a module, and no more)

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from presparse.errors import FeatureError, ModelError, OutputError
from presparse.model import Model
from presparse.prune import PrunedModel, compact, pruned_file
from presparse.prune.layers import KNOWN
from presparse.train.sparse_linear import SparseLinear
from tests.host.prune.models import random_case


def pruned(dtype: torch.dtype = torch.float32) -> PrunedModel:
    """Six features of which two are dropped, a sparse layer, BatchNorm and two outputs."""
    torch.manual_seed(0)
    model = nn.Sequential(
        SparseLinear(6, [[0, 1], [2, 5], [1, 3], [4, 0]]), nn.BatchNorm1d(4), nn.LeakyReLU(0.25), nn.Linear(4, 2)
    ).to(dtype)
    with torch.no_grad():
        model[0].weight.normal_()
        model[0].weight[3] = 0
        model[0].weight[2, 1] = 0
    return compact(model).eval()


# --- features ---------------------------------------------------------------------------------------


def test_takes_the_original_features() -> None:
    model = pruned()
    assert model.kept_features.tolist() == [0, 1, 2, 5]
    with pytest.raises(FeatureError) as error:
        model(torch.zeros(7, 4))
    assert str(error.value) == (
        "x must have shape (samples, 6), and has (7, 4); give the original features, not only the kept ones"
    )
    with pytest.raises(FeatureError, match=r"^x must have shape \(samples, 6\), and has \(6,\)"):
        model(torch.zeros(6))


def test_takes_the_original_images() -> None:
    model = compact(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU()))
    with pytest.raises(FeatureError, match=r"^x must have shape \(samples, 3, height, width\), and has \(1, 2, 8, 8\)"):
        model(torch.zeros(1, 2, 8, 8))
    flat = compact(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)))
    assert flat(torch.zeros(5, 3, 2, 2)).shape == (5, 2)
    with pytest.raises(
        FeatureError, match=r"^x must have shape \(samples, 12\) when flattened, and has \(5, 3, 2, 1\)"
    ):
        flat(torch.zeros(5, 3, 2, 1))


# --- files ------------------------------------------------------------------------------------------


def assert_same(one: PrunedModel, other: PrunedModel) -> None:
    """All tensors to the bit, all layers and settings, all that is remembered."""
    assert str(one) == str(other)  # layers with their settings, and the summary
    assert one.features == other.features
    states = one.state_dict(), other.state_dict()
    assert list(states[0]) == list(states[1])
    for key, value in states[0].items():
        assert value.dtype == states[1][key].dtype
        assert torch.equal(value, states[1][key])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("seed", range(12))
def test_saved_and_loaded(seed: int, dtype: torch.dtype, tmp_path: Path) -> None:
    case = random_case(seed)
    model = compact(case.model).to(dtype).eval()
    model.save(tmp_path / "pruned.safetensors")
    loaded = PrunedModel.load(tmp_path / "pruned.safetensors")
    assert_same(loaded, model)
    assert not any(module.training for module in loaded.modules())
    with torch.no_grad():
        assert torch.equal(loaded(case.x.to(dtype)), model(case.x.to(dtype)))


def example(kind: type[nn.Module]) -> nn.Module:
    """A layer of every kind, with settings other than the usual ones where it has some."""
    if kind is nn.Softmax or kind is nn.LogSoftmax:
        return nn.Sequential(nn.Linear(4, 4), kind(dim=1))
    if kind is nn.Flatten:
        return nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, 2))
    made: dict[type[nn.Module], Callable[[], nn.Module]] = {
        nn.Linear: lambda: nn.Linear(4, 3, bias=False),
        SparseLinear: lambda: SparseLinear(4, [[0, 3], [2, 1]]),
        nn.Conv2d: lambda: nn.Conv2d(2, 3, (1, 2), stride=(2, 1), padding="valid", dilation=2, padding_mode="reflect"),
        nn.BatchNorm1d: lambda: nn.BatchNorm1d(4, eps=0.5, momentum=None),
        nn.BatchNorm2d: lambda: nn.BatchNorm2d(4, affine=False),
        nn.PReLU: lambda: nn.PReLU(4),
        nn.Threshold: lambda: nn.Threshold(0.5, -2.0),
        nn.Hardtanh: lambda: nn.Hardtanh(-0.5, float("inf")),
        nn.Softplus: lambda: nn.Softplus(2.0, 5.0),
        nn.GELU: lambda: nn.GELU("tanh"),
        nn.MaxPool2d: lambda: nn.MaxPool2d((2, 3), stride=1, padding=(0, 1), dilation=2, ceil_mode=True),
        nn.AvgPool2d: lambda: nn.AvgPool2d(3, padding=1, count_include_pad=False, divisor_override=7),
        nn.AdaptiveAvgPool2d: lambda: nn.AdaptiveAvgPool2d((None, 2)),
        nn.AdaptiveMaxPool2d: lambda: nn.AdaptiveMaxPool2d(3),
    }
    layer = made.get(kind, kind)()
    images = isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.Dropout2d) or "Pool" in kind.__name__
    return nn.Sequential(layer, nn.Conv2d(4 if kind is not nn.Conv2d else 3, 2, 1) if images else nn.Linear(
        {nn.Linear: 3, SparseLinear: 2}.get(kind, 4), 2
    ))  # fmt: skip


@pytest.mark.parametrize("kind", KNOWN, ids=lambda kind: kind.__name__)
def test_every_kind_of_layer_is_saved(kind: type[nn.Module], tmp_path: Path) -> None:
    model = compact(example(kind)).eval()
    assert any(type(layer) is kind for layer in model.modules())
    model.save(tmp_path / "pruned.safetensors")
    loaded = PrunedModel.load(tmp_path / "pruned.safetensors")
    assert_same(loaded, model)
    for own, other in zip(model.layers, loaded.layers, strict=True):
        for key in KNOWN[type(own)]:
            assert getattr(own, key) == getattr(other, key)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "pruned.safetensors"
    pruned().save(path)
    return path


def test_truncated_at_every_length(saved: Path) -> None:
    content = saved.read_bytes()
    for length in range(0, len(content), 7):
        saved.write_bytes(content[:length])
        with pytest.raises(ModelError, match=f"^{re.escape(str(saved))}: .*; (save the model again|give the path)"):
            PrunedModel.load(saved)


def test_altered_bytes_are_noticed(saved: Path) -> None:
    content = saved.read_bytes()
    for place in range(0, len(content), 5):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ModelError, match=f"^{re.escape(str(saved))}: "):
            PrunedModel.load(saved)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200))
def test_random_bytes(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "random.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=f"^{re.escape(str(path))}: "):
        PrunedModel.load(path)


def test_missing_and_foreign(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.safetensors: cannot be read .*; give the path of a model file$"):
        PrunedModel.load(tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match=r": cannot be read \(is a folder\); give the path of a model file$"):
        PrunedModel.load(tmp_path)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"layer.weight": torch.zeros(2, 2)}, foreign)
    with pytest.raises(ModelError) as error:
        PrunedModel.load(foreign)
    assert str(error.value) == (
        f"{foreign}: not a pruned model; PrunedModel.save writes them, and Model.load reads integer models"
    )
    pruned().save(foreign)
    with pytest.raises(ModelError, match="not a Presparse model"):
        Model.load(foreign)


def test_saving_into_a_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "none" / "pruned.safetensors"
    with pytest.raises(OutputError) as error:
        pruned().save(path)
    assert str(error.value) == f"{path}: there is no folder {path.parent}; make it, or choose another"


# --- files that were made to mislead: the hash is right, the contents are not ------------------------


def forged(
    path: Path, change: Callable[[dict[str, Any], dict[str, Tensor]], object], *, version: str = "1"
) -> pytest.ExceptionInfo[ModelError]:
    """What loading says after a change of the contents."""
    with safe_open(path, framework="pt") as file:
        contents = json.loads(file.metadata()["layers"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    change(contents, tensors)
    text = json.dumps(contents)
    digest = pruned_file._content_hash(text, tensors)
    save_file(tensors, path, metadata={"presparse_pruned": version, "layers": text, "content_hash": digest})
    with pytest.raises(ModelError) as error:
        PrunedModel.load(path)
    return error


def put(key: str, value: Tensor | None) -> Callable[[dict[str, Any], dict[str, Tensor]], None]:
    def change(_: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        tensors.pop(key, None)
        if value is not None:
            tensors[key] = value

    return change


def setting(layer: int, **values: object) -> Callable[[dict[str, Any], dict[str, Tensor]], None]:
    return lambda contents, _: contents["layers"][layer]["settings"].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, _: c["layers"][2].update(kind="Bilinear"),
         "layers.2 is 'Bilinear', which this Presparse does not know; save the model again"),
        (setting(2, negative_slope="steep"),
         "layers.2 (LeakyReLU) has settings that are not valid (negative_slope: Input should be a valid number, unable "
         "to parse string as a number (got 'steep')); save the model again"),
        (setting(2, inplace=True),
         "layers.2 (LeakyReLU) has settings that are not valid (inplace is no key here; remove it or correct its "
         "spelling); save the model again"),
        (put("layers.3.weight", torch.zeros(2, 4)),
         "layer layers.3 (Linear) takes 4 channels, and is given 3; correct the model"),
        (put("layers.3.weight", torch.zeros(6)),
         "layers.3 (Linear) cannot be made (tuple index out of range); save the model again"),
        (put("layers.3.weight", None), "layers.3 (Linear) cannot be made ('weight' is missing); save the model again"),
        (put("layers.3.weight", torch.zeros(2, 3, dtype=torch.int32)),
         "layers.3 (Linear) cannot be made (weight has dtype torch.int32); save the model again"),
        (put("layers.3.weight", torch.zeros(0, 3)),
         "layers.3 (Linear) cannot be made (weight has shape (0, 3)); save the model again"),
        (put("layers.0.left", torch.tensor([[0, 1], [2, 4], [1, 0]])),
         "layers.0 (SparseLinear) cannot be made (its edges go to left neurons 0 to 4 of 4); save the model again"),
        (put("layers.0.left", torch.tensor([[0, 1], [2, 2], [1, 0]])),
         "layers.0 (SparseLinear) cannot be made (a right neuron is connected twice to the same left neuron); "
         "save the model again"),
        (put("layers.7.weight", torch.zeros(1)), "holds layers.7.weight, which no layer takes; save the model again"),
        (put("kept_features", None), "kept_features is missing; save the model again"),
        (put("kept_features", torch.tensor([0, 1, 2])),
         "kept_features must be 4 whole numbers, one per feature that the layers take, and is torch.int64 of shape "
         "(3,)"),
        (put("kept_features", torch.tensor([0, 1, 2, 6])),
         "kept_features must be ascending numbers 0 to 5, and is [0, 1, 2, 6]"),
        (put("kept_features", torch.tensor([0, 2, 1, 5])),
         "kept_features must be ascending numbers 0 to 5, and is [0, 2, 1, 5]"),
        (lambda c, _: c.update(original_widths=[6, 4]),
         "original_widths needs 3 numbers, one for the features and one per weighted layer, and has 2"),
        (lambda c, _: c["layers"].pop(),
         "holds layers.3.bias, layers.3.weight, which no layer takes; save the model again"),
        (lambda c, _: c.pop("stem"), "its layers are not valid (stem is missing); save the model again"),
    ],
)  # fmt: skip
def test_contents_that_cannot_be(saved: Path, change: Callable[..., object], message: str) -> None:
    error = forged(saved, change)
    assert str(error.value) == f"{saved}: {message}"


def test_wrong_shapes_are_named(saved: Path) -> None:
    error = forged(saved, put("layers.3.bias", torch.zeros(3)))
    assert str(error.value).startswith(f"{saved}: layers.3 (Linear) cannot be made (Error(s) in loading state_dict")
    assert "size mismatch for bias" in str(error.value)


def test_other_version(saved: Path) -> None:
    error = forged(saved, lambda *_: None, version="2")
    assert str(error.value) == (
        f"{saved}: written by a newer Presparse (file version 2, and this one reads 1); update Presparse"
    )


KINDS = st.sampled_from([kind.__name__ for kind in KNOWN] + ["Bilinear", ""])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-2, 1 << 40), st.floats(), st.text(max_size=5))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_mixed_up_layers_are_refused_or_make_a_model(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever a file says, loading ends in a model whose sizes fit, or in a ModelError."""
    path = tmp_path_factory.getbasetemp() / "mixed.safetensors"
    model = pruned()
    tensors = {key: value.clone() for key, value in model.state_dict().items()}
    contents = {
        "stem": [],
        "layers": [layer.model_dump() for layer in pruned_file.described(model.layers)],
        "original_parameters": data.draw(st.integers(-1, 100)),
        "original_widths": [6, 4, 2],
    }
    layer = contents["layers"][data.draw(st.integers(0, 3))]
    if data.draw(st.booleans()):
        layer["kind"] = data.draw(KINDS)
    if data.draw(st.booleans()):
        layer["settings"] = data.draw(st.dictionaries(st.sampled_from(["p", "eps", "dim", "left_features"]), VALUES))
    if data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(tensors)))
        shape = data.draw(st.lists(st.integers(0, 4), max_size=3))
        tensors[key] = torch.zeros(shape, dtype=data.draw(st.sampled_from([torch.float32, torch.int64, torch.bool])))
    text = json.dumps(contents)
    digest = pruned_file._content_hash(text, tensors)
    save_file(tensors, path, metadata={"presparse_pruned": "1", "layers": text, "content_hash": digest})
    try:
        loaded = PrunedModel.load(path)
    except ModelError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 (either end is right)
        return
    assert loaded(torch.zeros(3, 6)).shape == (3, 2)


def test_copies_are_models_of_their_own() -> None:
    model = pruned()
    copy = deepcopy(model)
    assert_same(copy, model)
    with torch.no_grad():
        copy.layers[3].weight.zero_()
    assert model.layers[3].weight.abs().sum() > 0
