"""A folder that several processes share, some of which are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from presparse.errors import CacheError
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
    monkeypatch.delenv("PRESPARSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Cache("things").root == tmp_path / "xdg" / "presparse" / "things"
