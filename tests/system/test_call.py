"""`call`: one call with a grant; whatever the server does with the token, it does not come out."""

import json
import os
import subprocess
import time

import pytest

from cards import GRANT, Facts, refused
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault)
from program import at_a_terminal

MARK = "[scrubbed]"
SAID = f"p11vault: note: {GRANT}: the answer held "
ECHOES = ["body", "escape", "base64", "percent", "hex", "chunks", "proof"]


def call(vault, *arguments, name=GRANT, **how):
    """`call` on the prepared grant."""
    return vault.run("call", name, *arguments, **how)


def last_step(vault):
    """The newest step in the log."""
    lines = [json.loads(line) for line in vault.done("audit", "show", "--json").out.splitlines()]
    entries = lines if "type" in lines[0] else [line["entry"] for line in lines]
    return [entry for entry in entries if entry["type"] == "step"][-1]


def failed(result, code, *pieces):
    """Like refused(), with what the provider said of it on standard output."""
    said = result.out
    result.out = ""
    refused(result, code, *pieces)
    return said


def check_clean(vault, canaries, *results):
    """Nothing secret in what was said, nor in what was written."""
    texts = [text for result in results for text in (result.out, result.err, result.terminal)]
    assert canaries.leaks([vault.directory / "vault.db"], texts) == []


# ---- what comes out ----

def test_an_object(ready_vault, graph, canaries):
    """GET with parameters in the path, as options, or both; proved."""
    for arguments in (["GET", "me"], ["get", "/v26.0/me?fields=id,name"],
                      ["GET", "me", "-F", "fields=id"], ["GET", "%6de?fields=id", "-F", "limit=2"]):
        result = call(ready_vault, *arguments)
        assert (result.code, result.said) == (0, ""), result
        assert json.loads(result.out)["id"] == ready_vault.user_id
        line = graph.requests()[-1]
        assert line["proof"] == "timed" and line["bearer"] and not line["form_names"]
    check_clean(ready_vault, canaries, result)
    step = last_step(ready_vault)
    assert step["call"] == "GET %6de" and "scrubbed" not in step
    ready_vault.done("audit", "verify")


def test_post_and_delete(ready_vault, graph):
    """Fields stand in the form of a POST; the method is told as it is."""
    result = call(ready_vault, "POST", "me/feed", "-F", "message=a b&c=d", "-F", "empty=")
    assert result.code == 13, result  # a person's grant cannot post
    line = graph.requests()[-1]
    assert line["method"] == "POST" and set(line["form_names"]) >= {"message", "empty"}
    call(ready_vault, "DELETE", "1_2", "-F", "x=1")
    line = graph.requests()[-1]
    assert line["method"] == "DELETE" and "x" in line["query_names"]


def test_a_list(ready_vault):
    """The neighbours of a page are cursors; with --paginate the list goes to its end."""
    page = json.loads(call(ready_vault, "GET", "me/feed", "-F", "limit=25").out)
    after = page["paging"]["cursors"]["after"]
    assert page["paging"]["next"] == "limit=25&after=" + after.replace("=", "%3D")
    result = call(ready_vault, "GET", "me/feed", "-F", "limit=25", "--paginate")
    pages = [json.loads(line) for line in result.out.splitlines()]
    assert [len(one["data"]) for one in pages] == [25, 25, 10]
    assert len({item["id"] for one in pages for item in one["data"]}) == 60
    assert pages[1]["paging"]["previous"].startswith("limit=25&before=")
    whole = json.loads(call(ready_vault, "GET", "me/feed", "--paginate", "--json").out)
    assert len(whole["answers"]) == 3 and whole["name"] == GRANT
    assert (whole["http"], whole["scrubbed"]) == (200, 0)


def test_a_list_by_time(ready_vault, graph, canaries):
    """Without cursors, as feeds and insights are: to the page that is empty."""
    graph.rules(feed_paging="time")
    try:
        result = call(ready_vault, "GET", "me/feed?limit=25", "--paginate")
    finally:
        graph.rules(feed_paging="cursors")
    pages = [json.loads(line)["data"] for line in result.out.splitlines()]
    assert (result.code, [len(page) for page in pages]) == (0, [25, 25, 10, 0]), result
    assert len({item["id"] for page in pages for item in page}) == 60
    check_clean(ready_vault, canaries, result)


