"""What a front that was taken over cannot make the rooms do, and what failed runs do not break."""

import pytest

from exchanging import EXCHANGE, SLOT, Work, running_graph
from rooms import Room
from telling import (  # noqa: F401
    begin, fixture_facts, fixture_room, fixture_use, sign, take_app_key)
from treelog import entry

STOP, REFUSED = 15, 30


def test_any_number_of_runs_that_failed(room, use):
    """What they added is void; however much it is, this run can be signed."""
    for _ in range(100):
        planted = use.plant("app")
        use.entries.insert(-1, entry("void", entry=planted, reason="never signed"))
    sign(room, use)
    take_app_key(room.keys)


def test_a_card_that_is_not_trusted_any_more(room, use):
    """It is in the signed log, but its line was taken out of the trust file: it opens no new app."""
    use.sign_trusted(count=use.signed)
    use.set_trust(use.trust.read_text(encoding="ascii").splitlines()[-1])
    use.count = use.slots = 0
    begin(room, use)
    room.send(*use.head())
    room.send(*use.recipient())
    room.refuses(REFUSED, "is of a card that is not trusted")


@pytest.mark.parametrize("origins", [["https://evil.example"], None],
                         ids=["another", "one-more"])
def test_an_issued_grant_goes_nowhere_new(programs, origins):
    """The front names where a new grant may go; the room holds that to what the old one says."""
    with running_graph() as graph, Room(programs, "exchange") as room:
        work = Work(graph)
        work.slot["origins"] = origins or [graph.origin, "https://evil.example"]
        work.connect(room)
        work.tell(room)
        work.step(room, EXCHANGE)
        wanted, issued, answer = work.follow(room)
        assert wanted == [0, 1, SLOT]
        assert (issued, answer[0]) == ([], "fail"), answer
        assert answer[1][0] == STOP and "where the old one is not" in answer[1][1], answer
        assert room.wait() == STOP
