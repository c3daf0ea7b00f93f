"""A grant that was issued and the store did not take: it stands beside it, and is taken up."""

import json
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager

import pytest

from cards import GRANT, LATER, Facts, refused
from flows import SYSTEM_USER, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

LOG = 30
OTHER = "ads/user/eve"


@contextmanager
def store_replaced(vault):
    """Nothing can be written to the store that is open: another file stands in its place."""
    store, away = vault.directory / "vault.db", vault.directory / "away"
    store.rename(away)
    shutil.copy2(away, store)
    yield
    away.replace(store)


def unkept(vault):
    """The files."""
    return sorted(vault.directory.glob("unkept-*"))


def lines(path):
    """What one of them holds."""
    return [json.loads(line) for line in path.read_bytes().partition(b"\0")[0].splitlines()]


def begin(vault, graph):
    """An exchange whose grant is on its way."""
    graph.misbehave("exchange", "silent", 1)
    asked = len(graph.requests("exchange"))
    run = vault.start("exchange", GRANT)
    graph.wait("request:exchange", asked + 1)
    return run


def fail_to_keep(vault, graph):
    """The store fails when the grant comes."""
    run = begin(vault, graph)
    with store_replaced(vault):
        graph.tell("release")
        result = run.finish()
    graph.clock(LATER)
    return result


def test_one_that_moves_stays(ready_vault, graph, canaries):
    """It has a place in the store already: where it cannot get its new name, it waits under the old."""
    flow = Flow(ready_vault, graph, canaries)
    graph.set_app(flow.app_id, configs={"7001": {
        "token": "system_user", "system_user_id": SYSTEM_USER, "scopes": ["ads_read"],
        "expires_in": 0}})
    graph.misbehave("debug_token", "html_503", 1)
    flow.login("ads/user/shop", "--config-id", "7001")
    graph.misbehave("debug_token", "silent", 1)
    asked = len(graph.requests("debug_token"))
    run = ready_vault.start("login", "ads/user/shop", "--config-id", "7001")
    graph.wait("request:debug_token", asked + 1)
    with store_replaced(ready_vault):
        graph.tell("release")
        result = run.finish()
    refused(result, LOG, "keep it as 'ads/system-user/shop': store was replaced")
    assert flow.states("ads/user/shop") == {1: "pending"} and not unkept(ready_vault)
    result = flow.done("login", "ads/user/shop", "--config-id", "7001")
    assert result.out.startswith("ads/system-user/shop: "), result


@pytest.fixture(name="left")
def _left(ready_vault, graph):
    """The file of such a run."""
    fail_to_keep(ready_vault, graph)
    [path] = unkept(ready_vault)
    return path


def test_it_is_put_aside(ready_vault, graph):
    """Where the room for it was made before anybody was asked; and it is said where that is."""
    result = fail_to_keep(ready_vault, graph)
    refused(result, LOG, "keep the new grant in the store: store was replaced",
            "fix that: the next run takes the grant from ", *unkept(ready_vault))
    [path] = unkept(ready_vault)
    [line] = lines(path)
    assert (line["name"], line["version"]) == (GRANT, 2)
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_taken_up(ready_vault, graph, left):
    """As pending; the provider is asked about it, and for no other one."""
    [line] = lines(left)
    before, exchanges = Facts(ready_vault), len(graph.requests("exchange"))
    assert before.versions == {GRANT: (1, False)}
    result = ready_vault.done("exchange", GRANT)
    assert f"{GRANT}: the new grant that an earlier run could not keep is now in the store" in result.err
    assert "the grant issued to an interrupted run is now confirmed" in result.err
    assert len(graph.requests("exchange")) == exchanges and not unkept(ready_vault)
    after = Facts(ready_vault)
    assert after.versions == {GRANT: (2, False)}
    [sealed] = [one for one in after.entries[len(before.entries):] if one["type"] == "seal"]
    assert (sealed["state"], sealed["version"], sealed["use"]) == ("pending", 2, line["use"])


@pytest.mark.parametrize("verb, state", [
    (("audit", "checkpoint"), "pending"), (("grant", "forget", GRANT, "--yes"), "forgotten")])
def test_by_any_verb_that_writes(ready_vault, left, verb, state):
    """It is in the store before the verb does its work."""
    assert left.exists()
    ready_vault.done(*verb)
    ready_vault.done("audit", "verify")
    states = {entry["version"]: entry["state"] for entry in Facts(ready_vault).entries
              if entry["type"] in ("seal", "state") and entry["name"] == GRANT}
    assert states[2] == state and not unkept(ready_vault)


