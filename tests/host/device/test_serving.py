"""A board for other computers: one host at a time, who is told what, and nobody who holds the place unseen."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from presparse.device import serving
from presparse.device import session as session_module
from presparse.device.links import greeting, tcp
from presparse.device.links.tcp import TcpLink
from presparse.device.serving import Server
from presparse.device.session import Session
from presparse.errors import ArgumentError, DeviceInUse, LinkClosed, LinkCorrupt, LinkTimeout
from tests.host import small
from tests.host.device.protocol_board import BoardLink, ProtocolBoard

TOKEN = "a token of twenty-eight bytes"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(greeting.TOKEN, raising=False)
    monkeypatch.setattr(session_module, "RECONNECT_DELAY", 0.001)
    monkeypatch.setattr(tcp, "GREETING_TIMEOUT", 20)  # however busy this computer is


class Served:
    """A server in a thread, and what it told."""

    def __init__(self, token: str, idle: float) -> None:
        self.board = ProtocolBoard(small.BUILD)
        self.lines: list[str] = []
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self.server = Server(BoardLink(self.board), listener, token=token, idle=idle, told=self.lines.append)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.server.run, args=(self.stop.is_set,))

    def link(self, token: str | None = None) -> TcpLink:
        return TcpLink("127.0.0.1", self.port, token=token)

    def session(self, token: str | None = None) -> Session:
        return Session(lambda: self.link(token), small.BUILD)

    def call(self) -> socket.socket:
        """Somebody who is not Presparse."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def wait_for(self, line: str) -> None:
        """Until it was told."""
        end = time.monotonic() + 10
        while not any(re.search(line, told) for told in self.lines):
            assert time.monotonic() < end, self.lines
            time.sleep(0.005)


@contextmanager
def served(*, token: str = "", idle: float = 60.0) -> Iterator[Served]:
    made = Served(token, idle)
    made.thread.start()
    try:
        yield made
    finally:
        made.stop.set()
        made.thread.join(10)
        assert not made.thread.is_alive()


def test_the_second_host_reads_who_has_the_board_and_since_when() -> None:
    with served() as there:
        first = there.session()
        first.load(small.model())
        there.wait_for("has the board")
        own = there.lines[0].split()[0]
        with pytest.raises(DeviceInUse) as raised:
            there.session()
        assert re.fullmatch(
            rf"tcp:127.0.0.1:{there.port}: is in use by {own} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC, silent for "
            r"\d+ s; try again later: it keeps the board until it leaves, or is silent for 60 s while another asks",
            str(raised.value),
        )
        first.feed(small.training(1, 50))
        first.close()
        there.wait_for("left, after 0 s: ")
        assert there.session().identify().accepted == 50


def test_a_silent_host_is_let_go_when_another_asks() -> None:
    with served(idle=0.2) as there:
        first = there.session()
        first.load(small.model())
        time.sleep(0.3)
        assert first.identify().accepted == 0, "nobody asked, so it keeps the board"
        time.sleep(0.3)
        second = there.session()
        there.server._idle = 60.0
        there.wait_for(r"let go: silent for \d+ s, and 127.0.0.1:\d+ asks")
        with pytest.raises(DeviceInUse, match=r"is in use by 127\.0\.0\.1"):
            first.identify()
        assert second.identify().accepted == 0


def test_a_host_that_works_is_never_let_go() -> None:
    with served(idle=0.6) as there:
        first = there.session()
        first.load(small.model())
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            first.identify()
            with pytest.raises(DeviceInUse):
                there.link()


@pytest.mark.parametrize("reset", [False, True])
def test_a_host_that_vanishes_makes_room_at_once(reset: bool) -> None:
    with served() as there:
        for _ in range(5):
            link = there.link()
            link.write(b"\0half a fra")
            if reset:
                link._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.close()
            there.wait_for("left|is gone")
            there.lines.clear()
        assert there.session().identify().contract_hash == small.BUILD.hash
    assert there.server.hosts == 6


def test_with_its_token_a_host_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(token=TOKEN) as there:
        there.session(TOKEN).close()
        there.wait_for("left")
        monkeypatch.setenv(greeting.TOKEN, TOKEN)
        there.session().close()


def test_without_it_nobody_does(caplog: pytest.LogCaptureFixture) -> None:
    with served(token=TOKEN) as there:
        with pytest.raises(LinkClosed, match=r"is served to those alone who have its token; .* PRESPARSE_TOKEN"):
            there.link()
        with pytest.raises(LinkClosed, match="the token is not that of the server") as raised:
            there.link("another secret of mine")
        assert "another secret" not in str(raised.value)
        there.wait_for("refused: it has no token, or a wrong one")
        there.session(TOKEN).close()
        assert there.server.hosts == 1
    said = "\n".join((*there.lines, caplog.text))
    assert TOKEN not in said
    assert "another secret" not in said


