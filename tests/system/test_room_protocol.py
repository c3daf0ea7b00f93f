"""Both rooms, driven directly: what is no message, or is not allowed now, ends them, without a key.

Every message of the table is sent in every state that a front can meet, where it does not belong.
"""

import os
import struct

import pytest

from exchanging import INSPECT_INPUT, Work, running_graph
from logging_in import Login, free_port
from rooms import (CARD_FAILED, FAULT, NONE, PACKET_MAX, TABLE, VERSION, Room, field, harmless,
                   packet, rule)
from sealing import canonical, jwk, new_key
from telling import Use, begin, fixture_facts, sign  # noqa: F401

RETRY = 10
PAGES = 5
BOTH = pytest.mark.parametrize("who", ["card", "exchange"])
FIRST = {"card": rule("front", "card", "list"), "exchange": rule("front", "exchange", "connect")}


@pytest.fixture(scope="module", name="graph")
def _graph():
    with running_graph() as graph:
        yield graph


# ---- the states ----

class States:
    """Brings a room into a state."""

    def __init__(self, programs, facts, graph, directory):
        self.programs, self.facts, self.graph = programs, facts, graph
        self.secret = directory / "secret"
        self.secret.touch(mode=0o600)
        self.secret.write_text("EAAB\n", encoding="ascii")

    def room(self, who):
        """One that has been told nothing yet."""
        return Room(self.programs, who, self.facts.environment if who == "card" else None)

    def enter(self, room, state):
        """What the room sends to the exchange room on the way."""
        return getattr(self, state.lower())(room) or []

    def card_new(self, _):
        """It waits for its task."""

    def card_ready(self, room):
        """Logged in."""
        begin(room, Use(self.facts))

    def card_keys(self, room):
        """Signed."""
        sign(room, Use(self.facts))
        return ["appkey"]

    exchange_new = card_new

    def exchange_typed(self, room):
        """A secret was read."""
        room.send("read", str(self.secret), "", "token", 5)
        room.expect("typed")

    def exchange_sealing(self, room):
        """And sealed."""
        self.exchange_typed(room)
        facts = {"v": 1, "app": "a", "name": "a/user/b", "kind": "user", "version": 1,
                 "origins": ["https://a"]}
        room.send("seal", canonical(facts), canonical(jwk(new_key().public_key())))
        room.expect("issued")

    def exchange_came(self, room):
        """A person has logged in."""
        login = Login(room, free_port()).begin()
        login.redirect()
        room.expect("came")

    def exchange_locked(self, room):
        """Connected."""
        Work(self.graph).connect(room)


    def exchange_shut(self, room):
        """Confined, and never connected."""
        room.send("shut")

    def exchange_offering(self, room):
        """In the middle of a list of pages."""
        work = Work(self.graph)
        self.graph.tell("person", user_id="10153848", pages=[{"id": "112233445566"}])
        work.payloads[1]["secret"] = self.graph.tell(
            "add_token", app_id=work.app_id, user_id="10153848",
            scopes=["pages_show_list"])["token"]
        work.connect(room)
        work.tell(room)
        work.step(room, PAGES, slot=NONE)
        assert room.expect("want") == [0, 1]
        room.keys.send(work.key(0, 1))
        room.expect("offer")


@pytest.fixture(name="states")
def _states(programs, facts, graph, tmp_path):
    return States(programs, facts, graph, tmp_path)


STATES = {"card": ["CARD_NEW", "CARD_READY", "CARD_KEYS"],
          "exchange": ["EXCHANGE_NEW", "EXCHANGE_TYPED", "EXCHANGE_SEALING", "EXCHANGE_CAME",
                       "EXCHANGE_LOCKED", "EXCHANGE_OFFERING", "EXCHANGE_SHUT"]}


def forbidden():
    """Room, state and message for all that the table does not allow."""
    for who, states in STATES.items():
        for state in states:
            for row in TABLE:
                if (row.sender, row.receiver) != ("front", who) or state not in row.when:
                    name = f"{state}-{row.sender}-{row.name}-{row.receiver}"
                    yield pytest.param(who, state, row, id=name.lower())


@pytest.mark.parametrize("who, state, row", forbidden())
def test_messages_that_do_not_belong(states, who, state, row):
    """Well-formed, but not now, not from the front, or not to this room."""
    with states.room(who) as room:
        sent = states.enter(room, state)
        room.send_raw(harmless(row))
        room.refuses(FAULT, f"message '{row.told}' from the front is not allowed now", keys=sent)


def test_the_table_is_tested_whole():
    """Every state that a room reads the front's messages in is one of those above."""
    told = {state for row in TABLE if row.sender == "front" and row.name != "end"
            for state in row.when}
    assert told == {state for states in STATES.values() for state in states} - {
        "EXCHANGE_SEALING"} | {"CARD_OPENING", "CARD_ENROLLING"}  # in which only `try` is read
    assert len(list(forbidden())) > 6 * len(TABLE)


