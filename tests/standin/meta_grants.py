"""Facebook's token endpoint: one path, many grants, and the code that a client redeems."""

import base64
import hashlib
import json
import re
import secrets

from messages import Answer
from meta_calls import BAD_TOKEN, same
from meta_dialog import make_code
from meta_errors import GraphError
from state import LONG_LIVED_SECONDS

VERIFIER = re.compile("[A-Za-z0-9._~-]{43,128}")
MACHINE_ID_BYTES = 18


def choose(state, request):
    """The step and the answer of a token request."""
    grant = request.value("grant_type")
    if grant in (None, "authorization_code") and request.value("code") is not None:
        code = state.codes.get(request.value("code"))
        proved = request.value("client_secret") or request.value("code_verifier")
        if code.for_client if code else not proved:
            return "redeem", redeem
        return "code", code_exchange
    return {"client_credentials": ("app_token", app_token),
            "fb_attenuate_token": ("session_info", session_info),
            }.get(grant, ("exchange", exchange))


# Authorisation codes.

def code_exchange(call):
    """An authorisation code, with the client secret or with the verifier of its challenge."""
    code = call.state.codes.get(call.value("code"))
    app = call.client_app()
    if call.value("client_secret") is not None or not (code and code.challenge):
        call.check_secret(app)
    use_code(call, app, code)
    facts = dict(code.token)
    if not facts["expires_in"]:
        facts.pop("expires_in")
        facts["expires_at"] = 0
    token = call.state.add_token(app.app_id, made_by="code", **facts)
    return call.issue(token, _id_token(call, code, token))


def use_code(call, app, code, subcodes=True):
    """Everything that can be wrong with a code; afterwards it is used up."""
    def wrong(text, subcode, number=100):
        return GraphError(number, text, subcode if subcodes else 0, challenge="invalid_code")
    if code is None or code.app_id != app.app_id or code.for_client != (call.step == "redeem"):
        raise wrong("Invalid verification code format.", 0)
    with call.state.changed:
        if code.used:
            raise wrong("This authorization code has been used.", 36009)
        if code.expires_at <= call.state.now():
            raise wrong("This authorization code has expired.", call.rule("expired_code_subcode"))
        if call.value("redirect_uri") != code.redirect_uri:
            raise wrong("Error validating verification code. Please make sure your redirect_uri "
                        "is identical to the one you used in the OAuth dialog request",
                        call.rule("redirect_mismatch_subcode"),
                        call.rule("redirect_mismatch_code"))
        if not _verified(call.value("code_verifier"), code.challenge):
            raise wrong("Invalid code_verifier parameter", call.rule("verifier_subcode"))
        code.used = True


def _verified(verifier, challenge):
    if not challenge or verifier is None:
        return not challenge and verifier is None
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    return bool(VERIFIER.fullmatch(verifier)) and same(digest.decode().rstrip("="), challenge)


def _id_token(call, code, token):
    """An id_token where openid was asked for; nobody checks its signature here."""
    if "openid" not in token.scopes:
        return {}
    now = call.state.now()
    claims = {"iss": "https://www.facebook.com", "aud": token.app_id, "sub": token.user_id,
              "iat": now, "exp": now + 3600, "jti": secrets.token_hex(8), "nonce": code.nonce}
    parts = [json.dumps(one).encode() for one in ({"alg": "RS256", "typ": "JWT"}, claims)]
    text = ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=")
                    for one in [*parts, secrets.token_bytes(256)])
    call.state.hand_out("id token", call.step, text)
    return {"id_token": text}


# Other grants.

def exchange(call):
    """fb_exchange_token: sixty days for a user token, or sixty more for a system user's."""
    app = call.client()
    if call.value("grant_type") != "fb_exchange_token":
        raise GraphError(100, "Invalid parameter: grant_type")
    parent = _input(call, app)
    renewal = call.flag("set_token_expires_in_60_days")
    if (parent.type not in ("USER", "SYSTEM_USER") or parent.session_info
            or renewal != (parent.type == "SYSTEM_USER") or renewal and not parent.expires_at):
        raise GraphError(100, "This kind of token cannot be exchanged")
    expires_at = call.state.now() + LONG_LIVED_SECONDS
    if not call.rule("long_lived_extends") and not renewal and call.state.long_lived(parent):
        expires_at = parent.expires_at
    issued = call.state.derive(parent, "exchange", expires_at=expires_at)
    call.facts.update(input=parent)
    return call.issue(issued)


def _input(call, app):
    """The live token of this app in fb_exchange_token."""
    text = call.value("fb_exchange_token")
    if not text:
        raise GraphError(100, "The parameter fb_exchange_token is required")
    parent = call.state.tokens.get(text)
    if parent is None or parent.app_id != app.app_id:
        raise GraphError(190, BAD_TOKEN)
    call.check_alive(parent)
    if call.value("appsecret_proof") is not None:
        call.check_proof(app, call.value("access_token") or text)
    return parent


def session_info(call):
    """fb_attenuate_token: a token that says whose session it is; no secret belongs here."""
    app = call.client_app()
    if call.value("client_secret") is not None:
        raise GraphError(100, "fb_attenuate_token takes no client_secret")
    parent = _input(call, app)
    if parent.type != "USER" or parent.session_info:
        raise GraphError(100, "This kind of token cannot be attenuated")
    issued = call.state.derive(parent, "session_info", issued_at=0, session_info=True,
                               token="XAA" + secrets.token_urlsafe(90))
    call.facts.update(input=parent)
    return call.issue(issued)


def app_token(call):
    """client_credentials: an app token without an end."""
    app = call.client()
    token = call.state.add_token(
        app.app_id, "", type="APP", scopes=[], expires_at=0, data_access_expires_at=0,
        made_by="app_token", token=f"{app.app_id}|{secrets.token_urlsafe(20)}")
    return call.issue(token)


# Codes for clients.

def client_code(call):
    """GET /oauth/client_code: for a long-lived user token, a code that one client redeems."""
    app = call.client()
    uri = call.required("redirect_uri")
    if uri not in app.redirect_uris:
        raise GraphError(100, "redirect_uri isn't an absolute URI of this app. Check RFC 3986.")
    parent = call.caller(types=("USER",))
    if parent.app_id != app.app_id or parent.session_info or not call.state.long_lived(parent):
        raise GraphError(100, "A long-lived user access token of this app is required")
    code = make_code(call, app, uri, {}, parent=parent.token, for_client=True)
    return Answer(200, {"code": code.code})


def redeem(call):
    """The client's half: no secret, and the machine id of the last time when there was one."""
    app = call.client_app()
    if call.value("client_secret") is not None:
        raise GraphError(100, "A client that redeems a code has no client_secret")
    machine = call.value("machine_id")
    known = [one["value"] for one in call.state.issued if one["what"] == "machine id"]
    if machine is not None and machine not in known:
        raise GraphError(100, "Invalid machine_id")
    code = call.state.codes.get(call.value("code"))
    use_code(call, app, code)
    parent = call.state.tokens[code.parent]
    call.check_alive(parent)
    issued = call.state.derive(parent, "redeem", parent="")
    call.facts.update(input=parent)
    if machine is None:
        machine = secrets.token_urlsafe(MACHINE_ID_BYTES)
        call.state.hand_out("machine id", call.step, machine)
    return call.issue(issued, {"machine_id": machine}, bearer=False)