def test_a_stranger_learns_nothing_and_holds_no_place() -> None:
    """It hears two lines that say nothing of the board, whether that is in use or not."""
    with served(token=TOKEN) as there:
        host = there.session(TOKEN)
        for said in (b"\n", b"ready\n", b"\0" * 400, b"PROOF" * 100 + b"\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            with there.call() as stranger:
                stranger.sendall(said)
                heard = b""
                while part := stranger.recv(1000):
                    heard += part
            assert re.fullmatch(rb"presparse 1 token [0-9a-f]{32}\nrefused\n", heard)
        assert host.identify().accepted == 0
    assert there.board.frames["frames_malformed"] == 0, "no byte of theirs reached the board"


def test_an_overheard_proof_proves_nothing_the_next_time() -> None:
    hello = greeting.hello(TOKEN)
    proof = greeting.proof(hello, TOKEN)
    assert greeting.proves(proof, hello, TOKEN)
    assert not greeting.proves(proof, greeting.hello(TOKEN), TOKEN)
    assert not greeting.proves(b"", hello, TOKEN)
    assert TOKEN.encode() not in hello + proof


def test_callers_who_say_nothing_are_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "GREETING_TIMEOUT", 0.1)
    with served(token=TOKEN) as there:
        silent = [there.call() for _ in range(40)]
        there.wait_for("too many call at once")
        there.session(TOKEN).close()
        there.wait_for("said nothing for 0.1 s")
        for stranger in silent:
            stranger.close()
        there.session(TOKEN).close()


def test_a_caller_who_leaves_in_the_middle_of_a_line_is_forgotten_at_once() -> None:
    with served(token=TOKEN) as there, there.call() as stranger:
        stranger.sendall(b"half a li")
        stranger.shutdown(socket.SHUT_WR)
        there.wait_for("left without a greeting")


def test_the_end_of_the_server_is_told_and_leaves_nothing_open() -> None:
    with served() as there:
        link, stranger = there.link(), there.call()
        there.wait_for("has the board")
        assert stranger.recv(100).startswith(b"presparse 1 open ")
        there.stop.set()
        there.thread.join(10)
        with pytest.raises(LinkClosed, match="the other side closed it"):
            link.read(10, 5)
        assert stranger.recv(100) == b""
        stranger.close()
        with pytest.raises(LinkClosed, match="cannot connect"):
            there.link()
    assert there.lines[-1].endswith("the server ends, after 0 s: 0 bytes sent, 0 received")


def test_opens_and_closes_leave_nothing_open() -> None:
    """In either of the two, which are one process here."""
    process = psutil.Process()
    with served() as there:

        def after(sessions: int) -> tuple[int, int]:
            for _ in range(sessions):
                there.session().close()
            while len([line for line in there.lines if " left, " in line]) < there.server.hosts:
                time.sleep(0.005)
            return process.num_fds(), process.num_threads()

        before = after(1)
        assert after(100) == before
        assert there.server.hosts == 101


# The host's side


@contextmanager
def answering(*pieces: bytes, pause: float = 0.0) -> Iterator[int]:
    """A server that says these, whatever it hears."""
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for piece in pieces:
                if done.wait(pause):
                    return
                connection.sendall(piece)
            done.wait(10)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        done.set()
        thread.join(10)
        listener.close()


@pytest.mark.parametrize("dripped", ["pres", "presparse 1 open 00", "x" * 1000], ids=["begun", "nearly", "another"])
def test_a_greeting_that_drips(monkeypatch: pytest.MonkeyPatch, dripped: str) -> None:
    """The deadline is for the whole of it."""
    monkeypatch.setattr(tcp, "GREETING_TIMEOUT", 0.1)
    monkeypatch.setattr(tcp, "WRITE_TIMEOUT", 0.1)
    with answering(*(letter.encode() for letter in dripped), pause=0.04) as port:
        began = time.monotonic()
        with pytest.raises((LinkTimeout, LinkCorrupt)):
            Session(lambda: TcpLink("127.0.0.1", port), small.BUILD, timeout=0.1, retries=0)
        assert time.monotonic() - began < 2


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "WRITE_TIMEOUT", 0.1)
    with (
        answering(b"presparse 1 open 00\n") as port,
        pytest.raises(LinkTimeout, match=r"the server does not answer for 0.1 s"),
    ):
        TcpLink("127.0.0.1", port)


def test_a_server_of_another_kind() -> None:
    with answering(b"presparse 2 open 00\n") as port, pytest.raises(LinkClosed, match="by another Presparse; install"):
        TcpLink("127.0.0.1", port)


def test_a_greeting_that_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "GREETING_TIMEOUT", 0.05)
    with answering(b"presparse 1 open 00\n", pause=0.2) as port:
        link = TcpLink("127.0.0.1", port)
        with pytest.raises(LinkClosed, match=r"it greeted later than after 0.05 s\); .* open it again"):
            link.read(100, 5)
        link.close()


def test_a_bridge_that_speaks_first_loses_no_byte() -> None:
    with answering(b"pre\0", b"xyz") as port:
        link = TcpLink("127.0.0.1", port)
        heard = b""
        while len(heard) < 7:
            heard += link.read(2, 5)
        assert heard == b"pre\0xyz"
        link.close()


def test_a_token_that_is_none() -> None:
    with pytest.raises(ArgumentError, match="token must be text or None, and is of type bytes"):
        TcpLink("127.0.0.1", 1, token=b"secret")  # pyright: ignore[reportArgumentType]
