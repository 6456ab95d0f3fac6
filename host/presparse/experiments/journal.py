"""A journal (append-only log) of trials, one a line: an experiment that is cut off goes on where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path

from presparse.errors import ArgumentError
from presparse.experiments.experiment import Figures, Trial


class Journal:
    """A file of JSON lines, each {"trial": {...}, "figures": {...}}.

    Raises ArgumentError for a file that holds something else, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._figures: dict[str, Figures] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ArgumentError(f"{path}: cannot be used ({error}); give another folder") from error
        whole = content[: content.rfind("\n") + 1]  # the last line may have been cut off
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                entry = json.loads(line)
                self._figures[_key(entry["trial"])] = entry["figures"]
            except (ValueError, KeyError, TypeError) as error:
                raise ArgumentError(f"{path}: line {number} is no trial ({error}); give another folder") from error
        if whole != content:
            path.write_text(whole, encoding="utf-8")

    def __contains__(self, trial: Trial) -> bool:
        return _key(trial) in self._figures

    def __getitem__(self, trial: Trial) -> Figures:
        return self._figures[_key(trial)]

    def add(self, trial: Trial, figures: Figures) -> None:
        """Write a trial down; it survives whatever happens next."""
        self._figures[_key(trial)] = figures
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"trial": dict(trial), "figures": dict(figures)}) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _key(trial: Trial) -> str:
    return json.dumps(dict(trial), sort_keys=True)
