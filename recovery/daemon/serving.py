"""The daemon from its start to its end.

Lives here: `serve`, which runs an application on sockets. Must not live here: the command line, and
which sockets those are.

Source: uvicorn 0.54 server.py, protocols/http/h11_impl.py; spec admin-daemon 2.5 and 3.3.
"""

import asyncio
import socket
from typing import Final

from starlette.types import ASGIApp
from uvicorn import Config, Server

CONNECTIONS_MAX: Final = 64
HEAD_SIZE_BYTES_MAX: Final = 32 << 10
KEEP_ALIVE_S: Final = 30


def serve(application: ASGIApp, sockets: list[socket.socket]) -> None:
    """Answer requests until a signal comes.

    Args:
        application: What answers.
        sockets: Where, listening or about to.
    """
    server = Server(
        Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            limit_concurrency=CONNECTIONS_MAX,
            h11_max_incomplete_event_size=HEAD_SIZE_BYTES_MAX,
        )
    )
    asyncio.run(server.serve(sockets=sockets))
