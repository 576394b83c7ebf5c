"""botocore clients, made late, with limits that suit a scheduler and without work that we do not need."""

from functools import lru_cache
from typing import Any

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 1, 4, 3
POOL = 32


@lru_cache(maxsize=8)
def client(service: str) -> Any:
    """The process's client of `dynamodb` or `sqs`; where to and as whom is told by the usual AWS variables."""
    return make_client(service)


def make_client(service: str, **where: str) -> Any:
    """A client of `dynamodb` or `sqs`: `where` is botocore's region_name, endpoint_url and so on.

    Parameters are not validated on the way out: they come from our own code, and the check doubles a batch's cost.
    """
    from chalicelib.aws.lean import LeanSerializer, OneEndpoint
    from chalicelib.aws.signing import Signer

    made = _session().create_client(service, config=_config(), **where)
    # botocore has no other way to these; without them all works, slower
    made._serializer = LeanSerializer()
    made._ruleset_resolver = OneEndpoint(made._ruleset_resolver)
    stock = made._request_signer
    made.meta.events.unregister(f"request-created.{service}", stock.handler)
    made.meta.events.register_first(
        f"request-created.{service}", Signer(stock._credentials, service, made.meta.region_name)
    )
    return made


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
