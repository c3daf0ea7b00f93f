"""Wrong in what is said: who a token belongs to, how long it lives, or that something failed.

Where an exchange lies about the token it issues, the stand-in remembers the lie: debug_token then
tells the same of that token, as it would if the provider had really made such a token.
"""

import re

import answers


def wrong_app(case):
    """The token turns out to belong to another app."""
    if case.issued():
        case.issued().app_id = case.state.add_app(case.option("app_id", None)).app_id
    else:
        case.described()["app_id"] = str(case.option("app_id", "999999999999999"))


def wrong_user(case):
    """The token turns out to belong to another user."""
    user = str(case.option("user_id", "10150000000000001"))
    if case.issued():
        case.issued().user_id = user
    else:
        case.described()["user_id"] = user


def unchanged_expiry(case):
    """The exchange succeeds and extends nothing; with same_token it returns its input."""
    before, issued = case.facts.get("input"), case.issued()
    if not issued:
        return
    issued.expires_at = before.expires_at
    case.answer.data["expires_in"] = max(0, before.expires_at - case.state.now())
    if case.option("same_token", False):
        case.answer.data["access_token"] = before.token


def no_expires_in(case):
    """The exchange does not say how long the token lives."""
    case.answer.data.pop("expires_in", None)


def never_expires(case):
    """The token has no end: expires_at 0, and an exchange without expires_in."""
    if case.issued():
        case.issued().expires_at = 0
        case.answer.data.pop("expires_in", None)
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
    """debug_token's data is an array of one object."""
    case.answer.data = {"data": [case.described()]}


def http_error(case):
    """An error answer with any status, code, subcode and is_transient."""
    error = answers.GraphError(case.option("code", 1), case.option("message", "An unknown error"),
                               case.option("subcode", 0), case.option("type", "OAuthException"))
    wrong = answers.error_answer(error, case.option("status", 400), case.option("transient", None),
                                 case.option("set", None))
    case.answer.status, case.answer.data = wrong.status, wrong.data
    for name, value in wrong.headers:
        case.answer.set_header(name, value)


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
