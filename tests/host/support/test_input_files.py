"""Files are read up to a limit; everything else is an OSError whose strerror says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from presparse.support import input_files
from tests.verification.fuzz.bounds import bounded


def test_what_a_file_holds(tmp_path: Path) -> None:
    for content in (b"", b"a", bytes(3 << 20)):
        (tmp_path / "file").write_bytes(content)
        assert input_files.read(tmp_path / "file", most=3 << 20) == content
    (tmp_path / "link").symlink_to("file")
    assert input_files.read(str(tmp_path / "link"))[:1] == b"\0"


def test_the_limit_itself_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a")
    with bounded(memory=64 << 20):
        assert input_files.read(tmp_path / "file", most=1 << 40) == b"a"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("large", "holds 11 bytes, and such a file at most 10"),
        (".", "is a folder"),
        ("pipe", "is a pipe or a device; write what comes out of it into a file first"),
        ("/dev/zero", "is a pipe or a device; write what comes out of it into a file first"),
        ("gone", "No such file or directory"),
        ("large/below", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("n" * 300, "File name too long"),
        ("n\0n", "no file has such a name: embedded null byte"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "large").write_bytes(bytes(11))
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for read in (input_files.checked, input_files.read):
        with pytest.raises(OSError) as error:  # noqa: PT011 (the reason is looked at)
            read(tmp_path / name, most=10)
        assert error.value.strerror == reason


@pytest.mark.parametrize("path", [None, 3, b"file", ["file"]])
def test_what_is_no_path(path: object) -> None:
    """A number would be an open file, and bytes are no names elsewhere."""
    with pytest.raises(OSError, match=f"{type(path).__name__} is no path"):
        input_files.checked(path)  # pyright: ignore[reportArgumentType]
