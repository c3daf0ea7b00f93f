"""docs/recovery.md, run as it stands: a token comes back with pkcs11-tool and Python alone."""

import fcntl
import hashlib
import json
import re
import stat
import struct
import termios
from pathlib import Path

import pytest

from program import Program
from telling import GRANT, SOFTHSM

PAGE = Path(__file__).resolve().parents[2] / "docs/recovery.md"
BLOCK = re.compile(r"^```(sh|python) (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WAYS = ["open", "open-jose"]


def blocks(kind):
    """The code of the page by name."""
    return {name: text for language, name, text in BLOCK.findall(PAGE.read_text(encoding="utf-8"))
            if language == kind}


class AtTerminal(Program):
    """A shell at a terminal, where pkcs11-tool asks for the PIN.

    It throws away what was typed before it turned echo off; in packet mode the terminal says when.
    """

    ASKED = "(?s)\x01.*User PIN: |User PIN: .*\x01"

    def __init__(self, script, environment, processes, pin):
        script = "exec >/dev/tty\nprintf ready\nread -r _\n" + script
        super().__init__(["/bin/bash", "-c", script], environment, processes,
                         dialogue=[("ready", ""), (self.ASKED, pin)])
        fcntl.ioctl(self._master, termios.TIOCPKT, struct.pack("i", 1))


class Person:
    """Somebody who follows the page: fills in what is to be filled in, types off the rest."""

    def __init__(self, vault, processes):
        self._vault, self._processes = vault, processes
        self._commands, self._known = blocks("sh"), {}
        self.work, self.seen = None, []
        self.pin = (vault.directory / "soft/pin").read_text(encoding="ascii")

    def fill_in(self, block, /, **values):
        """A block of settings with values of one's own; it has exactly these settings."""
        asked = re.findall(r"^(\w+)=", self._commands[block], re.MULTILINE)
        assert sorted(asked) == sorted(values)
        self._known.update(values)

    def save_scripts(self):
        """The Python of the page, in files of these names."""
        for name, text in blocks("python").items():
            (self.work / name).write_text(text, encoding="utf-8")

    def type(self, name, pin=None):
        """A block of commands, and the PIN where it is asked for."""
        known = "".join(f"{setting}='{value}'\n" for setting, value in self._known.items())
        here = f"umask 077\ncd {self.work}\n" if self.work else ""
        script = known + here + self._commands[name]
        environment = self._vault.environment(
            PATH="/usr/bin:/bin", PYTHONDONTWRITEBYTECODE="1",
            SOFTHSM2_CONF=str(self._vault.directory / "soft/softhsm2.conf"))
        if pin:
            result = AtTerminal(script, environment, self._processes, pin).finish()
        else:
            result = Program(["/bin/bash", "-c", script], environment, self._processes).finish()
        self.seen += [result.out, result.err, result.terminal]
        return result

    def do(self, name, pin=None):
        """A block that must succeed; its output."""
        result = self.type(name, pin)
        assert result.code == 0, f"{name}: {result!r}"
        return result.out

    def find_place(self):
        """A directory in memory, with copies."""
        self.work = Path(self.do("place").strip())
        self._known["work"] = self.work
        self.fill_in("settings", vault=self._vault.directory / "vault.db", name=GRANT,
                     module=SOFTHSM, label="vault")
        self.do("copy")
        self.save_scripts()

    def find_key(self, use="unwrap"):
        """The ID of one of the card's keys, read off the list."""
        listed = re.findall(r"label: +p11vault \w{8} (\w+)\n +ID: +(\w+)\n", self.do("keys"))
        self.fill_in("key-id", id=dict(listed)[use])
        result = self.type("public-key")
        if "cannot create EVP_PKEY" in result.err:
            self.do("public-key-384")
        else:
            assert result.code == 0, repr(result)

    def find(self):
        """What the card must open; the algorithm that is said."""
        said = re.fullmatch(rf"{GRANT} version 2 \(current\): (\S+)\n", self.do("find"))
        return said.group(1)

    def remove(self):
        """Everything, as the page says."""
        if self.work and self.work.exists():
            self.do("remove")
            assert not self.work.exists()


@pytest.fixture(name="person")
def _person(vault, processes, graph, canaries, request):
    """Somebody with a vault that has exchanged a token."""
    vault.done("init", "--soft")
    vault.done("card", "enroll", "--key", request.param)
    canaries.add("user token", vault.make_ready(graph, canaries.app_secret))
    vault.done("exchange", GRANT)
    canaries.add_issued(graph)
    person = Person(vault, processes)
    yield person
    person.remove()


def digests(graph):
    """Of the long-lived tokens that were issued."""
    return [hashlib.sha256(one["token"].encode()).hexdigest()
            for one in graph.tell("tokens", made_by="exchange")["tokens"]]


CARDS = pytest.mark.parametrize("person, algorithm", [
    ("ec:P-256", "ECDH-ES+A256KW"), ("ec:P-384", "ECDH-ES+A256KW"), ("rsa:2048", "RSA-OAEP")],
    indirect=["person"], ids=["ec", "ec-384", "rsa"])


@CARDS
def test_recovery(person, algorithm, graph, leaks):
    """Both ways give the long-lived token, in a file for its owner alone, and print none of it."""
    person.find_place()
    person.find_key()
    assert person.find() == algorithm
    person.do(algorithm, pin=person.pin)
    person.do("unwrap")
    for way in WAYS:
        facts = json.loads(person.do(way))
        assert (facts["name"], facts["version"], facts["kind"]) == (GRANT, 2, "user")
        token = person.work / "token"
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert [hashlib.sha256(token.read_bytes()).hexdigest()] == digests(graph)
        token.unlink()
    assert not leaks(texts=person.seen)
    for file in set(person.work.iterdir()) - {person.work / name for name in blocks("python")}:
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    person.remove()


@CARDS
def test_a_wrong_pin_is_seen(person, algorithm):
    """By the exit status, and by what comes next; nothing is written that looks like a result."""
    person.find_place()
    person.find_key()
    person.find()
    result = person.type(algorithm, pin="0000")
    assert result.code != 0 and "CKR_PIN_INCORRECT" in result.err
    (person.work / "answer").touch()
    result = person.type("unwrap")
    assert result.code == 1
    assert re.search(r"the card's answer has not (32|48) bytes", result.err)
    assert not (person.work / "content-key").exists()


@pytest.mark.parametrize("person", ["ec:P-256"], indirect=True)
def test_what_is_not_there_is_said(person):
    """A name that no record has, and a key of the card that opens nothing."""
    person.find_place()
    person.find_key()
    settings = {"vault": person.work / "vault.db", "module": SOFTHSM, "label": "vault"}
    person.fill_in("settings", name="ads/user/bob", **settings)
    result = person.type("find")
    assert (result.code, result.out) == (1, "")
    assert "there is: ads/secret, ads/user/alice" in result.err
    person.fill_in("settings", name=GRANT, **settings)
    person.find_key("sign")
    result = person.type("find")
    assert result.code == 1 and "does not open that app" in result.err


def test_every_block_of_the_page_is_known():
    """Nothing stands there that is not run, but for the RSA cards that SoftHSM is not."""
    assert set(blocks("python")) == {"find.py", "unwrap.py", "open.py", "open-jose.py"}
    assert set(blocks("sh")) == {
        "place", "settings", "copy", "keys", "key-id", "public-key", "public-key-384", "find",
        "ECDH-ES+A256KW", "RSA-OAEP-256", "RSA-OAEP", "unwrap", "open", "open-jose", "remove"}
    assert len(BLOCK.findall(PAGE.read_text(encoding="utf-8"))) * 2 == len(
        re.findall(r"^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    sha256 = blocks("sh")["RSA-OAEP-256"].replace("SHA256", "SHA-1")
    assert sha256.replace("MGF1-SHA-1", "MGF1-SHA1") == blocks("sh")["RSA-OAEP"]
