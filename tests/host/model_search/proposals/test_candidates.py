"""Proposals: valid whatever the data, spread over the space, the same for the same seed, and never twice."""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import nullcontext, suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presparse.contract.build import Build
from presparse.contract.network import SHIPPED, Network
from presparse.errors import SearchError
from presparse.model_search.proposals.candidates import Candidate, Proposals
from presparse.model_search.proposals.space import Numbers, SearchSpace

SPACE = SearchSpace()
DRAWN = SearchSpace(shipped=False)
images = st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 4)).filter(lambda s: math.prod(s) <= 3000)


def check(candidate: Candidate, space: SearchSpace, features: int, classes: int) -> None:
    network = candidate.network
    assert Build(network=network).network is network  # the network itself refuses whatever breaks a rule
    assert (network.features, network.classes) == (features, classes)
    hidden = network.layers[1:-1]
    assert space.hidden_layers[0] <= len(hidden) <= space.hidden_layers[1]
    assert all(space.hidden_neurons[0] <= size <= space.hidden_neurons[1] for size in hidden)
    assert sum(network.lanes) <= space.lanes
    assert len(set(network.activations[:-1])) <= 1
    assert set(network.activations[:-1]) <= set(space.activations)
    numbers = next(n for n in space.numbers if (n.formats, n.rates) == (network.formats, network.rates))
    assert candidate.rate in space.exponents(numbers)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    features=st.integers(1, 3000),
    classes=st.integers(1, 300),
    image=st.one_of(st.none(), images),
    seed=st.integers(0, 9),
    space=st.builds(
        SearchSpace,
        shipped=st.just(False),
        hidden_layers=st.sampled_from([(0, 3), (1, 1), (2, 4), (0, 0)]),
        hidden_neurons=st.sampled_from([(16, 1024), (1, 20), (64, 64)]),
        edges=st.sampled_from(["auto", (1, 100), (1000, 100_000)]),
        lanes=st.integers(16, 300),
        activations=st.sampled_from([("relu",), ("relu", "sigmoid")]),
        rates=st.sampled_from([(4, 7), (6, 6)]),
    ),
)
def test_every_proposal_is_a_valid_network_of_the_space(
    features: int, classes: int, image: tuple[int, int, int] | None, seed: int, space: SearchSpace
) -> None:
    features = features if image is None else math.prod(image)
    proposals = Proposals(space, seed, features=features, classes=classes, image=image)
    few = space.hidden_layers[0] == space.hidden_layers[1]  # one shape, perhaps, is the nearest to all edges
    for number in range(4):
        with suppress(SearchError) if few and number else nullcontext():
            candidate = proposals[number]
            check(candidate, space, features, classes)
            assert candidate.number == number
            assert not candidate.network.image or candidate.network.image[0].size == image


@pytest.mark.parametrize(
    ("features", "classes", "image"), [(64, 10, (8, 8)), (784, 10, (28, 28)), (617, 26, None), (3072, 10, (32, 32, 3))]
)
def test_edges_are_even_on_a_logarithmic_scale(features: int, classes: int, image: tuple[int, ...] | None) -> None:
    proposals = Proposals(DRAWN, features=features, classes=classes, image=image)
    low, high = (math.log(edges) for edges in DRAWN.edge_range(features, classes))
    edges = [proposals[number].network.edges for number in range(64)]
    place = (np.log(edges) - low) / (high - low)
    assert min(np.histogram(np.clip(place, 0, 1), bins=6, range=(0, 1))[0]) >= 6
    for number in range(56):  # of any nine that follow one another
        wanted = [(math.log(proposals.wanted_edges(number + n)) - low) / (high - low) for n in range(9)]
        assert max(np.diff(sorted([0, *wanted, 1]))) < 0.25
    deviation = [abs(math.log(e / proposals.wanted_edges(number))) for number, e in enumerate(edges)]
    assert np.quantile(deviation, 0.9) < math.log(1.3)


@pytest.mark.parametrize(("features", "classes"), [(64, 10), (617, 26), (3000, 300)])
def test_most_networks_have_many_lanes(features: int, classes: int) -> None:
    """A network whose sizes do not suit one another is slow whatever it learns."""
    proposals = Proposals(DRAWN, features=features, classes=classes)
    lanes = [sum(proposals[number].network.lanes) for number in range(60)]
    assert np.quantile(lanes, 0.2) >= 32


