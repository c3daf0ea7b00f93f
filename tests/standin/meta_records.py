"""The things that the stand-in keeps: apps, people, businesses, tokens, codes, devices.

Records only: who may do what with them is judged in the other meta_*.py.
"""

import secrets
import string
from dataclasses import dataclass, field

FAMILIES = ("facebook", "instagram", "threads")
MODES = ("live", "development")
TOKEN_TYPES = ("USER", "PAGE", "APP", "SYSTEM_USER")
ANSWERS = ("grant", "cancel", "error_code", "twice")
PREFIXES = {"facebook": "EAA", "instagram": "IGAA", "threads": "THAA"}


def random_text(length, alphabet=string.ascii_letters + string.digits):
    """Letters and digits from the system's random source."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


@dataclass
class App:
    """One app registration.  `configs` are configurations of Login for Business by their id."""

    app_id: str
    secret: str
    require_proof: bool = False
    name: str = "Stand-in app"
    family: str = "facebook"
    mode: str = "live"
    redirect_uris: list = field(default_factory=list)
    client_token: str = ""
    business_id: str = ""
    configs: dict = field(default_factory=dict)
    testers: list = field(default_factory=list)


@dataclass
class Token:
    """One access token with what debug_token says of it; expires_at 0 means never."""

    token: str
    app_id: str
    user_id: str
    type: str = "USER"
    expires_at: int = 0
    data_access_expires_at: int = 0
    issued_at: int = 0  # 0: short-lived, Graph does not say
    scopes: list = field(default_factory=lambda: ["ads_management", "public_profile"])
    profile_id: str = ""
    revoked: int = 0  # error subcode, 0 when it was not revoked
    made_by: str = "control"
    made_at: int = 0
    parent: str = ""  # the token it was derived from
    targets: dict = field(default_factory=dict)  # scope: ids, for granular_scopes
    metadata: dict = field(default_factory=dict)
    client_business_id: str = ""
    session_info: bool = False  # says whose session it is and opens no data

    def subject(self):
        """Who acts when this token is used: the page of a page token, else its user."""
        return self.profile_id if self.type == "PAGE" and self.profile_id else self.user_id


@dataclass
class Person:
    """Somebody with an account: what they own, and what they do when a dialog asks them."""

    user_id: str
    name: str = "Stand-in person"
    username: str = "stand.in"
    pages: list = field(default_factory=list)
    targets: dict = field(default_factory=dict)
    client_business_id: str = ""
    answer: str = "grant"
    decline: list = field(default_factory=list)
    error_code: int = 1349126
    error_message: str = "App Not Setup: This app is still in development mode."
    fragment: str = None  # None: the family's own

    def page(self, page_id):
        """One of this person's pages, or None."""
        return next((page for page in self.pages if str(page["id"]) == page_id), None)


@dataclass
class Business:
    """A business with its administrators and system users; `installed` are (user, app) pairs.

    Its pages, and those its clients let it work on, are as those of a person.
    """

    business_id: str
    admins: list = field(default_factory=list)
    system_users: list = field(default_factory=list)
    must_expire: bool = False
    name: str = "Stand-in business"
    owned_pages: list = field(default_factory=list)
    client_pages: list = field(default_factory=list)
    installed: list = field(default_factory=list)


@dataclass
class Code:
    """An authorisation code, or with `for_client` one that a client redeems for its own token."""

    code: str
    app_id: str
    redirect_uri: str
    expires_at: int
    token: dict  # the facts of the token that it is worth
    challenge: str = ""
    nonce: str = ""
    parent: str = ""
    for_client: bool = False
    used: bool = False


@dataclass
class Device:
    """A device that waits for its person."""

    code: str
    user_code: str
    app_id: str
    scopes: list
    expires_at: int
    answer: str = "wait"  # then grant or decline
    user_id: str = ""
    decline: list = field(default_factory=list)
    asked_at: int = None
    used: bool = False
