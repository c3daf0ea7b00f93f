"""A room that was taken over: a script in the place of one of the two, which says what it likes."""

import shutil
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOMS = {"card": "p11vault-card", "exchange": "p11vault-exchange"}

HEAD = f"""#!/usr/bin/python3
import json, os, socket, sys
sys.path.insert(0, {str(TESTS)!r})
sys.dont_write_bytecode = True
from rooms import packet, parse, rule
from sealing import canonical, jwk, new_key, public_of, seal, thumbprint
from treelog import Signer, leaf, root
front = socket.socket(fileno=3)
def hear(channel=front):
    data = channel.recv(131072)
    if not data:
        sys.exit(0)
    return parse(data)
"""

CARD = """
def say(name, *values):
    front.send(packet(rule("card", "front", name), *values))
"""

# Honest but for one word: each deviation is a function that replaces one of the four below.
EXCHANGE = """
def say(name, *values):
    front.send(packet(rule("exchange", "front", name), *values))

def hear_room(name):
    got, values = hear()
    assert got == name, (got, name)
    return values

keys = socket.socket(fileno=4)
facts = {"type": "USER", "subject": "10153848260347724", "valid": 1, "expires": 4102444800, "scopes": []}

def tell(step, client, lives=1, asked=1, **changes):
    what = {"http": 200, "trace": "", "us": 5, **changes}
    say("outcome", step, 0, what["http"], 0, 0, what["trace"], "", "",
        canonical({"facts": {**facts, "app_id": client}}), what["us"], what["us"], lives, asked)

def issue(slot, **changes):
    told = {**json.loads(slot[1]), "issued": 1700000000, **changes}
    say("issued", slot[0], seal(public_of(app_key), canonical({**told, "secret": "EAAB"})),
        canonical(told))

def client_of(step):
    return json.loads(step[2])["client_id"]

def inspect(step, slot):
    tell(step[1], client_of(step))

def exchange(step, slot):
    issue(slot)
    tell(step[1], client_of(step))

def follow():
    global app_key
    hear_room("connect")
    say("connected", "127.0.0.1", "TLSv1.3")
    app_key = json.loads(hear(keys)[1][0])
    slot = None
    while True:
        name, values = hear()
        if name == "slot":
            slot = values
        elif name == "step":
            (exchange if values[1] == 1 else inspect)(values, slot)
        elif name == "end":
            break
"""


class FakeRoom:
    """p11vault with one room of its two replaced; to be used as the directory of programs."""

    def __init__(self, programs, who, script):
        self.directory = Path(tempfile.mkdtemp(prefix="p11f-"))
        shutil.copy2(programs / "p11vault", self.directory)
        for name, program in ROOMS.items():
            if name != who:
                (self.directory / program).symlink_to((programs / program).resolve())
        fake = self.directory / ROOMS[who]
        fake.write_text(HEAD + script, encoding="utf-8")
        fake.chmod(0o700)

    def __enter__(self):
        return self.directory

    def __exit__(self, *_):
        shutil.rmtree(self.directory)
