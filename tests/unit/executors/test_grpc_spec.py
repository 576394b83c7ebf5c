"""What a grpc job may be, and what it may not."""

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.executors.grpc.spec import SPEC, Config, target

GOOD: dict[str, Any] = {"host": "grpc.example.com", "service": "shop.v1.Reports", "method": "Create"}


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"host": "https://x"}, "host name or an IP address"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"service": "shop/Reports"}, "pattern"),
        ({"service": "shop.v1.Reports\n"}, "pattern"),
        ({"method": "Create/../Drop"}, "pattern"),
        ({"request": {"x": "y" * 140_000}}, "longer than 131072 bytes"),
        ({"request": []}, "valid dictionary"),
        ({"metadata": {"Authorization": "x"}}, "must be lower-case"),
        ({"metadata": {"grpc-timeout": "1S"}}, "none of gRPC's own names"),
        ({"metadata": {"te": "x"}}, "none of gRPC's own names"),
        ({"metadata": {"a": "b\r\nc"}}, "printable ASCII"),
        ({"metadata": {"a": "ä"}}, "printable ASCII"),
        ({"metadata": {"a-bin": "not base64!"}}, "must be base64"),
        ({"descriptors": "not base64!"}, "must be base64"),
        ({"descriptors": "AAAA" * 40_000}, "at most 131072 characters"),
        ({"expected_codes": []}, "at least 1 item"),
        ({"expected_codes": ["FINE"]}, "Input should be"),
        ({"max_messages": 10_001}, "less than or equal to 10000"),
        ({"max_message_bytes": 20_000_000}, "less than or equal to 16777216"),
        ({"verify": False}, "Extra inputs"),
    ],
)
def test_what_is_no_call_is_refused_when_the_job_is_saved(others: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Config.model_validate(GOOD | others)


@pytest.mark.parametrize(
    ("others", "address"),
    [
        ({}, ("grpc.example.com", 443)),
        ({"tls": None}, ("grpc.example.com", 80)),
        ({"port": 50_051}, ("grpc.example.com", 50_051)),
    ],
)
def test_the_port_follows_from_tls(others: dict[str, Any], address: tuple[str, int]) -> None:
    assert Config.model_validate(GOOD | others).address == address


def test_limits_know_a_server_by_its_host() -> None:
    assert target(GOOD | {"host": "GRPC.Example.com."}) == "grpc.example.com"
    assert target({}) is None
    assert SPEC.target(SPEC.example) == "grpc.example.com"
