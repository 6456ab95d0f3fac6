"""The search's folder: what it was about, every trial, and networks and models that are ready to use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from presparse.errors import ModelError, OutputError
from presparse.model import Model
from presparse.model_search.found import Found
from presparse.support import atomic_files
from presparse.trials.trial import Trial


class Folder:
    """Where a search keeps what it does. Made if it is not there.

    Raises OutputError if it cannot be, or holds files that no search has made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir() and not self.journal.exists() and any(path.iterdir()):
            raise OutputError(f"{path}: holds files, and no search; give an empty folder, or a new one, with --output")
        for each in (path, self._trainings, path / "networks", path / "models"):
            try:
                each.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"{each}: cannot be made ({error.strerror or error}); give another folder with --output"
                ) from error

    @property
    def journal(self) -> Path:
        return self.path / "trials.jsonl"

    @property
    def _trainings(self) -> Path:
        return self.path / "trainings"

    def keep(self, trial: Trial, model: Model) -> None:
        """The model of a trial, for the next rung, or as the one that is found. Raises OutputError."""
        model.save(self._file(trial))

    def kept(self, trial: Trial) -> Model | None:
        """What `keep` kept; None if it is not there any more, or was harmed: then it can be trained again."""
        try:
            return Model.load(self._file(trial))
        except ModelError:
            return None

    def describe(self, about: Mapping[str, Any]) -> None:
        """`search.toml`, for people. Raises OutputError."""
        import tomlkit

        atomic_files.write(self.path / "search.toml", tomlkit.dumps(about))

    def write(self, found: Found) -> None:
        """`front.json`, and network and model of every entry of the front; those of a front before this one go.

        Raises OutputError.
        """
        for name in self._named() - {entry.name for entry in found.front}:
            for file in (self.path / "networks" / f"{name}.toml", self.path / "models" / f"{name}.safetensors"):
                file.unlink(missing_ok=True)
        for entry in found.front:
            entry.network.save(self.path / "networks" / f"{entry.name}.toml")
            entry.model.save(self.path / "models" / f"{entry.name}.safetensors")
        atomic_files.write(self.path / "front.json", json.dumps(found.as_json(), indent=1) + "\n")

    def _named(self) -> set[str]:
        """The front that is written, if there is one."""
        try:
            written = json.loads((self.path / "front.json").read_bytes())
            return {str(entry["name"]) for entry in written["front"]}
        except (OSError, ValueError, KeyError, TypeError):
            return set()

    def _file(self, trial: Trial) -> Path:
        what = f"split{trial['split']}" if "split" in trial else f"epochs{trial['epochs']}"
        return self._trainings / f"{trial['candidate']}-{what}.safetensors"
