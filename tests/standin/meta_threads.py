"""Threads: as Instagram, with its own words, a numeric user id, app tokens and a debugger."""

import secrets

from messages import Answer
from meta_debugger import inspect
from meta_errors import GraphError
from meta_instagram import lengthen, profile, redeem_code, renew

PROFILE = ("id", "username", "name")


def code(call):
    """POST /oauth/access_token as a form"""
    token = redeem_code(call, "threads")
    call.facts["issued"] = [token]
    return Answer(200, {"access_token": token.token, "user_id": int(token.user_id)})


def exchange(call):
    """GET /access_token?grant_type=th_exchange_token"""
    return lengthen(call, "threads", "th_exchange_token")


def refresh(call):
    """GET /refresh_access_token?grant_type=th_refresh_token"""
    return renew(call, "threads", "th_refresh_token", "threads_basic")


def app_token(call):
    """GET /oauth/access_token?grant_type=client_credentials"""
    app = call.client("threads")
    token = call.state.add_token(
        app.app_id, "", type="APP", scopes=[], expires_at=0, data_access_expires_at=0,
        made_by="app_token", token=f"{app.app_id}|{secrets.token_urlsafe(20)}")
    return call.issue(token)


def me(call):
    """GET /me"""
    return profile(call, "threads", PROFILE)


def debug_token(call):
    """GET /debug_token: with the user token of a tester of the app."""
    caller = call.caller(types=("USER",), family="threads")
    app = call.app_of(caller)
    if caller.user_id not in app.testers:
        raise GraphError(10, "(#10) Only a tester of this app may ask")
    return inspect(call, app)