def test_insights(ready_vault):
    """They always have a next page: the list ends with the present, and is whole."""
    result = call(ready_vault, "GET", "me/insights?metric=page_impressions", "--paginate")
    days = [json.loads(line) for line in result.out.splitlines()]
    assert (result.code, [len(day["data"]) for day in days]) == (0, [1, 1, 1, 1]), result
    assert days[0]["paging"]["next"].startswith("metric=page_impressions&since=")
    ends = [day["data"][0]["end_time"] for day in days]
    assert ends == [ends[0] + 86400 * number for number in range(4)]


@pytest.mark.parametrize("following", [
    "https://graph.example/v26.0/1/comments?after=x", "https://graph.example/v26.0/me/feed",
    "https://graph.example/oauth/feed?after=x", "https://graph.example/v26.0/1/feed?method=delete",
    "/v26.0/1/feed?after=x", ["https://graph.example/v26.0/1/feed?after=x"]])
def test_a_list_that_cannot_be_followed(ready_vault, graph, following):
    """It is said loudly, and nothing else is called."""
    graph.misbehave("call", "fields", set={"paging": {"next": following}}, at="top")
    before = asked_since(graph, 0)
    result = call(ready_vault, "GET", "me/feed", "--paginate")
    assert json.loads(failed(result, 15, "the list is not whole"))["data"]
    assert asked_since(graph, before) == 1
    assert call(ready_vault, "GET", "me/feed").code == 0
    assert Facts(ready_vault).entries[-1]["result"] == "done"


def test_a_list_that_goes_round(ready_vault, graph):
    """A circle of three: each page once, and then the first again."""
    graph.rules(endless_lists=True)
    try:
        result = call(ready_vault, "GET", "me/feed?limit=25", "--paginate")
    finally:
        graph.rules(endless_lists=False)
    assert len(failed(result, 15, "circle after 4 answers").splitlines()) == 4


# ---- what does not ----

@pytest.mark.parametrize("how", ECHOES)
def test_the_token_comes_back(ready_vault, canaries, how):
    """In every disguise: scrubbed, said, logged."""
    result = call(ready_vault, "GET", "me/echo", "-F", f"how={how}", "-F", "size=3")
    assert result.code == 0 and MARK in json.loads(result.out)["said"], result
    assert result.said.startswith(SAID + "1 "), result
    check_clean(ready_vault, canaries, result)
    assert last_step(ready_vault)["scrubbed"] == 1


def test_the_token_in_a_header(ready_vault, canaries):
    """Headers are not shown; all the same it is said."""
    result = call(ready_vault, "GET", "me/echo?how=header", "--json")
    assert json.loads(result.out) == {"answers": [{"said": ""}], "http": 200, "name": GRANT,
                                      "scrubbed": 1}
    assert result.said.startswith(SAID + "1 ")
    check_clean(ready_vault, canaries, result)


def test_an_error_repeats_every_secret(ready_vault, graph, canaries):
    """Message and header; the answer is shown without them."""
    graph.misbehave("me", "echo", code=100)
    result = call(ready_vault, "GET", "me")
    assert result.code == 15 and MARK in result.out, result
    assert SAID in result.err
    check_clean(ready_vault, canaries, result)


def test_other_tokens(ready_vault, graph, canaries):
    """Those of pages are known by their look; the ones of old shapes by the name before them."""
    other = graph.add_token(ready_vault.app_id, ready_vault.user_id)
    canaries.add("other token", other)
    graph.misbehave("me", "fields", set={"a": other, "access_token": "short", "b": f"x={other}"},
                    at="top")
    result = call(ready_vault, "GET", "me")
    answer = json.loads(result.out)
    assert (answer["a"], answer["access_token"]) == (MARK, MARK), result
    assert answer["b"] in (MARK, "x=" + MARK), result
    check_clean(ready_vault, canaries, result)


def test_cut_at_every_byte(ready_vault, graph, canaries):
    """One byte at a time on the wire; and an answer that breaks off inside the token."""
    graph.misbehave("call", "chunked", size=1)
    result = call(ready_vault, "GET", "me/echo?how=body")
    assert json.loads(result.out) == {"said": MARK}
    graph.tell("clear_misbehaviours")
    graph.misbehave("call", "cut", part="body", after=60)
    broken = call(ready_vault, "POST", "me/echo?how=body")
    refused(broken, 10)
    check_clean(ready_vault, canaries, result, broken)


def test_a_large_answer(ready_vault, graph):
    """4 MiB pass through; what is no JSON, too."""
    graph.misbehave("me", "huge", bytes=4 << 20)
    result = call(ready_vault, "GET", "me")
    assert result.code == 0 and len(result.out) >= 4 << 20, (result.code, len(result.out))
    graph.tell("clear_misbehaviours")
    graph.misbehave("me", "huge", bytes=65 << 20)
    refused(call(ready_vault, "GET", "me"), 15)


