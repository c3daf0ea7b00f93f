"""The stand-in's plain data: objects, lists, posts, and answers that repeat the token."""

import base64
import json

import pytest

from graphcalls import proof
from graphsteps import PAGE, PERSON, World


@pytest.fixture
def world(graph):
    """A person with a page, and a client."""
    made = World(graph)
    yield made
    made.caller.close()


@pytest.fixture
def page(world):
    """A page token."""
    return world.user(type="PAGE", profile_id=PAGE, expires_at=0)


def test_who_am_i(world, page):
    """A person, a page."""
    assert world.caller.ask("me", world.user()).data == {"id": PERSON, "name": "Ann"}
    assert world.caller.ask("me", page, fields="name,id").data == {"name": "Ann's page",
                                                                   "id": PAGE}


def test_objects(world, page):
    """One's own, one's pages, one's app; nothing else."""
    user = world.user()
    assert world.caller.ask(PAGE, user).data == {"id": PAGE, "name": "Ann's page"}
    assert world.caller.ask(PERSON, user, fields="id").data == {"id": PERSON}
    assert world.caller.ask(PAGE, page).status == 200
    assert world.caller.ask("77", user).error == (100, 33)
    app_id = world.caller.app_id
    assert world.caller.ask(app_id, world.caller.app_token).data["id"] == app_id
    assert world.caller.ask(PAGE).error == (2500, 0)


def test_posts(world, page):
    """A page token and a message; the post stands in the list, and is an object."""
    made = world.caller.post(f"{PAGE}/feed", page, message="Hello").data["id"]
    assert made == PAGE + "_1000"
    assert world.caller.post("me/feed", page, message="Again").data["id"] == PAGE + "_1001"
    assert world.caller.post(f"{PAGE}/feed", page).error == (100, 0)
    assert world.caller.post(f"{PAGE}/feed", world.user(), message="x").error == (200, 0)
    assert world.caller.post("77/feed", page, message="x").error == (100, 33)


def test_a_long_list_by_cursor(graph, world, page):
    """Page by page to the end; as GET or as POST with method=get."""
    graph.rules(feed_items=120)
    after, count = None, 0
    while True:
        answer = world.caller.post(f"{PAGE}/feed", page, method="get", limit=50, after=after)
        count += len(answer.data["data"])
        if "next" not in answer.data["paging"]:
            break
        after = answer.data["paging"]["cursors"]["after"]
    assert count == 120
    line = graph.requests()[-1]
    assert (line["step"], line["method"], line["effective_method"]) == ("call", "POST", "GET")


@pytest.mark.parametrize("how", ["body", "header", "escape", "base64", "percent", "hex", "chunks"])
def test_the_token_comes_back(world, how):
    """In every disguise."""
    user = world.user()
    answer = world.caller.ask("me/echo", user, how=how)
    said = answer.data["said"]
    if how == "header":
        assert answer.headers["x-echo"] == user
    elif how == "base64":
        assert base64.b64decode(said) == b"x:" + user.encode()
    elif how == "percent":
        assert bytes.fromhex(said.replace("%", "")) == user.encode()
    elif how == "hex":
        assert bytes.fromhex(said) == user.encode()
    else:
        assert said == user
    assert (user.encode() in answer.body) is (how in ("body", "chunks"))


def test_the_token_across_chunks(world):
    """No chunk has more than three bytes of it on the wire."""
    user = world.user()
    connection = world.caller.send("GET", "/v26.0/me/echo", query={"how": "chunks", "size": 3},
                                   Authorization=f"Bearer {user}", Connection="close")
    found = b""
    while data := connection.sock.recv(65536):
        found += data
    body = found.partition(b"\r\n\r\n")[2]
    assert b"Transfer-Encoding: chunked" in found and user.encode()[:4] not in body
    world.caller.close()


def test_the_proof_comes_back(world):
    """And an echo of another kind is refused."""
    user = world.user()
    good = proof(world.caller.secret, user)
    answer = world.caller.post("me/echo", user, how="proof", appsecret_proof=good)
    assert answer.data == {"said": good}
    assert world.caller.ask("me/echo", user, how="dance").error == (100, 0)


def test_dead_tokens_open_nothing(world):
    """Expired, revoked."""
    assert world.caller.ask("me", world.user(expires_at=5)).error == (190, 463)
    assert world.caller.ask("me", world.user(revoked=492)).error == (190, 492)


def test_paths_without_a_version(graph, world):
    """Facebook's are refused until a rule allows them."""
    assert world.caller.ask("/me", world.user()).error == (2500, 0)
    graph.rules(unversioned=True)
    assert world.caller.ask("/me", world.user()).headers["facebook-api-version"] == "v26.0"


def test_the_record_has_no_value_of_any_step(graph, world, canaries, page):
    """Neither what was sent nor what went out, whatever the step."""
    steps = ("code", "redeem", "client_code", "device_poll", "pages", "refresh", "revoke", "call")
    for step in steps:
        sent = world.request(step)
        assert world.caller.call(sent.method, sent.path, sent.form, sent.query,
                                 **sent.headers).status == 200
    canaries.add("page token", page)
    canaries.add("app secret of the caller", world.caller.secret)
    canaries.add_issued(graph)
    record = graph.directory / "requests.jsonl"
    assert canaries.leaks([graph.directory]) == []
    assert [json.loads(line) for line in record.read_text().splitlines()] == graph.requests()
