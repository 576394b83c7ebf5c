"""Files in a folder that stands for the mount, or in a bucket of moto's."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.ports.cloud import Cloud, NoCloud
from tests.support.aws import moto
from tests.support.calls import LOOPBACK, call_of, perform
from tests.support.moto_cloud import MotoCloud

ROLE, BUCKET, TENANT = "arn:aws:iam::123456789012:role/files", "files-bucket", "default"


@dataclass
class Files:
    """Where the jobs of a test find their files. `base` is what locations begin with."""

    base: str
    mount: Path
    s3: Any = None
    cloud: Cloud = field(default_factory=NoCloud)

    @property
    def root(self) -> Path:
        return self.mount / TENANT

    def put(self, path: str, content: bytes = b"x") -> None:
        if self.s3:
            self.s3.put_object(Bucket=BUCKET, Key=path, Body=content)
            return
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(content)

    def all(self) -> dict[str, bytes]:
        """Every file by its path."""
        if self.s3:
            listed = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
            return {
                each["Key"]: self.s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
                for each in listed
            }
        found = (path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found}

    def run(self, *, seconds: float = 30, **operation: Any) -> Outcome:
        """A job's outcome; locations without a scheme lie here."""
        for name in ("source", "to"):
            if name in operation and "://" not in operation[name]:
                operation[name] = self.base + operation[name]
        config = {"operation": operation, "role_arn": ROLE}
        settings = replace(LOOPBACK, mount=str(self.mount))
        call = call_of("file_system", config, seconds=seconds, settings=settings, cloud=self.cloud)
        return perform(call, "file_system")

    def result(self, **operation: Any) -> dict[str, Any]:
        outcome = self.run(**operation)
        assert isinstance(outcome, Succeeded), outcome
        return outcome.result

    def failure(self, **operation: Any) -> Failed:
        outcome = self.run(**operation)
        assert isinstance(outcome, Failed), outcome
        return outcome


@pytest.fixture
def local(tmp_path: Path) -> Files:
    (tmp_path / TENANT).mkdir()
    return Files("file:///", tmp_path)


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Files]:
    with moto() as made:
        client = made("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield Files(f"s3://{BUCKET}/", tmp_path, client, MotoCloud(client))


@pytest.fixture(params=["local", "s3"])
def files(request: pytest.FixtureRequest) -> Files:
    found: Files = request.getfixturevalue(request.param)
    return found
