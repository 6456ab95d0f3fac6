"""The table of operations is whole, and docs/protocol.md shows it as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from presparse.contract.operations import MAX_PAYLOAD, OPERATIONS, STATUSES, Operation, Payload, Status

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"


def table(*rows: Sequence[str]) -> str:
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def operations() -> str:
    """The table of requests."""
    rows = [
        (
            operation.name,
            f"0x{operation:02X}",
            payload(exchange.request),
            payload(exchange.answer),
            "with a store" if exchange.store_only else "all",
            f"drained ({exchange.drained})"
            if exchange.drained == "but for counters"
            else exchange.drained and "drained",
            exchange.half_record,
            "yes" if exchange.during_run else "no",
            ", ".join(status.name for status in sorted(exchange.statuses - {Status.OK})),
        )
        for operation, exchange in OPERATIONS.items()
    ]
    head = ("operation", "code", "payload", "answer's payload", "boards", "needs the pipeline")
    return table((*head, "half-received record", "during a run", "may be refused with"), *rows)


def payload(content: Payload) -> str:
    parts = [f"{name.replace('_', ' ')} {kind}" for name, kind in content.fields.items()]
    if content.items:
        parts.append(f"{content.least}..{content.most} {content.items}")
    return ", ".join(parts) or "none"


def statuses() -> str:
    """The table of statuses."""
    return table(("status", "code", "when"), *((s.name, str(s.value), meaning.text) for s, meaning in STATUSES.items()))


@pytest.mark.parametrize(("name", "wanted"), [("operations", operations()), ("statuses", statuses())])
def test_the_documented_tables_are_these(name: str, wanted: str) -> None:
    text = PROTOCOL.read_text()
    shown = text[text.index(f"<!-- {name}") :].split("-->\n", 1)[1].split("\n<!-- end -->", 1)[0]
    assert shown == wanted, f"docs/protocol.md must show:\n{wanted}"


def test_every_operation_and_status_is_in_its_table() -> None:
    assert list(OPERATIONS) == list(Operation)
    assert list(STATUSES) == list(Status)
    assert [status for status in Status if not STATUSES[status].mend] == [Status.OK]


def test_payloads_fit_a_frame() -> None:
    for exchange in OPERATIONS.values():
        for content in (exchange.request, exchange.answer):
            assert content.lengths[-1] <= MAX_PAYLOAD
            assert sum(content.field_bytes.values()) == content.layout.size


def test_lengths_of_payloads() -> None:
    assert OPERATIONS[Operation.READ].request.lengths == range(6, 7)
    assert list(OPERATIONS[Operation.WRITE].request.lengths)[:3] == [8, 12, 16]
    assert OPERATIONS[Operation.SAMPLES].request.lengths == range(1, 1025)
    assert OPERATIONS[Operation.IDENTIFY].answer.lengths == range(56, 57)
    assert OPERATIONS[Operation.RUN].request.lengths == range(16, 17)
    assert 0 in OPERATIONS[Operation.RESULTS].answer.lengths
