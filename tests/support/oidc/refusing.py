"""A provider on the loopback that can be found, and takes no code."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.http_servers import Talk, serving


@contextmanager
def refusing_provider() -> Iterator[str]:
    """Its issuer, until the end of the block."""

    def script(talk: Talk) -> None:
        issuer = f"http://127.0.0.1:{talk.connection.getsockname()[1]}"
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        document = {"issuer": issuer, **{name: f"{issuer}/{place}" for name, place in places.items()}}
        while talk.read():
            talk.answer("200 OK", json.dumps(document).encode(), "Content-Type: application/json")

    with serving(script) as server:
        yield server.url("")
