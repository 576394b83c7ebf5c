"""The sandbox as a Lambda function, called and waited for; the connection ends when nobody waits any more."""

import json
import socket
import ssl
import threading
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

from chalicelib.aws.clients import client, credentials
from chalicelib.ports.sandbox import SandboxError
from chalicelib.ports.stop import Stop

CONNECT_SECONDS, LOOK_SECONDS, KEEP_ALIVE_SECONDS = 3, 0.2, 60
MAX_ANSWER = 6 << 20


class LambdaSandbox:
    """`function` is its name, or ARN. The tenant id of Lambda's tenant isolation is the script's owner."""

    def __init__(self, function: str) -> None:
        self._path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"

    def run(self, owner: str, event: dict[str, Any], seconds: float, stop: Stop) -> dict[str, Any]:
        """See the port."""
        until = time.monotonic() + seconds
        exchange = _Exchange(self._signed(json.dumps(event).encode(), owner), seconds)
        while not exchange.done.wait(LOOK_SECONDS):
            if stop.is_wanted:
                exchange.cut()
                raise SandboxError("stopped", "The script is not waited for any more.", retryable=False)
            if time.monotonic() > until:
                exchange.cut()
                raise SandboxError("timeout", "The sandbox did not answer in time.")
        return _understood(exchange)

    def _signed(self, body: bytes, owner: str) -> Any:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        endpoint, region, known = self._where()
        headers = {"X-Amz-Invocation-Type": "RequestResponse", "X-Amz-Tenant-Id": owner}
        request = AWSRequest("POST", endpoint.rstrip("/") + self._path, headers, body)
        SigV4Auth(known, "lambda", region).add_auth(request)
        return request.prepare()

    def _where(self) -> tuple[str, str, Any]:
        """Lambda's address, the region, and who calls."""
        meta = client("lambda").meta
        return meta.endpoint_url, meta.region_name, credentials()


class _Exchange:
    """A request under way in a thread of its own, which ends with its connection."""

    def __init__(self, request: Any, seconds: float) -> None:
        self.done, self.failure = threading.Event(), ""
        self.status, self.function_error, self.body = 0, "", b""
        self._request, self._connection = request, _connection(request.url)
        self._seconds, self._is_cut = seconds, False
        threading.Thread(target=self._run, daemon=True, name="sandbox").start()

    def cut(self) -> None:
        """Close the connection, whatever it waits for."""
        self._is_cut = True
        opened = self._connection.sock
        if opened is not None:
            try:
                opened.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def _run(self) -> None:
        connection, request = self._connection, self._request
        try:
            connection.connect()
            _keep_alive(connection.sock, self._seconds)
            if self._is_cut:
                return
            parts = urlsplit(request.url)
            connection.request("POST", parts.path, request.body, dict(request.headers.items()))
            answer = connection.getresponse()
            self.status = answer.status
            self.function_error = answer.headers.get("X-Amz-Function-Error", "")
            self.body = answer.read(MAX_ANSWER)
        except (OSError, HTTPException) as error:
            self.failure = type(error).__name__
        finally:
            connection.close()
            self.done.set()


def _connection(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    host = str(parts.hostname)
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port, timeout=CONNECT_SECONDS)
    return HTTPSConnection(host, parts.port, timeout=CONNECT_SECONDS, context=ssl.create_default_context())


def _keep_alive(opened: Any, seconds: float) -> None:
    """A long script is silent: what lies between would forget the connection."""
    opened.settimeout(seconds + CONNECT_SECONDS)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_SECONDS)


def _understood(exchange: _Exchange) -> dict[str, Any]:
    if exchange.failure:
        raise SandboxError("connection", f"The sandbox cannot be reached: {exchange.failure}.")
    if exchange.status in (429, 500, 502, 503, 504):
        raise SandboxError("busy", f"The sandbox has no place now (status {exchange.status}).")
    if exchange.status != 200:
        raise SandboxError(
            "refused", f"The sandbox cannot be called (status {exchange.status}).", retryable=False
        )
    if exchange.function_error:
        raise SandboxError("died", "The sandbox ended before the script did: was its memory enough?")
    try:
        found: dict[str, Any] = json.loads(exchange.body)
    except ValueError as error:
        raise SandboxError("connection", "The sandbox's answer was cut off.") from error
    return found
