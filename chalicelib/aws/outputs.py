"""The files of attempts on S3: stored part by part in bounded memory, handed out by links that end by themselves."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from chalicelib.aws.faults import Refused, translated
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import PART_BYTES, StoredOutput
from chalicelib.domain.run import Run
from chalicelib.ports.clock import Clock
from chalicelib.ports.outputs import LINK_SECONDS, OutputTooLarge, OutputUnavailable
from chalicelib.ports.stop import Stop

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class S3Store:
    """The bucket of a deployment. `client` gives an S3 client; it is asked when the first file is stored or linked.

    A file lies at `<tenant>/<run>/<attempt>.<fence>/<name>`: two starts of one attempt write beside each other.
    """

    client: Callable[[], Any]
    bucket: str
    clock: Clock
    max_bytes: int

    def of(self, run: Run, deadline: float, stop: Stop) -> "S3Outputs":
        """The port Outputs for one start of an attempt, which may use it until the deadline (monotonic seconds)."""
        place = f"{run.attempt}.{run.fence}"
        return S3Outputs(self, f"{run.tenant}/{run.id}", place, deadline, stop)

    def link(self, tenant: str, run_id: str, file: StoredOutput) -> str:
        """The port Links."""
        with _told():
            url: str = self.client().generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self.bucket,
                    "Key": f"{tenant}/{run_id}/{file.place}/{file.name}",
                    "ResponseContentType": file.media_type,
                    "ResponseContentDisposition": f'attachment; filename="{file.name}"',
                },
                ExpiresIn=LINK_SECONDS,
            )
        return url


@dataclass(frozen=True, slots=True)
class S3Outputs:
    """The port Outputs. `folder` is the run's, `place` the attempt's in it."""

    store_: S3Store
    folder: str
    place: str
    deadline: float
    stop: Stop

    def store(self, name: str, chunks: Iterable[bytes], media_type: str) -> StoredOutput:
        if not _NAME.fullmatch(name):
            raise ValueError(f"no name of a file: {name[:100]!r}; it must match {_NAME.pattern}")
        upload = _Upload(self.store_, f"{self.folder}/{self.place}/{name}", media_type)
        try:
            size, digest = self._fill(upload, name, chunks)
        except BaseException:
            upload.abort()
            raise
        return StoredOutput(name, size, digest, media_type, self.place)

    def _fill(self, upload: "_Upload", name: str, chunks: Iterable[bytes]) -> tuple[int, str]:
        """The file's size and checksum, when it is stored."""
        size, digest, part = 0, sha256(), bytearray()
        for chunk in chunks:
            size += len(chunk)
            if size > self.store_.max_bytes:
                raise OutputTooLarge(name, self.store_.max_bytes)
            digest.update(chunk)
            part += chunk
            if len(part) >= PART_BYTES:
                self._check_time()
                upload.add(part)
                part = bytearray()
        self._check_time()
        upload.finish(part)
        return size, digest.hexdigest()

    def _check_time(self) -> None:
        if self.stop.is_wanted or self.store_.clock.monotonic() >= self.deadline:
            raise OutputUnavailable("The attempt's time was up before its output was stored.")


class _Upload:
    """One object: put at once, or in parts if there is more than one."""

    def __init__(self, store: S3Store, key: str, media_type: str) -> None:
        self._store, self._where = store, {"Bucket": store.bucket, "Key": key}
        self._media_type = media_type
        self._id: str | None = None
        self._parts: list[dict[str, Any]] = []

    def add(self, content: bytearray) -> None:
        with _told():
            client = self._store.client()
            if self._id is None:
                begun = client.create_multipart_upload(**self._where, ContentType=self._media_type)
                self._id = begun["UploadId"]
            number = len(self._parts) + 1
            answer = client.upload_part(**self._where, UploadId=self._id, PartNumber=number, Body=content)
            self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    def finish(self, rest: bytearray) -> None:
        if self._id is None:
            with _told():
                self._store.client().put_object(**self._where, Body=rest, ContentType=self._media_type)
            return
        if rest:
            self.add(rest)
        with _told():
            self._store.client().complete_multipart_upload(
                **self._where, UploadId=self._id, MultipartUpload={"Parts": self._parts}
            )

    def abort(self) -> None:
        """Take back what was begun. Where that fails, the bucket does it by itself after a day."""
        if self._id is not None:
            with suppress(Unavailable), _told():
                self._store.client().abort_multipart_upload(**self._where, UploadId=self._id)


@contextmanager
def _told() -> Iterator[None]:
    """botocore's errors as OutputUnavailable. Of a refusal only its code: the rest names the deployment's own parts."""
    try:
        with translated("S3"):
            yield
    except Unavailable as error:
        raise OutputUnavailable(error.message) from error
    except Refused as error:
        raise OutputUnavailable(": ".join(str(error).split(": ")[:2]) + ".") from error
