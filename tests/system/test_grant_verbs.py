"""`grant list`, `grant show` and `grant forget`: what is known here; no card is needed."""

import json
import sqlite3
from contextlib import closing

import pytest

from cards import GRANT, SoftCard, refused, untouched
from flows import ALICE, PAGE, PERSON, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

BOB, THE_PAGE = "ads/user/bob", f"ads/page/{PAGE}"
USAGE, BUSY, LOG = 2, 31, 30


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """Alice is inspected, her page is kept, of Bob nothing is known; there is no card any more."""
    flow = Flow(ready_vault, graph, canaries)
    flow.give_long()
    flow.done("pages", ALICE)
    flow.give(BOB)
    SoftCard(ready_vault).take_out()
    flow.asked = len(graph.requests())
    return flow


def test_list(flow):
    """Names, and whose they are as far as is known; no app secret among them."""
    plain = flow.done("grant", "list")
    assert plain.out.splitlines() == [f"{THE_PAGE}  {PERSON}", f"{ALICE}  {PERSON}", BOB]
    assert json.loads(flow.done("grant", "list", "--json").out) == [
        {"name": THE_PAGE, "version": 1, "subject": PERSON},
        {"name": ALICE, "version": 2, "subject": PERSON}, {"name": BOB, "version": 1}]
    assert not plain.err.strip() or "sanitizer" in plain.err


def test_show(flow):
    """All clear columns; for people and as JSON the same."""
    data = flow.columns(ALICE)
    assert (data["name"], data["app"], data["kind"], data["version"], data["state"]) == (
        ALICE, "ads", "user", 2, "current")
    assert (data["subject"], data["valid"]) == (PERSON, True)
    assert data["scopes"] == ["public_profile", "pages_show_list"]
    assert data["digest"] in flow.facts.sealed
    shown = [line.split(None, 1) for line in flow.done("grant", "show", ALICE).out.splitlines()]
    assert ["subject", PERSON] in shown and ["valid", "yes"] in shown
    assert [value for key, value in shown if key == "permission"] == data["scopes"]
    assert "expires      never" in flow.done("grant", "show", THE_PAGE).out


def test_show_what_is_not_known(flow):
    """It is left out, not made up."""
    assert set(flow.columns(BOB)) == {"name", "app", "kind", "version", "state", "digest"}
    keys = {line.split()[0] for line in flow.done("grant", "show", BOB).out.splitlines()}
    assert keys == {"name", "state", "version", "digest"}


@pytest.mark.parametrize("name", [ALICE, BOB, THE_PAGE])
def test_forget(flow, name):
    """Gone from every list, its ciphertexts destroyed, the log knows of it; nobody was asked."""
    before = flow.facts
    result = flow.done("grant", "forget", name, "--yes")
    assert (result.out, f"{name}: forgotten" in result.err) == ("", True)
    facts = flow.facts
    assert set(facts.versions) == set(before.versions) - {name}
    [entry] = facts.entries[len(before.entries):]
    assert (entry["type"], entry["name"], entry["state"]) == ("state", name, "forgotten")
    with closing(sqlite3.connect(flow.vault.directory / "vault.db")) as store:
        assert store.execute("SELECT count(*) FROM record WHERE name = ? AND jwe IS NOT NULL",
                             [name]).fetchone() == (0,)
    assert not flow.steps()
    for verb in (("grant", "show"), ("grant", "forget")):
        refused(flow.run(*verb, name, *(["--yes"] if verb[1] == "forget" else [])), USAGE, name)


def test_a_forgotten_name_is_free(flow):
    """What comes later is a later version."""
    flow.done("grant", "forget", ALICE, "--yes")
    flow.vault.done("import", ALICE, stdin="EAABlater")
    assert flow.facts.versions[ALICE] == (3, False)


@pytest.mark.parametrize("typed, code", [("y", 0), ("yes", 0), ("n", USAGE), ("", USAGE),
                                         (None, USAGE)])
def test_a_person_is_asked(flow, typed, code):
    """The default is no; without a terminal, too."""
    question = rf"this cannot be undone: forget {BOB}\? \[y/N\] $"
    result = flow.run("grant", "forget", BOB, pty=None if typed is None else [(question, typed)])
    assert result.code == code and (BOB in flow.facts.versions) is (code != 0), result
    if code:
        assert f"{BOB}: nothing was forgotten" in result.err
        # Who was asked has answered.
        assert (f"p11vault grant forget {BOB} --yes" in result.err) is (typed is None)


@pytest.mark.parametrize("name", ["ads/user/none", "none/user/x", "ads/secret", "ads/user", "x"])
def test_names_that_are_none(flow, name):
    """Nothing is written; an app's secret is no grant."""
    with untouched(flow.vault):
        for verb in (("grant", "show", name), ("grant", "forget", name, "--yes")):
            refused(flow.run(*verb), USAGE)


def test_one_at_work_is_not_forgotten(ready_vault, graph, canaries):
    """Its lock is held as long as the exchange runs."""
    flow = Flow(ready_vault, graph, canaries)
    graph.misbehave("exchange", "silent")
    count = len(graph.requests("exchange")) + 1
    program = ready_vault.start("exchange", GRANT)
    graph.wait("request:exchange", count)
    refused(ready_vault.run("grant", "forget", GRANT, "--yes"), BUSY, "working on this grant")
    graph.tell("release")
    assert program.finish().code == 0 and GRANT in flow.facts.versions


def test_a_changed_row(flow):
    """What the log does not say is not believed, nor forgotten."""
    with closing(sqlite3.connect(flow.vault.directory / "vault.db")) as store:
        store.execute("UPDATE record SET subject = '1' WHERE name = ?", [ALICE])
        store.commit()
    for verb in (("grant", "show", ALICE), ("grant", "forget", ALICE, "--yes")):
        assert flow.vault.run(*verb).code == LOG
