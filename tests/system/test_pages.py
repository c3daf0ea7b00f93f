"""`pages`: every page grant of a person's grant, over all pages of the list."""

import base64
import json
import sqlite3
from contextlib import closing

import pytest

from cards import GRANT, SoftCard, refused, untouched
from flows import ALICE, BUSINESS, CLIENT_BUSINESS, PERSON, SYSTEM_USER, Flow
from killing import kills
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

USAGE, RETRY, WAIT, LOGIN, PERMISSION, STOP, BUSY = 2, 10, 11, 12, 13, 15, 31
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


def test_the_same_cursor_again(flow):
    """A list that leads back to where it was ends there, also when it brings nothing."""
    cursor = base64.urlsafe_b64encode(f"cursor:{IDS[0]}".encode()).decode()
    flow.person(pages=[{"id": one, "name": "P", "visible": False} for one in IDS])
    flow.graph.misbehave("pages", "fields", "all", at="top", set={
        "paging": {"cursors": {"after": cursor}, "next": "https://graph.example/"}})
    result = flow.run("pages", ALICE)
    assert result.code == STOP and "the provider's list of pages has no end" in result.err, result
    assert flow.steps() == ["debug_token", "pages", "pages"]


# ---- what is missing ----

RERUN = f"then: p11vault pages {ALICE} --business"
ASK_AGAIN = f"p11vault login {ALICE} --rerequest --scope pages_show_list,business_management"
BOTH = ["public_profile", "pages_show_list", "business_management"]


def test_no_pages(flow):
    """Done, where nothing says that there must be some; and where else there may be some."""
    flow.person(pages=[])
    result = flow.done("pages", ALICE)
    assert (result.out, result.err.splitlines()[-2]) == ("", f"{ALICE}: no pages")
    assert ASK_AGAIN in result.err and RERUN in result.err, result


def test_no_permission_to_list(flow):
    """An empty list says nothing; that the permission is missing does."""
    flow.give_long(scopes=["public_profile"])
    result = flow.run("pages", ALICE)
    refused(result, PERMISSION, "pages_show_list was not granted", "--scope pages_show_list")
    assert flow.facts.outcome["result"] == "failed"


def test_pages_that_must_be_there(flow):
    """The person has chosen some, or the provider counts some, and none is listed."""
    flow.person(pages=[])
    flow.give_long(targets={"pages_show_list": IDS[:3]})
    refused(flow.run("pages", ALICE), PERMISSION, "no page is listed, although the person chose 3",
            ASK_AGAIN)
    flow.give_long(scopes=BOTH, targets={"pages_show_list": IDS[:3]})
    refused(flow.run("pages", ALICE), PERMISSION, "chose 3", f"p11vault pages {ALICE} --business")
    flow.give_long(scopes=BOTH)
    flow.graph.misbehave("pages", "fields", "all", at="top", set={"summary": {"total_count": 2}})
    refused(flow.run("pages", ALICE), PERMISSION, "although the provider counts 2",
            f"p11vault pages {ALICE} --business")


def test_fewer_pages_than_there_must_be(flow):
    """Those that came are kept; that some are missing is said."""
    flow.person(pages=[{"id": IDS[0], "name": "P"}])
    flow.graph.misbehave("pages", "fields", "all", at="top", set={"summary": {"total_count": 2}})
    result = flow.done("pages", ALICE)
    assert "1 page is listed, although the provider counts 2" in result.err, result
    assert ASK_AGAIN in result.err and set(flow.facts.versions) == {GRANT, NAMES[0]}


def test_pages_without_a_token(flow):
    """Each is named with what may help; the others are kept, and the exit status says so."""
    flow.person(pages=[{"id": one, "name": f"Page {one[-1]}", "token": number != 1}
                       for number, one in enumerate(IDS[:3])])
    result = flow.run("pages", ALICE, "--json")
    words = f"{NAMES[1]} (Page {IDS[1][-1]}): the provider lists this page without a token"
    assert result.code == PERMISSION and f"p11vault: error: {words}" in result.err, result
    assert ASK_AGAIN in result.err and "1 of 3 pages were not kept" in result.err, result
    told = {page["name"]: page for page in json.loads(result.out)}
    assert (told[NAMES[1]]["error"], told[NAMES[1]]["code"]) == (words, "permission")
    assert "error" not in told[NAMES[0]]
    assert set(flow.facts.versions) == {GRANT, NAMES[0], NAMES[2]}
    assert flow.facts.outcome["code"] == "permission"


