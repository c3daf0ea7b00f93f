"""Lists by cursor or by time, and a `next` that has the token in it."""

import base64
import binascii
import re
from urllib.parse import urlencode

from messages import Answer
from meta_errors import GraphError

DAY = 86400
KEPT = ("fields", "metric", "permission", "status")  # what a link to another page repeats


def listed(call, items, names, visible=lambda item: True):
    """One page of `items`; `names` are what their cursors are made of.

    An item that is not visible takes its place in the page and is left out, as privacy does at
    Meta, so that a page may be empty and have a next one.
    """
    limit, endless = _limit(call), call.rule("endless_lists")
    marks = [base64.urlsafe_b64encode(f"cursor:{one}".encode()).decode() for one in names]
    start = _position(call, "after", marks) + 1
    if endless and start == len(marks):
        start = 0
    end = start + limit
    if call.value("before"):
        end = _position(call, "before", marks)
        start = max(0, end - limit)
    answer = {"data": [item for item in items[start:end] if visible(item)]}
    if marks[start:end]:
        last = min(end, len(marks)) - 1
        answer["paging"] = {"cursors": {"before": marks[start], "after": marks[last]}}
        if end < len(items) or endless:
            answer["paging"]["next"] = _link(call, limit, after=marks[last])
        if start:
            answer["paging"]["previous"] = _link(call, limit, before=marks[start])
    return Answer(200, answer)


def listed_by_time(call, items, times):
    """One page of `items`, the newest first: `since`, `until`, and the last one that was seen.

    There are no cursors, and only a page without items has no next one.
    """
    limit, seen = _limit(call), call.value("__paging_token")
    since, until = _time(call, "since", 0), _time(call, "until", times[0])
    found = [(when, item) for when, item in zip(times, items) if since <= when <= until]
    if seen in [item["id"] for _, item in found]:
        found = found[[item["id"] for _, item in found].index(seen) + 1:]
    page = found[:limit]
    answer = {"data": [item for _, item in page]}
    if page:
        (first, newest), (last, oldest) = page[0], page[-1]
        kept = {"since": since} if since else {}
        answer["paging"] = {
            "previous": _link(call, limit, since=first, __previous=1, __paging_token=newest["id"]),
            "next": _link(call, limit, until=last, __paging_token=oldest["id"], **kept)}
    return Answer(200, answer)


def windows(call, value):
    """A list that goes from window to window of a day, with a next one whatever the time is."""
    since = _time(call, "since", call.state.now() - 3 * DAY)
    until = _time(call, "until", since + DAY)
    data = [] if since > call.state.now() else [{**value, "end_time": until}]
    return Answer(200, {"data": data, "paging": {
        "previous": _link(call, None, since=2 * since - until, until=since),
        "next": _link(call, None, since=until, until=2 * until - since)}})


def _time(call, name, default):
    given = call.value(name) or str(default)
    if not re.fullmatch("[0-9]{1,12}", given):
        raise GraphError(100, f"(#100) Param {name} must be a time")
    return int(given)


def _limit(call):
    given = call.value("limit") or str(call.rule("page_limit"))
    if not re.fullmatch("[1-9][0-9]{0,5}", given):
        raise GraphError(100, "(#100) Param limit must be a positive number")
    return min(int(given), call.rule("page_limit_max"))


def _position(call, name, marks):
    given = call.value(name)
    if not given:
        return -1
    try:
        base64.b64decode(given, altchars=b"-_", validate=True)
        return marks.index(given)
    except (binascii.Error, ValueError):
        raise GraphError(2642, "Invalid cursors values") from None


def _link(call, limit, **place):
    """A whole URL with the token in it, as Meta sends it; the proof is not repeated."""
    kept = [(name, value) for name, value in call.request.query + call.request.form
            if name in KEPT]
    size = [("limit", limit)] if limit else []
    query = [("access_token", call.token_text()), *kept, *size, *place.items()]
    host = call.request.header("Host") or "localhost"
    path = call.request.path.replace("/me/", f"/{call.caller().subject()}/")
    return f"https://{host}{path}?{urlencode(query)}"
