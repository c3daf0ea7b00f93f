"""Businesses and their system users: installing an app, issuing, narrowing and ending tokens."""

import json

from messages import Answer
from meta_calls import BAD_TOKEN
from meta_errors import GraphError, no_object
from meta_lists import listed
from meta_people import page_list
from state import LONG_LIVED_SECONDS


def install(call):
    """POST /{system-user}/applications: the app may then have tokens of that system user."""
    business = _business(call)
    _check_admin(business, call.data_caller(types=("USER", "SYSTEM_USER")))
    app = _business_app(call, business)
    pair = [call.subject, app.app_id]
    if pair not in business.installed:
        business.installed.append(pair)
    return Answer(200, {"success": True})


def system_user(call):
    """POST /{system-user}/access_tokens, always with a proof."""
    business = _business(call)
    caller = call.caller(types=("USER", "SYSTEM_USER"), proof=True)
    _check_admin(business, caller)
    app = _business_app(call, business)
    if call.rule("install_first") and [call.subject, app.app_id] not in business.installed:
        raise GraphError(100, "(#100) The app is not installed for this system user")
    scopes = call.names("scope")
    if not scopes:
        raise GraphError(100, "(#100) The parameter scope is required")
    token = call.state.add_token(
        app.app_id, call.subject, type="SYSTEM_USER", scopes=scopes, made_by="system_user",
        issued_at=call.state.now(), data_access_expires_at=0, expires_at=_expiry(call, business))
    return call.issue(token, bearer=False, expires=False)


def delete_tokens(call):
    """DELETE /{system-user}/access_tokens: every token of that system user ends."""
    business = _business(call)
    _check_admin(business, call.caller(types=("USER", "SYSTEM_USER")))
    for token in list(call.state.tokens.values()):
        if token.user_id == call.subject and token.type == "SYSTEM_USER":
            call.state.revoke(token.token)
    return call.success(call.rule("revoke_shape"))


def narrow(call):
    """POST /{client-business}/system_user_access_tokens: fewer scopes, fewer assets."""
    caller = call.caller(types=("SYSTEM_USER",), proof=True)
    if not caller.client_business_id or caller.client_business_id != call.subject:
        raise no_object(call.subject)
    if call.value("system_user_id") not in (None, caller.user_id):
        raise no_object(call.value("system_user_id"))
    if call.flag("fetch_only"):
        return call.issue(caller, bearer=False, expires=False)
    scopes = call.names("scope") or list(caller.scopes)
    if not set(scopes) <= set(caller.scopes):
        raise GraphError(200, "(#200) The scopes are more than those of the token")
    assets = _assets(call)
    owned = {str(one) for ids in caller.targets.values() for one in ids}
    if owned and not set(assets) <= owned:
        raise GraphError(200, "(#200) The assets are more than those of the token")
    targets = {scope: assets or caller.targets.get(scope) for scope in scopes}
    expires_at = _expiry(call, call.state.businesses.get(call.subject))
    if caller.expires_at:  # a narrowed token outlives nobody
        expires_at = min(expires_at or caller.expires_at, caller.expires_at)
    token = call.state.derive(caller, "narrow", scopes=scopes, expires_at=expires_at, targets={
        scope: ids for scope, ids in targets.items() if ids is not None})
    call.facts.update(input=caller)
    return call.issue(token, bearer=False, expires=False)


def revoke(call):
    """GET /oauth/revoke: one token ends at once."""
    app = call.client()
    caller = call.caller()
    victim = call.state.tokens.get(call.required("revoke_token"))
    if caller.app_id != app.app_id or victim is None or victim.app_id != app.app_id:
        raise GraphError(190, BAD_TOKEN)
    call.check_alive(victim)
    if victim.type not in call.rule("revoke_types"):
        raise GraphError(100, "This kind of token cannot be revoked")
    call.facts.update(input=victim)
    call.state.revoke(victim.token)
    return call.success(call.rule("revoke_shape"))


def businesses(call):
    """GET /me/businesses: those that the person has a role in."""
    token = _manager(call)
    if call.subject not in ("me", token.user_id):
        raise no_object(call.subject)
    found = [{"id": business.business_id, "name": business.name}
             for business in call.state.businesses.values() if token.user_id in business.admins]
    return listed(call, found, [one["id"] for one in found])


def owned_pages(call):
    """GET /{business}/owned_pages"""
    return _business_pages(call, "owned_pages")


def client_pages(call):
    """GET /{business}/client_pages: those of its clients."""
    return _business_pages(call, "client_pages")


def _business_pages(call, edge):
    token, business = _manager(call), call.state.businesses.get(call.subject)
    if business is None or token.user_id not in business.admins:
        raise no_object(call.subject)
    return page_list(call, token, getattr(business, edge))


def _manager(call):
    token = call.data_caller(types=("USER",), family="facebook")
    if "business_management" not in token.scopes:
        raise GraphError(200, "(#200) Requires business_management permission to manage the "
                              "object")
    return token


def _business(call):
    business = call.state.business_of(call.subject)
    if business is None:
        raise no_object(call.subject)
    return business


def _check_admin(business, token):
    """An administrator, or a system user of the same business."""
    if token.session_info or token.user_id not in business.admins + business.system_users:
        raise GraphError(200, "(#200) You do not have permission to manage this system user")


def _business_app(call, business):
    """App and system user belong to one business."""
    app = call.state.apps.get(call.required("business_app"))
    if app is None or app.business_id != business.business_id:
        raise GraphError(100, "(#100) The app does not belong to the system user's business")
    return app


def _expiry(call, business):
    """For ever, or sixty days; some businesses want it to be sixty days."""
    if call.flag("set_token_expires_in_60_days"):
        return call.state.now() + LONG_LIVED_SECONDS
    if business and business.must_expire:
        raise GraphError(100, "(#100) Tokens of this business must expire: "
                              "set_token_expires_in_60_days must be true")
    return 0


def _assets(call):
    """Ids, as a JSON list or with commas."""
    text = call.value("asset") or ""
    try:
        found = json.loads(text) if text.startswith("[") else text.split(",")
    except ValueError:
        raise GraphError(100, "(#100) Param asset must be an array") from None
    return [str(one) for one in found if one]
