"""Graph's side of the calls used so far: fb_exchange_token and debug_token.

Every check that Meta documents or that the field has seen is made here, in Meta's order where it
is known, so that a client that passes has really sent what Graph wants.
"""

import hashlib
import hmac
import re
import secrets
import string
from datetime import datetime, timezone
from email.utils import formatdate

from messages import Answer
from state import LONG_LIVED_SECONDS, random_text

PROOF_SECONDS = 300
OLDEST_VERSION, NEWEST_VERSION = (21, 0), (26, 0)
TRACE_ALPHABET = string.ascii_letters + string.digits + "_-"
VERSIONED = re.compile(r"/v([1-9][0-9]?)\.([0-9])/(.+)")
STEPS = {"debug_token": "debug_token", "oauth/access_token": "exchange"}


class GraphError(Exception):
    """An error answer on its way to the client."""

    def __init__(self, code, message, subcode=0, kind="OAuthException", challenge=None):
        super().__init__(message)
        self.code, self.message, self.subcode, self.kind = code, message, subcode, kind
        self.challenge = challenge or ("invalid_token" if code == 190 else "invalid_request")


def step_of(path):
    """Which step a path belongs to, whatever its version part looks like."""
    for ending, step in STEPS.items():
        if path.endswith("/" + ending):
            return step
    return "other"


def appsecret_proof(secret, token, time=None):
    """The proof that Graph expects; with a time in its timed form."""
    message = token if time is None else f"{token}|{time}"
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def error_answer(error, status=400, transient=None, data=None):
    """Graph's error body with its headers."""
    body = {"message": error.message, "type": error.kind, "code": error.code}
    if error.subcode:
        body["error_subcode"] = error.subcode
    if transient is not None:
        body["is_transient"] = transient
    body.update(data or {})
    body["fbtrace_id"] = "A" + random_text(22, TRACE_ALPHABET)
    answer = Answer(status, {"error": body})
    quoted = re.sub(r'[^ !#-~]', "'", error.message)
    answer.headers.append(("WWW-Authenticate",
                           f'OAuth "Facebook Platform" "{error.challenge}" "{quoted}"'))
    return answer


