"""Folders of this user's alone, gone afterwards, and typed where there are none."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from presparse.errors import CacheError, LinkClosed
from presparse.support.folder_lock import folder_lock
from presparse.support.scratch import scratch_folder


def test_a_folder_for_this_user_alone_goes_afterwards() -> None:
    with scratch_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert not folder.exists()


def test_no_place_and_no_room_are_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = r"temporary files cannot be written \(.*{}.*\); set the environment variable TMPDIR to a folder with room"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no"))
    with pytest.raises(CacheError, match=message.format("No such file")), scratch_folder():
        pytest.fail("there is no such folder")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(CacheError, match=message.format("No space left")), scratch_folder():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(LinkClosed, match="unplugged"), scratch_folder():
        raise LinkClosed("unplugged")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_for_temporary_files_that_all_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(0o1777)
    with scratch_folder():
        pass
    tmp_path.chmod(0o777)
    with (
        pytest.raises(CacheError, match=r"every user may replace it.* TMPDIR to a folder"),
        scratch_folder(),
    ):
        pytest.fail("another user may have put another folder in its place")


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, fresh, another = (tmp_path / f"presparse-scratch-{name}" for name in ("left", "fresh", "another"))
    for folder in (left, fresh, another):
        folder.mkdir()
        (folder / "top.il").touch()
    with scratch_folder() as used, folder_lock(another):
        for folder in (left, another, used):
            os.utime(folder, (1, 1))
        with scratch_folder():
            assert {path for path in tmp_path.iterdir() if path != used} >= {fresh, another}
            assert used.exists()
            assert not left.exists()
