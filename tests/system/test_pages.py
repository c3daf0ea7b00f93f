"""`pages`: every page grant of a person's grant, over all pages of the list."""

import json
import sqlite3
from contextlib import closing

import pytest

from cards import GRANT, SoftCard, refused, untouched
from flows import ALICE, PERSON, Flow
from killing import kills
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

USAGE, RETRY, WAIT, LOGIN, STOP, BUSY = 2, 10, 11, 12, 15, 31
IDS = [str(1353269864728879 + number) for number in range(7)]
NAMES = [f"ads/page/{one}" for one in IDS]


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """Alice has seven pages and a long-lived grant."""
    flow = Flow(ready_vault, graph, canaries)
    flow.person(pages=[{"id": one, "name": f"Page {one[-1]}", "tasks": ["ANALYZE", "MANAGE"]}
                       for one in IDS])
    flow.give_long()
    return flow


def test_pages(flow):
    """What is said and kept: each page's grant, which never ends and works."""
    before = flow.facts
    result = flow.done("pages", ALICE)
    assert result.out.splitlines() == [f"{name}: Page {one[-1]} (ANALYZE,MANAGE)"
                                       for name, one in zip(NAMES, IDS)]
    assert flow.steps() == ["debug_token", "pages", *["debug_token"] * len(IDS)]
    facts = flow.facts
    new = facts.entries[len(before.entries):]
    [intent] = [entry for entry in new if entry["type"] == "intent"]
    assert (intent["verb"], intent["seals"]) == ("pages", ["ads/page/*"])
    assert [entry["type"] for entry in new].count("checkpoint") <= 1
    assert facts.outcome["result"] == "done"
    for name, one in zip(NAMES, IDS):
        columns = flow.columns(name)
        assert (columns["state"], columns["expires"], columns["subject"]) == ("current", 0, PERSON)
        assert flow.states(name) == {1: "current"}
    shown = flow.works(NAMES[0])
    assert (shown["type"], shown["profile"]) == ("PAGE", IDS[0])


def test_as_json(flow):
    """One list on standard output."""
    result = flow.done("pages", ALICE, "--json")
    assert json.loads(result.out) == [
        {"name": name, "label": f"Page {one[-1]}", "tasks": "ANALYZE,MANAGE"}
        for name, one in zip(NAMES, IDS)]


def test_one_login_to_the_card(flow):
    """However many pages there are."""
    spy = SoftCard(flow.vault).spy()
    flow.done("pages", ALICE)
    assert spy.logins == 1


def test_cursors(flow):
    """Two a page of the list, one of these empty: the list goes on until there is no next."""
    flow.graph.rules(page_limit_max=2)
    flow.person(pages=[{"id": one, "name": "P", "visible": number not in (2, 3)}
                       for number, one in enumerate(IDS)])
    try:
        result = flow.done("pages", ALICE)
    finally:
        flow.graph.rules(page_limit_max=100)
    assert flow.steps().count("pages") == 4
    kept = [name for number, name in enumerate(NAMES) if number not in (2, 3)]
    assert [line.partition(":")[0] for line in result.out.splitlines()] == kept
    assert set(flow.facts.versions) == {GRANT, *kept}


def test_an_endless_list(flow):
    """A provider that always has a next page does not keep us for ever."""
    flow.graph.rules(endless_lists=True)
    try:
        result = flow.run("pages", ALICE)
    finally:
        flow.graph.rules(endless_lists=False)
    assert result.code == STOP and "the provider's list of pages has no end" in result.err, result
    assert set(flow.facts.versions) == {GRANT, *NAMES}


def test_no_pages(flow):
    """Said on standard error; done all the same."""
    flow.person(pages=[])
    result = flow.done("pages", ALICE)
    assert (result.out, result.err.splitlines()[-1]) == ("", f"{ALICE}: no page")


def test_again(flow):
    """A second run replaces each by a new version; the old ciphertexts are gone."""
    flow.done("pages", ALICE)
    flow.done("pages", ALICE)
    for name in NAMES:
        assert flow.states(name) == {1: "previous", 2: "current"}
    with closing(sqlite3.connect(flow.vault.directory / "vault.db")) as store:
        [count] = store.execute("SELECT count(*) FROM record WHERE kind = 'page' "
                                "AND jwe IS NOT NULL").fetchone()
    assert count == len(NAMES)


