"""Keys of records and slots in the exchange room, which is driven directly: the other rooms are held by not answering.

What the card room hands is known here, so that a copy of it can be looked for before anything is sealed with it.
"""

import select
import shutil
import tempfile
from pathlib import Path

import pytest

from exchanging import EXCHANGE, SLOT, Work
from rooms import NONE, PROGRAMS, Room
from scanning import MEMFD_SECRET, scan
from scene import Look, let_it_rest
from standin import Standin
from waiting import wait_until
from watching import clients_have_read

JOB, PROGRAM = "exchange room alone", PROGRAMS["exchange"]


@pytest.fixture(name="graph")
def _graph(build, processes):
    directory = Path(tempfile.mkdtemp(prefix="p11g-"))
    try:
        graph = Standin(directory, processes)
        yield graph
        graph.stop()
    finally:
        shutil.rmtree(directory)


@pytest.fixture(name="room")
def _room(build, tmp_path):
    """Without memfd_secret, as the whole programs here."""
    script = tmp_path / PROGRAM
    script.write_text(f'#!/bin/sh\nexec {build}/exposure/without {MEMFD_SECRET} '
                      f'{build}/{PROGRAM} "$@"\n')
    script.chmod(0o700)
    with Room(tmp_path, "exchange") as room:
        yield room
        room.send("end")
        assert room.wait() == 0


class Held(Work):
    """Hands keys one message at a time, and looks at the room in between."""

    def __init__(self, graph, room, build, needles, record):
        super().__init__(graph)
        self._room, self._build, self._record, self.needles = room, build, record, needles
        for payload in self.payloads:
            needles.add(payload["name"], payload["secret"])
        self.connect(room)
        self.tell(room)

    def key_fields(self, number):
        """The key is secret from now on."""
        fields = super().key_fields(number)
        if number != NONE:
            self.needles.add(f"key:{number}", fields[2])
        return fields

    def look(self, moment):
        """The room alone."""
        let_it_rest(self._room.pid)
        [data] = scan(self._build, self.needles, self._room.pid)
        look = Look({**data, "moment": moment})
        self._record("look", [JOB, look.program, moment, len(look.places), look.bytes])
        assert not look.unread and look.program == PROGRAM, look
        return look

    def wanted(self):
        """The numbers of the keys that are asked for now."""
        return [number for number in self._room.expect("want") if number != NONE]


@pytest.fixture(name="work")
def _work(graph, room, build, needles, record_property):
    return Held(graph, room, build, needles, record_property)


def test_the_first_key(room, work):
    """While front and card room have not handed all that the request needs, there is none of it."""
    work.step(room, EXCHANGE)
    wanted = work.wanted()
    while 1 not in wanted:
        room.keys.send(work.key(*wanted, *[NONE] * (2 - len(wanted))))
        wanted = work.wanted()
    look = work.look("wait for the last key of a request")
    assert look.places == [], look
    room.keys.send(work.key(*wanted, *[NONE] * (2 - len(wanted))))
    assert work.follow(room)[2][1][1] == 0


@pytest.mark.parametrize("what, options", [
    ("interim answers", {"interim": 3}), ("half a head", {"head": 60}),
    ("half an answer", {"after": 5})])
def test_the_key_of_a_slot(room, work, what, options):
    """A server that begins an answer has no key come before there is something to seal."""
    work.graph.misbehave("exchange", "silent", 1, **options)
    work.step(room, EXCHANGE)
    room.keys.send(work.key(*work.wanted()))
    work.graph.wait("begun")
    wait_until(lambda: has_read(work, room), "the beginning is not read")
    look = work.look(f"wait for the rest: {what}")
    assert look.places == [], look
    work.graph.tell("release")
    assert work.follow(room)[2][1][1] == 0


def has_read(work, room):
    """All that has come; keys that it asks for are handed."""
    poll = select.poll()
    poll.register(room.channel, select.POLLIN)
    if poll.poll(0):
        room.keys.send(work.key(*work.wanted(), NONE))
    return clients_have_read(work.graph.port)


def test_what_was_issued(room, work):
    """While the key that it is sealed with is held: once, in a locked page, and nothing else of the answer."""
    work.step(room, EXCHANGE)
    room.keys.send(work.key(*work.wanted()))
    assert work.wanted() == [SLOT]
    token = work.graph.tell("tokens", made_by="exchange")["tokens"][-1]["token"]
    work.needles.add("issued", token)
    look = work.look("wait for the key of a slot")
    assert look.places == [("issued", "raw", True)], look
    room.keys.send(work.key(SLOT, NONE))
    assert work.follow(room)[2][1][1] == 0
