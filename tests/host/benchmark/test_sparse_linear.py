"""One layer beside the masked one: the same edges, exact bytes, ratios of the rounds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from presparse.benchmark.errors import BenchmarkError
from presparse.benchmark.sparse_linear import Comparison, compare
from presparse.train.sparse_linear import SparseLinear


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def compared(left: int, right: int, density: float, *, batch: int) -> Comparison:
    return compare(left, right, density, batch=batch, rounds=1, seconds=0.001)


@pytest.mark.parametrize(
    ("left", "right", "in_degree", "batch", "saved"),
    [
        (40, 20, 10, 8, 4 * 40 * 20),  # scattered: the matrix
        (40, 20, 10, 1, 4 * 20 * 10),  # gathered: every edge's input
        (512, 512, 64, 8, 0),  # compressed: nothing besides the input and the edges
    ],
)
def test_bytes_are_counted_exactly(left: int, right: int, in_degree: int, batch: int, saved: int) -> None:
    found = compared(left, right, in_degree / left, batch=batch)
    edges = right * in_degree
    assert (found.left, found.right, found.batch, found.edges) == (left, right, batch, edges)
    assert found.density == in_degree / left
    step = 2 * 4  # Adam counts its steps per parameter
    assert found.sparse.held_bytes == 4 * 4 * (edges + right) + step + 8 * edges
    assert found.masked.held_bytes == 4 * 4 * (left * right + right) + step + 4 * left * right
    assert found.sparse.saved_bytes == saved
    assert found.masked.saved_bytes == 4 * left * right


def test_ratios_are_those_of_the_times() -> None:
    found = compared(40, 20, 0.25, batch=8)
    assert min(found.sparse.pass_seconds, found.masked.step_seconds) > 0
    assert found.times_pass == pytest.approx(found.masked.pass_seconds / found.sparse.pass_seconds)
    assert found.times_step == pytest.approx(found.masked.step_seconds / found.sparse.step_seconds)


def test_a_layer_that_computes_something_else_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SparseLinear, "forward", lambda layer, x: x @ x.new_zeros(40, 20))
    with pytest.raises(BenchmarkError, match="SparseLinear 40 -> 20 and the masked layer give different outputs"):
        compared(40, 20, 0.25, batch=8)