@pytest.mark.parametrize("options", [{"set": {"is_valid": False}}, {"set": {"type": "USER"}},
                                     {"set": {"profile_id": "1"}}, {"set": {"app_id": "1"}}],
                         ids=["invalid", "kind", "page", "app"])
def test_one_page_fails(flow, options):
    """It stops no other; it is told with its reason, and the exit status says so."""
    flow.graph.misbehave("debug_token", "fields", 4, **options)
    result = flow.run("pages", ALICE)
    assert result.code == STOP, result
    assert [line.partition(":")[0] for line in result.out.splitlines()] == NAMES[:2] + NAMES[3:]
    assert f"p11vault: error: {NAMES[2]}: inspect-result: " in result.err
    assert f"1 of {len(NAMES)} pages are not kept" in result.err
    assert flow.states(NAMES[2]) == {1: "rejected"}
    assert flow.facts.outcome["result"] == "failed"
    flow.graph.tell("clear_misbehaviours")
    flow.done("pages", ALICE)
    assert flow.states(NAMES[2]) == {1: "rejected", 2: "current"}


def test_it_cannot_be_asked_any_more(flow):
    """What was confirmed stays; the rest waits, and the next run does not leave it waiting."""
    flow.graph.misbehave("debug_token", "html_503", 4)
    result = flow.run("pages", ALICE)
    assert result.code == RETRY, result
    assert set(flow.facts.versions) == {GRANT, *NAMES[:2]}
    assert flow.states(NAMES[4]) == {1: "pending"}
    flow.graph.tell("clear_misbehaviours")
    flow.done("pages", ALICE)
    assert {version for version, _ in flow.facts.versions.values()} == {2}
    assert not [grant for grant in flow.facts.grants if grant["pending"]]
    assert flow.states(NAMES[4]) == {1: "previous", 2: "current"}


@pytest.mark.parametrize("which, kind, options, code", [
    (1, "http_error", {"code": 190, "subcode": 460}, LOGIN), (1, "quota", {}, WAIT),
    (1, "html_503", {}, RETRY), (2, "http_error", {"code": 2, "status": 500}, RETRY),
    (1, "garbage", {}, STOP), (2, "cut", {}, RETRY),
    (1, "fields", {"set": {"id": "no id"}}, STOP),
    (1, "fields", {"set": {"access_token": "a b"}}, STOP),
], ids=["dead", "quota", "html", "second", "garbage", "cut", "id", "token"])
def test_the_list_fails(flow, which, kind, options, code):
    """What came before it is kept; nothing else is."""
    flow.graph.rules(page_limit_max=3)
    flow.graph.misbehave("pages", kind, which, **options)
    try:
        result = flow.run("pages", ALICE)
    finally:
        flow.graph.rules(page_limit_max=100)
    assert result.code == code, result
    assert set(flow.facts.versions) == {GRANT, *NAMES[:3 * (which - 1)]}
    assert flow.facts.outcome["result"] == "failed"


@pytest.mark.parametrize("name, code, words", [
    ("ads/page/1", USAGE, "only a user grant of Meta has pages"), ("ads/user/none", USAGE, "none"),
    ("none/user/x", USAGE, "none")])
def test_names_that_have_none(flow, name, code, words):
    """Nobody is asked and nothing written."""
    with untouched(flow.vault):
        refused(flow.run("pages", name), code, words)
    assert not flow.steps()


def test_a_dead_grant(flow):
    """The provider says so before the list is read."""
    flow.graph.misbehave("debug_token", "fields", 1, set={"is_valid": False})
    refused(flow.run("pages", ALICE), LOGIN, f"p11vault login {ALICE}")
    assert flow.steps() == ["debug_token"]


def test_killed(flow):
    """At any message: the store opens and verifies, and the next run ends with one current each."""
    flow.person(pages=[{"id": one, "name": "P"} for one in IDS[:2]])
    with closing(kills(flow.vault, "front", ["sendto"], 4, ("pages", ALICE))) as runs:
        for where, _ in runs:
            flow.vault.done("audit", "verify")
            flow.vault.done("pages", ALICE)
            flow.vault.done("audit", "verify")
            assert not [grant for grant in flow.facts.grants if grant["pending"]], where
            for name in NAMES[:2]:
                states = flow.states(name)
                assert states.pop(max(states)) == "current", (where, name)
                assert set(states.values()) <= {"previous", "rejected"}, (where, name, states)
    flow.check()
