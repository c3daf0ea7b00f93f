"""A server that is the wrong one, or answers wrongly: words for each, and the old grant stays."""

import itertools
import os
import re
import socket

import pytest

from cards import GRANT, Facts, SoftCard, grant_untouched, refused
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault)

SHORT = "[exchange]\ndeadline = 1\nconnect-deadline = 1\n"
INSPECT, EXCHANGE, CONFIRM = ("debug_token", 1), ("exchange", 1), ("debug_token", 2)
LOGIN = f"hint: log in again: p11vault login {GRANT}"
SET_SECRET = "then: p11vault app set-secret ads"
LOOK = "hint: check the configured origin"
LATER, AGAIN = "hint: wait an hour", "hint: try again in a few minutes"


@pytest.fixture
def misled(ready_vault, graph, canaries):
    """An exchange while the stand-in misbehaves; nothing secret is in what is said of it."""
    def exchange(step, kind, **options):
        name, which = step
        graph.misbehave(name, kind, which, **options)
        result = ready_vault.run("exchange", GRANT, "-v")
        graph.tell("release")
        assert canaries.leaks(texts=[result.out, result.err]) == []
        return result
    return exchange


# ---- before anything is sent ----

@pytest.mark.parametrize("kind, code, words", [
    ("untrusted", 14, "the server's certificate is not trusted: unable to get local issuer"),
    ("other_name", 14, "the server's certificate is for another name"),
    ("old_tls", 14, "the TLS handshake failed: "), ("garbage", 14, "the TLS handshake failed: "),
    ("silent", 10, "the deadline has passed"), ("cut", 10, "the connection broke during"),
    # A reset may come so soon that there was never a connection.
    ("reset", 10, "connection broke during the TLS handshake|Connection (reset by peer|refused)"),
])
def test_connections(ready_vault, graph, misled, kind, code, words):
    """No request reaches a server that has not proved to be the right one."""
    ready_vault.configure(SHORT)
    asked = len(graph.requests())
    with grant_untouched(ready_vault):
        result = misled(("connect", "all"), kind)
        refused(result, code)
        assert re.search(words, result.err), result
        assert result.err.count(f"connect to {graph.origin}") == 1
    assert len(graph.requests()) == asked


