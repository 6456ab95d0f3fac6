"""`presparse serve`: a board, or the simulation, for other computers."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from presparse import opening
from presparse.cli.opened_device import checked_bundle
from presparse.contract.network import Network
from presparse.device.links.greeting import TOKEN
from presparse.device.links.link import Link
from presparse.device.serving import IDLE, Server
from presparse.device.session import Session
from presparse.errors import ArgumentError
from presparse.support.interrupts import noted_interrupts
from presparse.terminal.options import DEFAULT_DEVICE, AsJson, Bundle, NetworkName
from presparse.terminal.output import bar, counted, put, say
from presparse.validation import checked_number

NAME = "serve"
PORT = 7780
LONGEST_IDLE = 86_400.0
_SHORTEST_TOKEN = 16


def run(
    network: NetworkName,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            "-d",
            help="sim (the simulated board), a board such as ulx3s-85f, serial:PORT, or tcp:HOST:PORT again.",
        ),
    ] = DEFAULT_DEVICE,
    bundle: Bundle = None,
    host: Annotated[
        str, typer.Option(help="Address of this computer to serve at; 0.0.0.0 is all of them.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port; 0: any that is free.", min=0, max=65535)] = PORT,
    idle: Annotated[
        float,
        typer.Option(
            help=f"Seconds without a byte after which a host is let go, if another asks (1 to {LONGEST_IDLE:,.0f})."
        ),
    ] = IDLE,
    as_json: AsJson = False,
) -> None:
    """Serve a device as tcp:HOST:PORT, to one host at a time, until Ctrl-C or SIGTERM.

    Others are told that it is in use, by whom and since when; a host that is silent for --idle seconds makes room for
    the next that asks. At any other address than this computer's own a token is needed: that in the environment
    variable PRESPARSE_TOKEN, else a new one, which is shown once; hosts put it into the same variable. Bytes are not
    encrypted: where others listen, go through `ssh -L`. With --json the object comes when it begins to serve.
    """
    token = os.environ.get(TOKEN, "")
    if token and len(token) < _SHORTEST_TOKEN:
        raise ArgumentError(f"{TOKEN} must have at least {_SHORTEST_TOKEN} characters; unset it to have one made")
    idle = checked_number("--idle", idle, 1.0, LONGEST_IDLE)
    link = _board(device, checked_bundle(bundle, Network.load(network)))
    with closing(link), _listening(host, port) as listener, noted_interrupts() as ending:
        ending.hold()
        address, port = listener.getsockname()[:2]
        local = ipaddress.ip_address(address)
        made = not token and not local.is_loopback
        if made:
            token = secrets.token_urlsafe(24)
        server = Server(link, listener, token=token, idle=idle, told=say)
        name = socket.gethostname() if local.is_unspecified else f"[{address}]" if local.version == 6 else address
        where = f"tcp:{name}:{port}"
        figures = {"device": device, "network": network, "served": where, "host": address, "port": port}
        put(
            figures | {"token": token if made else None},
            as_json=as_json,
            text=f"{device} is served as {where}" + (f"; hosts need {TOKEN}={token}" if made else ""),
        )
        server.run(ending.wanted)
    say(f"ended; {counted(server.hosts, 'host')} had the board")


def _board(device: str, source: Network | Path) -> Link:
    """The bare link to a device, which answered as a board of this network or bundle."""
    with bar(f"opening {device}") as shown:
        options: dict[str, object] = {"progress": shown.note} if device == "sim" else {}
        open_link, build = opening.opener(device, source, **options)
        link = open_link()
        Session(lambda: link, build)  # closes the link if it is another board, or none
    return link


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Raises ArgumentError if this computer does not have the address, or another program the port."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        raise ArgumentError(
            f"cannot listen at {host!r}, port {port} ({error}); give --host an address of this computer, and --port "
            f"one that is free (0: any)"
        ) from error
    with listener:
        yield listener
