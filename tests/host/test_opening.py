"""Device names: what they open, and what is said when they open nothing."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import numpy as np
import pytest

import presparse as ps
from presparse.device.serving import Server
from presparse.errors import ArgumentError, DeviceMismatch, LinkClosed, MissingExtra, NetworkError, UnknownDevice
from presparse.opening import available, opener
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
            board.fit(X, y, epochs=4, lr=2**-5)
            assert board.predict(X).shape == (50,)
            learned.append(board.read_model())
    assert not learned[0].differences(learned[1])
    assert learned[0].differences(small.model())


def test_tcp() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    stop = threading.Event()
    server = Server(BoardLink(ProtocolBoard(small.BUILD)), listener)
    thread = threading.Thread(target=server.run, args=(stop.is_set,))
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


@pytest.mark.parametrize(
    "name",
    [
        "tcp:host",
        "tcp:host:",
        "tcp::80",
        "tcp:host:0",
        "tcp:host:70000",
        "tcp:host:x",
        "tcp:h:" + "9" * 5000,
        "tcp:h:٣",
    ],
)
def test_bad_addresses(name: str) -> None:
    with pytest.raises(UnknownDevice, match="write tcp:HOST:PORT"):
        ps.open(name, small.NETWORK)


def test_a_token_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UnknownDevice, match="a token goes into PRESPARSE_TOKEN") as raised:
        ps.open("tcp:secret-of-mine@host:7780", small.NETWORK)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("host", ["a..b", "a" * 300, "-"])
def test_hosts_that_cannot_be(host: str) -> None:
    with pytest.raises(LinkClosed, match="cannot connect"):
        ps.open(f"tcp:{host}:5000", small.NETWORK)


@pytest.mark.parametrize("device", [None, 5, b"sim", ["sim"], Path("sim")])
def test_devices_that_are_no_names(device: object) -> None:
    with pytest.raises(ArgumentError, match="device must be a name such as 'sim'"):
        ps.open(device, small.NETWORK)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("network", [5, {}, b"digits", ["digits"], object()])
def test_networks_that_are_none(network: object) -> None:
    with pytest.raises(NetworkError, match=r"open needs a network: .*; and this is"):
        ps.open("emulator", network)  # pyright: ignore[reportArgumentType]


@pytest.mark.usefixtures("_plug_in")
@pytest.mark.parametrize("device", ["python-board", "emulator", "serial:/nowhere/tty7", "tcp:127.0.0.1:1"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": "2"}, "timeout, in seconds, must be a number, 0.001 to 3,600.0, and is '2'"),
        ({"timeout": float("nan")}, "and is nan"),
        ({"timeout": float("inf")}, "and is inf"),
        ({"timeout": 1e12}, "and is 1000000000000.0"),
        ({"timeout": True}, "and is True"),
        ({"retries": -1}, "retries must be a whole number, 0 to 1,000, and is -1"),
        ({"retries": 2.0}, "and is 2.0"),
        ({"retries": 2**40}, "and is 1099511627776"),
        ({"record": 5}, "record must be the name of a file, and is 5"),
        ({"bauds": 9600}, "has no option 'bauds'; its own are: "),
    ],
)
def test_arguments_that_are_none(device: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ps.open(device, small.NETWORK, **options)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("device", ["emulator", "emulator:c"])
def test_the_emulator_has_no_baud(device: str) -> None:
    with pytest.raises(ArgumentError, match=f"device '{device}' has no option 'baud'; its own are: none"):
        ps.open(device, small.NETWORK, baud=9600)


@pytest.mark.parametrize("baud", [2**40, "9600", None, 0, -1, True, 9600.0, float("nan"), float("inf")])
def test_baud_rates_that_are_none(baud: object) -> None:
    with pytest.raises(ArgumentError, match="baud must be a whole number, 1 to 100,000,000, and is"):
        ps.open("serial:/nowhere/tty7", small.NETWORK, baud=baud)


@pytest.mark.parametrize("device", ["emulator", "replay:session.jsonl"])
def test_what_has_no_link_cannot_be_served(device: str) -> None:
    with pytest.raises(ArgumentError, match="has no link that others could use"):
        opener(device, small.NETWORK)
