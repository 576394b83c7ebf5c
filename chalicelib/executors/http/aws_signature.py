"""Requests that AWS's own services take: signed by Signature Version 4, as the job's role."""

from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from chalicelib.domain.masking import Masks
from chalicelib.executors.base import Call
from chalicelib.executors.http.auth import SigV4
from chalicelib.executors.http.exchange import url_of
from chalicelib.executors.http.redirects import Request
from chalicelib.ports.cloud import Unsigned

_SET_BY_THE_SIGNER = ("x-amz-date", "x-amz-security-token", "x-amz-content-sha256")


def signed_for_aws(call: Call, request: Request, auth: SigV4) -> tuple[Request, Masks]:
    """The request with its signature, and masks for what must not be shown of it. CloudError."""
    url = _unambiguous(url_of(request))
    covered = {name: value for name, value in request.all_headers().items() if _is_covered(name)}
    unsigned = Unsigned(request.method, url, covered, request.body or b"")
    signature = call.cloud.signed(unsigned, service=auth.service, role_arn=auth.role_arn, region=auth.region)
    ours = {name.lower() for name in signature}
    headers = {name: value for name, value in request.headers.items() if name.lower() not in ours}
    shown = ("x-amz-date", "x-amz-content-sha256")
    hidden = [value for name, value in signature.items() if name.lower() not in shown]
    return replace(request, url=url, headers=headers | signature), Masks(hidden)


def _is_covered(name: str) -> bool:
    """AWS wants all of its own headers to be signed."""
    lower = name.lower()
    return lower == "content-type" or (lower.startswith("x-amz-") and lower not in _SET_BY_THE_SIGNER)


def _unambiguous(url: str) -> str:
    """With spaces in the query as AWS reads them."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=parts.query.replace("+", "%20")))