def test_no_page_has_a_token(flow):
    """That is not "no page"."""
    flow.person(pages=[{"id": one, "name": "P", "token": False} for one in IDS[:2]])
    result = flow.run("pages", ALICE)
    assert result.code == PERMISSION and "2 of 2 pages were not kept" in result.err, result
    assert "no page" not in result.err and not result.out


# ---- pages of businesses ----

def give_businesses(flow, **pages):
    """Alice has a role in two businesses, and a grant that may list them."""
    flow.give_long(scopes=BOTH)
    flow.person(pages=[{"id": IDS[0], "name": "Hers"}])
    flow.graph.add_business(business_id=BUSINESS, admins=[PERSON], system_users=[SYSTEM_USER],
                            **pages)
    flow.graph.add_business(business_id=CLIENT_BUSINESS, admins=[PERSON])


def test_pages_of_businesses(flow):
    """Those of each business and of its clients, each once, judged as any page is."""
    owned = [{"id": one, "name": "Owned", "token": number > 0}
             for number, one in enumerate(IDS[:3])]
    give_businesses(flow, owned_pages=owned, client_pages=[{"id": IDS[3], "name": "A client's"}])
    result = flow.done("pages", ALICE, "--business")
    assert [line.partition(" (")[0] for line in result.out.splitlines()] == [
        f"{NAMES[0]}: Hers", f"{NAMES[1]}: Owned", f"{NAMES[2]}: Owned", f"{NAMES[3]}: A client's"]
    assert flow.steps() == ["debug_token", "pages", "debug_token", "businesses",
                            "pages", "debug_token", "debug_token", "pages", "debug_token",
                            "pages", "pages"]
    facts = flow.works(NAMES[3])
    assert (facts["type"], facts["profile"], facts["subject"]) == ("PAGE", IDS[3], PERSON)
    steps = [entry["step"] for entry in flow.facts.entries if entry["type"] == "step"]
    assert steps.count("businesses") == 1


def test_pages_of_businesses_are_optional(flow):
    """Without the option nobody asks for them."""
    give_businesses(flow, owned_pages=[{"id": IDS[1], "name": "Owned"}])
    flow.done("pages", ALICE)
    assert flow.steps() == ["debug_token", "pages", "debug_token"]


def test_businesses_need_a_permission(flow):
    """Said before anything is listed."""
    refused(flow.run("pages", ALICE, "--business"), PERMISSION,
            "business_management was not granted", ASK_AGAIN)
    assert flow.steps() == ["debug_token"]


def test_many_businesses(flow):
    """Their list has cursors, too, and an end."""
    give_businesses(flow, owned_pages=[{"id": IDS[1], "name": "Owned"}])
    flow.graph.rules(page_limit_max=1)
    try:
        flow.done("pages", ALICE, "--business")
        assert flow.steps().count("businesses") == 2
        flow.graph.rules(endless_lists=True)
        result = flow.run("pages", ALICE, "--business")
    finally:
        flow.graph.rules(page_limit_max=100, endless_lists=False)
    assert result.code == STOP and "has no end" in result.err, result


def test_a_business_that_may_not_be_seen(flow):
    """Its list is named; the others are read, and the exit status says so."""
    give_businesses(flow, owned_pages=[{"id": IDS[1], "name": "Owned"}],
                    client_pages=[{"id": IDS[2], "name": "A client's"}])
    flow.graph.misbehave("pages", "http_error", 2, code=200, status=403)
    result = flow.run("pages", ALICE, "--business")
    assert result.code == PERMISSION, result
    assert f"error: business {BUSINESS}, owned_pages: pages: a permission" in result.err, result
    assert "1 list of pages could not be read" in result.err, result
    assert set(flow.facts.versions) == {GRANT, NAMES[0], NAMES[2]}


@pytest.mark.parametrize("step, which", [("businesses", 1), ("pages", 2), ("pages", 3)])
def test_a_list_of_businesses_fails(flow, step, which):
    """What came before it is kept."""
    give_businesses(flow, owned_pages=[{"id": IDS[1], "name": "Owned"}])
    flow.graph.misbehave(step, "html_503", which)
    result = flow.run("pages", ALICE, "--business")
    assert result.code == RETRY, result
    assert set(flow.facts.versions) == {GRANT, NAMES[0], *NAMES[1:which - 1]}


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


