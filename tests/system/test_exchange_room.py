"""The exchange room, driven directly: it opens what was ordered, with keys that fit, or nothing.

Each deviation changes one thing of an exchange that would succeed.
"""

import hashlib

import pytest

from exchanging import EXCHANGE, INSPECT_INPUT, SLOT, Work, running_graph
from rooms import FAULT, NONE, REFUSED, Room, packet, rule
from sealing import b64, canonical, digest, jwk, new_key, point, seal, unb64

STOP = 15
KEY = rule("card", "exchange", "key")
POINT = point(new_key().public_key())


@pytest.fixture(scope="module", name="graph")
def _graph():
    with running_graph() as graph:
        yield graph


@pytest.fixture(name="work")
def _work(graph):
    """What would succeed."""
    return Work(graph)


@pytest.fixture(name="room")
def _room(programs):
    """An exchange room that has been told nothing yet."""
    with Room(programs, "exchange") as room:
        yield room


def done(answer):
    """The outcome of a step that went well."""
    name, values = answer
    assert (name, values[1]) == ("outcome", 0), answer
    return values


# ---- what succeeds ----

def test_an_exchange(room, work):
    """The control: each step asks for its keys; what is issued comes back sealed to the app key."""
    address, protocol = work.connect(room)
    assert address.startswith("127.0.0.1") and protocol.startswith("TLSv1.3")
    work.tell(room)
    work.step(room, INSPECT_INPUT)
    wanted, issued, answer = work.follow(room)
    assert (wanted, issued) == ([0, 1], [])
    assert '"subject":"10153848"' in done(answer)[8]
    work.tell_orders(room)
    work.step(room, EXCHANGE)
    wanted, issued, answer = work.follow(room)
    done(answer)
    assert (wanted, len(issued)) == ([0, 1, SLOT], 1)
    payload = work.open(issued[0][1])
    hashes = {hashlib.sha256(one["token"].encode()).digest()
              for one in work.graph.tell("tokens", made_by="exchange")["tokens"]}
    assert hashlib.sha256(payload.pop("secret").encode()).digest() in hashes
    assert canonical(payload) == issued[0][2]
    assert {name: payload[name] for name in work.slot} == work.slot
    room.send("end")
    assert room.wait() == 0


# ---- what is refused ----

class Deviations(list):
    """Changes to the work, each with the error, what was asked for before it, and the step."""

    def __call__(self, part, code=REFUSED, wanted=(), **step):
        def register(change):
            name = change.__name__.replace("_", "-")
            self.append(pytest.param(change, (code, part), list(wanted), step, id=name))
            return change
        return register


deviation = Deviations()


@deviation("record 'ads/user/alice' is not the one that was ordered")
def another_digest(work):
    """The front orders one record and sends another."""
    work.sealed[1] = work.jwe(1)
    orders = work.orders()
    orders[1][2] = digest("another")
    work.orders = lambda: orders


@deviation("open 'ads/user/alice': record is for another app", wanted=[0, 1])
def another_app(work):
    """Sealed to this app key, but not for this app."""
    work.payloads[1]["app"] = "bds"


@deviation("open 'ads/user/alice': record is for another name", wanted=[0, 1])
def another_name(work):
    """Bob's in Alice's place."""
    work.payloads[1]["name"] = "ads/user/bob"


@deviation("open 'ads/user/alice': record is of another kind", wanted=[0, 1])
def another_kind(work):
    """A page's."""
    work.payloads[1]["kind"] = "page"


@deviation("open 'ads/user/alice': record is not version 1", wanted=[0, 1])
def another_version(work):
    """A newer one."""
    work.payloads[1]["version"] = 2


@deviation("open 'ads/user/alice': record may not be sent to https://localhost", STOP, [0, 1])
def another_origin(work):
    """It may go elsewhere, not here."""
    work.payloads[1]["origins"] = ["https://graph.facebook.com", work.graph.origin + "0"]


@deviation("open 'ads/secret': record may not be sent to https://localhost", STOP, [0, 1])
def secret_for_another_origin(work):
    """The app secret is bound as well."""
    work.payloads[0]["origins"] = ["https://graph.facebook.com"]


@deviation("record does not name 1 to 16 origins", STOP, [0, 1])
def no_origin(work):
    """A record that may go nowhere."""
    work.payloads[0]["origins"] = []


@deviation("record is not of format 1", STOP, [0, 1])
def another_format(work):
    """Nobody knows what it says."""
    work.payloads[0]["v"] = 2


@deviation("open 'ads/secret': record cannot be opened", wanted=[0, 1])
def record_changed(work):
    """One bit of its tag; the digest ordered is that of the changed one."""
    head, tag = work.jwe(0).rsplit(".", 1)
    work.sealed[0] = f"{head}.{b64(bytes([unb64(tag)[0] ^ 1]) + unb64(tag)[1:])}"


@deviation("open 'ads/secret': record cannot be opened", wanted=[0, 1])
def record_of_another_app_key(work):
    """A planted record."""
    work.sealed[0] = seal(new_key().public_key(), canonical(work.payloads[0]))


