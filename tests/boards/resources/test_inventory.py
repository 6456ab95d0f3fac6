"""What is counted without elaborating, against the gateware itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from amaranth.hdl import Fragment, Module, Shape
from amaranth.lib.memory import Memory as AmaranthMemory

from presparse.contract.build import Build
from presparse.contract.multipliers import multipliers
from presparse.contract.sample_words import PaletteKind
from presparse_boards.resources.inventory import Memory, memories
from presparse_hw.accelerator import Accelerator
from presparse_hw.lib.multiplier import Multiplier
from presparse_hw.lib.registered_memory import RegisteredMemory
from presparse_hw.store.sdram.chip import EM638325, MT48LC16M16A2, Sdram
from tests.networks import random_build

pytestmark = pytest.mark.slow


Kind = tuple[int, tuple[int, ...], bool, bool, bool]
"""Depth, widths of fields, registered, written, with one port."""


class Recorder:
    """A platform that notes what it is asked for, and leaves it out."""

    def __init__(self) -> None:
        self.memories: Counter[Kind] = Counter()
        self.multipliers: Counter[tuple[int, int]] = Counter()

    def get_registered_memory(self, memory: RegisteredMemory) -> Module:
        widths = tuple(Shape.cast(shape).width for shape in memory.fields)
        self.memories[memory.depth, widths, True, not memory.init, memory.one_port] += 1
        return Module()

    def get_multiplier(self, multiplier: Multiplier) -> Module:
        self.multipliers[len(multiplier.a), len(multiplier.b)] += 1
        return Module()

    def get_memory(self, memory: AmaranthMemory) -> Module:
        [read] = memory.read_ports
        [_] = memory.write_ports
        assert read.domain == "comb"
        self.memories[memory.depth, (Shape.cast(memory.shape).width,), False, True, False] += 1
        return Module()


def elaborated(build: Build, monkeypatch: pytest.MonkeyPatch, sdram: Sdram | None = None) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(AmaranthMemory, "elaborate", lambda memory, platform: recorder.get_memory(memory))
    Fragment.get(Accelerator(build, sdram=sdram), recorder).prepare()
    return recorder


def counted(found: list[Memory]) -> Counter[Kind]:
    counts: Counter[Kind] = Counter()
    for memory in found:
        counts[memory.depth, memory.fields, memory.registered, memory.written, memory.one_port] += memory.count
    return counts


@pytest.mark.parametrize("seed", range(12))
def test_memories_and_multipliers_are_those_of_the_gateware(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    build = random_build(np.random.default_rng(seed))
    recorder = elaborated(build, monkeypatch)
    assert counted(memories(build)) == recorder.memories
    groups: Counter[tuple[int, int]] = Counter()
    for group in multipliers(build):
        groups[group.a_width, group.b_width] += group.count
    assert groups == recorder.multipliers


@pytest.mark.parametrize("store", ["none", "block", "16 bits wide", "32 bits wide"])
@pytest.mark.parametrize("palettes", ["shared", "per feature"])
def test_so_are_those_of_compressed_samples_and_their_store(
    palettes: PaletteKind, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(len(palettes) + len(store))
    drawn = random_build(rng)
    wide = store == "32 bits wide"
    in_sdram = wide or store == "16 bits wide"
    sdram = Sdram(chip=EM638325 if wide else MT48LC16M16A2, clock_hz=100e6, pad_cycles=4) if in_sdram else None
    build = Build(
        network=drawn.network,
        lanes=drawn.lanes,
        store_samples=0 if store == "none" else int(rng.integers(2, 40)),
        store_memory="sdram" if sdram else "block",
        sample_bits=int(rng.integers(1, min(8, drawn.network.formats.activation.width) + 1)),
        sample_palettes=palettes,
    )
    assert counted(memories(build, sdram=sdram)) == elaborated(build, monkeypatch, sdram).memories
