"""A network as the TOML that `Network.load` reads."""

from __future__ import annotations

import json

from presparse.contract.network import Network


def to_toml(network: Network) -> str:
    """Everything, defaults included. Numbers, strings and lists of them are written alike in TOML and JSON."""
    values = network.model_dump(mode="json")
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, dict)]
    for key, value in values.items():
        if isinstance(value, dict):
            lines += ["", *_table(key, value)]
    return "\n".join(lines) + "\n"


def _table(name: str, values: dict[str, object]) -> list[str]:
    lines = [f"[{name}]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, dict)]
    for key, value in values.items():
        if isinstance(value, dict):
            inner = ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items())
            lines.append(f"{key} = {{ {inner} }}")
    return lines
