"""Where commands may write: never over what they read, nor over what somebody else made, unless they are told to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from presparse.errors import OutputError
from presparse.support import atomic_files

_BEGINNING = 1 << 16
"""Bytes of a file by which its kind is known."""


@dataclass(frozen=True)
class Kind:
    """What Presparse writes."""

    words: str
    marks: tuple[bytes, ...] = ()
    """One is in the beginning of every such file, and none in that of another; no marks: nothing tells whose it is."""

    def made(self, file: Path) -> bool:
        """The file is one of these, or is empty, so that nobody loses anything. Raises OSError."""
        with file.open("rb") as opened:
            beginning = opened.read(_BEGINNING)
        return not beginning or any(mark in beginning for mark in self.marks)


MODEL = Kind("model", (b'"presparse_model"',))
NETWORK = Kind("network description")
CLASSES = Kind("list of classes")
RECORDING = Kind("recording", (b'{"presparse_recording":',))
REPORT = Kind(
    "report",
    (
        b'<meta name="generator" content="Presparse">',
        b"<title>A sparse network that learns on its own hardware</title>",  # of version 0.2 and older
    ),
)
PICTURE = Kind("picture", (b"Software\0Presparse",))
JOURNAL = Kind("journal of an experiment", (b'{"trial": ',))
FIGURES = Kind("record of an experiment", (b'{\n "experiment": "',))
RESULTS = Kind("record of a simulation", (b'<testsuite name="presparse sim"',))
FOLDER = Kind("folder")
"""Who fills it checks what is there."""


def check_outputs(
    *outputs: tuple[Path | None, Kind], inputs: Sequence[str | Path | None] = (), force: bool = False
) -> None:
    """Raise OutputError before any work, unless all outputs can be written and nobody loses a file by that.

    `inputs` are never written over, however they are named; another file is replaced if it is of the output's own kind,
    or with `force`. An output or input that is None is none.
    """
    others = [(Path(each), "which is read") for each in inputs if each is not None]
    for path, kind in outputs:
        if path is None or (kind is FOLDER and os.path.isfile(path)):  # who fills a folder refuses a file
            continue
        if kind is FOLDER:
            _check_reachable(path)
        else:
            atomic_files.check_writable(path)
        for other, why in others:
            if _meet(path, other):
                raise OutputError(f"{path}: would change {other}, {why}; give another place to write")
        others.append((path, "which is written, too"))
        if path.is_file() and not force:  # pipes and devices lose nothing
            _check_own(path, kind)


def _check_own(path: Path, kind: Kind) -> None:
    try:
        own = kind.made(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be read ({error.strerror or error}); choose another name") from error
    if not own:
        what = f" and is no {kind.words} of Presparse" if kind.marks else ""
        raise OutputError(f"{path}: exists already{what}; choose another name, or replace it with --force")


def _check_reachable(folder: Path) -> None:
    try:
        with suppress(FileNotFoundError):
            folder.stat()
    except OSError as error:  # links in a circle, a name that is too long
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error


def _meet(one: Path, other: Path) -> bool:
    """They are the same file, by whatever names, or one is inside the other."""
    if os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other):
        return True
    first, second = Path(os.path.realpath(one)), Path(os.path.realpath(other))
    return first == second or first in second.parents or second in first.parents


def replayed(device: str) -> Path | None:
    """The recording that a device's name says is read, if there is one."""
    kind, _, file = device.partition(":")
    return Path(file) if kind == "replay" and file else None
