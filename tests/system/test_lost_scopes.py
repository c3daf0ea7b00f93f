"""Permissions that a grant had and has not any more: said by each run, written down, and shown until they are back."""

import json

import pytest

from flows import ALICE, DAY, PERSON, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault)

HAD = ["public_profile", "pages_show_list", "email"]
WORDS = f"{ALICE}: permissions lost since the last login: "


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """Alice has three permissions, and the vault knows it."""
    flow = Flow(ready_vault, graph, canaries)
    flow.token = flow.give_long(scopes=HAD, expires_in=30 * DAY)
    flow.done("inspect", ALICE)
    return flow


def status(flow):
    """The line of the grant."""
    [line] = json.loads(flow.done("status", "--json").out)
    return line


def entry(flow, kind):
    """The newest of a type."""
    return next(one for one in reversed(flow.facts.entries) if one["type"] == kind)


@pytest.mark.parametrize("verb", ["exchange", "refresh"])
@pytest.mark.parametrize("which", [1, 2], ids=["before", "issued"])
@pytest.mark.parametrize("has", [["email"], []], ids=["one-left", "none"])
def test_renewed_with_less(flow, verb, which, has):
    """Of the old one or of the new one: the grant is kept, and what is missing is named everywhere."""
    lost = [scope for scope in HAD if scope not in has]
    for number in range(which, 3):
        flow.graph.misbehave("debug_token", "fields", number, set={"scopes": has})
    result = flow.done(verb, ALICE)
    assert WORDS + ",".join(lost) in result.err, result
    assert flow.columns()["scopes"] == has
    assert entry(flow, "outcome")["lost_scopes"] == entry(flow, "state")["lost_scopes"] == lost
    assert status(flow)["lost_scopes"] == lost
    said = flow.done("status").out
    assert f"  permissions lost since the last login: {', '.join(lost)}\n" in said
    assert f"  next: p11vault login {ALICE} --rerequest\n" in said
    assert ALICE in flow.done("status", "--due").out
    assert ", ".join(lost) in flow.done("audit", "show").out


def test_renewal_that_fails(flow):
    """What was lost is said all the same."""
    flow.graph.misbehave("debug_token", "fields", 1, set={"scopes": ["email"]})
    flow.graph.misbehave("exchange", "html_503")
    result = flow.run("refresh", ALICE)
    assert result.code == 10 and WORDS + ",".join(HAD[:2]) in result.err, result
    assert status(flow)["lost_scopes"] == entry(flow, "outcome")["lost_scopes"] == HAD[:2]


def test_json(flow):
    """A list, and no member where nothing is lost."""
    flow.graph.misbehave("debug_token", "fields", 2, set={"scopes": ["email"]})
    assert json.loads(flow.done("refresh", ALICE, "--json").out)["lost_scopes"] == HAD[:2]
    assert json.loads(flow.done("inspect", ALICE, "--json").out).get("lost_scopes") is None


def test_inspected(flow):
    """It is told until it is back, also by runs that find nothing new; and survives what seals the grant anew."""
    flow.graph.set_token(flow.token, scopes=["email"])
    for _ in range(2):
        shown = flow.done("inspect", ALICE).out
        assert [line.split()[1] for line in shown.splitlines() if line.startswith("lost ")] == HAD[:2]
    assert json.loads(flow.done("inspect", ALICE, "--json").out)["lost_scopes"] == HAD[:2]
    flow.done("app", "rekey", "ads")
    assert status(flow)["lost_scopes"] == HAD[:2]
    flow.done("grant", "rename", ALICE, "ads/user/ann")
    assert status(flow)["lost_scopes"] == HAD[:2]
    flow.done("grant", "rename", "ads/user/ann", ALICE)
    flow.graph.set_token(flow.token, scopes=["email", "pages_show_list"])
    flow.done("refresh", "--all")
    assert status(flow)["lost_scopes"] == HAD[:1]
    flow.graph.set_token(flow.newest_token("exchange")["token"], scopes=HAD)
    flow.done("inspect", ALICE)
    assert "lost_scopes" not in status(flow) and status(flow)["next"] == ""


def test_an_error_brings_none_back(flow):
    """Nor does it lose any: what an error answer leaves out is not gone."""
    flow.graph.set_token(flow.token, scopes=["email"])
    flow.done("inspect", ALICE)
    flow.graph.misbehave("debug_token", "fields", at="top", set={"data": {
        "is_valid": False, "error": {"code": 190, "subcode": 460}, "scopes": []}})
    assert flow.run("inspect", ALICE).code == 12
    assert status(flow)["lost_scopes"] == HAD[:2] and flow.columns()["scopes"] == ["email"]


def test_a_login_begins_anew(flow):
    """What a person has not granted this time is not lost."""
    flow.graph.set_token(flow.token, scopes=["email"])
    flow.done("inspect", ALICE)
    flow.person(PERSON)
    assert flow.login(ALICE, "--scope", "pages_show_list").code == 0
    assert "lost_scopes" not in status(flow)
    assert flow.columns()["scopes"] == ["public_profile", "pages_show_list"]


def test_more_than_before(flow):
    """Is no loss."""
    flow.graph.misbehave("debug_token", "fields", 2, set={"scopes": [*HAD, "ads_read"]})
    assert "lost" not in flow.done("refresh", ALICE).err
    assert "lost_scopes" not in entry(flow, "outcome")
