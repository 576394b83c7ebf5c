"""The end of a tenant. It is marked first, so that nobody comes in any more; then all lose access, its owner last.

What breaks off half way is gone on with by sending the same request again.
"""

from chalicelib.domain.errors import Conflict, Invalid
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.limits import limits_key
from chalicelib.engine.flow.usage import jobs_key, no_job_any_more
from chalicelib.engine.plans import tenant_key
from chalicelib.engine.records import jobs_list
from chalicelib.engine.wheel.calendars import calendars_of
from chalicelib.features.conditional import require_match
from chalicelib.features.tenants.service import read
from chalicelib.identity.keys import count_key, key_key, listed_key
from chalicelib.identity.members import member_key, members_of, membership_key
from chalicelib.identity.tenants import Tenant, ending
from chalicelib.ports.table import ConditionFailed, Delete, Key, Update

KEPT_SECONDS = 90 * 86_400
"""For how long the record of a tenant that is gone stays: it keeps the door shut to who is on the way in."""


def end(engine: Engine, tenant_id: str, owner: str, name: str, if_match: str | None) -> None:
    """All but the owner lose access at once, and the owner when it is done. Invalid, Conflict."""
    tenant = read(engine, tenant_id)
    require_match(if_match, tenant.revision)
    _check_wished(tenant, name)
    _check_empty(engine, tenant_id)
    if tenant.ending_ms is None:
        _mark(engine, tenant)
        engine.witness.changed("tenant", tenant_id, {"name": tenant.name, "plan": tenant.plan}, None)
    _drop_keys(engine, tenant_id)
    others = [member.user for member in members_of(engine, tenant_id) if member.user != owner]
    _drop_members(engine, tenant_id, others)
    _drop_settings(engine, tenant_id)
    expires_at = engine.clock.now_ms() // 1000 + KEPT_SECONDS
    last = (member_key(tenant_id, owner), membership_key(tenant_id, owner))
    expiring = (tenant_key(tenant_id), count_key(tenant_id), jobs_key(tenant_id))
    engine.db.transact(
        *(("catalog", Update(each, set={"expires_at": expires_at})) for each in expiring),
        *(("catalog", Delete(each)) for each in last),
    )


def _check_wished(tenant: Tenant, name: str) -> None:
    if not tenant.id.startswith("tenant_"):
        raise Conflict("This is the first tenant of the deployment: it goes with the deployment alone.")
    if name != tenant.name:
        raise Invalid.field("/name", "To delete the tenant, give its name, letter by letter.", "not_its_name")


def _check_empty(engine: Engine, tenant_id: str) -> None:
    jobs, _ = engine.db.catalog.query_index("lists", jobs_list(tenant_id), limit=1)
    if jobs:
        raise Conflict("The tenant has jobs: delete them first, all at once by POST /jobs/bulk.")


def _mark(engine: Engine, tenant: Tenant) -> None:
    try:
        begun = ending(tenant, engine.clock.now_ms())
        engine.db.transact(("catalog", begun), no_job_any_more(tenant.id))
    except ConditionFailed:
        raise Conflict("Somebody else changed this tenant, or its jobs, at the same moment.") from None


def _drop_keys(engine: Engine, tenant_id: str) -> None:
    partition = listed_key(tenant_id, "")[0]
    while found := [str(item["sk"]) for item in engine.db.catalog.query(partition).items]:
        engine.db.catalog.delete_all([key_key(key_id) for key_id in found])
        engine.db.catalog.delete_all([listed_key(tenant_id, key_id) for key_id in found])


def _drop_members(engine: Engine, tenant_id: str, users: list[str]) -> None:
    """The side that access is decided by goes first; the other one finds what is left after a break."""
    engine.db.catalog.delete_all([membership_key(tenant_id, user) for user in users])
    engine.db.catalog.delete_all([member_key(tenant_id, user) for user in users])


def _drop_settings(engine: Engine, tenant_id: str) -> None:
    """What would stay for ever: its calendars and limits. All else expires."""
    partition = calendars_of(tenant_id)
    while found := engine.db.catalog.query(partition).items:
        keys: list[Key] = [(partition, str(item["sk"])) for item in found]
        engine.db.catalog.delete_all(keys)
    engine.db.catalog.delete_all([limits_key(tenant_id)])
