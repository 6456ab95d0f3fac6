"""What a host and `presparse serve` say to one another before the first byte of the board (docs/protocol.md, Over TCP).

Lines of ASCII. The server begins, and gives no more away than that it is one:

    server: presparse 1 NEED NONCE      NEED is "open" or "token"; NONCE is new each time
    host:   PROOF                       HMAC-SHA256 of the line above, with the token as its key
    server: ready                       all that follows are the board's bytes
            in use TEXT                 by whom, since when: to those alone who have the token
            refused                     the proof is wrong

So the token itself never crosses the network, and a proof that was overheard proves nothing the next time.
"""

from __future__ import annotations

import hmac
import secrets

TOKEN = "PRESPARSE_TOKEN"
"""The environment variable, of server and host, that holds the token."""
PREFIX = b"presparse "
LONGEST = 300
"""Bytes of a line."""
READY, IN_USE, REFUSED = b"ready", b"in use ", b"refused"
_VERSION = b"1"


def hello(token: str) -> bytes:
    """A server's first line."""
    need = b"token" if token else b"open"
    return b" ".join((PREFIX.strip(), _VERSION, need, secrets.token_hex(16).encode()))


def is_spoken(line: bytes) -> bool:
    """Whether the server of this first line speaks as this Presparse does."""
    return line.split()[:2] == [PREFIX.strip(), _VERSION]


def needs_token(line: bytes) -> bool:
    """Whether the server of this first line wants a proof."""
    return line.split()[2:3] == [b"token"]


def proof(line: bytes, token: str) -> bytes:
    """A host's answer to a first line."""
    return hmac.new(token.encode(errors="surrogateescape"), line, "sha256").hexdigest().encode()


def proves(answer: bytes, line: bytes, token: str) -> bool:
    """Whether the answer to a first line shows that its sender has the token, if there is one."""
    return not token or hmac.compare_digest(answer, proof(line, token))