def test_control_characters_at_a_terminal(ready_vault, graph):
    """They reach a pipe as they are, a terminal not at all."""
    graph.misbehave("me", "garbage", text="\x1b]0;title\x07 \x9b31m")
    assert "\x1b" in call(ready_vault, "GET", "me").out
    code, text, _ = at_a_terminal(ready_vault, "out", "call", GRANT, "GET", "me")
    assert (code, text) == (0, "?]0;title? \ufffd?31m\r\n")  # half of what U+009B was is left


@pytest.mark.parametrize("text", [
    '{}],"http":299,"name":"x/user/y","scrubbed":7,"answers":[{}', '{"a":1}]}{"http":299',
    '{}"', '[1,{"b":"]}"]', "Service \u00e9 \x1b Unavailable\n", "{'http':299}", '{"http":299,'])
def test_the_frame_is_ours(ready_vault, graph, text):
    """With --json: what is no JSON stands there as a text, and says nothing of the call."""
    graph.misbehave("me", "garbage", text=text)
    result = call(ready_vault, "GET", "me", "--json")
    assert json.loads(result.out) == {"answers": [text], "http": 200, "name": GRANT,
                                      "scrubbed": 0}, result


# ---- what is refused ----

REFUSED = [
    "oauth/access_token", "OAuth/Access_Token", "%6fauth/access_token", "v26.0/oauth/revoke",
    "oauth%2Faccess_token", "me//accounts", "me/../oauth/x", "me/%2e%2e/oauth", "%256fauth/x", "me/",
    "1/access_tokens", "1/system_user_access_tokens", "device/login", "debug_token", "DEBUG_TOKEN",
    "refresh_access_token", "access_token", "batch", "", "/", "v26.0", "me#x", "me\u00e9", "a b",
    "me?fields=access_token", "me?fields=id,accounts%7Baccess_token%7D", "me?FIELDS=access_token",
    "me?fields=id%2cACCESS_TOKEN", "me?fields%5B0%5D=access_token", "me?fields=access%255Ftoken",
    "me?fields=client_secret", "me?access_token=x", "me?input_token=x", "me?appsecret_proof=x",
    "me?batch=%5B%5D", "me?batch[0]=x", "me?method=delete", "me?METHOD=post", "me?callback=f",
    "me?grant_type=fb_exchange_token", "me?fb_exchange_token=x", "?ids=me,oauth/access_token",
    "?ids=debug_token", "?id=oauth/access_token", "me?code=1", "me?a%00b=1", "me?a=%zz", "me?x.y=1",
    "1/accounts/test-users", "method/auth.getSession", "1?fields=client_token", "?asyncbatch=x&id=1",
    "me?=1", "me? access_token=1", "me?+access_token=1", "me?access%20token=1",
]


@pytest.mark.parametrize("target", REFUSED)
def test_refused(ready_vault, graph, target):
    """Before the card is asked, and nothing is sent or logged."""
    asked, before = len(graph.requests()), Facts(ready_vault).entries
    result = call(ready_vault, "GET", target)
    refused(result, 2)
    assert result.out == ""
    assert (len(graph.requests()), Facts(ready_vault).entries) == (asked, before)


@pytest.mark.parametrize("arguments", [
    ["PUT", "me"], ["GETTTTTTTTT", "me"], ["GET", "me", "-F", "x"], ["GET", "me", "-F", "=x"],
    ["GET", "me", "-F", "access_token=x"], ["POST", "me/photos", "-F", "source=@photo.jpg"], ["POST", "me", "--paginate"], ["GET"],
    ["GET", "me", "-F", "x=" + "y" * 30000], ["GET", "m" * 600], ["GET", "me", *["-F", "a=b"] * 65]])
def test_usage(ready_vault, arguments):
    """What cannot be understood."""
    refused(call(ready_vault, *arguments), 2)


def test_permissions_are_not_taken_back(ready_vault, graph):
    """`call` does not end a grant; the verb that does is named."""
    asked = len(graph.requests())
    for path in ("me/permissions", "me/permissions/email"):
        result = call(ready_vault, "DELETE", path)
        refused(result, 2, "p11vault revoke")
    assert len(graph.requests()) == asked
    assert call(ready_vault, "GET", "me/permissions").code == 0


