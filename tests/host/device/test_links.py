"""Links: TCP with its server, serial over a pseudo-terminal, recordings."""

from __future__ import annotations

import json
import os
import socket
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from presparse.device import session as session_module
from presparse.device.links import tcp
from presparse.device.links.link import Link
from presparse.device.links.recorded import Recorder, Replayer
from presparse.device.links.serial import SerialLink
from presparse.device.links.tcp import TcpLink
from presparse.device.serving import Server
from presparse.device.session import Session
from presparse.errors import (
    ArgumentError,
    LinkClosed,
    LinkCorrupt,
    LinkError,
    LinkTimeout,
    OutputError,
    RecordingError,
)
from presparse.opening import recorded_session
from presparse.reference.pytorch import Reference
from tests.host import small
from tests.host.device.protocol_board import BoardLink, ProtocolBoard


@contextmanager
def served(board: ProtocolBoard) -> Iterator[int]:
    """A board behind a TCP port of this computer; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    thread = threading.Thread(target=Server(BoardLink(board), listener).run, args=(stop.is_set,))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def train_and_predict(session: Session) -> np.ndarray:
    session.load(small.model())
    session.feed(small.training(1, 200))
    session.flush()
    return np.concatenate([session.feed(small.predictions(2, 40)), session.flush()])


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
        session.feed(small.training(1, 1000))
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


def test_tcp_other_side_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge to a serial port, which does not greet."""
    monkeypatch.setattr(tcp, "GREETING_TIMEOUT", 0.05)
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


def test_serial_after_closing() -> None:
    own, port = os.openpty()
    link = SerialLink(os.ttyname(port))
    link.close()
    link.close()
    for use in (lambda: link.read(10, 0.1), lambda: link.write(b"x")):
        with pytest.raises(LinkClosed, match="this device was closed; open it again"):
            use()
    os.close(own)
    os.close(port)


def test_serial_vanishes_while_it_is_closed() -> None:
    own, port = os.openpty()
    link = SerialLink(os.ttyname(port))
    os.close(own)
    os.close(port)
    with pytest.raises(LinkClosed, match="the port is gone"):
        link.write(b"x")
    assert link._serial.fd is not None
    os.close(link._serial.fd)  # what is unplugged may end in an error even then
    link.close()


