"""State dicts become the networks they were saved from; everything else is refused by name, and never executed."""

from __future__ import annotations

import itertools
import os
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from presparse.errors import ArgumentError, ModelError
from presparse.prune.checkpoint import load
from presparse.prune.compaction import compact
from presparse.prune.pruned import PrunedModel
from tests.host import small

State = dict[str, Tensor]


def perceptron(*sizes: int, norm: bool = False, activation: type[nn.Module] = nn.ReLU, seed: int = 0) -> nn.Sequential:
    """Random weights, and random statistics if it normalizes; in evaluation mode."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for left, right in itertools.pairwise(sizes):
        layers.append(nn.Linear(left, right, bias=right % 2 == 0))
        if norm:
            norms = nn.BatchNorm1d(right, affine=len(layers) % 2 == 1)  # every second one
            norms.running_mean, norms.running_var = torch.randn(right), torch.rand(right) + 0.1
            if norms.affine:
                nn.init.normal_(norms.weight)
                nn.init.normal_(norms.bias)
            layers.append(norms)
        layers.append(activation())
    return nn.Sequential(*layers[: -2 if norm else -1]).eval()


def outputs(model: nn.Module, width: int) -> Tensor:
    x = torch.rand(5, width, generator=torch.Generator().manual_seed(1)).double()
    return model.double()(x)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("kind", ["pt", "pth", "safetensors"])
def test_a_state_dict_computes_what_its_model_computes(tmp_path: Path, kind: str, norm: bool) -> None:
    """Twelve equal layers: their names sort as text to 0, 10, 2, and only their order tells them apart."""
    model, file = perceptron(*[6] * 13, norm=norm), tmp_path / f"model.{kind}"
    (save_file if kind == "safetensors" else torch.save)(model.state_dict(), file)
    found = load(file)
    assert not found.training
    assert [type(layer) for layer in found] == [type(layer) for layer in model]  # pyright: ignore[reportGeneralTypeIssues]
    assert torch.equal(outputs(found, 6), outputs(model, 6))


def test_a_pt_file_has_its_own_order(tmp_path: Path) -> None:
    """Names that do not sort, layers of equal sizes with and without biases."""
    model = perceptron(4, 4, 5, 4)
    names = {"0": "input", "2": "hidden", "4": "a.bit.further"}
    torch.save({names[key[0]] + key[1:]: tensor for key, tensor in model.state_dict().items()}, tmp_path / "m.pt")
    assert torch.equal(outputs(load(tmp_path / "m.pt"), 4), outputs(model, 4))


def test_the_activation_between_the_layers(tmp_path: Path) -> None:
    model = perceptron(4, 6, 3, activation=nn.Sigmoid)
    torch.save(model.state_dict(), tmp_path / "m.pt")
    assert torch.equal(outputs(load(tmp_path / "m.pt", activation="sigmoid"), 4), outputs(model, 4))
    assert not torch.equal(outputs(load(tmp_path / "m.pt"), 4), outputs(model, 4))
    with pytest.raises(ArgumentError, match="must be relu or sigmoid, and is 'tanh'"):
        load(tmp_path / "m.pt", activation="tanh")


def test_what_is_no_path() -> None:
    with pytest.raises(ModelError, match=r"^None is no path; give the path of a checkpoint$"):
        load(None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ModelError, match=r"^3: cannot be read \(int is no path\); give the path of a model file$"):
        PrunedModel.load(3)  # pyright: ignore[reportArgumentType]


def test_a_layer_alone_and_half_precision(tmp_path: Path) -> None:
    layer = nn.Linear(4, 3).half()
    torch.save(layer.state_dict(), tmp_path / "m.pt")
    assert torch.equal(outputs(load(tmp_path / "m.pt"), 4), outputs(layer, 4))


def test_a_pruned_model_is_read_as_it_was_saved(tmp_path: Path) -> None:
    """With its own activations, whatever is asked for."""
    model = perceptron(4, 6, 3, activation=nn.Sigmoid)
    pruned = compact(model)
    pruned.save(tmp_path / "m.safetensors")
    assert torch.equal(outputs(load(tmp_path / "m.safetensors", activation="relu"), 4), outputs(model, 4))


def changed(**tensors: Tensor | None) -> Callable[[State], object]:
    """Tensors replaced, or taken out; `__` stands for a dot."""

    def change(state: State) -> object:
        for key, tensor in tensors.items():
            name = key.removeprefix("at").replace("__", ".")
            state.pop(name) if tensor is None else state.update({name: tensor})
        return state

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(at0__weight=None), "0.weight is missing"),
        (
            changed(at0__weight=torch.rand(6, 4, 3)),
            "0.weight must be (right, left) as in a Linear layer, and is (6, 4, 3)",
        ),
        (changed(at0__bias=torch.rand(5)), "0.bias must be (6,), and is (5,)"),
        (changed(at3__weight=torch.rand(3, 7)), "3.weight takes 7 neurons, and the layer before it has 6"),
        (
            changed(at0__weight=torch.ones(6, 4, dtype=torch.int64)),
            "0.weight must hold real numbers, and has torch.int64",
        ),
        (changed(at0__weight=torch.full((6, 4), torch.inf)), "0.weight must be finite, and holds NaN or infinity"),
        (changed(at0__weight=torch.rand(0, 4)), "0.weight must hold a number in every place, and is cpu"),
        (changed(at0__weight=torch.rand(6, 4).to_sparse()), "0.weight must hold a number in every place, and is cpu"),
        (changed(at1__running_var=None), "1.running_var is missing"),
        (changed(at1__bias=None), "1.bias is missing"),
        (changed(at1__running_mean=torch.rand(5)), "1.running_mean must be (6,), and is (5,)"),
        (changed(at1__running_var=torch.full((6,), -1.0)), "1.running_var must not be negative"),
        (changed(at0__left=torch.rand(6, 4)), "0.left belongs to no Linear or BatchNorm1d layer"),
        (changed(at0__weight_mask=torch.ones(6, 4)), "prune.remove(layer, 'weight') before saving"),
        (changed(at4__weight=torch.rand(3)), "4.weight must be (right, left)"),
        (
            lambda state: {key: tensor for key, tensor in state.items() if not key.startswith("0.")},
            "1.running_mean: BatchNorm must follow a Linear layer",
        ),
        (lambda state: {"a": state, "b": dict(state)}, "holds several state dicts (a, b), and one is needed"),
        (lambda state: {"model": {"epoch": 3}}, "model is no tensor, but dict"),
        (
            changed(at0__weight=torch.zeros(1).expand(10**6, 10**6)),
            "0.weight claims 1,000,000,000,000 numbers, and the file holds 1 of them",
        ),
        (changed(at0__weight=torch.zeros(9).as_strided((6, 4), (1, 1))), "0.weight claims 24 numbers, and the file"),
        (
            changed(at0__weight=torch.rand([1] * 60)),
            "0.weight must be (right, left) as in a Linear layer",
        ),
        (changed(at0__weight=torch.rand(6, 4) * 1j), "0.weight must hold real numbers, and has torch.complex64"),
        (lambda state: {1: torch.rand(3)}, "1 is no tensor, but Tensor"),
        (lambda state: {}, "holds no tensors"),
        (lambda state: [1, 2], "holds a list"),
    ],
)
def test_what_is_no_perceptron_is_named(tmp_path: Path, change: Callable[[State], object], message: str) -> None:
    file = tmp_path / "model.pt"
    torch.save(change(perceptron(4, 6, 3, norm=True).state_dict()), file)
    with pytest.raises(ModelError) as error:
        load(file)
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)
    assert "presparse.prune.compact(model).save(file)" in str(error.value)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state},
        lambda state: {"model": state, "epoch": 3, "best": 0.97, "seed": torch.tensor(7)},
        lambda state: {"checkpoint": {"model_state_dict": state, "loss": [1.0, 0.5]}},
        lambda state: {"anything": state, "version": "1"},
        lambda state: {"ema": {key: tensor + 1 for key, tensor in state.items()}, "model": state},
    ],
    ids=["state_dict", "with an epoch", "nested", "another name", "beside averages"],
)
def test_a_state_dict_beside_other_things(tmp_path: Path, wrap: Callable[[State], dict[str, Any]]) -> None:
    model = perceptron(4, 6, 3, norm=True)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.rand(5, 4)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    others = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    torch.save({**others, **wrap(model.state_dict())}, tmp_path / "m.pt")
    assert torch.equal(outputs(load(tmp_path / "m.pt"), 4), outputs(model, 4))


def test_mappings_that_hold_each_other_end(tmp_path: Path) -> None:
    """2^60 ways through a file of some hundred bytes."""
    wrapped: dict[str, Any] = {"epoch": 3}
    for _ in range(60):
        wrapped = {"a": wrapped, "b": wrapped}
    wrapped["c"] = wrapped
    torch.save(wrapped, tmp_path / "m.pt")
    with pytest.raises(ModelError, match=r"m\.pt: a is no tensor, but dict; "):
        load(tmp_path / "m.pt")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
def test_numbers_of_few_bits(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {key: tensor.to(dtype) for key, tensor in perceptron(4, 6, 3).state_dict().items()}
    wanted = perceptron(4, 6, 3)
    wanted.load_state_dict({key: tensor.double() for key, tensor in state.items()})
    torch.save(state, tmp_path / "m.pt")
    save_file(state, tmp_path / "m.safetensors")
    for name in ("m.pt", "m.safetensors"):
        assert torch.equal(outputs(load(tmp_path / name), 4), outputs(wanted, 4))


def test_a_file_that_unpacks_to_too_much(tmp_path: Path) -> None:
    """Torch unpacks what is compressed; the archive's directory says beforehand how much that is."""
    torch.save(perceptron(4, 3).state_dict(), tmp_path / "m.pt")
    content = (tmp_path / "m.pt").read_bytes()
    with zipfile.ZipFile(tmp_path / "m.pt") as archive:
        size = max(archive.infolist(), key=lambda entry: entry.file_size).file_size
    (tmp_path / "m.pt").write_bytes(
        content.replace(struct.pack("<II", size, size), struct.pack("<II", size, 0xFFFFFFFE))
    )
    with pytest.raises(ModelError, match=r"cannot be read .unpacks to 4,29[0-9,]+ bytes, and at most 4,294,967,296 "):
        load(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("n" * 300 + ".pt", "cannot be read (File name too long); give the path of a checkpoint"),
        ("pipe.pt", "cannot be read (is a pipe or a device; write what comes out of it into a file first)"),
        ("pipe.safetensors", "cannot be read (is a pipe or a device; write what comes out of it into a file first)"),
        ("gone.pt", "No such file"),
        ("gone.safetensors", "cannot be read"),
        ("folder.pt", "is a folder"),
        ("model.onnx", "give a checkpoint that ends in .safetensors, .pt or .pth"),
        ("board.safetensors", "is a board's model already"),
    ],
)
def test_files_that_hold_no_checkpoint(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.pt").mkdir()
    for name_of_pipe in ("pipe.pt", "pipe.safetensors"):
        os.mkfifo(tmp_path / name_of_pipe)
    small.model().save(tmp_path / "board.safetensors")
    with pytest.raises(ModelError, match=re.escape(message)):
        load(tmp_path / name)


class _Harmful:
    """Code that a pickle runs when it is opened carelessly."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"0.weight": torch.rand(3, 4), "harm": _Harmful(tmp_path / "harmed")}, tmp_path / "m.pt")
    with pytest.raises(ModelError, match="holds more than tensors"):
        load(tmp_path / "m.pt")
    assert not (tmp_path / "harmed").exists()
    torch.load(tmp_path / "m.pt", weights_only=False)  # it would have
    assert (tmp_path / "harmed").exists()
    torch.save(perceptron(4, 3), tmp_path / "whole.pt")
    with pytest.raises(ModelError, match="save the weights alone"):
        load(tmp_path / "whole.pt")


@pytest.mark.parametrize("kind", ["pt", "legacy.pt", "safetensors"])
def test_damaged_files_are_refused_or_read(tmp_path: Path, kind: str) -> None:
    """Cut and changed anywhere: a network of the same layers, or ModelError."""
    state, file = perceptron(4, 6, 3).state_dict(), tmp_path / f"model.{kind}"
    if kind == "safetensors":
        save_file(state, file)
    else:
        torch.save(state, file, _use_new_zipfile_serialization=kind == "pt")
    whole, rng, refused = file.read_bytes(), np.random.default_rng(0), 0
    for _ in range(200):
        harmed = np.frombuffer(whole, dtype=np.uint8).copy()
        harmed[rng.integers(len(whole), size=rng.integers(1, 5))] = rng.integers(256)
        kept = int(rng.integers(len(whole))) if rng.integers(2) else len(whole)
        file.write_bytes(harmed.tobytes()[:kept])
        try:
            assert isinstance(load(file), nn.Sequential)
        except ModelError:
            refused += 1
    assert refused > 60
