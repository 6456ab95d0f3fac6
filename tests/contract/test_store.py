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
from presparse.contract.store import Contents, StoreLayout
from presparse.contract.wire import SampleKind, StoredRun
from tests.host.device.protocol_store import ProtocolStore

NETWORK = Network(
    features=22, classes=3, layers=(24, 12, 4), out_degree=(6, 2), lanes=(4, 6), activations=("relu", "sigmoid")
)
PORTS = [1, 2, 4, 8, 12, 24]


def build(**options: object) -> Build:
    return Build(**{"network": NETWORK, "store_samples": 9, **options})


def layout(own: Build) -> StoreLayout:
    assert own.store is not None
    return own.store


def features(rng: np.random.Generator, own: Build, count: int) -> np.ndarray:
    """As many different values as codes tell apart, one of them often; padding included."""
    shared = own.sample_palettes == "shared"
    columns = 1 if shared else NETWORK.features
    palettes = np.stack([rng.permutation(1024)[: 1 << own.sample_bits] - 512 for _ in range(columns)])
    codes = rng.integers(1 << own.sample_bits, size=(count, NETWORK.features))
    codes *= rng.random(codes.shape) < rng.random()
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
    own = build(feature_port=port, sample_bits=bits, sample_palettes=palettes)
    rng = np.random.default_rng(seed)
    values, labels = features(rng, own, 7), rng.integers(NETWORK.classes, size=7)
    contents = Contents.encode(layout(own), values, labels)
    board = ProtocolStore(own)
    assert {region << REGION_SHIFT: len(words) for region, words in board.words.items()} == {
        0xFF << 24: layout(own).format.palette_words,
        0xFE << 24: layout(own).words // 2,
    }
    for start, words in contents.words.items():
        assert words.dtype == np.uint32
        region, offset = divmod(start, 1 << REGION_SHIFT)
        assert board.write(region, offset, words)
        read = board.read(region, offset, len(words))
        assert read is not None
        assert np.array_equal(read, words)
    for number in range(7):
        assert board.sample(number, contents.slot) == (values[number].tolist(), labels[number])
    for run in (
        StoredRun(kind=SampleKind.TRAIN, rate=4, slot=contents.slot, count=7, seed=seed),
        StoredRun(kind=SampleKind.EVALUATE, slot=contents.slot, first=2, count=3),
    ):
        samples = contents.samples(run)
        asked = board.run(run.pack())
        assert asked is not None
        assert asked[3] == run.indices().tolist()
        assert asked[2] == contents.slot
        assert set(samples.kinds.tolist()) == {asked[0]}
        assert set(samples.rates.tolist()) == {asked[1]}
        assert np.array_equal(samples.features, values[asked[3]])
        assert np.array_equal(samples.labels, labels[asked[3]])


def test_by_hand() -> None:
    """Samples of 5, 2 and 2 words in slots of 8: four of the host's words from one to the next."""
    own = build(feature_port=8, sample_bits=4)
    values = np.zeros((3, 24), np.int64)
    values[0, [0, 5, 21]] = 100, -7, 30
    contents = Contents.encode(layout(own), values, np.array([2, 1, 0]))
    assert contents.slot == 3
    words = {address: [f"{word:08x}" for word in part] for address, part in contents.words.items()}
    assert words[0xFE << 24] == ["00230016", "00100001", "00000010"]
    assert words[(0xFE << 24) + 4] == ["00000009"]


def test_what_does_not_fit() -> None:
    rng = np.random.default_rng(1)
    own = build(sample_bits=2)
    good, labels = features(rng, own, 9), np.zeros(9, np.int64)
    Contents.encode(layout(own), good, labels)
    many = layout(own).words // 2 + 1
    with pytest.raises(StoreError, match="holds 36 samples of up to 2 words, and these are 37"):
        Contents.encode(layout(own), np.zeros((many, 24), np.int64), np.zeros(many, np.int64))
    with pytest.raises(StoreError, match=r"the board's store holds 9 samples of up to \d+ words, and these are 10"):
        layout(own).check_samples(10, layout(own).largest_slot)


def test_sparse_samples_take_less_room() -> None:
    own = build(sample_bits=4, feature_port=4)
    assert layout(own).capacity(layout(own).largest_slot) == 9
    contents = Contents.encode(layout(own), np.zeros((36, 24), np.int64), np.zeros(36, np.int64))
    assert contents.slot == 1
    assert layout(own).capacity(contents.slot) >= 36


def test_a_run_stays_within_what_is_stored() -> None:
    own = build(sample_bits=2)
    contents = Contents.encode(layout(own), features(np.random.default_rng(0), own, 5), np.zeros(5, np.int64))
    with pytest.raises(StoreError, match=r"samples 3 to 5 are wanted from slots of \d+ words, and 5 are stored"):
        contents.samples(StoredRun(kind=SampleKind.EVALUATE, slot=contents.slot, first=3, count=3))
    with pytest.raises(StoreError, match="are wanted from slots of 64 words"):
        contents.samples(StoredRun(kind=SampleKind.EVALUATE, slot=6, count=3))