def test_serial_baud_that_the_c_library_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an error that is no OSError."""

    def refuse(*args: object) -> None:
        raise termios.error(22, "Invalid argument")

    own, port = os.openpty()
    monkeypatch.setattr(termios, "tcsetattr", refuse)
    with pytest.raises(
        LinkClosed, match=r"cannot be set to 12345 baud .*give baud= a rate that the port and the board"
    ):
        SerialLink(os.ttyname(port), baud=12345)
    os.close(own)
    os.close(port)


@pytest.mark.parametrize("port", ["/tmp", "/dev/null", "x" * 5000])
def test_serial_ports_that_are_none(port: str) -> None:
    with pytest.raises(LinkClosed, match="cannot be opened"):
        SerialLink(port)


@pytest.mark.parametrize("port", [None, 5, "a\0b", "\udc80", b"/dev/null"])
def test_serial_names_that_are_none(port: object) -> None:
    with pytest.raises(ArgumentError, match="the name of a serial port must be text"):
        SerialLink(port)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("sent", "error"), [(b"", LinkTimeout), (b"\x55\xaa" * 40, LinkCorrupt)])
def test_a_silent_port_is_told_apart_from_one_with_garbage(sent: bytes, error: type[LinkError]) -> None:
    own, port = os.openpty()
    tty.setraw(port)
    os.write(own, sent)
    stop = threading.Event()

    def chatter() -> None:
        while not stop.wait(0.01):
            os.write(own, sent)

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        with pytest.raises(error) as raised:
            Session(lambda: SerialLink(os.ttyname(port)), small.BUILD, timeout=0.05, retries=1)
    finally:
        stop.set()
        thread.join()
        os.close(own)
        os.close(port)
    hints = "check the baud rate" if sent else "check that the board is programmed and has power, that this is its port"
    assert hints in str(raised.value)


BUILD = small.BUILD


def recorder(path: Path, open_link: Callable[[], Link] | None = None) -> Recorder:
    make = open_link or (lambda: BoardLink(ProtocolBoard(BUILD)))
    return Recorder(path, make, BUILD, device="protocol", timeout=2.0, retries=3, remark="small")


def record(path: Path) -> np.ndarray:
    session = recorded_session(recorder(path))
    scores = train_and_predict(session)
    session.close()
    return scores


def test_recorded_session_replays(tmp_path: Path) -> None:
    recorded = record(tmp_path / "session.jsonl")
    tape = Replayer(tmp_path / "session.jsonl")
    assert (tape.heading.remark, tape.heading.build) == ("small", BUILD)
    np.testing.assert_array_equal(train_and_predict(recorded_session(tape)), recorded)


def test_replay_stops_at_the_first_byte_that_differs(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    record(path)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    written = b"".join(bytes.fromhex(event["to_board"]) for event in events if "to_board" in event)
    tape = Replayer(path)
    link = tape.open()
    link.write(written[:777])
    frame = len([content for content in written[:777].split(b"\0")[:-1] if content]) + 1
    byte = len(written[:777].rpartition(b"\0")[2])
    other = written[777] ^ 1
    message = f"byte {byte} of the host's frame {frame} is {other:#04x}, and was {written[777]:#04x}"
    with pytest.raises(RecordingError, match=message):
        link.write(bytes([other]))
    session = recorded_session(Replayer(path))
    with pytest.raises(RecordingError, match="byte"):
        session.load(small.model(seed=1))


def test_replay_ends_with_the_recording(tmp_path: Path) -> None:
    record(tmp_path / "session.jsonl")
    session = recorded_session(Replayer(tmp_path / "session.jsonl"))
    train_and_predict(session)
    with pytest.raises(RecordingError, match="the recording ends there"):
        session.counters()


def test_a_link_that_failed_fails_again(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"

    def refuse() -> Link:
        raise LinkClosed("/dev/nothing: gone")

    for open_again in (lambda: recorder(path, refuse), lambda: Replayer(path)):
        with pytest.raises(LinkClosed, match="/dev/nothing: gone"):
            recorded_session(open_again())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("something else\n", "line 1: not JSON"),
        ("", "line 1: presparse_recording must be 2, and is None"),
        ('{"presparse_recording": 1}\n', "line 1: presparse_recording must be 2, and is 1"),
        ("[]\n", "line 1: not a JSON object"),
        ('{"presparse_recording": 2}\n', "line 1: "),
    ],
)
def test_files_that_are_no_recordings(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text(text)
    with pytest.raises(RecordingError, match=message):
        Replayer(path)


@pytest.mark.parametrize(
    "line", ['{"to_board": "0x"}', '{"to_host": 5}', '{"failed": "SystemExit", "message": ""}', "{"]
)
def test_lines_that_are_no_events(tmp_path: Path, line: str) -> None:
    path = tmp_path / "session.jsonl"
    record(path)
    kept = path.read_text().splitlines()[:3]
    path.write_text("\n".join([*kept, line, ""]))
    with pytest.raises(RecordingError, match=r"session\.jsonl, line 4: "):
        train_and_predict(recorded_session(Replayer(path)))


@pytest.mark.parametrize(
    "waits", ['"timeout":Infinity', '"timeout":1e12', '"timeout":NaN', '"timeout":2.0,"retries":-1']
)
def test_headings_that_would_wait_for_ever(tmp_path: Path, waits: str) -> None:
    path = tmp_path / "session.jsonl"
    record(path)
    path.write_text(
        path.read_text().replace('"timeout":2.0,"retries":3' if "retries" in waits else '"timeout":2.0', waits)
    )
    with pytest.raises(RecordingError, match=r"session\.jsonl, line 1: (timeout|retries)"):
        Replayer(path)


def test_recordings_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        Replayer(tmp_path / "missing.jsonl")
    for path in ("/dev/zero", "a\0b", tmp_path, "x" * 300):
        with pytest.raises(RecordingError, match=r"cannot be read|longer than 1,048,576 characters"):
            Replayer(path)
    with pytest.raises(OutputError, match="missing"):
        recorder(tmp_path / "missing" / "session.jsonl")
