"""Module deduplication: Verilog in which equal modules are one module.

Amaranth writes every instance as a module of its own: 64 lanes are 64 modules. As one module with 64 instances
they become one piece of native code, which compiles faster, and runs faster because it stays in the
instruction cache.
"""

from __future__ import annotations

import re

_MODULE = re.compile(r"^module (\S+?) ?(\(.*?^endmodule)$", re.DOTALL | re.MULTILINE)
_INSTANCE = re.compile(r"^  (\\\S+) +\S+ +\(\n.*?^  \);$", re.DOTALL | re.MULTILINE)
_ANONYMOUS = re.compile(r"(?<!\.)\\port\$\d+\$\d+(?= )")
"""A port that Amaranth found no name for; the numbers differ between otherwise equal modules."""
_CONNECTED = re.compile(r"\.(\\port\$\d+\$\d+)(?= )")
_YOSYS_COUNTER = re.compile(r"(?<=dump_module)\$\d+")


def share_modules(verilog: str) -> str:
    """Replace modules that differ in names only by one of them. `verilog` is what Yosys writes for Amaranth."""
    texts = {match[1]: match[2] for match in _MODULE.finditer(_YOSYS_COUNTER.sub("", verilog))}
    kept: dict[str, str] = {}  # text without its name -> name
    shared: dict[str, str] = {}  # name -> name of the module that stands for it
    ports: dict[str, dict[str, str]] = {}  # name -> new names of its anonymous ports

    def visit(name: str) -> None:
        def connect(instance: re.Match[str]) -> str:
            kind = instance[1]
            if kind not in texts:
                return instance[0]
            if kind not in shared:
                visit(kind)
            text = _CONNECTED.sub(lambda port: f".{ports[kind].get(port[1], port[1])}", instance[0])
            return text.replace(kind, shared[kind], 1)

        found = dict.fromkeys(_ANONYMOUS.findall(texts[name]))
        ports[name] = {port: f"\\port${number}" for number, port in enumerate(found)}
        text = _ANONYMOUS.sub(lambda port: ports[name][port[0]], texts[name])
        shared[name] = kept.setdefault(_INSTANCE.sub(connect, text), name)

    visit("top")
    return "\n".join(f"module {name} {text}\n" for text, name in kept.items())
