"""The table of ways to answer wrongly; README.md describes them, wrong_*.py do them.

A function gets the right answer and changes it at the depth where the wrong lies: in what the
stand-in will say later of the issued token, in the JSON, in the body's bytes, in the framing, or
in the way the bytes are sent.  Several can be ordered for one request and work in that order.
"""

from dataclasses import dataclass, field

import wrong_bytes
import wrong_facts
from meta_errors import SHAPES
from meta_usage import QUOTAS

# Steps that answer with one token; of these, the steps that make it out of another one.
ISSUING_STEPS = ("exchange", "code", "redeem", "app_token", "system_user", "narrow",
                 "session_info", "device_poll", "refresh")
EXTENDING_STEPS = ("exchange", "redeem", "narrow", "session_info", "refresh")
HTTP_STEPS = ISSUING_STEPS + (
    "debug_token", "pages", "client_code", "device_start", "permissions", "take_back", "revoke",
    "businesses", "me", "call", "batch", "dialog", "other")
CONNECT_KINDS = ("untrusted", "other_name", "old_tls", "reset", "silent", "cut", "garbage",
                 "close", "early")


@dataclass
class Case:
    """One request that is to be answered wrongly."""

    request: object
    answer: object
    state: object
    release: object
    facts: dict
    options: dict = field(default_factory=dict)

    def option(self, name, default):
        """An option of the order, or its default."""
        return self.options.get(name, default)

    def issued(self):
        """The token records that were just issued; several with a list of pages."""
        return self.facts.get("issued", [])

    def described(self):
        """The part of the answer that holds the facts.

        That is debug_token's data, an item of a list (the first, or the order's `item`), the
        parameters of a redirect, or the top, which an order may also want by `at`.
        """
        if self.answer.redirect:
            return self.answer.redirect.parameters
        data, at_top = self.answer.data, self.option("at", "facts") == "top"
        inner = data.get("data") if isinstance(data, dict) and not at_top else data
        if isinstance(inner, list):
            number = int(self.option("item", 0))
            return inner[number] if number < len(inner) else {}
        inner = inner if isinstance(inner, dict) else data
        return inner if isinstance(inner, dict) else {}


NAMES = {
    wrong_facts: (
        "wrong_app", "wrong_user", "unchanged_expiry", "no_expires_in", "never_expires",
        "numbers_as_strings", "fields", "data_array", "http_error", "error_in_200", "quota",
        "echo"),
    wrong_bytes: (
        "garbage", "html_503", "empty_200", "query_string", "duplicate_keys", "deep", "trailing",
        "huge", "huge_header", "headers", "redirect", "close", "until_close", "chunked",
        "chunked_bad", "both_lengths", "two_content_lengths", "content_encoding", "early_hints",
        "extra_bytes", "stray", "hang_up", "bad_head", "raw", "slow", "silent", "cut"),
}
KINDS = {name: getattr(module, name) for module, names in NAMES.items() for name in names}
SOME_STEPS = {
    "unchanged_expiry": EXTENDING_STEPS, "no_expires_in": ISSUING_STEPS,
    "query_string": ISSUING_STEPS,
    "data_array": [step for step in HTTP_STEPS if step not in ("exchange", "dialog")],
}


def check(step, kind, options=None):
    """ValueError for an order that could never take effect."""
    known = CONNECT_KINDS if step == "connect" else KINDS if step in HTTP_STEPS else None
    if known is None:
        raise ValueError(f"no step {step!r}")
    if kind not in known:
        raise ValueError(f"no misbehaviour {kind!r} at {step}")
    if step != "connect" and step not in SOME_STEPS.get(kind, HTTP_STEPS):
        raise ValueError(f"{kind!r} makes no sense at {step}")
    given = options or {}
    if given.get("shape", "graph") not in SHAPES or given.get("limit", "app") not in QUOTAS:
        raise ValueError("no such shape, or no such limit")


def apply(orders, case):
    """Change the answer by every order in turn."""
    for order in orders:
        case.options = dict(order.options)
        KINDS[order.kind](case)