def test_nobody_listens(ready_vault):
    """Refused by the machine."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        origin = f"https://localhost:{reserved.getsockname()[1]}"
        ready_vault.done("app", "add", "gone", "--id", "1", "--origin", origin, stdin="secret-1")
        ready_vault.done("import", "gone/user/alice", stdin="EAAB0123456789")
        with grant_untouched(ready_vault):
            refused(ready_vault.run("exchange", "gone/user/alice"), 10, f"connect to {origin}",
                    "refused")


# ---- answers that are none ----

ANSWERS = [
    ("redirect", {"location": "https://evil.example/"}, 15, "a redirect (302), which is never",
     LOOK),
    ("garbage", {}, 15, "answer is not JSON (HTTP 200)", LOOK),
    ("html_503", {}, 10, "the server is out of order (HTTP 503)", AGAIN),
    ("empty_200", {}, 15, "answer is empty (HTTP 200)", LOOK),
    ("duplicate_keys", {}, 15, "answer is not JSON", LOOK),
    ("deep", {}, 15, "answer is not JSON", LOOK), ("trailing", {}, 15, "answer is not JSON", LOOK),
    ("huge", {}, 15, "the answer's body is larger than 262144 bytes", ""),
    ("huge_header", {}, 15, "a line of the answer, or its whole head, is too long", ""),
    ("cut", {"after": 20}, 10, "the connection broke", ""),
    ("cut", {"after": 20, "how": "notify"}, 10, "answer cut off after 20 of ", ""),
    ("cut", {"part": "head", "after": 9}, 10, "the connection broke", ""),
    ("until_close", {"how": "fin"}, 10, "the connection broke", ""),
    ("silent", {}, 10, "the deadline has passed", ""),
    ("slow", {"interval": 0.3}, 10, "the deadline has passed", ""),
    ("both_lengths", {}, 15, "both a Content-Length and a transfer coding", ""),
    ("chunked_bad", {"how": "no_crlf"}, 15, "a chunk does not end where its size says", ""),
    ("content_encoding", {}, 15, "the answer has a content coding", ""),
    ("chunked_bad", {"how": "overflow"}, 15, "a chunk's size has more than", ""),
    ("bad_head", {"how": "fold"}, 15, "a header field of the answer is folded", ""),
    ("early_hints", {"count": 50}, 15, "more than 8 interim answers", ""),
    # What the provider itself reports.
    ("http_error", {"code": 4}, 11, "has used up its calls for now (code 4, trace A", LATER),
    ("http_error", {"code": 613, "status": 429}, 11, "faster than this call allows", LATER),
    ("http_error", {"code": 2, "status": 500}, 10, "service is down for the moment", AGAIN),
    ("http_error", {"code": 1, "transient": True}, 10, "that it calls temporary", AGAIN),
    ("http_error", {"code": 10, "status": 403}, 13, "a permission was not granted", GRANT),
    ("http_error", {"code": 200}, 13, "a permission or an accepted term of use is missing", GRANT),
    ("http_error", {"code": 368}, 15, "blocks the action", "hint: do nothing with this user"),
    ("http_error", {"code": 101}, 14, "does not know the app's id", "p11vault app show ads"),
    ("error_in_200", {"code": 4}, 11, "has used up its calls for now", LATER),
    ("echo", {"code": 4}, 11, "has used up its calls for now", LATER),
]
PLACES = [(INSPECT, "inspect-input", 0), (EXCHANGE, "exchange", 0), (CONFIRM, "inspect-result", 1)]


def everywhere(rows):
    """Each answer at one of the three steps in turn; in a campaign at all of them."""
    turns = itertools.cycle(PLACES)
    campaign = os.environ.get("P11VAULT_CAMPAIGN") == "1"
    for row in rows:
        for place in PLACES if campaign else [next(turns)]:
            yield pytest.param(*place, *row, id=f"{place[1]}-{row[0]}-{row[1].get('code', '')}")


@pytest.mark.parametrize("step, doing, kept, kind, options, code, words, hint", everywhere(ANSWERS))
def test_answers(ready_vault, misled, step, doing, kept, kind, options, code, words, hint):
    """Wherever they come; what was issued before is kept, and what was there is still current."""
    ready_vault.configure(SHORT if words == "the deadline has passed" else "")
    before = Facts(ready_vault)
    refused(misled(step, kind, **options), code, f"{GRANT}: {doing}: ", words, hint)
    after = Facts(ready_vault)
    assert after.versions == {GRANT: (1, bool(kept))}
    assert after.sealed[:len(before.sealed)] == before.sealed
    assert len(after.sealed) == len(before.sealed) + kept
    assert (after.outcome["result"], after.outcome["step"]) == ("failed", doing)


# ---- answers that are true, but not what was wanted ----

@pytest.mark.parametrize("step, kind, options, code, words, hint", [
    (INSPECT, "fields", {"set": {"expires_at": 1000000000, "is_valid": False}}, 12,
     "token expired on 2001-09-09", LOGIN),
    (INSPECT, "fields", {"set": {"is_valid": False}}, 12, "the token is not valid", LOGIN),
    (INSPECT, "wrong_app", {}, 15, "the stored token belongs to another app", "p11vault import"),
    (INSPECT, "fields", {"set": {"type": "PAGE"}}, 15, "the stored token is a page token", ""),
    (EXCHANGE, "http_error", {"code": 190, "subcode": 463}, 12, "the token has expired", LOGIN),
    (EXCHANGE, "http_error", {"code": 190, "subcode": 460}, 12, "has changed the password", LOGIN),
    (EXCHANGE, "echo", {"code": 1}, 14, "most likely for a wrong app secret", SET_SECRET),
    (INSPECT, "http_error", {"code": 190}, 14, "the app secret is wrong", SET_SECRET),
])
def test_refusals(ready_vault, misled, step, kind, options, code, words, hint):
    """Nothing was issued; the person is told what to do."""
    with grant_untouched(ready_vault):
        refused(misled(step, kind, **options), code, words, hint)


@pytest.mark.parametrize("step, kind, options, code, words, result", [
    (EXCHANGE, "wrong_user", {}, 15, "the issued token belongs to another user", "failed"),
    (CONFIRM, "wrong_user", {}, 15, "the issued token belongs to another user", "failed"),
    (CONFIRM, "wrong_app", {}, 15, "the issued token belongs to another app", "failed"),
    (CONFIRM, "fields", {"set": {"is_valid": False}}, 15, "that the token it issued is not valid",
     "failed"),
    (EXCHANGE, "unchanged_expiry", {}, 11, "not-extended: the issued token expires no later",
     "not-extended"),
    (EXCHANGE, "unchanged_expiry", {"same_token": True}, 11, "not-extended", "not-extended"),
])
def test_results_that_are_not_taken(ready_vault, misled, step, kind, options, code, words, result):
    """What was issued is rejected, the old grant stays current, and the next run succeeds."""
    refused(misled(step, kind, **options), code, f"{GRANT}: inspect-result: ", words)
    facts = Facts(ready_vault)
    assert facts.versions == {GRANT: (1, False)} and facts.outcome["result"] == result
    states = [entry["state"] for entry in facts.entries
              if entry["type"] == "state" and entry["version"] == 2]
    assert states == ["rejected"]
    ready_vault.done("exchange", GRANT)
    assert Facts(ready_vault).versions == {GRANT: (3, False)}


@pytest.mark.parametrize("changes, words", [
    ({"remove": ["expires_at"]}, "did not say when the token it issued expires"),
    ({"remove": ["is_valid"]}, "did not say whether the token it issued is valid"),
    ({"remove": ["app_id"]}, "did not say which app the issued token belongs to"),
    ({"remove": ["user_id"]}, "did not say whose the issued token is"),
    ({"set": {"type": "PAGE"}}, "is of another kind"),
    ({"set": {"expires_at": 1000}}, "has expired already"),
    ({"set": {"expires_at": 253402300799}}, "expires on 9999-12-31, which is not believed"),
], ids=["no-end", "no-validity", "no-app", "no-user", "kind", "expired", "year-9999"])
def test_results_that_prove_nothing(ready_vault, misled, graph, changes, words):
    """They replace nothing, and nothing is thrown away for them: the next run asks about the same token again."""
    refused(misled(CONFIRM, "fields", **changes), 15, f"{GRANT}: inspect-result: ", words,
            "; the new token waits to be confirmed")
    facts = Facts(ready_vault)
    assert facts.versions == {GRANT: (1, True)} and facts.outcome["result"] == "failed"
    asked = len(graph.requests())
    ready_vault.done("exchange", GRANT)
    assert [one["step"] for one in graph.requests()[asked:]] == ["debug_token"]
    assert Facts(ready_vault).versions == {GRANT: (2, False)}


@pytest.mark.parametrize("which", ["year-9999", "before-its-issue"])
def test_ends_that_are_not_believed(ready_vault, misled, which):
    """Of the stored token: nothing is exchanged, and nothing of it is written down."""
    facts, date = {"year-9999": ({"expires_at": 253402300799}, "9999-12-31"),
                   "before-its-issue": ({"expires_at": 1000, "issued_at": 2000}, "1970-01-01")}[which]
    with grant_untouched(ready_vault):
        refused(misled(INSPECT, "fields", set=facts), 15, f"expires on {date}, which is not believed")
    [grant] = Facts(ready_vault).grants
    assert grant.get("expires") is None


def test_a_token_of_another_app_is_issued(ready_vault, misled):
    """The provider itself refuses to speak of it, which is an error and no proof: it waits for a person."""
    refused(misled(EXCHANGE, "wrong_app"), 15, "belongs to another app", f"p11vault import {GRANT}")
    assert Facts(ready_vault).versions[GRANT] == (1, True)
    ready_vault.done("import", GRANT, stdin=ready_vault.token)
    ready_vault.done("exchange", GRANT)


def test_wrong_app_secret(ready_vault, canaries):
    """The command that is named mends it."""
    ready_vault.done("app", "set-secret", "ads", stdin="f" * 32)
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), 14, "the app secret is wrong", SET_SECRET)
    ready_vault.done("app", "set-secret", "ads", stdin=canaries.app_secret)
    ready_vault.done("exchange", GRANT)


# ---- odd answers that are right ----

@pytest.mark.parametrize("kind, options, words", [
    ("no_expires_in", {}, "(60 days)"), ("never_expires", {}, "never expires"),
    ("numbers_as_strings", {}, "(60 days)"), ("chunked", {}, "(60 days)"),
    ("chunked", {"size": 1}, "(60 days)"), ("until_close", {}, "(60 days)"),
    ("early_hints", {}, "(60 days)"), ("query_string", {}, "(60 days)"),
    ("slow", {"interval": 0.0001}, "(60 days)"),
])
def test_odd_but_right(ready_vault, misled, kind, options, words):
    """They work."""
    result = misled(EXCHANGE, kind, **options)
    assert result.code == 0 and words in result.out, result
    assert Facts(ready_vault).versions == {GRANT: (2, False)}


def test_connection_close_after_each_answer(ready_vault, graph, misled):
    """A new exchange room for each step, and still one login."""
    spy, before = SoftCard(ready_vault).spy(), len(graph.requests())
    graph.misbehave("debug_token", "close")
    result = misled(("exchange", "all"), "close")
    assert result.code == 0 and result.err.count("connecting again") == 2, result
    asked = graph.requests()[before:]
    assert [request["step"] for request in asked] == ["debug_token", "exchange", "debug_token"]
    assert len({request["connection"] for request in asked}) == 3 and spy.logins == 1


# ---- pending ----

def test_pending_is_resolved_by_the_next_run(ready_vault, graph, misled):
    """Issued, but the connection broke before it was confirmed: nothing is asked for twice."""
    refused(misled(CONFIRM, "cut"), 10, f"{GRANT}: inspect-result: ")
    assert Facts(ready_vault).versions == {GRANT: (1, True)}
    status = ready_vault.done("status").out
    assert "a newer version waits to be confirmed" in status
    assert f"next: p11vault exchange {GRANT}" in status
    graph.tell("clear_misbehaviours")
    exchanges = len(graph.requests("exchange"))
    result = ready_vault.done("exchange", GRANT)
    assert "the grant issued to an interrupted run is now confirmed" in result.err
    assert len(graph.requests("exchange")) == exchanges
    facts = Facts(ready_vault)
    assert facts.versions == {GRANT: (2, False)} and facts.outcome["result"] == "done"
