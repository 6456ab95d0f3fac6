"""Stored features, labels and palettes: from the place of a transfer to its values."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.store import StoreLayout
from presparse_hw.lib.banks import BANK_LATENCY, Banks
from presparse_hw.lib.delays import later

CODE_LATENCY = BANK_LATENCY + 1
"""Cycles from a place to its codes: the row, then the transfer within it."""
FETCH_LATENCY = CODE_LATENCY + BANK_LATENCY
"""Cycles from a place to its features: codes, then palettes."""


def store_of(build: Build) -> StoreLayout:
    """The layout of a build that has a store."""
    if build.store is None:
        raise ValueError("this build has no store; give it store_samples")
    return build.store


class PlaceLayout(data.StructLayout):
    """Where a transfer lies."""

    def __init__(self, store: StoreLayout) -> None:
        super().__init__(
            {
                "sample": range(store.samples),
                "row": range(store.depth),
                "phase": range(store.fold),  # of the row's transfers
                "transfer": range(store.transfers),  # of the sample's, for its palettes
            }
        )


class StoreWriteLayout(data.StructLayout):
    """One word of the host's, for one of the three memories."""

    def __init__(self) -> None:
        super().__init__({"data": 32, "features": 1, "labels": 1, "palettes": 1})


class StoredSamples(wiring.Component):
    """The three memories, one transfer per cycle, `FETCH_LATENCY` cycles after its place.

        place ─┬─> feature banks ─> row ─> codes of the phase ─> palettes ─> features
               └─> label banks ─────────────────────────────────────────────> label

    The host reads and writes single words: `place` says which row, sample or transfer, `part` which word of the row
    or which column of the port, and `code` which value of a palette.

    Members
    -------
    move : In(1)                while low, all that is fetched stands still
    place : In
    features : Out.array(port), label : Out
    by_host : In(1)             palettes are read at `place.transfer` and `code`, which are stable
    part : In, code : In
    write : In                  at `place`, `part` and `code`; they and the data stay for a cycle more
    feature_word, label_word, palette_word : Out(32)   `BANK_LATENCY` cycles after their place
    """

    move: Signal
    place: data.View
    features: Sequence[Signal]
    label: Signal
    by_host: Signal
    part: Signal
    code: Signal
    write: data.View
    feature_word: Signal
    label_word: Signal
    palette_word: Signal

    def __init__(self, build: Build) -> None:
        self._store = store = store_of(build)
        self._label_bits = max(1, (build.network.classes - 1).bit_length())
        super().__init__(
            {
                "move": In(1),
                "place": In(PlaceLayout(store)),
                "features": Out(signed(store.value_bits)).array(store.port),
                "label": Out(self._label_bits),
                "by_host": In(1),
                "part": In(range(max(store.slices, store.port))),
                "code": In(store.bits),
                "write": In(StoreWriteLayout()),
                "feature_word": Out(32),
                "label_word": Out(32),
                "palette_word": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = self._store.port * self._store.bits  # of a transfer's codes
        row = self._rows(m)
        codes = Signal(size, reset_less=True)
        phase = later(m, self.place.phase, BANK_LATENCY, self.move, name="phase")
        with m.If(self.move):
            m.d.sync += codes.eq(row.word_select(phase, size))
        transfer = later(m, self.place.transfer, CODE_LATENCY, self.move, name="transfer")
        self._look_up(m, codes, transfer)
        self._labels(m)
        return m

    def _rows(self, m: Module) -> Signal:
        """The feature banks, a field per word of a row; returns the row, `BANK_LATENCY` cycles after its place."""
        store = self._store
        per_word = store.codes_per_word
        counts = [min(per_word, store.row_codes - first) for first in range(0, store.row_codes, per_word)]
        m.submodules.rows = rows = Banks([count * store.bits for count in counts], store.depth)
        incoming = Cat(
            self.write.data.word_select(i, store.field_bits)[: store.bits] for count in counts for i in range(count)
        )
        write = Signal(len(counts), name="write_row")  # a cycle late: blocks of a deep memory stand all over the chip
        m.d.comb += [
            rows.move.eq(self.move),
            rows.address.eq(self.place.row),
            rows.write_address.eq(self.place.row),
            rows.write_data.eq(incoming),
            rows.write.eq(write),
        ]
        codes = [rows.data.word_select(i, store.bits) for i in range(store.row_codes)]
        with m.Switch(self.part):
            for part, count in enumerate(counts):
                m.d.sync += write[part].eq(self.write.features & (self.part == part))
                with m.Case(part):
                    own = codes[part * per_word : part * per_word + count]
                    padding = Const(0, store.field_bits - store.bits)
                    m.d.comb += self.feature_word.eq(Cat(Cat(code, padding) for code in own))
        return rows.data

    def _look_up(self, m: Module, codes: Signal, transfer: Signal) -> None:
        """Palettes, in memories per column of the port."""
        store = self._store
        shared = store.palettes == "shared"
        with m.Switch(self.part):
            for column, feature in enumerate(self.features):
                m.submodules[f"palettes{column}"] = palettes = Banks([store.value_bits], store.palette_depth)
                code = codes.word_select(column, store.bits)
                m.d.comb += [
                    palettes.move.eq(self.move),
                    palettes.write_data.eq(self.write.data),
                    palettes.write.eq(self.write.palettes & (shared | (self.part == column))),
                    feature.eq(palettes.data.as_signed()),
                ]
                here, asked = Cat(self.code, self.place.transfer), Cat(code, transfer)
                if shared:
                    here, asked = self.code, code
                m.d.comb += [palettes.write_address.eq(here), palettes.address.eq(Mux(self.by_host, here, asked))]
                with m.Case(column):
                    m.d.comb += self.palette_word.eq(palettes.data)

    def _labels(self, m: Module) -> None:
        m.submodules.labels = labels = Banks([self._label_bits], self._store.samples)
        m.d.comb += [
            labels.move.eq(self.move),
            labels.address.eq(self.place.sample),
            labels.write_address.eq(self.place.sample),
            labels.write_data.eq(self.write.data),
            labels.write.eq(self.write.labels),
            self.label_word.eq(labels.data),
            self.label.eq(later(m, labels.data, FETCH_LATENCY - BANK_LATENCY, self.move, name="label")),
        ]
