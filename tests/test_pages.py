"""Pages for people: every relative link leads somewhere, and glossary and architecture name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (ROOT, ROOT / "docs", ROOT / "docs/decisions", ROOT / "docs/api", ROOT / "examples")
    for path in folder.glob("*.md")
)
HOMES = {
    "host": ROOT / "host/presparse",
    "hw": ROOT / "hw/presparse_hw",
    "boards": ROOT / "boards/presparse_boards",
    "sim": ROOT / "sim/presparse_sim",
}


def anchors(page: Path) -> set[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.is_file(), f"{page}: {target}"
        assert not anchor or anchor in anchors(there), f"{page}: {target}"


def test_the_glossary_names_files_that_exist() -> None:
    rows = re.findall(r"^\|.*\|.*\|(.*)\|$", (ROOT / "docs/glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = 0
    for where in rows:
        home = ROOT
        for word, path in re.findall(r"\b(host|hw|boards|sim)(?= `)|`([^`]+)`", where):
            home = HOMES[word] if word else home
            if path:
                named += 1
                assert (home / path).exists() or (ROOT / path).exists(), where
    assert named > 50


def test_the_architecture_names_files_that_exist() -> None:
    files = {path.name for home in HOMES.values() for path in home.rglob("*.py")}
    files |= {path.name for path in (ROOT / "tests").rglob("*.py")}
    named = re.findall(r"`([\w/]+\.py)`", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    assert len(named) > 30
    assert [name for name in named if Path(name).name not in files] == []
