"""Invitations on their way: by mail, unless that cannot be; then whoever wrote one is told its text."""

from dataclasses import replace

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.core import Engine
from chalicelib.identity import attempts, letters
from chalicelib.identity.invitations import Invitation, not_mailed_write
from chalicelib.identity.keys import read_key
from chalicelib.identity.principal import Principal
from chalicelib.identity.users import normalised, read_user
from chalicelib.ports.table import ConditionFailed


def is_mailed_for(engine: Engine, principal: Principal, email: str) -> bool:
    """Whether a mail is sent for them: whose own address is not confirmed writes to no strangers, nor too often."""
    if engine.mailer is None or not _is_known(engine, principal):
        return False
    return not attempts.counted(engine, attempts.MAIL, normalised(email))


def sent(engine: Engine, invitation: Invitation, text: str) -> tuple[Invitation, str | None]:
    """The invitation as it is now, and its text where it has to be told, since it was not mailed."""
    if not invitation.mailed or engine.mailer is None:
        return invitation, text
    try:
        engine.mailer.send(letters.invitation(invitation.email, text, engine.settings.app_url))
    except Unavailable as error:
        engine.telemetry.warning("An invitation was not mailed.", error=error.message)
        return _told(engine, invitation, text)
    return invitation, None


def _told(engine: Engine, invitation: Invitation, text: str) -> tuple[Invitation, str | None]:
    """From now on its text shows nothing of the address: its writer has it, too."""
    try:
        engine.db.catalog.write(not_mailed_write(invitation))
    except ConditionFailed:
        return invitation, None  # it was answered: the mail did arrive
    return replace(invitation, mailed=False), text


def _is_known(engine: Engine, principal: Principal) -> bool:
    actor: str | None = principal.actor
    if principal.actor.startswith("key_"):
        key = read_key(engine, principal.actor)
        actor = key.member if key else None
    user = read_user(engine, actor) if actor else None
    return user.verified if user else actor is None