@pytest.mark.parametrize("options, left", [
    ({"set": {"is_valid": False}}, "rejected"), ({"set": {"type": "USER"}}, "pending"),
    ({"set": {"profile_id": "1"}}, "rejected"), ({"set": {"app_id": "1"}}, "rejected")],
                         ids=["invalid", "kind", "page", "app"])
def test_one_page_fails(flow, options, left):
    """It stops no other; it is told with its reason, and the exit status says so."""
    flow.graph.misbehave("debug_token", "fields", 4, **options)
    result = flow.run("pages", ALICE)
    assert result.code == STOP, result
    assert [line.partition(":")[0] for line in result.out.splitlines()] == NAMES[:2] + NAMES[3:]
    assert f"p11vault: error: {NAMES[2]}: inspect-result: " in result.err
    assert f"1 of {len(NAMES)} pages were not kept" in result.err
    assert flow.states(NAMES[2]) == {1: left}
    assert flow.facts.outcome["result"] == "failed"
    flow.graph.tell("clear_misbehaviours")
    assert len(flow.done("pages", ALICE).out.splitlines()) == len(IDS)
    assert flow.states(NAMES[2]) == ({1: left, 2: "current"} if left == "rejected" else
                                     {1: "current"})


def test_it_cannot_be_asked_any_more(flow):
    """What was confirmed stays; the rest waits, and the next run confirms it before it takes anything."""
    flow.graph.misbehave("debug_token", "html_503", 4)
    result = flow.run("pages", ALICE)
    assert result.code == RETRY, result
    assert flow.facts.versions == {GRANT: (2, False), **{name: (1, number >= 2)
                                                         for number, name in enumerate(NAMES)}}
    assert flow.states(NAMES[4]) == {1: "pending"}
    flow.graph.tell("clear_misbehaviours")
    asked = len(flow.steps())
    result = flow.done("pages", ALICE)
    assert flow.steps()[asked:] == ["debug_token", *["debug_token"] * 5, "pages",
                                    *["debug_token"] * 2]
    assert sorted(result.out.splitlines()) == [f"{name}: Page {one[-1]} (ANALYZE,MANAGE)"
                                               for name, one in zip(NAMES, IDS)]
    assert result.err.count("issued to an interrupted run is now confirmed") == 5
    assert flow.facts.versions == {GRANT: (2, False), **{name: (1 + (number < 2), False)
                                                         for number, name in enumerate(NAMES)}}


def test_one_that_was_left_is_dead(flow):
    """Another one is taken in its place, and then nothing is missing."""
    flow.graph.misbehave("debug_token", "html_503", 4)
    assert flow.run("pages", ALICE).code == RETRY
    flow.graph.tell("clear_misbehaviours")
    flow.graph.misbehave("debug_token", "fields", 1, set={"is_valid": False})
    result = flow.done("pages", ALICE)
    assert len(result.out.splitlines()) == len(IDS) and "not kept" not in result.err, result
    assert flow.states(NAMES[2]) == {1: "rejected", 2: "current"}
    assert flow.facts.outcome["result"] == "done"
    assert flow.states(NAMES[4]) == {1: "current"}


def test_an_error_about_one_that_waits(flow):
    """It stays, nothing is taken beside it, and the others go on."""
    flow.graph.misbehave("debug_token", "http_error", 4, code=368)
    assert flow.run("pages", ALICE).code == STOP
    assert flow.states(NAMES[2]) == {1: "pending"}
    flow.graph.misbehave("debug_token", "http_error", 1, code=368)
    result = flow.run("pages", ALICE)
    assert result.code == STOP, result
    assert f"p11vault: error: {NAMES[2]}: inspect-result: " in result.err
    assert f"1 of {len(NAMES)} pages were not kept" in result.err
    assert [line.partition(":")[0] for line in result.out.splitlines()] == NAMES[:2] + NAMES[3:]
    assert flow.states(NAMES[2]) == {1: "pending"}
    assert flow.states(NAMES[3]) == {1: "previous", 2: "current"}


def test_what_waits_does_not_need_the_person(flow):
    """It is confirmed although the grant that it came from has ended meanwhile."""
    flow.graph.misbehave("debug_token", "html_503", 2)
    assert flow.run("pages", ALICE).code == RETRY
    flow.graph.tell("clear_misbehaviours")
    flow.graph.misbehave("debug_token", "fields", len(IDS) + 1, set={"is_valid": False})
    refused(flow.run("pages", ALICE), LOGIN, f"p11vault login {ALICE}")
    assert flow.facts.versions == {GRANT: (2, False), **{name: (1, False) for name in NAMES}}


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
