"""The board's end of the link: bytes in, requests executed on the core, bytes out (docs/protocol.md)."""
