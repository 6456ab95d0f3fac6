"""A folder that several processes share, some of which are killed."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from presparse.errors import CacheError, PresparseError
from presparse.support import cache as cache_module
from presparse.support.cache import Cache

PROCESS = """
import sys, time
from pathlib import Path
from presparse.support.cache import Cache

def make(folder):
    with open(sys.argv[2], "a") as log:
        print("made", file=log)
    (folder / "half").write_text("half")
    print("making", flush=True)
    time.sleep(float(sys.argv[3]))
    (folder / "half").rename(folder / "whole")

entry = Cache("things", Path(sys.argv[1])).fetch("key", make, waiting=lambda: print("waiting", flush=True))
assert [p.name for p in entry.iterdir() if p.suffix != ".json"] == ["whole"]
"""


def _process(root: Path, log: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROCESS, str(root), str(log), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _make(folder: Path) -> None:
    (folder / "a").write_text("first")
    (folder / "b").write_text("second")


def _never(folder: Path) -> None:
    raise AssertionError("the entry was intact")


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    entry = Cache("things", tmp_path).fetch("key", _make)
    assert (entry / "b").read_text() == "second"
    assert Cache("things", tmp_path).fetch("key", _never) == entry


def test_processes_at_once_make_one_entry(tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes = [_process(tmp_path, log, 0.5) for _ in range(3)]
    said = [process.communicate(timeout=30)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert log.read_text() == "made\n"
    assert sum("making" in text for text in said) == 1


def test_a_killed_process_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    process = _process(tmp_path, tmp_path / "log", 60)
    assert process.stdout is not None
    assert process.stdout.readline() == "making\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    entry = Cache("things", tmp_path).fetch("key", _make)
    assert (entry / "a").read_text() == "first"
    assert not list(tmp_path.rglob("half"))


def test_leftovers_of_other_entries_go_too_and_what_is_being_made_stays(tmp_path: Path) -> None:
    process = _process(tmp_path, tmp_path / "log", 60)
    assert process.stdout is not None
    assert process.stdout.readline() == "making\n"
    Cache("things", tmp_path).fetch("other", _make)
    assert len(list(tmp_path.rglob("half"))) == 1
    process.kill()
    process.wait()
    process.stdout.close()
    Cache("things", tmp_path).fetch("third", _make)
    assert not list(tmp_path.rglob("half"))


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        _make(folder)
        raise RuntimeError("compiler")

    with pytest.raises(RuntimeError, match="compiler"):
        Cache("things", tmp_path).fetch("key", fail)
    assert [path.name for path in (tmp_path / "things").iterdir()] == ["key.lock"]


@pytest.mark.parametrize(
    ("file", "content"),
    [("a", "fErst"), ("b", ""), ("b", None), ("digests.json", None), ("digests.json", "{"), ("digests.json", "[1]")],
)
def test_a_damaged_entry_is_made_again(tmp_path: Path, file: str, content: str | None) -> None:
    entry = Cache("things", tmp_path).fetch("key", _make)
    if content is None:
        (entry / file).unlink()
    else:
        (entry / file).write_text(content)
    Cache("things", tmp_path).fetch("key", _make)
    assert [(entry / name).read_text() for name in "ab"] == ["first", "second"]
    Cache("things", tmp_path).fetch("key", _never)


def test_what_nobody_made_is_not_in_an_entry(tmp_path: Path) -> None:
    entry = Cache("things", tmp_path).fetch("key", _make)
    (entry / "planted.so").write_text("")
    Cache("things", tmp_path).fetch("key", _make)
    assert {path.name for path in entry.iterdir()} == {"a", "b", "digests.json"}


@pytest.mark.parametrize("where", [".", "things", "things/key", "things/key/a", "things/key/digests.json"])
@pytest.mark.parametrize("mode", [0o777, 0o702, 0o720])
def test_what_others_may_write_is_refused(tmp_path: Path, where: str, mode: int) -> None:
    root = tmp_path / "cache"
    Cache("things", root).fetch("key", _make)
    (root / where).chmod(mode)
    with pytest.raises(CacheError, match=rf"other users may write there \(mode {mode:o}\).* chmod -R go-w "):
        Cache("things", root).fetch("key", _never)
    (root / where).chmod(0o700)
    Cache("things", root).fetch("key", _never)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give files away")
@pytest.mark.parametrize("where", [".", "things", "things/key", "things/key/a", "things/key/digests.json"])
def test_what_belongs_to_another_user_is_refused(tmp_path: Path, where: str) -> None:
    root = tmp_path / "cache"
    Cache("things", root).fetch("key", _make)
    os.chown(root / where, 65534, 65534)
    with pytest.raises(CacheError, match=r"belongs to another user \(id 65534\), .* PRESPARSE_CACHE to a folder"):
        Cache("things", root).fetch("key", _never)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give files away")
@pytest.mark.parametrize("where", [".", "things", "things/key", "things/key/a"])
def test_another_users_links_are_not_followed(tmp_path: Path, where: str) -> None:
    root, own = tmp_path / "cache", tmp_path / "own"
    Cache("things", root).fetch("key", _make)
    (root / where).rename(own)
    (root / where).symlink_to(own)
    Cache("things", root).fetch("key", _never)
    os.chown(root / where, 65534, 65534, follow_symlinks=False)
    with pytest.raises(CacheError, match="belongs to another user"):
        Cache("things", root).fetch("key", _never)


def test_a_folder_that_all_may_rename_is_refused(tmp_path: Path) -> None:
    parent = tmp_path / "shared"
    parent.mkdir()
    Cache("things", parent / "cache").fetch("key", _make)
    parent.chmod(0o1777)  # as /tmp
    Cache("things", parent / "cache").fetch("key", _never)
    parent.chmod(0o777)
    with pytest.raises(CacheError, match=rf"every user may replace it, since all may write to {parent} \(mode 777\)"):
        Cache("things", parent / "cache").fetch("key", _never)


def test_a_generous_umask_opens_nothing(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        entry = Cache("things", tmp_path / "cache").fetch("key", _make)
        assert Cache("things", tmp_path / "cache").fetch("key", _never) == entry
    finally:
        os.umask(before)
    assert not [path for path in entry.parent.parent.rglob("*") if path.stat().st_mode & 0o022]


def _disk_full(folder: Path) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _compiler_on_a_full_disk(folder: Path) -> None:
    raise PresparseError("g++ ended with status 1: cannot close top.o: No space left on device")


def _large(folder: Path) -> None:
    (folder / "large").write_bytes(bytes(100_000))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_disk_full, "No space left on device"),
        (_compiler_on_a_full_disk, "No space left on device"),
        (_large, "File too large"),
    ],
)
def test_a_full_disk(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(CacheError, match=rf"things: nothing can be kept in this folder \({reason}\); set .* PRESP"):
            Cache("things", tmp_path).fetch("key", make)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in (tmp_path / "things").iterdir()] == ["key.lock"]


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"file/things: .*\(Not a directory\); set .* PRESPARSE_CACHE to a folder"):
        Cache("things", tmp_path / "file").fetch("key", _make)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that every user may enter; tmp_path is its owner's alone."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """Nobody may write to `folder`: root, whom permissions do not stop, becomes another user meanwhile."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)


