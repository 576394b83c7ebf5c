"""What is written to people, as plain text. Nothing that a stranger typed is in it: registering is open to all."""

from chalicelib.ports.mail import Mail

_SIGNED = "\n\nIf you did not ask for this, do nothing: whoever did gets no further without this mail.\n"


def verification(to: str, token: str, app: str) -> Mail:
    """To show that the address is theirs."""
    way = _way(app, "verify", token, "POST /auth/verify")
    return Mail(
        to,
        "Confirm your address for Chronos",
        f"This confirms that the address is yours, within a day:\n\n{way}{_SIGNED}",
    )


def known_already(to: str, app: str) -> Mail:
    """To somebody whose address was given for a second account."""
    where = f" at {app}" if app else ""
    return Mail(
        to,
        "You have a Chronos account",
        f"Somebody, perhaps you, registered with this address, which has an account already. Sign in{where}; if you "
        "have forgotten the password, ask for another one there. Nothing was changed.\n",
    )


def reset(to: str, token: str, app: str) -> Mail:
    """To choose another password."""
    way = _way(app, "reset", token, "POST /auth/password/reset")
    return Mail(to, "Choose a new password for Chronos", f"Within an hour, and once:\n\n{way}{_SIGNED}")


def changed(to: str) -> Mail:
    """Told whenever a password changes, so that its owner notices."""
    return Mail(
        to,
        "Your Chronos password was changed",
        "The password was changed just now, and other sessions have ended. If that was not you, ask for a new password "
        "at once, and tell those who run this Chronos.\n",
    )


def moved(to: str) -> Mail:
    """To the address that an account had before."""
    return Mail(
        to,
        "Your Chronos account has another address",
        "The account that had this address has another one now. If that was not you, tell those who run this Chronos "
        "at once.\n",
    )


def invitation(to: str, token: str, app: str) -> Mail:
    """To come into a tenant. Which one, the answer tells: its name is what a stranger typed."""
    way = _way(
        app, "invitation", token, "POST /invitations/accept, or /invitations/register without an account,"
    )
    return Mail(
        to,
        "You are invited to Chronos",
        f"Somebody invites you to work with them in Chronos. Within a week, and once:\n\n{way}\n\nIf you expect "
        "nothing of the kind, do nothing.\n",
    )


def _way(app: str, page: str, token: str, request: str) -> str:
    """A link whose token no server's log and no Referer sees; without a page of ours, the token itself."""
    if app:
        return f"{app.rstrip('/')}/{page}#token={token}"
    return f'{token}\n\nThere is no page for it here: send {request} with {{"token": "..."}} to the API.'
