"""Users who have signed in, in tests: a tenant, a member, and a session with its tokens."""

from chalicelib.domain.permissions import Role
from chalicelib.engine.core import Engine
from chalicelib.identity.members import Member, member_puts
from chalicelib.identity.passwords import hashed
from chalicelib.identity.sessions import SignedIn, Visit, begin
from chalicelib.identity.tenants import Tenant, encode_tenant
from chalicelib.identity.users import User, encode_email, encode_user, user_of
from chalicelib.ports.table import Put
from tests.support.mailbox import CHEAP
from tests.support.principals import TENANT

PASSWORD = "correct horse battery"


def user_named(engine: Engine, email: str = "ada@example.com", *, verified: bool = True) -> User:
    """The user with the address, made if there is none; the password is PASSWORD."""
    known = user_of(engine, email)
    if known:
        return known
    name = email.partition("@")[0]
    made = User(
        id="user_" + engine.ids.random_bytes(13).hex().upper(),
        email=email,
        name=name.capitalize(),
        created_ms=engine.clock.now_ms(),
        password=hashed(PASSWORD, engine.ids.random_bytes(16), CHEAP),
        verified=verified,
    )
    engine.db.catalog.write(Put(encode_user(made)))
    engine.db.catalog.write(Put(encode_email(made)))
    return made


def joined(engine: Engine, user: User, role: Role = "owner", tenant: str = TENANT) -> Member:
    """The user is a member of the tenant from now on; both come into being if they are not there."""
    engine.db.catalog.write(
        Put(encode_tenant(Tenant(tenant, tenant.capitalize(), "pro", engine.clock.now_ms())))
    )
    member = Member(tenant, user.id, role, engine.clock.now_ms())
    for put in member_puts(member):
        engine.db.catalog.write(Put(put.item))
    return member


def signed_in(
    engine: Engine, role: Role = "owner", tenant: str = TENANT, email: str = "ada@example.com"
) -> SignedIn:
    """A member of the tenant with this role, who has just signed in there."""
    user = user_named(engine, email)
    joined(engine, user, role, tenant)
    return begin(engine, user, tenant, Visit("192.0.2.7", "a test"))


def bearer(given: SignedIn) -> dict[str, str]:
    """The header that goes with each of their requests."""
    return {"Authorization": f"Bearer {given.access_token}"}
