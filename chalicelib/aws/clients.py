"""botocore clients, made late, with limits that suit a scheduler and without work that we do not need."""

from functools import lru_cache
from threading import Lock
from typing import Any

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 1, 4, 3
POOL = 32
_MAKING = Lock()
"""Attempts ask for clients in their threads, and a session of botocore makes one after the other."""


@lru_cache(maxsize=8)
def client(service: str) -> Any:
    """The process's client of a service that speaks JSON, such as `dynamodb`.

    Where to and as whom is told by the usual AWS variables.
    """
    with _MAKING:
        return make_client(service)


def credentials() -> Any:
    """The process's credentials as they are now, to sign a request with."""
    return _session().get_credentials().get_frozen_credentials()


def make_client(service: str, **where: str) -> Any:
    """A client of a service that speaks JSON: `where` is botocore's region_name, endpoint_url and so on.

    Parameters are not validated on the way out: they come from our own code, and the check doubles a batch's cost.
    """
    made = _session().create_client(service, config=_config(), **where)
    make_lean(made, service)
    return made


@lru_cache(maxsize=4)
def stock_client(service: str) -> Any:
    """The process's client of a service that does not speak JSON (`s3`), as botocore makes it."""
    with _MAKING:
        return make_stock_client(service)


def make_stock_client(service: str, **where: str) -> Any:
    """As `make_client`, with botocore's own parts. S3's addresses name their region, and are signed by version 4."""
    from botocore.config import Config

    signed = Config(signature_version="s3v4" if service == "s3" else "v4", s3={"addressing_style": "virtual"})
    return _session().create_client(service, config=_config().merge(signed), **where)


def make_lean(made: Any, service: str) -> None:
    """Put our faster parts into a client of botocore.

    They are put where botocore keeps its own, which is no promise of its makers, and the runtime's botocore changes by
    itself: a part that is not found where it was stays botocore's, and works more slowly.
    """
    from chalicelib.aws.lean import LeanSerializer, OneEndpoint
    from chalicelib.aws.signing import Signer

    if hasattr(made, "_serializer"):
        made._serializer = LeanSerializer()
    if hasattr(made, "_ruleset_resolver"):
        made._ruleset_resolver = OneEndpoint(made._ruleset_resolver)
    stock: Any = getattr(made, "_request_signer", None)
    if hasattr(stock, "_credentials") and hasattr(stock, "handler"):
        event = f"request-created.{service}"
        made.meta.events.unregister(event, stock.handler)
        made.meta.events.register_first(event, Signer(stock._credentials, service, made.meta.region_name))


@lru_cache(maxsize=1)
def _session() -> Any:
    from botocore.session import get_session

    from chalicelib.aws.lean import LeanParserFactory

    session = get_session()
    session.register_component("response_parser_factory", LeanParserFactory())
    return session


def _config() -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=POOL,
        parameter_validation=False,
        account_id_endpoint_mode="disabled",
        user_agent="chronos",
    )
