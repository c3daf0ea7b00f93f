"""A few plain calls: who am I, an object, a list, a post, and an answer that repeats the token."""

import base64
import re

from messages import Answer
from meta_errors import GraphError, no_object
from meta_lists import listed, listed_by_time, windows

FIELDS = ("id", "name", "client_business_id")
NEWEST = 1786000000  # a post a minute before it
ECHOES = ("body", "header", "escape", "base64", "percent", "hex", "chunks", "proof")


def me(call):
    """GET /me, with `fields`"""
    token = call.data_caller(types=("USER", "PAGE", "SYSTEM_USER"), family="facebook")
    facts = {"id": token.subject(), "name": _name(call, token.subject())}
    if token.client_business_id:
        facts["client_business_id"] = token.client_business_id
    return _shown(call, facts)


def node(call):
    """GET /{id}: what this token may see of an object"""
    token = call.data_caller()
    if call.subject == token.subject() or token.type == "APP" and call.subject == token.app_id:
        return _shown(call, {"id": call.subject, "name": _name(call, call.subject)})
    owner = call.state.people.get(token.user_id)
    posts = [one for ids in call.state.posts.values() for one in ids]
    if call.subject in posts or owner and owner.page(call.subject):
        return _shown(call, {"id": call.subject, "name": _name(call, call.subject)})
    raise no_object(call.subject)


def feed(call):
    """GET /{id}/feed: a list of many items, by cursor or by time"""
    token = call.data_caller()
    subject = _own(call, token)
    ids = [f"{subject}_{n}" for n in range(1, call.rule("feed_items") + 1)]
    ids += call.state.posts.get(subject, [])
    items = [{"id": one, "message": f"Post {one}",
              "created_time": "2026-08-13T09:00:00+0000"} for one in ids]
    if call.rule("feed_paging") == "time":
        return listed_by_time(call, items, [NEWEST - 60 * n for n in range(len(ids))])
    return listed(call, items, ids)


def insights(call):
    """GET /{id}/insights: one value for each day"""
    _own(call, call.data_caller())
    return windows(call, {"name": call.required("metric"), "period": "day", "value": 1})


def post(call):
    """POST /{id}/feed, with a page token"""
    token = call.data_caller()
    subject = _own(call, token)
    if token.type != "PAGE":
        raise GraphError(200, "(#200) A page access token is required to post")
    call.required("message")
    with call.state.changed:
        made = call.state.posts.setdefault(subject, [])
        made.append(f"{subject}_{1000 + len(made)}")
        return Answer(200, {"id": made[-1]})


def echo(call):
    """/{id}/echo?how=…: what a hostile or careless server may do with the token it got"""
    call.data_caller()
    how = call.value("how") or "body"
    size = call.value("size") or "7"
    if how not in ECHOES or not re.fullmatch("[1-9][0-9]{0,3}", size):
        raise GraphError(100, "(#100) Param how or size is invalid")
    token = call.token_text()
    if how == "proof":
        return Answer(200, {"said": call.value("appsecret_proof") or ""})
    if how == "header":
        return Answer(200, {"said": ""}, [("x-echo", token)])
    if how == "escape":
        escaped = "".join(f"\\u{ord(one):04x}" for one in token)
        return Answer(200, body=('{"said":"' + escaped + '"}').encode())
    said = {"base64": base64.b64encode(("x:" + token).encode()).decode(),
            "percent": "".join(f"%{ord(one):02X}" for one in token), "hex": token.encode().hex(),
            }.get(how, token)
    answer = Answer(200, {"said": said})
    if how == "chunks":
        answer.chunk(int(size))
    return answer


def _own(call, token):
    subject = token.subject() if call.subject == "me" else call.subject
    person = call.state.people.get(token.user_id)
    if subject != token.subject() and not (token.type != "PAGE" and person
                                           and person.page(subject)):
        raise no_object(subject)
    return subject


def _shown(call, facts):
    asked = [one for one in (call.value("fields") or "id,name").split(",") if one]
    if unknown := set(asked) - set(FIELDS):
        raise GraphError(100, f"(#100) Tried accessing nonexisting field ({sorted(unknown)[0]})")
    names = dict.fromkeys((*asked, "id"))
    return Answer(200, {name: facts[name] for name in names if name in facts})


def _name(call, subject):
    person = call.state.people.get(subject)
    if person:
        return person.name
    pages = [one.page(subject) for one in call.state.people.values()]
    return next((page.get("name", "A page") for page in pages if page), "Stand-in object")
