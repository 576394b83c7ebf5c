"""Signature Version 4 for requests of jobs, by botocore."""

from typing import Any

from chalicelib.ports.cloud import Unsigned


def signed_headers(request: Unsigned, credentials: Any, service: str, region: str) -> dict[str, str]:
    """The headers to add: Authorization, X-Amz-Date, X-Amz-Security-Token, of S3 also X-Amz-Content-SHA256."""
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest

    made = AWSRequest(request.method, request.url, dict(request.headers), request.body)
    (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region).add_auth(made)
    given = {name.lower() for name in request.headers}
    return {name: str(value) for name, value in made.headers.items() if name.lower() not in given}
