"""What `make kills` kills: programs that train, save, build, compile, experiment and search, and what must hold
afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from presparse.contract.network import Network
from presparse.errors import ArgumentError, ModelError
from presparse.messages.bundle import BundleError, Manifest
from presparse.model import Model
from presparse.trials.journal import Journal

MODEL, WHOLE, OLD, NEW = "model.safetensors", "whole.safetensors", "old.safetensors", "new.safetensors"
WHOLE_FRONT = "whole-front.json"
CACHE = "cache"
"""A folder of its own for work that is about what the cache holds."""

_PROGRAM = """
import sys
from presparse.fitting import checkpoint
checkpoint.SECONDS = 0.1
from presparse.__main__ import main
main()
"""
"""`presparse`, with checkpoints that come often."""

_SAVE = """
from presparse.model import Model
from presparse.trials.journal import Journal
models = [Model.load(name) for name in ("old.safetensors", "new.safetensors")]
for number in range(400):
    models[number % 2].save("model.safetensors")
"""

_COMPILE = """
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse_sim.core import SimulatedCore
SimulatedCore(Build(network=Network.load("network.toml"), mode="infer"))
"""

_NETWORK = """
features = 8
classes = 4
layers = [8, 4]
out_degree = [2]
lanes = [2]
activations = ["sigmoid"]
"""


@dataclass(frozen=True, kw_only=True)
class Victim:
    """One kind of work, in a folder of its own."""

    name: str
    command: Sequence[str]
    """Of Python."""
    share: int
    """Of all kills, against the others'."""
    prepare: Callable[[Path], None] = lambda folder: None
    """Before each time."""
    ended: Callable[[Path], None] = lambda folder: None
    """After the work was once done in one go."""
    harmed: Callable[[Path], list[str]] = lambda folder: []
    """After a kill: what is wrong, in words."""
    heal: Callable[[Path], Sequence[str] | None] = lambda folder: None
    """The command that then brings the work to its end; None: nothing is to be brought."""
    heals: float = 1.0
    """After which share of kills that is done: some works are long."""
    healed: Callable[[Path], list[str]] = lambda folder: []
    """After that: what is wrong."""
    own_cache: bool = False
    """Whether it fills one in its folder, or takes the user's."""
    window: float | None = None
    """Seconds within which the kill comes; None: those that the work takes."""


def victims() -> list[Victim]:
    """All of them."""
    compile_, build = ["-c", _COMPILE], ["-m", "presparse", "build", "network.toml", "--board", "icebreaker"]
    build += ["--mode", "infer", "--output", "made"]
    search = ["-m", "presparse", "search", "digits", "--board", "ulx3s-25f", "--trials", "9", "--epochs", "9"]
    search += ["--output", "found"]
    return [
        *(_training(device) for device in ("torch", "emulator:c", "sim")),
        Victim(name="save", command=["-c", _SAVE], share=8, prepare=_old_and_new, harmed=_old_or_new),
        Victim(
            name="compile",
            command=compile_,
            share=2,
            own_cache=True,
            prepare=_small_network,
            heal=lambda folder: compile_,
            heals=0.2,
            healed=lambda folder: _tidy(folder / CACHE),
        ),
        Victim(
            name="build",
            command=build,
            share=1,
            own_cache=True,
            prepare=_small_network,
            harmed=lambda folder: _whole_bundle(folder / "made"),
            heal=lambda folder: build,
            heals=0.2,
            healed=lambda folder: _whole_bundle(folder / "made", needed=True) + _tidy(folder / CACHE),
        ),
        Victim(
            name="experiment",
            command=["-m", "presparse", "experiment", "junctions", "--seeds", "40", "--output", "made"],
            share=2,
            prepare=_unfinished,
            harmed=lambda folder: _whole_journal(folder / "made" / "junctions.jsonl"),
            window=10.0,
        ),
        Victim(
            name="search",
            command=search,
            share=2,
            prepare=_unfinished_search,
            ended=_keep_front,
            harmed=lambda folder: _whole_journal(folder / "found" / "trials.jsonl"),
            heal=lambda folder: search,
            heals=0.5,
            healed=_same_front,
        ),
    ]


