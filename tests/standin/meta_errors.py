"""Errors as Meta words them, in the shapes that the families use."""

import re
import string
from datetime import datetime, timezone

from messages import Answer
from meta_records import random_text

TRACE_ALPHABET = string.ascii_letters + string.digits + "_-"
CHALLENGES = {190: "invalid_token"}
SHAPES = ("graph", "instagram", "rest", "oauth", "false")


class GraphError(Exception):
    """An error answer on its way to the client."""

    def __init__(self, code, message, subcode=0, kind="OAuthException", challenge=None):
        super().__init__(message)
        self.code, self.message, self.subcode, self.kind = code, message, subcode, kind
        self.challenge = challenge or CHALLENGES.get(code, "invalid_request")


class DialogError(Exception):
    """The login dialog shows a page of its own and sends nobody anywhere."""


def method_error(text="Unsupported request"):
    """A node, an edge or a call that does not take this method."""
    return GraphError(100, text, 33, "GraphMethodException")


def no_object(subject):
    """An id that is not there, or not for this token."""
    return GraphError(100, f"Unsupported request. Object with ID '{subject}' does not exist, "
                           "cannot be loaded due to missing permissions, or does not support this "
                           "operation", 33, "GraphMethodException")


def expired(expires_at, now):
    """190 with the text that names both times."""
    def stamp(when):
        moment = datetime.fromtimestamp(when, timezone.utc)
        return moment.strftime("%A, %d-%b-%y %H:%M:%S UTC")
    return GraphError(190, f"Error validating access token: Session has expired on "
                           f"{stamp(expires_at)}. The current time is {stamp(now)}.", 463)


def error_answer(error, status=400, transient=None, data=None, shape="graph"):
    """An error body with its headers; `shape` is one of SHAPES."""
    body = {"message": error.message, "type": error.kind, "code": error.code}
    if error.subcode:
        body["error_subcode"] = error.subcode
    if transient is not None:
        body["is_transient"] = transient
    body.update(data or {})
    body["fbtrace_id"] = "A" + random_text(22, TRACE_ALPHABET)
    answer = Answer(status, _shaped(shape, error, body, status))
    quoted = re.sub(r'[^ !#-~]', "'", error.message)
    if shape in ("graph", "oauth"):
        answer.headers.append(("WWW-Authenticate",
                               f'OAuth "Facebook Platform" "{error.challenge}" "{quoted}"'))
    return answer


def _shaped(shape, error, body, status):
    if shape == "graph":
        return {"error": body}
    if shape == "instagram":
        return {"error_type": error.kind, "code": status, "error_message": error.message}
    if shape == "rest":
        return {"error_code": error.code, "error_msg": error.message, "error_reason": error.kind}
    if shape == "oauth":
        return {"error": "invalid_grant", "error_description": error.message}
    if shape == "false":
        return {"success": False}
    raise ValueError(f"no shape {shape!r}")
