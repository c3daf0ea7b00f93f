"""The exchange room, driven directly: what it reads and seals, and with whom it is connected."""

import json
import os
import socket

import pytest

from exchanging import EXCHANGE, INSPECT_INPUT, MILLISECONDS, NONE, Work, running_graph
from rooms import CARD_FAILED, FAULT, Room, packet, rule
from sealing import agree, canonical, epk, jwk, new_key, unseal

USAGE, RETRY, CONFIG, STOP = 2, 10, 14, 15
CHANNEL, KEYS = 3, 4
DEVICE_START = 12  # include/p11vault/oauth/provider.h
VALUE = 'EAAB"with\\marks'
FACTS = {"v": 1, "app": "ads", "name": "ads/user/alice", "kind": "user", "version": 1,
         "provider": "meta", "origins": ["https://graph.facebook.com"]}


@pytest.fixture(name="room")
def _room(programs):
    """An exchange room that has been told nothing yet."""
    with Room(programs, "exchange") as room:
        yield room


@pytest.fixture(scope="module", name="graph")
def _graph():
    with running_graph() as graph:
        yield graph


@pytest.fixture(name="work")
def _work(graph):
    """What would succeed."""
    return Work(graph)


def given(directory, data, mode=0o600):
    """A file with a secret."""
    path = directory / "given"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def read(room, path, seconds=5):
    """`read` from a file, or from standard input."""
    room.send("read", str(path), "access token: ", "access token", seconds)


def sockets(room):
    """The room's sockets; only root may look into a program with walls."""
    try:
        return room.sockets()
    except PermissionError:
        pytest.skip("only root can list the descriptors of a process with walls")


# ---- reading and sealing ----

@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_reading_and_sealing(room, tmp_path, ending):
    """The control: sealed to the key that is named, with one line ending less."""
    app_key = new_key()
    read(room, given(tmp_path, (VALUE + ending).encode()))
    assert room.expect("typed") == []
    room.send("seal", canonical(FACTS), canonical(jwk(app_key.public_key())))
    number, jwe, facts = room.expect("issued")
    assert (number, json.loads(facts)) == (0, FACTS)
    payload = unseal(jwe, agree(app_key, epk(jwe), "A256GCM"))
    assert payload == {**FACTS, "secret": VALUE}
    room.send("end")
    assert room.wait() == 0


def test_sealing_to_the_key_that_the_card_room_names(room, tmp_path):
    """Without a key in the order it is the one on the one-way channel."""
    app_key = new_key()
    read(room, given(tmp_path, VALUE.encode()))
    room.expect("typed")
    room.keys.send(packet(rule("card", "exchange", "appkey"),
                          canonical(jwk(app_key.public_key()))))
    room.send("seal", canonical(FACTS), "")
    jwe = room.expect("issued")[1]
    assert unseal(jwe, agree(app_key, epk(jwe), "A256GCM"))["secret"] == VALUE


def test_a_room_that_reads_is_not_connected(room, tmp_path):
    """It has no socket beside its two channels, before sealing and after."""
    read(room, given(tmp_path, VALUE.encode()))
    room.expect("typed")
    assert sockets(room) == {CHANNEL, KEYS}
    room.send("seal", canonical(FACTS), canonical(jwk(new_key().public_key())))
    room.expect("issued")
    assert sockets(room) == {CHANNEL, KEYS}


def test_a_room_that_has_read_does_not_connect(room, tmp_path, work):
    """Nor does one that has connected read."""
    read(room, given(tmp_path, VALUE.encode()))
    room.expect("typed")
    room.send("connect", work.graph.origin, str(work.graph.ca), MILLISECONDS, MILLISECONDS)
    room.refuses(FAULT, "message 'connect' from the front is not allowed now")


def test_a_client_token_stays_in_the_room(room, tmp_path, work):
    """It connects afterwards; what it read is sealed for nobody, and read no second time."""
    room.send("client_token", str(given(tmp_path, b"0f1e2d3c")), 5)
    assert room.expect("came") == []
    room.send("connect", work.graph.origin, str(work.graph.ca), MILLISECONDS, MILLISECONDS)
    room.expect("connected")
    room.send("seal", canonical(FACTS), canonical(jwk(new_key().public_key())))
    room.refuses(FAULT, "message 'seal' from the front is not allowed now")


def test_a_device_login_without_a_client_token(room, work):
    """Found before anything is sent."""
    room.send("connect", work.graph.origin, str(work.graph.ca), MILLISECONDS, MILLISECONDS)
    room.expect("connected")
    room.send("step", "meta", DEVICE_START, canonical({"client_id": "1", "api_version": "v26.0"}),
              NONE, NONE, NONE)
    room.refuses(FAULT, "device-start: there is no client token")