@BOTH
def test_ending_in_every_state(states, who):
    """`end` is allowed everywhere, and no failure, unless it breaks off a step."""
    for state in STATES[who]:
        with states.room(who) as room:
            sent = states.enter(room, state)
            room.send("end")
            assert room.wait() == (FAULT if state == "EXCHANGE_OFFERING" else 0), state
            assert who == "exchange" or [name for name, _ in room.on_keys()] == sent


@BOTH
def test_the_front_is_gone(states, who):
    """The room ends by itself in every state, long before its deadline."""
    for state in STATES[who]:
        with states.room(who) as room:
            sent = states.enter(room, state)
            room.close()
            assert room.wait() == RETRY, state
            assert "the front ended in the middle of its work" in room.said
            assert who == "exchange" or [name for name, _ in room.on_keys()] == sent


def test_everybody_is_gone_in_a_step(programs, graph):
    """The exchange room waits for a key that never comes."""
    work = Work(graph)
    with Room(programs, "exchange") as room:
        work.connect(room)
        work.tell(room)
        work.step(room, INSPECT_INPUT)
        room.expect("want")
        room.close()
        room.keys.close()
        assert room.wait() == CARD_FAILED
    assert work.not_asked()


# ---- what is no message ----

def text(size, data):
    """A text with this said length."""
    return struct.pack(">I", size) + data


def begins(row, body):
    """A packet of that type with any body: the first text is what is wrong in it."""
    return bytes([VERSION, row.number]) + body + b"".join(
        field(kind, "x" if kind == "s" else 0) for kind in row.fields[1:])


BODIES = {
    "no-fields": lambda row: bytes([VERSION, row.number]),
    "length-cut": lambda row: bytes([VERSION, row.number, 0, 0, 0]),
    "length-beyond": lambda row: bytes([VERSION, row.number]) + text(3, b"x\0"),
    "length-huge": lambda row: begins(row, text(0xffffffff, b"x\0")),
    "empty-text": lambda row: begins(row, text(0, b"")),
    "no-nul": lambda row: begins(row, text(1, b"x")),
    "nul-inside": lambda row: begins(row, text(3, b"\0x\0")),
    "more-behind": lambda row: begins(row, text(2, b"x\0")) + b"\0",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@BOTH
def test_malformed_fields(states, who, body):
    """The type is right, the fields are not."""
    with states.room(who) as room:
        room.send_raw(body(FIRST[who]))
        room.refuses(FAULT, f"message '{FIRST[who].name}' from the front is malformed")


PACKETS = {
    "one-byte": bytes([VERSION]),
    "version-0": bytes([0]) + packet(FIRST["card"], "x")[1:],
    "version-next": bytes([VERSION + 1]) + packet(FIRST["card"], "x")[1:],
    "too-long": packet(FIRST["card"], "x").ljust(PACKET_MAX + 1, b"\0"),
    "much-too-long": packet(FIRST["card"], "x" * 2 * PACKET_MAX),
}


@pytest.mark.parametrize("data", PACKETS.values(), ids=PACKETS)
@BOTH
def test_packets_that_are_no_message(states, who, data):
    """Nothing of them is looked at."""
    with states.room(who) as room:
        room.send_raw(data)
        room.refuses(FAULT, "the front sent a packet that is not a message")


@pytest.mark.parametrize("number", [0, len(TABLE) + 1, 0x7f, 0xff])
@BOTH
def test_types_that_are_none(states, who, number):
    """Numbers around the table."""
    with states.room(who) as room:
        room.send_raw(bytes([VERSION, number]))
        room.refuses(FAULT, "message '?' from the front is not allowed now")


@BOTH
def test_an_empty_packet(states, who):
    """It reads like the end of the front, and is taken for it."""
    with states.room(who) as room:
        room.send_raw(b"")
        assert room.wait() == RETRY
        assert "the front ended in the middle of its work" in room.said


def test_the_longest_packet(states):
    """64 KiB are a message; it is what it says that is wrong."""
    with states.room("card") as room:
        room.send("list", "/" + "x" * (PACKET_MAX - 8))
        name, values = room.receive()
        assert name == "fail" and "malformed" not in values[1] and values[0] != 0
        assert room.wait() == values[0]


# ---- descriptors ----

@pytest.mark.parametrize("count", [1, 2, 3])
@BOTH
def test_descriptors_that_nobody_asked_for(states, who, count):
    """A good message with descriptors beside it."""
    with states.room(who) as room, open(os.devnull, "rb") as null:
        room.send_raw(packet(FIRST[who], *(["x", "x", 0, 0] if who == "exchange" else ["x"])),
                      [null.fileno()] * count)
        name, values = room.receive()
        assert (name, values[0]) == ("fail", FAULT), values
        assert "malformed" in values[1] or "is not a message" in values[1]
        assert room.wait() == FAULT


@pytest.mark.parametrize("count", [0, 2])
def test_a_new_way_that_is_none(states, count):
    """`again` brings one descriptor: not none, and not two."""
    with states.room("card") as room, open(os.devnull, "rb") as null:
        sent = states.enter(room, "CARD_KEYS")
        room.send("again", descriptors=[null.fileno()] * count)
        name, values = room.receive()
        assert (name, values[0]) == ("fail", FAULT), values
        assert room.wait() == FAULT
        assert [name for name, _ in room.on_keys()] == sent
