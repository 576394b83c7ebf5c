"""Files on the file system that the operator mounts for jobs: each tenant has a folder of its own, and no way out."""

from pathlib import Path

from chalicelib.executors.base import ExecutorSettings


class ForbiddenPath(Exception):
    """The path leads elsewhere, or there is no mount. The message is fit for the job's owner."""


def tenant_root(settings: ExecutorSettings, tenant: str) -> Path:
    """The tenant's folder, its links resolved. ForbiddenPath if nothing is mounted."""
    if not settings.mount:
        raise ForbiddenPath("No file system is mounted for jobs in this deployment.")
    return (Path(settings.mount) / tenant).resolve()


def inside(settings: ExecutorSettings, tenant: str, path: str) -> Path:
    """The path below the tenant's folder, its links resolved; it need not exist. ForbiddenPath if it leads elsewhere."""
    root = tenant_root(settings, tenant)
    if "\x00" in path or Path(path).is_absolute():
        raise ForbiddenPath("The path must be below the mount, and not be absolute.")
    try:
        found = (root / path).resolve()
    except (OSError, RuntimeError) as error:  # too long, or links in a circle
        raise ForbiddenPath("The path cannot be followed.") from error
    if found == root or not found.is_relative_to(root):
        raise ForbiddenPath("The path leads out of the tenant's folder on the mount.")
    return found
