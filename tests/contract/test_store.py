"""What is written to a store, read by the protocol's words alone; and which builds can have one."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presparse.contract.address_map import REGION_SHIFT
from presparse.contract.build import Build
from presparse.contract.errors import BuildError, StoreError
from presparse.contract.network import Activation, Network
from presparse.contract.store import Contents
from presparse.contract.wire import SampleKind, StoredRun
from tests.host.device.protocol_store import ProtocolStore

NETWORK = Network(
    features=22, classes=3, layers=(24, 12, 4), out_degree=(6, 2), lanes=(4, 6), activations=("relu", "sigmoid")
)
PORTS = [1, 2, 4, 8, 12, 24]


def build(**options: object) -> Build:
    return Build(**{"network": NETWORK, "store_samples": 9, **options})


def features(rng: np.random.Generator, own: Build, count: int) -> np.ndarray:
    """As many different values as the store tells apart, padding included."""
    shared = own.store_palettes == "shared"
    columns = 1 if shared else NETWORK.features
    palettes = np.stack([rng.permutation(1024)[: 1 << own.store_bits] - 512 for _ in range(columns)])
    codes = rng.integers(1 << own.store_bits, size=(count, NETWORK.features))
    values = np.zeros((count, NETWORK.layers[0]), np.int64)
    values[:, : NETWORK.features] = palettes[0 if shared else np.arange(NETWORK.features), codes]
    return values


@settings(deadline=None, max_examples=40)  # a large palette, word by word in Python
@given(
    port=st.sampled_from(PORTS),
    bits=st.integers(1, 10),
    palettes=st.sampled_from(["per feature", "shared"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_words_mean_what_the_protocol_says(
    port: int, bits: int, palettes: Literal["per feature", "shared"], seed: int
) -> None:
    own = build(feature_port=port, store_bits=bits, store_palettes=palettes)
    rng = np.random.default_rng(seed)
    values, labels = features(rng, own, 7), rng.integers(NETWORK.classes, size=7)
    assert own.store is not None
    contents = Contents.encode(own.store, values, labels)
    board = ProtocolStore(own)
    assert {region << REGION_SHIFT: len(words) for region, words in board.words.items()} == {
        0xFD << 24: own.store.feature_words,
        0xFE << 24: own.store.samples,
        0xFF << 24: own.store.palette_words,
    }
    for start, words in contents.words.items():
        assert words.dtype == np.uint32
        assert board.write(start >> REGION_SHIFT, 0, words)
        read = board.read(start >> REGION_SHIFT, 0, len(words))
        assert read is not None
        assert np.array_equal(read, words)
    for number in range(7):
        assert board.sample(number) == (values[number].tolist(), labels[number])
    for run in (
        StoredRun(kind=SampleKind.TRAIN, rate=4, count=7, seed=seed),
        StoredRun(kind=SampleKind.EVALUATE, first=2, count=3),
    ):
        samples = contents.samples(run)
        asked = board.run(run.pack())
        assert asked is not None
        assert asked[2] == run.indices().tolist()
        assert set(samples.kinds.tolist()) == {asked[0]}
        assert set(samples.rates.tolist()) == {asked[1]}
        assert np.array_equal(samples.features, values[asked[2]])
        assert np.array_equal(samples.labels, labels[asked[2]])


def test_by_hand() -> None:
    """Codes of 3 bits in fields of 4, eight per word; transfers of 2, so four to a row and three rows per sample."""
    own = build(feature_port=2, store_bits=3)
    assert own.store is not None
    assert (own.store.fold, own.store.rows, own.store.slices) == (4, 3, 1)
    values = np.zeros((2, 24), np.int64)
    values[0, :22] = range(22)
    values[1, :22] = [5 * (-1) ** i for i in range(22)]
    contents = Contents.encode(own.store, values, np.array([2, 0]))
    words = contents.words
    # Value i is the larger one of feature i (code 1) in sample 0 from feature 6 on and where sample 1 has -5.
    assert [f"{word:08x}" for word in words[0xFD << 24]] == [
        "11101010", "11111111", "00111111",
        "00010101", "00000000", "00000000",
    ]  # fmt: skip
    assert words[0xFE << 24].tolist() == [2, 0]
    assert words[0xFF << 24][:17].tolist() == [0, 5, 0, 0, 0, 0, 0, 0, 1024 - 5, 1, 0, 0, 0, 0, 0, 0, 2]


def test_what_does_not_fit() -> None:
    rng = np.random.default_rng(1)
    labels = np.zeros(9, np.int64)
    per_feature, shared = build(store_bits=2), build(store_bits=2, store_palettes="shared")
    assert per_feature.store is not None
    assert shared.store is not None
    good = features(rng, shared, 9)
    Contents.encode(shared.store, good, labels)
    bad = good.copy()
    bad[:, 3] = range(9)
    told = r"4 values apart \(2 bits, per feature\), and feature 3 has 9; build the board with store_bits = 4, or round"
    with pytest.raises(StoreError, match=told):
        Contents.encode(per_feature.store, bad, labels)
    with pytest.raises(StoreError, match=r"\(2 bits, shared\), and all features have 1\d; .* store_bits = 4"):
        Contents.encode(shared.store, bad, labels)
    with pytest.raises(StoreError, match="holds 9 samples, and these are 10"):
        Contents.encode(shared.store, good[[*range(9), 0]], np.zeros(10, np.int64))
    good[2, 23] = 1
    with pytest.raises(
        StoreError, match="the board's store holds the first 22 input neurons, and a feature is in a later one"
    ):
        Contents.encode(shared.store, good, labels)


def test_a_run_stays_within_what_is_stored() -> None:
    own = build(store_bits=2)
    assert own.store is not None
    contents = Contents.encode(own.store, features(np.random.default_rng(0), own, 5), np.zeros(5, np.int64))
    with pytest.raises(StoreError, match="samples 3 to 5 are wanted, and 5 are stored"):
        contents.samples(StoredRun(kind=SampleKind.EVALUATE, first=3, count=3))


def test_equal_contents() -> None:
    own = build(store_bits=2)
    assert own.store is not None
    values, labels = features(np.random.default_rng(0), own, 5), np.array([0, 1, 2, 0, 1])
    one = Contents.encode(own.store, values, labels)
    assert one.equals(Contents.encode(own.store, values.astype(np.int16), labels.copy()))
    assert not one.equals(Contents.encode(own.store, values[:4], labels[:4]))
    assert not one.equals(Contents.encode(own.store, values, labels[::-1]))
    assert not one.equals(Contents.encode(own.store, values[::-1], labels))
    values[values == values[0, 0]] += 1024 - 3 * 340
    assert not one.equals(Contents.encode(own.store, values, labels))


def test_a_store_loads_a_sample_in_the_cycles_that_the_one_before_takes() -> None:
    for lanes, cycles, port in (((4, 6), 36, 1), ((12, 6), 12, 2), ((24, 12), 6, 4), ((2, 2), 72, 1)):
        network = NETWORK.model_copy(update={"lanes": lanes})
        own = Build(network=network, store_samples=4)
        assert max(j.cycles for j in own.junctions) == cycles
        assert own.feature_port == port
        assert NETWORK.layers[0] // own.feature_port <= cycles
        assert Build(network=network).feature_port == 1
        assert Build(network=network, store_samples=4, feature_port=lanes[0]).feature_port == lanes[0]
    assert Build(network=Network.load("mnist-dey"), store_samples=8, store_bits=4).feature_port == 16


def test_defaults_and_hashes() -> None:
    plain, own = Build(network=NETWORK), build()
    assert plain.store is None
    assert (own.store_bits, own.store_palettes) == (8, "per feature")
    narrow = NETWORK.model_copy(
        update={"formats": NETWORK.formats.model_copy(update={"activation": NETWORK.formats.activation.model_copy(
            update={"width": 6, "frac": 4})})}
    )  # fmt: skip
    assert Build(network=narrow, store_samples=1).store_bits == 6
    hashes = {
        b.hash
        for b in (
            plain, own, build(store_samples=10), build(store_bits=7), build(store_palettes="shared"),
            build(feature_port=2),
        )
    }  # fmt: skip
    assert len(hashes) == 6
    assert Build(network=NETWORK, store_palettes="shared").hash == plain.hash
    assert Build.model_validate_json(own.model_dump_json()).hash == own.hash


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"store_samples": -1}, r"store_samples: Input should be greater than or equal to 0 \(got -1\)"),
        ({"store_bits": 11}, "store_bits must be at most the activation's 10 bits, and is 11"),
        ({"store_samples": 0, "store_bits": 5}, "store_bits is 5, and there is no store; give store_samples too"),
        ({"store_samples": 1 << 23}, r"store_samples must be at most 2796202 with these features, and is 8388608"),
        ({"store_palettes": "none"}, "store_palettes"),
        ({"feature_port": 5}, "feature_port must divide the 24 left neurons"),
        ({"lanes": (0, 6)}, "0 does not divide 4"),
    ],
)
def test_bad_builds(options: dict[str, object], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        build(**options)


def test_the_last_regions_are_the_stores() -> None:
    layers = (2,) * 128
    hidden: list[Activation] = ["relu"] * 126
    deep = Network(
        features=2, classes=2, layers=layers, out_degree=(1,) * 127, lanes=(1,) * 127,
        activations=(*hidden, "sigmoid"),
    )  # fmt: skip
    with pytest.raises(BuildError, match="a board with a store has room for 126 junctions, and this network has 127"):
        Build(network=deep, store_samples=1, result_capacity=4096)


def test_palettes_that_are_too_large() -> None:
    wide = Network(features=65536, classes=2, layers=(65536, 2), out_degree=(1,), lanes=(65536,),
                   activations=("sigmoid",))  # fmt: skip
    with pytest.raises(BuildError, match="palettes have 33554432 values, more than 16777216; use fewer bits or"):
        Build(network=wide, store_samples=1, store_bits=9)
    Build(network=wide, store_samples=1, store_bits=9, store_palettes="shared")
