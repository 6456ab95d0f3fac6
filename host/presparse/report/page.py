"""One HTML page, complete in itself: figures, words and pictures in a single file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from presparse.report.style import png
from presparse.support import atomic_files


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A number worth reading first."""

    value: str
    label: str
    good: bool = True


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading, what to see, and a picture."""

    title: str
    text: str
    picture: Figure
    half: bool = False
    """Half of the page's width; two such sections stand side by side."""

    @property
    def wide(self) -> bool:
        """Drawn for a whole page: on a telephone its words would be too small, so that it scrolls there."""
        return self.picture.get_figwidth() > 9

    @property
    def data(self) -> str:
        """The picture as base64 PNG."""
        return base64.b64encode(png(self.picture)).decode()


def write(
    path: Path, *, title: str, summary: str, facts: Sequence[Fact], sections: Sequence[Section], details: dict[str, str]
) -> None:
    """Write the page; a page of that name is replaced. Raises OutputError if it cannot be written."""
    page = rendered("page.html", title=title, summary=summary, facts=facts, sections=sections, details=details)
    atomic_files.write(path, page)


def rendered(
    template: str, *, title: str, summary: str, facts: Sequence[Fact], details: dict[str, str], **more: object
) -> str:
    """The text of a page whose template, of those beside this file, extends `base.html`."""
    environment = Environment(
        loader=PackageLoader("presparse.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(title=title, summary=summary, facts=facts, details=details, **more)
