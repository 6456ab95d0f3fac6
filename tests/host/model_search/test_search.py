"""The search from end to end, on few digits."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from presparse import data
from presparse.contract.network import Network
from presparse.errors import ArgumentError, DataError, FeatureError, OutputError, SearchError
from presparse.estimation import estimate
from presparse.model import Model
from presparse.model_search import Found, SearchSpace, fitting_candidates, search

pytestmark = pytest.mark.slow

_X, _Y = (np.asarray(array)[:400] for array in data.load("digits"))
_SETTINGS: dict[str, Any] = {"board": "ulx3s-25f", "trials": 9, "epochs": 9, "random_state": 3, "image": (8, 8)}


def found_in(folder: Path | None, threads: int = 2, **settings: Any) -> Found:
    with ThreadPoolExecutor(threads) as executor:
        return search(_X, _Y, **{**_SETTINGS, **settings}, executor=executor, folder=folder)


def lines(folder: Path) -> list[str]:
    return sorted((folder / "trials.jsonl").read_text().splitlines())


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    folder = tmp_path_factory.mktemp("searched")
    return folder, found_in(folder)


def test_front(searched: tuple[Path, Found]) -> None:
    """Nothing on it is worse in everything; all of it fits, and was measured by samples that it never saw."""
    _, found = searched
    assert len(found.tried) == 9
    assert found.front
    speeds = [entry.speed for entry in found.front]
    accuracies = [entry.chosen_by for entry in found.front]
    assert speeds == sorted(speeds)
    assert accuracies == sorted(accuracies, reverse=True)
    for entry in found.front:
        assert estimate(entry.network, "ulx3s-25f").fits
        assert 0 < entry.interval < 1
    assert {entry.name for entry in [*found.front, *found.references] if entry.shipped} == {"digits", "digits-small"}


def test_files_are_ready_to_use(searched: tuple[Path, Found]) -> None:
    folder, found = searched
    written = json.loads((folder / "front.json").read_text())
    assert [entry["name"] for entry in written["front"]] == [entry.name for entry in found.front]
    for entry in found.front:
        network = Network.load(folder / "networks" / f"{entry.name}.toml")
        model = Model.load(folder / "models" / f"{entry.name}.safetensors")
        assert network == entry.network
        assert model.network.hash == network.hash
        assert (model.predict(_X) == entry.model.predict(_X)).all()
    assert "board" in (folder / "search.toml").read_text()


def test_workers_change_nothing(searched: tuple[Path, Found], tmp_path: Path) -> None:
    folder, _ = searched
    found_in(tmp_path, threads=1)
    assert lines(tmp_path) == lines(folder)


def test_goes_on_where_it_was_cut_off(searched: tuple[Path, Found], tmp_path: Path) -> None:
    """In the middle of a line, and with a model gone that the next rung would have begun with."""
    folder, _ = searched
    whole = (folder / "trials.jsonl").read_bytes()
    (tmp_path / "trials.jsonl").write_bytes(whole[: len(whole) * 2 // 3])
    again = found_in(tmp_path)
    assert set(lines(folder)) <= set(lines(tmp_path))
    assert [entry.as_json() for entry in again.front] == json.loads((folder / "front.json").read_text())["front"]


def test_names_and_labels_are_the_users() -> None:
    """Labels are texts; the model gives them back."""
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    with ThreadPoolExecutor(1) as executor:
        found = search(_X, [str(names[number]) for number in _Y], **{**_SETTINGS, "trials": 3}, executor=executor)
    assert set(found.best().model.predict(_X)) <= set(names)


def test_for_a_board_that_only_infers() -> None:
    found = found_in(None, mode="infer", trials=3)
    assert found.best().estimate.mode == "infer"
    assert found.best().accuracy > 0.5


def test_another_search_is_refused(searched: tuple[Path, Found]) -> None:
    folder, _ = searched
    with pytest.raises(ArgumentError, match="seed"):
        found_in(folder, random_state=4)
    with pytest.raises(ArgumentError, match="data"), ThreadPoolExecutor(1) as executor:
        search(_X + 1, _Y, **_SETTINGS, executor=executor, folder=folder)


def test_what_others_have_in_a_folder_stays(tmp_path: Path) -> None:
    mine = tmp_path / "models" / "mine.safetensors"
    mine.parent.mkdir()
    mine.write_bytes(b"years of work")
    with pytest.raises(OutputError, match="holds files, and no search"):
        found_in(tmp_path)
    assert mine.read_bytes() == b"years of work"


def test_one_class() -> None:
    with pytest.raises(DataError, match="one class"):
        search(_X, np.zeros(len(_X), dtype=int), **_SETTINGS)


def test_no_samples() -> None:
    with pytest.raises(FeatureError, match="X"):
        search(_X.tolist()[0], _Y, **_SETTINGS)


def test_nothing_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting_candidates, "_MOST_REFUSED", 3)
    space = SearchSpace(hidden_layers=(3, 3), hidden_neurons=(512, 1024), edges=(400_000, 800_000), shipped=False)
    with pytest.raises(SearchError, match=r"none of .* networks proposed fits icebreaker"):
        found_in(None, board="icebreaker", space=space)


def test_nothing_is_so_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting_candidates, "_MOST_REFUSED", 3)
    with pytest.raises(SearchError, match=r"speed 1e\+09; the last that fits has speed"):
        found_in(None, at_least={"speed": 1e9})


def test_nothing_is_so_accurate_and_the_nearest_is_shown(tmp_path: Path) -> None:
    found = found_in(tmp_path, trials=3, at_least={"accuracy": 1.0})
    with pytest.raises(ArgumentError, match="the nearest is"):
        found.best(accuracy=1.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"minutes": 1.0}, "give one of them"),
        ({"trials": 0}, "trials must be a whole number, at least 1"),
        ({"epochs": 10}, "the nearest is 9"),
        ({"objectives": ("accuracy", "watts")}, "watts"),
        ({"mode": "learn"}, "'train' or 'infer'"),
    ],
)
def test_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        found_in(None, **settings)
