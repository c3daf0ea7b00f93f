"""One call of the API and the checks that most calls share.

Every check that Meta documents or that the field has seen is made here, in Meta's order where it
is known, so that a client that passes has really sent what Graph wants.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass, field

from messages import Answer
from meta_errors import GraphError, expired
from meta_records import Token

PROOF_SECONDS = 300
BAD_APP = "Error validating application. Cannot get application info due to a system error."
BAD_TOKEN = "Invalid OAuth access token - Cannot parse access token"
NAME = re.compile("[a-z][a-z0-9_]*")


def appsecret_proof(secret, token, time=None):
    """The proof that Graph expects; with a time in its timed form."""
    message = token if time is None else f"{token}|{time}"
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def signed_request(secret, payload):
    """base64url(signature).base64url(payload), the signature over the text that is sent."""
    text = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=")
    digest = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return (base64.urlsafe_b64encode(digest).rstrip(b"=") + b"." + text).decode()


def same(given, right):
    """Whether two texts are equal, in constant time."""
    return secrets.compare_digest(given.encode(), right.encode())


@dataclass
class Call:
    """One request on its way to its answer.  `facts` tells the misbehaviours what was issued."""

    state: object
    request: object
    step: str
    version: str
    subject: str = ""  # the id in the path
    facts: dict = field(default_factory=dict)
    graph: object = None  # who answers, for calls that hold others

    def value(self, name):
        """A parameter, or None."""
        return self.request.value(name)

    def required(self, name):
        """A parameter that must be there."""
        value = self.value(name)
        if not value:
            raise GraphError(100, f"(#100) The parameter {name} is required")
        return value

    def flag(self, name):
        """A boolean parameter; absent is false."""
        value = self.value(name)
        if value not in (None, "true", "false", "1", "0"):
            raise GraphError(100, f"(#100) Param {name} must be a boolean")
        return value in ("true", "1")

    def names(self, name):
        """A list of permissions, comma or space separated; [] when it is absent."""
        found = [one for one in re.split("[, ]", self.value(name) or "") if one]
        if not all(NAME.fullmatch(one) for one in found):
            raise GraphError(100, f"(#100) Param {name} is not a list of permissions")
        return found

    def rule(self, name):
        """What was decided where Meta leaves something open."""
        return self.state.rules[name]

    # Who calls.

    def client_app(self, family="facebook", name="client_id"):
        """The app that a parameter names."""
        app_id = self.value(name)
        if not app_id:
            raise GraphError(101, f"Missing {name} parameter.")
        app = self.state.apps.get(app_id)
        if app is None or app.family != family:
            raise GraphError(101, BAD_APP)
        return app

    def client(self, family="facebook"):
        """The app, proved by its secret."""
        app = self.client_app(family)
        self.check_secret(app)
        return app

    def check_secret(self, app):
        """Code 1 for a client_secret that is not this app's."""
        secret = self.value("client_secret")
        if not secret or not same(secret, app.secret):
            raise GraphError(1, "Error validating client secret.")

    def token_text(self):
        """The access token of a call: a parameter or a bearer, the same when both are given."""
        given, bearer = self.value("access_token"), self.request.bearer()
        if given and bearer and given != bearer:
            raise GraphError(100, "Two different access tokens were given")
        text = given or bearer
        if not text:
            code = 104 if self.step == "debug_token" else 2500
            raise GraphError(code, "An access token is required to request this resource."
                             if code == 104 else "An active access token must be used to query "
                                                 "information about the current user.")
        return text

    def caller(self, types=None, family=None, proof=False):
        """The live token that a call is made with, checked with its proof."""
        text = self.token_text()
        token = self.state.tokens.get(text) or self._app_token(text)
        if token is None or family and self.app_of(token).family != family:
            raise GraphError(190, BAD_TOKEN)
        self.check_alive(token)
        self.check_proof(self.app_of(token), text, proof)
        if types and token.type not in types:
            raise GraphError(100, "(#100) This kind of access token cannot be used here",
                             kind="GraphMethodException")
        return token

    def data_caller(self, types=None, family=None):
        """The same for a call that reads or writes data, which a session-info token cannot."""
        token = self.caller(types, family)
        if token.session_info:
            raise GraphError(190, "A session info access token opens no data")
        if token.type == "USER" and 0 < token.data_access_expires_at <= self.state.now():
            raise GraphError(190, "Error validating access token: The user hasn't engaged the app "
                                  "in longer than 90 days.", 493)
        return token

    def app_of(self, token):
        """The app that a token belongs to."""
        return self.state.apps[token.app_id]

    def _app_token(self, text):
        """An app token in the form that needs no call, or None when it has another form."""
        app_id, bar, secret = text.partition("|")
        if not bar:
            return None
        app = self.state.apps.get(app_id)
        if app is None or app.family == "instagram":
            raise GraphError(101, BAD_APP)
        if not same(secret, app.secret):
            raise GraphError(190, "Invalid OAuth access token signature.")
        return Token(text, app.app_id, "", type="APP", scopes=[])

    def literal_app_token(self, text):
        """The same for a token that is asked about: None for everything that is wrong."""
        try:
            return self._app_token(text)
        except GraphError:
            return None

    def check_alive(self, token):
        """190 for a token that was revoked or has expired."""
        if token.revoked:
            raise GraphError(190, "Error validating access token: The session has been "
                                  "invalidated.", token.revoked)
        if token.expires_at and token.expires_at <= self.state.now():
            raise expired(token.expires_at, self.state.now())

    def check_proof(self, app, token, needed=False):
        """Plain or timed proof for exactly this token; wrong is wrong even where it is optional."""
        proof, time = self.value("appsecret_proof"), self.value("appsecret_time")
        if proof is None:
            if app.require_proof or needed:
                raise GraphError(100, "API calls from the server require an appsecret_proof "
                                      "argument", kind="GraphMethodException")
            return
        fresh = time is None or (re.fullmatch("[0-9]{1,12}", time) and
                                 abs(int(time) - self.state.now()) <= PROOF_SECONDS)
        if not fresh or not same(proof, appsecret_proof(app.secret, token, time)):
            raise GraphError(100, "Invalid appsecret_proof provided in the API argument",
                             kind="GraphMethodException")

    # What is answered.

    def issue(self, token, extra=None, bearer=True, expires=True):
        """The answer that hands out a token."""
        self.facts["issued"] = [token]
        data = {"access_token": token.token}
        if bearer:
            data["token_type"] = "bearer"
        if expires and token.expires_at:
            data["expires_in"] = token.expires_at - self.state.now()
        return Answer(200, {**data, **(extra or {})})

    def success(self, shape):
        """Meta's two ways to say that something was done."""
        return Answer(200, True if shape == "true" else {"success": True})
