"""The one writer: whole or not at all, links followed, modes kept, whatever stands in the way is a typed error."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from presparse.errors import OutputError
from presparse.support import atomic_files


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    atomic_files.write(path, "old")
    with pytest.raises(OutputError, match="surrogates not allowed"):
        atomic_files.write(path, "\ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folders_and_missing_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        atomic_files.write(tmp_path, "new")
    with pytest.raises(OutputError, match="there is no folder"):
        atomic_files.write(tmp_path / "no" / "a.txt", "new")


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    longest = tmp_path / ("n" * 255)
    atomic_files.write(longest, b"content")
    assert longest.read_bytes() == b"content"
    with pytest.raises(OutputError, match="the name is too long for a file"):
        atomic_files.check_writable(tmp_path / ("n" * 256))


def test_links_are_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    atomic_files.write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_modes_are_kept_and_new_ones_are_the_users(tmp_path: Path) -> None:
    private, fresh = tmp_path / "private", tmp_path / "fresh"
    private.write_text("old")
    private.chmod(0o600)
    atomic_files.write(private, "new")
    assert private.stat().st_mode & 0o777 == 0o600
    before = os.umask(0o027)
    try:
        atomic_files.write(fresh, "new")
    finally:
        os.umask(before)
    assert fresh.stat().st_mode & 0o777 == 0o640


def test_a_protected_file_is_refused_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine"
    path.write_text("keep")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everything
    with pytest.raises(OutputError, match=r"mine: is write-protected; choose another file, or allow it"):
        atomic_files.write(path, "new")
    assert path.read_text() == "keep"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_file_stays_his(tmp_path: Path) -> None:
    path = tmp_path / "his"
    path.write_text("old")
    os.chown(path, 1234, 1235)
    path.chmod(0o640)
    atomic_files.write(path, "new")
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777, path.read_text()) == (1234, 1235, 0o640, "new")


def test_a_secret_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even while it is written."""
    path, modes = tmp_path / "secret", []
    path.write_text("old")
    path.chmod(0o600)
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (modes.append(os.fstat(handle).st_mode & 0o777), fsync(handle)))
    atomic_files.write(path, "new")
    assert modes == [0o600]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    atomic_files.write(pipe, b"through")
    reader.join(10)
    assert read == [b"through"]
    assert pipe.is_fifo()
