"""Front and card room in one, for an exchange room: records sealed to an app key in software."""

import contextlib
import json
import shutil
import tempfile
from pathlib import Path

from program import Processes
from rooms import NONE, packet, rule
from sealing import (agree, canonical, digest, epk, jwk, new_key, point, seal, thumbprint,
                     unb64, unseal)
from standin import Standin

INSPECT_INPUT, EXCHANGE, INSPECT_RESULT = range(3)
MILLISECONDS = 20000
SLOT = 2


@contextlib.contextmanager
def running_graph():
    """One stand-in for many tests: they count what it was asked, before and after."""
    directory, started = Path(tempfile.mkdtemp(prefix="p11g-")), Processes()
    try:
        graph = Standin(directory, started)
        try:
            yield graph
        finally:
            graph.stop()
        assert not started.left()
    finally:
        shutil.rmtree(directory)


class Work:
    """What an exchange room is told.  A test changes one thing of it."""

    def __init__(self, graph):
        self.graph, self.app_key = graph, new_key()
        made = graph.tell("add_app")
        self.app_id = made["app_id"]
        self.token = graph.tell("add_token", app_id=self.app_id, user_id="10153848")["token"]
        self.payloads = [
            self.payload("ads/secret", "secret", made["secret"]),
            self.payload("ads/user/alice", "user", self.token)]
        self.slot = {**self.payloads[1], "version": 2}
        del self.slot["secret"]
        self.ordered = [dict(payload) for payload in self.payloads]
        self.sealed = [None, None]
        self.named = canonical(jwk(self.app_key.public_key()))
        self.give, self.first = self.key, None
        self.asked_before = len(graph.requests())

    def payload(self, name, kind, value):
        """What stands inside a record; the value last, as the programs write it."""
        return {"app": "ads", "kind": kind, "name": name, "origins": [self.graph.origin],
                "provider": "meta", "v": 1, "version": 1, "secret": value}

    def jwe(self, number):
        """A record, sealed once."""
        if not self.sealed[number]:
            payload = self.payloads[number]
            value = payload.pop("secret")
            text = canonical(payload)[:-1] + f',"secret":{json.dumps(value)}}}'
            self.sealed[number] = seal(self.app_key.public_key(), text)
        return self.sealed[number]

    def record(self, number):
        """`record` for it."""
        what, jwe = self.ordered[number], self.jwe(number)
        return ["record", number, digest(jwe), what["app"], what["name"], what["kind"],
                what["version"], jwe]

    def orders(self):
        """Everything between `connected` and the first step."""
        return [self.record(0), self.record(1), ["slot", SLOT, canonical(self.slot)]]

    def connect(self, room, origin=None):
        """Up to the lock; address and TLS version."""
        room.send("connect", origin or self.graph.origin, str(self.graph.ca), MILLISECONDS,
                  MILLISECONDS)
        return room.expect("connected")

    def tell(self, room):
        """All orders, and the app key as the card room names it."""
        if self.first:
            room.keys.send(self.first)
        if self.named:
            room.keys.send(packet(rule("card", "exchange", "appkey"), self.named))
        self.tell_orders(room)

    def tell_orders(self, room):
        """The orders alone: they hold for one step."""
        for order in self.orders():
            if not room.send(*order):
                return

    def step(self, room, step, secret=0, grant=1, slot=SLOT, **parameters):
        """`step`."""
        told = {"client_id": self.app_id, "api_version": "v26.0", "kind": "user", **parameters}
        return room.send("step", "meta", step, canonical(told), secret, grant, slot)

    # ---- the card room's part ----

    def key(self, *numbers):
        """The packet with these one or two keys."""
        return packet(rule("card", "exchange", "key"),
                      *[field for number in numbers for field in self.key_fields(number)])

    def key_fields(self, number):
        """The three fields of key `number`."""
        if number == NONE:
            return [NONE, b"", b""]
        if number < len(self.sealed):
            public = epk(self.jwe(number))
            key = agree(self.app_key, public, "A256GCM")
        else:
            ephemeral = new_key()
            public = ephemeral.public_key()
            key = agree(ephemeral, self.app_key.public_key(), "A256GCM")
        return [number, point(public), key]

    def follow(self, room):
        """Hand what is wanted until the step is over: numbers wanted, what was issued, the end."""
        wanted, issued = [], []
        while answer := room.receive():
            name, values = answer
            if name == "want":
                wanted += [number for number in values if number != NONE]
                given = self.give(*values)
                if given is not None:
                    room.keys.send(given)
            elif name == "issued":
                issued.append(values)
            else:
                return wanted, issued, answer
        raise AssertionError("the room ended in the middle of a step")

    def open(self, jwe):
        """The payload of a record that the room has sealed."""
        assert json.loads(unb64(jwe.split(".")[0]))["kid"] == self.kid
        return unseal(jwe, agree(self.app_key, epk(jwe), "A256GCM"))

    def not_asked(self):
        """The provider has heard nothing."""
        return len(self.graph.requests()) == self.asked_before

    @property
    def kid(self):
        """Of the app key."""
        return thumbprint(jwk(self.app_key.public_key()))
