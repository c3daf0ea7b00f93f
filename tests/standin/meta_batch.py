"""Batch requests: up to fifty calls in one, each answered as it would be alone."""

import json
import re
from urllib.parse import parse_qsl

from messages import Answer, Request
from meta_errors import GraphError

ITEMS_MAX = 50
MEMBERS = {"method", "relative_url", "body", "name", "depends_on", "omit_response_on_success",
           "headers", "access_token"}
REFERENCE = re.compile(r"\{result=([^:}]+):\$([^}]*)\}")
PROOF = ("appsecret_proof", "appsecret_time")
BATCH_ERROR = "GraphBatchException"


def batch(call):
    """POST / with `batch`: the proof of the whole counts for each item, since all use its token"""
    call.caller()
    items = _items(call)
    call.request.items = [[item["method"], item["relative_url"].partition("?")[0]]
                          for item in items]
    known, answers = {}, []
    used = {match for item in items for text in (item["relative_url"], item.get("body", ""))
            for match, _ in REFERENCE.findall(text)}
    for item in items:
        answer = _answer(call, item, known)
        name = item.get("name")
        if name:
            known[name] = answer
        omit = item.get("omit_response_on_success", name in used)
        answers.append(None if omit and answer.status == 200 else _shown(answer))
    return Answer(200, answers)


def _items(call):
    try:
        items = json.loads(call.required("batch"))
    except ValueError:
        items = None
    if not isinstance(items, list) or not items or not all(_is_item(item) for item in items):
        raise GraphError(100, "(#100) batch parameter must be a JSON array", kind=BATCH_ERROR)
    if len(items) > ITEMS_MAX:
        raise GraphError(100, "Too many requests in batch message. Maximum batch size is 50",
                         kind=BATCH_ERROR)
    return items


def _is_item(item):
    return (isinstance(item, dict) and not set(item) - MEMBERS
            and isinstance(item.get("method"), str) and isinstance(item.get("relative_url"), str))


def _answer(call, item, known):
    """What the item gets, as if it came alone with the token of the batch."""
    def found(match):
        return ",".join(_values(known[match[1]].data, match[2]) if match[1] in known else [])
    target = REFERENCE.sub(found, item["relative_url"])
    path, _, query = target.partition("?")
    path = path.strip("/")
    if not re.match(r"v[0-9]", path):
        path = f"{call.request.path.strip('/').partition('/')[0]}/{path}"
    request = Request(item["method"], "/" + path, call.request.headers)
    request.query = parse_qsl(query, keep_blank_values=True)
    request.form = parse_qsl(REFERENCE.sub(found, item.get("body", "")), keep_blank_values=True)
    request.query += [(name, call.value(name)) for name in PROOF if call.value(name)]
    return call.graph.answer(request)[0]


def _values(data, path):
    """The texts at `.data.*.id` and the like."""
    values = [data]
    for part in re.findall(r"\.([\w*]+)|\[([\w*]+)\]", path):
        name = part[0] or part[1]
        values = [inner for value in values for inner in _members(value, name)]
    return [str(value) for value in values]


def _members(value, name):
    if name == "*":
        return list(value.values() if isinstance(value, dict) else value)
    if isinstance(value, list):
        return value[int(name):int(name) + 1] if name.isdigit() else []
    return [value[name]] if isinstance(value, dict) and name in value else []


def _shown(answer):
    headers = [{"name": name, "value": value} for name, value in answer.headers]
    return {"code": answer.status, "headers": headers, "body": answer.payload().decode()}
