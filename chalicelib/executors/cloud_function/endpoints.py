"""Where tokens are issued. Users cannot choose them: who could would get the proofs that we send there."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoints:
    """`azure` has a place for the directory."""

    google: str = "https://oauth2.googleapis.com/token"
    azure: str = "https://login.microsoftonline.com/{directory}/oauth2/v2.0/token"


PUBLIC = Endpoints()
