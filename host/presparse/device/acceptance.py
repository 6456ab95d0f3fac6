"""What a device takes: models of its network whose patterns fit its lanes, samples that its build can learn, palettes
of its build, and stored samples if it has a store."""

from __future__ import annotations

import numpy as np

from presparse.contract.build import Build
from presparse.contract.pattern import check
from presparse.contract.sample_words import Palettes
from presparse.contract.samples import Samples
from presparse.contract.store import StoreState
from presparse.contract.wire import ResultForm, SampleKind
from presparse.errors import ArgumentError, BuildError, FeatureError, ModelError, StoreError
from presparse.model import Model


def check_model(build: Build, model: Model) -> None:
    """Raise ModelError for a model of another network, PatternError for one that clashes on the build's lanes."""
    network = build.network
    if model.network.hash != network.hash:
        raise ModelError(
            f"the model is of network {model.network.name} ({model.network.hash[:12]}), and the build of "
            f"network {network.name} ({network.hash[:12]}); load a model of the build's network"
        )
    # A model's pattern was checked for its own network's lanes, and so for all that divide them.
    for own, junction, left in zip(model.network.junctions, build.junctions, model.left, strict=True):
        if own.lanes % junction.lanes:
            check(junction, left)


def check_samples(build: Build, samples: Samples) -> None:
    """Raise FeatureError for the first sample that a board would refuse."""
    network, activation = build.network, build.network.formats.activation
    if samples.features.ndim != 2 or samples.features.shape[1] != network.layers[0]:
        raise FeatureError(
            f"encoded features must have shape (samples, {network.layers[0]}), and have {samples.features.shape}"
        )
    training = samples.kinds == SampleKind.TRAIN
    known = training | (samples.kinds == SampleKind.PREDICT) | (samples.kinds == SampleKind.EVALUATE)
    rate_bad = training & ((samples.rates < network.rates.least) | (samples.rates > network.rates.most))
    feature_bad = ((samples.features < activation.min) | (samples.features > activation.max)).any(axis=1)
    label_bad = samples.labels >= network.classes
    for bad, problem in (
        (~known, "its kind must be predict, train or evaluate"),
        (
            training & (not build.training),
            "it is to be trained, and this build only infers; use a build with mode 'train'",
        ),
        (rate_bad, f"its rate exponent must be {network.rates.least} to {network.rates.most}"),
        (label_bad, f"its label must be 0 to {network.classes - 1}"),
        (feature_bad, f"its features must be {activation.min} to {activation.max} ({activation})"),
    ):
        if bad.any():
            raise FeatureError(f"sample {int(np.argmax(bad))}: {problem}")


def check_palettes(build: Build, palettes: Palettes, stored: Palettes | None) -> None:
    """Raise BuildError for a build that takes no compressed samples, or packs them otherwise; StoreError if what is
    stored goes by other palettes."""
    if build.sample_format is None:
        raise BuildError("this build takes no compressed samples; build the board with sample_bits")
    if palettes.format != build.sample_format:
        raise BuildError(
            f"the palettes are for samples as {palettes.format}, and the board packs them as {build.sample_format}; "
            "fit palettes to the board's format"
        )
    if stored is not None and not stored.equals(palettes):
        raise StoreError("the stored samples go by other palettes; store them again with these")


def check_store(build: Build, state: StoreState) -> None:
    """Raise BuildError for a build without a store, StoreError for one that is not ready."""
    if build.store is None:
        raise BuildError("this build has no sample store; build the board with store_samples")
    if state != StoreState.READY:
        failed = "failed its test" if state == StoreState.FAILED else "is still being tested"
        raise StoreError(f"the memory of the board's store {failed}; see presparse doctor --device")


def check_form(waiting: int, own: ResultForm, wanted: ResultForm) -> None:
    """Raise ArgumentError if so many predictions wait for their results in another form than is wanted of more."""
    if waiting and wanted != own:
        raise ArgumentError(
            f"{waiting} predicted samples wait with their results as {own.name}, and {wanted.name} is wanted of more; "
            "flush first"
        )
