"""What the stand-in knows: its records, orders, rules, and what it was asked.

One lock guards everything, and its condition announces every event, so that a test can wait for
"the client now waits for the answer of the second debug_token" instead of sleeping.
"""

import json
import secrets
import string
import threading
import time
from dataclasses import asdict, dataclass, replace

import meta_rules
from meta_records import (ANSWERS, FAMILIES, MODES, PREFIXES, TOKEN_TYPES, App, Business, Person,
                          Token, random_text)

LONG_LIVED_SECONDS = 5183944  # what Graph answers for sixty days
SHORT_LIVED_MAX = 7200
DATA_ACCESS_SECONDS = 90 * 86400
TAKES_PAGES_ALONG = (458, 460)  # de-authorised, password changed


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
        self.people = {}
        self.person = None  # who sits at the browser
        self.businesses = {}
        self.codes = {}
        self.devices = {}
        self.permissions = {}  # (app id, user id): {permission: status}
        self.posts = {}  # subject: ids of what was posted
        self.rules = {name: _copy(value) for name, value in meta_rules.RULES.items()}
        self.usage = {}
        self.misbehaviours = []
        self.requests = []
        self.events = {}
        self.issued = []
        self.clock_offset = 0
        self.stopping = False
        self._record_path = record_path
        record_path.touch(mode=0o600)

    def now(self):
        """The stand-in's idea of the time; a test may set it wrong on purpose."""
        return int(time.time()) + self.clock_offset

    # Apps, people, businesses.

    def add_app(self, app_id=None, secret=None, **facts):
        """Register an app; what is not given is made up."""
        facts.setdefault("client_token", secrets.token_hex(16))
        app = _checked_app(App(str(app_id or "1" + random_text(15, string.digits)),
                               secret or secrets.token_hex(16), **facts))
        with self.changed:
            self.apps[app.app_id] = app
        return app

    def set_app(self, app_id, **facts):
        """Change an app's registration, as its developer does in the dashboard."""
        with self.changed:
            if str(app_id) not in self.apps:
                raise ValueError(f"no app {app_id!r}")
            app = _checked_app(replace(self.apps[str(app_id)], **facts))
            self.apps[app.app_id] = app
        return app

    def set_person(self, user_id, at_browser=True, **facts):
        """Make or change a person, and let them sit at the browser unless that is not wanted."""
        if not str(user_id).isdigit():
            raise ValueError("a user_id is a number")
        with self.changed:
            known = self.people.get(str(user_id)) or Person(str(user_id))
            person = replace(known, **facts)
            if person.answer not in ANSWERS:
                raise ValueError(f"no answer {person.answer!r}")
            self.people[person.user_id] = person
            if at_browser or self.person and self.person.user_id == person.user_id:
                self.person = person
        return person

    def add_business(self, business_id=None, **facts):
        """Make a business; what is not given is empty."""
        business = Business(str(business_id or "3" + random_text(14, string.digits)), **facts)
        for name in ("admins", "system_users"):
            setattr(business, name, [str(one) for one in getattr(business, name)])
        with self.changed:
            self.businesses[business.business_id] = business
        return business

    def business_of(self, system_user):
        """The business of a system user, or None."""
        return next((one for one in self.businesses.values() if system_user in one.system_users),
                    None)

    # Tokens.

    def add_token(self, app_id, user_id, expires_in=None, **facts):
        """Issue a token for an app; without any expiry given it lives for one hour."""
        if facts.get("type", "USER") not in TOKEN_TYPES:
            raise ValueError(f"no token type {facts['type']!r}")
        with self.changed:
            app = self.apps.get(str(app_id))
            if app is None:
                raise ValueError(f"no app {app_id!r}")
            facts.setdefault("token", PREFIXES[app.family] + random_text(180))
            if "expires_at" not in facts:
                lives = int(3600 if expires_in is None else expires_in)
                facts["expires_at"] = self.now() + lives
            facts.setdefault("data_access_expires_at", self.now() + DATA_ACCESS_SECONDS)
            facts.setdefault("made_at", facts.get("issued_at") or self.now())
            token = Token(app_id=app.app_id, user_id=str(user_id), **facts)
            self.tokens[token.token] = token
            if token.made_by != "control":
                self.hand_out("token", token.made_by, token.token)
            return token

    def derive(self, parent, made_by, /, **facts):
        """A token made out of another: the same subject unless `facts` say otherwise."""
        return self.add_token(parent.app_id, parent.user_id, made_by=made_by, **{
            "type": parent.type, "expires_at": parent.expires_at, "issued_at": self.now(),
            "data_access_expires_at": parent.data_access_expires_at,
            "scopes": list(parent.scopes), "profile_id": parent.profile_id,
            "targets": dict(parent.targets), "metadata": dict(parent.metadata),
            "client_business_id": parent.client_business_id, "parent": parent.token, **facts})

    def long_lived(self, token):
        """Whether a token is one of those for sixty days, or for ever."""
        return bool(token.issued_at or not token.expires_at
                    or token.expires_at - self.now() > SHORT_LIVED_MAX)

    def hand_out(self, what, step, value):
        """Remember a secret that leaves the stand-in, so that a test can search for it."""
        with self.changed:
            self.issued.append({"what": what, "step": step, "value": value})

    def revoke(self, token, subcode=467):
        """Kill a token the way Graph does: it stays known and answers with a subcode."""
        with self.changed:
            self._token(token).revoked = int(subcode)
            for child in self.tokens.values():
                follows = child.session_info or (child.type == "PAGE"
                                                 and int(subcode) in TAKES_PAGES_ALONG)
                if child.parent == token and follows:
                    child.revoked = int(subcode)

    def tokens_of(self, app_id, user_id):
        """Every token of one person with one app."""
        return [one for one in list(self.tokens.values())
                if (one.app_id, one.user_id) == (app_id, user_id)]

    def set_token(self, token, **facts):
        """Change what is true of a token, its age for one."""
        with self.changed:
            self.tokens[token] = replace(self._token(token), **facts)
        return self.tokens[token]

    def token_info(self, token):
        """All that is known of a token."""
        with self.changed:
            return asdict(self._token(token))

    def _token(self, token):
        if token not in self.tokens:
            raise ValueError("no such token")
        return self.tokens[token]

    # Rules, orders, record, events.

    def set_rules(self, **changes):
        """Decide what Meta leaves open."""
        for name, value in changes.items():
            meta_rules.check(name, value)
        with self.changed:
            self.rules.update(changes)
        return self.rules

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


def _copy(value):
    return list(value) if isinstance(value, list) else value


def _checked_app(app):
    if app.family not in FAMILIES or app.mode not in MODES:
        raise ValueError(f"no family {app.family!r}, or no mode {app.mode!r}")
    app.require_proof = bool(app.require_proof)
    app.testers = [str(one) for one in app.testers]
    return app
