"""Folders: whole or not at all, in the place of nothing but Presparse's own, and healed after a kill at any moment."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from presparse.errors import OutputError
from presparse.support import atomic_folders
from presparse.support.atomic_folders import check_folder, write_folder

FILES = {"manifest": "new", "b": b"new", "c": "ü"}


def _owned(folder: Path) -> Collection[str]:
    return ("manifest", "a", "b", "c") if (folder / "manifest").is_file() else ()


def _write(folder: Path, files: dict[str, str | bytes] = FILES) -> None:
    check_folder(folder, "a thing", _owned, files)
    write_folder(folder, files, "a thing", _owned)


def _content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture(params=["exchanged", "moved"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Linux does it, and as other systems do."""
    if request.param == "moved":
        monkeypatch.setattr(atomic_folders, "_exchanged", lambda one, other: False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that was written before."""
    folder = tmp_path / "folder"
    _write(folder, {"manifest": "old", "a": "old", "b": b"old"})
    return folder


@pytest.mark.usefixtures("either_way")
def test_a_folder_appears_whole_and_replaces_one(folder: Path) -> None:
    _write(folder)
    assert _content(folder) == {"manifest": "new", "b": "new", "c": "ü"}
    assert os.listdir(folder.parent) == ["folder"]


def test_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _write(tmp_path / "empty")
    assert len(_content(tmp_path / "empty")) == 3


@pytest.mark.parametrize(
    ("change", "stranger"),
    [
        (lambda folder: (folder / "notes.txt").write_text("a"), "notes.txt"),
        (lambda folder: (folder / ".git").mkdir(), ".git"),
        (lambda folder: (folder / "c").mkdir(), "c"),
        (lambda folder: (folder / "c").symlink_to(folder / "a"), "c"),
        (lambda folder: os.mkfifo(folder / "c"), "c"),
        (lambda folder: (folder / "manifest").unlink(), "a"),
    ],
)
@pytest.mark.usefixtures("either_way")
def test_what_somebody_else_put_there_stays(folder: Path, change: Callable[[Path], object], stranger: str) -> None:
    """Also if it comes at the very last moment: when the folder has been replaced already."""
    change(folder)
    before = sorted(os.listdir(folder))
    message = rf"folder: holds {stranger}, which is not of a thing; choose another --output, or move it away"
    with pytest.raises(OutputError, match=message):
        check_folder(folder, "a thing", _owned, FILES)
    with pytest.raises(OutputError, match=message):
        write_folder(folder, FILES, "a thing", _owned)
    looks = iter([True])
    with pytest.MonkeyPatch.context() as patch:
        look = atomic_folders._check_replaceable
        patch.setattr(atomic_folders, "_check_replaceable", lambda *given: None if next(looks, False) else look(*given))
        with pytest.raises(OutputError, match=message):
            write_folder(folder, FILES, "a thing", _owned)
    assert sorted(os.listdir(folder)) == before
    assert (folder / "a").read_text() == "old"
    assert os.listdir(folder.parent) == ["folder"]


def test_files_and_the_working_folder_are_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match="a: is a file; a thing is a folder: choose another --output"):
        _write(folder / "a")
    os.mkfifo(folder.parent / "pipe")
    with pytest.raises(OutputError, match="pipe: is a file; a thing is a folder"):
        _write(folder.parent / "pipe")
    monkeypatch.chdir(folder)
    with pytest.raises(OutputError, match=r"\.: is the working folder, and a thing would take its place"):
        _write(Path())


def test_links_are_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "to-come").symlink_to("new")
    (tmp_path / "circle").symlink_to("circle")
    _write(tmp_path / "link")
    _write(tmp_path / "to-come")
    assert (tmp_path / "link").is_symlink()
    assert _content(folder) == _content(tmp_path / "new") == {"manifest": "new", "b": "new", "c": "ü"}
    with pytest.raises(OutputError, match=r"circle: the folder cannot be written there \(.*; choose another place"):
        _write(tmp_path / "circle")


def test_modes_are_kept_and_new_ones_are_the_users(folder: Path) -> None:
    folder.chmod(0o750)
    (folder / "b").chmod(0o600)
    before = os.umask(0o027)
    try:
        _write(folder)
        _write(folder.with_name("fresh"))
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o750
    assert (folder / "b").stat().st_mode & 0o777 == 0o600
    assert folder.with_name("fresh").stat().st_mode & 0o777 == 0o750
    assert (folder.with_name("fresh") / "b").stat().st_mode & 0o777 == 0o640


def test_what_cannot_be_written_is_said_before_any_work(folder: Path, tmp_path: Path) -> None:
    for place, files, message in (
        (tmp_path / "no" / "folder", FILES, r"no/folder: there is no folder .*no; make it, or choose another"),
        (
            tmp_path / ("n" * 256),
            FILES,
            f"^{'n' * 256}: the name, or the path to it, is too long for this disk; choose a shorter one",
        ),
        (tmp_path / "ü" / ("ü" * 128), FILES, "there is no folder"),
        (tmp_path / ("ü" * 128), FILES, f"^{'ü' * 128}: the name"),
        (folder, {**FILES, "n" * 256: ""}, f"^{'n' * 256}: the name"),
        (tmp_path.joinpath(*["n" * 250] * 20), FILES, f"^{'n' * 250}: the name, or the path"),
    ):
        with pytest.raises(OutputError, match=message):
            check_folder(place, "a thing", _owned, files)
    assert _content(folder) == {"manifest": "old", "a": "old", "b": "old"}
    assert os.listdir(tmp_path) == ["folder"]


def test_a_folder_that_cannot_be_written_stays_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"folder: the folder cannot be written there \(No space left on device\)"):
        _write(folder)
    assert _content(folder) == {"manifest": "old", "a": "old", "b": "old"}
    assert os.listdir(folder.parent) == ["folder"]


def test_where_names_cannot_be_exchanged_the_old_folder_comes_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, target: Path) -> Path:
        if target == folder and path.parent.name == "made":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.rename(path, target)
        return target

    monkeypatch.setattr(atomic_folders, "_exchanged", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OutputError, match="No space left on device"):
        _write(folder)
    assert _content(folder) == {"manifest": "old", "a": "old", "b": "old"}
    assert os.listdir(folder.parent) == ["folder"]


def _killed(folder: Path, moment: int, way: str) -> int:
    """Exit status of a process that writes `folder`, and is killed before its call number `moment` that changes the
    disk."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    calls = iter(range(moment))

    def killing(call: Callable[..., object]) -> Callable[..., object]:
        def counted(*given: object, **named: object) -> object:
            if next(calls, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*given, **named)

        return counted

    for owner, names in ((Path, ("rename", "mkdir", "open")), (os, ("rmdir", "unlink", "mkdir"))):
        for name in names:
            setattr(owner, name, killing(getattr(owner, name)))
    exchanged = killing(atomic_folders._exchanged) if way == "exchanged" else lambda one, other: False
    atomic_folders._exchanged = exchanged  # pyright: ignore[reportAttributeAccessIssue]
    _write(folder)
    os._exit(0)


def kill_at_every_moment(place: Path, way: str) -> None:
    """What has the name is the old folder or the new one, at the latest when another is written beside it."""
    statuses, lost = [-signal.SIGKILL], 0
    while statuses[-1]:
        here = place / str(len(statuses))
        here.mkdir()
        _write(here / "folder", {"manifest": "old", "a": "old", "b": b"old"})
        statuses.append(_killed(here / "folder", len(statuses), way))
        lost += not (here / "folder").exists()
        _write(here / "other")
        content = _content(here / "folder")
        assert content in ({"manifest": "old", "a": "old", "b": "old"}, {"manifest": "new", "b": "new", "c": "ü"})
        assert sorted(os.listdir(here)) == ["folder", "other"]
    assert set(statuses[:-1]) == {-signal.SIGKILL}
    assert len(statuses) > 15
    assert (lost > 0) == (way == "moved")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["exchanged", "moved"])
def test_a_kill_at_any_moment_is_healed(tmp_path: Path, way: str) -> None:
    """In a process of its own, which has but one thread: then it may fork."""
    code = f"from {__name__} import *; kill_at_every_moment(Path({str(tmp_path)!r}), {way!r})"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_leftover_with_something_of_somebody_else_stays(folder: Path) -> None:
    left = folder.parent / ".presparse-folder-abcdefgh" / "old" / "folder"
    left.mkdir(parents=True)
    (left / "notes.txt").write_text("mine")
    _write(folder)
    assert (left / "notes.txt").read_text() == "mine"


def test_another_writer_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_folders, "_LOCK_SECONDS", 0.1)
    handle = os.open(folder.parent, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(OutputError, match="folder: another process is writing a folder beside it; try again"):
        _write(folder)
    os.close(handle)
    _write(folder)
    assert _content(folder)["manifest"] == "new"
