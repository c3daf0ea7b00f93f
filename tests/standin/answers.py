"""Graph's side: from a request to the right answer, with the headers that Meta sends."""

from email.utils import formatdate

import meta_routes
import meta_usage
from messages import Answer
from meta_calls import Call, appsecret_proof
from meta_errors import TRACE_ALPHABET, DialogError, GraphError, error_answer
from meta_records import random_text

__all__ = ["Graph", "appsecret_proof"]
PAGE = """<!DOCTYPE html><html><head><title>Error</title></head><body><p>{}</p></body></html>
"""
SHORT_TYPES = ("exchange", "code", "redeem", "app_token", "session_info", "refresh")


class Graph:
    """Answers requests out of a state; keeps nothing itself."""

    def __init__(self, state):
        self.state = state

    def step_of(self, request):
        """The step that a request is recorded as."""
        route = meta_routes.find(self.state, request)
        return route.step if route else "other"

    def answer(self, request):
        """The right answer to a request; second, the token records it was about."""
        route = meta_routes.find(self.state, request)
        version, facts = f"v{meta_routes.NEWEST_VERSION[0]}.{meta_routes.NEWEST_VERSION[1]}", {}
        try:
            if request.repeated():
                raise GraphError(100, "A parameter was given more than once")
            version = meta_routes.version_of(self.state, request)
            if route is None:
                raise GraphError(2500, "Unknown path components: " + request.path)
            meta_routes.check_method(self.state, request, route)
            answer = route.answer(Call(self.state, request, route.step, version, route.subject,
                                       facts, self))
        except DialogError as error:
            answer = _page(str(error))
        except GraphError as error:
            answer = _error(error, request, route, self.state)
        self._add_headers(request, answer, version, route.step if route else "other")
        return answer, facts

    def _add_headers(self, request, answer, version, step):
        issued = step in SHORT_TYPES and answer.status == 200
        content_type = "application/json" if issued else "text/javascript; charset=UTF-8"
        if answer.redirect or step == "dialog":
            content_type = "text/html; charset=utf-8"
        error = answer.data.get("error", {}) if isinstance(answer.data, dict) else {}
        trace = error.get("fbtrace_id") if isinstance(error, dict) else None
        answer.headers = [
            ("Date", formatdate(self.state.now(), usegmt=True)),
            ("Content-Type", content_type),
            ("facebook-api-version", version),
            ("x-fb-request-id", "A" + random_text(22, TRACE_ALPHABET)),
            ("x-fb-trace-id", trace or random_text(11, TRACE_ALPHABET)),
            ("x-fb-rev", "1031415926"),
            ("Cache-Control", "private, no-cache, no-store, must-revalidate"),
            ("Expires", "Sat, 01 Jan 2000 00:00:00 GMT"),
            ("Pragma", "no-cache"),
            ("Strict-Transport-Security", "max-age=15552000; preload"),
        ] + answer.headers + meta_usage.headers(self.state.usage, step)


def _page(text):
    return Answer(400, body=PAGE.format(text).encode())


def _error(error, request, route, state):
    if route and route.step == "dialog":
        return _page(error.message)
    zero = (state.rules["zero_subcode"] and error.code == 190 and not error.subcode
            and meta_routes.family_of(state, request) == "instagram")
    return error_answer(error, data={"error_subcode": 0} if zero else None,
                        shape=route.shape if route else "graph")
