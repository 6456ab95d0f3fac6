"""Where board.c has a junction's neurons and edges: in vectors of some right neurons and two edges of each.

A lane reads its own bank alone, so the edges that right neurons have in one lane, or in two neighbors, find their
inputs in a few rows: these fit in a register, from which one permutation takes them (NEAR). In a dense junction all
right neurons read the same inputs, in order; edges that are none have a mask, and BP works on the same vectors (SAME).
Then a vector has one left neuron's edges to many right neurons or, of two edges each, many left neurons' to two right
neurons. What is neither is read from memory, wherever it is (FAR).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from presparse.contract.network import Junction
from presparse.model import Model

Kind = Literal["near", "far", "same"]
KINDS: tuple[Kind, ...] = ("near", "far", "same")
"""In the order of board.c."""
_COST: dict[Kind, float] = {"near": 1, "far": 6, "same": 1.5}
"""Of an edge, FF and UP; of SAME also those that are none."""
_BACK_COST: dict[Kind, float] = {"near": 30, "far": 30, "same": 1}
"""Of the same in BP."""


@dataclass(frozen=True)
class Vectors:
    """What the library that was compiled makes of a vector."""

    right: int
    """Right neurons in one."""
    tile: int
    """Vectors that are worked on at once, at most."""
    own_banks: bool = False
    """NEAR takes the first and the second edges of a tile's two vectors each from a bank of their own: avx2.h."""
    edges: int = 2
    """Of each right neuron in a vector: 1 or 2."""
    packed: bool = False
    """The numbers of NEAR's two vectors share 16 bits, and the masks of SAME are bits: avx512.h."""
    near_inputs: int = 32
    """From which NEAR takes."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One junction's, with the clash-free pattern `left` (right, in_degree)."""

    junction: Junction
    left: NDArray[np.int64]
    vectors: Vectors
    before: Layout | None
    """Of the junction before, if there is one."""
    kind: Kind

    @classmethod
    def cheapest(cls, junction: Junction, left: NDArray[np.int64], vectors: Vectors, before: Layout | None) -> Layout:
        """Of the kinds that are possible."""
        layouts = [cls(junction=junction, left=left, vectors=vectors, before=before, kind=kind) for kind in KINDS]
        return min((layout for layout in layouts if layout.possible), key=lambda layout: layout.cost)

    @property
    def possible(self) -> bool:
        return self.kind != "near" or self._numbers.max() < self.vectors.near_inputs

    @property
    def cost(self) -> float:
        back = _BACK_COST[self.kind] if self.junction.index > 1 else 0
        return self.size * (_COST[self.kind] + back)

    @property
    def groups(self) -> int:
        """Right neurons r with the same r % groups have their edges in the same lanes."""
        return 1 if self.kind == "same" else self.junction.group

    @property
    def pairs(self) -> int:
        """Of edges of every right neuron, or single ones if a vector has one of each.

        Of SAME, of left neurons, as many as fill vectors of BP's sums.
        """
        if self.kind == "same":
            return (
                _up(self.before.right if self.before else self.junction.left, self.vectors.right) // self.vectors.edges
            )
        return -(-self.junction.in_degree // self.vectors.edges)

    @property
    def tile(self) -> int:
        """Vectors in a tile."""
        if self._across:
            return 1
        if self._own_banks:
            return 2
        vectors = -(-self.junction.right // self.groups // self.vectors.right)
        return min(self.vectors.tile, 1 << (vectors - 1).bit_length())

    @property
    def tiles(self) -> int:
        """In a group."""
        return _up(self.junction.right // self.groups, self.tile * self.vectors.right) // (
            self.tile * self.vectors.right
        )

    @property
    def right(self) -> int:
        """Places of right neurons."""
        return self.groups * self.tiles * self.tile * self.vectors.right

    @property
    def size(self) -> int:
        """Places of edges."""
        return self.right * self.pairs * self.vectors.edges

    @property
    def sources(self) -> NDArray[np.int64]:
        """(left,): where the left neurons come from, among the right neurons before or in order."""
        return self.before.right_places if self.before else np.arange(self.junction.left)

    @property
    def places(self) -> NDArray[np.int64] | None:
        """Where the inputs go that come, those that are no neurons behind all others; None: they stay in order."""
        if self.kind == "same":
            return None
        places = np.full(self.before.right if self.before else self.junction.left, self.inputs - 1)
        places[self.sources] = self._place(np.arange(self.junction.left))
        return places

    @property
    def inputs(self) -> int:
        """Places of inputs: zeros behind the last, as many as one permutation may read too far, and an edge that is
        none reads."""
        banks = 0 if self.kind == "same" else int(self._bank(np.array(self.junction.lanes))) * self.junction.rows
        return _up(
            max(self.pairs * self.vectors.edges, banks) + 4 * max(self.junction.rows, self.vectors.near_inputs), 64
        )

    @property
    def transposed_rows(self) -> int:
        """Rows, if inputs that come in order get to their places by a transposition, of pairs if two lanes' banks are
        interleaved; else 0."""
        j = self.junction
        power_of_two = j.rows & (j.rows - 1) == 0
        in_columns = self._interleaved or (self._own_banks and self._own_lanes % 2 == 0)
        return j.rows if self.kind != "same" and in_columns and power_of_two and j.rows > 1 else 0

    @property
    def right_places(self) -> NDArray[np.int64]:
        """(right,): of the right neurons."""
        r = np.arange(self.junction.right)
        return r % self.groups * (self.right // self.groups) + r // self.groups

    @property
    def edge_places(self) -> NDArray[np.int64]:
        """(right, in_degree): of the edges."""
        if self._across:
            return self._places_across(self.sources[self.left])
        if self.kind == "same":
            return self._edge_places(self.sources[self.left])
        return self._edge_places(np.broadcast_to(self._order, self.left.shape))

    @property
    def first(self) -> NDArray[np.int64]:
        """(groups, pairs): the input from which on those of a pair of edges are numbered; with banks of their own
        (groups, pairs, 2)."""
        if self.kind == "same":
            return self.vectors.edges * np.arange(self.pairs)
        return np.repeat(self._first, 2, axis=1) if self.vectors.own_banks and self.kind == "far" else self._first

    @property
    def index(self) -> NDArray[np.int64]:
        """(size,), or less if packed: the number of every edge's input; of SAME -1, and 0 where there is no edge."""
        index = np.zeros(self.size, dtype=np.int64)
        if self.kind == "same":
            index[self.edge_places] = -1
            return _in_bits(index) if self.vectors.packed else index
        index[self.edge_places] = self._numbers[:, : self.junction.in_degree]
        if self._missing:
            missing = np.full((self.junction.right, 1), self.junction.in_degree)
            index[self._edge_places(missing)] = self._numbers[:, -1:]
        if self.kind == "near" and self.vectors.packed and self.tile == 2:
            first, second = index.reshape(-1, 2, self.vectors.right * self.vectors.edges).swapaxes(0, 1)
            return (first + (second << 8)).reshape(-1)
        return self._bytes_of_banks(index) if self._own_banks else index

    @property
    def holes(self) -> bool:
        """Of SAME: not all places have an edge."""
        return self.junction.edges < self.size

    @property
    def back(self) -> NDArray[np.int64]:
        """(size,): where BP adds every edge's product, among the right neurons before; weights of none are 0."""
        back = np.zeros(self.size, dtype=np.int64)
        back[self.edge_places] = self.sources[self.left]
        return back

    def _edge_places(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """(right, k): of every right neuron's edges with these numbers, in their order (right, k)."""
        at, edges = self.right_places[:, None], self.vectors.edges
        in_vector, vector = at % self.vectors.right, at // self.vectors.right
        in_tile, tile = vector % self.tile, vector // self.tile
        vector = (tile * self.pairs + order // edges) * self.tile + in_tile
        return (vector * self.vectors.right + in_vector) * edges + order % edges

    def _bytes_of_banks(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of every tile the first edges' numbers, then the second ones', as avx2.h unpacks them: of the input's two
        bytes within 8 inputs, and bit 7 for those behind."""
        ordered = index.reshape(-1, 2, 2, self.vectors.right // 2, 2).transpose(0, 4, 2, 1, 3).reshape(-1)
        byte = 2 * ordered % 16 + ordered // 8 * 128
        numbers = byte + ((byte + 1) << 8)
        return numbers - (numbers >> 15 << 16)  # in 16 bits with a sign

    def _places_across(self, left: NDArray[np.int64]) -> NDArray[np.int64]:
        """(right, in_degree): of every right neuron's edges from these places (right, in_degree) of left neurons."""
        r, many = np.arange(self.junction.right)[:, None], self.vectors.right
        vector = r // many * (2 * self.pairs // many) + left // many  # of `many` right neurons, as many left ones
        return ((vector * (many // 2) + r % many // 2) * many + left % many) * 2 + r % 2

    @property
    def _own_banks(self) -> bool:
        return self.kind == "near" and self.vectors.own_banks

    @property
    def _across(self) -> bool:
        """Vectors lie across left neurons."""
        return self.kind == "same" and self.vectors.edges == 2

    @property
    def _missing(self) -> int:
        """Edges of a right neuron's last pair."""
        return self.pairs * self.vectors.edges - self.junction.in_degree

    @property
    def _own_lanes(self) -> int:
        """Lanes of a group."""
        return min(self.junction.lanes, self.junction.in_degree)

    @property
    def _order(self) -> NDArray[np.int64]:
        """(in_degree,): a right neuron's edges lane by lane."""
        k = np.arange(self.junction.in_degree)
        return k % self._own_lanes * self.junction.cycles_per_step + k // self._own_lanes

    @property
    def _interleaved(self) -> bool:
        """Two lanes' banks are interleaved, row by row, so that inputs that come in order stay in pairs."""
        return (
            self.vectors.edges == 2
            and not self._own_banks
            and self._own_lanes % 2 == 0
            and (self.junction.cycles_per_step == 1 or self.junction.cycles_per_step % 2 == 0)
        )

    def _bank(self, lane: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which bank a lane's is: behind each group of an odd number of them there is one of zeros."""
        return lane if self._own_lanes % 2 == 0 else lane + lane // self._own_lanes

    def _place(self, left: NDArray[np.int64]) -> NDArray[np.int64]:
        bank, row, rows = self._bank(left % self.junction.lanes), left // self.junction.lanes, self.junction.rows
        return (bank // 2 * rows + row) * 2 + bank % 2 if self._interleaved else bank * rows + row

    @cached_property
    def _first(self) -> NDArray[np.int64]:
        """(groups, pairs), or (groups, edges) where each counts from its own bank."""
        j = self.junction
        edge = np.arange(2 * self.pairs) if self._own_banks else self.vectors.edges * np.arange(self.pairs)
        lane = np.minimum(edge, j.in_degree - 1) // j.cycles_per_step
        bank = self._bank(np.arange(self.groups)[:, None] * self._own_lanes + lane)
        bank += edge >= j.in_degree  # that of zeros
        return bank // 2 * 2 * j.rows if self._interleaved else bank * j.rows

    @cached_property
    def _numbers(self) -> NDArray[np.int64]:
        """(right, in_degree): of every edge's input, from its pair's first on; a last one of the zeros behind a group's
        banks, if an edge is missing to a pair."""
        group = np.arange(self.junction.right)[:, None] % self.groups
        numbered_from = self._order if self._own_banks else self._order // self.vectors.edges
        numbers = self._place(self.left) - self._first[group, numbered_from]
        missing = np.full((self.junction.right, self._missing), 0 if self._own_banks else self.junction.rows)
        return np.concatenate([numbers, missing], axis=1)


def layouts(model: Model, vectors: Vectors) -> Sequence[Layout]:
    """Of all junctions. The pattern is clash-free on the lanes of the model's own network."""
    found: list[Layout] = []
    for junction, left in zip(model.network.junctions, model.left, strict=True):
        found.append(Layout.cheapest(junction, left, vectors, found[-1] if found else None))
    return found


def _in_bits(mask: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sixteen per number, the lowest first."""
    return np.packbits(mask != 0, bitorder="little").view("<i2").astype(np.int64)


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
