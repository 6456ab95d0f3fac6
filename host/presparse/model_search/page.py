"""The search's page: the front to hover over and to click, and how to go on with what is chosen."""

from __future__ import annotations

import shlex
from pathlib import Path

from presparse.model_search.found import Entry, Found
from presparse.model_search.picture import front, svg
from presparse.report.page import Fact, rendered
from presparse.support import atomic_files


def write(path: Path, found: Found, *, data: str, board: str, mode: str, details: dict[str, str]) -> None:
    """Write the page; one of that name is replaced. Raises OutputError."""
    page = rendered(
        "search.html",
        title=f"Networks for {board}",
        summary=(
            f"{len(found.tried):,} networks were tried on {data}, all of a size that fits {board}, and "
            f"{'trained bit for bit as it learns' if mode == 'train' else 'trained in PyTorch'}. The front are those "
            "of which no other was expected to be both faster and more accurate; accuracies here were measured "
            "afterwards."
        ),
        facts=_facts(found),
        picture=svg(front(found, board, width=11.0)),
        entries=[
            {"group": f"{group}-{number}", "entry": entry, "commands": _commands(entry, data, board, mode)}
            for group, entries in (("net", found.front), ("shipped", found.references))
            for number, entry in enumerate(entries)
        ],
        details=details,
    )
    atomic_files.write(path, page)


def _facts(found: Found) -> list[Fact]:
    facts = [Fact(value=f"{len(found.front)}", label="networks on the front")]
    if found.front:
        accurate = max(found.front, key=lambda entry: entry.accuracy)
        fast = max(found.front, key=lambda entry: entry.speed)
        facts += [
            Fact(
                value=f"{accurate.accuracy:.1%}",
                label=f"right answers of the most accurate, {accurate.name}, at {accurate.speed:,.0f} samples/s",
            ),
            Fact(value=f"{fast.speed:,.0f}", label=f"samples/s of the fastest, {fast.name}, {fast.accuracy:.1%} right"),
        ]
    facts += _beside_shipped(found)
    return facts


def _beside_shipped(found: Found) -> list[Fact]:
    """How much faster the front is where a network that ships with Presparse is as accurate."""
    facts = []
    for shipped in found.references:
        as_good = [entry for entry in found.front if entry.accuracy >= shipped.accuracy]
        if as_good:
            fastest = max(as_good, key=lambda entry: entry.speed)
            facts.append(
                Fact(
                    value=f"{fastest.speed / shipped.speed:.2f} ×",
                    label=f"as fast as {shipped.name}, and at least as accurate: {fastest.name}",
                    good=fastest.speed >= shipped.speed,
                )
            )
    return facts


def _commands(entry: Entry, data: str, board: str, mode: str) -> list[str]:
    if entry.shipped:
        return [f"presparse build {entry.name} --board {board} --mode {mode}"]
    return [
        f"presparse build networks/{entry.name}.toml --board {board} --mode {mode}",
        f"presparse evaluate models/{entry.name}.safetensors {shlex.quote(data)}",
    ]
