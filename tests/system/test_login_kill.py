"""A login with a program killed at a message: the next run goes on from there, or replaces it.

A run of these tests takes samples; with P11VAULT_CAMPAIGN=1 in the environment it takes every call.
"""

import contextlib
import functools

import pytest

from cards import GRANT
from flows import Flow
from killing import MESSAGES, kills
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

BOB = "ads/user/bob"


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """A browser that every login finds in its environment."""
    flow = Flow(ready_vault, graph, canaries)
    flow.vault.environment = functools.partial(ready_vault.environment, **flow.browser())
    return flow


def killed(flow, program, step, name, *options):
    """One login after another on the vault as it is now, each killed at another call."""
    codes = []
    with contextlib.closing(kills(
            flow.vault, program, MESSAGES, step, ("login", name, "--port", str(flow.port), *options),
            prepare=lambda: codes.append(flow.steps().count("code")))) as runs:
        for where, result in runs:
            assert flow.steps().count("code") - codes[-1] <= 1, where
            flow.check(result)
            yield where


def check_settled(flow, name, where):
    """One is current, nothing waits, every use has one outcome."""
    facts, states = flow.facts, flow.states(name)
    assert list(states.values()).count("current") == 1, (where, states)
    assert set(states.values()) <= {"current", "previous", "rejected"}, (where, states)
    intents = sorted(entry["use"] for entry in facts.entries if entry["type"] == "intent")
    outcomes = sorted(entry["use"] for entry in facts.entries if entry["type"] == "outcome")
    assert intents == outcomes, where


@pytest.mark.parametrize("program, step", [("front", 5), ("card", 7), ("exchange", 9)])
def test_logging_in_again(flow, program, step):
    """The second login replaces whatever the first one has left."""
    for where in killed(flow, program, step, BOB):
        result = flow.login(BOB)
        assert result.code == 0, (where, result)
        check_settled(flow, BOB, where)
        assert flow.works(BOB), where


def waiting(flow):
    """The names under which a grant waits."""
    entries = [entry for entry in flow.facts.entries if entry["type"] in ("seal", "state")]
    newest = {(entry["name"], entry["version"]): entry["state"] for entry in entries}
    return sorted({name for (name, _), state in newest.items() if state == "pending"})


KINDS = {"user", "system-user"}


@pytest.mark.parametrize("program, step, kinds", [
    ("front", 5, KINDS), ("card", 7, KINDS), ("exchange", 9, set())])
def test_a_system_users_grant_of_a_login(flow, program, step, kinds):
    """Whatever was issued before the kill is found again, under one name or the other."""
    flow.graph.set_app(flow.app_id, configs={"7": {"token": "system_user"}})
    found = set()
    for where in killed(flow, program, step, BOB, "--config-id", "7"):
        left, codes = waiting(flow), flow.steps().count("code")
        assert len(left) <= 1, where
        found.update(name.split("/")[1] for name in left)
        result = flow.login(left[0] if left else BOB, "--config-id", "7")
        assert result.code == 0 and not waiting(flow), (where, result)
        assert flow.steps().count("code") - codes == (0 if left else 1), where
        kept = result.out.partition(":")[0]
        assert list(flow.states(kept).values()).count("current") == 1, (where, kept)
        assert flow.works(kept)["type"] == "SYSTEM_USER", where
    assert found == kinds


def test_going_on_without_the_person(flow):
    """In the place of an old grant: what was issued is confirmed by the next exchange."""
    confirmed = 0
    for where in killed(flow, "front", 3, GRANT):
        version, pending = flow.facts.versions[GRANT]
        flow.graph.clock(60)
        result = flow.done("exchange", GRANT)
        flow.graph.clock(0)
        assert ("issued to an interrupted run is now confirmed" in result.err) is pending, where
        assert flow.facts.versions[GRANT][0] > version, where
        confirmed += pending
        check_settled(flow, GRANT, where)
    assert confirmed
