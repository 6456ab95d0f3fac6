"""Runs the command line in this process."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from presparse.cli import main
from presparse.terminal import output


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def figures(self) -> dict[str, Any]:
        """The JSON object on stdout's last line."""
        return json.loads(self.out.splitlines()[-1])


class Shell:
    """`shell("new", "a.toml", ...)` runs `presparse new a.toml ...`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        monkeypatch.setattr(output, "_SILENT_SECONDS", (3600.0,))  # however slow the machine, no line comes in between

    def __call__(self, *arguments: object) -> Ran:
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "argv", ["presparse", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        code = exit_.value.code
        captured = self._capsys.readouterr()
        return Ran(code if isinstance(code, int) else 0, captured.out, captured.err)
