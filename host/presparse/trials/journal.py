"""A journal (append-only log) of trials, one a line: work that is cut off goes on where it was."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError

from presparse.contract.description import shortened
from presparse.errors import ArgumentError, OutputError
from presparse.support.folder_lock import folder_lock
from presparse.trials.trial import Figures, Trial, key

_MEND = "make room, then the same command goes on where it was"
_LOG = logging.getLogger(__name__)
_BEGINNINGS = (b'{"trial": ', b'{"head": ')
"""Of every line."""


class _Line(BaseModel):
    trial: dict[str, JsonValue]
    figures: dict[str, float]


class _Head(BaseModel):
    head: dict[str, JsonValue]


class Journal:
    """A file of JSON lines, each {"trial": {...}, "figures": {...}}; the first may be a head, {"head": {...}}.

    It is only ever appended to. A line that a crash or a full disk has torn is left behind, and its trial made again.
    """

    def __init__(self, path: Path, head: Mapping[str, Any] | None = None) -> None:
        """Read what is there, for who only looks; who adds has opened it with `alone`.

        `head` is what the trials belong to, as JSON has it; it becomes the first line of a new journal.

        Raises ArgumentError for a file that holds something else, that belongs to something else, or cannot be written.
        """
        self.path = path
        self._figures: dict[str, Figures] = {}
        _touch(path)
        lines = path.read_bytes().splitlines()
        found: dict[str, Any] | None = None
        torn = []
        for number, line in enumerate(lines, start=1):
            entry = _read(line)
            if isinstance(entry, _Line):
                self._figures[key(entry.trial)] = entry.figures
            elif isinstance(entry, _Head):
                found = entry.head
            elif line:
                torn.append(number)
        for number in torn:
            line = lines[number - 1]
            begun = any(line.startswith(beginning[: len(line)]) for beginning in _BEGINNINGS)
            if not self._figures and found is None and not begun:
                raise ArgumentError(f"{path}: line {number} is no trial, nor is any other; give another folder")
            _LOG.warning("%s: line %d is torn; its trial is made again", path, number)
        wanted = None if head is None else json.loads(json.dumps(dict(head)))
        if wanted is not None and found is None and not self._figures:
            self._append({"head": wanted})
        elif found != wanted:
            raise ArgumentError(
                f"{path}: belongs to something else: {_difference(found, wanted)}; go on with what it was, or give "
                "another folder"
            )

    @classmethod
    @contextmanager
    def alone(cls, path: Path, head: Mapping[str, Any] | None = None) -> Iterator[Journal]:
        """The journal, as long as the block runs this process's alone.

        Raises ArgumentError if another process has it, and as the constructor.
        """
        _touch(path)
        with ExitStack() as held:
            try:
                held.enter_context(folder_lock(path))
            except BlockingIOError as error:
                raise ArgumentError(
                    f"{path}: another process is adding to it; wait until that has ended, or give another folder"
                ) from error
            yield cls(path, head)

    def __contains__(self, trial: Trial) -> bool:
        return key(trial) in self._figures

    def __getitem__(self, trial: Trial) -> Figures:
        return self._figures[key(trial)]

    def add(self, trial: Trial, figures: Figures) -> None:
        """Write a trial down; it survives whatever happens next. Raises OutputError if the disk cannot take it."""
        figures = {name: float(figure) for name, figure in figures.items()}  # as they are read again
        self._figures[key(trial)] = figures
        self._append({"trial": dict(trial), "figures": figures})

    def _append(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry).encode() + b"\n"
        try:
            with self.path.open("ab+", buffering=0) as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
                whole = file.read(1) in (b"", b"\n")
                written = file.write(line if whole else b"\n" + line)
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror}); {_MEND}") from error
        if written < len(line):  # so a disk that is nearly full says
            raise OutputError(f"{self.path}: cannot be written (no space is left); {_MEND}")


def _touch(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.open("rb").close()
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be used ({error.strerror}); give another folder") from error


def _read(line: bytes) -> _Line | _Head | None:
    for kind in (_Line, _Head):
        try:
            return kind.model_validate_json(line)
        except ValidationError:
            continue
    return None


def _difference(there: Mapping[str, Any] | None, here: Mapping[str, Any] | None) -> str:
    """In words; what is nested is named with points, such as versions.torch."""
    if there is None or here is None:
        return (
            f"{'it has no head' if there is None else 'it has a head'}, and here there is {'one' if here else 'none'}"
        )
    ours, theirs = _flat(here), _flat(there)
    return ", ".join(
        f"{name} was {_shown(theirs, name)} and is {_shown(ours, name)}"
        for name in dict.fromkeys((*theirs, *ours))
        if theirs.get(name, ...) != ours.get(name, ...)
    )


def _flat(head: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in head.items():
        flat |= _flat(value, f"{within}{name}.") if isinstance(value, dict) else {f"{within}{name}": value}
    return flat


def _shown(flat: Mapping[str, Any], name: str) -> str:
    return shortened(flat[name]) if name in flat else "not there"
