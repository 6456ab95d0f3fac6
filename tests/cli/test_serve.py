"""`presparse serve`: the line it starts with, tokens, how it ends, and what it refuses."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import presparse as ps
from presparse.cli import serve
from presparse.device.links.greeting import TOKEN
from presparse.errors import LinkClosed
from tests.cli.command import Ran, Shell
from tests.host.device.protocol_board import BoardLink, ProtocolBoard

SECRET = "a token of twenty-eight bytes"


@pytest.fixture(autouse=True)
def _small(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board in Python in place of the simulation."""
    monkeypatch.chdir(files)
    monkeypatch.delenv(TOKEN, raising=False)

    def opener(device: str, network: ps.Network, **options: object) -> tuple[Callable[[], BoardLink], ps.Build]:
        build = ps.Build(network=network)
        return lambda: BoardLink(ProtocolBoard(build)), build

    monkeypatch.setattr("presparse.opening.opener", opener)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def served(shell: Shell, *options: object, token: str | None = None, end: int = signal.SIGTERM) -> Ran:
    """Serve until one host has come and gone, and then a signal."""
    port, seen = free_port(), []

    def come_and_go() -> None:
        patience = time.monotonic() + 20
        while not seen and time.monotonic() < patience:
            try:
                with ps.open(f"tcp:127.0.0.1:{port}", "small.toml", token=token) as board:
                    seen.append(board.identify().accepted)
            except LinkClosed:
                time.sleep(0.02)
        time.sleep(0.2)  # until it was seen that it left
        os.kill(os.getpid(), end)

    host = threading.Thread(target=come_and_go)
    host.start()
    ran = shell("serve", "small.toml", "--port", port, *options)
    host.join(10)
    assert seen == [0]
    return ran


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_says_where_it_serves_and_who_came(shell: Shell, end: int) -> None:
    before = signal.getsignal(end)
    ran = served(shell, "--json", end=end)
    assert ran.status == 0
    figures = ran.figures
    assert figures["served"] == f"tcp:127.0.0.1:{figures['port']}"
    assert (figures["device"], figures["network"], figures["token"]) == ("sim", "small.toml", None)
    came, left, ended = ran.err.splitlines()
    assert came.endswith(" has the board")
    assert " left, after 0 s: " in left
    assert ended == "ended; 1 host had the board"
    assert signal.getsignal(end) == before


def test_a_given_token_is_never_shown(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    for options in ((), ("--json",), ("--host", "0.0.0.0")):
        ran = served(shell, *options)
        assert ran.status == 0
        assert SECRET not in ran.out + ran.err


@pytest.mark.parametrize("as_json", [False, True])
def test_a_token_is_made_for_other_addresses_and_shown_once(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    made = "made-for-this-session-alone"
    monkeypatch.setattr("secrets.token_urlsafe", lambda size: made)
    ran = served(shell, "--host", "0.0.0.0", *(["--json"] if as_json else []), token=made)
    assert ran.status == 0
    assert (ran.out + ran.err).count(made) == 1
    if as_json:
        assert ran.figures["token"] == made
    else:
        assert f"; hosts need PRESPARSE_TOKEN={made}" in ran.out


def test_a_short_token_is_refused_and_not_repeated(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "hunter2")
    ran = shell("serve", "small.toml")
    assert ran.status == 2
    assert "PRESPARSE_TOKEN must have at least 16 characters; unset it to have one made" in ran.err
    assert "hunter2" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--host", "192.0.2.1"), "cannot listen at '192.0.2.1', port 7780"),
        (("--host", "a..b"), "cannot listen at 'a..b'"),
        (("--idle", "nan"), "--idle must be a number, 1.0 to 86,400.0, and is nan"),
        (("--idle", "0"), "and is 0.0"),
        (("--bundle", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_served(shell: Shell, options: tuple[str, ...], message: str) -> None:
    ran = shell("serve", "small.toml", *options)
    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_a_port_that_is_taken(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = shell("serve", "small.toml", "--port", port)
    assert ran.status == 2
    assert f"cannot listen at '127.0.0.1', port {port} (" in ran.err
    assert "and --port one that is free (0: any)" in ran.err


def test_a_board_that_is_gone_ends_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanish(link: BoardLink, limit: int, timeout: float) -> bytes:
        raise LinkClosed("/dev/ttyUSB0: the port is gone")

    monkeypatch.setattr(serve, "_board", lambda device, source: BoardLink(ProtocolBoard(ps.Build(network=source))))
    monkeypatch.setattr(BoardLink, "read", vanish)
    ran = shell("serve", "small.toml", "--port", 0)
    assert ran.status == 2
    assert ran.err == "error: /dev/ttyUSB0: the port is gone\n"