def test_equal_contents() -> None:
    own = build(sample_bits=2)
    values, labels = features(np.random.default_rng(0), own, 5), np.array([0, 1, 2, 0, 1])
    one = Contents.encode(layout(own), values, labels)
    assert one.equals(Contents.encode(layout(own), values.astype(np.int16), labels.copy()))
    assert not one.equals(Contents.encode(layout(own), values[:4], labels[:4]))
    assert not one.equals(Contents.encode(layout(own), values, labels[::-1]))
    assert not one.equals(Contents.encode(layout(own), values[::-1], labels))
    values[values == values[0, 0]] += 1024 - 3 * 340
    assert not one.equals(Contents.encode(layout(own), values, labels))


def test_a_store_loads_a_sample_in_half_of_the_cycles_that_the_one_before_takes() -> None:
    for lanes, cycles, port in (((4, 6), 36, 4), ((12, 6), 12, 4), ((24, 12), 6, 8), ((2, 2), 72, 4)):
        network = NETWORK.model_copy(update={"lanes": lanes})
        own = Build(network=network, store_samples=4)
        assert max(j.cycles for j in own.junctions) == cycles
        assert own.feature_port == port
        assert 2 * NETWORK.layers[0] // own.feature_port <= cycles
        assert Build(network=network).feature_port == 1
        assert Build(network=network, store_samples=4, feature_port=lanes[0]).feature_port == lanes[0]
    assert Build(network=Network.load("mnist-dey"), store_samples=8).feature_port == 32
    assert Build(network=Network.load("mnist-dey-narrow"), store_samples=8).feature_port == 128
    assert Build(network=Network.load("mnist"), store_samples=8).feature_port == 4


def test_without_a_store_a_port_is_as_narrow_as_a_full_block() -> None:
    for bits, port in ((4, 4), (2, 8), (8, 2), (5, 2)):
        own = Build(network=Network.load("mnist-dey"), sample_bits=bits)
        assert own.store is None
        assert own.feature_port == port


def test_defaults_and_hashes() -> None:
    plain, own = Build(network=NETWORK), build()
    assert plain.store is None
    assert plain.sample_format is None
    assert (own.sample_bits, own.sample_palettes, own.store_memory) == (4, "per feature", "block")
    narrow = NETWORK.model_copy(
        update={"formats": NETWORK.formats.model_copy(update={"activation": NETWORK.formats.activation.model_copy(
            update={"width": 3, "frac": 1})})}
    )  # fmt: skip
    assert Build(network=narrow, store_samples=1).sample_bits == 3
    hashes = {
        b.hash
        for b in (
            plain, own, build(store_samples=10), build(sample_bits=3, feature_port=4), build(sample_palettes="shared"),
            build(feature_port=2), build(store_memory="sdram"), Build(network=NETWORK, sample_bits=4, feature_port=4),
        )
    }  # fmt: skip
    assert len(hashes) == 8
    assert Build(network=NETWORK, sample_palettes="shared", store_memory="sdram").hash == plain.hash
    assert Build.model_validate_json(own.model_dump_json()).hash == own.hash


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"store_samples": -1}, r"store_samples: Input should be greater than or equal to 0 \(got -1\)"),
        ({"sample_bits": 11}, "sample_bits must be at most the activation's 10 bits, and is 11"),
        ({"sample_bits": 17, "store_samples": 0}, "sample_bits must be at most the activation's 10 bits, and is 17"),
        ({"store_samples": 1 << 23}, r"store_samples must be at most 4194304 with these features, and is 8388608"),
        ({"sample_palettes": "none"}, "sample_palettes"),
        ({"store_memory": "flash"}, "store_memory"),
        ({"feature_port": 5}, "feature_port must divide the 24 left neurons"),
        ({"lanes": (0, 6)}, "0 does not divide 4"),
    ],
)
def test_bad_builds(options: dict[str, object], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        build(**options)


def test_the_last_regions_are_the_samples() -> None:
    layers = (2,) * 128
    hidden: list[Activation] = ["relu"] * 126
    deep = Network(
        features=2, classes=2, layers=layers, out_degree=(1,) * 127, lanes=(1,) * 127,
        activations=(*hidden, "sigmoid"),
    )  # fmt: skip
    told = "a board that takes compressed samples has room for 126 junctions, and this network has 127"
    with pytest.raises(BuildError, match=told):
        Build(network=deep, store_samples=1, result_capacity=4096)


def test_palettes_that_are_too_large() -> None:
    wide = Network(features=40000, classes=2, layers=(40000, 2), out_degree=(1,), lanes=(40000,),
                   activations=("sigmoid",))  # fmt: skip
    with pytest.raises(BuildError, match="palettes have 33554432 values, more than 16777216; use fewer bits or"):
        Build(network=wide, store_samples=1, sample_bits=9)
    Build(network=wide, store_samples=1, sample_bits=9, sample_palettes="shared")
