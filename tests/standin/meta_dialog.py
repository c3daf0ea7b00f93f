"""The login dialogs.  The person who answers is the one of the control command `person`.

What is wrong with the app or with its redirect URI is shown to the person and goes nowhere:
answering it with a redirect would send codes to whoever asks.
"""

import re
import secrets
from urllib.parse import urlsplit

from messages import Answer, Redirect
from meta_errors import DialogError
from meta_records import Code

AUTH_TYPES = ("rerequest", "reauthenticate", "reauthorize")
PARAMETERS = {"client_id", "redirect_uri", "state", "response_type", "scope"}
FACEBOOK_PARAMETERS = PARAMETERS | {
    "auth_type", "auth_nonce", "config_id", "override_default_response_type", "display", "nonce",
    "code_challenge", "code_challenge_method", "return_scopes"}
CHALLENGE = re.compile("[A-Za-z0-9_-]{43}")
ALWAYS = {"facebook": "public_profile", "instagram": "instagram_business_basic",
          "threads": "threads_basic"}
CANCELLED = {"error": "access_denied", "error_reason": "user_denied",
             "error_description": "Permissions error."}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# A page that loads the redirect twice, as a prefetching browser or an impatient person does.
TWICE = '<!DOCTYPE html><img src="{0}"><meta http-equiv="refresh" content="0;url={0}">\n'


def facebook(call):
    """GET /vN.M/dialog/oauth"""
    return _dialog(call, _app(call, ("facebook",)), FACEBOOK_PARAMETERS, "#_=_")


def authorize(call):
    """GET /oauth/authorize of Instagram and of Threads"""
    app = _app(call, ("instagram", "threads"))
    known = PARAMETERS | {"code_challenge", "code_challenge_method"}
    return _dialog(call, app, known, "#_")


def _app(call, families):
    app = call.state.apps.get(call.value("client_id"))
    if app is None or app.family not in families:
        raise DialogError("Invalid App ID: The provided app ID does not look like a valid app ID.")
    return app


def _dialog(call, app, known, fragment):
    uri = _redirect_uri(call, app)
    _check(call, app, known)
    person = call.state.person
    if person is None:
        raise DialogError("You must log in to continue.")  # nobody sits at the browser
    answer = Answer(302, body=b"Found\n")
    answer.redirect = Redirect(uri, {}, fragment if person.fragment is None else person.fragment)
    if person.answer == "cancel":
        answer.redirect.parameters.update(CANCELLED)
    elif person.answer == "error_code":
        answer.redirect.parameters.update(error_code=str(person.error_code),
                                          error_message=person.error_message)
    else:
        answer.redirect.parameters.update(_grant(call, app, person, uri))
    answer.redirect.parameters["state"] = call.value("state")
    if person.answer == "twice":
        location = answer.redirect.location()
        answer.put_body(TWICE.format(location.replace("&", "&amp;")).encode())
        answer.headers.append(("Content-Location", location))
    return answer


def _redirect_uri(call, app):
    uri = call.value("redirect_uri")
    if not uri or uri not in app.redirect_uris:
        raise DialogError("URL Blocked: This redirect failed because the redirect URI is not "
                          "whitelisted in the app's Client OAuth Settings.")
    parts = urlsplit(uri)
    local = app.mode == "development" and parts.hostname in LOOPBACK
    if parts.fragment or parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise DialogError("Insecure Login Blocked: You can't get an access token or log in to "
                          "this app from an insecure page.")
    return uri


def _check(call, app, known):
    """Everything that the dialog can find wrong with its parameters."""
    unknown = {name for name, _ in call.request.query} - known
    if unknown:
        raise DialogError(f"Unknown parameter {sorted(unknown)[0]}")
    if not call.value("state"):
        raise DialogError("The parameter state is required")
    if call.value("response_type") not in ("code", *([None] if app.family == "facebook" else [])):
        raise DialogError("Invalid response_type")
    for kind in (call.value("auth_type") or "").split(","):
        if kind and kind not in AUTH_TYPES:
            raise DialogError("Invalid auth_type")
    if "reauthenticate" in (call.value("auth_type") or "") and not call.value("auth_nonce"):
        raise DialogError("The parameter auth_nonce is required")
    _check_config(call, app)
    _check_challenge(call, app)


def _check_config(call, app):
    config_id = call.value("config_id")
    if config_id is None:
        return
    if config_id not in app.configs:
        raise DialogError("Invalid config_id")
    if call.value("scope") is not None:
        raise DialogError("config_id takes the place of scope")
    overridden = call.value("override_default_response_type") == "true"
    if app.configs[config_id].get("token") == "system_user" and not (
            overridden and call.value("response_type") == "code"):
        raise DialogError("A configuration for system users needs response_type=code and "
                          "override_default_response_type=true")


def _check_challenge(call, app):
    challenge, method = call.value("code_challenge"), call.value("code_challenge_method")
    if challenge is None and method is None:
        return
    if app.family not in call.rule("pkce"):
        raise DialogError("Unknown parameter code_challenge")
    if method != "S256" or not challenge or not CHALLENGE.fullmatch(challenge):
        raise DialogError("Invalid code_challenge")
    if (app.family == "facebook" and call.rule("pkce_needs_openid")
            and "openid" not in call.names("scope")):
        raise DialogError("code_challenge needs the scope openid")


def _grant(call, app, person, uri):
    """The person has consented: permissions are noted and a code is made."""
    config = app.configs.get(call.value("config_id"), {})
    asked = [ALWAYS[app.family], *(config.get("scopes") or call.names("scope"))]
    known = call.state.permissions.setdefault((app.app_id, person.user_id), {})
    again = "rerequest" in (call.value("auth_type") or "")
    for scope in dict.fromkeys(asked):
        if scope == ALWAYS[app.family] or scope not in person.decline and (
                again or known.get(scope) != "declined"):
            known[scope] = "granted"
        else:
            known[scope] = "declined"
    code = make_code(call, app, uri, _token_facts(call, person, config, known))
    parameters = {"code": code.code}
    if call.value("return_scopes") == "true":
        for word, status in (("granted_scopes", "granted"), ("denied_scopes", "declined")):
            parameters[word] = ",".join(one for one in known if known[one] == status)
    return parameters


def _token_facts(call, person, config, known):
    """What the code is worth."""
    scopes = [one for one in known if known[one] == "granted"]
    facts = {"user_id": person.user_id, "scopes": scopes, "targets": dict(person.targets),
             "expires_in": config.get("expires_in", call.rule("short_lived_seconds"))}
    metadata = {name: call.value(name) for name in ("auth_type", "auth_nonce") if call.value(name)}
    if metadata:
        facts["metadata"] = metadata
    if config.get("token") == "system_user":
        facts.update(type="SYSTEM_USER", client_business_id=person.client_business_id)
        facts["user_id"] = config.get("system_user_id", person.user_id)
        facts["expires_in"] = config.get("expires_in", 0)
    return facts


def make_code(call, app, uri, token, **facts):
    """A code, good once and for some minutes."""
    text = ("AQ" if app.family != "threads" else "AQD") + secrets.token_urlsafe(150)
    code = Code(text, app.app_id, uri, call.state.now() + call.rule("code_seconds"), token,
                challenge=call.value("code_challenge") or "", nonce=call.value("nonce") or "",
                **facts)
    with call.state.changed:
        call.state.codes[text] = code
    call.state.hand_out("code", call.step, text)
    return code