def test_a_read_only_folder() -> None:
    with (
        _folder() as root,
        _read_only(root),
        pytest.raises(CacheError, match=f"{root}/things: .*Permission denied"),
    ):
        Cache("things", root).fetch("key", _make)


def test_a_complete_entry_in_a_read_only_folder() -> None:
    with _folder() as root:
        entry = Cache("things", root).fetch("key", _make)
        with _read_only(root):
            assert Cache("things", root).fetch("key", _never) == entry


def test_the_least_recently_used_entries_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_KEPT_ENTRIES", 2)
    cache = Cache("things", tmp_path)
    first, second = cache.fetch("first", _make), cache.fetch("second", _make)
    os.utime(second, (1, 1))
    third = cache.fetch("third", _make)
    assert [path.exists() for path in (first, second, third)] == [True, False, True]


def test_the_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESPARSE_CACHE", str(tmp_path))
    assert Cache("things").root == tmp_path / "things"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRESPARSE_CACHE", "relative/cache")  # compilers run in other folders
    assert Cache("things").root == tmp_path / "relative" / "cache" / "things"
    monkeypatch.setenv("PRESPARSE_CACHE", "~nosuchuser/cache")
    with pytest.raises(CacheError, match=r"~nosuchuser/cache: no folder for the cache \(.*\); set .* PRESPARSE_CACHE"):
        Cache("things")
    monkeypatch.delenv("PRESPARSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Cache("things").root == tmp_path / "xdg" / "presparse" / "things"
