"""Files on the file system that the operator mounts for jobs: each tenant has a folder of its own, and no way out."""

from pathlib import Path

from chalicelib.executors.base import ExecutorSettings

_MAX_PATH = 1024
"""Bytes, without the slashes."""
_MAX_NAME = 255
"""Bytes, as file systems have it."""


class ForbiddenPath(Exception):
    """The path leads elsewhere, or there is no mount. The message is fit for the job's owner."""


def tenant_root(settings: ExecutorSettings, tenant: str) -> Path:
    """The tenant's folder, its links resolved. ForbiddenPath if nothing is mounted."""
    if not settings.mount:
        raise ForbiddenPath("No file system is mounted for jobs in this deployment.")
    return (Path(settings.mount) / tenant).resolve()


def inside(settings: ExecutorSettings, tenant: str, path: str) -> Path:
    """The path below the tenant's folder, links resolved; it need not exist. ForbiddenPath if it leads elsewhere."""
    root = tenant_root(settings, tenant)
    sizes = [len(part.encode()) for part in Path(path).parts]
    if (
        "\x00" in path
        or sum(sizes) > _MAX_PATH
        or max(sizes, default=0) > _MAX_NAME
        or Path(path).is_absolute()
    ):
        raise ForbiddenPath("The path must be a short one below the mount, and not be absolute.")
    try:
        found = (root / path).resolve()
    except (OSError, RuntimeError) as error:  # too long, or links in a circle
        raise ForbiddenPath("The path cannot be followed.") from error
    if found == root or not found.is_relative_to(root):
        raise ForbiddenPath("The path leads out of the tenant's folder on the mount.")
    return found
