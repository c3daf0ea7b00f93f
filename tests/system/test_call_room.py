"""The exchange room under a front that was taken over: no call that may not be, alone or in a batch."""

import json

import pytest

from exchanging import NONE, Work, running_graph
from rooms import Room

CALL, BATCH, USAGE = 17, 18, 2
DELETE = {"method": "DELETE", "relative_url": "me/permissions"}
ME = {"method": "GET", "relative_url": "me"}


@pytest.fixture(scope="module", name="graph")
def _graph():
    with running_graph() as graph:
        yield graph


@pytest.fixture(name="work")
def _work(graph):
    return Work(graph)


@pytest.fixture(name="room")
def _room(programs):
    with Room(programs, "exchange") as room:
        yield room


@pytest.mark.parametrize("step, parameters", [
    (CALL, {"method": "DELETE", "path": "me/permissions"}),
    (CALL, {"method": "GET", "path": "oauth/access_token"}),
    (CALL, {"method": "GET", "path": "me", "fields": "access_token=x"}),
    (CALL, {"method": "GET"}), (CALL, {}),
    (BATCH, {"fields": json.dumps([DELETE])}), (BATCH, {"fields": json.dumps([ME] * 51)}),
    (BATCH, {"fields": json.dumps([{**ME, "access_token": "x"}])}), (BATCH, {"fields": "["}),
    (BATCH, {})])
def test_refused(room, work, step, parameters):
    """No key is asked for, and nothing is sent."""
    work.connect(room)
    work.tell(room)
    work.step(room, step, slot=NONE, **parameters)
    wanted, issued, (name, values) = work.follow(room)
    assert (name, values[0], wanted, issued) == ("fail", USAGE, [], []), values
    assert room.wait() == USAGE and work.not_asked()


@pytest.mark.parametrize("step, parameters", [
    (CALL, {"method": "GET", "path": "me"}), (BATCH, {"fields": json.dumps([ME, ME])})])
def test_allowed(room, work, step, parameters):
    """The same way, with what may be called: its answer comes scrubbed, and then the outcome."""
    work.connect(room)
    work.tell(room)
    work.step(room, step, slot=NONE, **parameters)
    wanted, issued, (name, values) = work.follow(room)
    assert (name, values[0], wanted, issued) == ("content", 1, [0, 1], []), values
    assert b"10153848" in values[1] and work.token.encode() not in values[1]
    assert room.expect("outcome")[1:3] == [0, 200]
