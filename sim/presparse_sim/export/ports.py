"""The ports of the exported core: one per field, with plain names, and what a user has to know of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from amaranth.hdl import Shape
from amaranth.lib import data
from amaranth.lib.wiring import In

from presparse.contract.address_map import CORE_COUNTERS, Counter
from presparse.contract.build import Build
from presparse.contract.formats import Format
from presparse.contract.wire import SampleKind
from presparse_hw.core.ports import RESTART, CoreSignature

CLOCK, RESET = "clk", "rst"

Direction = Literal["input", "output"]


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A member of the core's signature, or a field of one that is a structure."""

    path: tuple[str, ...]
    field: str | None
    width: int
    direction: Direction

    @property
    def port(self) -> str:
        """`samples_kind` for the field `kind` of `samples.payload`."""
        path = self.path[:-1] if self.path[-1] == "payload" else self.path
        return "_".join((*path, self.field) if self.field else path)


@dataclass(frozen=True, kw_only=True)
class Port:
    """One port of the Verilog module."""

    name: str
    direction: Direction
    width: int
    """Bits."""
    number_format: str
    valid: str
    """When it means something."""
    meaning: str


def leaves(build: Build) -> Iterator[Leaf]:
    """Everything in the core's signature but `restart`, which is the exported core's reset."""
    for path, member in CoreSignature(build).members.flatten():
        if not member.is_port or path == ("restart",):
            continue
        names = tuple(map(str, path))
        direction: Direction = "input" if member.flow == In else "output"
        if isinstance(member.shape, data.StructLayout):
            for field, place in member.shape:
                yield Leaf(path=names, field=str(field), width=place.width, direction=direction)
        else:
            yield Leaf(path=names, field=None, width=Shape.cast(member.shape).width, direction=direction)


def ports(build: Build) -> tuple[Port, ...]:
    """Clock and reset, then the core's own in the order of its signature."""
    texts = _texts(build)

    def port(name: str, direction: Direction, width: int) -> Port:
        number_format, valid, meaning = texts[name]
        return Port(
            name=name, direction=direction, width=width, number_format=number_format, valid=valid, meaning=meaning
        )

    own = (port(leaf.port, leaf.direction, leaf.width) for leaf in leaves(build))
    return (port(CLOCK, "input", 1), port(RESET, "input", 1), *own)


def as_objects(ports: tuple[Port, ...]) -> list[dict[str, object]]:
    """For programs: one JSON object per port."""
    return [asdict(port) for port in ports]


def as_markdown(ports: tuple[Port, ...]) -> str:
    """For people: a table with one line per port."""
    lines = ["| port | direction | bits | number format | valid | meaning |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{p.name}` | {p.direction} | {p.width} | {p.number_format} | {p.valid} | {p.meaning} |" for p in ports
    ]
    return "\n".join(lines) + "\n"


_BIT = "1 bit"
_ALWAYS = "always"
_COUNTED: dict[Counter, str] = {
    "cycles": "a sample was in flight",
    "blocks": "a block started",
    "trained": "a sample to train with was begun",
    "predicted": "a sample to predict was begun",
    "evaluated": "a sample to evaluate was begun",
    "correct": "the label of a sample to train with or to evaluate was predicted",
    "stalls_sample": "a block could have started, and no sample was there",
    "stalls_result": "a block could have started, and there was no room for its result",
    "saturated_activation": "so many right activations were saturated",
    "saturated_weight": "so many weights and biases were saturated",
    "saturated_delta": "so many deltas were saturated",
}


