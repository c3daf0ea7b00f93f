"""Several grants in one `exchange`: one login and one signature an app, each grant on its own."""

import json
from contextlib import closing

import pytest

from cards import GRANT, SoftCard, refused, untouched
from flows import Flow
from killing import kills
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

BOB, EVE = "ads/user/bob", "ads/user/eve"
ALL = (GRANT, BOB, EVE)
USAGE, RETRY, WAIT, LOGIN, STOP = 2, 10, 11, 12, 15


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """Three short-lived grants of one app."""
    flow = Flow(ready_vault, graph, canaries)
    flow.bob, flow.eve = flow.give(BOB), flow.give(EVE, user_id="10153848260347799")
    return flow


def news(flow, before):
    """Entries since then, by type."""
    found = {}
    for entry in flow.facts.entries[len(before.entries):]:
        found.setdefault(entry["type"], []).append(entry)
    return found


def signed(flow):
    """How many entries a card has signed for."""
    return json.loads(flow.vault.done("audit", "verify", "--json").out)["signed"]


def test_together(flow):
    """One login, one signature over all intents, which name their batch."""
    spy, before = SoftCard(flow.vault).spy(), flow.facts
    count = spy.calls("C_Sign")
    result = flow.done("exchange", *ALL)
    assert [line.partition(":")[0] for line in result.out.splitlines()] == list(ALL)
    assert (spy.logins, spy.calls("C_Sign") - count) == (1, 1)
    entries = news(flow, before)
    intents, outcomes = entries["intent"], entries["outcome"]
    assert [one["name"] for one in intents] == list(ALL)
    assert len({one["batch"] for one in intents}) == 1
    assert len({one["use"] for one in intents}) == len(ALL)
    assert [one["use"] for one in outcomes] == [one["use"] for one in intents]
    assert {one["result"] for one in outcomes} == {"done"}
    assert signed(flow) == len(before.entries) + len(intents)
    assert flow.facts.versions == {name: (2, False) for name in ALL}
    assert flow.steps() == ["debug_token", "exchange", "debug_token"] * len(ALL)
    assert len({one["connection"] for one in flow.graph.requests()[flow.asked:]}) == 1


def test_one_alone_names_no_batch(flow):
    """As it always was."""
    before = flow.facts
    flow.done("exchange", BOB)
    [intent] = news(flow, before)["intent"]
    assert "batch" not in intent


def test_as_json(flow):
    """A list, with what went wrong in its place."""
    flow.graph.set_token(flow.bob, revoked=460)
    result = flow.run("exchange", *ALL, "--json")
    assert result.code == LOGIN, result
    first, second, third = json.loads(result.out)
    assert (first["name"], second["name"], third["name"]) == ALL
    assert "error" not in first and "error" not in third
    assert second["error"].startswith(f"{BOB}: inspect-input: ")


def test_one_fails(flow):
    """It stops no other; the exit status is that of the gravest."""
    flow.graph.set_token(flow.bob, revoked=460)
    flow.graph.misbehave("exchange", "unchanged_expiry", 2)
    before = flow.facts
    result = flow.run("exchange", *ALL)
    assert result.code == LOGIN, result
    assert [line.partition(":")[0] for line in result.out.splitlines()] == [GRANT]
    assert f"p11vault: error: {BOB}: inspect-input: " in result.err
    assert f"p11vault: error: {EVE}: inspect-result: not-extended" in result.err
    assert "2 of 3 grants failed" in result.err
    assert [one["result"] for one in news(flow, before)["outcome"]] == [
        "done", "failed", "not-extended"]
    assert flow.facts.versions == {GRANT: (2, False), BOB: (1, False), EVE: (1, False)}


def test_a_name_that_is_none(flow):
    """The others go on."""
    result = flow.run("exchange", GRANT, "ads/user/none", EVE)
    assert result.code == USAGE and len(result.out.splitlines()) == 2, result
    assert "ads/user/none" in result.err and "1 of 3 grants failed" in result.err


def test_a_limit_of_the_app(flow):
    """After it nobody is asked any more: calls in that time only prolong it."""
    flow.graph.misbehave("debug_token", "quota", 1, limit="app")
    result = flow.run("exchange", *ALL)
    assert result.code == WAIT and flow.steps() == ["debug_token"], result
    assert result.err.count("the app has reached a limit: not asked") == 2
    assert flow.facts.versions == {name: (1, False) for name in ALL}


def test_two_apps(flow, canaries):
    """One login each."""
    made = flow.graph.add_app()
    secret = canaries.add("secret of more", made["secret"])
    flow.vault.done("app", "add", "more", "--id", made["app_id"], "--origin", flow.graph.origin,
                    stdin=secret)
    token = canaries.add("other token", flow.graph.add_token(made["app_id"], "10153848"))
    flow.vault.done("import", "more/user/ann", stdin=token)
    spy = SoftCard(flow.vault).spy()
    result = flow.done("exchange", BOB, "more/user/ann", GRANT)
    assert len(result.out.splitlines()) == 3 and spy.logins == 2


def test_what_is_said_of_the_purpose(flow):
    """The PIN's prompt says how many grants of which app it is for."""
    pin = (SoftCard(flow.vault).directory / "pin").read_text()
    prompt = r"PIN for .* \(exchange 3 grants of ads, "
    flow.done("exchange", *ALL, "--ask-pin", pty=[(prompt, pin)])


@pytest.mark.parametrize("names, words", [
    ((GRANT, GRANT), "is named twice"), ((GRANT, "ads/secret"), "")])
def test_what_cannot_be(flow, names, words):
    """Before anybody is asked."""
    with untouched(flow.vault):
        refused(flow.run("exchange", *names), USAGE, words)


def test_a_kind_that_cannot_be_exchanged(flow):
    """It is told beside the others."""
    flow.give("ads/page/1", type="PAGE", profile_id="1")
    result = flow.run("exchange", "ads/page/1", GRANT)
    assert result.code == USAGE and "cannot be exchanged" in result.err, result
    assert result.out.startswith(f"{GRANT}: ")


def test_the_connection_ends_in_between(flow):
    """A new room goes on where the old one ended; the card's one login still serves."""
    spy = SoftCard(flow.vault).spy()
    flow.graph.misbehave("exchange", "close")
    flow.done("exchange", *ALL)
    assert spy.logins == 1
    assert len({one["connection"] for one in flow.graph.requests()[flow.asked:]}) == 4


def test_killed(flow):
    """At any message: each grant is as it was or renewed, and the next run ends all."""
    with closing(kills(flow.vault, "front", ["sendto"], 5, ("exchange", GRANT, BOB))) as runs:
        for where, _ in runs:
            facts = flow.facts
            flow.graph.clock(60)
            flow.done("exchange", GRANT, BOB)
            flow.graph.clock(0)
            closed = flow.facts
            intents = {one["use"] for one in closed.entries if one["type"] == "intent"}
            outcomes = [one["use"] for one in closed.entries if one["type"] == "outcome"]
            assert sorted(outcomes) == sorted(intents), where
            assert not [grant for grant in closed.grants if grant["pending"]], where
            assert all(closed.versions[name] > facts.versions[name] or facts.versions[name][1]
                       for name in (GRANT, BOB)), where
    flow.check()
