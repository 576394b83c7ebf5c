"""The outbound guard on real sockets: what it has checked is what it dials."""

import socket
from ipaddress import ip_network

from chalicelib.executors.guard import Guard, Target


def test_a_name_is_resolved_once_and_the_checked_address_is_dialled() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    answers = iter([_at(listener)])  # a second question would find no answer
    rebinding = Guard((ip_network("127.0.0.0/8"),), resolver=lambda host, port, seconds: next(answers))
    with listener, rebinding.dial("rebinding.example", 80, seconds=5) as connection:
        assert connection.getpeername() == listener.getsockname()


def test_the_next_address_is_tried_when_one_refuses() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    closed: Target = (socket.AF_INET, ("127.0.0.2", listener.getsockname()[1]))
    two = Guard((ip_network("127.0.0.0/8"),), resolver=lambda host, port, seconds: [closed, *_at(listener)])
    with listener, two.dial("two.example", 80, seconds=5) as connection:
        assert connection.getpeername() == listener.getsockname()
        assert 0 < (connection.gettimeout() or 0) <= 5


def _at(listener: socket.socket) -> list[Target]:
    return [(socket.AF_INET, listener.getsockname())]
