"""Wrong in what is said: who a token belongs to, how long it lives, or that something failed.

Where an exchange lies about the token it issues, the stand-in remembers the lie: debug_token then
tells the same of that token, as it would if the provider had really made such a token.
"""

import re

import meta_errors
import meta_usage


def wrong_app(case):
    """The token turns out to belong to another app."""
    if case.issued():
        other = case.state.add_app(case.option("app_id", None)).app_id
        for token in case.issued():
            token.app_id = other
    else:
        case.described()["app_id"] = str(case.option("app_id", "999999999999999"))


def wrong_user(case):
    """The token turns out to belong to another user."""
    user = str(case.option("user_id", "10150000000000001"))
    for token in case.issued():
        token.user_id = user
    if "user_id" in case.described() or not case.issued():
        numeric = isinstance(case.described().get("user_id"), int)
        case.described()["user_id"] = int(user) if numeric else user


def unchanged_expiry(case):
    """The exchange succeeds and extends nothing; with same_token it returns its input."""
    before, issued = case.facts.get("input"), case.issued()
    if not issued:
        return
    issued[0].expires_at = before.expires_at
    case.described()["expires_in"] = max(0, before.expires_at - case.state.now())
    if case.option("same_token", False):
        case.described()["access_token"] = before.token


def no_expires_in(case):
    """The answer does not say how long the token lives."""
    case.described().pop("expires_in", None)


def never_expires(case):
    """The token has no end: expires_at 0, and an exchange without expires_in."""
    if case.issued():
        for token in case.issued():
            token.expires_at = 0
        case.described().pop("expires_in", None)
    else:
        case.described()["expires_at"] = 0


def numbers_as_strings(case):
    """Every number in the JSON arrives as text."""
    def convert(value):
        if isinstance(value, dict):
            return {key: convert(item) for key, item in value.items()}
        if isinstance(value, list):
            return [convert(item) for item in value]
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if is_number else value
    case.answer.data = convert(case.answer.data)


def fields(case):
    """Set or remove named facts: {"set": {...}, "remove": [...]}."""
    case.described().update(case.option("set", {}))
    for name in case.option("remove", []):
        case.described().pop(name, None)


def data_array(case):
    """The data is an array of one object."""
    case.answer.data = {"data": [case.described()]}


def http_error(case):
    """An error answer with any status, code, subcode and is_transient, in any of the shapes."""
    error = meta_errors.GraphError(case.option("code", 1),
                                   case.option("message", "An unknown error"),
                                   case.option("subcode", 0), case.option("type", "OAuthException"))
    wrong = meta_errors.error_answer(error, case.option("status", 400),
                                     case.option("transient", None), case.option("set", None),
                                     case.option("shape", "graph"))
    case.answer.status, case.answer.data = wrong.status, wrong.data
    case.answer.body = case.answer.redirect = None
    for name, value in wrong.headers:
        case.answer.set_header(name, value)


def quota(case):
    """A limit is used up: its error, and its header at 100 %."""
    limit = case.option("limit", "app")
    code, subcode, _ = meta_usage.QUOTAS[limit]
    case.options = {"status": 403 if code == 4 else 400, "message": "Request limit reached",
                    "code": code, "subcode": subcode, **case.options}
    http_error(case)
    case.answer.set_header(*meta_usage.full(limit, int(case.option("minutes", 19))))


def error_in_200(case):
    """The same as http_error, but with status 200."""
    http_error(case)
    case.answer.status = 200


def echo(case):
    """An error whose message and header repeat every secret that was sent."""
    message = "You sent " + " ".join(case.request.secrets_given())
    case.options = {"code": 100, **case.options, "message": message}
    http_error(case)
    case.answer.set_header("x-echo", re.sub("[^ -~]", "?", message))
