"""The exchange room, driven directly: what came unasked is no answer, and what something follows is in doubt.

Between two messages of ours the stand-in does what it likes, and each time it has done so before the room goes on.
"""

import pytest

from exchanging import EXCHANGE, INSPECT_INPUT, NONE, SLOT, Work, running_graph
from rooms import Room

RETRY, STOP, CALL = 10, 15, 17
HINT = "see what is true now: p11vault inspect NAME"
STRAY = {"data": {"app_id": "1", "user_id": "666", "is_valid": True, "expires_at": 0}}


@pytest.fixture(scope="module", name="graph")
def _graph():
    with running_graph() as graph:
        yield graph


@pytest.fixture(name="work")
def _work(graph):
    """What would succeed."""
    graph.tell("clear_misbehaviours")
    return Work(graph)


@pytest.fixture(name="room")
def _room(programs):
    """An exchange room that has been told nothing yet."""
    with Room(programs, "exchange") as room:
        yield room
        room.send("end")
        assert room.wait() == 0


class Outcome:
    """What an outcome says."""

    def __init__(self, answer):
        name, values = answer
        assert name == "outcome", answer
        (self.step, self.action, self.http, self.code, _, _, self.message, self.hint, self.told,
         self.request_us, self.answer_us, self.lives, self.asked) = values


def count(graph, event):
    """How often it has happened by now."""
    return graph.tell("wait", event=event, count=0)["count"]


def connected(work, room, kind, event, **options):
    """A connection on which the stand-in has done something before any request."""
    before = count(work.graph, event)
    work.graph.misbehave("connect", kind, **options)
    work.connect(room)
    work.graph.wait(event, before + 1)
    work.tell(room)


def inspected(work, room, kind, **options):
    """A connection that has carried one step; the stand-in goes on when it is released."""
    work.graph.misbehave("debug_token", kind, 1, **options)
    work.connect(room)
    work.tell(room)
    assert stepped(work, room)[0].action == 0
    work.tell_orders(room)


def released(graph, event):
    """Let the stand-in go on, and wait until it has."""
    before = count(graph, event)
    graph.tell("release")
    graph.wait(event, before + 1)


def stepped(work, room, step=INSPECT_INPUT):
    """A step up to its outcome; the outcome, which keys were asked for, and what was issued."""
    work.step(room, step)
    wanted, issued, answer = work.follow(room)
    return Outcome(answer), wanted, issued


def is_unasked(outcome, action, words):
    """Nothing was sent, and the connection is over."""
    assert (outcome.action, words in outcome.message) == (action, True), vars(outcome)
    assert (outcome.http, outcome.lives, outcome.asked) == (0, 0, 0), vars(outcome)
    assert "666" not in outcome.told


# ---- before the request ----

EARLY = {
    "answer": ("early", "early", {"body": STRAY}, "the server answered before it was asked"),
    "timeout": ("early", "early", {}, "the server answered before it was asked"),
    "goodbye": ("close", "closed", {"how": "notify"}, "the server closed the connection"),
    "end": ("close", "closed", {"how": "fin"}, "the server closed the connection"),
    "reset": ("close", "closed", {"how": "reset"}, "the server closed the connection"),
}


@pytest.mark.parametrize("kind, event, options, words", EARLY.values(), ids=EARLY)
def test_before_the_first_request(room, work, kind, event, options, words):
    """No key is asked for, and no later step believes it either."""
    connected(work, room, kind, event, **options)
    for _ in range(2):
        outcome, wanted, issued = stepped(work, room)
        is_unasked(outcome, RETRY, words)
        assert (wanted, issued, outcome.request_us) == ([], [], 0)
        work.tell_orders(room)
    assert work.not_asked()


@pytest.mark.parametrize("stray", [{"bodies": [STRAY]}, {"texts": ["\r\n"]}], ids=["answer", "crlf"])
def test_before_the_next_request(room, work, stray):
    """On a kept connection it puts the answer before it into doubt, which is said."""
    inspected(work, room, "stray", held=True, **stray)
    released(work.graph, "answer:debug_token")
    outcome, wanted, issued = stepped(work, room, EXCHANGE)
    is_unasked(outcome, STOP, "the server sent more than it was asked for")
    assert (wanted, issued, outcome.hint) == ([], [], HINT)
    assert work.graph.requests()[work.asked_before:][1:] == []


@pytest.mark.parametrize("how", ["notify", "fin", "reset"])
def test_a_kept_connection_that_was_closed(room, work, how):
    """As servers do after a while: that is no fault of what came before."""
    inspected(work, room, "hang_up", how=how, held=True)
    released(work.graph, "closed")
    outcome, wanted, _ = stepped(work, room)
    is_unasked(outcome, RETRY, "the server closed the connection before it was asked")
    assert wanted == []


