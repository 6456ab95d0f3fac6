"""Long training: the board's own `fit`, bit for bit; stops and goes on; checked by the simulated core."""

from __future__ import annotations

import gzip
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from presparse import opening
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.demo import long_run, mnist
from presparse.demo.long_run import LongRun
from presparse.demo.outcome import Split
from presparse.errors import DeviceFault, ModelError
from presparse.features.inputs import Inputs
from presparse.model import Model
from presparse.reference.native import NativeReference
from presparse.support import atomic_files
from tests.host import small

pytestmark = pytest.mark.slow


RATES = (3, 3, 4)


def run(folder: Path, *, check: bool = False) -> LongRun:
    X, y = small.clusters(0, 250)
    held_X, held_y = small.clusters(1, 100)
    return LongRun(
        build=Build(network=small.NETWORK),
        start=Model.initial(
            small.NETWORK, random_state=2, inputs=Inputs.plain(small.NETWORK.features, offset=50, gain=0.02)
        ),
        split=Split(X=X, y=y, held_X=held_X, held_y=held_y),
        rate_exponents=RATES,
        seed=5,
        folder=folder,
        check=check,
    )


def test_equals_the_fit_of_a_board(tmp_path: Path) -> None:
    marathon = run(tmp_path)
    curve = marathon.go()
    split = marathon.split
    with opening.open("emulator", marathon.build) as board:
        board.load(marathon.start)
        history = board.fit(
            split.X,
            split.y,
            epochs=3,
            lr=[2.0**-k for k in RATES],
            random_state=5,
            validation=(split.held_X, split.held_y),
        )
        assert Model.load(tmp_path / long_run.MODEL).differences(board.read_model()) == []
    assert [e.learned for e in curve] == [e.accuracy for e in history.epochs]
    assert [e.held_out for e in curve] == [e.validation for e in history.epochs]
    assert curve[-1].held_out > 0.9
    assert [e.rate_exponent for e in curve] == list(RATES)


def test_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    expected = run(whole).go()
    replace(run(parts), rate_exponents=RATES[:1]).go()
    told: list[int] = []
    found = run(parts).go(lambda epoch, done, of, note: told.append(epoch))
    assert set(told) == {2, 3}
    assert [replace(e, seconds=0.0) for e in found] == [replace(e, seconds=0.0) for e in expected]
    assert Model.load(parts / long_run.MODEL).differences(Model.load(whole / long_run.MODEL)) == []
    with pytest.raises(ModelError, match="holds another run; choose another folder"):
        replace(run(parts), seed=6).go()
    (parts / long_run.CURVE).write_text("{}")
    with pytest.raises(ModelError, match="not the curve of a run"):
        run(parts).go()


@pytest.mark.parametrize("cut_before", ["the model", "the curve", "the model's name"])
def test_a_cut_between_its_files_is_healed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_before: str) -> None:
    """After the second epoch."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    expected = run(whole).go()
    replace(run(cut), rate_exponents=RATES[:1]).go()

    class Cut(BaseException):
        pass

    def fails(*_: object) -> None:
        raise Cut

    honest = Path.replace
    with monkeypatch.context() as patch:
        if cut_before == "the model":
            patch.setattr(Model, "save", fails)
        elif cut_before == "the curve":
            write = atomic_files.write
            patch.setattr(
                atomic_files, "write", lambda path, data: fails() if path.name == long_run.CURVE else write(path, data)
            )
        else:
            patch.setattr(
                Path, "replace", lambda path, to: fails() if path.name == long_run._NEXT else honest(path, to)
            )
        with pytest.raises(Cut):
            run(cut).go()
    found = run(cut).go()
    assert [replace(e, seconds=0.0) for e in found] == [replace(e, seconds=0.0) for e in expected]
    assert Model.load(cut / long_run.MODEL).differences(Model.load(whole / long_run.MODEL)) == []
    Model.initial(small.NETWORK).save(cut / long_run.MODEL)
    with pytest.raises(ModelError, match=r"not the model that curve\.json tells of"):
        run(cut).go()


def test_the_simulated_core_trains_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curve = run(tmp_path, check=True).go()
    assert [e.checked for e in curve] == [True] * 3

    def altered(reference: NativeReference) -> Model:
        model = honest(reference)
        weights = model.weights[0].copy()
        weights[0, 0] ^= 1
        return replace(model, weights=(weights, *model.weights[1:]))

    honest = NativeReference.model
    monkeypatch.setattr(NativeReference, "model", altered)
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(DeviceFault, match=r"after epoch 1 the simulated core .* differ \(junction 1, right neuron 0"):
        run(other, check=True).go()


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few images in MNIST's files: a bright row for each class."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 1200), ("t10k", 200)):
        labels = rng.integers(10, size=count).astype(np.uint8)
        pictures = rng.integers(0, 60, size=(count, 28, 28)).astype(np.uint8)
        pictures[np.arange(count), 2 * labels + 3] += 190
        header = struct.pack(">HBBIII", 0, 8, 3, count, 28, 28)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + pictures.tobytes()))
        header = struct.pack(">HBBI", 0, 8, 1, count)
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels.tobytes()))
    monkeypatch.setenv("PRESPARSE_DATA", str(tmp_path))
    return tmp_path


def test_mnist_from_files_to_curve(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command()(mnist.main)
    output = images / "run"
    ran = CliRunner().invoke(app, ["--output", str(output), "--epochs", "2", "--least", "0.9", "--json"])
    assert ran.exit_code == 0, ran.output
    figures = json.loads((output / "mnist.json").read_text())
    assert figures == json.loads(ran.stdout.splitlines()[-1])
    assert (figures["trained_on"], figures["held_out"], len(figures["epochs"])) == (1200, 200, 2)
    assert figures["held_out_accuracy"] == figures["epochs"][-1]["held_out"] > 0.9
    assert figures["checked_by_simulated_core"] is False
    for picture in ("curve.png", "fields.png"):
        assert (output / picture).read_bytes().startswith(b"\x89PNG")
    model = Model.load(output / "model.safetensors")
    assert model.network.name == "mnist"

    monkeypatch.setattr(mnist, "VALIDATION", 300)
    arguments = ["--output", str(images / "other"), "--epochs", "1", "--validate", "--least", "1", "--json"]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 1
    figures = json.loads(ran.stdout.splitlines()[-1])
    assert (figures["trained_on"], figures["held_out"]) == (900, 300)


def test_the_recipes_are_valid() -> None:
    assert mnist.LEAST.keys() == mnist.RATE_EXPONENTS.keys()
    for name, exponents in mnist.RATE_EXPONENTS.items():
        network = Network.load(name)
        assert len(exponents) == mnist.EPOCHS
        assert all(network.rates.least <= k <= network.rates.most for k in exponents)
