"""Sizes of the link's memories, for gateware and for whoever counts memories without it. Imports no Amaranth."""

from __future__ import annotations

from presparse.contract.operations import MAX_PAYLOAD, Status

OFFSET_BITS = (MAX_PAYLOAD - 1).bit_length()
"""Bits of a byte's place in a payload."""
LENGTH_BITS = MAX_PAYLOAD.bit_length()
"""Bits of a payload's length in bytes, 0 .. MAX_PAYLOAD."""
REQUEST_BITS = 8 + 8 + LENGTH_BITS
"""Of a request's header that waits for execution: sequence, operation, length."""
ANSWER_BITS = REQUEST_BITS + max(Status).bit_length()
"""Of an answer's header that waits to be sent: the same, and a status."""
FRAME_RING = 512
"""Bytes of the ring in which frames are encoded: twice the longest piece, so that one is sent while the next is built.
One EBR or iCE40 block."""
COUNTER_SLICE = 16
"""Bits of a counter that are added at once."""