def test_while_the_keys_come(room, work):
    """It is looked once more when the request is made: it stays here and is wiped."""
    inspected(work, room, "stray", bodies=[STRAY], held=True)

    def give(*numbers):
        released(work.graph, "answer:debug_token")
        return work.key(*numbers)

    work.give = give
    outcome, wanted, issued = stepped(work, room, EXCHANGE)
    is_unasked(outcome, STOP, "the server sent more than it was asked for")
    assert (wanted, issued) == ([0, 1], []) and outcome.request_us > 0
    assert work.graph.requests()[work.asked_before:][1:] == []


# ---- behind the answer ----

FOLLOWED = {
    "answer": ("stray", {"bodies": [STRAY]}, STOP, "more bytes follow the end of the answer"),
    "crlf": ("stray", {"texts": ["\r\n"]}, STOP, "more bytes follow the end of the answer"),
    "crlf-in-it": ("extra_bytes", {"text": "\r\n"}, STOP,
                   "more bytes follow the end of the answer"),
    "goodbye": ("hang_up", {"how": "notify"}, RETRY, "closed the connection right after"),
    "end": ("hang_up", {"how": "fin"}, RETRY, "closed the connection right after"),
}


@pytest.mark.parametrize("kind, options, action, words", FOLLOWED.values(), ids=FOLLOWED)
def test_behind_an_answer(room, work, kind, options, action, words):
    """Nothing of it is told, but that it came."""
    work.graph.misbehave("debug_token", kind, 1, **options)
    work.connect(room)
    work.tell(room)
    outcome, _, _ = stepped(work, room)
    assert (outcome.action, words in outcome.message) == (action, True), vars(outcome)
    assert (outcome.http, outcome.lives, outcome.asked) == (200, 0, 1), vars(outcome)
    assert "10153848" not in outcome.told


@pytest.mark.parametrize("kind, options, action, words", FOLLOWED.values(), ids=FOLLOWED)
def test_behind_an_issuing_answer(room, work, kind, options, action, words):
    """What it issued is sealed and told all the same: nobody else has it."""
    work.graph.misbehave("exchange", kind, 1, **options)
    work.connect(room)
    work.tell(room)
    outcome, wanted, issued = stepped(work, room, EXCHANGE)
    assert (outcome.action, words in outcome.message) == (action, True), vars(outcome)
    assert (wanted, len(issued), outcome.lives) == ([0, 1, SLOT], 1, 0)
    payload = work.open(issued[0][1])
    assert payload["secret"] == work.graph.tell("tokens", made_by="exchange")["tokens"][-1]["token"]


def test_behind_a_call(room, work):
    """More of it than is kept has come, and its end is held back: no part of it is passed on."""
    work.graph.misbehave("me", "garbage", text="a " * 24000 + "b" * 4000)
    work.graph.misbehave("me", "extra_bytes", text="\r\n")
    work.connect(room)
    work.tell(room)
    work.step(room, CALL, slot=NONE, method="GET", path="me")
    wanted, issued, answer = work.follow(room)
    assert (answer[0], wanted, issued) == ("outcome", [0, 1], [])
    outcome = Outcome(answer)
    assert (outcome.action, outcome.http, outcome.lives) == (STOP, 200, 0), vars(outcome)


# ---- what is nothing ----

def test_a_ticket_is_nothing(room, work):
    """The stand-in's TLS sends two behind each handshake: one connection carries all steps."""
    before = count(work.graph, "connection")
    work.connect(room)
    work.tell(room)
    for step in (INSPECT_INPUT, EXCHANGE, INSPECT_INPUT):
        outcome, _, _ = stepped(work, room, step)
        assert (outcome.action, outcome.lives, outcome.asked) == (0, 1, 1), vars(outcome)
        work.tell_orders(room)
    assert count(work.graph, "connection") == before + 1


@pytest.mark.parametrize("kind, options", [("close", {}), ("until_close", {})])
def test_an_end_that_was_announced(room, work, kind, options):
    """By the answer's own head: it is believed, and the connection is over."""
    work.graph.misbehave("debug_token", kind, 1, **options)
    work.connect(room)
    work.tell(room)
    outcome, _, _ = stepped(work, room)
    assert (outcome.action, outcome.lives, outcome.asked) == (0, 0, 1), vars(outcome)
    assert '"subject":"10153848"' in outcome.told