def test_a_candidate_depends_on_what_is_given_alone() -> None:
    one, other = (Proposals(SPACE, 7, features=64, classes=10, image=(8, 8)) for _ in range(2))
    late = one[30]
    assert [other[number] for number in range(31)] == [one[number] for number in range(31)]
    assert late == other[30]
    assert Proposals(SPACE, 8, features=64, classes=10, image=(8, 8))[30] != late


def test_no_candidate_comes_twice() -> None:
    proposals = Proposals(SPACE, features=4, classes=3)
    found = [proposals[number] for number in range(120)]
    networks = {(c.network.hash, c.network.lanes) for c in found}
    assert len({(c.network.hash, c.network.lanes, c.rate) for c in found}) == len(found)
    assert len(networks) == len(found)  # there are more


@pytest.mark.slow
def test_a_small_space_gives_other_rates_and_then_ends() -> None:
    space = SearchSpace(hidden_layers=(0, 0), edges=(4, 4), numbers=(Numbers(),))
    proposals = Proposals(space, features=2, classes=2)
    with pytest.raises(SearchError, match=r"the space holds no more than .* for 2 features and 2 classes") as end:
        proposals[1000]
    found = [proposals[number] for number in range(int(str(end.value).split()[6]))]
    assert len(found) > 8
    rates = Counter((c.network.hash, c.network.lanes) for c in found)
    assert len({(c.network.hash, c.network.lanes, c.rate) for c in found}) == len(found)
    assert max(rates.values()) == 4  # all of them
    with pytest.raises(SearchError, match="holds no more than 0 candidates"):
        Proposals(SearchSpace(lanes=1, hidden_layers=(1, 1)), features=2, classes=2)[0]


def test_shipped_networks_that_suit_the_data_come_first() -> None:
    def first(count: int, **data: object) -> set[str]:
        proposals = Proposals(SPACE, **data)  # pyright: ignore[reportArgumentType]
        for number in range(count):
            network = Network.load(proposals[number].network.name)
            assert proposals[number].network == network
            assert network.rates.least <= proposals[number].rate <= network.rates.most
        assert proposals[count].network.name == f"candidate-{count}"
        return {proposals[number].network.name for number in range(count)}

    assert first(2, features=64, classes=10) == {"digits", "digits-small"}
    assert first(4, features=784, classes=10, image=(28, 28)) == {name for name in SHIPPED if "mnist" in name}
    assert first(0, features=784, classes=10) == set()  # they see windows
    assert first(0, features=64, classes=9) == set()


def test_images_get_windows_in_one_layer_or_two_and_margins() -> None:
    proposals = Proposals(DRAWN, features=784, classes=10, image=(28, 28))
    networks = [proposals[number].network for number in range(80)]
    layers = Counter(len(network.image) for network in networks)
    assert layers[0] >= 20
    assert layers[1] >= 15
    assert layers[2] >= 4
    assert len({network.image[0].margin for network in networks if network.image}) == 2
    assert len({network.image[0].dilation for network in networks if network.image}) == 3
    assert any(j.lanes > j.in_degree for network in networks if network.image for j in network.junctions[:1])
    without = Proposals(SearchSpace(windows=False, shipped=False), features=784, classes=10, image=(28, 28))
    assert not any(without[number].network.image for number in range(20))


@pytest.mark.slow
def test_a_proposal_takes_a_few_milliseconds() -> None:
    proposals = Proposals(DRAWN, features=3072, classes=10, image=(32, 32, 3))
    start = time.process_time()
    proposals[99]  # and those before it
    assert time.process_time() - start < 100 * 0.02


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"features": 0}, "features must be from 1 to 65536, and is 0"),
        ({"classes": 70_000}, "classes must be from 1 to 65536, and is 70000"),
        ({"classes": 2000}, "a board tells at most 1024 classes apart, and the data has 2000"),
        ({"image": (8, 9)}, r"image must be rows and columns, .* make the 64 features, and is \[8, 9\]"),
        ({"image": (64,)}, r"and is \[64\]"),
        ({"image": (-8, -8)}, r"and is \[-8, -8\]"),
    ],
)
def test_data_that_cannot_be_is_refused_by_name(data: dict[str, object], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        Proposals(SPACE, **{"features": 64, "classes": 10, **data})  # pyright: ignore[reportArgumentType]
    with pytest.raises(SearchError, match="candidates have numbers from 0 on, and not -1"):
        Proposals(SPACE, features=64, classes=10)[-1]
