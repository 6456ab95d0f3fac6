"""What synthesis makes of the gateware does what the gateware does: netlists, with models of their cells."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal, unsigned
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory

from presparse.contract.build import Build
from presparse.contract.network import Activation, Network
from presparse.contract.schedule import MULTIPLY
from presparse.reference.pytorch import Reference
from presparse_boards.boards.registry import find_board
from presparse_boards.families.ecp5.block_memory import block_memory
from presparse_boards.families.ecp5.multipliers import carry_multiplier, dsp_multiplier
from presparse_boards.families.ice40.primitives import mac_multiplier
from presparse_boards.families.ice40.single_port_memory import single_port_memory
from presparse_boards.families.ice40.single_port_plan import plan_single_port
from presparse_hw.lib.multiplier import Multiplier
from presparse_hw.lib.registered_memory import RegisteredMemory
from presparse_sim.core import SimulatedCore
from presparse_sim.design import Design, core_design
from presparse_sim.errors import CompileError, SimulationError
from presparse_sim.netlist import netlist_design, synthesized
from tests.hw.core.test_core import assert_same_state, in_parts, run_both
from tests.networks import random_model, random_samples
from tests.sim.vectors import field, piece_design, run

pytestmark = pytest.mark.slow


BOARDS = {"ecp5": "ulx3s-25f", "ice40": "icebreaker"}

# ------------------------------------------------------------------------------------------------- whole cores


def _build(
    mode: Literal["train", "infer"],
    layers: tuple[int, ...],
    out_degree: tuple[int, ...],
    lanes: tuple[int, ...],
    activations: tuple[Activation, ...],
) -> Build:
    return Build(
        network=Network(
            features=layers[0],
            classes=layers[-1],
            layers=layers,
            out_degree=out_degree,
            lanes=lanes,
            activations=activations,
        ),
        mode=mode,
    )


BUILDS = {
    "training": _build("train", (16, 16, 4), (4, 2), (4, 4), ("relu", "sigmoid")),
    "inference": _build("infer", (16, 12, 4), (3, 2), (4, 6), ("sigmoid", "identity")),
    "single-port inference": _build("infer", (32, 256, 16), (64, 8), (4, 2), ("relu", "sigmoid")),
}


@pytest.mark.parametrize(
    ("family", "build"),
    [
        ("ecp5", "training"),
        pytest.param("ice40", "single-port inference", marks=pytest.mark.nightly),
        pytest.param("ecp5", "inference", marks=pytest.mark.nightly),
        pytest.param("ice40", "inference", marks=pytest.mark.nightly),
    ],
)
def test_netlists_of_cores_equal_the_reference(family: str, build: str) -> None:
    """Scores, weights, biases and counters, of samples of all kinds in random order, with random stalls."""
    rng = np.random.default_rng(1)
    with SimulatedCore(BUILDS[build], netlist=BOARDS[family]) as core:
        for _ in range(2):
            model = random_model(rng, BUILDS[build].network)
            reference = Reference(BUILDS[build], model)
            core.load(model)
            core.clear_counters()
            run_both(core, reference, in_parts(rng, random_samples(rng, BUILDS[build], 80)), rng)
            assert_same_state(core, reference)


def test_single_port_ram_holds_edges_of_one_of_these_cores() -> None:
    board = find_board("icebreaker")
    plans = {name: plan_single_port(build, board.capacity, board.window) for name, build in BUILDS.items()}
    assert plans == {"training": {}, "inference": {}, "single-port inference": {((16, 8, 16, 8), 1024): 1}}


# ------------------------------------------------------------------------------------------------- multipliers

Widths = tuple[int, int]
Primitive = Callable[[Multiplier], Module]


@dataclass(frozen=True)
class _Multipliers:
    """Multipliers side by side, which share their operands; and a platform that has nothing but them."""

    cells: dict[Widths, Primitive]

    @property
    def widest(self) -> int:
        return max(a for a, _ in self.cells)

    @property
    def inputs(self) -> int:
        return self.widest + max(b for _, b in self.cells)

    def build(self, m: Module, i: Signal, o: Signal) -> None:
        products = []
        for number, (a, b) in enumerate(self.cells):
            m.submodules[f"multiplier{number}"] = multiplier = Multiplier(a, b)
            m.d.comb += [multiplier.a.eq(i[:a]), multiplier.b.eq(i[self.widest : self.widest + b])]
            products.append(multiplier.product)
        m.d.comb += o.eq(Cat(products))

    def get_multiplier(self, multiplier: Multiplier) -> Module:
        return self.cells[len(multiplier.a), len(multiplier.b)](multiplier)

    def netlist(self, family: str) -> Design:
        design = piece_design("multipliers", self.inputs, sum(a + b for a, b in self.cells), self.build, __file__)
        design = replace(design, identity=str(list(self.cells)))
        return synthesized(design, find_board(BOARDS[family]), lambda: self)


MULTIPLIERS: dict[str, dict[Widths, Primitive]] = {
    "ecp5": {
        **dict.fromkeys(((18, 18), (12, 16), (7, 9)), dsp_multiplier),
        **dict.fromkeys(((12, 10), (10, 12), (16, 8), (5, 3)), carry_multiplier),
    },
    "ice40": dict.fromkeys(((16, 16), (12, 10), (5, 16)), mac_multiplier),
}


@pytest.mark.parametrize("family", MULTIPLIERS)
def test_multipliers_of_boards_take_as_long_as_the_one_that_is_simulated(family: str) -> None:
    multipliers = _Multipliers(MULTIPLIERS[family])
    vectors = _extremes(multipliers.inputs)
    got = run(multipliers.netlist(family), vectors)
    at = 0
    for a, b in multipliers.cells:
        products = [field(v, 0, a, signed=True) * field(v, multipliers.widest, b, signed=True) for v in vectors]
        assert [field(value, at, a + b, signed=True) for value in got[MULTIPLY:]] == products[:-MULTIPLY], (a, b)
        at += a + b


def _extremes(width: int) -> list[int]:
    """Random numbers, with long runs of equal bits among them."""
    rng = random.Random(4)
    vectors = []
    for _ in range(1500):
        ones = (1 << rng.randrange(width + 1)) - 1 << rng.randrange(width)
        vectors.append(rng.choice((rng.getrandbits(width), ones, ~ones)) % 2**width)
    return vectors


# ------------------------------------------------------------------------------------------ memories, registers


def _registered(m: Module, i: Signal, o: Signal) -> None:
    """Memories of one and of several blocks. Reads stay away from the address that is written."""
    outputs, writes = [], Cat(i[:2], i[60:62])
    for number, (fields, depth) in enumerate((((9, 18, 7, 3), 512), ((36, 5), 300), ((7,), 3000), ((20, 3), 1000))):
        m.submodules[f"memory{number}"] = memory = RegisteredMemory([unsigned(width) for width in fields], depth)
        for k, data in enumerate(memory.write_data):
            m.d.comb += [memory.write[k].eq(writes[k]), data.eq(i[24 : 24 + len(data)])]
        m.d.comb += [
            memory.read_enable.eq(i[2]),
            memory.write_address.eq(Cat(i[4:12], 0)),
            memory.read_address.eq(Cat(i[12:20], i[3])),
        ]
        outputs += memory.read_data
    m.d.comb += o.eq(Cat(outputs))


def _inferred(m: Module, i: Signal, o: Signal) -> None:
    """Everything that synthesis finds cells for by itself: memories with contents, queues, carries, registers."""
    m.submodules.table = table = Memory(shape=11, depth=600, init=[k * k % 2039 for k in range(600)])
    m.submodules.small = small = Memory(shape=7, depth=16, init=[(5 * k + 3) % 128 for k in range(16)])
    m.submodules.queue = queue = SyncFIFOBuffered(width=40, depth=200)
    m.submodules.short = short = SyncFIFOBuffered(width=9, depth=5)
    lookup, write, read = table.read_port(), small.write_port(), small.read_port(domain="comb")
    m.d.comb += [
        lookup.addr.eq(i[:9]),
        lookup.en.eq(i[9]),
        Cat(write.addr, write.data, write.en, read.addr).eq(i[10:]),
        Cat(queue.w_data, queue.w_en, queue.r_en).eq(i),
        Cat(short.w_data, short.w_en, short.r_en).eq(i[20:]),
    ]
    held, down = Signal(8, init=0x5A), Signal(12, init=0xFFF)
    with m.If(i[8]):
        m.d.sync += held.eq(i[:8])
    with m.If(i[9:12].all()):
        m.d.sync += down.eq(0x333)
    with m.Elif(i[10]):
        m.d.sync += down.eq(down - held)
    m.d.comb += o.eq(
        Cat(
            *(lookup.data, read.data, queue.r_data & queue.r_rdy.replicate(40), queue.r_rdy, queue.w_rdy),
            *(short.r_data & short.r_rdy.replicate(9), short.level, held, down, held >= down[:8], held * down),
        )
    )


def _single_port(m: Module, i: Signal, o: Signal) -> None:
    """Memories of one and of several blocks. What a write makes undefined does not come out."""
    outputs = []
    word_stands, data_stand = Signal(), Signal()
    with m.If(i[:2].any()):
        m.d.sync += word_stands.eq(0)
    with m.Elif(i[2]):
        m.d.sync += word_stands.eq(1)
    with m.If(i[2]):
        m.d.sync += data_stand.eq(word_stands)
    for number, (fields, depth) in enumerate((((16, 7), 256), ((20,), 1 << 14))):
        shapes = [unsigned(width) for width in fields]
        m.submodules[f"memory{number}"] = memory = RegisteredMemory(shapes, depth, one_port=True)
        for k, data in enumerate(memory.write_data):
            m.d.comb += [memory.write[k].eq(i[k]), data.eq(i[19:])]
        m.d.comb += memory.read_enable.eq(i[2])
        for address, byte in ((memory.write_address, i[3:11]), (memory.read_address, i[11:19])):
            between = len(address) - len(byte)  # every address pin gets its turn
            m.d.comb += address.eq(Cat(byte[:4], Const(0, between), byte[4:]))
        outputs += [Mux(data_stand, data, 0) for data in memory.read_data]
    m.d.comb += o.eq(Cat(outputs))


@dataclass(frozen=True)
class _Memories:
    """A platform that has nothing but memories."""

    primitive: Callable[[RegisteredMemory], Module]

    def get_registered_memory(self, memory: RegisteredMemory) -> Module:
        return self.primitive(memory)


def _registered_design() -> tuple[Design, Design, list[int]]:
    """As it is simulated, its netlist, and vectors."""
    design = piece_design("registered", 64, 108, _registered, __file__)
    rng = random.Random(5)
    vectors = []
    for _ in range(3000):
        value = rng.getrandbits(64)
        if field(value, 4, 8) == field(value, 12, 8):
            value ^= 1 << 12
        vectors.append(value)
    return design, synthesized(design, find_board(BOARDS["ecp5"]), lambda: _Memories(block_memory)), vectors


def test_block_memories_read_as_late_as_the_one_that_is_simulated() -> None:
    design, netlist, vectors = _registered_design()
    assert run(netlist, vectors) == run(design, vectors)


def test_single_port_memories_read_as_late_as_the_one_that_is_simulated() -> None:
    """Every word is written before it is read: there is no telling what was in it."""
    design = piece_design("single-port", 39, 43, _single_port, __file__)
    rng = random.Random(7)
    vectors = [3 | address << 3 | rng.getrandbits(20) << 19 for address in range(256)]
    for _ in range(4000):
        writes = rng.choice((0, 0, 0, 1, 2, 3))
        vectors.append(writes | (rng.random() < 0.8) << 2 | rng.getrandbits(36) << 3)
    netlist = synthesized(design, find_board(BOARDS["ice40"]), lambda: _Memories(single_port_memory))
    expected = run(design, vectors)
    assert sum(value != 0 for value in expected) > 1500
    assert run(netlist, vectors) == expected


@pytest.mark.parametrize("family", BOARDS)
def test_what_synthesis_infers_does_the_same(family: str) -> None:
    design = piece_design("inferred", 42, 120, _inferred, __file__)
    rng = random.Random(6)
    vectors = [rng.getrandbits(42) & ~(rng.getrandbits(1) << 40) for _ in range(3000)]
    netlist = synthesized(design, find_board(BOARDS[family]), lambda: None)
    assert run(netlist, vectors) == run(design, vectors)


# ------------------------------------------------------------------------------------------- that it can fail


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("left * right", "left * right + 1"),
        ("presparse_dsp_register #(36, REG_PIPELINE_CLK", 'presparse_dsp_register #(36, "NONE"'),
        ("SIGNEDA & A17", "1'b0"),
    ],
)
def test_a_wrong_multiplier_is_noticed(tmp_path: Path, right: str, wrong: str) -> None:
    multipliers = _Multipliers({(12, 16): dsp_multiplier})
    netlist, vectors = multipliers.netlist("ecp5"), _extremes(multipliers.inputs)
    assert run(netlist, vectors) != run(_mutated(netlist, tmp_path, "ecp5_dsp.v", right, wrong), vectors)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('REGMODE == "OUTREG" ? register : latch', "latch"),
        ("{{9{address[3]}}", "{{9{address[1]}}"),
        ("else if (oce)", "else"),
    ],
)
def test_a_wrong_memory_is_noticed(tmp_path: Path, right: str, wrong: str) -> None:
    _, netlist, vectors = _registered_design()
    assert run(netlist, vectors) != run(_mutated(netlist, tmp_path, "ecp5_ram.v", right, wrong), vectors)


def _mutated(netlist: Design, folder: Path, model: str, right: str, wrong: str) -> Design:
    """The netlist with one line of a model changed."""
    cells = netlist.include[0]
    for path in cells.iterdir():
        text = path.read_text()
        if path.name == model:
            assert right in text
            text = text.replace(right, wrong)
        (folder / path.name).write_text(text)
    return replace(
        netlist,
        identity=f"{netlist.identity} {wrong}",
        models=tuple(folder / path.name for path in netlist.models),
        include=(folder, *netlist.include[1:]),
    )


# ------------------------------------------------------------------------------------------------------ errors


def test_a_family_without_models_is_refused() -> None:
    build = BUILDS["inference"]
    with pytest.raises(SimulationError, match="nothing models the cells of its family, xc7"):
        netlist_design(core_design(build), build, "arty-a7-35t")


def test_what_yosys_refuses_is_said() -> None:
    def unknown(m: Module, i: Signal, o: Signal) -> None:
        m.submodules.cell = Instance("NO_SUCH_CELL", i_A=i, o_Z=o)

    design = synthesized(piece_design("unknown", 1, 1, unknown, __file__), find_board(BOARDS["ecp5"]), lambda: None)
    with pytest.raises(CompileError, match="NO_SUCH_CELL"):
        run(design, [0])
