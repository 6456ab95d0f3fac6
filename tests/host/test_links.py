"""Links: TCP with its server, serial over a pseudo-terminal, recordings."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from presparse import session as session_module
from presparse.errors import LinkClosed, RecordingError
from presparse.links.link import Link
from presparse.links.recorded import HEADING, Recorder, Replayer
from presparse.links.serial import SerialLink
from presparse.links.tcp import TcpLink, serve
from presparse.reference import Reference
from presparse.session import Session
from tests.host import small
from tests.host.protocol_board import BoardLink, ProtocolBoard


@contextmanager
def served(board: ProtocolBoard) -> Iterator[int]:
    """A board behind a TCP port of this computer; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(BoardLink(board), listener, stop))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def train_and_predict(session: Session) -> np.ndarray:
    session.load(small.model())
    session.run(small.training(1, 200))
    session.flush()
    return np.concatenate([session.run(small.predictions(2, 40)), session.flush()])


def expected_scores() -> np.ndarray:
    reference = Reference(small.BUILD, small.model())
    reference.run(small.training(1, 200))
    reference.flush()
    return reference.scores(small.predictions(2, 40).features)


def test_tcp_session_equals_the_reference() -> None:
    with served(ProtocolBoard(small.BUILD)) as port:
        session = Session(lambda: TcpLink("127.0.0.1", port), small.BUILD)
        np.testing.assert_array_equal(train_and_predict(session), expected_scores())
        session.close()


def test_tcp_client_comes_back_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is cut in the middle of training; the served board still has everything."""
    monkeypatch.setattr(session_module, "RECONNECT_DELAY", 0.01)
    board = ProtocolBoard(small.BUILD)

    class Cut(TcpLink):
        left = 9000

        def write(self, data: bytes) -> None:
            super().write(data)
            was, Cut.left = Cut.left, Cut.left - len(data)
            if was > 0 >= Cut.left:
                self._socket.shutdown(socket.SHUT_RDWR)

    with served(board) as port:
        session = Session(lambda: Cut("127.0.0.1", port), small.BUILD)
        session.load(small.model())
        session.run(small.training(1, 1000))
        session.flush()
        held = session.read()
        session.close()
    reference = Reference(small.BUILD, small.model())
    reference.run(small.training(1, 1000))
    reference.flush()
    for own, other in zip(held.weights, reference.model().weights, strict=True):
        np.testing.assert_array_equal(own, other)


def test_tcp_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(LinkClosed, match=rf"tcp:127.0.0.1:{port}: cannot connect .* that a board is served there"):
        TcpLink("127.0.0.1", port)


def test_tcp_other_side_closes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        link = TcpLink("127.0.0.1", listener.getsockname()[1])
        began = time.monotonic()
        assert link.read(10, 0.05) == b""
        assert link.read(10, 0) == b""
        assert 0.05 <= time.monotonic() - began < 1
        other, _ = listener.accept()
        other.sendall(b"abc")
        assert link.read(2, 1) == b"ab"
        assert link.read(2, 1) == b"c"
        other.close()
        with pytest.raises(LinkClosed, match="the other side closed it"):
            link.read(10, 1)
        link.close()
        link.close()


@contextmanager
def serial_board(board: ProtocolBoard) -> Iterator[str]:
    """A board on a pseudo-terminal; gives the port's name."""
    own, port = os.openpty()
    os.set_blocking(own, False)
    link = BoardLink(board)
    stop = threading.Event()

    def carry() -> None:
        while not stop.is_set():
            with suppress(BlockingIOError):
                link.write(os.read(own, 4096))
            answer = link.read(65536, 0.001)
            while answer:
                try:
                    answer = answer[os.write(own, answer) :]
                except BlockingIOError:
                    time.sleep(0.001)

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield os.ttyname(port)
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        os.close(own)
        os.close(port)


