"""How a board shows itself on USB, and which endpoints carry its bytes."""

from __future__ import annotations

VENDOR_ID, PRODUCT_ID = 0x1209, 0x0001
"""Of pid.codes, for prototypes: whose a device is, its manufacturer's name tells."""
MANUFACTURER = "Presparse"
ENDPOINT = 1
"""Number of the two bulk endpoints: 0x01 to the board, 0x81 to the host."""
PACKET_BYTES = 512
"""Of a full packet at high speed."""
_LONGEST_NAME = 126
"""Characters of a string descriptor."""


def product_name(board: str, network: str) -> str:
    """The product's name: "ecpix5-85f digits"."""
    return f"{board} {network}"[:_LONGEST_NAME]
