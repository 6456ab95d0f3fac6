"""Place-and-route of what a search found: real speeds instead of estimated ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from presparse import plugins
from presparse.errors import ArgumentError
from presparse.messages.bundle import Manifest, Project, Step
from presparse.model_search.found import Found
from presparse.model_search.search import Task


def routed(
    found: Found, task: Task, folder: Path, *, most: int, weight: float | None, told: Callable[[str], object]
) -> Found:
    """The same with a bundle in `folder` for each of so many networks of the front, those first that `Found.best` would
    take, and with the speeds that they reached.

    Raises what `presparse build` raises, and ArgumentError for a board that open tools make no bitstreams for.
    """
    build = plugins.builder("build")
    manifests: dict[str, Manifest] = {}
    for entry in found.in_order(weight=weight, **task.objectives.at_least)[:most]:

        def show(step: Step, name: str = entry.name) -> None:
            told(": ".join(filter(None, (name, step.name, step.found))))

        made: Manifest | Project = build(
            entry.network,
            task.board,
            folder=folder / f"{entry.name}.bundle",
            mode=task.mode,
            store=task.store,
            progress=show,
        )
        if isinstance(made, Project):
            raise ArgumentError(
                f"{task.board} needs {made.tool} for its bitstreams, so that none can be placed and routed here; leave "
                "--route out"
            )
        manifests[entry.name] = made
    front = [replace(entry, routed=manifests.get(entry.name)) for entry in found.front]
    return replace(found, front=sorted(front, key=lambda entry: entry.speed))
