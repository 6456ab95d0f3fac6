"""A journal (append-only log) of trials, one a line: an experiment that is cut off goes on where it was."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from pydantic import BaseModel, ValidationError

from presparse.errors import ArgumentError, OutputError
from presparse.experiments.experiment import Figures, Trial

_MEND = "make room, then the same command goes on where it was"
_LOG = logging.getLogger(__name__)
_BEGIN = b'{"trial": '
"""Of every line."""


class _Line(BaseModel):
    trial: dict[str, str | int | float | bool]
    figures: dict[str, float]


class Journal:
    """A file of JSON lines, each {"trial": {...}, "figures": {...}}.

    It is only ever appended to. A line that a crash or a full disk has torn is left behind, and its trial made again.
    Raises ArgumentError for a file that holds something else, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._figures: dict[str, Figures] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise ArgumentError(f"{path}: cannot be used ({error.strerror}); give another folder") from error
        torn = []
        for number, line in enumerate(lines, start=1):
            try:
                entry = _Line.model_validate_json(line)
            except ValidationError:
                torn += [number] if line else []
            else:
                self._figures[_key(entry.trial)] = entry.figures
        for number in torn:
            if not self._figures and not lines[number - 1].startswith(_BEGIN[: len(lines[number - 1])]):
                raise ArgumentError(f"{path}: line {number} is no trial, nor is any other; give another folder")
            _LOG.warning("%s: line %d is torn; its trial is made again", path, number)

    def __contains__(self, trial: Trial) -> bool:
        return _key(trial) in self._figures

    def __getitem__(self, trial: Trial) -> Figures:
        return self._figures[_key(trial)]

    def add(self, trial: Trial, figures: Figures) -> None:
        """Write a trial down; it survives whatever happens next. Raises OutputError if the disk cannot take it."""
        self._figures[_key(trial)] = figures
        line = json.dumps({"trial": dict(trial), "figures": dict(figures)}).encode() + b"\n"
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


def _key(trial: Trial) -> str:
    return json.dumps(dict(trial), sort_keys=True)