def _training(device: str) -> Victim:
    data = ["digits", "digits", "--device", device, "--epochs", "4", "--seed", "1", "--output", MODEL]
    train = ["-c", _PROGRAM, "train", *data]

    def heal(folder: Path) -> Sequence[str] | None:
        return [*train, "--resume"] if (folder / f"{MODEL}.checkpoint").exists() else None

    return Victim(
        name=f"train on {device}",
        command=train,
        share=4,
        prepare=_old_model,
        ended=lambda folder: Model.load(folder / MODEL).save(folder / WHOLE),
        harmed=_a_model,
        heal=heal,
        healed=_whole,
    )


def _old_model(folder: Path) -> None:
    """Under the name of what is to be trained."""
    (folder / f"{MODEL}.checkpoint").unlink(missing_ok=True)
    Model.initial(Network.load("digits"), random_state=1).save(folder / MODEL)


def _old_and_new(folder: Path) -> None:
    for seed, name in enumerate((OLD, NEW, MODEL)):
        Model.initial(Network.load("digits"), random_state=seed % 2).save(folder / name)


def _small_network(folder: Path) -> None:
    """And nothing that was made of it before, but what those left behind that were killed."""
    if any((folder / CACHE).glob("*/*/digests.json")):
        for made in ("made", CACHE):
            shutil.rmtree(folder / made, ignore_errors=True)
    (folder / "network.toml").write_text(_NETWORK)


def _unfinished(folder: Path) -> None:
    """An experiment goes on where it was killed; one that has come to its end begins anew."""
    if (folder / "made" / "junctions.json").exists():
        shutil.rmtree(folder / "made")


def _unfinished_search(folder: Path) -> None:
    """A search goes on where it was killed; one that has come to its end begins anew."""
    if (folder / "found" / "front.json").exists():
        shutil.rmtree(folder / "found")


def _keep_front(folder: Path) -> None:
    shutil.copy(folder / "found" / "front.json", folder / WHOLE_FRONT)


def _same_front(folder: Path) -> list[str]:
    """What goes on finds what a search in one go does."""
    found, whole = ((folder / name).read_bytes() for name in ("found/front.json", WHOLE_FRONT))
    return [] if found == whole else ["found/front.json: another front than without a kill"]


def _a_model(folder: Path) -> list[str]:
    """The old one, or one that was trained."""
    try:
        Model.load(folder / MODEL)
    except ModelError as error:
        return [str(error)]
    return []


def _old_or_new(folder: Path) -> list[str]:
    if found := _a_model(folder):
        return found
    model = Model.load(folder / MODEL)
    same = [not model.differences(Model.load(folder / name)) for name in (OLD, NEW)]
    return [] if any(same) else [f"{MODEL}: neither the old nor the new model"]


def _whole(folder: Path) -> list[str]:
    """What goes on ends where a training in one go does."""
    differences = Model.load(folder / MODEL).differences(Model.load(folder / WHOLE))
    return [f"{MODEL} after --resume: {differences[0]}"] if differences else []


def _whole_bundle(folder: Path, *, needed: bool = False) -> list[str]:
    if not folder.exists() and not needed:
        return []
    try:
        Manifest.load(folder)
    except BundleError as error:
        return [str(error)]
    return []


def _whole_journal(path: Path) -> list[str]:
    if not path.exists():
        return []
    first = path.read_bytes().partition(b"\n")[0]
    head = json.loads(first)["head"] if first.startswith(b'{"head"') and first.endswith(b"}") else None
    try:
        Journal(path, head)
    except ArgumentError as error:
        return [str(error)]
    return []


def _tidy(cache: Path) -> list[str]:
    """Nothing half-made is left."""
    return [f"{path} is left behind" for path in cache.rglob("*.partial")]
