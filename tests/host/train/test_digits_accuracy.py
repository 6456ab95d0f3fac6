"""The experiment behind the reported accuracy: its figures are the reference's own, on digits never trained on."""

from __future__ import annotations

import pytest

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.permutation import epoch_seed, permutation
from presparse.contract.samples import Samples
from presparse.demo import accuracy
from presparse.demo import run as demo
from presparse.features.inputs import Inputs
from presparse.fitting.rates import rate_exponent
from presparse.model import Model
from presparse.reference.pytorch import Reference


class Silent:
    def stage(self, title: str) -> None: ...

    def progress(self, done: int, of: int, note: str) -> None: ...

    def doing(self, note: str) -> None: ...

    def result(self, text: str) -> None: ...


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little training in PyTorch: what is trained on the board does not depend on it."""
    monkeypatch.setattr(demo, "FLOAT_EPOCHS", 2)
    monkeypatch.setattr(demo, "QUANTISED_EPOCHS", 1)


@pytest.mark.slow
def test_one_split_equals_the_reference() -> None:
    """The recipe written out: scaled by the digits to learn from, in the documented order, a flush per epoch."""
    seed, epochs = 3, 2
    split = demo.load_split(seed)
    build = Build(network=Network.load("digits"))
    model = Model.initial(build.network, random_state=seed, inputs=Inputs.fit(split.X))
    reference, features = Reference(build, model), model.encode(split.X)
    rates = demo.BOARD_RATES[0], demo.BOARD_RATES[10]  # a short run has the rates of the whole one, evenly picked
    for epoch, rate in enumerate(rates, start=1):
        order = permutation(len(split.y), epoch_seed(seed, epoch))
        reference.run(Samples.train(features[order], split.y[order], rate_exponent(build.network, rate)))
        reference.flush()
    right = reference.scores(model.encode(split.held_X))[:, :10].argmax(axis=1) == split.held_y

    measured = accuracy.measure(Silent(), seed=seed, epochs=epochs)
    assert measured.board_trained == right.mean() > 0.9
    assert 0.8 < measured.floating_point < 1
    assert 0.8 < measured.quantized < 1


def test_summary() -> None:
    assert accuracy.summary([0.9, 1.0, 0.95]) == pytest.approx((0.95, 0.05 / 3**0.5), rel=1e-12)
