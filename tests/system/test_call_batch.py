"""`call --batch`: several calls in one request; each is checked, and each answer scrubbed, as one of its own."""

import json

import pytest

from cards import GRANT, Facts, refused
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault)

MARK = "[scrubbed]"
ME, FEED = {"method": "GET", "relative_url": "me?fields=id"}, {
    "method": "GET", "relative_url": "me/feed?limit=2", "name": "feed"}
LOGIN, PERMISSION, STOP = 12, 13, 15


def get(url, **members):
    """An item."""
    return {"method": "GET", "relative_url": url, **members}


def batch(vault, items, *arguments, name=GRANT, text=None):
    """The verb, with a file of these items."""
    path = vault.write("given/batch", json.dumps(items) if text is None else text)
    return vault.run("call", name, "--batch", path, *arguments)


def bodies(answers):
    """Code and body of each."""
    return [one and (one["code"], json.loads(one["body"])) for one in answers]


def entries(vault, kind):
    """Those of the newest use."""
    return [entry for entry in Facts(vault).entries if entry["type"] == kind]


def test_a_batch(ready_vault, graph, canaries):
    """In one request, proved once; the log says what was called before anything is sent, and after."""
    before = len(graph.requests())
    result = batch(ready_vault, [ME, get("v26.0/me/permissions"), get("me/feed?limit=1&x=y")])
    assert (result.code, result.said) == (0, ""), result
    answers = bodies(json.loads(result.out))
    assert answers[0] == (200, {"id": ready_vault.user_id})
    assert [code for code, _ in answers] == [200, 200, 200] and answers[1][1]["data"]
    assert answers[2][1]["paging"]["next"].startswith("limit=1&after=")
    lines = graph.requests()[before:]
    assert [line["step"] for line in lines] == ["batch"] and lines[0]["proof"] == "timed"
    assert lines[0]["form_names"] == ["batch", "appsecret_proof", "appsecret_time"]
    assert lines[0]["bearer"] and lines[0]["path"] == "/v26.0"
    called = "batch of 3: GET me, GET v26.0/me/permissions, GET me/feed"
    assert entries(ready_vault, "intent")[-1]["call"] == called
    assert entries(ready_vault, "step")[-1]["call"] == called
    assert canaries.leaks([ready_vault.directory / "vault.db"], [result.out, result.err]) == []
    ready_vault.done("audit", "verify")


def test_on_standard_input(ready_vault):
    """As JSON, with the frame of a call."""
    result = ready_vault.run("call", GRANT, "--batch", "-", "--json", stdin=json.dumps([ME, ME]))
    told = json.loads(result.out)
    assert (result.code, told["http"], told["name"], told["scrubbed"]) == (0, 200, GRANT, 0)
    assert bodies(told["answers"][0]) == [(200, {"id": ready_vault.user_id})] * 2


def test_what_others_give(ready_vault):
    """Ids of one answer in the next call; the first answer is left out unless it is wanted."""
    take = get("?ids={result=feed:$.data.*.id}&fields=id")
    one = get("{result=feed:$.data[0].id}?fields=id")
    result = batch(ready_vault, [FEED, one, take])
    told = bodies(json.loads(result.out))
    assert told[0] is None and told[1][0] in (200, 400), result
    wanted = batch(ready_vault, [{**FEED, "omit_response_on_success": False}, one])
    told = bodies(json.loads(wanted.out))
    assert len(told[0][1]["data"]) == 2


def test_the_gravest_counts(ready_vault, graph):
    """What failed is shown beside what did not; the exit status is that of the worst."""
    post = {"method": "POST", "relative_url": "me/feed", "body": "message=a%20b"}
    result = batch(ready_vault, [ME, post, ME])
    assert [code for code, _ in bodies(json.loads(result.out))] == [200, 400, 200]
    assert result.code == PERMISSION and "call 2 of 3: " in result.err, result
    step = entries(ready_vault, "step")[-1]
    assert (step["code"], step["http"], step["provider_code"]) == ("permission", 200, 200)
    result = batch(ready_vault, [ME, post, get("me?fields=nope")])
    assert result.code == STOP and "call 3 of 3: " in result.err, result
    graph.tell("revoke", token=ready_vault.token)
    try:
        result = batch(ready_vault, [ME])
    finally:
        graph.set_token(ready_vault.token, revoked=None)
    assert result.code == LOGIN and "190" in result.out


@pytest.mark.parametrize("how", ["body", "escape", "base64", "percent", "hex", "proof"])
def test_the_token_comes_back(ready_vault, canaries, how):
    """In the body of an item, in any disguise."""
    result = batch(ready_vault, [ME, get(f"me/echo?how={how}")])
    assert result.code == 0 and MARK in bodies(json.loads(result.out))[1][1]["said"], result
    assert "the answer held 1 " in result.err
    assert canaries.leaks([ready_vault.directory / "vault.db"], [result.out, result.err]) == []