@pytest.mark.parametrize("data, code, part", [
    (b"", USAGE, "it is empty"), (b"\n", USAGE, "it is empty"),
    (b"EAAB\n\n", USAGE, "byte 5 of 5 is white space"),
    (b"EAA B", USAGE, "byte 4 of 5 is white space"), (b" EAAB", USAGE, "byte 1 of 5"),
    (b"EAAB\tx", USAGE, "white space"), (b"EA\0AB", USAGE, "byte 3 of 5 is a control character"),
    (b"EAAB\x7f", USAGE, "a control character"), ("EAÄB".encode(), USAGE, "not ASCII"),
    (b"x" * 16385, USAGE, "longer than 16384 bytes"), (b"x" * 70000, USAGE, "longer than"),
], ids=range(11))
def test_secrets_that_are_none(room, tmp_path, data, code, part):
    """The reason names no part of what was read."""
    read(room, given(tmp_path, data))
    room.refuses(code, part)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_files_that_others_can_read(room, tmp_path, mode):
    """With the command that mends it."""
    path = given(tmp_path, VALUE.encode(), mode)
    read(room, path)
    room.refuses(CONFIG, f"is open to others (mode {mode:04o})", f"chmod 600 {path}")


def test_places_where_no_secret_is(programs, tmp_path):
    """A missing file, a directory, and a pipe that would be waited for."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, part in ((tmp_path / "missing", "No such file"), (tmp_path, "not a regular file"),
                       (tmp_path / "pipe", "not a regular file")):
        with Room(programs, "exchange") as room:
            read(room, path)
            room.refuses(CONFIG, part)


def test_standard_input(programs):
    """To its end; what comes too late is not waited for."""
    for data, ends in ((VALUE.encode(), True), (b"EAA B", True), (b"EAAB", False)):
        ours, theirs = os.pipe()
        with Room(programs, "exchange", stdin=ours) as room:
            os.close(ours)
            os.write(theirs, data)
            if ends:
                os.close(theirs)
            read(room, "", seconds=5 if ends else 0)
            if not ends:
                room.refuses(RETRY, "nothing came in time")
                os.close(theirs)
            elif b" " in data:
                room.refuses(USAGE, "white space")
            else:
                room.expect("typed")


@pytest.mark.parametrize("changes, part", [
    ({"v": 2}, "is not of format 1"), ({"app": ""}, "does not say its app"),
    ({"name": 7}, "does not say its name"), ({"version": 0}, "does not say its version"),
    ({"origins": []}, "does not name 1 to 16 origins"), ({"secret": "x"}, "among its facts"),
    ({"more": "x" * 9000}, "facts are longer than"),
])
def test_facts_that_are_none(room, tmp_path, changes, part):
    """What is sealed says what it is."""
    read(room, given(tmp_path, VALUE.encode()))
    room.expect("typed")
    room.send("seal", canonical({**FACTS, **changes}), canonical(jwk(new_key().public_key())))
    room.refuses(STOP, part)


# ---- the connection ----

def closed_port():
    """An origin where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"https://localhost:{one.getsockname()[1]}"


@pytest.mark.parametrize("origin, code, part", [
    (lambda graph: graph.origin.replace("https", "http"), USAGE, "must begin with https://"),
    (lambda graph: graph.origin + "/path", USAGE, "must end behind host and port"),
    (lambda graph: "", USAGE, "must begin with https://"),
    (lambda graph: closed_port(), RETRY, "connect to https://localhost"),
], ids=["no-tls", "path", "empty", "closed"])
def test_no_connection(room, work, origin, code, part):
    """Then nothing is asked for: neither a key nor anything of the provider."""
    room.send("connect", origin(work.graph), str(work.graph.ca), MILLISECONDS, MILLISECONDS)
    room.refuses(code, part)
    assert work.not_asked()


def test_a_server_that_is_not_trusted(room, work):
    """The stand-in's authority is none of the system's."""
    room.send("connect", work.graph.origin, "", MILLISECONDS, MILLISECONDS)
    room.refuses(CONFIG, "the server's certificate is not trusted")
    assert work.not_asked()


def test_a_card_room_that_is_gone(room, work):
    """No key will come: the room does not wait for its deadline."""
    work.connect(room)
    work.tell(room)
    work.step(room, INSPECT_INPUT)
    assert room.expect("want") == [0, 1]
    room.keys.close()
    room.refuses(CARD_FAILED, "the card room ended in the middle of its work")
    assert work.not_asked()


def test_no_card_room(programs, work):
    """A room without a one-way channel cannot take a step."""
    with Room(programs, "exchange", keys=False) as room:
        work.connect(room)
        for order in work.orders():
            room.send(*order)
        work.step(room, INSPECT_INPUT)
        room.refuses(FAULT, "there is no card room to name the app key")
    assert work.not_asked()


def test_a_room_that_is_connected_has_more(room, work):
    """So the test above can tell."""
    work.connect(room)
    assert sockets(room) > {CHANNEL, KEYS}


def test_nothing_is_issued_where_no_slot_is(room, work):
    """The provider is not even asked for what could not be kept."""
    work.connect(room)
    work.tell(room)
    work.step(room, EXCHANGE, slot=9)
    room.refuses(FAULT, "slot 9 was not ordered")
    assert work.not_asked()
