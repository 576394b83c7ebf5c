"""The `file_system` type: one operation of a fixed set on files."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from chalicelib.executors.base import ExecutorSpec, Permission
from chalicelib.executors.file_system.locations import Location, location

GB = 1 << 30
ROLE = r"^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9_+=.@/-]+$"


def _location(text: str) -> str:
    location(text)
    return text


def _plain(text: str) -> str:
    if location(text).is_pattern:
        raise ValueError("must not contain wildcards")
    return text


def _file(text: str) -> str:
    if location(_plain(text)).is_folder:
        raise ValueError("must name a file, not a folder")
    return text


def _files(text: str) -> str:
    if location(text).is_folder:
        raise ValueError("must name files: end it in a name, or in `*` or `**`")
    return text


Files = Annotated[str, AfterValidator(_files)]
Place = Annotated[str, AfterValidator(_plain)]
File = Annotated[str, AfterValidator(_file)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _OfFiles(_Part):
    source: Files = Field(
        description="A file, or with `*`, `?` and `**` many: `s3://bucket/in/*.csv`, `file:///in/**`."
    )
    min_bytes: int | None = Field(None, ge=0, description="Only files of at least this size.")
    max_bytes: int | None = Field(None, ge=0, description="Only files of at most this size.")
    older_than_seconds: int | None = Field(None, ge=0, description="Only files changed longer ago.")
    newer_than_seconds: int | None = Field(None, ge=1, description="Only files changed since.")
    max_files: int = Field(
        1000, ge=1, le=10_000, description="It ends after so many, in the order of their paths."
    )


class List(_OfFiles):
    """List files with size and age."""

    do: Literal["list"]


class Check(_OfFiles):
    """Fail as `condition` unless there are as many files as there should be."""

    do: Literal["check"]
    at_least: int = Field(1, ge=0, le=10_000, description="So many files must be there.")
    at_most: int | None = Field(None, ge=0, le=10_000, description="No more than so many may be there.")


class Checksum(_OfFiles):
    """Read files and tell their checksums."""

    do: Literal["checksum"]
    algorithm: Literal["sha256", "sha1", "md5", "crc32"] = Field("sha256", description="All in hex.")
    expected: str | None = Field(
        None, max_length=64, description="Of each of the files; another one fails the attempt as `condition`."
    )


class _Changing(_OfFiles):
    dry_run: bool = Field(default=False, description="Only tell what would be done.")


class Delete(_Changing):
    """Delete files. Those that are gone already are no error."""

    do: Literal["delete"]


class Copy(_Changing):
    """Copy files, or move them: copied, compared, and then deleted."""

    do: Literal["copy", "move"]
    to: Place = Field(
        description="A file, or a folder (with a slash at its end), which keeps the paths below the first wildcard."
    )
    overwrite: Literal["always", "never", "if_different"] = Field(
        "always", description="What is done about files that are there: `if_different` compares sizes."
    )

    @model_validator(mode="after")
    def _many_need_a_folder(self) -> "Copy":
        if location(self.source).is_pattern and not location(self.to).is_folder:
            raise ValueError("to must be a folder (with a slash at its end) if source names many files")
        return self


class Archive(_Changing):
    """Put files into an archive."""

    do: Literal["archive"]
    to: File = Field(description="The archive.")
    format: Literal["zip", "tar.gz", "tar.zst"] = Field(
        "zip", description="Paths are kept below the first wildcard."
    )


class Extract(_Part):
    """Take the files out of an archive."""

    do: Literal["extract"]
    source: File = Field(description="The archive.")
    to: Place = Field(description="A folder.")
    format: Literal["zip", "tar.gz", "tar.zst"] = Field("zip", description="Of the archive.")
    max_files: int = Field(1000, ge=1, le=10_000, description="An archive with more is refused.")
    max_bytes: int = Field(GB, ge=1, le=100 * GB, description="An archive that unpacks to more is refused.")
    max_ratio: int = Field(
        200, ge=2, le=1100, description="So is one that unpacks to so many times its size."
    )

    @model_validator(mode="after")
    def _goes_to_a_folder(self) -> "Extract":
        if not location(self.to).is_folder:
            raise ValueError("to must be a folder, with a slash at its end")
        return self


class Compress(_Changing):
    """Compress each file into one of its own, named `.gz` or `.zst`; or the other way round."""

    do: Literal["compress", "decompress"]
    to: Place = Field(description="A folder, with a slash at its end.")
    format: Literal["gz", "zst"] = Field("gz", description="gzip or Zstandard.")
    max_unpacked_bytes: int = Field(GB, ge=1, le=100 * GB, description="Of one file; more is refused.")

    @model_validator(mode="after")
    def _goes_to_a_folder(self) -> "Compress":
        if not location(self.to).is_folder:
            raise ValueError("to must be a folder, with a slash at its end")
        return self


Operation = Annotated[
    List | Check | Checksum | Delete | Copy | Archive | Extract | Compress, Field(discriminator="do")
]


class Config(_Part):
    """One operation on files."""

    operation: Operation = Field(description="What to do.")
    role_arn: str | None = Field(
        None,
        max_length=640,
        pattern=ROLE,
        description="The role as which the job uses S3; needed for `s3://`.",
    )
    region: str | None = Field(
        None,
        max_length=40,
        pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$",
        description="Of the buckets; if not Chronos's own.",
    )

    @model_validator(mode="after")
    def _s3_needs_a_role(self) -> "Config":
        if self.role_arn is None and any(place.scheme == "s3" for place in self.places()):
            raise ValueError("role_arn is required for files on S3")
        return self

    def places(self) -> tuple[Location, ...]:
        """All that the operation names."""
        named = [getattr(self.operation, name, None) for name in ("source", "to")]
        return tuple(location(text) for text in named if text is not None)


SPEC = ExecutorSpec(
    type="file_system",
    config=Config,
    title="Files",
    description="Lists, checks, copies, moves, deletes, packs and unpacks files, on S3 or a mounted file system.",
    example={
        "operation": {
            "do": "delete",
            "source": "file:///tmp/**",
            "older_than_seconds": 604800,
            "max_files": 10000,
        }
    },
    permissions=(
        Permission(
            "On S3, as the role that the job names.",
            ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
        ),
        Permission(
            "A file system that the operator mounts, for `file:///`: each tenant has a folder of its own."
        ),
    ),
    errors=("file", "cloud", "condition"),
    limits=(
        "10,000 files in a run; 100,000 are looked at.",
        "Archives are refused that lead out of their folder, hold links, or unpack to more than the job allows.",
    ),
    examples={
        "What has arrived, once it is whole": {
            "name": "take-orders",
            "schedule": {"kind": "cron", "expression": "0 */5 * * * *"},
            "timeout_seconds": 300,
            "concurrency": {"policy": "forbid"},
            "config": {
                "operation": {
                    "do": "move",
                    "source": "s3://example-inbox/in/*.csv",
                    "to": "s3://example-archive/done/",
                    "older_than_seconds": 300,
                },
                "role_arn": "arn:aws:iam::123456789012:role/chronos-files",
            },
        },
        "Yesterday's logs into one archive": {
            "name": "pack-logs",
            "schedule": {"kind": "cron", "expression": "0 0 3 * * *"},
            "timeout_seconds": 600,
            "config": {
                "operation": {
                    "do": "archive",
                    "source": "file:///logs/${{ run.nominal | minus('1d') | date('%Y-%m-%d') }}/**",
                    "to": "file:///packed/${{ run.nominal | minus('1d') | date('%Y-%m-%d') }}.tar.gz",
                    "format": "tar.gz",
                }
            },
        },
        "An alarm when the nightly export is missing": {
            "name": "export-is-there",
            "schedule": {"kind": "cron", "expression": "0 0 6 * * *"},
            "config": {
                "operation": {
                    "do": "check",
                    "source": "s3://example-exports/nightly/*.parquet",
                    "newer_than_seconds": 28800,
                    "min_bytes": 1024,
                },
                "role_arn": "arn:aws:iam::123456789012:role/chronos-files",
            },
        },
    },
)
