"""What the front tells a card room for one use, made from a real vault's store."""

import base64
import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

from program import Processes
from rooms import NONE, REFUSED, Room, parse, receive
from sealing import canonical, digest
from treelog import Signer, entry, frontier, leaf, path
from vaulttool import Vault

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
USE = "0123456789abcdef0123456789abcdef"
GRANT = "ads/user/alice"


@contextlib.contextmanager
def prepared(programs, key=None):
    """The facts of a vault with an app and a grant.  Rooms only read it: one is enough for all.

    `key` is the kind that is made on the card; `blank` beside the vault is the card as it was before.
    """
    started = Processes()
    vault = Vault(programs, started)
    try:
        vault.done("init", "--soft")
        shutil.copytree(vault.directory / "soft/tokens", vault.base / "blank")
        vault.done("card", "enroll", *(["--key", key] if key else []))
        vault.done("app", "add", "ads", "--provider", "meta", "--id", "1234567890",
                   "--secret-file", vault.write("given/secret", "0123456789abcdef" * 2 + "\n"))
        vault.done("import", GRANT,
                   "--token-file", vault.write("given/token", "EAAB" + "x" * 60 + "\n"))
        yield Facts(vault)
        assert not started.left()
    finally:
        vault.remove()


def drop_anchor(environment, vault, origin):
    """As if the card had never kept a head of this vault's log."""
    card_tool(environment, vault, "--delete-object", "--type", "data", "--label",
              anchor_label(origin))


def card_tool(environment, vault, *arguments):
    """pkcs11-tool, logged in to the card of a profile; what it says."""
    return subprocess.run(["/usr/bin/pkcs11-tool", "--module", SOFTHSM, "--token-label", "vault",
                           "--login", "--pin", (vault.directory / "soft/pin").read_text("ascii"),
                           *arguments], env={"PATH": os.defpath, **environment}, check=True,
                          capture_output=True).stdout


def anchor_label(origin):
    """What the head of a log is called on a card."""
    return f"p11vault {origin.partition('/')[2][:8]} head"


def card_with_head(facts, size, root):
    """The profile of a card that keeps a head of this vault's log."""
    environment = facts.environment
    put_head(environment, facts, size, root)
    return environment


def put_head(environment, facts, size, root):
    """One more head on the card of a profile."""
    text = f"{facts.origin}\n{size}\n{base64.b64encode(root).decode()}\n1800000000\n"
    file = facts.vault.write("given/head", text)
    card_tool(environment, facts.vault, "--write-object", str(file), "--type", "data", "--private",
              "--application-label", "p11vault", "--label", anchor_label(facts.origin))


class Facts:
    """What stands in a vault's store; nothing is written to it."""

    def __init__(self, vault):
        self.vault = vault
        self._cards = itertools.count()
        self.trust = vault.trust.read_text(encoding="utf-8")
        store = sqlite3.connect(vault.directory / "vault.db")
        try:
            self._read(store)
        finally:
            store.close()

    @property
    def environment(self):
        """The module's profile, with a copy of the card that keeps no head of a log: each room may leave one there."""
        plain = self.vault.base / "plain"
        if not plain.exists():
            drop_anchor(self.card_at(self.vault.directory / "soft/tokens", plain), self.vault,
                        self.origin)
        return self.card_at(plain / "tokens", self.vault.base / f"cards/{next(self._cards)}")

    def card_at(self, tokens, place):
        """A copy of a card; the profile with it."""
        shutil.copytree(tokens, place / "tokens")
        conf = (self.vault.directory / "soft/softhsm2.conf").read_text("ascii")
        (place / "softhsm2.conf").write_text(
            re.sub(r"(?m)^directories.tokendir.*$", f"directories.tokendir = {place}/tokens", conf),
            "ascii")
        return {"SOFTHSM2_CONF": str(place / "softhsm2.conf")}

    def _read(self, store):
        self.origin = "p11vault/" + store.execute("SELECT id FROM vault").fetchone()[0]
        self.entries = [text.encode() for text, in
                        store.execute("SELECT text FROM entry ORDER BY idx")]
        self.signed, self.note = store.execute(
            "SELECT size, note FROM checkpoint ORDER BY size DESC").fetchone()
        self.app_record, self.app_index, self.key_index = store.execute(
            "SELECT key_record, entry, key_entry FROM app WHERE app = 'ads'").fetchone()
        self.card_index, self.serial = store.execute("SELECT entry, serial FROM card").fetchone()
        self.records = store.execute("SELECT name, version, jwe FROM record "
                                     "WHERE state = 'current' ORDER BY name").fetchall()

    def read_entry(self, index):
        """One entry as an object."""
        return json.loads(self.entries[index])

    @property
    def card(self):
        """Public JWK and algorithm of the card."""
        card = self.read_entry(self.card_index)
        return card["jwk"], card["alg"]


