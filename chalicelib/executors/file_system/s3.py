"""Files of a bucket, as the role that the job names."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BufferedIOBase, BufferedReader, RawIOBase
from typing import Any

from chalicelib.executors.file_system.locations import Location, matches
from chalicelib.executors.file_system.stores import CHUNK_BYTES, Entry, counted
from chalicelib.ports.cloud import CloudError

PART_BYTES = 8 << 20
MAX_COPY_BYTES = 5 << 30
"""What S3 copies by itself in one request."""
_MISSING = ("404", "NoSuchKey", "NotFound")


class S3Store:
    """The files of one bucket. `client` has the methods of botocore's, and raises CloudError."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self.bucket = client, bucket

    def entries(self, place: Location) -> Iterator[Entry]:
        if not place.is_pattern:
            found = self.find(place.path)
            yield from [found] if found else ()
            return
        listed = (entry for entry in counted(self._listed(place.fixed)) if matches(place.path, entry.path))
        yield from listed

    def find(self, path: str) -> Entry | None:
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=path)
        except CloudError as error:
            if error.status == 404 or error.code in _MISSING:
                return None
            raise
        return _entry(path, found["ContentLength"], found)

    def read(self, path: str) -> Iterator[bytes]:
        body = self._client.get_object(Bucket=self.bucket, Key=path)["Body"]
        try:
            yield from body.iter_chunks(CHUNK_BYTES)
        finally:
            body.close()

    def opened(self, path: str) -> BufferedIOBase:
        return BufferedReader(_Ranges(self._client, self.bucket, path), CHUNK_BYTES)

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        upload = _Upload(self._client, {"Bucket": self.bucket, "Key": path})
        part = bytearray()
        try:
            for chunk in chunks:
                part += chunk
                if len(part) >= PART_BYTES:
                    upload.add(part)
                    part = bytearray()
            upload.finish(part)
        except BaseException:
            upload.abort()
            raise

    def copy_within(self, entry: Entry, bucket: str, path: str) -> None:
        """A file of this bucket to another place on S3, by S3 itself; refused if it has changed since it was listed."""
        source = {"Bucket": self.bucket, "Key": entry.path}
        self._client.copy_object(Bucket=bucket, Key=path, CopySource=source, CopySourceIfMatch=entry.mark)

    def delete(self, path: str) -> None:
        self._client.delete_object(Bucket=self.bucket, Key=path)

    def _listed(self, prefix: str) -> Iterator[Entry]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for each in page.get("Contents", ()):
                if not each["Key"].endswith("/"):
                    yield _entry(each["Key"], each["Size"], each)


class _Upload:
    def __init__(self, client: Any, where: dict[str, str]) -> None:
        self._client, self._where = client, where
        self._id: str | None = None
        self._parts: list[dict[str, Any]] = []

    def add(self, content: bytearray) -> None:
        if self._id is None:
            self._id = self._client.create_multipart_upload(**self._where)["UploadId"]
        number = len(self._parts) + 1
        made = self._client.upload_part(
            **self._where, UploadId=self._id, PartNumber=number, Body=bytes(content)
        )
        self._parts.append({"PartNumber": number, "ETag": made["ETag"]})

    def finish(self, rest: bytearray) -> None:
        if self._id is None:
            self._client.put_object(**self._where, Body=bytes(rest))
            return
        if rest:
            self.add(rest)
        self._client.complete_multipart_upload(
            **self._where, UploadId=self._id, MultipartUpload={"Parts": self._parts}
        )

    def abort(self) -> None:
        if self._id is not None:
            with suppress(CloudError):
                self._client.abort_multipart_upload(**self._where, UploadId=self._id)


class _Ranges(RawIOBase):
    """A file that is read here and there, a range a request."""

    def __init__(self, client: Any, bucket: str, path: str) -> None:
        self._client, self._where, self._at = client, {"Bucket": bucket, "Key": path}, 0
        self._size = int(client.head_object(**self._where)["ContentLength"])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        found = self._client.get_object(**self._where, Range=f"bytes={self._at}-{end - 1}")["Body"]
        content = found.read()
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def _entry(path: str, size: int, found: dict[str, Any]) -> Entry:
    modified_ms = round(found["LastModified"].timestamp() * 1000)
    return Entry(path, int(size), modified_ms, str(found.get("ETag", "")))
