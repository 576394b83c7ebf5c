"""Canaille, an identity provider with pages for login and consent, on the loopback.

Runs under .venv-oidc's python, as a file: its PORT, and its users as JSON. Programs register as clients by themselves.
"""

import json
import sys
from typing import Any

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from joserfc.jwk import ECKey, RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

VERIFIED = (
    "{% if user.preferred_email and not user.preferred_email.startswith('unverified') %}true{% endif %}"
)
"""Canaille keeps no such fact: an operator says how it follows from what is kept."""


class Quiet(WSGIRequestHandler):
    def log_request(self, *_words: Any) -> None:
        """Nobody reads it."""


def main(port: int, users: list[dict[str, Any]]) -> None:
    keys = [key.as_dict(private=True) for key in (RSAKey.generate_key(2048), ECKey.generate_key("P-256"))]
    app = create_app(
        {
            "SECRET_KEY": "of a provider of tests",
            "SERVER_NAME": f"127.0.0.1:{port}",
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False},
            "CANAILLE_OIDC": {
                "ACTIVE_JWKS": keys,
                "TRUSTED_DOMAINS": [],
                "DYNAMIC_CLIENT_REGISTRATION_OPEN": True,
            },
        }
    )
    app.config["CANAILLE_OIDC"]["USERINFO_MAPPING"]["EMAIL_VERIFIED"] = VERIFIED
    with app.app_context():
        for user in users:
            Backend.instance.save(models.User(**user))
    make_server("127.0.0.1", port, app, threaded=True, request_handler=Quiet).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