class Use:
    """All that is said for one exchange.  A test changes one thing of it."""

    def __init__(self, facts):
        self.facts, self.origin = facts, facts.origin
        self.pin = facts.vault.directory / "soft/pin"
        self.trust, self.use = facts.vault.trust, USE
        self.purpose = f"exchange {GRANT}"
        self.entries, self.signed = list(facts.entries), facts.signed
        self.count, self.slots = len(facts.records), 1
        self.note = facts.note
        self.app, self.app_record, self.key_index = "ads", facts.app_record, facts.key_index
        self.unlocks = [[n, *row] for n, row in enumerate(facts.records)]
        self.rewrite = None
        self.add("intent", **self.intent())

    def intent(self, **changes):
        """The members of an intent that names the records of this use."""
        return {"use": self.use, "verb": "exchange", "name": GRANT, "card": "",
                "origin": "https://graph.facebook.com", "seals": [GRANT],
                "opens": [{"name": name, "version": version, "digest": digest(jwe)}
                          for _, name, version, jwe in self.unlocks], **changes}

    def set_intent(self, **changes):
        """Another intent in the place of the one there is."""
        self.entries[-1] = entry("intent", **self.intent(**changes))

    def add(self, kind, **members):
        """One more entry at the end of the log."""
        self.entries.append(entry(kind, **members))

    def leaves(self, count=None):
        """The hashes of the first entries, or of those that are signed."""
        return [leaf(data) for data in self.entries[:self.signed if count is None else count]]

    def proof(self, index):
        """That an entry is under the checkpoint."""
        return path(index, self.leaves()) if index < self.signed else []

    def set_trust(self, *lines, mode=0o600):
        """A trust file of this test's own."""
        text = "".join(f"{line}\n" for line in lines)
        name = f"conf/trust-{hashlib.sha256(text.encode()).hexdigest()[:8]}-{mode:o}"
        self.trust = self.facts.vault.write(name, text, mode)

    def sign(self, signer, count=None, origin=None):
        """The first entries, or all, signed by a key of ours."""
        self.signed = len(self.entries) if count is None else count
        self.note = signer.sign(self.leaves(), origin)

    def sign_trusted(self, count=None):
        """The same by one that the trust file knows beside the card's."""
        signer = Signer(self.origin)
        self.set_trust(self.facts.trust, signer.vkey)
        self.sign(signer, count)

    def plant(self, kind, **changes):
        """A copy of a signed entry that was never signed itself; its index."""
        index = {"card": self.facts.card_index, "app": self.facts.app_index,
                 "app-key": self.facts.key_index}[kind]
        copy = {**self.facts.read_entry(index), **changes}
        self.entries.insert(-1, canonical(copy).encode())
        return len(self.entries) - 2

    def opening(self):
        """The fields of `open`."""
        return [SOFTHSM, f"pkcs11:serial={self.facts.serial}", str(self.pin), self.purpose,
                self.count, self.slots, self.use, self.origin, str(self.trust)]

    def head(self):
        """`checkpoint` and its fields."""
        return ["checkpoint", self.note, b"".join(frontier(self.leaves()))]

    def tail(self):
        """`entry` for everything behind the checkpoint."""
        return [["entry", index, data] for index, data in enumerate(self.entries)
                if index >= self.signed]

    def orders(self):
        """Everything between `ready` and `sign`."""
        key = self.entries[self.key_index]
        orders = [self.head(), ["app", self.app, self.app_record, self.key_index, key,
                                b"".join(self.proof(self.key_index))],
                  *(["unlock", *unlock] for unlock in self.unlocks), *self.tail()]
        if self.rewrite:
            self.rewrite(orders)
        return orders

    def recipient(self):
        """`recipient` for the enrolled card."""
        index = self.facts.card_index
        return ["recipient", index, self.entries[index], b"".join(self.proof(index))]


# ---- telling it ----

def begin(room, use):
    """Up to the login."""
    room.send("open", *use.opening())
    log_in(room)
    room.expect("ready")


def log_in(room):
    """The PIN from a file is tried when the front has noted that."""
    room.expect("trying")
    room.send("try")
    room.expect("tried")
    room.expect("loggedin")


def tell(room, orders):
    """Send orders until the room does not listen any more."""
    for order in orders:
        if not room.send(*order):
            return


def sign(room, use):
    """Everything up to the signature; the fields of `signed`."""
    begin(room, use)
    tell(room, [*use.orders(), ["sign"]])
    return room.expect("signed")


def hand(room, number, keys=None):
    """The fields of a key that was asked for."""
    room.send("hand", number, NONE)
    assert room.expect("handed") == [number, NONE]
    name, values = parse(receive(keys or room.keys))
    assert (name, values[0], values[3:]) == ("key", number, [NONE, b"", b""])
    return values[:3]


def take_app_key(keys):
    """The app key as it is named to the exchange room."""
    name, values = parse(receive(keys))
    assert name == "appkey"
    return json.loads(values[0])


class Deviations(list):
    """Changes to a use, each with the error that it must lead to."""

    def __call__(self, part, code=REFUSED, hint=""):
        def register(change):
            name = change.__name__.replace("_", "-")
            self.append(pytest.param(change, code, part, hint, id=name))
            return change
        return register


def refuse(room, use, change, expected):
    """The room says why, ends, and neither signs nor sends anything to the exchange room."""
    change(use)
    begin(room, use)
    tell(room, [*use.orders(), ["sign"]])
    room.refuses(*expected)


@pytest.fixture(scope="module", name="facts")
def fixture_facts(programs):
    """Made once for a module: rooms only read it."""
    with prepared(programs) as facts:
        yield facts


@pytest.fixture(name="use")
def fixture_use(facts):
    """What would succeed."""
    return Use(facts)


@pytest.fixture(name="room")
def fixture_room(programs, facts):
    """A card room that has been told nothing yet."""
    with Room(programs, "card", facts.environment) as room:
        yield room
