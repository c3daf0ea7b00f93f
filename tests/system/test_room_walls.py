"""Both rooms, driven directly: the walls they put up, and how they can be started."""

import pytest

from exchanging import INSPECT_INPUT, Work, running_graph
from program import Program
from rooms import FAULT, PROGRAMS, TABLE, Room, harmless, has_walls
from telling import Use, begin, prepared
from waiting import wait_until

USAGE = 2
LOCKED = 2
BOTH = pytest.mark.parametrize("who", ["card", "exchange"])


@pytest.fixture(scope="module", name="graph")
def _graph():
    with running_graph() as graph:
        yield graph


@pytest.fixture(name="walls")
def _walls(programs):
    """Only where there are some."""
    if not has_walls(programs):
        pytest.skip("a build with sanitizers need not have walls: this is about walls")


@pytest.mark.usefixtures("walls")
def test_the_lock_of_a_room_that_is_connected(programs, graph):
    """Before a key can arrive no new socket, file or process can be had, for good."""
    with Room(programs, "exchange") as room:
        wait_until(lambda: room.filters() == 1, "the room has walls before its first order")
        Work(graph).connect(room)
        assert room.filters() == 2
        assert room.status("Seccomp") == LOCKED
        assert room.status("NoNewPrivs") == 1


@pytest.mark.usefixtures("walls")
def test_the_lock_of_a_room_that_has_read(programs, tmp_path):
    """The same for what was typed."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("EAAB\n", encoding="ascii")
    with Room(programs, "exchange") as room:
        wait_until(lambda: room.filters() == 1, "the room has walls before its first order")
        room.send("read", str(secret), "", "token", 5)
        room.expect("typed")
        assert room.filters() == 2
        assert room.status("Seccomp") == LOCKED


@pytest.mark.usefixtures("walls")
def test_the_walls_of_the_card_room(programs):
    """The module runs behind them, from the login to the end."""
    with prepared(programs) as facts, Room(programs, "card", facts.environment) as room:
        begin(room, Use(facts))
        assert room.filters() >= 1
        assert room.status("Seccomp") == LOCKED
        assert room.status("NoNewPrivs") == 1


# ---- started by hand ----

@BOTH
def test_started_by_hand(programs, processes, who):
    """Without channels the program says who starts it."""
    result = Program([programs / PROGRAMS[who]], {}, processes).finish()
    assert result.code == USAGE
    assert "this program is started by p11vault, not by hand" in result.err


@BOTH
def test_a_way_for_keys_is_no_channel(programs, who):
    """One descriptor of two is not enough."""
    with Room(programs, who, channel=False) as room:
        assert room.wait() == USAGE
        assert "this program is started by p11vault, not by hand" in room.said


# ---- the way for keys ----

def test_nothing_but_keys_on_their_way(programs, graph):
    """What comes on the one-way channel is checked against the same table."""
    for row in TABLE:
        if row.sender == "card" and row.receiver == "exchange":
            continue
        work = Work(graph)
        with Room(programs, "exchange") as room:
            work.named, work.first = None, harmless(row)
            work.connect(room)
            work.tell(room)
            work.step(room, INSPECT_INPUT)
            answer = work.follow(room)[2]
            assert (answer[0], answer[1][0]) == ("fail", FAULT), answer
            assert "not allowed now" in answer[1][1]
            assert room.wait() == FAULT
        assert work.not_asked()