def test_serial_session_equals_the_reference() -> None:
    with serial_board(ProtocolBoard(small.BUILD)) as port:
        session = Session(lambda: SerialLink(port), small.BUILD, timeout=5)
        np.testing.assert_array_equal(train_and_predict(session), expected_scores())
        session.close()


def test_serial_reads_what_is_there() -> None:
    own, port = os.openpty()
    link = SerialLink(os.ttyname(port))
    began = time.monotonic()
    assert link.read(10, 0.05) == b""
    assert 0.05 <= time.monotonic() - began < 1
    os.write(own, b"abcdef")
    data = b""
    while len(data) < 4:
        data += link.read(4 - len(data), 1)
    assert data == b"abcd"
    assert link.read(10, 0) == b"ef"
    assert link.read(10, 0) == b""
    os.close(own)
    os.close(port)
    with pytest.raises(LinkClosed, match="the port is gone"):
        link.read(10, 0.1)
    link.close()


def test_serial_missing_port_lists_others() -> None:
    with pytest.raises(LinkClosed, match=r"/nowhere/tty7: cannot be opened .* serial ports of this computer: "):
        SerialLink("/nowhere/tty7")


def test_serial_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LinkClosed, match="no permission to open it; on Linux run `sudo usermod -aG dialout"):
        SerialLink("/nowhere/tty7")


def test_serial_port_in_use() -> None:
    own, port = os.openpty()
    first = SerialLink(os.ttyname(port))
    with pytest.raises(LinkClosed, match="another program has it open"):
        SerialLink(os.ttyname(port))
    first.close()
    os.close(own)
    os.close(port)


def record(path: Path) -> np.ndarray:
    def open_link() -> Link:
        return Recorder(BoardLink(ProtocolBoard(small.BUILD)), path, remark="small\nfirst sequence number 9")

    session = Session(open_link, small.BUILD, first_sequence=9)
    scores = train_and_predict(session)
    session.close()
    return scores


def test_recorded_session_replays(tmp_path: Path) -> None:
    recorded = record(tmp_path / "session.txt")
    replayer = Replayer(tmp_path / "session.txt")
    session = Session(lambda: replayer, small.BUILD, first_sequence=9)
    np.testing.assert_array_equal(train_and_predict(session), recorded)
    assert replayer.finished


def test_replay_stops_at_the_first_byte_that_differs(tmp_path: Path) -> None:
    path = tmp_path / "session.txt"
    record(path)
    written = b"".join(bytes.fromhex(line[2:]) for line in path.read_text().splitlines() if line[0] == ">")
    replayer = Replayer(path)
    replayer.write(written[:777])
    other = written[777] ^ 1
    with pytest.raises(RecordingError, match=f"byte 777 of the host is {other:#04x}, and was {written[777]:#04x}"):
        replayer.write(bytes([other]))
    session = Session(lambda: Replayer(path), small.BUILD, first_sequence=9)
    with pytest.raises(RecordingError, match="byte"):
        session.load(small.model(seed=1))


def test_replay_ends_with_the_recording(tmp_path: Path) -> None:
    record(tmp_path / "session.txt")
    session = Session(lambda: Replayer(tmp_path / "session.txt"), small.BUILD, first_sequence=9)
    train_and_predict(session)
    with pytest.raises(RecordingError, match="the recording ends there"):
        session.counters()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("something else\n", "begins with 'something else', and a recording with"),
        (f"{HEADING}\n> 00\nfoo\n", "line 3: a line begins with <, > or #"),
        (f"{HEADING}\n> 0x\n", "line 2: non-hexadecimal"),
        ("", "begins with ''"),
    ],
)
def test_files_that_are_no_recordings(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "session.txt"
    path.write_text(text)
    with pytest.raises(RecordingError, match=message):
        Replayer(path)


def test_recordings_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        Replayer(tmp_path / "missing.txt")
    with pytest.raises(RecordingError, match="cannot be written"):
        Recorder(BoardLink(ProtocolBoard(small.BUILD)), tmp_path / "missing" / "session.txt")
