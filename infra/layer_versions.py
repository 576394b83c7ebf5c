"""The layers of a stage in the account, as `make deploy` keeps them: a version is published when its packages change.

Which packages a version has is in its description, so that any checkout can tell whether it is up to date.
"""

from typing import Any

from infra import layer_zips
from infra.bundle import RUNTIME
from infra.functions import APP


def publish(session: Any, stage: str, architecture: str) -> dict[str, str]:
    """Publish what has changed; the versions' ARNs by their lanes."""
    client = session.client("lambda")
    return {lane: _published(client, stage, lane, architecture) for lane in layer_zips.layered()}


def current(session: Any, stage: str) -> dict[str, str]:
    """The newest versions' ARNs by their lanes."""
    client = session.client("lambda")
    versions = {lane: _versions(client, stage, lane) for lane in layer_zips.layered()}
    return {lane: found[0]["LayerVersionArn"] for lane, found in versions.items() if found}


def remove_former(session: Any, stage: str) -> None:
    """Delete all versions but the newest; functions that are running keep what they have."""
    _remove(session, stage, keep=1)


def remove(session: Any, stage: str) -> None:
    """Delete all versions of the stage's layers, of lanes that have none any more too."""
    _remove(session, stage, keep=0)


def _published(client: Any, stage: str, lane: str, architecture: str) -> str:
    known = _versions(client, stage, lane)
    mark = _mark(lane, architecture)
    if known and known[0].get("Description") == mark:
        return str(known[0]["LayerVersionArn"])
    print(f"==> layer {lane}", flush=True)
    published = client.publish_layer_version(
        LayerName=_name(stage, lane),
        Description=mark,
        Content={"ZipFile": layer_zips.build(layer_zips.requirements(lane), architecture).read_bytes()},
        CompatibleRuntimes=[RUNTIME],
        CompatibleArchitectures=[architecture],
    )
    return str(published["LayerVersionArn"])


def _mark(lane: str, architecture: str) -> str:
    return f"infra/layers/{lane}.txt {layer_zips.fingerprint(lane, architecture)}"


def _name(stage: str, lane: str) -> str:
    return f"{APP}-{stage}-{lane}"


def _versions(client: Any, stage: str, lane: str) -> list[dict[str, Any]]:
    """The newest first."""
    pages = client.get_paginator("list_layer_versions").paginate(LayerName=_name(stage, lane))
    found = [each for page in pages for each in page["LayerVersions"]]
    return sorted(found, key=lambda each: -int(each["Version"]))


def _remove(session: Any, stage: str, keep: int) -> None:
    client = session.client("lambda")
    for path in sorted(layer_zips.FOLDER.glob("*.txt")):
        for version in _versions(client, stage, path.stem)[keep:]:
            client.delete_layer_version(LayerName=_name(stage, path.stem), VersionNumber=version["Version"])