def test_the_token_in_a_header(ready_vault, canaries):
    """Headers of items are shown, without it."""
    result = batch(ready_vault, [get("me/echo?how=header")])
    headers = {one["name"]: one["value"] for one in json.loads(result.out)[0]["headers"]}
    assert result.code == 0 and headers["x-echo"] == MARK
    assert canaries.leaks([], [result.out, result.err]) == []


def test_cut_into_pieces(ready_vault, graph, canaries):
    """Two bytes at a time on the wire."""
    graph.misbehave("batch", "chunked", size=2)
    result = batch(ready_vault, [get("me/echo"), get("me/echo?how=escape")])
    assert result.code == 0, result
    assert [body for _, body in bodies(json.loads(result.out))] == [{"said": MARK}] * 2
    assert canaries.leaks([], [result.out, result.err]) == []


def test_a_large_answer(ready_vault, graph):
    """Bodies pass through, however long; what is behind them is judged all the same."""
    body = json.dumps({"data": ["x" * 1000] * 2000})
    items = [{"code": 200, "headers": [], "body": body},
             {"code": 400, "body": json.dumps({"error": {"code": 190, "message": "x"}})}]
    graph.misbehave("batch", "garbage", text=json.dumps(items))
    result = batch(ready_vault, [ME, ME])
    assert result.code == LOGIN and "call 2 of 2: " in result.err, result.err
    assert json.loads(result.out) == items


@pytest.mark.parametrize("items, code, words", [
    ([None, None], 10, "call 1 of 2: the provider gave no answer"),
    ([{"code": 200, "body": "{}"}], STOP, "1 answers to 2 calls"),
    ([{"code": 200, "body": "{}"}] * 3, STOP, "3 answers to 2 calls"),
    ([{"code": 200, "body": "{}"}, {"code": 500, "body": "<html>"}], 10, "call 2 of 2: "),
    ([{"code": 200, "body": "{}"}, {"code": 200, "body": "{\"success\":false}"}], STOP, "call 2 of 2"),
    ({}, STOP, "0 answers to 2 calls"), ({"data": []}, STOP, "0 answers to 2 calls"),
    ("text", STOP, "0 answers to 2 calls")])
def test_answers_that_are_none(ready_vault, graph, items, code, words):
    """Nobody knows what came of a call: that is no success."""
    graph.misbehave("batch", "garbage", text=json.dumps(items))
    result = batch(ready_vault, [ME, ME])
    assert result.code == code and words in result.err, result
    assert json.loads(result.out) == items
    assert Facts(ready_vault).entries[-1]["result"] == "failed"


def test_the_batch_itself_fails(ready_vault, graph):
    """It is the error of one call, and it is not repeated."""
    asked = len(graph.requests())
    graph.misbehave("batch", "http_error", code=2, transient=True, status=500)
    result = batch(ready_vault, [ME])
    assert result.code == 10 and "it may have been done" in result.err, result
    assert json.loads(result.out)["error"]["code"] == 2 and len(graph.requests()) == asked + 1


@pytest.mark.parametrize("items", [
    [], {}, [ME] * 51, [get("oauth/access_token")], [ME, get("me?fields=access_token")],
    [get("me", access_token="x")], [get("me", headers=[])], [get("https://graph.example/me")],
    [{"method": "DELETE", "relative_url": "me/permissions"}], [get("?batch=[]")],
    [FEED, {"method": "POST", "relative_url": "me/feed",
            "body": "message={result=feed:$.data.*.access_token}"}],
    [get("me/echo?how={result=feed:$.data.*.id}"), FEED],
    [get("me/photos", attached_files="a")]])
def test_refused(ready_vault, graph, items):
    """One bad item, and nothing is sent, logged or asked of the card."""
    asked, before = len(graph.requests()), Facts(ready_vault).entries
    result = batch(ready_vault, items)
    refused(result, 2)
    assert result.out == ""
    assert (len(graph.requests()), Facts(ready_vault).entries) == (asked, before)


@pytest.mark.parametrize("arguments", [
    ["GET", "me", "--batch", "-"], ["--batch", "-", "-F", "a=b"], ["--batch", "-", "--paginate"],
    ["--batch"], [], ["--batch", "/nowhere"]])
def test_usage(ready_vault, arguments):
    """A batch or a call."""
    result = ready_vault.run("call", GRANT, *arguments, stdin=json.dumps([ME]))
    refused(result, 14 if "/nowhere" in arguments else 2)
