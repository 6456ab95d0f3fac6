"""Device names: what they open, and what is said when they open nothing."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import numpy as np
import pytest

import presparse as ps
from presparse.device.links.tcp import serve
from presparse.errors import ArgumentError, DeviceMismatch, LinkClosed, MissingExtra, NetworkError, UnknownDevice
from presparse.opening import available
from tests.host import small
from tests.host.device.protocol_board import BoardLink, ProtocolBoard


@pytest.fixture
def _plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution with devices, as pip would install it."""
    folder = tmp_path / "plugin-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[presparse.devices]\n"
        "python-board = tests.host.test_opening:open_python_board\n"
        "needy = tests.host.nothing_here:open_link\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def open_python_board(build: ps.Build, *, contract_hash: str | None = None) -> BoardLink:
    return BoardLink(ProtocolBoard(build, contract_hash=contract_hash))


@pytest.mark.usefixtures("_plug_in")
def test_entry_points_open_by_name() -> None:
    assert "python-board" in available()
    for network in (small.NETWORK, small.BUILD):
        with ps.open("python-board", network) as board:
            assert board.identify().contract_hash == board.build.hash
            board.load(small.model())
            np.testing.assert_array_equal(board.read_model().weights[0], small.model().weights[0])


@pytest.mark.usefixtures("_plug_in")
def test_options_reach_the_device() -> None:
    with pytest.raises(DeviceMismatch, match="cd" * 32):
        ps.open("python-board", small.NETWORK, contract_hash="cd" * 32)


@pytest.mark.usefixtures("_plug_in")
@pytest.mark.parametrize("network", [None, small.NETWORK, small.BUILD], ids=["none", "network", "build"])
def test_what_is_recorded_can_be_replayed(network: ps.Network | ps.Build | None, tmp_path: Path) -> None:
    path, seen = tmp_path / "session.jsonl", []
    for open_board in (
        lambda: ps.open("python-board", small.BUILD, record=path),
        lambda: ps.open(f"replay:{path}", network),
    ):
        with open_board() as board:
            board.load(small.model())
            seen.append(board.decision_function(small.clusters(0, 5)[0]))
            assert board.build == small.BUILD
    np.testing.assert_array_equal(*seen)
    with pytest.raises(DeviceMismatch, match="replay it with the network or build that it was recorded with"):
        ps.open(f"replay:{path}", "digits")


def test_the_emulator_records_nothing(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="the emulator has no link, so there is nothing to record"):
        ps.open("emulator", small.NETWORK, record=tmp_path / "session.jsonl")


@pytest.mark.usefixtures("_plug_in")
def test_networks_by_path(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(
        'features = 4\nclasses = 2\nlayers = [4, 2]\nout_degree = [1]\nlanes = [2]\nactivations = ["identity"]\n'
    )
    for given in (path, str(path)):
        with ps.open("python-board", given) as board:
            assert board.network.name == "tiny"
    with pytest.raises(NetworkError, match="not a readable network file"):
        ps.open("python-board", tmp_path / "missing.toml")
    with pytest.raises(NetworkError, match="open needs a network"):
        ps.open("python-board")


@pytest.mark.usefixtures("_plug_in")
def test_missing_package_is_named() -> None:
    with pytest.raises(MissingExtra, match=r"tests.host.nothing_here, which is not installed: .*'presparse\[needy\]'"):
        ps.open("needy", small.NETWORK)


def test_both_emulators_learn_the_same() -> None:
    X, y = small.clusters(1, 50)
    learned: list[ps.Model] = []
    for name in ("emulator", "emulator:c"):
        with ps.open(name, small.NETWORK) as board:
            board.load(small.model())
            board.fit(X, y)
            assert board.predict(X).shape == (50,)
            learned.append(board.read_model())
    assert not learned[0].differences(learned[1])
    assert learned[0].differences(small.model())


def test_tcp() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(BoardLink(ProtocolBoard(small.BUILD)), listener, stop))
    thread.start()
    try:
        with ps.open(f"tcp:127.0.0.1:{port}", small.BUILD) as board:
            assert board.identify().contract_hash == small.BUILD.hash
    finally:
        stop.set()
        thread.join(10)


def test_serial_port_that_is_not_there() -> None:
    with pytest.raises(LinkClosed, match="/nowhere/tty7: cannot be opened"):
        ps.open("serial:/nowhere/tty7", small.NETWORK, baud=115200)


@pytest.mark.parametrize("name", ["boat", "serial:", "serial", "tcp:", "", "emulator:1"])
def test_unknown_devices(name: str) -> None:
    with pytest.raises(
        UnknownDevice, match=r"there is no device .* emulator, emulator:c, serial:PORT, .* 'presparse\[sim\]'"
    ):
        ps.open(name, small.NETWORK)


@pytest.mark.parametrize("name", ["tcp:host", "tcp:host:", "tcp::80", "tcp:host:0", "tcp:host:70000", "tcp:host:x"])
def test_bad_addresses(name: str) -> None:
    with pytest.raises(UnknownDevice, match="write tcp:HOST:PORT"):
        ps.open(name, small.NETWORK)
