"""Every rule of a network description, broken one at a time: the message names the key, the value, the mend."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presparse.contract.build import Build
from presparse.contract.errors import BuildError, NetworkError
from presparse.contract.formats import Format, Formats
from presparse.contract.network import SHIPPED, Network, RateRange, densities, lanes_fit
from tests.networks import random_build, random_network

seeds = st.integers(0, 2**32)
VALID: dict[str, Any] = {
    "features": 60,
    "classes": 10,
    "layers": (64, 128, 16),
    "out_degree": (16, 8),
    "lanes": (16, 8),
    "activations": ("relu", "sigmoid"),
}
HASHES = {
    "digits": ("cd6be674", "e271891a", "62003cf1"),
    "digits-small": ("30b7bbb6", "b99c4287", "f1ef490d"),
    "mnist": ("1e31ee30", "ad02cf0d", "365e3320"),
    "mnist-dey": ("37d528b8", "55c060d6", "49846ad9"),
    "mnist-dey-narrow": ("228e7fcd", "78c2758f", "ec5f9151"),
    "mnist-windows": ("aae650c2", "9ea0a441", "9f0b9428"),
}
"""Of networks that ship, of their builds, and of builds with a store."""
TOML = """
features = 60
classes = 10
layers = [64, 128, 16]
out_degree = [16, 8]
lanes = [16, 8]
activations = ["relu", "sigmoid"]
"""


def test_derived_values() -> None:
    network = Network(**VALID)
    first, second = network.junctions
    assert (first.edges, first.in_degree, first.cycles, first.rows) == (1024, 8, 64, 4)
    assert (first.group, first.steps, first.cycles_per_step) == (2, 64, 1)
    assert (second.edges, second.in_degree, second.cycles, second.rows) == (1024, 64, 128, 16)
    assert (second.group, second.steps, second.cycles_per_step) == (1, 16, 8)
    assert (first.is_output, second.is_output) == (False, True)
    assert network.edges == 2048
    assert network.density == 2048 / (64 * 128 + 128 * 16) == 0.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": (64,), "out_degree": (), "lanes": (), "activations": ()},
         "layers: Tuple should have at least 2 items after validation, not 1 (got (64,))"),
        ({"layers": (64, 0, 16)}, "layers: every layer needs 1 to 65536 neurons, and one has 0"),
        ({"layers": (65537, 128, 16)}, "layers: every layer needs 1 to 65536 neurons, and one has 65537"),
        ({"out_degree": (16,)}, "out_degree needs one entry per junction: 2 for 3 layers, and has 1"),
        ({"lanes": (16, 8, 8)}, "lanes needs one entry per junction: 2 for 3 layers, and has 3"),
        ({"activations": ("sigmoid",)}, "activations needs one entry per junction: 2 for 3 layers, and has 1"),
        ({"activations": ("relu", "relu")},
         "activations[-1]: the output is 'sigmoid' (cross-entropy) or 'identity' (squared error)"),
        ({"activations": ("tanh", "sigmoid")},
         "activations.0: Input should be 'relu', 'sigmoid' or 'identity' (got 'tanh')"),
        ({"features": 65}, "layers[0] must hold all 65 features, and has 64 neurons"),
        ({"features": 0}, "features: Input should be greater than or equal to 1 (got 0)"),
        ({"classes": 17}, "layers[-1] must hold all 17 classes, and has 16 neurons"),
        ({"classes": 0}, "classes: Input should be greater than or equal to 1 (got 0)"),
        ({"out_degree": (3, 8)},
         "junction 1: out_degree must be between 1 and 128 with left * out_degree divisible by right, and 64 * 3 is "
         "not a valid choice for 128; the nearest valid out_degree is 2"),
        ({"out_degree": (0, 8)},
         "junction 1: out_degree must be between 1 and 128 with left * out_degree divisible by right, and 64 * 0 is "
         "not a valid choice for 128; the nearest valid out_degree is 2"),
        ({"out_degree": (16, 17)},
         "junction 2: out_degree must be between 1 and 16 with left * out_degree divisible by right, and 128 * 17 is "
         "not a valid choice for 16; the nearest valid out_degree is 16"),
        ({"lanes": (24, 8)},
         "junction 1: lanes must divide the left layer, and 24 does not divide 64; the nearest valid number is 16"),
        ({"lanes": (0, 8)},
         "junction 1: lanes must divide the left layer, and 0 does not divide 64; the nearest valid number is 1"),
        ({"layers": (60, 120, 16), "out_degree": (12, 2), "lanes": (4, 8)},
         "junction 1: lanes must divide in_degree or be a multiple of it, and 4 is neither for in_degree 6; "
         "the nearest valid number is 3"),
        ({"lanes": (64, 4)},
         "junction 1: the 8 right neurons finished per cycle must divide the 4 lanes of junction 2; "
         "use 8 lanes there, or at most 8 lanes in junction 1"),
        ({"layers": (16384, 128, 16), "lanes": (1, 8)},
         "junction 1: a bank holds at most 8192 rows, and 16384 left neurons on 1 lanes need 16384; use more lanes"),
        ({"layers": (65536, 65536, 16), "out_degree": (512, 1), "lanes": (8, 1)},
         "junction 1: a junction holds at most 16777216 edges (rows of lanes padded to a power of two), and this one "
         "has 33554432; use a smaller out_degree or layer"),
        ({"layers": (16,) * 129},
         "layers: Tuple should have at most 128 items after validation, not 129 (got (16, 16, 16, 16, 16, 16, ...))"),
        ({"formats": Formats(activation=Format(width=18, frac=13)), "activations": ("sigmoid", "sigmoid")},
         "junction 1: a sigmoid's table takes at most 12 fraction bits, and its activation format has 13"),
        ({"formats": Formats(output=Format(width=18, frac=13))},
         "junction 2: a sigmoid's table takes at most 12 fraction bits, and its output format has 13"),
        ({"layers": (256, 8192, 8192), "out_degree": (8192, 2048), "lanes": (256, 1),
          "rates": RateRange(least=0, most=0), "activations": ("relu", "identity"), "classes": 4, "features": 4,
          "formats": Formats(activation=Format(width=18, frac=8), weight=Format(width=18, frac=15), operand_bits=18,
                             delta=Format(width=18, frac=17))},
         "junction 2: an exact BP sum times derivative of these formats needs 67 bits, more than 62; use narrower "
         "formats or fewer fraction bits"),
        ({"name": "my net"}, "name: String should match pattern '^[A-Za-z0-9][A-Za-z0-9_.-]*$' (got 'my net')"),
        ({"name": "x" * 65}, "name: String should have at most 64 characters (got 'xxxxxxxxxxxx...xxxxxxxxxxxxx')"),
        ({"depth": 3}, "depth is no key here; remove it or correct its spelling"),
        ({"rates": RateRange(least=2, most=9)},
         "rates.most - rates.least must be at most 6 with 12-bit deltas (the multiplier takes 18 bits), and is 7"),
    ],
)  # fmt: skip
def test_one_broken_rule(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError) as error:
        Network(**{**VALID, **change})
    assert str(error.value) == message


@pytest.mark.parametrize("key", VALID)
def test_one_missing_key(key: str) -> None:
    with pytest.raises(NetworkError) as error:
        Network(**{k: v for k, v in VALID.items() if k != key})
    assert str(error.value) == f"{key} is missing"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"operand_bits": 17}, "operand_bits must be at most weight.width (16), and is 17"),
        ({"operand_bits": 2},
         "operand_bits must keep the binary point: at least weight.width - weight.frac (3), and is 2"),
        ({"operand_bits": 1}, "operand_bits: Input should be greater than or equal to 2 (got 1)"),
        ({"activation": Format(width=10, frac=1)}, "activation.frac must be at least 2, and is 1"),
        ({"output": Format(width=10, frac=0)}, "output.frac must be at least 2, and is 0"),
        ({"input": Format(width=10, frac=1)}, "input is no key here; remove it or correct its spelling"),
    ],
)  # fmt: skip
def test_one_broken_rule_of_formats(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError) as error:
        Formats(**change)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("least", "most", "message"),
    [
        (5, 4, "least must not exceed most, and 5 > 4"),
        (-1, 4, "least: Input should be greater than or equal to 0 (got -1)"),
        (4, 16, "most: Input should be less than or equal to 15 (got 16)"),
    ],
)
def test_one_broken_rule_of_rates(least: int, most: int, message: str) -> None:
    with pytest.raises(NetworkError) as error:
        RateRange(least=least, most=most)
    assert str(error.value) == message


@pytest.mark.slow
@given(seed=seeds)
def test_nearest_lanes_are_valid(seed: int) -> None:
    """What the message proposes for one junction works for that junction."""
    network = random_network(np.random.default_rng(seed))
    for wrong in range(1, 60):
        for i, junction in enumerate(network.junctions):
            if lanes_fit(junction.left, junction.in_degree, wrong):
                continue
            lanes = [*network.lanes]
            lanes[i] = wrong
            with pytest.raises(NetworkError) as error:
                Network(**{**network.model_dump(), "lanes": lanes})
            proposed = int(str(error.value).rsplit(" ", 1)[1])
            assert lanes_fit(junction.left, junction.in_degree, proposed)


@given(st.integers(1, 200), st.integers(1, 200))
def test_densities(left: int, right: int) -> None:
    """All of them, by trial."""
    expected = [(d, left * d // right) for d in range(1, right + 1) if left * d % right == 0]
    assert densities(left, right) == expected


@given(seed=seeds)
def test_sums_fit_their_widths(seed: int) -> None:
    """The worst case that operands and activations allow needs exactly these bits."""
    network = random_network(np.random.default_rng(seed))
    f = network.formats
    for junction in network.junctions:
        terms = [w * a for w in (f.operand.min, f.operand.max) for a in (f.activation.min, f.activation.max)]
        shift = network.sum_frac - network.product_frac
        highest = (junction.in_degree * max(terms) << shift) + (f.weight.max << (network.sum_frac - f.weight.frac))
        lowest = (junction.in_degree * min(terms) << shift) + (f.weight.min << (network.sum_frac - f.weight.frac))
        width = network.sum_width(junction)
        assert -(1 << (width - 1)) <= lowest
        assert highest < 1 << (width - 1)
        deltas = [w * d for w in (f.operand.min, f.operand.max) for d in (f.delta.min, f.delta.max)]
        edges = min(junction.right, junction.cycles)
        width = network.delta_sum_width(junction)
        assert -(1 << (width - 1)) <= edges * min(deltas)
        assert edges * max(deltas) < 1 << (width - 1)


# --- hash -------------------------------------------------------------------------------------------


def test_lanes_and_name_are_no_part_of_the_hash() -> None:
    network = Network(**VALID)
    assert Network(**{**VALID, "lanes": (8, 4), "name": "other"}).hash == network.hash


@pytest.mark.parametrize(
    "change",
    [
        {"features": 61},
        {"classes": 9},
        {"out_degree": (8, 8), "lanes": (4, 8)},
        {"activations": ("sigmoid", "sigmoid")},
        {"formats": Formats(output=Format(width=12, frac=8))},
        {"rates": RateRange(least=3, most=8)},
    ],
)
def test_everything_else_is(change: dict[str, Any]) -> None:
    assert Network(**{**VALID, **change}).hash != Network(**VALID).hash


@given(seed=seeds)
def test_networks_survive_json(seed: int) -> None:
    network = random_network(np.random.default_rng(seed))
    again = Network.model_validate_json(network.model_dump_json())
    assert again == network
    assert again.hash == network.hash


# --- TOML -------------------------------------------------------------------------------------------


def test_load(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(TOML)
    assert Network.load(path) == Network(**VALID, name="own")
    (tmp_path / "my own.toml").write_text(TOML)
    assert Network.load(tmp_path / "my own.toml").name == "my-own"
    path.write_text(TOML + 'name = "given"\n[formats]\noperand_bits = 14\n[rates]\nmost = 7\n')
    network = Network.load(str(path))
    assert (network.name, network.formats.operand_bits, network.rates.most) == ("given", 14, 7)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("features = 60", 'features = "many"',
         "net.toml: features: Input should be a valid integer, unable to parse string as an integer (got 'many')"),
        ("features = 60", "", "net.toml: features is missing"),
        ("lanes = [16, 8]", "lanes = [24, 8]", "net.toml: junction 1: lanes must divide the left layer, and 24 does "
         "not divide 64; the nearest valid number is 16"),
        ("classes = 10", "classes = 10\n[formats.weight]\nwidth = 20\nfrac = 3",
         "net.toml: formats.weight.width: Input should be less than or equal to 18 (got 20)"),
        ("classes = 10", "classes = 10\nformat = 3",
         "net.toml: format is no key here; remove it or correct its spelling"),
        ('"relu"', '"gelu"', "net.toml: activations.0: Input should be 'relu', 'sigmoid' or 'identity' (got 'gelu')"),
    ],
)  # fmt: skip
def test_toml_that_is_no_network(old: str, new: str, message: str) -> None:
    # Tables come last in TOML.
    text = "\n".join(line for line in TOML.strip().splitlines() if line != "classes = 10") + "\nclasses = 10\n"
    with pytest.raises(NetworkError) as error:
        Network.from_toml(text.replace(old, new), where="net.toml")
    assert str(error.value) == message


def test_text_that_is_no_toml() -> None:
    with pytest.raises(NetworkError, match=r"^net\.toml: not valid TOML: .*at line 2, column 10"):
        Network.from_toml("features = 60\nlayers = oops", where="net.toml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(NetworkError) as error:
        Network.load(path)
    assert str(error.value).startswith(
        f"{path}: not a readable network file (No such file or directory). Networks that ship with Presparse: "
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a." * 50_000 + "a = 1", "not a network: it has 100,005 characters, and at most 65,536 are read"),
        ("\n" + "a." * 30_000 + "a = 1", "not a network: line 2 has 30,000 dots; keys have three parts at most"),
        ("[" + "a ." * 20_000 + "a]", "not a network: line 1 has 20,000 dots; keys have three parts at most"),
        ("\n".join(f"{'a.' * 100}k{n} = 1" for n in range(300)), "features is missing; "),
    ],
    ids=["long", "a key", "a table", "many keys"],
)
def test_keys_of_thousands_of_parts_are_refused_at_once(text: str, message: str) -> None:
    began = time.perf_counter()
    with pytest.raises(NetworkError) as error:
        Network.from_toml(text, where="net.toml")
    assert time.perf_counter() - began < 2
    assert str(error.value).startswith(f"net.toml: {message}")


def test_what_is_no_network_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(70_000))
    for path, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is a pipe or a device; write what comes out of it into a file first"),
        (tmp_path / "large", "holds 70,000 bytes, and such a file at most 65,536"),
        ("/dev/zero", "is a pipe or a device; write what comes out of it into a file first"),
        ("n" * 300, "File name too long"),
        ("n\0n", "no file has such a name: embedded null byte"),
        (7, "int is no path"),
    ):
        for load in (Network.load, Network.given):
            with pytest.raises(NetworkError) as error:
                load(path)  # pyright: ignore[reportArgumentType]
            assert f"not a readable network file ({reason}). Networks that ship" in str(error.value)


def test_a_network_as_such_or_by_name() -> None:
    network = Network.load("digits-small")
    assert Network.given(network) is network
    assert Network.given("digits-small") == Network.given(Path("digits-small")) == network


@pytest.mark.parametrize("name", SHIPPED)
def test_networks_that_ship(name: str) -> None:
    """With the hashes that they had: models, and bitstreams of this contract version, are out there."""
    network = Network.load(name)
    assert network.name == name
    assert network.classes == 10
    builds = Build(network=network), Build(network=network, store_samples=16)
    assert (network.hash[:8], *(build.hash[:8] for build in builds)) == HASHES[name]


# --- builds -----------------------------------------------------------------------------------------


def test_a_build_has_the_networks_lanes_by_default() -> None:
    network = Network(**VALID)
    assert Build(network=network).lanes == network.lanes
    assert Build(network=network, lanes=(8, 4)).junctions[0].cycles == 128


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lanes": (16,)}, "lanes needs one entry per junction (2), and has 1"),
        ({"lanes": (32, 8)}, "junction 1: a build's lanes must divide the network's, so that its patterns stay "
         "clash-free, and 32 does not divide 16"),
        ({"lanes": (16, 0)}, "junction 2: a build's lanes must divide the network's, so that its patterns stay "
         "clash-free, and 0 does not divide 8"),
        ({"lanes": (16, 1)}, "junction 1: the 2 right neurons finished per cycle must divide the 1 lanes of "
         "junction 2; use 2 lanes there, or at most 8 lanes in junction 1"),
        ({"gap": -1}, "gap: Input should be greater than or equal to 0 (got -1)"),
        ({"mode": "both"}, "mode: Input should be 'train' or 'infer' (got 'both')"),
        ({"feature_port": -1}, "feature_port: Input should be greater than or equal to 0 (got -1)"),
        ({"feature_port": 3}, "feature_port must divide the 64 left neurons and divide or be a multiple of the 16 "
         "lanes of junction 1, and is 3"),
        ({"feature_port": 128}, "feature_port must divide the 64 left neurons and divide or be a multiple of the 16 "
         "lanes of junction 1, and is 128"),
        ({"result_capacity": 0}, "result_capacity: Input should be greater than or equal to 1 (got 0)"),
        ({"lanes": (8, 8), "result_capacity": 1},
         "result_capacity must be at least 2, the predictions in flight at once, and is 1"),
    ],
)  # fmt: skip
def test_one_broken_rule_of_builds(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BuildError) as error:
        Build(network=Network(**VALID), **change)
    assert str(error.value) == message


def test_a_build_whose_results_fit_no_frame() -> None:
    wide = Network(features=1, classes=1, layers=(64, 1024), out_degree=(16,), lanes=(1,), activations=("identity",))
    with pytest.raises(BuildError) as error:
        Build(network=wide)
    assert str(error.value) == (
        "one result must fit a frame of 1024 bytes, and 1024 outputs take 2048; use a smaller output layer or format"
    )


def test_a_build_survives_json() -> None:
    build = Build(network=Network(**VALID))
    assert Build.model_validate_json(build.model_dump_json()).hash == build.hash
    assert Build.model_validate({"network": build.network.model_dump()}) == build


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({**VALID, "classes": 17}, "network: layers[-1] must hold all 17 classes, and has 16 neurons"),
        ({**VALID, "formats": {"weight": {"width": 19, "frac": 3}}},
         "network.formats.weight.width: Input should be less than or equal to 18 (got 19)"),
        ("digits", "network: a build has a Network, and not 'digits'; give Network.load('digits')"),
    ],
)  # fmt: skip
def test_a_build_of_something_that_is_no_network(network: Any, message: str) -> None:
    with pytest.raises(BuildError) as error:
        Build(network=network)
    assert str(error.value) == message


def test_the_hash_of_a_build() -> None:
    """Everything that shapes the gateware changes it; a gap that ends in the same schedule does not."""
    network = Network(**VALID)
    build = Build(network=network)
    others = [
        Build(network=network, lanes=(8, 8)),
        Build(network=network, mode="infer"),
        Build(network=network, gap=1),
        Build(network=network, feature_port=2),
        Build(network=network, result_capacity=32),
        Build(network=Network(**{**VALID, "features": 61})),
    ]
    assert len({build.hash, *(other.hash for other in others)}) == 7
    assert Build(network=Network(**{**VALID, "name": "other"})).hash == build.hash
    small = Network(features=1, classes=1, layers=(1, 1), out_degree=(1,), lanes=(1,), activations=("identity",))
    assert Build(network=small, gap=1).hash == Build(network=small).hash


# --- the generator of random networks ---------------------------------------------------------------


def test_random_builds_cover_what_they_promise() -> None:
    seen: dict[str, int] = {}
    for seed in range(300):
        build = random_build(np.random.default_rng(seed))
        junctions = build.junctions
        for name, holds in {
            f"{len(junctions)} junctions": True,
            "several right neurons per cycle": any(j.group > 1 for j in junctions),
            "several cycles per right neuron": any(j.cycles_per_step > 1 for j in junctions),
            "one row": any(j.rows == 1 for j in junctions),
            "two rows": any(j.rows == 2 for j in junctions),
            "unequal junction cycles": len({j.cycles for j in junctions}) > 1,
            "fewer lanes than the network": build.lanes != build.network.lanes,
            "gap": build.schedule.gap > 0,
            "no gap": build.schedule.gap == 0,
            "padding features": build.network.features < build.network.layers[0],
            "padding outputs": build.network.classes < build.network.layers[-1],
            "sizes that are not powers of two": any(j.left & (j.left - 1) for j in junctions),
            "training": build.training,
            "inference": not build.training,
            "default formats": build.network.formats == Formats(),
            "other formats": build.network.formats != Formats(),
            **{activation: activation in build.network.activations for activation in ("relu", "sigmoid", "identity")},
        }.items():
            seen[name] = seen.get(name, 0) + holds
    assert len(seen) == 4 + 18
    assert min(seen.values()) >= 15, seen