class Graph:
    """Answers requests out of a state; keeps nothing itself."""

    def __init__(self, state):
        self.state = state

    def answer(self, request):
        """The right answer to a request; second, the token records it was about."""
        version, facts = NEWEST_VERSION, {}
        try:
            if request.repeated():
                raise GraphError(100, "A parameter was given more than once")
            version, call = self._route(request)
            answer = call(request, facts)
        except GraphError as error:
            answer = error_answer(error)
        self._add_headers(request, answer, version)
        return answer, facts

    def _route(self, request):
        matched = VERSIONED.fullmatch(request.path)
        version = matched and (int(matched[1]), int(matched[2]))
        if not matched or version > NEWEST_VERSION or matched[3] not in STEPS:
            raise GraphError(2500, "Unknown path components: " + request.path)
        step = STEPS[matched[3]]
        if step == "debug_token" and request.effective_method() != "GET":
            raise GraphError(100, "Unsupported request: this call is a GET", 33,
                             "GraphMethodException")
        if request.effective_method() not in ("GET", "POST"):
            raise GraphError(100, "Unsupported request", 33, "GraphMethodException")
        call = {"debug_token": self._debug_token, "exchange": self._exchange}[step]
        return max(version, OLDEST_VERSION), call

    def _add_headers(self, request, answer, version):
        exchanged = step_of(request.path) == "exchange" and answer.status == 200
        content_type = "application/json" if exchanged else "text/javascript; charset=UTF-8"
        error = answer.data.get("error", {}) if isinstance(answer.data, dict) else {}
        answer.headers = [
            ("Date", formatdate(self.state.now(), usegmt=True)),
            ("Content-Type", content_type),
            ("facebook-api-version", f"v{version[0]}.{version[1]}"),
            ("x-fb-request-id", "A" + random_text(22, TRACE_ALPHABET)),
            ("x-fb-trace-id", error.get("fbtrace_id", random_text(11, TRACE_ALPHABET))),
            ("x-fb-rev", "1031415926"),
            ("Cache-Control", "private, no-cache, no-store, must-revalidate"),
            ("Expires", "Sat, 01 Jan 2000 00:00:00 GMT"),
            ("Pragma", "no-cache"),
            ("Strict-Transport-Security", "max-age=15552000; preload"),
        ] + answer.headers

    # The token endpoint.

    def _exchange(self, request, facts):
        app = self._client(request)
        if request.value("grant_type") != "fb_exchange_token":
            raise GraphError(100, "Invalid parameter: grant_type")
        text = request.value("fb_exchange_token")
        if not text:
            raise GraphError(100, "The parameter fb_exchange_token is required")
        parent = self.state.tokens.get(text)
        if parent is None or parent.app_id != app.app_id:
            raise GraphError(190, "Invalid OAuth access token - Cannot parse access token")
        self._check_alive(parent)
        if request.value("appsecret_proof") is not None:
            self._check_proof(request, app, request.value("access_token") or text)
        if parent.type not in ("USER", "SYSTEM_USER"):
            raise GraphError(100, "This kind of token cannot be exchanged")
        issued = self.state.issue_long_lived(parent)
        facts.update(input=parent, issued=issued)
        return Answer(200, {"access_token": issued.token, "token_type": "bearer",
                            "expires_in": LONG_LIVED_SECONDS})

    def _client(self, request):
        app_id, secret = request.value("client_id"), request.value("client_secret")
        if not app_id:
            raise GraphError(101, "Missing client_id parameter.")
        app = self.state.apps.get(app_id)
        if app is None:
            raise GraphError(101, "Error validating application. Cannot get application info due "
                                  "to a system error.")
        if not secret or not secrets.compare_digest(secret.encode(), app.secret.encode()):
            raise GraphError(1, "Error validating client secret.")
        return app

    def _check_alive(self, token):
        if token.revoked:
            raise GraphError(190, "Error validating access token: The session has been "
                                  "invalidated.", token.revoked)
        if token.expires_at and token.expires_at <= self.state.now():
            raise GraphError(190, self._expired_text(token), 463)

    def _expired_text(self, token):
        def stamp(when):
            moment = datetime.fromtimestamp(when, timezone.utc)
            return moment.strftime("%A, %d-%b-%y %H:%M:%S UTC")
        return (f"Error validating access token: Session has expired on "
                f"{stamp(token.expires_at)}. The current time is {stamp(self.state.now())}.")

    # The token debugger.

    def _debug_token(self, request, facts):
        app = self._caller(request)
        text = request.value("input_token")
        if not text:
            raise GraphError(100, "(#100) The parameter input_token is required.",
                             kind="GraphMethodException")
        token = self.state.tokens.get(text)
        if token is None:
            error = {"code": 190, "message": "Invalid OAuth access token."}
            return Answer(200, {"data": {"error": error, "is_valid": False, "scopes": []}})
        if token.app_id != app.app_id:
            raise GraphError(100, "(#100) The App_id in the input_token did not match the "
                                  "Viewing App")
        facts.update(input=token)
        return Answer(200, {"data": self._describe(token)})

    def _caller(self, request):
        """The app on whose behalf debug_token is called: by app token or by user token."""
        text = request.value("access_token") or request.bearer()
        if not text:
            raise GraphError(104, "An access token is required to request this resource.")
        app_id, bar, secret = text.partition("|")
        if bar:
            app = self.state.apps.get(app_id)
            if app is None:
                raise GraphError(101, "Error validating application. Cannot get application info "
                                      "due to a system error.")
            if not secrets.compare_digest(secret.encode(), app.secret.encode()):
                raise GraphError(190, "Invalid OAuth access token signature.")
        else:
            token = self.state.tokens.get(text)
            if token is None:
                raise GraphError(190, "Invalid OAuth access token - Cannot parse access token")
            self._check_alive(token)
            app = self.state.apps[token.app_id]
        self._check_proof(request, app, text)
        return app

    def _check_proof(self, request, app, token):
        """Plain or timed proof for exactly this token; wrong is wrong even where it is optional."""
        proof, time = request.value("appsecret_proof"), request.value("appsecret_time")
        if proof is None:
            if app.require_proof:
                raise GraphError(100, "API calls from the server require an appsecret_proof "
                                      "argument", kind="GraphMethodException")
            return
        fresh = time is None or (re.fullmatch("[0-9]{1,12}", time) and
                                 abs(int(time) - self.state.now()) <= PROOF_SECONDS)
        expected = appsecret_proof(app.secret, token, time)
        if not fresh or not secrets.compare_digest(proof.encode(), expected.encode()):
            raise GraphError(100, "Invalid appsecret_proof provided in the API argument",
                             kind="GraphMethodException")

    def _describe(self, token):
        data = {"app_id": token.app_id, "type": token.type,
                "application": self.state.apps[token.app_id].name,
                "data_access_expires_at": token.data_access_expires_at,
                "expires_at": token.expires_at, "is_valid": True}
        if token.issued_at:
            data["issued_at"] = token.issued_at
        if token.profile_id:
            data["profile_id"] = token.profile_id
        data["scopes"] = list(token.scopes)
        data["granular_scopes"] = [{"scope": scope} for scope in token.scopes]
        data["user_id"] = token.user_id
        try:
            self._check_alive(token)
        except GraphError as error:
            data["is_valid"] = False
            data["error"] = {"code": error.code, "message": error.message,
                             "subcode": error.subcode}
        return data
