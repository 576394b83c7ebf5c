"""Buckets of a stage that goes: CloudFormation deletes none that holds anything."""

from collections.abc import Iterator
from typing import Any


def empty(s3: Any, name: str) -> int:
    """Delete all files and unfinished uploads of a bucket without versions; how many files there were."""
    count = 0
    for keys in _pages(s3, name):
        s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
        count += len(keys)
    for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    return count


def _pages(s3: Any, name: str) -> Iterator[list[str]]:
    """Keys, a thousand at a time: what a delete takes."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        if page.get("Contents"):
            yield [each["Key"] for each in page["Contents"]]
