"""What people do who sign in."""

from tests.faults.flow import Act, request
from tests.faults.flows.steps import be_at
from tests.faults.system import System
from tests.support.signed_in import PASSWORD, joined, signed_in, user_named

ADA = {"email": "ada@example.com", "password": PASSWORD}


@request({})
def sign_in(system: System) -> Act:
    joined(system.engine, user_named(system.engine))
    be_at(system, 0)
    return lambda: system.api("POST", "/auth/login", ADA)


@request({}, repeated_as=(401,))
def refresh_a_session(system: System) -> Act:
    """Who asks again with a token that has done its work has to sign in."""
    token = signed_in(system.engine).refresh_token
    be_at(system, 0)
    return lambda: system.api("POST", "/auth/refresh", {"refresh_token": token})