@deviation("open 'ads/secret': record cannot be opened", wanted=[0, 1])
def wrong_key(work):
    """Of the right size."""
    work.give = lambda n, m: packet(KEY, n, POINT, bytes(32), m, POINT, bytes(32))


@deviation("key 1 is not the one that was asked for", FAULT, [0, 1])
def keys_in_another_order(work):
    """The second for the first."""
    work.give = lambda n, m: work.key(m, n)


@deviation(f"key {NONE} is not the one that was asked for", FAULT, [0, 1])
def one_key_of_two(work):
    """The second is missing."""
    work.give = lambda n, m: work.key(n, NONE)


@deviation("key 0 is not the one that was asked for", FAULT, [0, 1])
def key_too_short(work):
    """By one byte."""
    work.give = lambda n, m: packet(KEY, n, POINT, bytes(31), *work.key_fields(m))


@deviation("key 1 is not the one that was asked for", FAULT, [0, 1])
def second_key_too_long(work):
    """By one byte."""
    work.give = lambda n, m: packet(KEY, *work.key_fields(n), m, POINT, bytes(33))


@deviation("key 0 is not the one that was asked for", FAULT, [0, 1])
def key_for_a_short_point(work):
    """No point."""
    work.give = lambda n, m: packet(KEY, n, bytes(64), bytes(32), *work.key_fields(m))


@deviation("message 'key' from the card room is malformed", FAULT, [0, 1])
def key_cut(work):
    """The packet ends in the middle."""
    work.give = lambda n, m: work.key(n, m)[:-1]


@deviation("the card room sent a packet that is not a message", FAULT, [0, 1])
def key_beyond_its_packet(work):
    """Packets with keys are small ones."""
    work.give = lambda n, m: work.key(n, m).ljust(4097, b"\0")


@deviation("message 'appkey' from the card room where 'key' belongs", FAULT, [0, 1])
def app_key_again(work):
    """It is named once."""
    work.give = lambda n, m: packet(rule("card", "exchange", "appkey"), work.named)


@deviation("message 'handed' from the card room is not allowed now", FAULT, [0, 1])
def message_for_the_front(work):
    """What belongs on the other channel."""
    work.give = lambda n, m: packet(rule("card", "front", "handed"), n, m)


@deviation("message 'key' from the card room where 'appkey' belongs", FAULT)
def key_before_the_app_key(work):
    """Nothing is sealed to a key that nobody named."""
    work.named = None
    work.first = work.key(0, 1)


@deviation("the app key is no P-256 key")
def app_key_of_another_type(work):
    """RSA."""
    work.named = canonical({"e": "AQAB", "kty": "RSA", "n": b64(b"\xc1" + bytes(254) + b"\1")})


@deviation("not a point of P-256", STOP)
def app_key_off_the_curve(work):
    """A point that could give secrets away."""
    key = jwk(work.app_key.public_key())
    work.named = canonical({**key, "y": b64(bytes([unb64(key["y"])[0] ^ 1]) + unb64(key["y"])[1:])})


@deviation("record 0 was not ordered", FAULT)
def no_records(work):
    """A step before any record."""
    work.orders = lambda: []


@deviation("record 1 was not ordered", FAULT)
def one_record_of_two(work):
    """The second is missing."""
    work.orders = lambda: [work.record(0)]


@deviation("record 2 was not ordered", FAULT, grant=2)
def slot_as_record(work):
    """Nothing has been issued into the slot yet."""
    del work


@deviation("record 1 is ordered twice", FAULT)
def record_twice(work):
    """One number, one record."""
    orders = [*work.orders(), work.record(1)]
    work.orders = lambda: orders


@deviation("2 is ordered twice", FAULT)
def slot_twice(work):
    """One number, one slot."""
    orders = [*work.orders(), work.orders()[2]]
    work.orders = lambda: orders


@deviation("more than 64 records", FAULT)
def too_many_records(work):
    """More than a use has."""
    orders = [["slot", n, canonical(work.slot)] for n in range(65)]
    work.orders = lambda: orders


@deviation("facts: not acceptable as JSON", STOP)
def slot_without_facts(work):
    """No JSON."""
    work.orders = lambda: [["slot", 0, "{"]]


@deviation("unknown step", FAULT, step=99)
def unknown_step(work):
    """Beyond the last."""
    del work


@pytest.mark.parametrize("change, expected, wanted, step", deviation)
def test_nothing_is_sent_when(room, work, change, expected, wanted, step):
    """The room says why and ends, and the provider has been asked nothing."""
    change(work)
    work.connect(room)
    work.tell(room)
    work.step(room, **{"step": INSPECT_INPUT, **step})
    asked, issued, (name, values) = work.follow(room)
    assert (name, issued, asked) == ("fail", [], wanted), values
    assert (values[0], expected[1] in values[1]) == (expected[0], True), values
    assert room.receive() is None
    assert room.wait() == expected[0]
    assert work.not_asked()