def test_ids(ready_vault):
    """Several objects at once are no harm: they are asked for, and what the provider says is shown."""
    result = call(ready_vault, "GET", f"/?ids={ready_vault.user_id},me")
    assert json.loads(failed(result, 14))["error"]["code"] == 2500


# ---- errors ----

@pytest.mark.parametrize("options, code", [
    ({"code": 190, "subcode": 463}, 12), ({"code": 200}, 13), ({"code": 100}, 15),
    ({"code": 17}, 11), ({"code": 4}, 11)])
def test_errors(ready_vault, graph, options, code):
    """The exit code is the operator's action; the provider's own words are on standard output."""
    before = asked_since(graph, 0)
    graph.misbehave("me", "http_error", **options)
    result = call(ready_vault, "GET", "me")
    assert json.loads(failed(result, code))["error"]["code"] == options["code"]
    assert asked_since(graph, before) == 1
    framed = json.loads(call(ready_vault, "GET", "me", "--json").out)
    assert framed["http"] == 400 and framed["answers"][0]["error"]["code"] == options["code"]


def test_an_error_in_200(ready_vault, graph):
    """Is one."""
    graph.misbehave("me", "error_in_200", code=190)
    failed(call(ready_vault, "GET", "me"), 12)


def test_a_dead_grant(ready_vault, graph):
    """Revoked: log in again, with the command."""
    graph.tell("revoke", token=ready_vault.token)
    try:
        result = call(ready_vault, "GET", "me")
    finally:
        graph.set_token(ready_vault.token, revoked=None)
    assert "190" in failed(result, 12, f"p11vault login {GRANT}")


def asked_since(graph, before):
    """How many calls came."""
    return len([line for line in graph.requests() if line["step"] in ("me", "call")]) - before


def test_get_is_repeated(ready_vault, graph):
    """After a passing fault, and after a connection that broke; the answer is shown once."""
    before = asked_since(graph, 0)
    graph.misbehave("me", "http_error", which=1, code=2, transient=True, status=500)
    began = time.monotonic()
    result = call(ready_vault, "GET", "me")
    assert result.code == 0 and json.loads(result.out)["id"], result
    assert asked_since(graph, before) == 2 and time.monotonic() - began >= 1
    graph.tell("clear_misbehaviours")
    graph.misbehave("me", "cut", which=1, part="body", after=3)
    result = call(ready_vault, "GET", "me")
    assert result.code == 0 and json.loads(result.out)["id"], result
    assert asked_since(graph, before) == 4


def test_get_is_not_repeated_for_ever(ready_vault, graph):
    """Three times; then it is the caller's turn."""
    before = asked_since(graph, 0)
    graph.misbehave("me", "html_503")
    assert "Unavailable" in failed(call(ready_vault, "GET", "me"), 10, "try again")
    assert asked_since(graph, before) == 3


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_nothing_else_is_repeated(ready_vault, graph, method):
    """It may have been done."""
    before = asked_since(graph, 0)
    graph.misbehave("call", "html_503")
    failed(call(ready_vault, method, "me/feed", "-F", "message=x"), 10, "it may have been done")
    assert asked_since(graph, before) == 1


@pytest.mark.parametrize("kind", ["extra_bytes", "bad_head"])
def test_an_answer_that_is_not_believed(ready_vault, graph, kind):
    """It may have been done as well."""
    before = asked_since(graph, 0)
    graph.misbehave("call", kind)
    failed(call(ready_vault, "POST", "me/feed", "-F", "message=x"), 15, "it may have been done")
    assert asked_since(graph, before) == 1


def test_a_reader_that_goes(ready_vault):
    """The log says what came of it, and no process stays."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        process = subprocess.Popen(
            [ready_vault.programs / "p11vault", "--config", ready_vault.config, "--vault",
             ready_vault.directory, "call", GRANT, "GET", "me/feed", "--paginate"],
            stdout=theirs, stderr=subprocess.PIPE, text=True, env=ready_vault.environment(),
            start_new_session=True)
    finally:
        os.close(theirs)
    ready_vault.processes.add(process.pid)
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    outcome = Facts(ready_vault).outcome
    assert process.returncode == 1 and "write the answer: Broken pipe" in said, said
    assert (outcome["result"], outcome["code"]) == ("failed", "fault")
    assert not ready_vault.processes.left()


def test_a_name_that_is_none(ready_vault):
    """No such grant; no such name."""
    refused(call(ready_vault, "GET", "me", name="ads/user/bob"), 2, "p11vault import ads/user/bob")
    refused(call(ready_vault, "GET", "me", name="ads/secret"), 2)