def _texts(build: Build) -> dict[str, tuple[str, str, str]]:
    """Number format, when it is valid, and meaning, by the port's name."""
    network, formats, output = build.network, build.network.formats, build.junctions[-1]
    transfers, rates = network.layers[0] // build.feature_port, network.rates
    kinds = ", ".join(f"{kind.value} {kind.name.lower()}" for kind in SampleKind if _possible(kind, build))
    first = "`samples_valid`; read in a sample's first transfer"
    return {
        CLOCK: (_BIT, _ALWAYS, "clock; everything happens at its rising edge"),
        RESET: (
            _BIT,
            _ALWAYS,
            "synchronous reset, active high, for a cycle or more: forgets samples and results, keeps edges and biases. "
            f"No stream moves until {RESTART - 1} cycles after it. 0 if an FPGA's power-on values are enough",
        ),
        **_handshake("samples", "a transfer of a sample, or a flush", taken=True),
        "samples_features": (
            f"{build.feature_port} × {_signed(formats.activation)}, the first in the lowest bits",
            "`samples_valid`; not read of a flush",
            f"features in order of left neurons, {build.feature_port} of {network.layers[0]} at once: {transfers} "
            "transfers per sample. Those without a feature of the model (its `inputs.places`) are 0",
        ),
        "samples_kind": ("unsigned", first, f"what to do: {kinds}. A flush is one transfer and empties the pipeline"),
        "samples_rate": (
            "unsigned",
            f"{first}, if it is to be trained with",
            f"k of the learning rate 2^-k, {rates.least} to {rates.most}" if build.training else "not used: 0",
        ),
        "samples_label": (
            "unsigned",
            f"{first}, unless it is to be predicted",
            f"class, 0 to {network.classes - 1}",
        ),
        **_handshake("results", "a transfer of the scores of a predicted sample", taken=False),
        "results_scores": (
            f"{output.group} × {_signed(formats.output)}, the first in the lowest bits",
            "`results_valid`",
            f"scores in order of output neurons, {output.group} of {output.right} at once: {output.steps} transfers "
            f"per sample. The first {network.classes} are the classes; the largest of these is the prediction",
        ),
        "results_last": (_BIT, "`results_valid`", "last transfer of a sample's scores"),
        **_handshake("commands", "a command", taken=True),
        "commands_address": (
            "unsigned",
            "`commands_valid`",
            "of a word: region << 24 + offset. Junction i, from 1, has its edges in region 2i - 1 and its biases in 2i",
        ),
        "commands_data": ("a word of edges or biases", "`commands_valid`, if `commands_write`", "what to write"),
        "commands_write": (_BIT, "`commands_valid`", "1: write, 0: read"),
        **_handshake("answers", "the answer to a command; in order, one each", taken=False),
        "answers_data": ("a word of edges or biases", "`answers_valid`, after a read", "what was read; 0 if refused"),
        "answers_bad_address": (_BIT, "`answers_valid`", "refused: there is no such word"),
        "answers_not_drained": (_BIT, "`answers_valid`", "refused: samples were in flight; flush, await `drained`"),
        **{
            f"events_{name}": ("unsigned", _ALWAYS, f"in the cycle before, {_COUNTED[name]}; count it or leave it open")
            for name in CORE_COUNTERS
        },
        "results_waiting": ("unsigned", _ALWAYS, "samples whose scores are all ready to be taken"),
        "drained": (_BIT, _ALWAYS, "no sample is in flight or half received: commands are obeyed"),
        "discard": (_BIT, _ALWAYS, "forget the sample that is half received, if there is one; 0 if not needed"),
    }


def _handshake(stream: str, what: str, *, taken: bool) -> dict[str, tuple[str, str, str]]:
    """`valid` and `ready`; `taken`: by the core."""
    offers, takes = ("outside", "core") if taken else ("core", "outside")
    return {
        f"{stream}_valid": (
            _BIT,
            _ALWAYS,
            f"the {offers} offers {what}; it stays offered, unchanged, until it is taken",
        ),
        f"{stream}_ready": (_BIT, _ALWAYS, f"the {takes} takes it: it moves at the clock edge at which both are 1"),
    }


def _possible(kind: SampleKind, build: Build) -> bool:
    return build.training or kind != SampleKind.TRAIN


def _signed(fmt: Format) -> str:
    return f"{fmt.width}-bit two's complement, {fmt.frac} of them fraction"
