"""What the stand-in knows: apps, tokens, misbehaviours, and what it was asked.

One lock guards everything, and its condition announces every event, so that a test can wait for
"the client now waits for the answer of the second debug_token" instead of sleeping.
"""

import json
import secrets
import string
import threading
import time
from dataclasses import asdict, dataclass, field

LONG_LIVED_SECONDS = 5183944  # what Graph answers for sixty days
DATA_ACCESS_SECONDS = 90 * 86400
TOKEN_TYPES = ("USER", "PAGE", "APP", "SYSTEM_USER")


def random_text(length, alphabet=string.ascii_letters + string.digits):
    """Letters and digits from the system's random source."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


@dataclass
class App:
    """One app registration."""

    app_id: str
    secret: str
    require_proof: bool = False
    name: str = "Stand-in app"


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


@dataclass
class Misbehaviour:
    """An order to answer some requests of a step in a wrong way."""

    step: str
    kind: str
    which: object  # "all" or a list of ordinals, counted from 1 after it was set
    options: dict
    seen: int = 0

    def meets(self):
        """Count one request of the step and say whether it is meant."""
        self.seen += 1
        return self.which == "all" or self.seen in self.which


class State:
    """Everything that outlives a connection."""

    def __init__(self, record_path):
        self.changed = threading.Condition()
        self.apps = {}
        self.tokens = {}
        self.misbehaviours = []
        self.requests = []
        self.events = {}
        self.clock_offset = 0
        self.stopping = False
        self._record_path = record_path
        record_path.touch(mode=0o600)

    def now(self):
        """The stand-in's idea of the time; a test may set it wrong on purpose."""
        return int(time.time()) + self.clock_offset

    def add_app(self, app_id=None, secret=None, require_proof=False, name="Stand-in app"):
        """Register an app; what is not given is made up."""
        app = App(str(app_id or "1" + random_text(15, string.digits)),
                  secret or secrets.token_hex(16), bool(require_proof), name)
        with self.changed:
            self.apps[app.app_id] = app
        return app

    def add_token(self, app_id, user_id, expires_in=None, **facts):
        """Issue a token for an app; without any expiry given it lives for one hour."""
        if facts.get("type", "USER") not in TOKEN_TYPES:
            raise ValueError(f"no token type {facts['type']!r}")
        facts.setdefault("token", "EAA" + random_text(180))
        if "expires_at" not in facts:
            facts["expires_at"] = self.now() + int(3600 if expires_in is None else expires_in)
        facts.setdefault("data_access_expires_at", self.now() + DATA_ACCESS_SECONDS)
        token = Token(app_id=str(app_id), user_id=str(user_id), **facts)
        with self.changed:
            if token.app_id not in self.apps:
                raise ValueError(f"no app {token.app_id!r}")
            self.tokens[token.token] = token
        return token

    def issue_long_lived(self, parent):
        """The token that an exchange issues: a new string, the same subject, a later expiry."""
        return self.add_token(parent.app_id, parent.user_id, type=parent.type,
                              expires_at=self.now() + LONG_LIVED_SECONDS,
                              data_access_expires_at=parent.data_access_expires_at,
                              issued_at=self.now(), scopes=list(parent.scopes),
                              profile_id=parent.profile_id, made_by="exchange")

    def revoke(self, token, subcode=467):
        """Kill a token the way Graph does: it stays known and answers with a subcode."""
        with self.changed:
            self._token(token).revoked = int(subcode)

    def token_info(self, token):
        """All that is known of a token."""
        with self.changed:
            return asdict(self._token(token))

    def _token(self, token):
        if token not in self.tokens:
            raise ValueError("no such token")
        return self.tokens[token]

    def add_misbehaviour(self, step, kind, which, options):
        """From now on the requests of `step` named by `which` are answered with `kind`."""
        if which != "all":
            which = [int(n) for n in (which if isinstance(which, list) else [which])]
        with self.changed:
            self.misbehaviours.append(Misbehaviour(step, kind, which, options))

    def clear_misbehaviours(self):
        """Behave again."""
        with self.changed:
            self.misbehaviours.clear()

    def misbehaviours_for(self, step):
        """The orders that the next request of this step falls under; counts that request."""
        with self.changed:
            return [one for one in self.misbehaviours if one.step == step and one.meets()]

    def record(self, line):
        """Keep what was asked, in memory and as one line in the file, and announce it."""
        with self.changed:
            self.requests.append(line)
            with self._record_path.open("a", encoding="ascii") as out:
                out.write(json.dumps(line) + "\n")
        self.announce(f"request:{line['step']}")

    def announce(self, event):
        """Count an event and wake whoever waits for it."""
        with self.changed:
            self.events[event] = self.events.get(event, 0) + 1
            self.changed.notify_all()

    def wait(self, event, count, timeout):
        """True once the event has happened `count` times since the start."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.stopping or self.events.get(event, 0) >= count, timeout)
            return self.events.get(event, 0) >= count
