"""What `presparse export` calls (entry point group "presparse.builder")."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from presparse.contract.build import Build, Mode
from presparse.contract.network import Network
from presparse.device.acceptance import check_model
from presparse.errors import OutputError
from presparse.messages.export import MANIFEST, Export
from presparse.model import Model
from presparse.support import atomic_folders
from presparse_sim.export.core import ExportedCore
from presparse_sim.export.ports import Port, as_markdown, as_objects, ports
from presparse_sim.export.testbench import COMPILED, TESTBENCH, bench_files
from presparse_sim.verilog import to_event_driven_verilog

MODULE = "presparse_core"
VERILOG, PORTS, PORT_TABLE, NETWORK, README = f"{MODULE}.v", "ports.json", "ports.md", "network.toml", "README.md"
SIMULATE = f"iverilog -g2012 -o {COMPILED} {VERILOG} {TESTBENCH} && vvp {COMPILED}"
_WHAT = "an export"


def export(
    network: Network,
    *,
    folder: Path,
    mode: Mode = "train",
    lanes: tuple[int, ...] = (),
    options: Mapping[str, Any] | None = None,
    model: Model | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> Export:
    """The core of a network as Verilog, with its test bench, in `folder`.

    Parameters
    ----------
    folder : appears when all is made; an empty folder or an unchanged export that was there is replaced, nothing else
    lanes : per junction; none: the network's
    options : Build's
    model : that the test bench loads; none: random edges and biases
    progress : receives the name of each stage as it begins

    Raises OutputError (the folder), BuildError (lanes or options that the network does not allow), ModelError,
    PatternError (a model of another network, or that clashes), ToolMissing, CompileError (Yosys), CompilerError (C).
    """
    build = Build(network=network, lanes=lanes, mode=mode, **(options or {}))
    if model is not None:
        check_model(build, model)
    atomic_folders.check_folder(folder, _WHAT, _owned)
    progress("computing what the core must answer")
    files = dict(bench_files(build, model))
    progress("translating to Verilog")
    table = ports(build)
    files[VERILOG] = f"{_headline(build)}\n{to_event_driven_verilog(ExportedCore(build), MODULE)}"
    files[PORTS] = _json({"module": MODULE, "contract_hash": build.hash, "ports": as_objects(table)})
    files[PORT_TABLE] = f"# Ports of `{MODULE}`\n\n{as_markdown(table)}"
    files[NETWORK] = network.to_toml()
    files[README] = _readme(build, model)
    manifest = _manifest(build, table, files)
    files[MANIFEST] = f"{manifest.model_dump_json(indent=1)}\n"
    atomic_folders.write_folder(folder, files, _WHAT, _owned)
    return manifest


def _manifest(build: Build, table: tuple[Port, ...], files: Mapping[str, str]) -> Export:
    return Export(
        name=build.network.name,
        mode=build.mode,
        lanes=build.lanes,
        feature_port=build.feature_port,
        contract_hash=build.hash,
        cycles_per_sample=build.schedule.period,
        top_module=MODULE,
        ports=len(table),
        simulate=SIMULATE,
        files={name: _digest(content.encode()) for name, content in files.items()},
        build=build,
    )


def _owned(folder: Path) -> set[str]:
    """What an export, by whatever version of Presparse, wrote there, and its bench; nothing if there is none.

    Raises OutputError if a file was changed since.
    """
    try:
        files: dict[str, str] = json.loads((folder / MANIFEST).read_bytes())["files"]
        written = {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return set()
    for path in folder.iterdir():
        if path.name in written and _digest(path.read_bytes()) != written[path.name]:
            raise OutputError(f"{path}: was changed after it was exported; choose another --output, or move it away")
    return {*written, MANIFEST, COMPILED} if written else set()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(value: object) -> str:
    return f"{json.dumps(value, indent=1, ensure_ascii=False)}\n"


def _headline(build: Build) -> str:
    return f"// Presparse: the core of network {build.network.name}, mode {build.mode}, contract {build.hash}"


def _readme(build: Build, model: Model | None) -> str:
    network, lanes = build.network, ", ".join(map(str, build.lanes))
    does = "trains and predicts" if build.training else "predicts"
    whose = "your model's" if model else "random"
    learned = "\n| `learned.hex` | the same words as the core must hold them in the end |" if build.training else ""
    return f"""# The core of `{network.name}`

A Verilog module, `{MODULE}`, that {does}: layers {", ".join(map(str, network.layers))}, lanes {lanes}, one sample
every {build.schedule.period} cycles. Presparse exported it; docs/embedding.md of Presparse tells how to use it.

Contract hash: `{build.hash}`
(two cores with the same hash are the same machine: they take the same words and compute the same bits).

| file | holds |
|---|---|
| `{VERILOG}` | the module; nothing else is needed for synthesis |
| `{PORT_TABLE}`, `{PORTS}` | its ports, for people and for programs |
| `{TESTBENCH}` | a test bench: PASS, or FAIL and an exit status other than 0 |
| `model.hex` | {whose} edges and biases as commands: 32 bits of address, then 32 of data |
| `samples.hex`, `results.hex` | transfers that the bench feeds, and the scores that must come |{learned}
| `{NETWORK}` | the network |
| `{MANIFEST}` | the build, the hash, and a digest of every file |

Run the bench in this folder:

    {SIMULATE}

Loading takes most of its time, some 20 cycles for every edge: seconds to minutes for thousands of them.
"""
