"""The space of a search: files, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from presparse.contract.formats import Format, Formats
from presparse.contract.network import Network, RateRange
from presparse.errors import SearchError
from presparse.model_search.proposals.space import Numbers, SearchSpace


def test_a_space_is_what_was_saved(tmp_path: Path) -> None:
    space = SearchSpace(hidden_layers=(1, 2), edges=(100, 1000), rates=(3, 5), numbers=(Numbers(),), windows=False)
    space.save(tmp_path / "space.toml")
    assert SearchSpace.load(tmp_path / "space.toml") == space
    assert SearchSpace.from_toml(SearchSpace().to_toml()) == SearchSpace()
    assert SearchSpace.from_toml("") == SearchSpace()


def test_the_narrow_formats_are_those_of_the_narrow_network() -> None:
    narrow = Network.load("mnist-dey-narrow")
    usual, other = SearchSpace().numbers
    assert (usual.formats, usual.rates) == (Formats(), RateRange())
    assert (other.formats, other.rates) == (narrow.formats, narrow.rates)
    assert list(SearchSpace().exponents(usual)) == [4, 5, 6, 7]
    assert list(SearchSpace().exponents(other)) == [4, 5, 6]


def test_edges_follow_the_data() -> None:
    assert SearchSpace().edge_range(64, 10) == (296, 8192)
    assert SearchSpace().edge_range(784, 10) == (3176, 50816)
    assert SearchSpace(edges=(7, 9)).edge_range(784, 10) == (7, 9)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"neurons": 5}, "neurons is no key here; remove it or correct its spelling"),
        ({"hidden_layers": (3, 1)}, r"hidden_layers must be two numbers from 0 to 8, .* first, and is \[3, 1\]"),
        ({"hidden_layers": (0, 9)}, r"from 0 to 8, .* and is \[0, 9\]"),
        ({"hidden_neurons": (0, 9)}, r"hidden_neurons must be two numbers from 1 to 8192, .* and is \[0, 9\]"),
        ({"hidden_neurons": (65, 79)}, "65 to 79 is none; the nearest are 64 and 80"),
        ({"hidden_neurons": (7, 7)}, "and 7 is none; the nearest are 6 and 8"),
        ({"hidden_neurons": (8191, 8191)}, "and 8191 is none; the nearest are 6144 and 8192"),
        ({"edges": (0, 9)}, r"edges must be two numbers from 1 to 16777216, .* and is \[0, 9\]"),
        ({"edges": "few"}, r"edges.* \(got 'few'\)"),
        ({"lanes": 0}, r"lanes: .* \(got 0\)"),
        ({"rates": (7, 4)}, r"rates must be two numbers from 0 to 15, .* and is \[7, 4\]"),
        ({"rates": (7, 8)}, "rates must have one that numbers 2 allow, k from 3 to 6, and are k from 7 to 8"),
        ({"activations": ()}, "activations must have one entry at least"),
        ({"activations": ("tanh",)}, r"activations.0: .* \(got 'tanh'\)"),
        ({"numbers": ()}, "numbers must have one entry at least"),
        (
            {"numbers": [{"formats": {"delta": {"width": 17, "frac": 3}}}]},
            r"numbers.0: no network can have these formats and rates \(rates.most - rates.least must be at most 1 ",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        SearchSpace(**keys)


def test_numbers_are_refused_where_they_are_made() -> None:
    with pytest.raises(SearchError, match="no network can have these formats"):
        Numbers(formats=Formats(output=Format(width=16, frac=14)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lanes = 0", "space.toml: lanes: "),
        ("lanes = ", "space.toml: not valid TOML: "),
        (".".join(["a"] * 200) + " = 1", "space.toml: not a search space: line 1 has 199 dots"),
        ("#" * 70_000, "space.toml: not a readable search space"),
    ],
)
def test_files_that_are_none_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(SearchError, match=message):
        SearchSpace.load(path)
    with pytest.raises(SearchError, match="not a readable search space"):
        SearchSpace.load(tmp_path / "none.toml")