def test_only_once(ready_vault, left):
    """A run that died before it removed the file has done half of it."""
    kept = left.read_bytes()
    ready_vault.done("audit", "checkpoint")
    before = Facts(ready_vault)
    left.write_bytes(kept)
    left.chmod(0o600)
    result = ready_vault.done("audit", "checkpoint")
    assert not unkept(ready_vault) and "unkept" not in result.err
    assert Facts(ready_vault).versions == before.versions
    assert Facts(ready_vault).sealed == before.sealed


def stays(vault, path, words):
    """It is said, each time, and nothing of it comes into the store; what is asked for is done."""
    before = Facts(vault)
    for _ in range(2):
        result = vault.done("audit", "checkpoint")
        assert f"note: '{path}' holds a new grant that was not taken up: " in result.err, result
        assert words in result.err, result
    assert os.path.lexists(path)
    after = Facts(vault)
    assert (after.sealed, after.versions) == (before.sealed, before.versions)


@pytest.mark.parametrize("changes, words", [
    ({"name": OTHER, "version": 1}, "the use that it names was for other grants"),
    ({"use": "0" * 32}, "no card has signed for the use that it names"),
    ({"kid": "x" * 43}, "it is sealed to a key that the app no longer has"),
    ({"version": 3}, "the store has version 1 of it, and this is version 3"),
    ({"version": 1}, "the store has version 1 of it, and this is version 1"),
    ({"jwe": None}, "a member is missing or is of the wrong type"),
], ids=lambda value: "-".join(value) if isinstance(value, dict) else "")
def test_another_line(ready_vault, left, changes, words):
    """Who can write the directory gets nothing into the store that no card has signed a use for."""
    [line] = lines(left)
    left.write_text(json.dumps({**line, **changes}) + "\n")
    stays(ready_vault, left, words)


def test_other_remarks(ready_vault, left):
    """What stands beside a record in the file says nothing of the record itself."""
    [line] = lines(left)
    left.write_text(json.dumps({**line, "remarks": {"state": "current", "name": OTHER}}) + "\n")
    ready_vault.done("audit", "checkpoint")
    ready_vault.done("audit", "verify")
    sealed = next(one for one in reversed(Facts(ready_vault).entries) if one["type"] == "seal")
    assert (sealed["name"], sealed["state"]) == (GRANT, "pending")


@pytest.mark.parametrize("verb", [("grant", "forget", GRANT, "--yes"), ("import", GRANT)],
                         ids=["forget", "import"])
def test_not_into_an_older_store(ready_vault, left, verb):
    """It would be lost with that, once the right one is put back."""
    store, older = ready_vault.directory / "vault.db", ready_vault.base / "older.db"
    hidden = left.rename(ready_vault.base / "hidden")
    with closing(sqlite3.connect(store)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy2(store, older)
    ready_vault.done("audit", "checkpoint")
    shutil.copy2(older, store)
    hidden.rename(left)
    refused(ready_vault.run(*verb, stdin="x"), LOG, "the store was rolled back")
    assert left.exists()


def test_a_line_that_is_cut_off(ready_vault, left):
    """Neither taken nor thrown away."""
    left.write_bytes(left.read_bytes()[:100])
    stays(ready_vault, left, "its last line is incomplete")


def test_what_is_no_file(ready_vault, left):
    """A link is not followed, a pipe not waited for."""
    for make in (lambda: left.symlink_to(left.with_name("away")), lambda: os.mkfifo(left, 0o600)):
        left.rename(left.with_name("away"))
        make()
        stays(ready_vault, left, "")
        left.unlink()
        left.with_name("away").rename(left)


def test_of_a_living_run(ready_vault, graph):
    """Its file is locked: nobody else looks into it, and it goes with its run."""
    run = begin(ready_vault, graph)
    [path] = unkept(ready_vault)
    assert "unkept" not in ready_vault.done("audit", "checkpoint").err and path.exists()
    graph.tell("release")
    assert run.finish().code == 0 and not unkept(ready_vault)


def test_of_a_run_that_died(ready_vault, graph):
    """An empty one is removed without a word."""
    run = begin(ready_vault, graph)
    run.process.kill()
    run.finish()
    graph.tell("release")
    assert len(unkept(ready_vault)) == 1
    assert "unkept" not in ready_vault.done("audit", "checkpoint").err
    assert not unkept(ready_vault)
